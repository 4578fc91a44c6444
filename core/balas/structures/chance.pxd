# A stream of random numbers out of one seed (splitmix64): who draws many passes one number in.

from libc.stdint cimport uint64_t


cdef inline uint64_t draw(uint64_t *state) noexcept nogil:
    """The next 64 random bits."""
    cdef uint64_t z
    state[0] += 0x9E3779B97F4A7C15ULL
    z = state[0]
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
    return z ^ (z >> 31)


cdef inline uint64_t draw_below(uint64_t *state, uint64_t limit) noexcept nogil:
    """A random number below `limit`, which must not be 0."""
    return draw(state) % limit
