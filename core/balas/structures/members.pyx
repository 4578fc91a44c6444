"""Big collections in a hash table: the members of a set, the fields of a hash.

An entry is one block: the length of the key and the key, for a field also the value, so that the
table's pointer and one block are all a member costs. Blocks come from the server's slabs, which
take steps of 8 bytes and no header where malloc needs 32 bytes for a key of ten.

Expiry times of fields stand in a heap of deadlines, the earliest first, and a field that has one
holds its place in that heap behind its value. A field without expiry time pays nothing. Time itself
is the owner's: fields whose time is at or before `now_ms` are hidden from look-ups, walks and
draws, but stay and are counted until `expire_due` takes them out, since on a replica they must wait
for the primary's word.

Here is also the base of every table whose entries are single blocks, `EntryTable`; the ordered
index uses it too. The rule a reader would get wrong: once `free_step` has been called, nothing else
may be done with a table.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport PyObject
from libc.stdint cimport INT64_MIN, UINT32_MAX
from libc.string cimport memcpy

from balas.structures.allocator cimport PAGE_BYTES, forget_pages
from balas.structures.blocks cimport block_cost
from balas.structures.chance cimport draw, draw_below
from balas.structures.slabs cimport Slabs, room_of

cdef enum:
    # A walk over a sparse table looks at this many buckets for each entry wanted, as Redis does.
    SCAN_PATIENCE = 10
    # When more than a third is wanted, taking from a list of all beats drawing again and again.
    FEW = 3
    ITERATE_AT_ONCE = 64
    DEADLINES_MIN = 4
    KEY_OFFSET_OF_MEMBERS = 4
    KEY_OFFSET_OF_FIELDS = 8
    HAS_EXPIRY = 0x80000000
    VALUE_MAX = 0x7FFFFFFF
    # A walk asked for more than this at a time gives this many: its list must fit into memory.
    SCAN_COUNT_MAX = 1 << 30


cdef struct Gathering:
    PyObject *owner
    PyObject *items
    Part part

cdef struct Freeing:
    PyObject *owner
    uint64_t freed

cdef struct Copying:
    PyObject *source
    PyObject *target

cdef struct Listing:
    PyObject *owner
    void **entries
    size_t count


cdef int gather_entry(void *context, void *entry) except -1:
    cdef Gathering *gathering = <Gathering *>context
    (<EntryTable>gathering.owner).gather(<list>gathering.items, entry, gathering.part)
    return 0


cdef int free_entry(void *context, void *entry) except -1:
    cdef Freeing *freeing = <Freeing *>context
    cdef EntryTable table = <EntryTable>freeing.owner
    table.slabs.release(entry, table.entry_size(entry))
    freeing.freed += 1
    return 0


cdef int list_entry(void *context, void *entry) except -1:
    cdef Listing *listing = <Listing *>context
    if not (<EntryTable>listing.owner).hidden(entry):
        listing.entries[listing.count] = entry
        listing.count += 1
    return 0


cdef int copy_entry(void *context, void *entry) except -1:
    cdef Copying *copying = <Copying *>context
    cdef EntryTable source = <EntryTable>copying.source
    cdef EntryTable target = <EntryTable>copying.target
    cdef size_t size = source.entry_size(entry)
    cdef void *made = target.allocate(size)
    memcpy(made, entry, size)
    target.table.insert(made, source.table.hash_entry(entry))
    if target.table.rehash_index >= 0:
        target.table.advance()
    return 0


cdef inline bytes key_bytes(const char *key):
    return PyBytes_FromStringAndSize(key, (<const uint32_t *>(key - 4))[0])


@cython.no_gc
cdef class EntryTable:
    """Entries of one block each in a hash table; the classes below know what stands in a block."""

    def __dealloc__(self):
        cdef Freeing freeing
        if self.table is None:
            return
        freeing.owner = <PyObject *>self
        while True:
            self.drain_position = self.table.drain(self.drain_position, free_entry, &freeing)
            if self.drain_position == 0:
                return

    cdef size_t entry_size(self, const void *entry) noexcept nogil:
        """Bytes of an entry, as they were asked of the allocator."""
        return 0

    cdef int gather(self, list items, const void *entry, Part part) except -1:
        """Append what a walk gives of this entry."""
        items.append(key_bytes(<const char *>entry + self.table.key_offset))
        return 0

    cdef bint may_hide(self) noexcept:
        """Whether some entries may be hidden."""
        return False

    cdef bint hidden(self, const void *entry) noexcept:
        """Whether this entry is to be passed over."""
        return False

    cdef int64_t used_memory(self) noexcept:
        return self.entry_bytes + <int64_t>self.table.memory()

    cdef void *lookup(self, const char *key, size_t size) noexcept:
        """The entry of a key, hidden or not, or NULL."""
        cdef void **slot = self.table.find(key, size, self.table.hash_of(key, size))
        return slot[0] if slot != NULL else NULL

    cdef void *allocate(self, size_t size) except NULL:
        cdef void *made = self.slabs.allocate(size)
        self.entry_bytes += room_of(size)
        return made

    cdef void release(self, void *entry) noexcept:
        """Free an entry that is out of the table."""
        cdef size_t size = self.entry_size(entry)
        self.entry_bytes -= room_of(size)
        self.slabs.release(entry, size)

    # --- walking ----------------------------------------------------------------------------------

    cdef list walk(self, Part part):
        """All entries that are not hidden, in no order."""
        cdef Gathering gathering
        cdef list items = []
        gathering.owner = <PyObject *>self
        gathering.items = <PyObject *>items
        gathering.part = part
        self.table.visit_all(gather_entry, &gathering)
        return items

    cdef tuple scan_part(self, uint64_t cursor, size_t count, Part part):
        """The next cursor and at least `count` entries, unless the table is sparse or ends."""
        cdef Gathering gathering
        cdef list items = []
        cdef size_t wanted, looks
        count = min(max(count, <size_t>1), <size_t>SCAN_COUNT_MAX)
        wanted = count * 2 if part == BOTH else count
        looks = count * SCAN_PATIENCE
        gathering.owner = <PyObject *>self
        gathering.items = <PyObject *>items
        gathering.part = part
        while True:
            cursor = self.table.scan(cursor, gather_entry, &gathering)
            looks -= 1
            if cursor == 0 or looks == 0 or <size_t>len(items) >= wanted:
                return cursor, items

    def __iter__(self):
        """Every key, in no order. While the table changes some may come twice, none that stays is
        left out.
        """
        cdef uint64_t cursor = 0
        cdef list keys
        while True:
            cursor, keys = self.scan_part(cursor, ITERATE_AT_ONCE, KEYS)
            yield from keys
            if cursor == 0:
                return

    # --- chance -----------------------------------------------------------------------------------

    cdef void *random_entry(self, uint64_t chance) except? NULL:
        """An entry by chance, NULL if all are hidden or there is none."""
        cdef void *entry = NULL
        if not self.may_hide():
            return self.table.random(chance)
        self.sample_many(&entry, 1, chance)
        return entry

    cdef size_t sample_entries(self, void **out, size_t count, uint64_t chance) except? 0:
        """Up to `count` different entries by chance; how many there are."""
        if self.may_hide() or count * FEW > self.table.used:
            return self.sample_many(out, count, chance)
        return self.sample_few(out, count, chance)

    cdef size_t sample_few(self, void **out, size_t count, uint64_t chance) except? 0:
        cdef uint64_t state = chance
        cdef size_t found = 0
        cdef void *entry
        cdef set seen = set()
        while found < count:
            entry = self.table.random(draw(&state))
            if <size_t>entry not in seen:
                seen.add(<size_t>entry)
                out[found] = entry
                found += 1
        return found

    cdef size_t sample_many(self, void **out, size_t count, uint64_t chance) except? 0:
        cdef Listing listing
        cdef uint64_t state = chance
        cdef size_t i, j
        listing.owner = <PyObject *>self
        listing.count = 0
        listing.entries = <void **>PyMem_Malloc((self.table.used + 1) * sizeof(void *))
        if listing.entries == NULL:
            raise MemoryError
        self.table.visit_all(list_entry, &listing)
        count = min(count, listing.count)
        for i in range(count):
            j = i + draw_below(&state, listing.count - i)
            out[i] = listing.entries[j]
            listing.entries[j] = listing.entries[i]
        PyMem_Free(listing.entries)
        return count

    cdef list sample_part(self, size_t count, uint64_t chance, Part part):
        """Up to `count` different entries by chance."""
        cdef list items = []
        cdef size_t i
        cdef void **chosen
        count = min(count, self.table.used)
        chosen = <void **>PyMem_Malloc((count + 1) * sizeof(void *))
        if chosen == NULL:
            raise MemoryError
        try:
            for i in range(self.sample_entries(chosen, count, chance) if count else 0):
                self.gather(items, chosen[i], part)
        finally:
            PyMem_Free(chosen)
        return items

    cdef list random_parts(self, size_t count, uint64_t chance, Part part):
        """`count` entries by chance, each drawn from all; none if the table has none."""
        cdef list items = []
        cdef uint64_t state = chance
        cdef void *entry
        while count:
            entry = self.random_entry(draw(&state))
            if entry == NULL:
                break
            self.gather(items, entry, part)
            count -= 1
        return items

    # --- the table as a whole ---------------------------------------------------------------------

    def __len__(self):
        return self.table.used

    @property
    def memory(self):
        """Bytes taken from the allocator, the Python objects themselves not counted."""
        return self.used_memory()

    @property
    def may_resize(self):
        """False while a snapshot's child shares the pages: then growing and moving wait."""
        return self.table.may_resize

    @may_resize.setter
    def may_resize(self, bint allowed):
        self.table.may_resize = allowed

    @property
    def rehashing(self):
        """Whether the table is moving to another size."""
        return self.table.rehashing()

    def rehash_step(self, uint64_t buckets):
        """Move this many buckets to the new table; True while there is more to move."""
        return self.table.rehash_step(buckets)

    def expect(self, uint64_t entries):
        """Size an empty table for this many entries, before filling it."""
        if self.table.used == 0:
            self.table.resize(entries)

    def free_step(self, uint64_t effort):
        """Free about `effort` entries; True while there are more. Begun, it must be finished before
        anything else is asked of the table.
        """
        cdef uint64_t position = self.drain_position
        cdef Freeing freeing
        freeing.owner = <PyObject *>self
        freeing.freed = 0
        while freeing.freed < effort:
            position = self.table.drain(position, free_entry, &freeing)
            if position == 0:
                self.table.clear()
                self.entry_bytes = 0
                self.drain_position = 0
                return False
        self.drain_position = position
        return True

    cdef int fill_copy(self, EntryTable other) except -1:
        """Copy all entries into an empty table of the same seed."""
        cdef Copying copying
        copying.source = <PyObject *>self
        copying.target = <PyObject *>other
        other.table.resize(self.table.used)
        self.table.visit_all(copy_entry, &copying)
        return 0

    def check_invariants(self):
        """Raise AssertionError unless the table is sound and the memory is counted right."""
        cdef void **entries = <void **>PyMem_Malloc((self.table.used + 1) * sizeof(void *))
        cdef Listing listing
        cdef int64_t size = 0
        cdef size_t i
        listing.owner = <PyObject *>self
        listing.entries = entries
        listing.count = 0
        self.table.check_invariants()
        self.table.visit_all(list_entry, &listing)
        for i in range(listing.count):
            size += room_of(self.entry_size(entries[i]))
        hides = listing.count < self.table.used
        PyMem_Free(entries)
        assert hides or size == self.entry_bytes, f"{size} bytes, {self.entry_bytes} counted"


