from libc.stdint cimport int64_t, uint64_t

cdef class Chunk:
    cdef unsigned char *data
    cdef readonly int64_t size_bytes      # the room for samples
    cdef readonly int64_t bits            # of it that are used
    cdef readonly int64_t count           # samples
    cdef readonly int64_t first           # timestamp of the first, in ms
    cdef readonly int64_t last
    cdef readonly double last_value
    cdef int64_t delta
    cdef int leading
    cdef int trailing

    cdef void put(self, uint64_t value, int width) noexcept
    cpdef bint append(self, int64_t timestamp, double value)
    cdef void fill(self, int64_t *timestamps, double *values) noexcept
