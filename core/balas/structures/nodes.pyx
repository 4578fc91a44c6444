"""Nodes of a quicklist: a doubly linked row of segments, and an index that finds one by its rank.

Lists are changed at their ends mostly, and sometimes looked up in the middle. So the nodes are
linked, and the first and the last one stand outside the index: pushing and popping touches nothing
but the node at the end. All nodes between them are the leaves of a counted B+ tree: a block knows
how many elements lie below each of its entries, and every indexed node knows its block. Finding the
node that holds the element at an index, and telling the index that a node has grown, costs one
block a level: two levels are enough for 900 nodes, which is some seven megabytes of elements.

Blocks are emptied without ceremony. A block that becomes a quarter full is joined with a neighbour
if they fit well into one; otherwise it stays as it is, since a sparse block costs some bytes but no
steps.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcpy, memmove, memset

from balas.structures.blocks cimport block_cost
from balas.structures.listpack cimport listpack_length
from balas.structures.segment cimport (
    fill_segment,
    segment_check,
    segment_free,
    segment_memory,
    segment_new,
)


# The index

cdef inline uint32_t slot_of(const Block *block, const void *child) noexcept nogil:
    cdef uint32_t slot = 0
    while block.children[slot] != child:
        slot += 1
    return slot


cdef inline uint64_t total_of(const Block *block) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t i
    for i in range(block.used):
        total += block.weights[i]
    return total


cdef inline void adopt(Block *block, void *child) noexcept nogil:
    if block.inner:
        (<Block *>child).parent = block
    else:
        (<Node *>child).home = block


cdef void refresh(Block *block) noexcept nogil:
    """Bring what the blocks above know of this one up to date."""
    cdef Block *parent = block.parent
    while parent != NULL:
        parent.weights[slot_of(parent, block)] = total_of(block)
        block = parent
        parent = block.parent


cdef Block *block_new(Nodes *nodes, bint inner) except NULL:
    cdef Block *block = <Block *>PyMem_Malloc(sizeof(Block))
    if block == NULL:
        raise MemoryError
    memset(block, 0, sizeof(Block))
    block.inner = inner
    nodes.memory += block_cost(sizeof(Block))
    return block


cdef void block_free(Nodes *nodes, Block *block) noexcept:
    nodes.memory -= block_cost(sizeof(Block))
    PyMem_Free(block)


cdef void move_entries(Block *source, uint32_t start, Block *target) noexcept nogil:
    """Put the entries from `start` on behind those of another block, which has the room."""
    cdef uint32_t count = source.used - start, i
    memcpy(&target.weights[target.used], &source.weights[start], count * sizeof(uint64_t))
    memcpy(&target.children[target.used], &source.children[start], count * sizeof(void *))
    for i in range(count):
        adopt(target, source.children[start + i])
    target.used += count
    source.used = start


cdef int split(Nodes *nodes, Block *block, uint32_t at) except -1:
    """Move the entries from `at` on into a new block that follows."""
    cdef Block *sibling = block_new(nodes, block.inner)
    cdef Block *parent = block.parent
    if parent == NULL:
        parent = block_new(nodes, True)
        place(nodes, parent, 0, block, 0)
        nodes.root = parent
    elif parent.used == BLOCK_WIDTH:
        split(nodes, parent, BLOCK_WIDTH // 2)
        parent = block.parent
    move_entries(block, at, sibling)
    place(nodes, parent, slot_of(parent, block) + 1, sibling, 0)
    refresh(block)
    refresh(sibling)
    return 0


cdef int place(
    Nodes *nodes, Block *block, uint32_t slot, void *child, uint64_t weight
) except -1:
    """Add an entry to a block at a slot; a full block is split before."""
    cdef uint32_t at
    cdef Block *left = block
    if block.used == BLOCK_WIDTH:
        # Where entries keep coming at one end, as they do in a list, blocks are left full.
        at = BLOCK_WIDTH if slot == BLOCK_WIDTH else 0 if slot == 0 else BLOCK_WIDTH // 2
        split(nodes, block, at)
        if slot >= at and slot > 0:
            block = <Block *>left.parent.children[slot_of(left.parent, left) + 1]
            slot -= at
    memmove(
        &block.weights[slot + 1], &block.weights[slot], (block.used - slot) * sizeof(uint64_t)
    )
    memmove(
        &block.children[slot + 1], &block.children[slot], (block.used - slot) * sizeof(void *)
    )
    block.weights[slot] = weight
    block.children[slot] = child
    block.used += 1
    adopt(block, child)
    refresh(block)
    return 0


cdef void displace(Nodes *nodes, Block *block, uint32_t slot) noexcept:
    """Take an entry out of a block, and the block out of the index if it was the last one."""
    cdef Block *parent = block.parent
    block.used -= 1
    memmove(
        &block.weights[slot], &block.weights[slot + 1], (block.used - slot) * sizeof(uint64_t)
    )
    memmove(
        &block.children[slot], &block.children[slot + 1], (block.used - slot) * sizeof(void *)
    )
    if block.used > 0:
        refresh(block)
        if parent != NULL and block.used <= BLOCK_WIDTH // 4:
            join_neighbour(nodes, block)
    elif parent != NULL:
        displace(nodes, parent, slot_of(parent, block))
        block_free(nodes, block)
    else:
        nodes.root = NULL
        block_free(nodes, block)
        return
    lower_root(nodes)


cdef void join_neighbour(Nodes *nodes, Block *block) noexcept:
    """Join a sparse block with the one beside it, if a quarter stays free."""
    cdef Block *parent = block.parent
    cdef uint32_t slot = slot_of(parent, block)
    cdef Block *right
    if parent.used == 1:
        return
    if slot == parent.used - 1:
        slot -= 1
    block = <Block *>parent.children[slot]
    right = <Block *>parent.children[slot + 1]
    if block.used + right.used > BLOCK_WIDTH * 3 // 4:
        return
    move_entries(right, 0, block)
    parent.weights[slot] = total_of(block)
    displace(nodes, parent, slot + 1)
    block_free(nodes, right)


cdef void lower_root(Nodes *nodes) noexcept:
    """Give up levels that have only one block below them."""
    cdef Block *root = nodes.root
    while root != NULL and root.inner and root.used == 1:
        nodes.root = <Block *>root.children[0]
        nodes.root.parent = NULL
        block_free(nodes, root)
        root = nodes.root


cdef int index_add(Nodes *nodes, Node *node) except -1:
    """Add a linked node, beside one of its neighbours; if none is in the index, it is empty."""
    if node.previous != NULL and node.previous.home != NULL:
        place(
            nodes, node.previous.home, slot_of(node.previous.home, node.previous) + 1, node,
            node.count,
        )
    elif node.next != NULL and node.next.home != NULL:
        place(nodes, node.next.home, slot_of(node.next.home, node.next), node, node.count)
    else:
        nodes.root = block_new(nodes, False)
        place(nodes, nodes.root, 0, node, node.count)
    return 0


cdef void index_remove(Nodes *nodes, Node *node) noexcept:
    cdef Block *home = node.home
    node.home = NULL
    displace(nodes, home, slot_of(home, node))


cdef void free_blocks(Nodes *nodes, Block *block) noexcept:
    cdef uint32_t i
    if block.inner:
        for i in range(block.used):
            free_blocks(nodes, <Block *>block.children[i])
    block_free(nodes, block)


# Nodes

cdef Node *node_new(Nodes *nodes, size_t size) except NULL:
    """A node with an empty segment that has room for `size` bytes, to be filled and then linked."""
    cdef Node *node = <Node *>PyMem_Malloc(sizeof(Node))
    if node == NULL:
        raise MemoryError
    memset(node, 0, sizeof(Node))
    try:
        segment_new(&node.segment, size)
    except (MemoryError, OverflowError):
        PyMem_Free(node)
        raise
    nodes.memory += node_memory(node)
    return node


cdef Node *node_new_filled(
    Nodes *nodes, const unsigned char *elements, size_t size, size_t count
) except NULL:
    """A node of `count` elements that stand in `size` bytes of another pack, to be linked."""
    cdef Node *node = node_new(nodes, size)
    fill_segment(&node.segment, elements, size, count)
    node.count = <uint32_t>count
    return node


cdef Node *node_new_plain(Nodes *nodes, const char *text, size_t size) except NULL:
    """A node that is one element too large for a pack, to be linked."""
    cdef Node *node = <Node *>PyMem_Malloc(sizeof(Node))
    cdef void *block = PyMem_Malloc(size)
    if node == NULL or block == NULL:
        PyMem_Free(node)
        PyMem_Free(block)
        raise MemoryError
    memset(node, 0, sizeof(Node))
    memcpy(block, text, size)
    node.segment.pack = <unsigned char *>block
    node.plain_size = size
    node.plain = True
    node.count = 1
    nodes.memory += node_memory(node)
    return node


cdef size_t node_memory(const Node *node) noexcept nogil:
    """Bytes the node takes from the allocator, its block included."""
    if node.plain:
        return block_cost(sizeof(Node)) + block_cost(node.plain_size)
    return block_cost(sizeof(Node)) + segment_memory(&node.segment)


cdef void node_free(Nodes *nodes, Node *node) noexcept:
    nodes.memory -= node_memory(node)
    if node.plain:
        PyMem_Free(node.segment.pack)
    else:
        segment_free(&node.segment)
    PyMem_Free(node)


cdef void node_counted(Nodes *nodes, Node *node, int64_t by) noexcept:
    """Keep the counts as a linked node gets or loses elements."""
    cdef Block *block = node.home
    cdef void *child = node
    node.count += <uint32_t>by
    nodes.count += <uint64_t>by
    while block != NULL:
        block.weights[slot_of(block, child)] += <uint64_t>by
        child = block
        block = block.parent


cdef void node_resized(Nodes *nodes, Node *node, size_t before) noexcept:
    """Keep the memory account after a change of a node's segment, whose memory was `before`."""
    nodes.memory += segment_memory(&node.segment) - before