@cython.no_gc
cdef class MemberTable(EntryTable):
    """A set of byte strings. `seed` is the secret of the hash function; `slabs` is where the
    entries are to stand, beside those of others: without, the table has slabs of its own.
    """

    def __cinit__(self, uint64_t seed, Slabs slabs=None):
        self.table = HashTable(KEY_OFFSET_OF_MEMBERS, seed)
        self.slabs = slabs if slabs is not None else Slabs()

    cdef size_t entry_size(self, const void *entry) noexcept nogil:
        return sizeof(Member) + (<const Member *>entry).length

    cdef bint add_key(self, const char *key, size_t size) except -1:
        """Add a member; whether it is new."""
        cdef uint64_t hashed = self.table.hash_of(key, size)
        cdef Member *member
        if self.table.find(key, size, hashed) != NULL:
            return False
        if size > UINT32_MAX:
            raise OverflowError("a member has less than 4 GB")
        member = <Member *>self.allocate(sizeof(Member) + size)
        member.length = <uint32_t>size
        memcpy(member.key, key, size)
        self.table.insert(member, hashed)
        return True

    cdef bint discard_key(self, const char *key, size_t size) noexcept:
        """Remove a member; whether it was there."""
        cdef void *entry = self.table.remove(key, size, self.table.hash_of(key, size))
        if entry == NULL:
            return False
        self.release(entry)
        return True

    def __contains__(self, bytes member not None):
        return self.lookup(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member)) != NULL

    def add(self, bytes member not None):
        """Add a member; whether it is new."""
        return self.add_key(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))

    def discard(self, bytes member not None):
        """Remove a member; whether it was there."""
        return self.discard_key(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))

    def members(self):
        """All members in a list, in no order."""
        return self.walk(KEYS)

    def scan(self, uint64_t cursor, size_t count):
        """The next cursor and some members; begin with cursor 0, which also ends the walk."""
        return self.scan_part(cursor, count, KEYS)

    def random(self, uint64_t chance):
        """The member that a random number picks; IndexError for an empty set."""
        cdef Member *member = <Member *>self.table.random(chance)
        if member == NULL:
            raise IndexError("the set is empty")
        return key_bytes(member.key)

    def randoms(self, size_t count, uint64_t chance):
        """`count` members, each drawn from all; fewer only for an empty set."""
        return self.random_parts(count, chance, KEYS)

    def sample(self, size_t count, uint64_t chance):
        """`count` different members by chance, or all if there are fewer."""
        return self.sample_part(count, chance, KEYS)

    def pop(self, uint64_t chance):
        """Remove the member that a random number picks and return it; IndexError if there is none.
        """
        cdef Member *member = <Member *>self.table.random(chance)
        cdef uint64_t hashed
        if member == NULL:
            raise IndexError("the set is empty")
        hashed = self.table.hash_entry(member)
        popped = key_bytes(member.key)
        self.table.remove(member.key, member.length, hashed)
        self.release(member)
        return popped

    def copy(self):
        """A table of the same members."""
        cdef MemberTable made = MemberTable(self.table.seed, self.slabs)
        self.fill_copy(made)
        return made


