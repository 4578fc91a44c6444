from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    # Measured with a million members: between 32 and 128 entries a leaf and 32 and 64 children the
    # times differ by less than from run to run; half of this costs two bytes more a member.
    LEAF_ROOM = 64
    INNER_ROOM = 32
    RANKED_HEADER = 12             # score and length; the compiler would round it up to 16

# A member with its score, in one block that table and tree both point to.
cdef struct Ranked:
    double score
    uint32_t length
    char member[0]

cdef struct Leaf:
    Leaf *previous
    Leaf *next
    uint32_t count
    double scores[LEAF_ROOM]
    Ranked *entries[LEAF_ROOM]

# For each child its first entry, whose score and first eight bytes (as a big-endian number) stand
# beside it, so that few look-ups have to follow the pointer.
cdef struct Inner:
    uint32_t count
    uint32_t sizes[INNER_ROOM]     # entries below each child
    double scores[INNER_ROOM]
    uint64_t prefixes[INNER_ROOM]
    Ranked *firsts[INNER_ROOM]
    void *children[INNER_ROOM]

cdef struct RankedTree:
    void *root                     # a leaf if height is 0; NULL if there is no entry
    int height
    uint64_t count
    Leaf *first
    Leaf *last
    uint64_t leaves
    uint64_t inners

cdef struct Position:
    Leaf *leaf                     # NULL: beyond either end
    uint32_t index

cdef enum BoundKind:
    BY_KEY                         # by score, then by member
    BY_SCORE                       # by score alone
    BY_MEMBER                      # by member alone, for trees whose scores are all the same

cdef struct Bound:
    BoundKind kind
    bint inclusive                 # what equals the bound stands before it
    double score
    uint64_t prefix
    const char *member
    size_t length

cdef void set_bound(
    Bound *bound, BoundKind kind, bint inclusive, double score, const char *member, size_t length
) noexcept nogil
cdef int tree_insert(RankedTree *tree, Ranked *entry) except -1
cdef void tree_remove(RankedTree *tree, Ranked *entry) noexcept
cdef int tree_rescore(RankedTree *tree, Ranked *entry, double score) except -1
cdef uint64_t tree_rank(const RankedTree *tree, const Ranked *entry) noexcept nogil
cdef uint64_t tree_count_before(const RankedTree *tree, const Bound *bound) noexcept nogil
cdef Position tree_at(const RankedTree *tree, uint64_t rank) noexcept nogil
cdef bint tree_free_some(RankedTree *tree, uint64_t nodes) noexcept
cdef uint64_t tree_memory(const RankedTree *tree) noexcept nogil
cdef int tree_check(const RankedTree *tree) except -1


cdef inline Ranked *entry_at(Position position) noexcept nogil:
    return position.leaf.entries[position.index]


cdef inline Position next_position(Position position) noexcept nogil:
    position.index += 1
    if position.index == position.leaf.count:
        position.leaf = position.leaf.next
        position.index = 0
    return position


cdef inline Position previous_position(Position position) noexcept nogil:
    if position.index == 0:
        position.leaf = position.leaf.previous
        position.index = position.leaf.count if position.leaf != NULL else 1
    position.index -= 1
    return position
