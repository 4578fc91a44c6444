from libc.stdint cimport uint8_t, uint64_t

cdef enum:
    HLL_HEADER = 16
    HLL_REGISTERS = 16384
    HLL_DENSE_SIZE = 16 + 12288

cdef bint hll_is_sound_header(const unsigned char *data, size_t n) noexcept nogil
cdef bint hll_is_dense(const unsigned char *data) noexcept nogil
cdef unsigned int hll_place(const char *element, size_t n, unsigned int *index) noexcept nogil
cdef bint hll_dense_set(
    unsigned char *data, unsigned int index, unsigned int rank
) noexcept nogil
cdef int hll_set(
    bytearray data, unsigned int index, unsigned int rank, size_t sparse_bytes_max
) except -1
cdef int hll_fold(const unsigned char *data, size_t n, uint8_t *registers) except -1
cdef uint64_t hll_estimate(const uint8_t *registers) noexcept nogil
