"""A B+tree of scored members that knows ranks: the order of a big sorted set.

Leaves hold scores and pointers to entries in ascending order, by score and then by the bytes of the
member, and are linked both ways. Inner nodes hold for each child how many entries are below it and
which is the first. So rank, entry at a rank, and the number of entries before any bound are one
walk from the root to a leaf. A member costs about 23 bytes here when members come in random order,
16 when they come in order: a leaf at either end of the tree is left full instead of being halved.

Entries belong to the owner; the tree only points to them. An entry's score must not be changed
but by `tree_rescore` while it is in the tree.

The rules a reader would get wrong: the first entry that an inner node names for a child is exact,
not just a separator, since it is read and may be freed; a node may hold a single entry or child, as
the split at an end leaves it, and is joined with a neighbour when something is removed beside it.
Full nodes are split on the way down, so that what is split below always finds room above.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport UINT32_MAX
from libc.string cimport memcmp, memcpy, memmove

from balas.structures.blocks cimport block_cost
from balas.structures.hashing cimport prefetch

cdef extern from *:
    uint64_t __builtin_bswap64(uint64_t) noexcept nogil

cdef enum:
    # Trees of 2**32 entries have at most eight levels, sparse as removing may leave them.
    HEIGHT_MAX = 24
    # Below a quarter a node is joined with a neighbour, if both fill three quarters at most, else
    # the two share evenly: so neither has to be split or joined again soon.
    LEAF_LOW = LEAF_ROOM // 4
    INNER_LOW = INNER_ROOM // 4
    LEAF_JOINED = LEAF_ROOM * 3 // 4
    INNER_JOINED = INNER_ROOM * 3 // 4


# The way from the root to a leaf.
cdef struct Path:
    Inner *nodes[HEIGHT_MAX]
    uint32_t places[HEIGHT_MAX]
    Leaf *leaf


cdef inline uint64_t prefix_of(const char *member, size_t length) noexcept nogil:
    """The first eight bytes as a number that orders as they do, zeros behind a shorter member."""
    cdef uint64_t word = 0
    memcpy(&word, member, min(length, <size_t>8))
    return __builtin_bswap64(word)


cdef inline int compare(const Ranked *entry, const Bound *bound) noexcept nogil:
    """The order of an entry's member and the bound's."""
    cdef int order = memcmp(entry.member, bound.member, min(<size_t>entry.length, bound.length))
    if order == 0:
        return (entry.length > bound.length) - (entry.length < bound.length)
    return order


cdef void set_bound(
    Bound *bound, BoundKind kind, bint inclusive, double score, const char *member, size_t length
) noexcept nogil:
    """Fill in a bound; what its kind does not look at may be 0 and NULL."""
    bound.kind = kind
    bound.inclusive = inclusive
    bound.score = score
    bound.prefix = prefix_of(member, length)
    bound.member = member
    bound.length = length


cdef inline bint child_before(const Inner *node, uint32_t i, const Bound *bound) noexcept nogil:
    """Whether the first entry of a child stands before the bound."""
    cdef int order
    if bound.kind != BY_MEMBER:
        if node.scores[i] != bound.score:
            return node.scores[i] < bound.score
        if bound.kind == BY_SCORE:
            return bound.inclusive
    if node.prefixes[i] != bound.prefix:
        return node.prefixes[i] < bound.prefix
    order = compare(node.firsts[i], bound)
    return order < 0 or (order == 0 and bound.inclusive)


cdef inline uint32_t child_for(const Inner *node, const Bound *bound) noexcept nogil:
    """The last child whose first entry stands before the bound, else the first child."""
    cdef uint32_t low = 1, high = node.count, middle
    while low < high:
        middle = (low + high) >> 1
        if child_before(node, middle, bound):
            low = middle + 1
        else:
            high = middle
    return low - 1


cdef inline uint32_t scores_before(
    const Leaf *leaf, double score, bint inclusive, uint32_t low
) noexcept nogil:
    """How many of a leaf's scores, the first `low` taken for granted, are below this one."""
    cdef uint32_t high = leaf.count, middle
    while low < high:
        middle = (low + high) >> 1
        if leaf.scores[middle] < score or (inclusive and leaf.scores[middle] == score):
            low = middle + 1
        else:
            high = middle
    return low


