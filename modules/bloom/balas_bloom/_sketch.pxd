from libc.stdint cimport int64_t, uint32_t, uint64_t

from balas.api cimport Value

cdef struct Source:
    const uint32_t *counters
    int64_t weight
    int64_t total

cdef class Sketch:
    cdef uint32_t *counters
    cdef readonly uint64_t width
    cdef readonly uint64_t depth
    cdef readonly uint64_t total    # how often anything was counted
    cdef uint64_t released          # bytes given back, when nobody looks any more

    cdef uint32_t increase(self, bytes item, uint64_t amount) noexcept
    cpdef list increase_all(self, tuple words, overflow)
    cdef int take_sum(self, Source *sources, Py_ssize_t count) except -1

cdef class SketchHolder(Value):
    cdef readonly Sketch sketch

    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1
