from libc.stdint cimport int64_t, uint64_t

cdef enum BitOperation:
    BITS_AND
    BITS_OR
    BITS_XOR
    BITS_NOT
    BITS_DIFF      # in the first, in none of the others
    BITS_DIFF1     # in one of the others, not in the first
    BITS_ANDOR     # in the first and in one of the others
    BITS_ONE       # in exactly one

cdef enum Overflow:
    WRAP
    SATURATE
    FAIL

# What does not fit a bit field.
cdef struct FieldSum:
    int64_t value      # of an unsigned field the bits are those of a uint64_t
    int overflow       # 1 above, -1 below, 0 it fits

cdef uint64_t bits_count(const unsigned char *data, uint64_t first, uint64_t last) noexcept nogil
cdef int64_t bits_find(
    const unsigned char *data, bint bit, uint64_t first, uint64_t last
) noexcept nogil
cdef int bits_combine(
    BitOperation operation, const unsigned char **inputs, const size_t *sizes, size_t count,
    unsigned char *out, size_t size
) except -1
cdef uint64_t bits_get_unsigned(
    const unsigned char *data, size_t size, uint64_t offset, unsigned int width
) noexcept nogil
cdef int64_t bits_get_signed(
    const unsigned char *data, size_t size, uint64_t offset, unsigned int width
) noexcept nogil
cdef void bits_set(
    unsigned char *data, uint64_t offset, unsigned int width, uint64_t value
) noexcept nogil
cdef FieldSum bits_add(
    int64_t value, int64_t increment, unsigned int width, bint is_signed, Overflow overflow
) noexcept nogil
