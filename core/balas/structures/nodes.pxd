from libc.stdint cimport int64_t, uint32_t, uint64_t

from balas.structures.segment cimport Segment

cdef enum:
    # Entries of an index block: it takes 496 bytes, just below what Python's allocator serves.
    BLOCK_WIDTH = 30

# A block of the index: the nodes, or the blocks below it, and how many elements each of them holds.
cdef struct Block:
    Block *parent
    uint32_t used
    bint inner
    uint64_t weights[BLOCK_WIDTH]
    void *children[BLOCK_WIDTH]

# A node of the list: a segment, or where `plain` one element's text in a block of its own, which
# `segment.pack` points to.
cdef struct Node:
    Segment segment
    Node *previous
    Node *next
    Block *home                  # where the index has this node; NULL for the first and the last
    size_t plain_size
    uint32_t count
    bint plain

cdef struct Nodes:
    Node *first
    Node *last
    Block *root                  # the index of all nodes between the first and the last
    uint64_t count               # elements
    size_t length                # nodes
    size_t memory                # bytes taken from the allocator

cdef void nodes_clear(Nodes *nodes) noexcept
cdef bint nodes_clear_some(Nodes *nodes, size_t count) noexcept
cdef Node *node_new(Nodes *nodes, size_t size) except NULL
cdef Node *node_new_filled(
    Nodes *nodes, const unsigned char *elements, size_t size, size_t count
) except NULL
cdef Node *node_new_plain(Nodes *nodes, const char *text, size_t size) except NULL
cdef void node_counted(Nodes *nodes, Node *node, int64_t by) noexcept
cdef void node_resized(Nodes *nodes, Node *node, size_t before) noexcept
cdef int node_link(Nodes *nodes, Node *node, Node *neighbour, bint after) except -1
cdef void node_remove(Nodes *nodes, Node *node) noexcept
cdef Node *nodes_find(const Nodes *nodes, uint64_t index, uint64_t *offset) noexcept nogil
cdef int nodes_check(Nodes *nodes) except -1
