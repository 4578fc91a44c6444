# How much room packed values take, and give themselves to grow.
#
# Blocks come from Python's allocator: up to 512 bytes it serves in steps of 16 without a header, so
# that a pack of 77 bytes takes 80, where malloc takes 96. Beyond, it hands out what malloc gives.
# The room of a block follows from the bytes wanted alone, so nobody has to store it: steps of 16
# bytes while blocks are small, then steps of an eighth, which keeps appending cheap on average.

from libc.stdint cimport uint64_t


cdef extern from *:
    int __builtin_clzll(uint64_t) noexcept nogil


cdef inline size_t room_for(size_t size) noexcept nogil:
    """The bytes of the block made for `size` bytes; a room has itself as room."""
    cdef size_t step = 16
    if size > 512:
        step = (<size_t>1 << (63 - __builtin_clzll(size))) >> 3
    return (size + step - 1) & ~(step - 1)


cdef inline size_t block_cost(size_t room) noexcept nogil:
    """What a block of that room takes from the allocator, its header included."""
    return (room + 15) & ~<size_t>15 if room <= 512 else (room + 23) & ~<size_t>15