cdef int node_link(Nodes *nodes, Node *node, Node *neighbour, bint after) except -1:
    """Put a node, with its count set, before or after another; NULL if it is to be the only one."""
    cdef Node *inside = node
    if neighbour == NULL:
        node.previous = node.next = NULL
        nodes.first = nodes.last = node
    else:
        node.previous = neighbour if after else neighbour.previous
        node.next = neighbour.next if after else neighbour
        if node.previous != NULL:
            node.previous.next = node
        else:
            nodes.first = node
        if node.next != NULL:
            node.next.previous = node
        else:
            nodes.last = node
        # What was an end of the list lies inside it now.
        if node == nodes.first or node == nodes.last:
            inside = neighbour
        if inside != nodes.first and inside != nodes.last:
            index_add(nodes, inside)
    nodes.length += 1
    nodes.count += node.count
    return 0


cdef void node_remove(Nodes *nodes, Node *node) noexcept:
    """Unlink a node and free it."""
    if node.home != NULL:
        index_remove(nodes, node)
    if node.previous != NULL:
        node.previous.next = node.next
    else:
        nodes.first = node.next
    if node.next != NULL:
        node.next.previous = node.previous
    else:
        nodes.last = node.previous
    # What has become an end of the list leaves the index.
    if nodes.first != NULL and nodes.first.home != NULL:
        index_remove(nodes, nodes.first)
    if nodes.last != NULL and nodes.last.home != NULL:
        index_remove(nodes, nodes.last)
    nodes.length -= 1
    nodes.count -= node.count
    node_free(nodes, node)


