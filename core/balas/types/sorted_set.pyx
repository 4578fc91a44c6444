"""The type sorted set: members with scores, in the order of the scores, then of the members' bytes.

A small one is a listpack of members and scores in turn, in order; another one an ordered index,
which answers to the name skiplist. Nothing goes back to a pack when members are removed. What a
method is told of `limits` are the server's, `ctx.limits`.

Both are behind one word, `body`: the lowest bit of the address says what is there. The rules a
reader would get wrong: an object that was just made has no body at all, `prepare` gives it one; a
score of -0.0 becomes 0 in a pack, as in Redis; ranges are slices of ranks, without their `stop`.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject

from balas.structures.chance cimport draw, draw_below
from balas.structures.hashing cimport prefetch
from balas.structures.listpack cimport (
    LISTPACK_SAFE_MAX,
    Encoded,
    Needle,
    encode_text,
    listpack_at,
    listpack_at_end,
    listpack_copy,
    listpack_delete,
    listpack_find,
    listpack_first,
    listpack_free,
    listpack_insert,
    listpack_length,
    listpack_load,
    listpack_memory,
    listpack_new,
    listpack_next,
    listpack_previous,
    listpack_safe_to_add,
    listpack_size,
    listpack_valid,
    set_needle,
)
from balas.structures.numbers import format_digits
from balas.structures.numbers cimport double_to_string, string_to_double
from balas.structures.ordered cimport ADDED, SAME, UPDATED
from balas.structures.ranked cimport (
    Leaf,
    Position,
    Ranked,
    entry_at,
    next_position,
    previous_position,
    tree_at,
)
from balas.structures.ziplist cimport ziplist_to_listpack
from balas.types.items cimport ItemReader, ItemWriter
from balas.types.value cimport DORMANT_MAX, SORTED_SET_PACK
from balas.types.scored cimport (
    SCORE_TEXT,
    Seen,
    append_scored,
    ask_ahead,
    check_order,
    encode_score,
    is_score,
    order_of,
    read_member,
    read_score,
)

cdef enum:
    # How RDB files hold a sorted set: scores as text, scores as doubles, compact in two ways.
    KIND_TEXTS = 3
    KIND_DOUBLES = 5
    KIND_ZIPLIST = 12
    KIND_PACK = 17
    # In place of the length of a score's text.
    TEXT_NAN = 253
    TEXT_INFINITE = 254
    TEXT_MINUS_INFINITE = 255

    IS_INDEX = 1
    # The objects: this one, and the two of an index.
    OBJECT_SIZE = 32
    INDEX_OBJECTS = 240
    MEMBERS_PER_COMMAND = 64

cdef double INFINITE = float("inf")

# What ZADD's options ask of `put` and `increase`, added up.
ONLY_NEW = 1
ONLY_OLD = 2
ONLY_GREATER = 4
ONLY_LESS = 8

cdef enum Demand:
    DEMAND_NEW = 1
    DEMAND_OLD = 2
    DEMAND_GREATER = 4
    DEMAND_LESS = 8
    # What `put` returns: what was done, or that an option has forbidden it.
    FORBIDDEN = 3


cdef inline void expect_pop(OrderedIndex index) noexcept:
    """Prefetch what the next members that are popped need: entries, then their buckets."""
    cdef Leaf *leaf = index.tree.first
    if leaf != NULL and leaf.count > 4:
        prefetch(leaf.entries[4])
        index.table.prefetch_bucket(index.table.hash_entry(leaf.entries[1]))


# --- where members are taken to -------------------------------------------------------------------


cdef struct Gathering:
    PyObject *items
    int shape


cdef int gather(void *context, Scored *item) except -1:
    cdef Gathering *gathering = <Gathering *>context
    cdef list items = <list>gathering.items
    cdef bytes member = PyBytes_FromStringAndSize(item.text, item.size)
    if gathering.shape == PAIRS:
        items.append([member, item.score])
    else:
        items.append(member)
        if gathering.shape == FLAT:
            items.append(item.score)
    return 0


cdef int put_in_index(void *context, Scored *item) except -1:
    (<OrderedIndex>context).put_score(item.text, item.size, item.score)
    return 0


cdef int put_in_pack(void *context, Scored *item) except -1:
    cdef unsigned char **pack = <unsigned char **>context
    pack[0] = append_scored(pack[0], item)
    return 0


cdef int write_scored(void *context, Scored *item) except -1:
    cdef ItemWriter writer = <ItemWriter>context
    writer.put_string(item.text, item.size)
    writer.put(&item.score, sizeof(double))
    return 0


cdef struct Size:
    int64_t longest
    int64_t total


cdef int measure(void *context, Scored *item) except -1:
    cdef Size *size = <Size *>context
    size.longest = max(size.longest, <int64_t>item.size)
    size.total += item.size
    return 0


@cython.no_gc
cdef class SortedSet(Value):
    """Members with scores; never empty while a key holds it."""

    type_name = "zset"
    dormant_forms = (SORTED_SET_PACK,)
    rdb_kinds = (KIND_TEXTS, KIND_DOUBLES, KIND_ZIPLIST, KIND_PACK)

    def __dealloc__(self):
        self.let_go()

    @classmethod
    def of(cls, pairs, Limits limits not None):
        """A sorted set of these pairs of member and score, at least one, as ZADD would make it."""
        cdef SortedSet made = cls()
        cdef list given = list(pairs)
        made.prepare(len(given), len(given[0][0]), limits)
        for member, score in given:
            made.put(member, score, 0, limits)
        return made

    # --- the body ---------------------------------------------------------------------------------

    cdef inline bint is_pack(self) noexcept:
        return not self.body & IS_INDEX

    cdef inline unsigned char *pack(self) noexcept:
        return <unsigned char *>self.body

    cdef inline OrderedIndex index(self):
        return <OrderedIndex><PyObject *>(self.body & ~<uintptr_t>IS_INDEX)

    cdef void take_pack(self, unsigned char *pack) noexcept:
        """Have this pack for a body; what was there is the caller's."""
        self.body = <uintptr_t>pack

    cdef void take_index(self, OrderedIndex index) noexcept:
        """Have this index for a body; what was there is the caller's."""
        Py_INCREF(index)
        self.body = <uintptr_t><PyObject *>index | IS_INDEX

    cdef void let_go(self) noexcept:
        """Let go of the body."""
        cdef uintptr_t body = self.body
        self.body = 0
        if body & IS_INDEX:
            Py_DECREF(<OrderedIndex><PyObject *>(body & ~<uintptr_t>IS_INDEX))
        elif body:
            listpack_free(<unsigned char *>body)

    cdef void *doze(self, uint8_t *form) noexcept:
        cdef void *pack = self.pack()
        if pack == NULL or not self.is_pack() or listpack_memory(self.pack()) > DORMANT_MAX:
            return NULL
        form[0] = SORTED_SET_PACK
        self.body = 0
        return pack

    cdef Value wake(self, void *block, uint8_t form):
        cdef SortedSet made = SortedSet.__new__(SortedSet)
        made.take_pack(<unsigned char *> block)
        return made

    cdef int to_index(self, uint64_t expected, Limits limits) except -1:
        """To an index with room for so many members."""
        cdef OrderedIndex index = OrderedIndex(limits.hash_seed, limits.slabs)
        index.table.resize(expected)
        self.each(0, self.length(), False, put_in_index, <void *>index)
        self.let_go()
        self.take_index(index)
        return 0

    cdef int to_pack(self) except -1:
        """From an index to a pack."""
        cdef unsigned char *pack = listpack_new()
        try:
            self.each(0, self.length(), False, put_in_pack, &pack)
        except MemoryError:
            listpack_free(pack)
            raise
        self.let_go()
        self.take_pack(pack)
        return 0

    cpdef int spread(self, Limits limits) except -1:
        """Become an index, whatever the size."""
        return self.to_index(self.length(), limits) if self.is_pack() else 0

    cpdef int compact(self, Limits limits) except -1:
        """Become a pack if all members fit, as a result that is about to be stored does."""
        cdef Size size
        cdef int64_t count = self.length()
        if self.is_pack() or count > limits.zset_entries:
            return 0
        size.longest = size.total = 0
        self.each(0, count, False, measure, &size)
        if size.longest <= limits.zset_value and size.total < LISTPACK_SAFE_MAX:
            self.to_pack()
        return 0

    cpdef int prepare(self, int64_t count, int64_t size, Limits limits) except -1:
        """Be in the form that so many members to be added suggest, the first of them this long."""
        cdef OrderedIndex index
        if self.body == 0:
            if count <= limits.zset_entries and size <= limits.zset_value:
                self.take_pack(listpack_new())
                return 0
            index = OrderedIndex(limits.hash_seed, limits.slabs)
            index.table.resize(count)
            self.take_index(index)
        elif self.is_pack() and count > limits.zset_entries:
            self.to_index(count, limits)
        return 0

    # --- one member -------------------------------------------------------------------------------

    cpdef int64_t length(self) noexcept:
        """How many members there are."""
        if self.body & IS_INDEX:
            return <int64_t>self.index().tree.count
        return <int64_t>listpack_length(self.pack()) // 2 if self.body else 0

    def __len__(self):
        return self.length()

    def __iter__(self):
        return iter(self.range(0, self.length(), False, MEMBERS))

    cdef bint find_score(self, const char *text, size_t size, double *score) except -1:
        """Whether this is a member, and its score."""
        cdef Needle needle
        cdef Ranked *ranked
        cdef unsigned char *entry
        if self.body & IS_INDEX:
            ranked = self.index().find_member(text, size)
            if ranked == NULL:
                return False
            score[0] = ranked.score
            return True
        set_needle(&needle, text, size)
        entry = listpack_find(listpack_first(self.pack()), &needle, 1)
        if entry == NULL:
            return False
        score[0] = read_score(listpack_next(entry))
        return True

    cpdef object score(self, bytes member):
        """The score of a member, None if it is not here."""
        cdef double score = 0
        if self.find_score(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), &score):
            return score
        return None

    cpdef int64_t rank(self, bytes member) except -2:
        """How many members come before this one, -1 if it is not here."""
        cdef Needle needle
        cdef Ranked *ranked
        cdef unsigned char *entry
        cdef unsigned char *found
        cdef int64_t count = 0
        if self.body & IS_INDEX:
            ranked = self.index().find_member(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
            return <int64_t>self.index().rank_of(ranked) if ranked != NULL else -1
        set_needle(&needle, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        entry = listpack_first(self.pack())
        found = listpack_find(entry, &needle, 1)
        if found == NULL:
            return -1
        while entry != found:
            entry = listpack_next(listpack_next(entry))
            count += 1
        return count

    cdef int insert_in_pack(
        self, unsigned char *entry, const char *text, size_t size, double score
    ) except -1:
        """Put a new member where its score belongs, which is not before `entry`."""
        cdef Encoded encoded
        cdef Scored item
        cdef char[SCORE_TEXT] score_text
        cdef double other
        cdef unsigned char *pack = self.pack()
        cdef unsigned char *at_score
        while not listpack_at_end(entry):
            at_score = listpack_next(entry)
            other = read_score(at_score)
            if other > score:
                break
            if other == score:
                read_member(entry, &item)
                if order_of(item.text, item.size, text, size) > 0:
                    break
            entry = listpack_next(at_score)
        encode_text(text, size, &encoded)
        pack = listpack_insert(pack, &entry, &encoded)
        self.take_pack(pack)
        entry = listpack_next(entry)
        encode_score(score, score_text, &encoded)
        self.take_pack(listpack_insert(pack, &entry, &encoded))
        return 0

    cdef Outcome put_score(
        self, const char *text, size_t size, double score, Limits limits
    ) except *:
        """Set the score of a member, which may be new. Changes the form if it has to."""
        cdef Needle needle
        cdef unsigned char *entry
        cdef double current
        if self.body & IS_INDEX:
            return self.index().put_score(text, size, score)
        set_needle(&needle, text, size)
        entry = listpack_find(listpack_first(self.pack()), &needle, 1)
        if entry != NULL:
            current = read_score(listpack_next(entry))
            if current == score:
                return SAME
            self.take_pack(listpack_delete(self.pack(), &entry, 2))
            if score < current:
                entry = listpack_first(self.pack())
            self.insert_in_pack(entry, text, size, score)
            return UPDATED
        if (
            self.length() < limits.zset_entries
            and <int64_t>size <= limits.zset_value
            and listpack_safe_to_add(self.pack(), size)
        ):
            self.insert_in_pack(listpack_first(self.pack()), text, size, score)
            return ADDED
        self.to_index(self.length() + 1, limits)
        return self.index().put_score(text, size, score)

    cpdef int put(self, bytes member, double score, int options, Limits limits) except -1:
        """Set the score of a member as far as the options allow it: 0 if it has it already, 1 if it
        has another one now, 2 if it is new, 3 if an option has forbidden it.
        """
        cdef double current = 0
        cdef const char *text = PyBytes_AS_STRING(member)
        if options:
            if not self.find_score(text, PyBytes_GET_SIZE(member), &current):
                if options & DEMAND_OLD:
                    return FORBIDDEN
            elif (
                options & DEMAND_NEW
                or (options & DEMAND_GREATER and score <= current)
                or (options & DEMAND_LESS and score >= current)
            ):
                return FORBIDDEN
        return self.put_score(text, PyBytes_GET_SIZE(member), score, limits)

    cpdef object increase(self, bytes member, double by, int options, Limits limits):
        """Add to the score of a member, 0 for a new one: what `put` returns, and the score,
        which is None where an option has forbidden it. ValueError if it is no number then.
        """
        cdef double current = 0
        cdef int outcome
        if self.find_score(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), &current):
            if options & DEMAND_NEW:
                return FORBIDDEN, None
            by += current
            if by != by:
                raise ValueError("a score is a number")
        outcome = self.put(member, by, options, limits)
        return outcome, None if outcome == FORBIDDEN else by

    cpdef bint discard(self, bytes member) except -1:
        """Remove a member; whether it was there."""
        cdef Needle needle
        cdef unsigned char *entry
        if self.body & IS_INDEX:
            return self.index().drop_member(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        set_needle(&needle, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        entry = listpack_find(listpack_first(self.pack()), &needle, 1)
        if entry == NULL:
            return False
        self.take_pack(listpack_delete(self.pack(), &entry, 2))
        return True

    # --- ranges -----------------------------------------------------------------------------------

    cpdef int64_t count_scores(self, double score, bint inclusive) except -1:
        """How many members have a score below this one, or equal to it if inclusive."""
        cdef unsigned char *entry
        cdef double other
        cdef int64_t count = 0
        if self.body & IS_INDEX:
            return <int64_t>self.index().count_scores(score, inclusive)
        entry = listpack_first(self.pack())
        while not listpack_at_end(entry):
            entry = listpack_next(entry)
            other = read_score(entry)
            if other > score or (other == score and not inclusive):
                break
            entry = listpack_next(entry)
            count += 1
        return count

    cpdef int64_t count_members(self, bytes member, bint inclusive) except -1:
        """How many members are below this one in the order of bytes, or equal if inclusive; all
        scores must be the same.
        """
        cdef unsigned char *entry
        cdef Scored item
        cdef int order
        cdef int64_t count = 0
        if self.body & IS_INDEX:
            return <int64_t>self.index().count_members(
                PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), inclusive
            )
        entry = listpack_first(self.pack())
        while not listpack_at_end(entry):
            read_member(entry, &item)
            order = order_of(
                item.text, item.size, PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member)
            )
            if order > 0 or (order == 0 and not inclusive):
                break
            entry = listpack_next(listpack_next(entry))
            count += 1
        return count

    cdef int each(
        self, int64_t start, int64_t stop, bint reverse, take_scored_t take, void *context
    ) except -1:
        """Hand what stands at these ranks to `take`, from the last on if `reverse`. Nothing may
        change meanwhile.
        """
        cdef Scored item
        cdef Position position
        cdef Ranked *ranked
        cdef unsigned char *entry
        cdef int64_t left, length = self.length()
        start = max(start, 0)
        left = min(stop, length) - start
        if left <= 0:
            return 0
        if self.body & IS_INDEX:
            position = tree_at(
                &self.index().tree, <uint64_t>(start + left - 1 if reverse else start)
            )
            while left > 0:
                ask_ahead(position, reverse)
                ranked = entry_at(position)
                item.text = ranked.member
                item.size = ranked.length
                item.score = ranked.score
                if take(context, &item):
                    return 0
                position = previous_position(position) if reverse else next_position(position)
                left -= 1
            return 0
        entry = listpack_at(self.pack(), 2 * (start + left - 1 if reverse else start))
        while left > 0:
            read_member(entry, &item)
            item.score = read_score(listpack_next(entry))
            if take(context, &item):
                return 0
            left -= 1
            if left and reverse:
                entry = listpack_previous(listpack_previous(entry))
            elif left:
                entry = listpack_next(listpack_next(entry))
        return 0

    cpdef list range(self, int64_t start, int64_t stop, bint reverse, int shape):
        """What stands at these ranks, from the last on if `reverse`: members (shape 0), members and
        scores in turn (1), or a list of both for each (2).
        """
        cdef Gathering gathering
        cdef list items = []
        gathering.items = <PyObject *>items
        gathering.shape = shape
        self.each(start, stop, reverse, gather, &gathering)
        return items

    cpdef int64_t remove_range(self, int64_t start, int64_t stop) except -1:
        """Remove what stands at these ranks; how many there were."""
        cdef unsigned char *entry
        start = max(start, 0)
        stop = min(stop, self.length())
        if start >= stop:
            return 0
        if self.body & IS_INDEX:
            return self.index().remove_slice(start, stop)
        entry = listpack_at(self.pack(), 2 * start)
        self.take_pack(listpack_delete(self.pack(), &entry, 2 * (stop - start)))
        return stop - start

    cpdef list pop(self, int64_t count, bint last, int shape):
        """Remove up to so many first (or last) members, and return them as `range` does."""
        cdef int64_t length = self.length()
        cdef OrderedIndex index
        cdef Ranked *ranked
        cdef list items
        count = min(count, length)
        if count == 1 and self.body & IS_INDEX:
            index = self.index()
            if last:
                ranked = index.tree.last.entries[index.tree.last.count - 1]
            else:
                ranked = index.tree.first.entries[0]
            member = PyBytes_FromStringAndSize(ranked.member, ranked.length)
            items = [member, ranked.score]
            index.take_out(ranked)
            if not last:
                expect_pop(index)
            return [items] if shape == PAIRS else items
        if last:
            items = self.range(length - count, length, True, shape)
            self.remove_range(length - count, length)
        else:
            items = self.range(0, count, False, shape)
            self.remove_range(0, count)
        return items

    cpdef tuple scan(self, uint64_t cursor, size_t count):
        """The next cursor and some members, each with its score as text after it; a pack gives all
        at once.
        """
        cdef list items
        cdef char[SCORE_TEXT] text
        cdef Py_ssize_t i
        if self.body & IS_INDEX:
            cursor, items = self.index().scan(cursor, count)
        else:
            cursor, items = 0, self.range(0, self.length(), False, FLAT)
        for i in range(1, len(items), 2):
            items[i] = PyBytes_FromStringAndSize(text, double_to_string(items[i], text))
        return cursor, items

    # --- chance -----------------------------------------------------------------------------------

    cpdef bytes random(self, uint64_t chance):
        """The member that a random number picks."""
        cdef int64_t rank = <int64_t>(draw(&chance) % <uint64_t>self.length())
        return self.range(rank, rank + 1, False, MEMBERS)[0]

    cpdef list randoms(self, int64_t count, uint64_t chance, int shape):
        """So many members by chance, each drawn from all, as `range` gives them."""
        cdef Gathering gathering
        cdef list items = []
        cdef int64_t rank
        gathering.items = <PyObject *>items
        gathering.shape = shape
        while count > 0:
            rank = <int64_t>(draw(&chance) % <uint64_t>self.length())
            self.each(rank, rank + 1, False, gather, &gathering)
            count -= 1
        return items

    cpdef list sample(self, int64_t count, uint64_t chance, int shape):
        """So many different members by chance, or all if there are no more, as `range` does."""
        cdef Gathering gathering
        cdef list items = []
        cdef int64_t i, rank, other, length = self.length()
        cdef dict moved = {}
        if count >= length:
            return self.range(0, length, False, shape)
        gathering.items = <PyObject *>items
        gathering.shape = shape
        # The first steps of shuffling all ranks, of which only those that were moved are kept.
        for i in range(count):
            rank = i + <int64_t>draw_below(&chance, length - i)
            other = moved.get(rank, rank)
            moved[rank] = moved.get(i, i)
            self.each(other, other + 1, False, gather, &gathering)
        return items

    # --- the contract of a value ------------------------------------------------------------------

    def encoding(self):
        """"listpack" or "skiplist"."""
        return "listpack" if self.is_pack() else "skiplist"

    @property
    def rdb_kind(self):
        """The kind that `rdb_save` writes now."""
        return KIND_PACK if self.is_pack() else KIND_DOUBLES

    cpdef Py_ssize_t memory_usage(self) except -1:
        if self.body & IS_INDEX:
            return OBJECT_SIZE + INDEX_OBJECTS + <Py_ssize_t>self.index().used_memory()
        size = <Py_ssize_t>listpack_memory(self.pack())
        return size if size <= DORMANT_MAX else OBJECT_SIZE + size

    cpdef Py_ssize_t cardinality(self) except -1:
        return self.length()

    cpdef Py_ssize_t free_effort(self) except -1:
        """The members of an index: each is a block of its own."""
        return self.length() if self.body & IS_INDEX else 1

    def free_step(self, effort):
        """Free so many members of an index; True while there are more."""
        return not self.is_pack() and self.index().free_step(max(effort, 1))

    def copy(self):
        cdef SortedSet made = SortedSet.__new__(SortedSet)
        if self.body & IS_INDEX:
            made.take_index(self.index().copy())
        else:
            made.take_pack(listpack_copy(self.pack()))
        return made

    def digest(self, digest):
        """The members in any order, each with its score."""
        for member, score in self.range(0, self.length(), False, PAIRS):
            inner = type(digest)()
            inner.add(member)
            inner.add(format_digits(score))
            digest.add_unordered(inner.value)

    def aof_rewrite(self, key):
        """ZADD of as many members at a time as Redis takes."""
        cdef int64_t start, length = self.length()
        for start in range(0, length, MEMBERS_PER_COMMAND):
            words = [b"ZADD", key]
            for member, score in self.range(start, start + MEMBERS_PER_COMMAND, False, PAIRS):
                words += (b"%.17g" % score, member)
            yield tuple(words)

    def rdb_save(self, out):
        """The pack as it is, or the members one by one, from the last on so that loading is quick.
        """
        cdef ItemWriter writer = out
        if self.is_pack():
            writer.put_string(<const char *>self.pack(), listpack_size(self.pack()))
            return
        writer.put_length(<uint64_t>self.length())
        self.each(0, self.length(), True, write_scored, <void *>writer)

    @classmethod
    def rdb_load(cls, source, kind):
        """A sorted set of one of the kinds; None if it is empty."""
        cdef ItemReader reader = source
        cdef SortedSet made = SortedSet.__new__(SortedSet)
        if kind == KIND_TEXTS or kind == KIND_DOUBLES:
            load_scored(reader, made, kind == KIND_TEXTS)
            if made.length() == 0:
                return None
            made.compact(reader.limits)
            return made
        load_pack(reader, made, kind == KIND_ZIPLIST)
        if made.length() == 0:
            return None
        if made.length() > reader.limits.zset_entries:
            made.to_index(made.length(), reader.limits)
        return made

    # --- for tests --------------------------------------------------------------------------------

    def check_invariants(self):
        """Raise AssertionError unless what is in the body is sound and in order."""
        pairs = self.range(0, self.length(), False, PAIRS)
        if self.is_pack():
            assert listpack_valid(self.pack(), listpack_size(self.pack())), "no sound pack"
        else:
            self.index().check_invariants()
        assert len(pairs) == self.length(), "members are counted wrong"
        assert len({member for member, _ in pairs}) == len(pairs), "a member is twice there"
        order = [(score, member) for member, score in pairs]
        assert order == sorted(order), "members are out of order"


# --- loading --------------------------------------------------------------------------------------


cdef double load_score(ItemReader reader, bint as_text) except? -7:
    """A score: eight bytes, or the length of a text and the text."""
    cdef char[256] text
    cdef double score = 0
    cdef int size
    if not as_text:
        reader.take_double(&score)
    else:
        size = reader.take_byte()
        if size == TEXT_NAN:
            raise reader.bad("a score that is no number")
        if size == TEXT_INFINITE or size == TEXT_MINUS_INFINITE:
            return INFINITE if size == TEXT_INFINITE else -INFINITE
        reader.copy_out(text, size)
        if not string_to_double(text, size, &score):
            raise reader.bad("a score that is no number")
    if score != score:
        raise reader.bad("a score that is no number")
    return score


cdef int load_scored(ItemReader reader, SortedSet made, bint as_text) except -1:
    """Members one by one into an index."""
    cdef OrderedIndex index = OrderedIndex(reader.limits.hash_seed, reader.limits.slabs)
    cdef uint64_t left
    cdef const char *text
    cdef size_t size
    cdef bytes member
    made.take_index(index)
    reader.take_length(&left)
    while left > 0:
        reader.take_string(&text, &size)
        # What was taken is lost with the next thing that is.
        member = PyBytes_FromStringAndSize(text, size)
        score = load_score(reader, as_text)
        if index.put_score(PyBytes_AS_STRING(member), size, score) != ADDED:
            raise reader.bad("a sorted set has a member twice")
        left -= 1
    return 0


cdef int load_pack(ItemReader reader, SortedSet made, bint is_ziplist) except -1:
    """Give a sorted set a pack for its body, after having looked at every element."""
    cdef const char *text
    cdef size_t size, count
    cdef unsigned char *entry
    cdef Seen seen
    seen.any = seen.wrong = False
    reader.take_string(&text, &size)
    try:
        if is_ziplist:
            made.take_pack(ziplist_to_listpack(<const unsigned char *>text, size))
        else:
            made.take_pack(listpack_load(<const unsigned char *>text, size))
    except ValueError:
        raise reader.bad("a corrupt listpack of a sorted set") from None
    count = listpack_length(made.pack())
    if count % 2:
        raise reader.bad("a sorted set has a member without a score")
    entry = listpack_first(made.pack())
    for _ in range(count // 2):
        entry = listpack_next(entry)
        if not is_score(entry):
            raise reader.bad("a score that is no number")
        entry = listpack_next(entry)
    made.each(0, count // 2, False, check_order, &seen)
    if seen.wrong:
        raise reader.bad("a sorted set out of order")
    members = made.range(0, count // 2, False, MEMBERS)
    if len(set(members)) != len(members):
        raise reader.bad("a sorted set has a member twice")
    return 0
