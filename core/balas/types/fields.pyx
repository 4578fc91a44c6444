"""The fields of a hash, some of which expire by themselves: how they are kept, read and changed.

A hash begins as one pack of fields and values (listpack). When a field of it is to expire it
becomes a pack of triplets, field, value and Unix ms (listpackex): those that expire come first, the
earliest at the head, and a 0 stands for never. It goes into a table (hashtable) at the moments when
Redis does it: when hash-max-listpack-entries or hash-max-listpack-value are exceeded.

Methods that read are told the time: fields whose time was before it are as good as gone, though
they are counted until somebody removes them, which has consequences (a record, an event) that this
file knows nothing of. Those who may not see fields expire, on a replica or while data are loaded,
give a time before all others, `INT64_MIN`. Methods that change a hash look at no clock: they find
what is due as well.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.stdint cimport INT64_MIN, uint8_t

from balas.structures.chance cimport draw_below
from balas.structures.listpack cimport (
    Element,
    Encoded,
    LISTPACK_SAFE_MAX,
    NUMBER_TEXT_MAX,
    Needle,
    element_bytes,
    encode_number,
    encode_text,
    listpack_append,
    listpack_append_number,
    listpack_at,
    listpack_at_end,
    listpack_copy,
    listpack_delete,
    listpack_find,
    listpack_first,
    listpack_free,
    listpack_insert,
    listpack_length,
    listpack_memory,
    listpack_new,
    listpack_next,
    listpack_read,
    listpack_replace,
    listpack_size,
    listpack_valid,
    set_needle,
)
from balas.structures.members cimport BOTH, Field, KEYS, VALUES, value_of, value_size_of
from balas.structures.numbers cimport int64_to_string
from balas.types.value cimport DORMANT_MAX, HASH_PACK

cdef enum:
    # What Python keeps of the objects: this one, and the two of a table.
    FIELDS_OBJECT = 48
    TABLE_OBJECTS = 80 + 112

    # Up to so many fields, twins are looked for by comparing all with all.
    COMPARED_MAX = 8


cdef inline int64_t number_at(unsigned char *entry) noexcept nogil:
    """The number of an entry; -1 for a text."""
    cdef Element element
    listpack_read(entry, &element)
    return element.number if element.text == NULL else -1


cdef inline int64_t time_of(unsigned char *entry) noexcept nogil:
    """When the field at an entry of triplets expires; 0 for never."""
    return number_at(listpack_next(listpack_next(entry)))


cdef inline unsigned char *skip(unsigned char *entry, unsigned int count) noexcept nogil:
    while count > 0:
        entry = listpack_next(entry)
        count -= 1
    return entry


cdef inline bytes bytes_at(unsigned char *entry):
    cdef Element element
    listpack_read(entry, &element)
    return element_bytes(&element)


cdef inline const char *text_of(
    const Element *element, char *number_text, size_t *size
) noexcept nogil:
    """An element as text; a number is written to `number_text`."""
    if element.text != NULL:
        size[0] = element.size
        return element.text
    size[0] = int64_to_string(element.number, number_text)
    return number_text


@cython.no_gc
cdef class Fields(Value):
    """Fields and their values; what else a hash is says `Hash`."""

    def __cinit__(self):
        self.next_expiry_ms = NEVER

    def __init__(self):
        self.pack = listpack_new()

    def __dealloc__(self):
        listpack_free(self.pack)

    cdef void *doze(self, uint8_t *form) noexcept:
        """Only without fields that expire: when the first does would be forgotten."""
        cdef void *pack = self.pack
        if pack == NULL or self.next_expiry_ms != NEVER:
            return NULL
        if listpack_memory(self.pack) > DORMANT_MAX:
            return NULL
        form[0] = HASH_PACK
        self.pack = NULL
        return pack

    # --- what all methods need --------------------------------------------------------------------

    cdef inline unsigned int step(self) noexcept nogil:
        """Entries of the pack for each field."""
        return 2 if self.next_expiry_ms == NEVER else 3

    cdef FieldTable table_at(self, int64_t now_ms):
        """The table, which then hides what was due before this time."""
        # The table hides what is due at its time as well.
        self.table.now_ms = now_ms - 1 if now_ms != INT64_MIN else now_ms
        return self.table

    cdef void follow(self) noexcept:
        """Find out anew when the first field expires."""
        cdef unsigned char *first
        cdef int64_t at_ms
        if self.pack == NULL:
            self.next_expiry_ms = (
                self.table.deadlines[0].at_ms if self.table.expiring else NEVER
            )
        elif self.next_expiry_ms != NEVER:
            first = listpack_first(self.pack)
            at_ms = 0 if listpack_at_end(first) else time_of(first)
            self.next_expiry_ms = at_ms if at_ms > 0 else NEVER_OF_TRIPLETS

    cdef unsigned char *find(self, const char *field, size_t size) noexcept:
        """The entry of a field in the pack, or NULL."""
        cdef Needle needle
        set_needle(&needle, field, size)
        return listpack_find(listpack_first(self.pack), &needle, self.step() - 1)

    cdef unsigned char *find_live(self, bytes field, int64_t now_ms) noexcept:
        """The same, or NULL if it was due before this time."""
        cdef unsigned char *entry = self.find(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        if entry != NULL and 0 <= self.next_expiry_ms < now_ms and 0 < time_of(entry) < now_ms:
            return NULL
        return entry

    # --- reading ----------------------------------------------------------------------------------

    cpdef Py_ssize_t length(self) noexcept:
        """How many fields there are, those included that are due."""
        if self.pack == NULL:
            return <Py_ssize_t>self.table.table.used
        return <Py_ssize_t>(listpack_length(self.pack) // self.step())

    def __len__(self):
        return self.length()

    cpdef bytes get(self, bytes field, int64_t now_ms):
        """The value of a field, or None."""
        cdef Field *found
        cdef unsigned char *entry
        if self.pack == NULL:
            found = self.table_at(now_ms).find_field(
                PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field)
            )
            if found == NULL:
                return None
            return PyBytes_FromStringAndSize(value_of(found), value_size_of(found))
        entry = self.find_live(field, now_ms)
        return bytes_at(listpack_next(entry)) if entry != NULL else None

    cpdef list get_all(self, tuple names, int64_t now_ms):
        """The values of fields, None for one that is missing."""
        cdef bytes name
        return [self.get(name, now_ms) for name in names]

    cpdef bint has(self, bytes field, int64_t now_ms) except -1:
        """Whether there is such a field."""
        if self.pack == NULL:
            return self.table_at(now_ms).find_field(
                PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field)
            ) != NULL
        return self.find_live(field, now_ms) != NULL

    cpdef Py_ssize_t value_length(self, bytes field, int64_t now_ms) except -1:
        """Bytes of a field's value, 0 if there is no such field."""
        cdef bytes value = self.get(field, now_ms)
        return PyBytes_GET_SIZE(value) if value is not None else 0

    cpdef int64_t expire_at(self, bytes field, int64_t now_ms) except? -9:
        """When a field expires in Unix ms; -1 never, -2 there is no such field."""
        cdef unsigned char *entry
        cdef int64_t at_ms
        if self.pack == NULL:
            return self.table_at(now_ms).expire_at(field)
        entry = self.find_live(field, now_ms)
        if entry == NULL:
            return -2
        at_ms = time_of(entry) if self.next_expiry_ms >= 0 else 0
        return at_ms if at_ms > 0 else -1

    cpdef bint due(self, bytes field, int64_t now_ms) except -1:
        """Whether there is such a field, and it was due before this time."""
        cdef int64_t at_ms
        if not 0 <= self.next_expiry_ms < now_ms:
            return False
        at_ms = self.expire_at(field, INT64_MIN)
        return 0 <= at_ms < now_ms

    cdef list walk(self, Part part, int64_t now_ms):
        """Fields, values or both that are not due, in the order of the pack if it is one."""
        cdef unsigned char *entry
        cdef unsigned int step = self.step()
        cdef bint hides = 0 <= self.next_expiry_ms < now_ms
        cdef list found
        cdef Py_ssize_t i
        cdef object item
        if self.pack == NULL:
            return self.table_at(now_ms).walk(part)
        entry = listpack_first(self.pack)
        if step == 2 and part == BOTH:
            found = PyList_New(listpack_length(self.pack))
            for i in range(len(found)):
                item = bytes_at(entry)
                Py_INCREF(item)
                PyList_SET_ITEM(found, i, item)
                entry = listpack_next(entry)
            return found
        found = []
        while not listpack_at_end(entry):
            if not hides or not 0 < time_of(entry) < now_ms:
                if part & KEYS:
                    found.append(bytes_at(entry))
                if part & VALUES:
                    found.append(bytes_at(listpack_next(entry)))
            entry = skip(entry, step)
        return found

    cpdef list fields(self, int64_t now_ms):
        """All fields; `values` has the same order."""
        return self.walk(KEYS, now_ms)

    cpdef list values(self, int64_t now_ms):
        """All values."""
        return self.walk(VALUES, now_ms)

    cpdef list flat(self, int64_t now_ms):
        """All fields and values in one list, each value after its field."""
        return self.walk(BOTH, now_ms)

    cpdef list pairs(self, int64_t now_ms):
        """All fields with their values, as tuples."""
        cdef list flat = self.walk(BOTH, now_ms)
        cdef Py_ssize_t i
        return [(flat[2 * i], flat[2 * i + 1]) for i in range(len(flat) // 2)]

    cpdef tuple scan(self, uint64_t cursor, size_t count, int64_t now_ms, bint values):
        """The next cursor and some fields, with their values in between if asked for; a pack is
        walked in one step.
        """
        if self.pack == NULL:
            return self.table_at(now_ms).scan_part(cursor, count, BOTH if values else KEYS)
        return 0, self.walk(BOTH if values else KEYS, now_ms)

    cpdef list sample(self, size_t count, uint64_t chance, int64_t now_ms, bint values):
        """`count` different fields or all there are, with values in between if asked for."""
        cdef uint64_t state = chance
        cdef list names, found = []
        cdef size_t i, j
        if self.pack == NULL:
            return self.table_at(now_ms).sample_part(count, chance, BOTH if values else KEYS)
        names = self.walk(KEYS, now_ms)
        count = min(count, <size_t>len(names))
        for i in range(count):
            j = i + <size_t>draw_below(&state, len(names) - i)
            names[i], names[j] = names[j], names[i]
            found.append(names[i])
            if values:
                found.append(self.get(names[i], INT64_MIN))
        return found

    cpdef list randoms(self, size_t count, uint64_t chance, int64_t now_ms, bint values):
        """`count` fields, each drawn from all, with values in between if asked for; none if all
        are due.
        """
        cdef uint64_t state = chance
        cdef unsigned int step = self.step()
        cdef unsigned char *entry
        cdef list names = None, found = []
        cdef uint64_t length
        cdef size_t _
        if self.pack == NULL:
            return self.table_at(now_ms).random_parts(count, chance, BOTH if values else KEYS)
        if 0 <= self.next_expiry_ms < now_ms:
            names = self.walk(KEYS, now_ms)
        length = self.length() if names is None else len(names)
        for _ in range(count if length else 0):
            if names is not None:
                name = names[draw_below(&state, length)]
                entry = self.find(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
            else:
                entry = listpack_at(self.pack, <int64_t>(draw_below(&state, length) * step))
            found.append(bytes_at(entry))
            if values:
                found.append(bytes_at(listpack_next(entry)))
        return found

    # --- changing ---------------------------------------------------------------------------------

    cdef bint fits(self, tuple pairs, Limits limits) except -1:
        """Whether the pack may stay one when these fields and values are put into it."""
        cdef size_t sum = 0, size
        if len(pairs) > 2 * limits.hash_entries:
            return False
        for item in pairs:
            size = PyBytes_GET_SIZE(item)
            if size > <size_t>limits.hash_value:
                return False
            sum += size
        return listpack_size(self.pack) + sum <= LISTPACK_SAFE_MAX

    cpdef Py_ssize_t put_pairs(self, tuple pairs, Limits limits) except -1:
        """Set fields, each followed by its value; how many of them are new. Expiry times go."""
        cdef Py_ssize_t i, new = 0
        if self.pack != NULL and not self.fits(pairs, limits):
            self.to_table(limits)
        for i in range(0, len(pairs), 2):
            new += self.put_text(
                PyBytes_AS_STRING(pairs[i]), PyBytes_GET_SIZE(pairs[i]),
                PyBytes_AS_STRING(pairs[i + 1]), PyBytes_GET_SIZE(pairs[i + 1]), False, limits,
            )
        return new

    cpdef bint put(self, bytes field, bytes value, bint keep_expiry, Limits limits) except -1:
        """Set a field; whether it is new. Its expiry time goes unless it is to be kept."""
        return self.put_text(
            PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field),
            PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), keep_expiry, limits,
        )

    cdef bint put_text(
        self, const char *field, size_t field_size, const char *value, size_t value_size,
        bint keep_expiry, Limits limits
    ) except -1:
        cdef size_t size_max = <size_t>limits.hash_value
        cdef bint new
        if self.pack != NULL and (field_size > size_max or value_size > size_max):
            self.to_table(limits)
        if self.pack == NULL:
            new = self.table.put_field(field, field_size, value, value_size, keep_expiry)
            if self.next_expiry_ms >= 0 and not new:
                self.follow()
            return new
        new = self.put_packed(field, field_size, value, value_size, keep_expiry)
        if new and self.length() > limits.hash_entries:
            self.to_table(limits)
        return new

    cdef bint put_packed(
        self, const char *field, size_t field_size, const char *value, size_t value_size,
        bint keep_expiry
    ) except -1:
        """Set a field of the pack; whether it is new."""
        cdef unsigned char *entry = self.find(field, field_size)
        cdef unsigned char *place
        cdef Encoded encoded
        if entry == NULL:
            self.add_packed(field, field_size, value, value_size, 0)
            return True
        place = listpack_next(entry)
        encode_text(value, value_size, &encoded)
        self.pack = listpack_replace(self.pack, &place, &encoded)
        if self.next_expiry_ms >= 0 and not keep_expiry:
            entry = self.find(field, field_size)
            if time_of(entry) > 0:
                self.move_packed(entry, 0)
        return False

    cdef int add_packed(
        self, const char *field, size_t field_size, const char *value, size_t value_size,
        int64_t at_ms
    ) except -1:
        """Add a field that is not in the pack: at the end, or by its expiry time if not 0."""
        cdef unsigned char *entry = listpack_first(self.pack)
        cdef int64_t other_ms
        cdef Encoded encoded
        if at_ms == 0:
            self.pack = listpack_append(self.pack, field, field_size)
            self.pack = listpack_append(self.pack, value, value_size)
            if self.next_expiry_ms != NEVER:
                self.pack = listpack_append_number(self.pack, 0)
            return 0
        while not listpack_at_end(entry):
            other_ms = time_of(entry)
            if other_ms <= 0 or other_ms >= at_ms:
                break
            entry = skip(entry, 3)
        encode_text(field, field_size, &encoded)
        self.pack = listpack_insert(self.pack, &entry, &encoded)
        entry = listpack_next(entry)
        encode_text(value, value_size, &encoded)
        self.pack = listpack_insert(self.pack, &entry, &encoded)
        entry = listpack_next(entry)
        encode_number(at_ms, &encoded)
        self.pack = listpack_insert(self.pack, &entry, &encoded)
        self.follow()
        return 0

    cdef int move_packed(self, unsigned char *entry, int64_t at_ms) except -1:
        """Give a field of the pack another expiry time, 0 for never, and the place it then has."""
        cdef bytes field = bytes_at(entry)
        cdef bytes value = bytes_at(listpack_next(entry))
        self.pack = listpack_delete(self.pack, &entry, 3)
        self.add_packed(
            PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field),
            PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), at_ms,
        )
        self.follow()
        return 0

    cpdef bint remove(self, bytes field) except -1:
        """Remove a field; whether it was there."""
        cdef const char *text = PyBytes_AS_STRING(field)
        cdef size_t size = PyBytes_GET_SIZE(field)
        cdef unsigned char *entry
        cdef bint removed = True
        if self.pack == NULL:
            removed = self.table.drop_field(text, size)
        else:
            entry = self.find(text, size)
            if entry == NULL:
                return False
            self.pack = listpack_delete(self.pack, &entry, self.step())
        if removed and self.next_expiry_ms >= 0:
            self.follow()
        return removed

    cpdef bint set_expire(self, bytes field, int64_t at_ms) except -1:
        """Let a field expire at this Unix time in ms, never for -1; whether there is such a field.
        """
        cdef unsigned char *entry
        cdef bint found = True
        self.expect_expiry()
        if self.pack == NULL:
            found = self.table_at(INT64_MIN).set_expire(field, at_ms)
        else:
            entry = self.find(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
            if entry == NULL:
                return False
            self.move_packed(entry, at_ms if at_ms > 0 else 0)
        self.follow()
        return found

    cpdef int expect_expiry(self) except -1:
        """See to it that a pack has room for expiry times."""
        cdef unsigned char *made
        cdef unsigned char *entry
        cdef Encoded encoded
        if self.pack == NULL or self.next_expiry_ms != NEVER:
            return 0
        made = listpack_copy(self.pack)
        entry = listpack_first(made)
        encode_number(0, &encoded)
        while not listpack_at_end(entry):
            entry = skip(entry, 2)
            made = listpack_insert(made, &entry, &encoded)
            entry = listpack_next(entry)
        self.take_pack(made, True)
        return 0

    cpdef list take_due(self, int64_t now_ms, size_t limit):
        """Remove up to `limit` fields that were due before this time, the earliest first, and
        return them.
        """
        cdef list taken = []
        cdef unsigned char *entry
        if self.pack == NULL:
            taken = self.table.expire_due(now_ms - 1, limit)
        elif self.next_expiry_ms >= 0:
            entry = listpack_first(self.pack)
            while <size_t>len(taken) < limit and not listpack_at_end(entry):
                if not 0 < time_of(entry) < now_ms:
                    break
                taken.append(bytes_at(entry))
                entry = skip(entry, 3)
            entry = listpack_first(self.pack)
            self.pack = listpack_delete(self.pack, &entry, 3 * len(taken))
        self.follow()
        return taken

    cdef int take_pack(self, unsigned char *pack, bint timed) noexcept:
        """Have another pack, of triplets if `timed`, in the place of the one there is."""
        listpack_free(self.pack)
        self.pack = pack
        self.next_expiry_ms = NEVER_OF_TRIPLETS if timed else NEVER
        self.follow()
        return 0

    cdef int take_table(self, FieldTable table) except -1:
        """Have a table in the place of the pack."""
        listpack_free(self.pack)
        self.pack = NULL
        self.table = table
        self.follow()
        return 0

    cdef int to_table(self, Limits limits) except -1:
        """Put the fields of the pack into a table."""
        cdef FieldTable table = FieldTable(limits.hash_seed, limits.slabs)
        cdef unsigned char *entry = listpack_first(self.pack)
        cdef unsigned int step = self.step()
        cdef Element field, value
        cdef char[NUMBER_TEXT_MAX] field_number, value_number
        cdef const char *name
        cdef const char *text
        cdef size_t name_size, text_size
        cdef Field *made
        cdef int64_t at_ms
        while not listpack_at_end(entry):
            listpack_read(entry, &field)
            listpack_read(listpack_next(entry), &value)
            name = text_of(&field, field_number, &name_size)
            text = text_of(&value, value_number, &text_size)
            table.put_field(name, name_size, text, text_size, False)
            at_ms = time_of(entry) if step == 3 else 0
            if at_ms > 0:
                made = table.find_field(name, name_size)
                table.set_expiry(made, table.table.hash_of(name, name_size), at_ms)
            entry = skip(entry, step)
        return self.take_table(table)

    # --- size and invariants ----------------------------------------------------------------------

    def encoding(self):
        """"listpack", "listpackex" if it was asked to let fields expire, or "hashtable"."""
        if self.pack == NULL:
            return "hashtable"
        return "listpack" if self.next_expiry_ms == NEVER else "listpackex"

    cpdef Py_ssize_t memory_usage(self) except -1:
        if self.pack == NULL:
            return FIELDS_OBJECT + TABLE_OBJECTS + self.table.used_memory()
        size = <Py_ssize_t>listpack_memory(self.pack)
        if size <= DORMANT_MAX and self.next_expiry_ms == NEVER:
            return size
        return FIELDS_OBJECT + size

    cpdef Py_ssize_t cardinality(self) except -1:
        return self.length()

    cpdef Py_ssize_t free_effort(self) except -1:
        """One for each field of a table."""
        return self.length() if self.pack == NULL else 1

    def free_step(self, effort):
        """Free so many fields; True while there are more."""
        return self.pack == NULL and self.table.free_step(effort)

    cdef bint sound(self) except -1:
        """Whether a pack consists of whole fields, none of them twice, in the order of their expiry
        times.
        """
        cdef unsigned int step = self.step()
        cdef size_t count = listpack_length(self.pack)
        cdef unsigned char *entry = listpack_first(self.pack)
        cdef int64_t at_ms, last_ms = 0
        if count % step:
            return False
        while step == 3 and not listpack_at_end(entry):
            at_ms = time_of(entry)
            if not 0 <= at_ms <= EXPIRY_MAX_MS or (last_ms < 0 and at_ms) or 0 < at_ms < last_ms:
                return False
            # Behind the first field that never expires there may be no other.
            last_ms = at_ms if at_ms else -1
            entry = skip(entry, 3)
        return count <= step or not self.has_twins()

    cdef bint has_twins(self) except -1:
        """Whether a field is twice in the pack."""
        cdef unsigned int step = self.step()
        cdef unsigned char *entry = listpack_first(self.pack)
        cdef Needle needle
        cdef Element element
        cdef char[NUMBER_TEXT_MAX] number
        cdef const char *text
        cdef size_t size
        if self.length() > COMPARED_MAX:
            names = self.walk(KEYS, INT64_MIN)
            return len(set(names)) < len(names)
        while not listpack_at_end(entry):
            listpack_read(entry, &element)
            text = text_of(&element, number, &size)
            entry = skip(entry, step)
            set_needle(&needle, text, size)
            if listpack_find(entry, &needle, step - 1) != NULL:
                return True
        return False

    def check_invariants(self):
        """Raise AssertionError unless pack or table are sound and the first deadline is known."""
        expected = self.next_expiry_ms
        if self.pack == NULL:
            self.table_at(INT64_MIN).check_invariants()
            earliest = self.table.next_expiry_ms
            assert earliest == expected, f"{earliest} is the earliest, not {expected}"
            return
        assert listpack_valid(self.pack, listpack_size(self.pack)), "the pack is damaged"
        assert self.sound(), "the pack is no sound one of fields"
        self.follow()
        assert self.next_expiry_ms == expected, f"{self.next_expiry_ms} is it, not {expected}"
