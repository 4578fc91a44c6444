from libc.stdint cimport int64_t

cdef bint string_to_int64(const char *text, size_t n, int64_t *value) noexcept nogil
cdef size_t int64_to_string(int64_t value, char *text) noexcept nogil
cdef bint string_to_double(const char *text, size_t n, double *value) except -1 nogil
cdef size_t double_to_string(double value, char *text) noexcept nogil
cdef bint string_to_long_double(const char *text, size_t n, long double *value) noexcept nogil
cdef size_t long_double_to_string(long double value, char *text) noexcept nogil
