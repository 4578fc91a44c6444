"""LZF, the light compression of strings in RDB files; the format is that of liblzf.

A compressed text is a row of two kinds of items, told apart by their first byte:

- `000LLLLL` and then L + 1 bytes: take these bytes as they are (1 to 32 of them);
- `LLLddddd dddddddd` with L from 1 to 6: copy L + 2 bytes from d + 1 bytes back in the output;
  `111ddddd llllllll dddddddd`: the same for l + 9 bytes, 264 at most. The copy may overlap what
  it writes, which is how a run of one byte is told.

There is no header and no end mark: both lengths are kept beside the text by whoever stores it.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset


cdef enum:
    LITERALS_MAX = 32
    LENGTH_MAX = 264
    DISTANCE_MAX = 8192
    # The table of recent positions has 2**7 to 2**14 cells, by the size of the input: clearing a
    # big one would cost more than compressing a small string, and positions beyond 8 KB are no use
    # anyway.
    TABLE_BITS_MIN = 7
    TABLE_BITS_MAX = 14
    # The longest stride through noise: further ones would miss where order begins again.
    STRIDE_MAX = 16


cdef inline uint32_t slot_of(const unsigned char *at, int bits) noexcept nogil:
    """The table cell for the three bytes at `at`."""
    cdef uint32_t three = (<uint32_t>at[0] << 16) | (<uint32_t>at[1] << 8) | at[2]
    return (three * <uint32_t>0x9e3779b1U) >> (32 - bits)


cdef size_t put_literals(
    const unsigned char *data, size_t n, unsigned char *out, size_t used, size_t room
) noexcept nogil:
    """Write `n` plain bytes at `out[used]`; the new `used`, or 0 when they do not fit."""
    cdef size_t run
    if used + n + (n + LITERALS_MAX - 1) // LITERALS_MAX > room:
        return 0
    while n > 0:
        run = LITERALS_MAX if n > LITERALS_MAX else n
        out[used] = <unsigned char>(run - 1)
        memcpy(out + used + 1, data, run)
        used += run + 1
        data += run
        n -= run
    return used


cdef size_t put_copy(
    size_t distance, size_t length, unsigned char *out, size_t used, size_t room
) noexcept nogil:
    """Write a copy item at `out[used]`; the new `used`, or 0 when it does not fit."""
    cdef size_t back = distance - 1
    if used + 3 > room:
        return 0
    if length < 9:
        out[used] = <unsigned char>(((length - 2) << 5) | (back >> 8))
        out[used + 1] = <unsigned char>(back & 0xff)
        return used + 2
    out[used] = <unsigned char>((7 << 5) | (back >> 8))
    out[used + 1] = <unsigned char>(length - 9)
    out[used + 2] = <unsigned char>(back & 0xff)
    return used + 3


cdef inline size_t common_length(
    const unsigned char *left, const unsigned char *right, size_t limit
) noexcept nogil:
    cdef size_t length = 0
    while length < limit and left[length] == right[length]:
        length += 1
    return length


cdef size_t lzf_compress(
    const unsigned char *data, size_t n, unsigned char *out, size_t room
) noexcept nogil:
    """Compress `n` bytes into `out`; the bytes written, or 0 if `room` is too small."""
    cdef uint32_t[1 << TABLE_BITS_MAX] table
    cdef size_t at = 0, plain_from = 0, used = 0, length, distance
    cdef int bits = TABLE_BITS_MIN
    cdef uint32_t slot
    while bits < TABLE_BITS_MAX and (<size_t>1 << bits) < n:
        bits += 1
    memset(table, 0, sizeof(uint32_t) << bits)

    while at + 2 < n:
        slot = slot_of(data + at, bits)
        # Positions are kept modulo 2**32. A cell may be stale or never written (0): it is only a
        # hint, and the comparison of the bytes decides.
        distance = <uint32_t>(<uint32_t>at - table[slot])
        table[slot] = <uint32_t>at
        length = 0
        if 0 < distance <= DISTANCE_MAX and distance <= at:
            length = common_length(
                data + at - distance, data + at, min(<size_t>LENGTH_MAX, n - at)
            )
        if length < 3:
            # Strides grow where nothing repeats, so that noise is passed over quickly.
            at += 1 + min((at - plain_from) >> 8, <size_t>STRIDE_MAX - 1)
            continue
        if at > plain_from:
            used = put_literals(data + plain_from, at - plain_from, out, used, room)
            if used == 0:
                return 0
        used = put_copy(distance, length, out, used, room)
        if used == 0:
            return 0
        at += length
        plain_from = at
        if at + 1 < n:
            table[slot_of(data + at - 1, bits)] = <uint32_t>(at - 1)
    if n > plain_from:
        used = put_literals(data + plain_from, n - plain_from, out, used, room)
    return used


cdef bint lzf_decompress(
    const unsigned char *data, size_t n, unsigned char *out, size_t size
) noexcept nogil:
    """Decompress `n` bytes to exactly `size` bytes; False for data that do not give that.

    Nothing outside `data[:n]` is read and nothing outside `out[:size]` is touched, whatever the
    data.
    """
    cdef size_t at = 0, made = 0, length, distance, i
    cdef unsigned char head
    while at < n:
        head = data[at]
        at += 1
        if head < LITERALS_MAX:
            length = <size_t>head + 1
            if length > n - at or length > size - made:
                return False
            memcpy(out + made, data + at, length)
            at += length
            made += length
            continue
        length = head >> 5
        if length == 7:
            if at == n:
                return False
            length += data[at]
            at += 1
        if at == n:
            return False
        length += 2
        distance = ((<size_t>(head & 0x1f) << 8) | data[at]) + 1
        at += 1
        if distance > made or length > size - made:
            return False
        if distance >= length:
            memcpy(out + made, out + made - distance, length)
        else:
            for i in range(length):
                out[made + i] = out[made + i - distance]
        made += length
    return made == size


def compress(data not None):
    """The compressed form, or None unless it saves at least four bytes (so Redis decides, too)."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return compressed(<const unsigned char *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


cdef object compressed(const unsigned char *data, size_t n):
    cdef size_t used
    cdef unsigned char *out
    if n <= 4:
        return None
    out = <unsigned char *>malloc(n - 4)
    if out == NULL:
        raise MemoryError
    try:
        with nogil:
            used = lzf_compress(data, n, out, n - 4)
        return (<const char *>out)[:used] if used > 0 else None
    finally:
        free(out)


def decompress(data not None, Py_ssize_t size):
    """The `size` bytes that were compressed; ValueError unless the data give just these."""
    cdef Py_buffer view
    cdef unsigned char *out
    cdef bint good
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if size < 0 or not lzf_plausible(view.len, size):
            raise ValueError("impossible size of LZF data")
        result = PyBytes_FromStringAndSize(NULL, size)
        out = <unsigned char *>PyBytes_AS_STRING(result)
        with nogil:
            good = lzf_decompress(<const unsigned char *>view.buf, view.len, out, size)
        if not good:
            raise ValueError("corrupt LZF data")
        return result
    finally:
        PyBuffer_Release(&view)
