cdef bint zipmap_valid(const unsigned char *data, size_t n) noexcept nogil
cdef unsigned char *zipmap_to_listpack(const unsigned char *data, size_t n) except NULL
