from libc.stdint cimport int64_t, uint64_t

cdef class Clock:
    cdef readonly int64_t now_ms
    cdef bint fake
    cdef int64_t fake_ns
    cdef bint counted                # durations may be taken with the processor's counter
    cdef uint64_t base_counter
    cdef int64_t base_ns
    cdef double ns_per_count         # 0 until it is known

    cpdef int64_t refresh(self)
    cpdef int64_t monotonic_ns(self)
    cdef int64_t stopwatch_ns(self) noexcept
    cdef int64_t wall_us(self) noexcept
