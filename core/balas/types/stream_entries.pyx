"""The entries of a stream: an ordered map of packed blocks.

A block is found by the id of its first entry, an entry by walking through its block, so every
access takes the logarithm of the blocks and at most a block's length. New entries go into the last
block until it is as large as stream-node-max-bytes or -entries says.

How blocks look is in stream_blocks.pyx, who reads them in stream_groups.pyx; the type itself, with
files and deliveries, is in stream.pyx.
"""

cimport cython
from cpython.mem cimport PyMem_Free

from balas.structures.listpack cimport LISTPACK_SAFE_MAX, listpack_memory, listpack_size
from balas.types.stream_blocks cimport (
    DELETED,
    block_append,
    block_count_deleted,
    block_last_id,
    block_new,
    block_open,
    entry_delete,
    entry_find,
    entry_items,
    entry_last,
    entry_next,
    entry_open,
    entry_previous,
    field_names,
)
from balas.types.stream_groups cimport Group
from balas.types.stream_ids cimport id_ms, id_text, id_to_bytes, make_id

KEEP = KEEP_REFERENCES
DELETE = DELETE_REFERENCES
ACKNOWLEDGED = ONLY_ACKNOWLEDGED

cdef enum:
    ID_BYTES = 16


@cython.no_gc
cdef class Entries(Value):
    """Entries by id, and what is remembered of those that have gone.

    Attributes:
        length: how many entries there are.
        last_id: the greatest id that was ever given; first_id: that of the first entry, 0 if there
        is none; max_deleted_id: the greatest that was deleted.
        entries_added: how many entries there have ever been.
        groups: consumer groups by name.
    """

    def __cinit__(self):
        self.account = Account()
        self.blocks = IdMap(self.account)
        self.groups = {}

    def __dealloc__(self):
        cdef IdCursor cursor
        cdef bint more = self.blocks.seek(0, &cursor)
        while more:
            PyMem_Free(self.blocks.value_at(&cursor))
            more = self.blocks.next(&cursor)

    # --- blocks -----------------------------------------------------------------------------------

    cdef int set_pack(self, const IdCursor *cursor, unsigned char *pack, int64_t before) except -1:
        """A block that took `before` bytes has changed, and may have moved."""
        self.blocks.replace(cursor, pack)
        self.account.memory += <int64_t>listpack_memory(pack) - before
        return 0

    cdef int add_block(self, stream_id id, unsigned char *pack) except -1:
        self.blocks.put(id, pack)
        self.account.memory += listpack_memory(pack)
        return 0

    cdef void drop_block(self, stream_id id, unsigned char *pack) noexcept:
        self.account.memory -= listpack_memory(pack)
        self.blocks.take(id)
        PyMem_Free(pack)

    def block_count(self) -> int:
        """How many blocks there are."""
        return self.blocks.used

    def first_block_id(self) -> int:
        """The id of the first block: that of an entry which may be marked; the greatest id of all
        if there is none.
        """
        cdef IdCursor cursor
        return self.blocks.id_at(&cursor) if self.blocks.seek(0, &cursor) else <stream_id>-1

    def tree_nodes(self) -> int:
        """How many nodes the radix tree of Redis would have for these blocks.

        Counted from the ids in their order: a leaf for each, a node wherever paths part, and one
        for each stretch between those.
        """
        cdef IdCursor cursor
        cdef unsigned char[ID_BYTES] id, before
        cdef int[ID_BYTES + 1] open_branches
        cdef int depth = 0, common
        cdef size_t nodes = 0
        cdef bint more = self.blocks.seek(0, &cursor)
        if not more:
            return 1
        while more:
            id_to_bytes(self.blocks.id_at(&cursor), id)
            if self.blocks.next(&cursor):
                id_to_bytes(self.blocks.id_at(&cursor), before)
                common = 0
                while id[common] == before[common]:
                    common += 1
            else:
                more = False
                common = -1
            nodes += leaf_nodes(open_branches, &depth, common)
        return nodes

    # --- places -----------------------------------------------------------------------------------

    cdef int open_at(self, Walk *walk) except -1:
        """Read the head of the block at the walk's cursor."""
        block_open(
            <unsigned char *>self.blocks.value_at(&walk.cursor),
            self.blocks.id_at(&walk.cursor),
            &walk.block,
        )
        return 0

    cdef bint seek_entry(self, stream_id id, Walk *walk) except -1:
        """Go to the first entry whose id is not below this one; False if there is none."""
        cdef bint more
        if not self.blocks.seek_at_most(id, &walk.cursor):
            if not self.blocks.seek(id, &walk.cursor):
                return False
        self.open_at(walk)
        more = entry_find(&walk.block, id, &walk.entry)
        while more and walk.entry.flags & DELETED:
            more = entry_next(&walk.block, &walk.entry)
        return more or self.next_entry(walk)

    cdef bint next_entry(self, Walk *walk) except -1:
        """Go on to the next entry; False if there is none. Also at the end of a block."""
        cdef bint more = entry_next(&walk.block, &walk.entry)
        while True:
            while more and walk.entry.flags & DELETED:
                more = entry_next(&walk.block, &walk.entry)
            if more:
                return True
            if not self.blocks.next(&walk.cursor):
                return False
            self.open_at(walk)
            more = entry_open(&walk.block, walk.block.entries, &walk.entry)

    cdef bint seek_entry_back(self, stream_id id, Walk *walk) except -1:
        """Go to the last entry whose id is not above this one; False if there is none."""
        cdef bint more
        if not self.blocks.seek_at_most(id, &walk.cursor):
            return False
        self.open_at(walk)
        more = entry_last(&walk.block, &walk.entry)
        while more and (walk.entry.id > id or walk.entry.flags & DELETED):
            more = entry_previous(&walk.block, &walk.entry)
        return more or self.previous_entry(walk)

    cdef bint previous_entry(self, Walk *walk) except -1:
        """Go back to the entry before; False if there is none. Also at the start of a block."""
        cdef bint more = entry_previous(&walk.block, &walk.entry)
        while True:
            while more and walk.entry.flags & DELETED:
                more = entry_previous(&walk.block, &walk.entry)
            if more:
                return True
            if not self.blocks.previous(&walk.cursor):
                return False
            self.open_at(walk)
            more = entry_last(&walk.block, &walk.entry)

    cdef bint find_entry(self, stream_id id, Walk *walk) except -1:
        """Go to the entry of this id; False if there is none."""
        if not self.blocks.seek_at_most(id, &walk.cursor):
            return False
        self.open_at(walk)
        if not entry_find(&walk.block, id, &walk.entry):
            return False
        return walk.entry.id == id and not walk.entry.flags & DELETED

    # --- adding -----------------------------------------------------------------------------------

    cdef int append(self, stream_id id, tuple words, Py_ssize_t start, Limits limits) except -1:
        """Add an entry at the end; its id must be above all others."""
        cdef IdCursor cursor
        cdef Block block
        cdef unsigned char *pack
        cdef int64_t before, bytes_max = limits.stream_node_bytes, size = 0
        cdef Py_ssize_t i
        if self.blocks.seek_last(&cursor):
            pack = <unsigned char *>self.blocks.value_at(&cursor)
            for i in range(start, len(words)):
                size += len(<bytes>words[i])
            if bytes_max <= 0 or bytes_max > LISTPACK_SAFE_MAX:
                bytes_max = LISTPACK_SAFE_MAX
            block_open(pack, self.blocks.id_at(&cursor), &block)
            if <int64_t>listpack_size(pack) + size < bytes_max and (
                limits.stream_node_entries <= 0
                or block.count + block.deleted < limits.stream_node_entries
            ):
                before = listpack_memory(pack)
                pack = block_append(pack, block.master, id, words, start)
                self.set_pack(&cursor, pack, before)
                return self.count_added(id)
        self.add_block(id, block_new(id, words, start))
        return self.count_added(id)

    cdef int count_added(self, stream_id id) except -1:
        self.length += 1
        self.entries_added += 1
        self.last_id = id
        if self.length == 1:
            self.first_id = id
        return 0

    cdef stream_id successor(self, int64_t now_ms) noexcept:
        """The id that an entry gets now; 0 if no more can be given."""
        if <uint64_t>now_ms > id_ms(self.last_id):
            return make_id(now_ms, 0)
        return self.last_id + 1

    cpdef bytes add_next(self, int64_t now_ms, tuple words, Py_ssize_t start, Limits limits):
        """Add an entry under an id made of the time; the id's text.

        Its fields and values are the words from `start` on. None if no id is left.
        """
        cdef stream_id id = self.successor(now_ms)
        if id == 0:
            return None
        self.append(id, words, start, limits)
        return id_text(id)

    cpdef bint add(self, object id, tuple words, Py_ssize_t start, Limits limits) except -1:
        """Add an entry under this id; False if that is not above all others."""
        cdef stream_id wanted = <stream_id>id
        if wanted <= self.last_id:
            return False
        self.append(wanted, words, start, limits)
        return True

    # --- reading ----------------------------------------------------------------------------------

    cpdef list range(self, object start, object end, int64_t count, bint backwards):
        """Up to `count` entries from one id to another, both included, as [id, [field, value ...]]
        each; `backwards` from `end` on. A negative count sets no limit.
        """
        cdef stream_id least = <stream_id>start, most = <stream_id>end
        cdef Walk walk
        cdef list found = [], names = None
        cdef unsigned char *named = NULL
        cdef bint more
        if least > most or self.length == 0:
            return found
        more = self.seek_entry_back(most, &walk) if backwards else self.seek_entry(least, &walk)
        while more and count != 0 and least <= walk.entry.id <= most:
            if named != walk.block.pack:
                names = field_names(&walk.block)
                named = walk.block.pack
            found.append([id_text(walk.entry.id), entry_items(&walk.entry, names)])
            count -= 1
            if count != 0:
                more = self.previous_entry(&walk) if backwards else self.next_entry(&walk)
        return found

    cpdef bint exists(self, object id) except -1:
        """Whether there is an entry of this id."""
        cdef Walk walk
        return self.find_entry(<stream_id>id, &walk)

    def last_entry_id(self) -> int:
        """The id of the last entry that is there; 0 if there is none."""
        cdef Walk walk
        if self.length == 0 or not self.seek_entry_back(<stream_id>-1, &walk):
            return 0
        return walk.entry.id

    # --- removing ---------------------------------------------------------------------------------

    cpdef bint remove(self, object id) except -1:
        """Remove an entry; False if there is none of this id."""
        cdef stream_id wanted = <stream_id>id
        cdef Walk walk
        cdef unsigned char *pack
        cdef int64_t before
        if self.length == 0 or not self.find_entry(wanted, &walk):
            return False
        if walk.block.count == 1:
            self.drop_block(walk.block.master, walk.block.pack)
        else:
            before = listpack_memory(walk.block.pack)
            pack = entry_delete(walk.block.pack, walk.entry.at)
            self.set_pack(&walk.cursor, block_count_deleted(pack, 1), before)
        self.length -= 1
        if wanted > self.max_deleted_id:
            self.max_deleted_id = wanted
        if wanted == self.first_id:
            self.find_first()
        return True

    def remove_with(self, id: int, int references) -> int:
        """Remove an entry and do about groups as `references` says; as XDELEX tells it: 1 removed,
        -1 there is none, 2 it is still needed. What is pending counts, and goes, even if the entry
        is no longer there.
        """
        if not self.lets_go(<stream_id>id, references):
            return 2
        return 1 if self.remove(id) else -1

    cdef int find_first(self) except -1:
        """Find the first entry anew."""
        cdef Walk walk
        self.first_id = 0
        if self.length > 0 and self.seek_entry(0, &walk):
            self.first_id = walk.entry.id
        return 0

    cdef bint is_referenced(self, stream_id id) except -1:
        """Whether some group has still to read or to acknowledge the entry.

        Differs from Redis: there, a group that was the slowest goes on counting for a while after
        it was destroyed.
        """
        cdef Group group
        for group in self.groups.values():
            if id > group.last_id or group.find(id) != NULL:
                return True
        return False

    cdef int forget_references(self, stream_id id) except -1:
        """Let the entry be pending nowhere."""
        cdef Group group
        for group in self.groups.values():
            group.forget(id)
        return 0

    cdef bint lets_go(self, stream_id id, int references) except -1:
        """Whether an entry may be removed; its pending entries go as `references` demands."""
        if references == ONLY_ACKNOWLEDGED:
            return not self.is_referenced(id)
        if references == DELETE_REFERENCES:
            self.forget_references(id)
        return True

    # --- trimming ---------------------------------------------------------------------------------

    cpdef uint64_t trim(
        self, bint by_id, object threshold, bint approximate, uint64_t limit, int references
    ) except? -1:
        """Remove entries from the front until `threshold` are left, or, `by_id`, all below that id.

        `approximate` removes whole blocks only, and of those no more than `limit` entries (0: as
        many as there are); it removes nothing where references count, for that is asked of each
        entry. Returns how many went.
        """
        cdef stream_id least = <stream_id>threshold if by_id else 0
        cdef uint64_t length_max = 0 if by_id else <uint64_t>threshold
        cdef uint64_t removed = 0
        cdef stream_id at = 0
        cdef Walk walk
        cdef bint whole
        while self.blocks.seek(at, &walk.cursor) and (by_id or self.length > length_max):
            self.open_at(&walk)
            if limit and removed + walk.block.count > limit:
                break
            whole = self.is_trimmed(&walk.block, by_id, least, length_max)
            if whole and references == KEEP_REFERENCES:
                self.length -= walk.block.count
                removed += walk.block.count
                self.drop_block(walk.block.master, walk.block.pack)
                continue
            if approximate:
                break
            at = walk.block.master + 1
            removed += self.trim_block(&walk, by_id, least, length_max, references)
            if not whole:
                break
        if removed:
            self.find_first()
        return removed

    cdef bint is_trimmed(
        self, const Block *block, bint by_id, stream_id least, uint64_t length_max
    ) noexcept:
        """Whether a block goes as a whole."""
        if by_id:
            return block_last_id(block) < least
        return self.length - block.count >= length_max

    cdef uint64_t trim_block(
        self, Walk *walk, bint by_id, stream_id least, uint64_t length_max, int references
    ) except? -1:
        """Remove entries from the front of a block; how many went."""
        cdef uint64_t removed = 0
        cdef unsigned char *pack = walk.block.pack
        cdef size_t at
        cdef int64_t before = listpack_memory(pack)
        cdef bint more = entry_open(&walk.block, walk.block.entries, &walk.entry)
        while more and (walk.entry.id < least if by_id else self.length > length_max):
            if not walk.entry.flags & DELETED and self.lets_go(walk.entry.id, references):
                at = <size_t>(walk.entry.at - pack)
                pack = entry_delete(pack, walk.entry.at)
                if pack != walk.block.pack:
                    block_open(pack, walk.block.master, &walk.block)
                entry_open(&walk.block, pack + at, &walk.entry)
                self.length -= 1
                removed += 1
            more = entry_next(&walk.block, &walk.entry)
        if <uint64_t>walk.block.count == removed:
            self.account.memory += <int64_t>listpack_memory(pack) - before
            self.blocks.replace(&walk.cursor, pack)
            self.drop_block(walk.block.master, pack)
            return removed
        if removed:
            pack = block_count_deleted(pack, <int64_t>removed)
        self.set_pack(&walk.cursor, pack, before)
        return removed

    # --- for tests --------------------------------------------------------------------------------

    def check_invariants(self) -> None:
        """Raise AssertionError unless counts, ids and the two directions agree."""
        forwards = self.range(0, 2**128 - 1, -1, False)
        assert forwards == self.range(0, 2**128 - 1, -1, True)[::-1], "the two directions differ"
        assert len(forwards) == self.length, "the length is wrong"
        self.blocks.check_invariants()


cdef size_t leaf_nodes(int *branches, int *depth, int common) noexcept:
    """Count a leaf and the nodes that are complete with it; the path of the next leaf parts from
    its own after `common` bytes (-1: it is the last).

    `branches` holds the depths at which the path of the leaf parts from others, ascending. A node
    hangs on the branch above it; if that is not right above, there is a stretch between.
    """
    cdef size_t nodes = 0
    cdef int below = ID_BYTES, above
    while True:
        above = common
        if depth[0] > 0 and branches[depth[0] - 1] > common:
            above = branches[depth[0] - 1]
        nodes += 1 + (below - above - 1 > 0)
        # A branch that is deeper than where the next leaf parts is complete as well.
        if above == common:
            break
        depth[0] -= 1
        below = above
    if common >= 0 and (depth[0] == 0 or branches[depth[0] - 1] < common):
        branches[depth[0]] = common
        depth[0] += 1
    return nodes
