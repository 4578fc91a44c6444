from libc.stdint cimport int64_t

cdef class Clock:
    cdef readonly int64_t now_ms
    cdef bint fake
    cdef int64_t fake_ns

    cpdef int64_t refresh(self)
    cpdef int64_t monotonic_ns(self)
    cdef int64_t wall_us(self) noexcept
