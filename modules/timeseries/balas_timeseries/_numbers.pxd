from libc.stdint cimport int64_t

cdef class Wire:
    cdef char *data
    cdef int64_t used       # bytes
    cdef int64_t room
    cdef readonly int resp

    cdef int need(self, int64_t size) except -1
    cdef int head(self, char mark, int64_t number) except -1
    cdef int put(self, bytes text) except -1
    cdef int bulk(self, bytes text) except -1
    cdef int pairs(self, int64_t count) except -1
    cdef int pair(self, int64_t count) except -1
    cdef int value(self, double value) except -1
    cdef int sample(self, int64_t timestamp, const double *values, int wide) except -1
    cdef object done(self)

cpdef double parse_value(bytes text) except? -1
cpdef int64_t parse_time(bytes text) except? -1
cpdef object shown(double value)