cdef uint32_t leaf_before(const Leaf *leaf, const Bound *bound) noexcept nogil:
    """How many entries of a leaf stand before the bound."""
    cdef uint32_t low = 0, high = leaf.count, middle
    cdef int order
    if bound.kind != BY_MEMBER:
        low = scores_before(leaf, bound.score, bound.kind == BY_SCORE and bound.inclusive, 0)
        if bound.kind == BY_SCORE or low == high or leaf.scores[low] != bound.score:
            return low
        high = scores_before(leaf, bound.score, True, low)
    while low < high:
        middle = (low + high) >> 1
        order = compare(leaf.entries[middle], bound)
        if order < 0 or (order == 0 and bound.inclusive):
            low = middle + 1
        else:
            high = middle
    return low


cdef inline uint32_t place_in(const Leaf *leaf, const Ranked *entry) noexcept nogil:
    """Where an entry that is known to be there stands in a leaf."""
    cdef uint32_t i = 0
    while leaf.entries[i] != entry:
        i += 1
    return i


cdef inline void ask_for(const void *child, int height) noexcept nogil:
    """Prefetch what is read of a node: of an inner one sizes and scores, of a leaf the pointers."""
    cdef const char *start = <const char *>child
    cdef int line
    if height == 0:
        start = <const char *>&(<const Leaf *>child).entries[0]
    for line in range(6):
        prefetch(start + 64 * line)


cdef inline uint64_t sum_sizes(const Inner *node, uint32_t count) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t i
    for i in range(count):
        total += node.sizes[i]
    return total


# --- making and moving ----------------------------------------------------------------------------


cdef Leaf *new_leaf(RankedTree *tree) except NULL:
    cdef Leaf *leaf = <Leaf *>PyMem_Malloc(sizeof(Leaf))
    if leaf == NULL:
        raise MemoryError
    leaf.count = 0
    leaf.previous = leaf.next = NULL
    tree.leaves += 1
    return leaf


cdef Inner *new_inner(RankedTree *tree) except NULL:
    cdef Inner *node = <Inner *>PyMem_Malloc(sizeof(Inner))
    if node == NULL:
        raise MemoryError
    node.count = 0
    tree.inners += 1
    return node


cdef void drop_leaf(RankedTree *tree, Leaf *leaf) noexcept:
    """Take a leaf out of the chain and free it."""
    if leaf.previous != NULL:
        leaf.previous.next = leaf.next
    else:
        tree.first = leaf.next
    if leaf.next != NULL:
        leaf.next.previous = leaf.previous
    else:
        tree.last = leaf.previous
    tree.leaves -= 1
    PyMem_Free(leaf)


cdef void drop_inner(RankedTree *tree, Inner *node) noexcept:
    tree.inners -= 1
    PyMem_Free(node)


cdef inline void move_entries(
    Leaf *target, uint32_t at, Leaf *source, uint32_t start, uint32_t count
) noexcept nogil:
    memmove(&target.scores[at], &source.scores[start], count * sizeof(double))
    memmove(&target.entries[at], &source.entries[start], count * sizeof(void *))


cdef void move_children(
    Inner *target, uint32_t at, Inner *source, uint32_t start, uint32_t count
) noexcept nogil:
    memmove(&target.sizes[at], &source.sizes[start], count * sizeof(uint32_t))
    memmove(&target.scores[at], &source.scores[start], count * sizeof(double))
    memmove(&target.prefixes[at], &source.prefixes[start], count * sizeof(uint64_t))
    memmove(&target.firsts[at], &source.firsts[start], count * sizeof(void *))
    memmove(&target.children[at], &source.children[start], count * sizeof(void *))


cdef inline void set_first(Inner *node, uint32_t i, Ranked *entry) noexcept nogil:
    node.scores[i] = entry.score
    node.prefixes[i] = prefix_of(entry.member, entry.length)
    node.firsts[i] = entry


