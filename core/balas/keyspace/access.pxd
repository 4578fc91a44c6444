from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef class AccessClock:
    cdef public uint32_t now        # LRU: tenths of a second; LFU: minutes, in the upper 24 bits
    cdef readonly bint lfu
    cdef public int log_factor
    cdef public int decay_minutes
    cdef uint64_t state

    cdef void refresh(self, int64_t now_ms) noexcept
    cdef uint32_t fresh(self) noexcept
    cdef uint32_t touched(self, uint32_t access) noexcept
    cdef uint32_t decayed(self, uint32_t access) noexcept
    cpdef int64_t idle_ms(self, uint32_t access)