cdef inline char *place_address(const Field *field) noexcept nogil:
    return <char *>field.key + field.length + value_size_of(field)


cdef inline size_t place_of(const Field *field) noexcept nogil:
    """Where the deadline of a field that has one stands in the heap."""
    cdef uint32_t place
    memcpy(&place, place_address(field), 4)
    return place


cdef inline size_t field_size(size_t key, size_t value, bint expiring) noexcept nogil:
    return sizeof(Field) + key + value + (4 if expiring else 0)


@cython.no_gc
cdef class FieldTable(EntryTable):
    """Fields and their values, some with an expiry time. `seed` and `slabs` as for `MemberTable`.

    `now_ms` is the time by which fields are hidden, in Unix ms; at first it hides none.
    """

    def __cinit__(self, uint64_t seed, Slabs slabs=None):
        self.table = HashTable(KEY_OFFSET_OF_FIELDS, seed)
        self.slabs = slabs if slabs is not None else Slabs()
        self.now_ms = INT64_MIN

    def __dealloc__(self):
        PyMem_Free(self.deadlines)

    cdef size_t entry_size(self, const void *entry) noexcept nogil:
        cdef const Field *field = <const Field *>entry
        return field_size(field.length, value_size_of(field), expires(field))

    cdef int gather(self, list items, const void *entry, Part part) except -1:
        cdef const Field *field = <const Field *>entry
        if self.hidden(entry):
            return 0
        if part & KEYS:
            items.append(key_bytes(field.key))
        if part & VALUES:
            items.append(PyBytes_FromStringAndSize(value_of(field), value_size_of(field)))
        return 0

    cdef bint may_hide(self) noexcept:
        return self.expiring > 0 and self.deadlines[0].at_ms <= self.now_ms

    cdef bint hidden(self, const void *entry) noexcept:
        cdef const Field *field = <const Field *>entry
        return expires(field) and self.deadlines[place_of(field)].at_ms <= self.now_ms

    cdef int64_t used_memory(self) noexcept:
        cdef size_t heap = self.deadline_room * sizeof(Deadline)
        return self.entry_bytes + <int64_t>(self.table.memory() + (block_cost(heap) if heap else 0))

    cdef Field *find_field(self, const char *key, size_t size) noexcept:
        """The entry of a field that is not hidden, or NULL."""
        cdef Field *field = <Field *>self.lookup(key, size)
        return NULL if field != NULL and self.hidden(field) else field

    cdef int64_t expiry_of(self, const Field *field) noexcept:
        """The expiry time of a field in Unix ms, -1 for never."""
        return self.deadlines[place_of(field)].at_ms if expires(field) else -1

    # --- change -----------------------------------------------------------------------------------

    cdef Field *reshape(
        self, Field *field, uint64_t hashed, size_t value_size, bint expiring
    ) except NULL:
        """Fit an entry to a value of another size; where it is now. The value is not kept unless
        its size stays; what has a deadline before and after keeps it.
        """
        cdef size_t old = self.entry_size(field)
        cdef size_t size = field_size(field.length, value_size, expiring)
        cdef bint stays = expiring and expires(field)
        cdef uint32_t place = <uint32_t>place_of(field) if stays else 0
        cdef Field *moved = field
        if room_of(old) != room_of(size):
            moved = <Field *>self.slabs.resize(field, old, size)
            self.entry_bytes += <int64_t>room_of(size) - <int64_t>room_of(old)
            if moved != field:
                self.table.replace(field, moved, hashed)
        moved.value_length = <uint32_t>value_size
        if stays:
            moved.value_length |= HAS_EXPIRY
            memcpy(place_address(moved), &place, 4)
            self.deadlines[place].field = moved
        return moved

    cdef bint put_field(
        self, const char *key, size_t size, const char *value, size_t value_size, bint keep_expiry
    ) except -1:
        """Set a field; whether it is new. The expiry time goes unless it is to be kept."""
        cdef uint64_t hashed = self.table.hash_of(key, size)
        cdef void **slot = self.table.find(key, size, hashed)
        cdef Field *field
        if size > UINT32_MAX or value_size > VALUE_MAX:
            raise OverflowError("a field has less than 4 GB, its value less than 2 GB")
        if slot == NULL:
            field = <Field *>self.allocate(field_size(size, value_size, False))
            field.length = <uint32_t>size
            field.value_length = <uint32_t>value_size
            memcpy(field.key, key, size)
            memcpy(field.key + size, value, value_size)
            self.table.insert(field, hashed)
            return True
        field = <Field *>slot[0]
        if expires(field) and not keep_expiry:
            self.drop_deadline(place_of(field))
            field = self.reshape(field, hashed, value_size, False)
        else:
            field = self.reshape(field, hashed, value_size, expires(field))
        memcpy(<char *>value_of(field), value, value_size)
        return False

    cdef bint drop_field(self, const char *key, size_t size) noexcept:
        """Remove a field; whether it was there."""
        cdef Field *field = <Field *>self.table.remove(key, size, self.table.hash_of(key, size))
        if field == NULL:
            return False
        if expires(field):
            self.drop_deadline(place_of(field))
        self.release(field)
        return True

    # --- deadlines --------------------------------------------------------------------------------

    cdef void settle(self, size_t place, Deadline deadline) noexcept:
        """Put a deadline into the free place of the heap, and what it displaces up or down."""
        cdef size_t other
        cdef uint32_t final
        while place > 0 and deadline.at_ms < self.deadlines[(place - 1) >> 1].at_ms:
            other = (place - 1) >> 1
            self.deadlines[place] = self.deadlines[other]
            final = <uint32_t>place
            memcpy(place_address(self.deadlines[place].field), &final, 4)
            place = other
        while True:
            other = 2 * place + 1
            if other >= self.expiring:
                break
            if (
                other + 1 < self.expiring
                and self.deadlines[other + 1].at_ms < self.deadlines[other].at_ms
            ):
                other += 1
            if deadline.at_ms <= self.deadlines[other].at_ms:
                break
            self.deadlines[place] = self.deadlines[other]
            final = <uint32_t>place
            memcpy(place_address(self.deadlines[place].field), &final, 4)
            place = other
        self.deadlines[place] = deadline
        final = <uint32_t>place
        memcpy(place_address(deadline.field), &final, 4)

    cdef int add_deadline(self, Field *field, int64_t at_ms) except -1:
        """Enter the deadline of a field that has room for its place."""
        cdef Deadline deadline
        cdef Deadline *moved
        cdef size_t room
        if self.expiring == self.deadline_room:
            room = self.deadline_room * 2 if self.deadline_room else DEADLINES_MIN
            moved = <Deadline *>PyMem_Realloc(self.deadlines, room * sizeof(Deadline))
            if moved == NULL:
                raise MemoryError
            self.deadlines = moved
            self.deadline_room = room
        deadline.at_ms = at_ms
        deadline.field = field
        field.value_length |= HAS_EXPIRY
        self.expiring += 1
        self.settle(self.expiring - 1, deadline)
        return 0

    cdef void drop_deadline(self, size_t place) noexcept:
        """Take a deadline out; its field still has the room and the mark for one."""
        cdef Deadline last
        cdef Deadline *moved
        self.expiring -= 1
        last = self.deadlines[self.expiring]
        if place < self.expiring:
            self.settle(place, last)
        if self.expiring == 0:
            PyMem_Free(self.deadlines)
            self.deadlines = NULL
            self.deadline_room = 0
        elif self.expiring * 4 <= self.deadline_room and self.deadline_room > DEADLINES_MIN:
            moved = <Deadline *>PyMem_Realloc(
                self.deadlines, (self.deadline_room >> 1) * sizeof(Deadline)
            )
            if moved != NULL:
                self.deadlines = moved
                self.deadline_room >>= 1

    cdef int set_expiry(self, Field *field, uint64_t hashed, int64_t at_ms) except -1:
        """Give a field this expiry time in Unix ms; -1 takes it away."""
        cdef Deadline deadline
        cdef size_t size = value_size_of(field)
        if at_ms == -1:
            if expires(field):
                self.drop_deadline(place_of(field))
                self.reshape(field, hashed, size, False)
        elif expires(field):
            deadline.at_ms = at_ms
            deadline.field = field
            self.settle(place_of(field), deadline)
        else:
            self.add_deadline(self.reshape(field, hashed, size, True), at_ms)
        return 0

    # --- for Python -------------------------------------------------------------------------------

    def __contains__(self, bytes field not None):
        return self.find_field(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field)) != NULL

    def get(self, bytes field not None):
        """The value of a field, or None."""
        cdef Field *found = self.find_field(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        if found == NULL:
            return None
        return PyBytes_FromStringAndSize(value_of(found), value_size_of(found))

    def value_length(self, bytes field not None):
        """Bytes of a field's value, 0 for one that does not exist."""
        cdef Field *found = self.find_field(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        return 0 if found == NULL else value_size_of(found)

    def set(self, bytes field not None, bytes value not None, bint keep_expiry=False):
        """Set a field; whether it is new. Its expiry time goes unless it is to be kept. A hidden
        field is not new: who wants it so removes what is due first.
        """
        return self.put_field(
            PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field),
            PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), keep_expiry,
        )

    def discard(self, bytes field not None):
        """Remove a field, hidden or not; whether it was there."""
        return self.drop_field(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))

    def fields(self):
        """All fields in a list, in no order; `values` has the same order."""
        return self.walk(KEYS)

    def values(self):
        """All values in a list."""
        return self.walk(VALUES)

    def flat(self):
        """All fields and values in one list, each value after its field."""
        return self.walk(BOTH)

    def scan(self, uint64_t cursor, size_t count, bint values=True):
        """The next cursor and some fields, with their values in between unless told otherwise."""
        return self.scan_part(cursor, count, BOTH if values else KEYS)

    def random(self, uint64_t chance):
        """The field that a random number picks; IndexError if there is none."""
        cdef Field *field = <Field *>self.random_entry(chance)
        if field == NULL:
            raise IndexError("the hash is empty")
        return key_bytes(field.key)

    def randoms(self, size_t count, uint64_t chance, bint values=False):
        """`count` fields, each drawn from all, with values in between if asked for."""
        return self.random_parts(count, chance, BOTH if values else KEYS)

    def sample(self, size_t count, uint64_t chance, bint values=False):
        """`count` different fields or all there are, with values in between if asked for."""
        return self.sample_part(count, chance, BOTH if values else KEYS)

    def expire_at(self, bytes field not None):
        """When a field expires in Unix ms; -1 never, -2 there is no such field."""
        cdef Field *found = self.find_field(PyBytes_AS_STRING(field), PyBytes_GET_SIZE(field))
        return -2 if found == NULL else self.expiry_of(found)

    def set_expire(self, bytes field not None, int64_t at_ms):
        """Let a field expire at this Unix time in ms, never for -1; whether there is such a field.
        """
        cdef const char *key = PyBytes_AS_STRING(field)
        cdef Field *found = self.find_field(key, PyBytes_GET_SIZE(field))
        if found == NULL:
            return False
        self.set_expiry(found, self.table.hash_entry(found), at_ms)
        return True

    @property
    def next_expiry_ms(self):
        """The earliest expiry time of a field in Unix ms, -1 if none expires."""
        return self.deadlines[0].at_ms if self.expiring else -1

    def expire_due(self, int64_t now_ms, size_t limit):
        """Remove up to `limit` fields whose time is at or before `now_ms`, the earliest first, and
        return them.
        """
        cdef list removed = []
        cdef Field *field
        while limit and self.expiring and self.deadlines[0].at_ms <= now_ms:
            field = self.deadlines[0].field
            removed.append(key_bytes(field.key))
            self.drop_field(field.key, field.length)
            limit -= 1
        return removed

    def copy(self):
        """A table of the same fields, values and expiry times."""
        cdef FieldTable made = FieldTable(self.table.seed, self.slabs)
        cdef Field *field
        cdef size_t i
        made.now_ms = self.now_ms
        if self.expiring:
            made.deadlines = <Deadline *>PyMem_Malloc(self.deadline_room * sizeof(Deadline))
            if made.deadlines == NULL:
                raise MemoryError
            made.deadline_room = self.deadline_room
        self.fill_copy(made)
        for i in range(self.expiring):
            field = self.deadlines[i].field
            made.deadlines[i].at_ms = self.deadlines[i].at_ms
            made.deadlines[i].field = <Field *>made.lookup(field.key, field.length)
        made.expiring = self.expiring
        return made

    def free_step(self, uint64_t effort):
        """As for every table; the memory of the deadlines goes first, by pages."""
        cdef size_t taken = min(
            effort * PAGE_BYTES // sizeof(Deadline), <uint64_t>self.deadline_room
        )
        if taken:
            self.deadline_room -= taken
            forget_pages(self.deadlines + self.deadline_room, taken * sizeof(Deadline))
            return True
        more = EntryTable.free_step(self, effort)
        if not more:
            PyMem_Free(self.deadlines)
            self.deadlines = NULL
            self.expiring = self.deadline_room = 0
        return more

    def check_invariants(self):
        """Raise AssertionError unless table, memory and deadlines are sound."""
        cdef size_t i
        EntryTable.check_invariants(self)
        for i in range(self.expiring):
            assert expires(self.deadlines[i].field), "a deadline of a field without the mark"
            assert place_of(self.deadlines[i].field) == i, "a field that has another place"
            if i:
                assert self.deadlines[(i - 1) >> 1].at_ms <= self.deadlines[i].at_ms, "no heap"
        marked = sum(self.expire_at(field) != -1 for field in self.fields())
        assert self.deadline_room <= 8 * self.expiring + DEADLINES_MIN, "room to spare"
        if not self.may_hide():
            assert marked == self.expiring, f"{marked} expire, {self.expiring} counted"
