from libc.stdint cimport int64_t

from balas.structures.filling cimport Quicklist
from balas.structures.listpack cimport Element, Needle
from balas.structures.nodes cimport Node

# An element of a list: the node (NULL in a small list) and the place in its pack, 0 in a plain
# node. Any change to the list that is not made through the cursor makes it void.
cdef struct Cursor:
    Quicklist *list
    Node *node
    size_t at

cdef bint cursor_seek(Quicklist *list, int64_t index, Cursor *cursor) noexcept nogil
cdef bint cursor_seek_end(Quicklist *list, bint at_head, Cursor *cursor) noexcept nogil
cdef void cursor_read(const Cursor *cursor, Element *out) noexcept nogil
cdef bint cursor_step(Cursor *cursor, bint backwards) noexcept nogil
cdef int64_t cursor_find(
    Cursor *cursor, const Needle *needle, bint backwards, int64_t limit
) noexcept nogil
cdef int cursor_insert(Cursor *cursor, const char *text, size_t size, bint after) except -1
cdef int cursor_replace(Cursor *cursor, const char *text, size_t size) except -1
cdef bint cursor_delete(Cursor *cursor, bint backwards) except -1
cdef int cursor_remove(Cursor *cursor) except -1
