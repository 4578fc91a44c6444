"""The access clock: 32 bits in every entry that tell eviction how recently, or how often, it was
used.

Under an LRU policy (and all others) they hold a clock of tenths of a second, which turns over after
13 years. Under an LFU policy the lower eight bits hold a logarithmic counter and the upper 24 the
minute it was last decayed, as in Redis: a counter of n is raised with probability 1 / ((n - 5) *
lfu-log-factor + 1) and lowered by one for every lfu-decay-time minutes.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    # New entries start here, so that they are not the first to go before they had a chance.
    LFU_INITIAL = 5
    MINUTES_MASK = 0xFFFFFF


cdef class AccessClock:
    """One for all databases of a server."""

    def __cinit__(self, uint64_t seed):
        self.log_factor = 10
        self.decay_minutes = 1
        self.state = seed | 1

    def use_lfu(self, bint lfu) -> None:
        """Change the meaning of the bits from now on; entries keep what they have, as in Redis."""
        self.lfu = lfu

    cdef void refresh(self, int64_t now_ms) noexcept:
        if self.lfu:
            self.now = <uint32_t> ((now_ms // 60000) & MINUTES_MASK) << 8
        else:
            self.now = <uint32_t> (now_ms // 100)

    cdef uint32_t fresh(self) noexcept:
        """The bits of an entry made now."""
        return self.now | LFU_INITIAL if self.lfu else self.now

    cdef uint32_t touched(self, uint32_t access) noexcept:
        """The bits of an entry used now."""
        cdef uint32_t count, base
        if not self.lfu:
            return self.now
        count = self.decayed(access)
        if count < 255:
            base = count - LFU_INITIAL if count > LFU_INITIAL else 0
            self.state ^= self.state << 13
            self.state ^= self.state >> 7
            self.state ^= self.state << 17
            if (self.state >> 11) * (base * self.log_factor + 1) < (1ULL << 53):
                count += 1
        return self.now | count

    cdef uint32_t decayed(self, uint32_t access) noexcept:
        """The LFU counter as it would be if the entry were used now."""
        cdef uint32_t count = access & 0xFF
        cdef uint32_t minutes = ((self.now >> 8) - (access >> 8)) & MINUTES_MASK
        cdef uint32_t periods
        if self.decay_minutes <= 0:
            return count
        periods = minutes // self.decay_minutes
        return count - periods if periods < count else 0

    cpdef int64_t idle_ms(self, uint32_t access):
        """Milliseconds since an entry with these bits was used; under LFU this has no meaning and
        is 0.
        """
        if self.lfu:
            return 0
        return <int64_t> (<uint32_t> (self.now - access)) * 100

    def frequency(self, uint32_t access) -> int:
        """The LFU counter, decayed to now, 0 to 255."""
        return self.decayed(access)
