"""Cursors: places in a quicklist, which walk both ways and change the list where they stand.

A cursor is a small struct on the stack, and no object is made before somebody asks for one. It
keeps the place in a pack as an offset, since packs move when they grow. Where a small list has one
pack and a linked one has nodes, the cursor knows; the functions that use it need not.
"""

from libc.stdint cimport uint64_t

from balas.structures.filling cimport (
    cut_from_node,
    insert_in_nodes,
    put_in_pack,
    quicklist_length,
    replace_in_nodes,
)
from balas.structures.listpack cimport (
    LISTPACK_HEADER,
    Encoded,
    change_listpack_count,
    encode_text,
    entry_size,
    listpack_at,
    listpack_at_end,
    listpack_last,
    listpack_previous,
    listpack_read,
    same_element,
)
from balas.structures.nodes cimport nodes_find
from balas.structures.segment cimport segment_put, segment_splice


cdef inline unsigned char *pack_of(const Cursor *cursor) noexcept nogil:
    """The pack a cursor points into; the text of a plain node."""
    return (cursor.list.segment if cursor.node == NULL else cursor.node.segment).pack


cdef bint cursor_seek_end(Quicklist *list, bint at_head, Cursor *cursor) noexcept nogil:
    """Set a cursor to the first or last element; False for an empty list."""
    cdef unsigned char *pack = list.segment.pack
    cursor.list = list
    cursor.node = NULL
    if list.linked == NULL:
        if listpack_at_end(pack + LISTPACK_HEADER):
            return False
    else:
        cursor.node = list.linked.nodes.first if at_head else list.linked.nodes.last
        if cursor.node == NULL:
            return False
        pack = cursor.node.segment.pack
    enter_node(cursor, pack, at_head)
    return True


cdef inline void enter_node(Cursor *cursor, unsigned char *pack, bint at_head) noexcept nogil:
    """Set a cursor that knows its node to the node's first or last element."""
    if cursor.node != NULL and cursor.node.plain:
        cursor.at = 0
    elif at_head:
        cursor.at = LISTPACK_HEADER
    else:
        cursor.at = <size_t>(listpack_last(pack) - pack)


cdef bint cursor_seek(Quicklist *list, int64_t index, Cursor *cursor) noexcept nogil:
    """Set a cursor to the element at an index, from the end if negative; False if there is none."""
    cdef int64_t count = <int64_t>quicklist_length(list)
    cdef uint64_t offset
    cdef unsigned char *pack
    if index < 0:
        index += count
    if index < 0 or index >= count:
        return False
    cursor.list = list
    cursor.node = NULL
    cursor.at = 0
    offset = <uint64_t>index
    if list.linked != NULL:
        cursor.node = nodes_find(&list.linked.nodes, <uint64_t>index, &offset)
        if cursor.node.plain:
            return True
    pack = pack_of(cursor)
    cursor.at = <size_t>(listpack_at(pack, <int64_t>offset) - pack)
    return True


cdef void cursor_read(const Cursor *cursor, Element *out) noexcept nogil:
    """Read the element at a cursor; its text lives until the list is changed."""
    if cursor.node != NULL and cursor.node.plain:
        out.text = <const char *>cursor.node.segment.pack
        out.size = cursor.node.plain_size
    else:
        listpack_read(pack_of(cursor) + cursor.at, out)


cdef bint cursor_step(Cursor *cursor, bint backwards) noexcept nogil:
    """Go to the next element, or the one before; False, and the cursor void, behind the last."""
    cdef unsigned char *pack = pack_of(cursor)
    cdef unsigned char *entry = pack + cursor.at
    if cursor.node == NULL or not cursor.node.plain:
        if backwards:
            if cursor.at > LISTPACK_HEADER:
                cursor.at = <size_t>(listpack_previous(entry) - pack)
                return True
        else:
            cursor.at += entry_size(entry)
            if not listpack_at_end(pack + cursor.at):
                return True
    if cursor.node == NULL:
        return False
    cursor.node = cursor.node.previous if backwards else cursor.node.next
    if cursor.node == NULL:
        return False
    enter_node(cursor, cursor.node.segment.pack, not backwards)
    return True


cdef int64_t cursor_find(
    Cursor *cursor, const Needle *needle, bint backwards, int64_t limit
) noexcept nogil:
    """Go to the first element from here on that equals the needle, among `limit` at most.

    Returns how many elements have been passed over, or -1, and the cursor void, if none is equal.
    """
    cdef Element element
    cdef int64_t passed = 0
    while passed < limit:
        cursor_read(cursor, &element)
        if same_element(&element, needle):
            return passed
        passed += 1
        if not cursor_step(cursor, backwards):
            break
    return -1


cdef int cursor_remove(Cursor *cursor) except -1:
    """Take the element at a cursor out of the list; `at` is then the place of the one behind it."""
    cdef unsigned char *pack = pack_of(cursor)
    cdef size_t size = 0
    if cursor.node == NULL or not cursor.node.plain:
        size = entry_size(pack + cursor.at)
    if cursor.node != NULL:
        cut_from_node(cursor.list.linked, cursor.node, cursor.at, size, 1)
    else:
        segment_splice(&cursor.list.segment, cursor.at, size, 0, 0)
        change_listpack_count(cursor.list.segment.pack, -1)
    return 0


cdef bint cursor_delete(Cursor *cursor, bint backwards) except -1:
    """Remove the element at a cursor, which goes on to the next one, or to the one before.

    False, and the cursor void, if there is none.
    """
    cdef Cursor other = cursor[0]
    cdef bint more = cursor_step(&other, backwards)
    cursor_remove(cursor)
    if other.node == cursor.node and not backwards:
        # What follows has come to the place of what was removed.
        other.at = cursor.at
    cursor[0] = other
    return more


cdef int cursor_insert(Cursor *cursor, const char *text, size_t size, bint after) except -1:
    """Add an element before or `after` the one at a cursor, which is void then."""
    cdef size_t at = cursor.at
    if cursor.node != NULL:
        return insert_in_nodes(cursor.list.linked, cursor.node, at, text, size, after)
    if after:
        at += entry_size(pack_of(cursor) + at)
    return put_in_pack(cursor.list, at, text, size)


cdef int cursor_replace(Cursor *cursor, const char *text, size_t size) except -1:
    """Put another element in the place of the one at a cursor, which is void then."""
    cdef Encoded encoded
    cdef size_t old
    if cursor.node != NULL:
        return replace_in_nodes(cursor.list.linked, cursor.node, cursor.at, text, size)
    encode_text(text, size, &encoded)
    old = entry_size(pack_of(cursor) + cursor.at)
    return segment_put(&cursor.list.segment, cursor.at, old, &encoded, 0)