cdef void refresh(Inner *parent, uint32_t i, bint leaves) noexcept nogil:
    """Let a parent know size and first entry of a child whose content has changed."""
    cdef Leaf *leaf
    cdef Inner *node
    if leaves:
        leaf = <Leaf *>parent.children[i]
        parent.sizes[i] = leaf.count
        set_first(parent, i, leaf.entries[0])
    else:
        node = <Inner *>parent.children[i]
        parent.sizes[i] = <uint32_t>sum_sizes(node, node.count)
        parent.scores[i] = node.scores[0]
        parent.prefixes[i] = node.prefixes[0]
        parent.firsts[i] = node.firsts[0]


cdef void open_gap(Inner *parent, uint32_t i, void *child) noexcept nogil:
    """Insert a child at a place; `refresh` fills in the rest."""
    move_children(parent, i + 1, parent, i, parent.count - i)
    parent.children[i] = child
    parent.count += 1


cdef void close_gap(Inner *parent, uint32_t i) noexcept nogil:
    parent.count -= 1
    move_children(parent, i, parent, i + 1, parent.count - i)


# --- inserting ------------------------------------------------------------------------------------


cdef int grow_root(RankedTree *tree) except -1:
    """Put a new root above a full one."""
    cdef Inner *root = new_inner(tree)
    open_gap(root, 0, tree.root)
    refresh(root, 0, tree.height == 0)
    tree.root = root
    tree.height += 1
    return 0


cdef int split_inner(RankedTree *tree, Inner *parent, uint32_t i, uint32_t kept) except -1:
    """Let a full child keep so many of its children; the others go to a new node behind it."""
    cdef Inner *node = <Inner *>parent.children[i]
    cdef Inner *right = new_inner(tree)
    move_children(right, 0, node, kept, INNER_ROOM - kept)
    right.count = INNER_ROOM - kept
    node.count = kept
    open_gap(parent, i + 1, right)
    refresh(parent, i, False)
    refresh(parent, i + 1, False)
    return 0


cdef Leaf *split_leaf(
    RankedTree *tree, Inner *parent, uint32_t i, uint32_t *place
) except NULL:
    """Make room in a full leaf for an entry at `place`; the leaf it goes to, with `place` in it.

    The parent does not know about the leaf that the entry goes to until the caller refreshes it.
    """
    cdef Leaf *leaf = <Leaf *>parent.children[i]
    cdef Leaf *right = new_leaf(tree)
    cdef uint32_t kept = LEAF_ROOM // 2
    if place[0] == LEAF_ROOM and leaf.next == NULL:
        kept = LEAF_ROOM
    elif place[0] == 0 and leaf.previous == NULL:
        kept = 0
    move_entries(right, 0, leaf, kept, LEAF_ROOM - kept)
    right.count = LEAF_ROOM - kept
    leaf.count = kept
    right.previous = leaf
    right.next = leaf.next
    if leaf.next != NULL:
        leaf.next.previous = right
    else:
        tree.last = right
    leaf.next = right
    open_gap(parent, i + 1, right)
    if kept > 0:
        refresh(parent, i, True)
    if kept < LEAF_ROOM:
        refresh(parent, i + 1, True)
    if kept < LEAF_ROOM and place[0] <= kept:
        return leaf
    place[0] -= kept
    return right


cdef inline void put_entry(Leaf *leaf, uint32_t place, Ranked *entry) noexcept nogil:
    move_entries(leaf, place + 1, leaf, place, leaf.count - place)
    leaf.scores[place] = entry.score
    leaf.entries[place] = entry
    leaf.count += 1


cdef int plant(RankedTree *tree, Ranked *entry) except -1:
    """The first entry of a tree."""
    cdef Leaf *leaf = new_leaf(tree)
    put_entry(leaf, 0, entry)
    tree.root = leaf
    tree.first = tree.last = leaf
    tree.count = 1
    return 0


cdef inline uint32_t kept_of(
    const Inner *node, const Bound *bound, bint leftmost, bint rightmost
) noexcept nogil:
    """How many children a full node keeps: at an end of the tree where the next ones are likely to
    come, all but the outermost.
    """
    if rightmost and child_before(node, INNER_ROOM - 1, bound):
        return INNER_ROOM - 1
    if leftmost and not child_before(node, 1, bound):
        return 1
    return INNER_ROOM // 2


