"""Filling: how elements are put into the nodes of a quicklist, and how nodes split and join.

Every step here is Redis's, with its moments and its order: a list that has seen the same commands
must be divided into the same nodes, or DUMP payloads would differ, and so would the moment when a
list that has shrunk to one node becomes small again. What a reader would get wrong: whether an
element fits is asked before it is encoded, with the length of its text plus eight, so numbers count
by their digits; replacing an element does not ask at all, and may leave a node above its limit.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from balas.structures.listpack cimport (
    LISTPACK_HEADER,
    Encoded,
    change_listpack_count,
    encode_text,
    entry_size,
    listpack_next,
)
from balas.structures.nodes cimport (
    node_counted,
    node_link,
    node_new,
    node_new_filled,
    node_new_plain,
    node_remove,
    node_resized,
)
from balas.structures.segment cimport (
    segment_fit,
    segment_memory,
    segment_put,
    segment_splice,
)


cdef int put_in_pack(Quicklist *list, size_t at, const char *text, size_t size) except -1:
    """Add an element to a small list before the one at `at`."""
    cdef Encoded encoded
    encode_text(text, size, &encoded)
    segment_put(&list.segment, at, 0, &encoded, 0)
    change_listpack_count(list.segment.pack, 1)
    return 0


cdef int put_in_node(
    Linked *linked, Node *node, size_t at, const char *text, size_t size, size_t ceiling
) except -1:
    """Add an element to a node before the one at `at`."""
    cdef Encoded encoded
    cdef size_t before = segment_memory(&node.segment)
    encode_text(text, size, &encoded)
    segment_put(&node.segment, at, 0, &encoded, ceiling)
    if segment_memory(&node.segment) != before:
        node_resized(&linked.nodes, node, before)
    change_listpack_count(node.segment.pack, 1)
    node_counted(&linked.nodes, node, 1)
    return 0


cdef int cut_from_node(Linked *linked, Node *node, size_t at, size_t size, size_t count) except -1:
    """Take `count` elements, `size` bytes in all, out of a node, which goes with its last one."""
    cdef size_t before
    if count == node.count:
        node_remove(&linked.nodes, node)
        return 0
    before = segment_memory(&node.segment)
    segment_splice(&node.segment, at, size, 0, 0)
    if segment_memory(&node.segment) != before:
        node_resized(&linked.nodes, node, before)
    change_listpack_count(node.segment.pack, -<int64_t>count)
    node_counted(&linked.nodes, node, -<int64_t>count)
    return 0


cdef int fit_node(Linked *linked, Node *node) except -1:
    """Give back the room a node kept while it stood at the end of the list."""
    cdef size_t before = segment_memory(&node.segment)
    segment_fit(&node.segment)
    node_resized(&linked.nodes, node, before)
    return 0


cdef Node *node_of_one(Linked *linked, const char *text, size_t size) except NULL:
    """A node of one element, to be linked."""
    cdef Encoded encoded
    cdef Node *node
    if is_large(linked, size):
        return node_new_plain(&linked.nodes, text, size)
    encode_text(text, size, &encoded)
    node = node_new(&linked.nodes, encoded.size)
    segment_put(&node.segment, LISTPACK_HEADER, 0, &encoded, 0)
    change_listpack_count(node.segment.pack, 1)
    node.count = 1
    return node


cdef Node *split_node(Linked *linked, Node *node, size_t at, bint after) except NULL:
    """Move all elements after the one at `at`, or all before it, to a new node, to be linked."""
    cdef unsigned char *pack = node.segment.pack
    cdef size_t start = LISTPACK_HEADER, end = at, count = 0
    cdef unsigned char *entry
    cdef Node *other
    if after:
        start = at + entry_size(pack + at)
        end = end_of(node)
    entry = pack + start
    while entry < pack + end:
        entry = listpack_next(entry)
        count += 1
    other = node_new_filled(&linked.nodes, pack + start, end - start, count)
    cut_from_node(linked, node, start, end - start, count)
    return other


cdef int join(Linked *linked, Node *left, Node *right) except -1:
    """Move all elements of a node to the end of the one before it, and give it up."""
    cdef size_t size = node_size(right) - LISTPACK_EMPTY, at = end_of(left)
    cdef size_t before = segment_memory(&left.segment)
    cdef uint32_t count = right.count
    memcpy(
        segment_splice(&left.segment, at, 0, size, 0), right.segment.pack + LISTPACK_HEADER, size
    )
    node_resized(&linked.nodes, left, before)
    change_listpack_count(left.segment.pack, count)
    node_remove(&linked.nodes, right)
    node_counted(&linked.nodes, left, count)
    return 0


cdef int join_around(Linked *linked, Node *center) except -1:
    """Join what has become small on both sides of a node, in the order in which Redis tries."""
    cdef Node *left = center.previous
    cdef Node *right = center.next
    if left != NULL and may_join(linked, left.previous, left):
        join(linked, left.previous, left)
    if right != NULL and may_join(linked, right, right.next):
        join(linked, right, right.next)
    if may_join(linked, center.previous, center):
        center = center.previous
        join(linked, center, center.next)
    if may_join(linked, center, center.next):
        join(linked, center, center.next)
    return 0


cdef int insert_in_nodes(
    Linked *linked, Node *node, size_t at, const char *text, size_t size, bint after
) except -1:
    """Add an element before or `after` the one at `at` of a node (0 for a plain one)."""
    cdef Node *beside = NULL
    cdef bint at_edge = True
    cdef size_t place = at
    if not node.plain:
        if after:
            place += entry_size(node.segment.pack + at)
        at_edge = place == (end_of(node) if after else LISTPACK_HEADER)
    if allows(linked, node, size):
        return put_in_node(linked, node, place, text, size, 0)
    if not at_edge:
        return insert_within(linked, node, at, text, size, after)
    beside = node.next if after else node.previous
    if allows(linked, beside, size):
        place = LISTPACK_HEADER if after else end_of(beside)
        return put_in_node(linked, beside, place, text, size, 0)
    return node_link(&linked.nodes, node_of_one(linked, text, size), node, after)


cdef int insert_within(
    Linked *linked, Node *node, size_t at, const char *text, size_t size, bint after
) except -1:
    """Add an element inside a node that does not take it: the node is split there."""
    cdef Node *other = split_node(linked, node, at, after)
    cdef Node *added
    if is_large(linked, size):
        added = node_of_one(linked, text, size)
        node_link(&linked.nodes, added, node, after)
        return node_link(&linked.nodes, other, added, after)
    node_link(&linked.nodes, other, node, after)
    put_in_node(linked, other, LISTPACK_HEADER if after else end_of(other), text, size, 0)
    return join_around(linked, node)


cdef int replace_in_nodes(
    Linked *linked, Node *node, size_t at, const char *text, size_t size
) except -1:
    """Put another element in the place of the one at `at` of a node (0 for a plain one)."""
    cdef Encoded encoded
    cdef size_t old, before
    if node.plain:
        # A large one comes beside the old one as well: what stands there takes none of its size.
        insert_in_nodes(linked, node, 0, text, size, True)
        node_remove(&linked.nodes, node)
        return 0
    if is_large(linked, size):
        return replace_by_large(linked, node, at, text, size)
    encode_text(text, size, &encoded)
    before = segment_memory(&node.segment)
    old = entry_size(node.segment.pack + at)
    segment_put(&node.segment, at, old, &encoded, 0)
    node_resized(&linked.nodes, node, before)
    return 0


cdef int replace_by_large(
    Linked *linked, Node *node, size_t at, const char *text, size_t size
) except -1:
    """Put an element that becomes a node of its own in the place of one inside a node."""
    cdef size_t old = entry_size(node.segment.pack + at)
    cdef Node *added = node_of_one(linked, text, size)
    cdef Node *other = NULL
    if at + old < end_of(node):
        other = split_node(linked, node, at, True)
    node_link(&linked.nodes, added, node, True)
    if other != NULL:
        node_link(&linked.nodes, other, added, True)
    if node.count == 1:
        node_remove(&linked.nodes, node)
        return 0
    cut_from_node(linked, node, at, old, 1)
    return join_around(linked, added)