cdef Node *nodes_find(const Nodes *nodes, uint64_t index, uint64_t *offset) noexcept nogil:
    """The node that holds the element at an index below the count, and its place in there."""
    cdef const Block *block = nodes.root
    cdef uint32_t slot
    if index < nodes.first.count:
        offset[0] = index
        return nodes.first
    if index >= nodes.count - nodes.last.count:
        offset[0] = index - (nodes.count - nodes.last.count)
        return nodes.last
    index -= nodes.first.count
    while True:
        slot = 0
        while index >= block.weights[slot]:
            index -= block.weights[slot]
            slot += 1
        if not block.inner:
            offset[0] = index
            return <Node *>block.children[slot]
        block = <const Block *>block.children[slot]


cdef bint nodes_clear_some(Nodes *nodes, size_t count) noexcept:
    """Free up to `count` nodes of a list that is being given up; True while there are more.

    Nothing else may be done with the list but to go on.
    """
    cdef Node *node
    if nodes.root != NULL:
        free_blocks(nodes, nodes.root)
        nodes.root = NULL
    while count > 0 and nodes.first != NULL:
        node = nodes.first
        nodes.first = node.next
        nodes.length -= 1
        nodes.count -= node.count
        node_free(nodes, node)
        count -= 1
    if nodes.first == NULL:
        nodes.last = NULL
    return nodes.first != NULL