cdef int find_room(RankedTree *tree, const Bound *bound, Path *path) except -1:
    """Go down to the leaf that the bound belongs into; every inner node on the way gets room."""
    cdef Inner *node
    cdef void *child
    cdef uint32_t i
    cdef int level
    cdef bint leftmost = True, rightmost = True
    cdef uint32_t room = INNER_ROOM if tree.height else LEAF_ROOM
    cdef uint32_t used = (
        (<Inner *>tree.root).count if tree.height else (<Leaf *>tree.root).count
    )
    if used == room:
        grow_root(tree)
    child = tree.root
    for level in range(tree.height):
        node = <Inner *>child
        i = child_for(node, bound)
        child = node.children[i]
        leftmost = leftmost and i == 0
        rightmost = rightmost and i + 1 == node.count
        if level + 1 < tree.height and (<Inner *>child).count == INNER_ROOM:
            split_inner(tree, node, i, kept_of(<Inner *>child, bound, leftmost, rightmost))
            if child_before(node, i + 1, bound):
                i += 1
                leftmost = False
            else:
                rightmost = False
            child = node.children[i]
        path.nodes[level] = node
        path.places[level] = i
    path.leaf = <Leaf *>child
    return 0


cdef void note_first(const Path *path, int height) noexcept nogil:
    """Let the nodes above a leaf know its first entry, as far as it is theirs, too."""
    cdef Ranked *first = path.leaf.entries[0]
    # Not a range() that counts down: with that, gcc 12.2 at -O2 -fwrapv leaves the whole call out.
    while height > 0:
        height -= 1
        set_first(path.nodes[height], path.places[height], first)
        if path.places[height] > 0:
            return


cdef int tree_insert(RankedTree *tree, Ranked *entry) except -1:
    """Enter an entry whose member is in no other. NaN has no place and must not come here."""
    cdef Bound bound
    cdef Path path
    cdef Inner *parent
    cdef uint32_t place, i
    cdef int level
    if tree.count == UINT32_MAX:
        raise OverflowError("a tree holds less than 2**32 entries")
    if tree.root == NULL:
        return plant(tree, entry)
    set_bound(&bound, BY_KEY, False, entry.score, entry.member, entry.length)
    find_room(tree, &bound, &path)
    place = leaf_before(path.leaf, &bound)
    if path.leaf.count < LEAF_ROOM:
        put_entry(path.leaf, place, entry)
        if tree.height:
            path.nodes[tree.height - 1].sizes[path.places[tree.height - 1]] += 1
    else:
        parent = path.nodes[tree.height - 1]
        i = path.places[tree.height - 1]
        path.leaf = split_leaf(tree, parent, i, &place)
        put_entry(path.leaf, place, entry)
        if path.leaf == parent.children[i + 1]:
            path.places[tree.height - 1] += 1
        refresh(parent, path.places[tree.height - 1], True)
    for level in range(tree.height - 1):
        path.nodes[level].sizes[path.places[level]] += 1
    if place == 0:
        note_first(&path, tree.height)
    tree.count += 1
    return 0


# --- removing -------------------------------------------------------------------------------------


cdef void find_leaf(const RankedTree *tree, const Bound *bound, Path *path) noexcept nogil:
    """Go down to the leaf where the bound stands."""
    cdef void *child = tree.root
    cdef int level
    for level in range(tree.height):
        path.nodes[level] = <Inner *>child
        path.places[level] = child_for(<Inner *>child, bound)
        child = path.nodes[level].children[path.places[level]]
        ask_for(child, tree.height - level - 1)
    path.leaf = <Leaf *>child


