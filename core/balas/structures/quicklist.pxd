from libc.stdint cimport int64_t, uint32_t

from balas.structures.cursor cimport Cursor
from balas.structures.filling cimport Limits, Quicklist
from balas.structures.listpack cimport Needle, emit_t

# Lists begin with `quicklist_new`, or with `quicklist_new` and `quicklist_link` for those that are
# loaded node by node, and end with `quicklist_free`. They stay what they are, small or linked,
# until `quicklist_grow` and `quicklist_shrink` are called, at the moments when Redis converts.
cdef int quicklist_new(Quicklist *list) except -1
cdef int quicklist_copy(Quicklist *list, const Quicklist *source) except -1
cdef void quicklist_free(Quicklist *list) noexcept
cdef bint quicklist_free_some(Quicklist *list, size_t nodes) noexcept
cdef size_t quicklist_memory(const Quicklist *list) noexcept nogil
cdef size_t quicklist_nodes(const Quicklist *list) noexcept nogil

cdef bint quicklist_grow(
    Quicklist *list, size_t count, size_t size, const Limits *limits
) except -1
cdef bint quicklist_shrink(Quicklist *list, int fill, bint shrinking) noexcept
cdef int quicklist_link(Quicklist *list, const Limits *limits) except -1
cdef int quicklist_add_pack(Quicklist *list, const unsigned char *data, size_t n) except -1
cdef int quicklist_add_plain(Quicklist *list, const char *text, size_t size) except -1

cdef int quicklist_push(
    Quicklist *list, const char *text, size_t size, bint at_head
) except -1
cdef bytes quicklist_pop(Quicklist *list, bint at_head)
cdef int64_t quicklist_delete(Quicklist *list, int64_t start, int64_t count) except -1
cdef int64_t quicklist_remove(
    Quicklist *list, const Needle *needle, int64_t count, bint backwards
) except -1
cdef int quicklist_emit(
    Quicklist *list, int64_t start, int64_t count, emit_t emit, void *context
) except -1
cdef list quicklist_range(Quicklist *list, int64_t start, int64_t count)


cdef class QuickList:
    cdef Quicklist list
    cdef short fill
    cdef unsigned short compress_depth
    cdef uint32_t plain_from

    cdef Limits limits(self) noexcept
    cdef int seek(self, int64_t index, Cursor *cursor) except -1
