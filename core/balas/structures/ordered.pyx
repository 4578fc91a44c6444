"""The ordered index: members with scores, found by member, by score and by rank.

A hash table finds the entry of a member, a ranked tree finds entries by their order: by score, then
by the bytes of the member. Both point to the same block, so a member stands in memory once.

Every range of a sorted set is a slice of ranks: `count_below` and `count_before` turn a bound of
scores or of members into a rank in O(log n), and `flat` reads a slice of ranks, so that an offset
costs nothing and a range is counted without walking it. For a bound of members all scores must be
the same, as for ZRANGEBYLEX.

A score of -0.0 equals 0.0; setting one where the other stands changes nothing.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport UINT32_MAX, uint32_t
from libc.string cimport memcpy, memset

from balas.structures.chance cimport draw
from balas.structures.hashing cimport prefetch
from balas.structures.hashtable cimport HashTable
from balas.structures.members cimport BOTH, KEYS, VALUES
from balas.structures.ranked cimport (
    BY_MEMBER,
    BY_SCORE,
    LEAF_ROOM,
    RANKED_HEADER,
    Bound,
    Position,
    entry_at,
    next_position,
    previous_position,
    set_bound,
    tree_at,
    tree_check,
    tree_count_before,
    tree_free_some,
    tree_insert,
    tree_memory,
    tree_rank,
    tree_remove,
    tree_rescore,
)
from balas.structures.slabs cimport Slabs

cdef enum:
    WALK_AT_ONCE = 64


cdef inline void ask_for(Position position, bint reverse) noexcept nogil:
    """Prefetch the entry that comes four steps later, if it is in the same leaf."""
    if reverse:
        if position.index >= 4:
            prefetch(position.leaf.entries[position.index - 4])
    elif position.index + 4 < position.leaf.count:
        prefetch(position.leaf.entries[position.index + 4])


@cython.no_gc
cdef class OrderedIndex(EntryTable):
    """Members with scores in order. `seed` and `slabs` as for `MemberTable`."""

    def __cinit__(self, uint64_t seed, Slabs slabs=None):
        self.table = HashTable(RANKED_HEADER, seed)
        self.slabs = slabs if slabs is not None else Slabs()
        memset(&self.tree, 0, sizeof(RankedTree))

    def __dealloc__(self):
        tree_free_some(&self.tree, UINT32_MAX)

    cdef size_t entry_size(self, const void *entry) noexcept nogil:
        return RANKED_HEADER + (<const Ranked *>entry).length

    cdef int gather(self, list items, const void *entry, Part part) except -1:
        cdef const Ranked *ranked = <const Ranked *>entry
        if part & KEYS:
            items.append(PyBytes_FromStringAndSize(ranked.member, ranked.length))
        if part & VALUES:
            items.append(ranked.score)
        return 0

    cdef int64_t used_memory(self) noexcept:
        return self.entry_bytes + <int64_t>(self.table.memory() + tree_memory(&self.tree))

    # --- by member --------------------------------------------------------------------------------

    cdef Ranked *find_member(self, const char *key, size_t size) noexcept:
        """The entry of a member, or NULL."""
        return <Ranked *>self.lookup(key, size)

    cdef Outcome put_score(self, const char *key, size_t size, double score) except *:
        """Set the score of a member, which may be new; ValueError for NaN."""
        cdef uint64_t hashed = self.table.hash_of(key, size)
        cdef void **slot = self.table.find(key, size, hashed)
        cdef Ranked *entry
        if score != score:
            raise ValueError("a score is a number")
        if slot != NULL:
            entry = <Ranked *>slot[0]
            if entry.score == score:
                return SAME
            tree_rescore(&self.tree, entry, score)
            return UPDATED
        if size > UINT32_MAX:
            raise OverflowError("a member has less than 4 GB")
        entry = <Ranked *>self.allocate(RANKED_HEADER + size)
        entry.score = score
        entry.length = <uint32_t>size
        memcpy(entry.member, key, size)
        tree_insert(&self.tree, entry)
        self.table.insert(entry, hashed)
        return ADDED

    cdef void take_out(self, Ranked *entry) noexcept:
        """Remove an entry from the tree and the table, and free it."""
        cdef uint64_t hashed = self.table.hash_entry(entry)
        # The bucket arrives while the tree is changed.
        self.table.prefetch_bucket(hashed)
        tree_remove(&self.tree, entry)
        self.table.remove(entry.member, entry.length, hashed)
        self.release(entry)

    cdef bint drop_member(self, const char *key, size_t size) noexcept:
        """Remove a member; whether it was there."""
        cdef Ranked *entry = <Ranked *>self.table.remove(
            key, size, self.table.hash_of(key, size)
        )
        if entry == NULL:
            return False
        tree_remove(&self.tree, entry)
        self.release(entry)
        return True

    cdef uint64_t rank_of(self, const Ranked *entry) noexcept:
        return tree_rank(&self.tree, entry)

    def __contains__(self, bytes member not None):
        return self.find_member(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member)) != NULL

    def set(self, bytes member not None, double score):
        """Set the score of a member; whether the member is new. ValueError for NaN."""
        cdef Outcome outcome = self.put_score(
            PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), score
        )
        return outcome == ADDED

    def discard(self, bytes member not None):
        """Remove a member; whether it was there."""
        return self.drop_member(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))

    def score(self, bytes member not None):
        """The score of a member, or None."""
        cdef Ranked *entry = self.find_member(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        return entry.score if entry != NULL else None

    def rank(self, bytes member not None):
        """How many members come before this one, or None if it is not here."""
        cdef Ranked *entry = self.find_member(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member))
        return self.rank_of(entry) if entry != NULL else None

    # --- by order ---------------------------------------------------------------------------------

    cdef uint64_t count_scores(self, double score, bint inclusive) noexcept:
        cdef Bound bound
        set_bound(&bound, BY_SCORE, inclusive, score, NULL, 0)
        return tree_count_before(&self.tree, &bound)

    cdef uint64_t count_members(self, const char *key, size_t size, bint inclusive) noexcept:
        cdef Bound bound
        set_bound(&bound, BY_MEMBER, inclusive, 0, key, size)
        return tree_count_before(&self.tree, &bound)

    def count_below(self, double score, bint inclusive=False):
        """How many members have a score below this one, or equal to it if inclusive."""
        return self.count_scores(score, inclusive)

    def count_before(self, bytes member not None, bint inclusive=False):
        """How many members are below this one in the order of bytes, or equal if inclusive; all
        scores must be the same.
        """
        return self.count_members(
            PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), inclusive
        )

    def at(self, int64_t rank):
        """Member and score of a rank, from the end if negative; IndexError."""
        cdef Position position
        if rank < 0:
            rank += <int64_t>self.tree.count
        if rank < 0 or rank >= <int64_t>self.tree.count:
            raise IndexError("no member of this rank")
        position = tree_at(&self.tree, <uint64_t>rank)
        entry = entry_at(position)
        return PyBytes_FromStringAndSize(entry.member, entry.length), entry.score

    cdef list slice_part(self, int64_t start, int64_t stop, bint reverse, Part part):
        """What stands at the ranks from `start` to before `stop`, from the last on if reverse."""
        cdef list items = []
        cdef Position position
        cdef int64_t left
        start = max(start, 0)
        stop = min(stop, <int64_t>self.tree.count)
        left = stop - start
        if left <= 0:
            return items
        position = tree_at(&self.tree, <uint64_t>(stop - 1 if reverse else start))
        while left > 0:
            ask_for(position, reverse)
            self.gather(items, entry_at(position), part)
            position = previous_position(position) if reverse else next_position(position)
            left -= 1
        return items

    def slice(self, int64_t start, int64_t stop, bint reverse=False):
        """The members of ranks `start` to before `stop`, from the last on if reverse. What lies
        outside is cut off; negative ranks are outside.
        """
        return self.slice_part(start, stop, reverse, KEYS)

    def flat(self, int64_t start, int64_t stop, bint reverse=False):
        """As `slice`, with each member's score after it."""
        return self.slice_part(start, stop, reverse, BOTH)

    def walk_from(self, int64_t rank, bint reverse=False):
        """Members and scores from a rank on, to the end or, if reverse, to the beginning. The index
        must stay as it is meanwhile.
        """
        cdef list items
        cdef int64_t stop
        cdef size_t i
        while 0 <= rank < <int64_t>self.tree.count:
            stop = rank - WALK_AT_ONCE if reverse else rank + WALK_AT_ONCE
            items = self.slice_part(
                stop + 1 if reverse else rank, rank + 1 if reverse else stop, reverse, BOTH
            )
            for i in range(0, <size_t>len(items), 2):
                yield items[i], items[i + 1]
            rank = stop

    def pop(self, size_t count, bint last=False):
        """Remove up to `count` first (or last) members; members and scores in one list."""
        cdef list items = []
        cdef Ranked *entry
        while count and self.tree.count:
            if last:
                entry = self.tree.last.entries[self.tree.last.count - 1]
            else:
                entry = self.tree.first.entries[0]
            self.gather(items, entry, BOTH)
            self.take_out(entry)
            count -= 1
        return items

    def remove_slice(self, int64_t start, int64_t stop):
        """Remove the members of ranks `start` to before `stop`; how many there were."""
        cdef int64_t left
        start = max(start, 0)
        left = min(stop, <int64_t>self.tree.count) - start
        if left <= 0:
            return 0
        removed = left
        while left > 0:
            self.take_out(entry_at(tree_at(&self.tree, <uint64_t>start)))
            left -= 1
        return removed

    # --- the index as a whole ---------------------------------------------------------------------

    def extend(self, pairs):
        """Set many scores: `pairs` of member and score. In ascending or descending order this is
        fast and leaves no room in the leaves; call `expect` before if the number is known.
        """
        cdef bytes member
        cdef double score
        for member, score in pairs:
            self.put_score(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), score)

    def scan(self, uint64_t cursor, size_t count):
        """The next cursor and some members, each with its score after it; cursor 0 begins and ends
        the walk.
        """
        return self.scan_part(cursor, count, BOTH)

    def random(self, uint64_t chance):
        """The member that a random number picks; IndexError if there is none."""
        cdef uint64_t state = chance
        if self.tree.count == 0:
            raise IndexError("the index is empty")
        return self.at(<int64_t>(draw(&state) % self.tree.count))[0]

    def randoms(self, size_t count, uint64_t chance, bint scores=False):
        """`count` members, each drawn from all, with scores in between if asked for."""
        return self.random_parts(count, chance, BOTH if scores else KEYS)

    def sample(self, size_t count, uint64_t chance, bint scores=False):
        """`count` different members or all there are, with scores in between if asked for."""
        return self.sample_part(count, chance, BOTH if scores else KEYS)

    def copy(self):
        """An index of the same members and scores."""
        cdef OrderedIndex made = OrderedIndex(self.table.seed, self.slabs)
        cdef Position position = tree_at(&self.tree, 0)
        cdef Ranked *entry
        made.table.resize(self.table.used)
        while position.leaf != NULL:
            ask_for(position, False)
            entry = entry_at(position)
            made.put_score(entry.member, entry.length, entry.score)
            position = next_position(position)
        return made

    def free_step(self, uint64_t effort):
        """As for every table; the tree goes first, then the members."""
        if tree_free_some(&self.tree, effort // LEAF_ROOM + 1):
            return True
        return EntryTable.free_step(self, effort)

    def check_invariants(self):
        """Raise AssertionError unless table, tree and memory are sound and agree."""
        EntryTable.check_invariants(self)
        tree_check(&self.tree)
        assert self.tree.count == self.table.used, "tree and table of different sizes"
        for member in self.slice_part(0, <int64_t>self.tree.count, False, KEYS):
            assert member in self, "a member of the tree that the table does not have"
