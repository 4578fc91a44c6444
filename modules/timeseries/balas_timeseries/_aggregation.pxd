from libc.stdint cimport int64_t

cdef struct State:
    int64_t count       # numbers
    int64_t nans
    double total
    double low
    double high
    double first
    double last
    double mean         # running: of the variance, and of an average whose total is infinite
    double squares      # of the distances from the mean, added up

cdef class Accumulator:
    cdef State state
    cdef readonly int64_t first_time
    cdef readonly int64_t last_time
    cdef readonly double area             # under the line through the samples: value * ms
    cdef readonly int64_t began           # where that line begins, in ms
    cdef double line_value                # its end
    cdef int64_t line_time

    cpdef int add(self, int64_t timestamp, double value) except -1
    cpdef int begin(self, int64_t start, object before) except -1
    cpdef double value(self, int kind, int64_t end, object after) except? -1