cdef void nodes_clear(Nodes *nodes) noexcept:
    """Free all nodes and the index."""
    while nodes_clear_some(nodes, <size_t>1 << 20):
        pass


# For tests

cdef int check_block(Block *block, Node **next_node, int level, int *depth) except -1:
    """Check one block and all below it; `next_node` walks along the list."""
    cdef uint32_t i
    cdef Block *child
    assert 0 < block.used <= BLOCK_WIDTH, "an empty block"
    if not block.inner:
        assert depth[0] in (0, level), "leaves at different depths"
        depth[0] = level
    for i in range(block.used):
        if block.inner:
            child = <Block *>block.children[i]
            assert child.parent == block, "a block that does not know its parent"
            assert block.weights[i] == total_of(child), "a wrong sum"
            check_block(child, next_node, level + 1, depth)
        else:
            assert block.children[i] == next_node[0], "a node out of order"
            assert next_node[0].home == block, "a node that does not know its block"
            assert block.weights[i] == next_node[0].count, "a wrong count in the index"
            next_node[0] = next_node[0].next
    return 0


cdef size_t blocks_below(const Block *block) noexcept:
    cdef size_t blocks = 1
    cdef uint32_t i
    if block.inner:
        for i in range(block.used):
            blocks += blocks_below(<const Block *>block.children[i])
    return blocks


cdef int nodes_check(Nodes *nodes) except -1:
    """Raise AssertionError unless links, counts, packs, index and memory account agree."""
    cdef Node *node = nodes.first
    cdef Node *previous = NULL
    cdef size_t length = 0, count = 0, memory = 0
    cdef int depth = 0
    while node != NULL:
        assert node.previous == previous, "a broken link"
        assert node.count > 0, "an empty node"
        if node.plain:
            assert node.count == 1, "a plain node of several elements"
        else:
            segment_check(&node.segment)
            assert listpack_length(node.segment.pack) == node.count, "a wrong count of a node"
        length += 1
        count += node.count
        memory += node_memory(node)
        previous = node
        node = node.next
    assert nodes.last == previous, "the last node is another"
    assert nodes.length == length and nodes.count == count, "wrong counts"
    if length > 2:
        node = nodes.first.next
        check_block(nodes.root, &node, 1, &depth)
        assert node == nodes.last, "nodes missing in the index"
        memory += blocks_below(nodes.root) * block_cost(sizeof(Block))
        assert nodes.root.parent == NULL, "a root with a parent"
        assert nodes.first.home == NULL and nodes.last.home == NULL, "an end in the index"
    else:
        assert nodes.root == NULL, "an index of nothing"
    assert nodes.memory == memory, f"memory {memory}, {nodes.memory} accounted"
    return 0