cdef void share_leaves(RankedTree *tree, Inner *parent, uint32_t i) noexcept:
    """Join two neighbouring leaves, or give both as many entries."""
    cdef Leaf *left = <Leaf *>parent.children[i]
    cdef Leaf *right = <Leaf *>parent.children[i + 1]
    cdef uint32_t total = left.count + right.count, half = total // 2
    if total <= LEAF_JOINED:
        move_entries(left, left.count, right, 0, right.count)
        left.count = total
        drop_leaf(tree, right)
        close_gap(parent, i + 1)
    else:
        if left.count < half:
            move_entries(left, left.count, right, 0, half - left.count)
            move_entries(right, 0, right, half - left.count, total - half)
        else:
            move_entries(right, left.count - half, right, 0, right.count)
            move_entries(right, 0, left, half, left.count - half)
        left.count = half
        right.count = total - half
        refresh(parent, i + 1, True)
    refresh(parent, i, True)


cdef void share_children(RankedTree *tree, Inner *parent, uint32_t i) noexcept:
    """Join two neighbouring inner nodes, or give both as many children."""
    cdef Inner *left = <Inner *>parent.children[i]
    cdef Inner *right = <Inner *>parent.children[i + 1]
    cdef uint32_t total = left.count + right.count, half = total // 2
    if total <= INNER_JOINED:
        move_children(left, left.count, right, 0, right.count)
        left.count = total
        drop_inner(tree, right)
        close_gap(parent, i + 1)
    else:
        if left.count < half:
            move_children(left, left.count, right, 0, half - left.count)
            move_children(right, 0, right, half - left.count, total - half)
        else:
            move_children(right, left.count - half, right, 0, right.count)
            move_children(right, 0, left, half, left.count - half)
        left.count = half
        right.count = total - half
        refresh(parent, i + 1, False)
    refresh(parent, i, False)


cdef void mend(RankedTree *tree, Inner *parent, uint32_t i, bint leaves) noexcept:
    """See to a child that has become small; without a neighbour it only goes when it is empty."""
    cdef uint32_t left = i - 1 if i > 0 else 0
    if parent.count > 1:
        if leaves:
            share_leaves(tree, parent, left)
        else:
            share_children(tree, parent, left)
    elif leaves and (<Leaf *>parent.children[0]).count == 0:
        drop_leaf(tree, <Leaf *>parent.children[0])
        parent.count = 0
    elif not leaves and (<Inner *>parent.children[0]).count == 0:
        drop_inner(tree, <Inner *>parent.children[0])
        parent.count = 0


cdef void mend_path(RankedTree *tree, const Path *path, bint first_changed) noexcept:
    """After a removal see to every node on the way up that has become small."""
    cdef int level = tree.height
    cdef uint32_t i, count = path.leaf.count
    cdef bint leaves = True
    while level > 0:
        level -= 1
        i = path.places[level]
        if first_changed and count > 0:
            refresh(path.nodes[level], i, leaves)
        if count < <uint32_t>(LEAF_LOW if leaves else INNER_LOW):
            mend(tree, path.nodes[level], i, leaves)
        first_changed = first_changed and i == 0
        leaves = False
        count = path.nodes[level].count
    drop_thin_root(tree)


cdef void drop_thin_root(RankedTree *tree) noexcept:
    """Make the only child of a root the root, and an empty leaf no tree."""
    cdef Inner *root
    while tree.height > 0 and (<Inner *>tree.root).count == 1:
        root = <Inner *>tree.root
        tree.root = root.children[0]
        tree.height -= 1
        drop_inner(tree, root)
    if tree.height == 0 and (<Leaf *>tree.root).count == 0:
        drop_leaf(tree, <Leaf *>tree.root)
        tree.root = NULL


cdef void tree_remove(RankedTree *tree, Ranked *entry) noexcept:
    """Take an entry that is in the tree out of it."""
    cdef Bound bound
    cdef Path path
    cdef uint32_t place
    cdef int level
    set_bound(&bound, BY_KEY, True, entry.score, entry.member, entry.length)
    find_leaf(tree, &bound, &path)
    place = place_in(path.leaf, entry)
    path.leaf.count -= 1
    move_entries(path.leaf, place, path.leaf, place + 1, path.leaf.count - place)
    for level in range(tree.height):
        path.nodes[level].sizes[path.places[level]] -= 1
    tree.count -= 1
    if place == 0 or path.leaf.count < LEAF_LOW:
        mend_path(tree, &path, place == 0)


