from libc.stdint cimport int64_t, uint32_t, uint64_t

from balas.api cimport Value

# Both as they are in files.
cdef struct Counter:
    uint32_t mark
    uint32_t count

cdef struct Entry:
    uint32_t mark
    uint32_t length    # of the name
    uint64_t slot      # an address in RedisBloom; always 0 here
    uint32_t count
    uint32_t rest

cdef class Top:
    cdef Counter *counters
    cdef Entry *entries          # a heap, the lowest count on top
    cdef readonly list names     # of the entries; None where there is none yet
    cdef readonly uint32_t k
    cdef readonly uint32_t width
    cdef readonly uint32_t depth
    cdef readonly double decay
    cdef readonly uint64_t name_bytes
    cdef uint64_t chance_state
    cdef uint64_t counters_released  # bytes given back, when nobody looks any more
    cdef uint64_t entries_released
    cdef double chances[256]

    cpdef list add_all(self, tuple words)
    cdef uint64_t held_bytes(self) noexcept
    cdef double random(self) noexcept
    cdef double chance(self, uint32_t count) noexcept
    cdef uint32_t wear(self, Counter *counter, uint32_t mark, uint32_t amount) noexcept
    cdef object increase(self, bytes item, uint32_t amount)
    cdef int64_t find(self, bytes item, uint32_t mark)
    cdef void sift(self, uint64_t start) noexcept
    cdef uint32_t count_of(self, bytes item)

cdef class TopHolder(Value):
    cdef readonly Top top

    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1
