"""The type set: different members without an order.

A set of whole numbers is an intset, another small one a listpack, and one that is neither a hash
table. Which of them a set becomes, and when it goes from one to another, follows what is added, in
the order in which it is added; nothing goes back when members are removed, but for SPOP of nearly
all of them. What a method is told of `limits` are the server's, `ctx.limits`.

All three are behind one word, `body`: an address whose lowest two bits say what is there, so that
the object takes two steps of the allocator. The rule a reader would get wrong: an object that was
just made has no body at all; `add_all`, `of` and `new_set` give it one.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject

from balas.structures.chance cimport draw, draw_below
from balas.structures.intset cimport (
    intset_add,
    intset_copy,
    intset_find,
    intset_free,
    intset_get,
    intset_length,
    intset_load,
    intset_memory,
    intset_new,
    intset_random,
    intset_remove,
    intset_size,
    intset_valid,
)
from balas.structures.listpack cimport (
    Element,
    element_bytes,
    listpack_append,
    listpack_at,
    listpack_at_end,
    listpack_copy,
    listpack_delete,
    listpack_find,
    listpack_first,
    listpack_free,
    listpack_length,
    listpack_load,
    listpack_memory,
    listpack_new,
    listpack_next,
    listpack_read,
    listpack_safe_to_add,
    listpack_size,
    listpack_valid,
    set_needle,
)
from balas.structures.members cimport KEYS, Member
from balas.structures.numbers cimport int64_to_string
from balas.types.items cimport ItemReader, ItemWriter
from balas.types.value cimport DORMANT_MAX, INTEGER_SET, SET_PACK

cdef enum:
    # How RDB files hold a set: as strings, an intset, a listpack.
    KIND_STRINGS = 2
    KIND_INTEGERS = 11
    KIND_PACK = 20

    FORM_BITS = 3
    # The objects: this one, and the two of a hash table.
    OBJECT_SIZE = 32
    TABLE_OBJECTS = 192
    # An intset of more members is never made, whatever the limit.
    INTEGERS_MAX = 1 << 30
    # SPOP of more than so many times of what stays moves what stays instead.
    KEEP_FACTOR = 5
    MEMBERS_PER_COMMAND = 64


cdef tuple KINDS = (KIND_INTEGERS, KIND_PACK, KIND_STRINGS)
cdef tuple ENCODINGS = ("intset", "listpack", "hashtable")


cdef inline int64_t integers_max(Limits limits) noexcept:
    return min(limits.set_intset_entries, <int64_t>INTEGERS_MAX)


# --- members on their way -------------------------------------------------------------------------


cdef void item_set_text(Item *item, const char *text, size_t size) noexcept:
    """Make an item of a text, which is not copied."""
    item.needle.text = text
    item.needle.size = size
    item.needle.is_number = False
    item.looked = False


cdef inline void item_set_number(Item *item, int64_t number) noexcept:
    item.needle.text = NULL
    item.needle.number = number
    item.needle.is_number = True
    item.looked = True


cdef inline void item_set_element(Item *item, const unsigned char *entry) noexcept:
    cdef Element element
    listpack_read(entry, &element)
    if element.text == NULL:
        item_set_number(item, element.number)
    else:
        item_set_text(item, element.text, element.size)
        item.looked = True


cdef bint item_is_number(Item *item) noexcept:
    """Whether the member is a whole number of 64 bits, written as such."""
    if not item.looked:
        set_needle(&item.needle, item.needle.text, item.needle.size)
        item.looked = True
    return item.needle.is_number


cdef int item_write_out(Item *item) noexcept:
    """See to it that the item has a text."""
    if item.needle.text == NULL:
        item.needle.size = int64_to_string(item.needle.number, item.digits)
        item.needle.text = item.digits
    return 0


cdef bytes item_bytes(Item *item):
    """The member as bytes."""
    item_write_out(item)
    return PyBytes_FromStringAndSize(item.needle.text, item.needle.size)


# --- walking a table ------------------------------------------------------------------------------


cdef struct Walk:
    take_t take
    void *context
    bint stopped


cdef int walk_entry(void *context, void *entry) except -1:
    cdef Walk *walk = <Walk *>context
    cdef Member *member = <Member *>entry
    cdef Item item
    if not walk.stopped:
        item_set_text(&item, member.key, member.length)
        walk.stopped = walk.take(walk.context, &item)
    return 0


cdef int put_in_table(void *context, Item *item) except -1:
    item_write_out(item)
    (<MemberTable>context).add_key(item.needle.text, item.needle.size)
    return 0


cdef int put_in_integers(void *context, Item *item) except -1:
    cdef unsigned char **members = <unsigned char **>context
    cdef bint added
    if not item_is_number(item):
        raise ValueError("a member is no number")
    members[0] = intset_add(members[0], item.needle.number, &added)
    return 0


cdef int write_member(void *context, Item *item) except -1:
    (<ItemWriter>context).put_string(item.needle.text, item.needle.size)
    return 0


cdef Set new_set(Form form, Limits limits):
    """An empty set that begins in this form."""
    cdef Set made = Set.__new__(Set)
    if form == INTEGERS:
        made.take_block(intset_new(), INTEGERS)
    elif form == PACK:
        made.take_block(listpack_new(), PACK)
    else:
        made.take_table(MemberTable(limits.hash_seed, limits.slabs))
    return made


@cython.no_gc
cdef class Set(Value):
    """Different members; never empty while a key holds it."""

    type_name = "set"
    dormant_forms = (INTEGER_SET, SET_PACK)
    rdb_kinds = KINDS

    def __dealloc__(self):
        self.release()

    @classmethod
    def of(cls, members, Limits limits not None):
        """A set of these members, at least one, as SADD would make it."""
        cdef Set made = cls()
        made.add_all(tuple(members), limits)
        return made

    # --- the body ---------------------------------------------------------------------------------

    cdef inline Form form(self) noexcept:
        return <Form>(self.body & FORM_BITS)

    cdef inline unsigned char *block(self) noexcept:
        return <unsigned char *>(self.body & ~<uintptr_t>FORM_BITS)

    cdef inline MemberTable table(self):
        return <MemberTable><PyObject *>self.block()

    cdef void take_block(self, unsigned char *block, Form form) noexcept:
        """Have this block for a body; what was there is the caller's."""
        self.body = <uintptr_t>block | form

    cdef void take_table(self, MemberTable table) noexcept:
        """Have this table for a body; what was there is the caller's."""
        Py_INCREF(table)
        self.body = <uintptr_t><PyObject *>table | TABLE

    cdef void release(self) noexcept:
        """Let go of the body."""
        cdef unsigned char *block = self.block()
        cdef Form form = self.form()
        self.body = 0
        if block == NULL:
            return
        if form == INTEGERS:
            intset_free(block)
        elif form == PACK:
            listpack_free(block)
        else:
            Py_DECREF(<MemberTable><PyObject *>block)

    cdef void *doze(self, uint8_t *form) noexcept:
        cdef unsigned char *block = self.block()
        cdef Form kept = self.form()
        if kept == TABLE or block == NULL:
            return NULL
        if kept == INTEGERS:
            if intset_memory(block) > DORMANT_MAX:
                return NULL
            form[0] = INTEGER_SET
        else:
            if listpack_memory(block) > DORMANT_MAX:
                return NULL
            form[0] = SET_PACK
        self.body = 0
        return block

    cdef Value wake(self, void *block, uint8_t form):
        cdef Set made = Set.__new__(Set)
        made.take_block(<unsigned char *> block, INTEGERS if form == INTEGER_SET else PACK)
        return made

    # --- reading ----------------------------------------------------------------------------------

    cpdef Py_ssize_t length(self) noexcept:
        """How many members there are."""
        if self.body & TABLE:
            return <Py_ssize_t>self.table().table.used
        if self.block() == NULL:
            return 0
        if self.form() == PACK:
            return <Py_ssize_t>listpack_length(self.block())
        return <Py_ssize_t>intset_length(self.block())

    def __len__(self):
        return self.length()

    def __iter__(self):
        return iter(self.table()) if self.form() == TABLE else iter(self.members())

    def __contains__(self, bytes member not None):
        return self.has(member)

    cdef int each(self, take_t take, void *context, bint may_stop) except -1:
        """Hand every member to `take`, in the order of SMEMBERS; only where it `may_stop` may it
        end the walk. The set must not change meanwhile.
        """
        cdef Item item
        cdef Walk walk
        cdef uint64_t cursor = 0
        cdef size_t i
        cdef const unsigned char *entry
        if self.form() == INTEGERS:
            for i in range(intset_length(self.block())):
                item_set_number(&item, intset_get(self.block(), i))
                if take(context, &item):
                    return 0
            return 0
        if self.form() == PACK:
            entry = listpack_first(self.block())
            while not listpack_at_end(entry):
                item_set_element(&item, entry)
                if take(context, &item):
                    return 0
                entry = listpack_next(<unsigned char *>entry)
            return 0
        walk.take = take
        walk.context = context
        walk.stopped = False
        if not may_stop:
            return self.table().table.visit_all(walk_entry, &walk)
        while not walk.stopped:
            cursor = self.table().table.scan(cursor, walk_entry, &walk)
            if cursor == 0:
                break
        return 0

    cdef bint has_item(self, Item *item) except -1:
        cdef size_t place
        if self.form() == TABLE:
            item_write_out(item)
            return self.table().lookup(item.needle.text, item.needle.size) != NULL
        if self.form() == PACK:
            item_is_number(item)
            item_write_out(item)
            return listpack_find(listpack_first(self.block()), &item.needle, 0) != NULL
        return item_is_number(item) and intset_find(self.block(), item.needle.number, &place)

    cpdef bint has(self, bytes member) except -1:
        """Whether this is a member."""
        cdef Item item
        item_set_text(&item, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        return self.has_item(&item)

    cpdef list members(self):
        """All members: numbers ascending, those of a pack as they were added, others in no order.
        """
        cdef list found
        cdef Element element
        cdef unsigned char *entry
        cdef char[20] digits
        cdef Py_ssize_t i, count
        if self.form() == TABLE:
            return self.table().walk(KEYS)
        count = self.length()
        found = PyList_New(count)
        if count == 0:
            return found
        entry = listpack_first(self.block())
        for i in range(count):
            if self.form() == PACK:
                listpack_read(entry, &element)
                entry = listpack_next(entry)
                member = element_bytes(&element)
            else:
                member = PyBytes_FromStringAndSize(
                    digits, int64_to_string(intset_get(self.block(), i), digits)
                )
            Py_INCREF(member)
            PyList_SET_ITEM(found, i, member)
        return found

    cpdef tuple scan(self, uint64_t cursor, size_t count):
        """The next cursor and some members; what is no table gives all at once."""
        if self.form() == TABLE:
            return self.table().scan(cursor, count)
        return 0, self.members()

    # --- adding -----------------------------------------------------------------------------------

    cdef bint fits_pack(self, Item *item, Limits limits) noexcept:
        """Whether a compact set may take one more member as a pack."""
        cdef char[20] digits
        cdef size_t longest = 0
        cdef unsigned char *members = self.block()
        cdef Py_ssize_t count = self.length()
        if count >= limits.set_entries or <int64_t>item.needle.size > limits.set_value:
            return False
        if self.form() == PACK:
            return listpack_safe_to_add(members, item.needle.size)
        if count:
            longest = max(
                int64_to_string(intset_get(members, 0), digits),
                int64_to_string(intset_get(members, count - 1), digits),
            )
        return <int64_t>longest <= limits.set_value

    cdef bint add_item(self, Item *item, Limits limits) except -1:
        """Add a member; whether it is new. Changes the form if it has to."""
        cdef Form form = self.form()
        cdef bint added = False
        if form == INTEGERS and item_is_number(item):
            self.take_block(intset_add(self.block(), item.needle.number, &added), INTEGERS)
            if added and self.length() > integers_max(limits):
                self.to_table(self.length(), limits)
            return added
        item_write_out(item)
        if form != TABLE:
            if form == PACK and self.has_item(item):
                return False
            if self.fits_pack(item, limits):
                if form == INTEGERS:
                    self.to_pack()
                self.take_block(
                    listpack_append(self.block(), item.needle.text, item.needle.size), PACK
                )
                return True
            self.to_table(self.length() + 1, limits)
        return self.table().add_key(item.needle.text, item.needle.size)

    cpdef bint add(self, bytes member, Limits limits) except -1:
        """Add a member to a set that has some; whether it is new."""
        cdef Item item
        item_set_text(&item, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        return self.add_item(&item, limits)

    cpdef Py_ssize_t add_all(self, tuple members, Limits limits) except -1:
        """Add members, at least one; how many are new."""
        cdef Py_ssize_t added = 0
        cdef object member
        if self.form() != TABLE:
            self.make_room(members[0], len(members), limits)
        for member in members:
            added += self.add(member, limits)
        return added

    cdef int make_room(self, bytes first, Py_ssize_t count, Limits limits) except -1:
        """Be in the form that so many members to be added suggest, the first of which is known."""
        cdef Item item
        if self.body:
            if count > (
                limits.set_entries if self.form() == PACK else limits.set_intset_entries
            ):
                self.to_table(count, limits)
            return 0
        item_set_text(&item, PyBytes_AS_STRING(first), PyBytes_GET_SIZE(first))
        if count <= limits.set_intset_entries and item_is_number(&item):
            self.take_block(intset_new(), INTEGERS)
        elif count <= limits.set_entries:
            self.take_block(listpack_new(), PACK)
        else:
            self.take_table(MemberTable(limits.hash_seed, limits.slabs))
            self.table().table.resize(count)
        return 0

    # --- changing the form ------------------------------------------------------------------------

    cdef int to_pack(self) except -1:
        """From an intset to a pack."""
        cdef unsigned char *members = self.block()
        cdef unsigned char *pack = listpack_new()
        cdef char[20] digits
        cdef size_t i
        try:
            for i in range(intset_length(members)):
                pack = listpack_append(
                    pack, digits, int64_to_string(intset_get(members, i), digits)
                )
        except MemoryError:
            listpack_free(pack)
            raise
        intset_free(members)
        self.take_block(pack, PACK)
        return 0

    cdef int to_table(self, Py_ssize_t expected, Limits limits) except -1:
        """To a hash table with room for so many members."""
        cdef MemberTable table = MemberTable(limits.hash_seed, limits.slabs)
        table.table.resize(expected)
        self.each(put_in_table, <void *>table, False)
        self.release()
        self.take_table(table)
        return 0

    cdef int to_integers(self) except -1:
        """To an intset: all members must be numbers."""
        cdef unsigned char *members = intset_new()
        try:
            self.each(put_in_integers, &members, False)
        except (MemoryError, ValueError):
            intset_free(members)
            raise
        self.release()
        self.take_block(members, INTEGERS)
        return 0

    # --- removing ---------------------------------------------------------------------------------

    cdef bint discard_item(self, Item *item) except -1:
        cdef unsigned char *entry
        cdef bint removed
        if self.form() == TABLE:
            item_write_out(item)
            return self.table().discard_key(item.needle.text, item.needle.size)
        if self.form() == INTEGERS:
            if not item_is_number(item):
                return False
            self.take_block(intset_remove(self.block(), item.needle.number, &removed), INTEGERS)
            return removed
        item_is_number(item)
        item_write_out(item)
        entry = listpack_find(listpack_first(self.block()), &item.needle, 0)
        if entry == NULL:
            return False
        self.take_block(listpack_delete(self.block(), &entry, 1), PACK)
        return True

    cpdef bint discard(self, bytes member) except -1:
        """Remove a member; whether it was there."""
        cdef Item item
        item_set_text(&item, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        return self.discard_item(&item)

    # --- chance -----------------------------------------------------------------------------------

    cpdef bytes random(self, uint64_t chance):
        """The member that a random number picks."""
        cdef Member *member
        cdef Element element
        cdef char[20] digits
        if self.form() == TABLE:
            member = <Member *>self.table().table.random(chance)
            return PyBytes_FromStringAndSize(member.key, member.length)
        if self.form() == PACK:
            listpack_read(listpack_at(self.block(), chance % self.length()), &element)
            return element_bytes(&element)
        return PyBytes_FromStringAndSize(
            digits, int64_to_string(intset_random(self.block(), chance), digits)
        )

    cpdef bytes pop(self, uint64_t chance):
        """Remove the member that a random number picks, and return it."""
        cdef bytes popped = self.random(chance)
        self.discard(popped)
        return popped

    cpdef list randoms(self, Py_ssize_t count, uint64_t chance):
        """So many members by chance, each drawn from all."""
        cdef uint64_t state = chance
        return [self.random(draw(&state)) for _ in range(count)]

    cpdef list sample(self, Py_ssize_t count, uint64_t chance):
        """So many different members by chance, or all if there are no more."""
        cdef list found
        cdef uint64_t state = chance
        cdef Py_ssize_t i, j, length = self.length()
        if count >= length:
            return self.members()
        if self.form() == TABLE:
            return self.table().sample(count, chance)
        found = self.members()
        for i in range(count):
            j = i + <Py_ssize_t>draw_below(&state, length - i)
            found[i], found[j] = found[j], found[i]
        del found[count:]
        return found

    cpdef list pop_many(self, Py_ssize_t count, uint64_t chance, Limits limits):
        """Remove so many different members by chance, less than all, and return them."""
        cdef list popped
        cdef bytes member
        if (self.length() - count) * KEEP_FACTOR <= count:
            return self.keep_few(self.length() - count, chance, limits)
        popped = self.sample(count, chance)
        for member in popped:
            self.discard(member)
        return popped

    cdef list keep_few(self, Py_ssize_t count, uint64_t chance, Limits limits):
        """The same, telling how many stay: what was a table becomes what these need."""
        cdef Set kept = new_set(INTEGERS if self.form() == INTEGERS else PACK, limits)
        cdef bytes member
        cdef list staying = self.sample(count, chance)
        cdef list popped
        for member in staying:
            self.discard(member)
        popped = self.members()
        for member in staying:
            kept.add(member, limits)
        self.body, kept.body = kept.body, self.body
        return popped

    # --- the contract of a value ------------------------------------------------------------------

    def encoding(self):
        """"intset", "listpack" or "hashtable"."""
        return ENCODINGS[self.form()]

    @property
    def rdb_kind(self):
        """The kind that `rdb_save` writes now."""
        return KINDS[self.form()]

    cpdef Py_ssize_t memory_usage(self) except -1:
        cdef Py_ssize_t size
        if self.form() == TABLE:
            return OBJECT_SIZE + TABLE_OBJECTS + <Py_ssize_t>self.table().used_memory()
        if self.form() == PACK:
            size = <Py_ssize_t>listpack_memory(self.block())
        else:
            size = <Py_ssize_t>intset_memory(self.block())
        return size if size <= DORMANT_MAX else OBJECT_SIZE + size

    cpdef Py_ssize_t cardinality(self) except -1:
        return self.length()

    cpdef Py_ssize_t free_effort(self) except -1:
        """The members of a table: each is a block of its own."""
        return self.length() if self.form() == TABLE else 1

    def free_step(self, effort):
        """Free so many members of a table; True while there are more."""
        return self.form() == TABLE and self.table().free_step(max(effort, 1))

    def copy(self):
        cdef Set made = Set.__new__(Set)
        if self.form() == TABLE:
            made.take_table(self.table().copy())
        elif self.form() == PACK:
            made.take_block(listpack_copy(self.block()), PACK)
        else:
            made.take_block(intset_copy(self.block()), INTEGERS)
        return made

    def digest(self, digest):
        """The members, in whatever order."""
        for member in self:
            digest.add_unordered(member)

    def aof_rewrite(self, key):
        """SADD of as many members at a time as Redis takes."""
        cdef list members = []
        for member in self:
            members.append(member)
            if len(members) == MEMBERS_PER_COMMAND:
                yield (b"SADD", key, *members)
                members = []
        if members:
            yield (b"SADD", key, *members)

    def rdb_save(self, out):
        """The block as it is, or the members of a table one by one."""
        cdef ItemWriter writer = out
        cdef unsigned char *block = self.block()
        if self.form() == TABLE:
            writer.put_length(self.length())
            self.each(write_member, <void *>writer, False)
        elif self.form() == PACK:
            writer.put_string(<const char *>block, listpack_size(block))
        else:
            writer.put_string(<const char *>block, intset_size(block))

    @classmethod
    def rdb_load(cls, source, kind):
        """A set of one of the kinds; None if it is empty."""
        cdef ItemReader reader = source
        cdef Set made = Set.__new__(Set)
        if kind == KIND_STRINGS:
            return load_strings(reader)
        load_block(reader, made, kind == KIND_PACK)
        if made.length() == 0:
            return None
        if made.form() == PACK:
            if made.length() > reader.limits.set_entries:
                made.to_table(made.length(), reader.limits)
        elif made.length() > integers_max(reader.limits):
            made.to_table(made.length(), reader.limits)
        return made

    # --- for tests --------------------------------------------------------------------------------

    def check_invariants(self):
        """Raise AssertionError unless what is in the body is sound and no member is twice there."""
        cdef unsigned char *block = self.block()
        if self.form() == TABLE:
            self.table().check_invariants()
        elif self.form() == PACK:
            assert listpack_valid(block, listpack_size(block)), "the bytes are no sound pack"
        else:
            assert intset_valid(block, intset_size(block)), "the bytes are no sound intset"
        members = self.members()
        assert len(members) == self.length(), "members are counted wrong"
        assert len(set(members)) == len(members), "a member is twice there"


# --- loading --------------------------------------------------------------------------------------


cdef Set load_strings(ItemReader reader):
    """Members one by one, added as commands would; None if there are none."""
    cdef Limits limits = reader.limits
    cdef uint64_t left
    cdef const char *text
    cdef size_t size
    cdef Item item
    cdef Set made
    reader.take_length(&left)
    if left == 0:
        return None
    made = new_set(
        TABLE if left > <uint64_t>integers_max(limits) else INTEGERS, limits
    )
    while left > 0:
        reader.take_string(&text, &size)
        item_set_text(&item, text, size)
        if not made.add_item(&item, limits):
            raise reader.bad("a set has a member twice")
        left -= 1
    return made


cdef int load_block(ItemReader reader, Set made, bint is_pack) except -1:
    """Give a set a pack or an intset for its body."""
    cdef const char *text
    cdef size_t size
    reader.take_string(&text, &size)
    try:
        if is_pack:
            made.take_block(listpack_load(<const unsigned char *>text, size), PACK)
        else:
            made.take_block(intset_load(<const unsigned char *>text, size), INTEGERS)
    except ValueError:
        raise reader.bad("a corrupt listpack" if is_pack else "a corrupt intset") from None
    if is_pack:
        members = made.members()
        if len(set(members)) != len(members):
            raise reader.bad("a set has a member twice")
    elif made.length() == 0:
        raise reader.bad("a corrupt intset")
    return 0