cdef inline bint fits_between(const Leaf *leaf, uint32_t place, const Bound *bound) noexcept nogil:
    """Whether an entry with the bound's score and member could stay at its place."""
    cdef Ranked *before = NULL
    cdef Ranked *after = NULL
    if place > 0:
        before = leaf.entries[place - 1]
    elif leaf.previous != NULL:
        before = leaf.previous.entries[leaf.previous.count - 1]
    if place + 1 < leaf.count:
        after = leaf.entries[place + 1]
    elif leaf.next != NULL:
        after = leaf.next.entries[0]
    if before != NULL and (before.score > bound.score or (
        before.score == bound.score and compare(before, bound) > 0
    )):
        return False
    return after == NULL or after.score > bound.score or (
        after.score == bound.score and compare(after, bound) > 0
    )


cdef int tree_rescore(RankedTree *tree, Ranked *entry, double score) except -1:
    """Give an entry that is in the tree another score, and the place that goes with it."""
    cdef Bound bound
    cdef Path path
    cdef uint32_t place
    set_bound(&bound, BY_KEY, True, entry.score, entry.member, entry.length)
    find_leaf(tree, &bound, &path)
    place = place_in(path.leaf, entry)
    bound.score = score
    if fits_between(path.leaf, place, &bound):
        entry.score = score
        path.leaf.scores[place] = score
        if place == 0:
            note_first(&path, tree.height)
    else:
        tree_remove(tree, entry)
        entry.score = score
        tree_insert(tree, entry)
    return 0


# --- ranks ----------------------------------------------------------------------------------------


cdef uint64_t tree_rank(const RankedTree *tree, const Ranked *entry) noexcept nogil:
    """How many entries stand before one that is in the tree."""
    cdef Bound bound
    cdef void *child = tree.root
    cdef uint64_t rank = 0
    cdef uint32_t i
    cdef int height = tree.height
    set_bound(&bound, BY_KEY, True, entry.score, entry.member, entry.length)
    while height > 0:
        height -= 1
        i = child_for(<Inner *>child, &bound)
        ask_for((<Inner *>child).children[i], height)
        rank += sum_sizes(<Inner *>child, i)
        child = (<Inner *>child).children[i]
    return rank + place_in(<Leaf *>child, entry)


cdef uint64_t tree_count_before(const RankedTree *tree, const Bound *bound) noexcept nogil:
    """How many entries stand before a bound."""
    cdef void *child = tree.root
    cdef uint64_t rank = 0
    cdef uint32_t i
    cdef int height = tree.height
    if child == NULL:
        return 0
    while height > 0:
        height -= 1
        i = child_for(<Inner *>child, bound)
        ask_for((<Inner *>child).children[i], height)
        rank += sum_sizes(<Inner *>child, i)
        child = (<Inner *>child).children[i]
    return rank + leaf_before(<Leaf *>child, bound)


cdef Position tree_at(const RankedTree *tree, uint64_t rank) noexcept nogil:
    """Where the entry of a rank stands."""
    cdef Position position
    cdef Inner *node
    cdef void *child = tree.root
    cdef uint32_t i
    cdef int height = tree.height
    position.leaf = NULL
    position.index = 0
    if rank >= tree.count:
        return position
    while height > 0:
        height -= 1
        node = <Inner *>child
        i = 0
        while rank >= node.sizes[i]:
            rank -= node.sizes[i]
            i += 1
        child = node.children[i]
    position.leaf = <Leaf *>child
    position.index = <uint32_t>rank
    return position


# --- the tree as a whole --------------------------------------------------------------------------


cdef uint64_t tree_memory(const RankedTree *tree) noexcept nogil:
    """Bytes the nodes take from the allocator."""
    return tree.leaves * block_cost(sizeof(Leaf)) + tree.inners * block_cost(sizeof(Inner))


