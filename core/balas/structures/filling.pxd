from libc.stdint cimport uint32_t

from balas.structures.listpack cimport LISTPACK_EMPTY, listpack_length, listpack_size
from balas.structures.nodes cimport Node, Nodes
from balas.structures.segment cimport Segment

cdef enum:
    # No node whose fill is a number of elements holds more bytes than this.
    SAFE_SIZE = 8192
    # What an element is taken to need beside its text.
    OVERHEAD = 8
    FILL_MIN = -5
    FILL_MAX = 32767
    DEPTH_MAX = 65535

# What the settings of a list say of its nodes: `fill` is list-max-listpack-size, `compress_depth`
# list-compress-depth; elements of `plain_from` bytes on get a node of their own, 0 leaves it to
# `fill`.
cdef struct Limits:
    int fill
    int compress_depth
    size_t plain_from

# The nodes of a list, and the settings of the moment when it was put into nodes.
cdef struct Linked:
    Nodes nodes
    Limits limits

# A list; a small one is the one pack in `segment`, and `linked` is NULL.
cdef struct Quicklist:
    Segment segment
    Linked *linked

cdef int put_in_pack(Quicklist *list, size_t at, const char *text, size_t size) except -1
cdef int put_in_node(
    Linked *linked, Node *node, size_t at, const char *text, size_t size, size_t ceiling
) except -1
cdef int cut_from_node(Linked *linked, Node *node, size_t at, size_t size, size_t count) except -1
cdef int fit_node(Linked *linked, Node *node) except -1
cdef Node *node_of_one(Linked *linked, const char *text, size_t size) except NULL
cdef int insert_in_nodes(
    Linked *linked, Node *node, size_t at, const char *text, size_t size, bint after
) except -1
cdef int replace_in_nodes(
    Linked *linked, Node *node, size_t at, const char *text, size_t size
) except -1


cdef inline size_t quicklist_length(const Quicklist *list) noexcept nogil:
    """Elements of the list."""
    if list.linked != NULL:
        return list.linked.nodes.count
    return listpack_length(list.segment.pack)


cdef inline size_t node_size(const Node *node) noexcept nogil:
    """Bytes of the node's pack, or of its one element."""
    return node.plain_size if node.plain else listpack_size(node.segment.pack)


cdef inline size_t end_of(const Node *node) noexcept nogil:
    """The place of the closing byte."""
    return listpack_size(node.segment.pack) - 1


cdef inline size_t size_limit(int fill) noexcept nogil:
    """The bytes a node may have by a negative `fill`: 4 KB doubled for each step below -1."""
    return <size_t>4096 << (-fill - 1 if fill > FILL_MIN else -FILL_MIN - 1)


cdef inline bint exceeds(int fill, size_t size, size_t count) noexcept nogil:
    if fill < 0:
        return size > size_limit(fill)
    return size > SAFE_SIZE or count > <size_t>max(fill, 1)


cdef inline bint is_large(const Linked *linked, size_t size) noexcept nogil:
    """Whether an element becomes a node of its own."""
    if linked.limits.plain_from:
        return size >= linked.limits.plain_from
    return size > (size_limit(linked.limits.fill) if linked.limits.fill < 0 else SAFE_SIZE)


cdef inline bint allows(const Linked *linked, const Node *node, size_t size) noexcept nogil:
    """Whether a node takes one more element of `size` bytes; NULL takes none."""
    if node == NULL or node.plain or is_large(linked, size):
        return False
    return not exceeds(
        linked.limits.fill, listpack_size(node.segment.pack) + size + OVERHEAD, node.count + 1
    )


cdef inline bint may_join(const Linked *linked, const Node *left, const Node *right) noexcept nogil:
    if left == NULL or right == NULL or left.plain or right.plain:
        return False
    return not exceeds(
        linked.limits.fill,
        node_size(left) + node_size(right) - LISTPACK_EMPTY,
        left.count + right.count,
    )


cdef inline size_t ceiling_of(const Linked *linked) noexcept nogil:
    """The size to which a node at the end of a list is going to grow."""
    return size_limit(linked.limits.fill) if linked.limits.fill < 0 else SAFE_SIZE
