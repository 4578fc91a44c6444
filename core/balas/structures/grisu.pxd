from libc.stdint cimport uint64_t

cdef int grisu_digits(double value, char *digits, int *decimal) noexcept nogil
