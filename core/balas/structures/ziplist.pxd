from libc.stdint cimport uint32_t

from balas.structures.listpack cimport Element

cdef enum:
    ZIPLIST_HEADER = 10          # the first entry stands behind these bytes
    ZIPLIST_END = 0xff           # the byte that closes a ziplist; no entry begins with it

cdef bint ziplist_valid(const unsigned char *data, size_t n) noexcept nogil
cdef const unsigned char *ziplist_read(const unsigned char *entry, Element *out) noexcept nogil
cdef unsigned char *ziplist_to_listpack(const unsigned char *data, size_t n) except NULL
