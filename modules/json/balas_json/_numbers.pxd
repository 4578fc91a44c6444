from libc.stdint cimport int64_t, uint64_t

cdef enum:
    # The longest number written: sign, 17 digits, a point, zeros, an exponent.
    NUMBER_SIZE = 40

cdef double[23] POWERS

cdef int shortest(double value, uint64_t *digits, int *decimal) noexcept nogil
cdef int put_unsigned(uint64_t value, char *text) noexcept nogil
cdef int put_integer(int64_t value, char *text) noexcept nogil
cdef int put_decimal(bint negative, uint64_t digits, int decimal, char *text) noexcept nogil
cdef int put_double(double value, char *text) noexcept nogil
