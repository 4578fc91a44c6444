from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef struct Source:
    const uint32_t *counters
    int64_t weight
    int64_t total

cdef class Sketch:
    cdef uint32_t *counters
    cdef readonly uint64_t width
    cdef readonly uint64_t depth
    cdef readonly uint64_t total    # how often anything was counted

    cdef uint32_t increase(self, bytes item, uint64_t amount) noexcept
    cdef int take_sum(self, Source *sources, Py_ssize_t count) except -1
