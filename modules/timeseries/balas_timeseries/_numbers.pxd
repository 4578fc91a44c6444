from libc.stdint cimport int64_t

cpdef double parse_value(bytes text) except? -1
cpdef int64_t parse_time(bytes text) except? -1
cpdef object shown(double value)
