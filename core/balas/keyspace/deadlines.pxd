from libc.stdint cimport int64_t

cdef class Deadlines:
    cdef dict by_key
    cdef list heap

    cpdef int note(self, bytes key, int64_t at_ms) except -1
    cpdef int forget(self, bytes key) except -1
    cpdef bytes due(self, int64_t now_ms)