cdef bint tree_free_some(RankedTree *tree, uint64_t leaves) noexcept:
    """Free so many leaves of a tree that is being given up, not the entries; True while there are
    more. Begun, it must be finished before the tree is used again.
    """
    cdef Inner *node
    while tree.root != NULL and leaves:
        leaves -= 1
        if tree.height == 0:
            drop_leaf(tree, <Leaf *>tree.root)
            tree.root = NULL
        else:
            drop_last_leaf(tree)
        while tree.height > 0 and (<Inner *>tree.root).count == 0:
            node = <Inner *>tree.root
            drop_inner(tree, node)
            tree.root = NULL
            tree.height = 0
    if tree.root == NULL:
        tree.count = 0
    return tree.root != NULL


cdef void drop_last_leaf(RankedTree *tree) noexcept:
    """Free the last leaf and the nodes above that have no other child, but not the root."""
    cdef Inner *nodes[HEIGHT_MAX]
    cdef int level
    nodes[0] = <Inner *>tree.root
    for level in range(1, tree.height):
        nodes[level] = <Inner *>nodes[level - 1].children[nodes[level - 1].count - 1]
    drop_leaf(tree, <Leaf *>nodes[tree.height - 1].children[nodes[tree.height - 1].count - 1])
    level = tree.height
    while level > 0:
        level -= 1
        nodes[level].count -= 1
        if nodes[level].count > 0 or level == 0:
            return
        drop_inner(tree, nodes[level])


# --- for tests ------------------------------------------------------------------------------------


cdef int check_leaf(const Leaf *leaf, const Leaf *previous) except -1:
    cdef uint32_t i
    cdef Bound bound
    cdef const Ranked *before = NULL
    assert 0 < leaf.count <= LEAF_ROOM, "an empty or overfull leaf"
    assert leaf.previous == previous, "a broken chain"
    if previous != NULL:
        before = previous.entries[previous.count - 1]
    for i in range(leaf.count):
        assert leaf.scores[i] == leaf.entries[i].score, "a leaf with another score"
        if before != NULL:
            set_bound(&bound, BY_KEY, False, leaf.scores[i], leaf.entries[i].member,
                      leaf.entries[i].length)
            assert before.score < bound.score or (
                before.score == bound.score and compare(before, &bound) < 0
            ), "entries out of order"
        before = leaf.entries[i]
    return 0


cdef uint64_t check_below(
    const RankedTree *tree, void *child, int height, const Leaf **previous, uint64_t *nodes,
    Ranked **first
) except? 0:
    """Check what is below a child; how many entries that are, and the first of them."""
    cdef Inner *node
    cdef Ranked *own = NULL
    cdef uint64_t total = 0, size
    cdef uint32_t i
    if height == 0:
        check_leaf(<Leaf *>child, previous[0])
        previous[0] = <Leaf *>child
        nodes[0] += 1
        first[0] = (<Leaf *>child).entries[0]
        return (<Leaf *>child).count
    node = <Inner *>child
    nodes[1] += 1
    assert 0 < node.count <= INNER_ROOM, "an empty or overfull node"
    for i in range(node.count):
        size = check_below(tree, node.children[i], height - 1, previous, nodes, &own)
        assert size == node.sizes[i], f"{size} entries, {node.sizes[i]} counted"
        assert node.firsts[i] == own, "a wrong first entry"
        assert node.scores[i] == own.score, "a wrong first score"
        assert node.prefixes[i] == prefix_of(own.member, own.length), "a wrong prefix"
        total += size
    first[0] = node.firsts[0]
    return total


cdef int tree_check(const RankedTree *tree) except -1:
    """Raise AssertionError unless order, counts, first entries and links are right."""
    cdef const Leaf *previous = NULL
    cdef uint64_t[2] nodes
    cdef Ranked *first
    nodes[0] = nodes[1] = 0
    total = 0
    if tree.root != NULL:
        total = check_below(tree, tree.root, tree.height, &previous, nodes, &first)
        assert tree.height == 0 or (<Inner *>tree.root).count > 1, "a root with one child"
    assert tree.last == previous, "a chain with a wrong end"
    assert total == tree.count, f"{total} entries, {tree.count} counted"
    assert nodes[0] == tree.leaves, f"{nodes[0]} leaves, {tree.leaves} counted"
    assert nodes[1] == tree.inners, f"{nodes[1]} inner nodes, {tree.inners} counted"
    return 0
