from libc.stdint cimport uint32_t

cdef size_t lzf_compress(
    const unsigned char *data, size_t n, unsigned char *out, size_t room
) noexcept nogil
cdef bint lzf_decompress(
    const unsigned char *data, size_t n, unsigned char *out, size_t size
) noexcept nogil


cdef inline bint lzf_plausible(size_t n, size_t size) noexcept nogil:
    """Whether `n` compressed bytes can make `size` bytes: ask before making room.

    The densest item is a copy: three bytes that make 264.
    """
    return size > 0 and n > 0 and size // 88 <= n
