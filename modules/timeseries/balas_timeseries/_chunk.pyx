"""Compressed samples: the kernel of a series.

A chunk holds samples in rising order of time as bits, after "Gorilla: A Fast, Scalable, In-Memory
Time Series Database" (Pelkonen and others, VLDB 2015). Of a timestamp it keeps how much its
distance from the one before differs from the distance before that, and of a value the bits in
which it differs from the one before. A regular series of a steady value takes two bits a sample.

Timestamps, from the shortest: 0 is the same distance; 10, 110, 1110 and 11110 are followed by a
difference of 7, 10, 16 and 32 bits; 11111 by 64. Values: 0 is the same value; 10 is followed by the
bits that differ, in the window of the value before; 11 by a new window (6 bits of leading zeros, 6
of length less one) and the bits.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

cdef extern from *:
    """
    #define leading_zeros(x) __builtin_clzll(x)
    #define trailing_zeros(x) __builtin_ctzll(x)
    """
    int leading_zeros(uint64_t value) nogil
    int trailing_zeros(uint64_t value) nogil

# A sample at its longest: 5 + 64 bits of time, 2 + 12 + 64 of value.
cdef int LONGEST_BITS = 147
# Reading and writing go 9 bytes at a time, so this much lies behind the room.
cdef int MARGIN_BYTES = 16
cdef int NO_WINDOW = -1


cdef inline uint64_t bits_of(double value) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &value, 8)
    return bits


cdef inline uint64_t take(const unsigned char *data, int64_t *position, int width) noexcept nogil:
    """The next `width` bits, the lowest first."""
    cdef int64_t at = position[0] >> 3
    cdef int shift = position[0] & 7
    cdef uint64_t word
    memcpy(&word, data + at, 8)
    word >>= shift
    if shift + width > 64:
        word |= (<uint64_t>data[at + 8]) << (64 - shift)
    position[0] += width
    if width < 64:
        word &= (<uint64_t>1 << width) - 1
    return word


cdef inline int64_t signed(uint64_t folded) noexcept nogil:
    return <int64_t>(folded >> 1) ^ -<int64_t>(folded & 1)


cdef class Chunk:
    """Samples in rising order of time, in `size_bytes` of memory."""

    def __cinit__(self, int64_t size_bytes):
        # Two samples always have room: 128 + 147 bits.
        if size_bytes < 48:
            raise ValueError("a chunk without room")
        self.data = <unsigned char *>calloc(size_bytes + MARGIN_BYTES, 1)
        if self.data == NULL:
            raise MemoryError
        self.size_bytes = size_bytes
        self.leading = NO_WINDOW

    def __dealloc__(self):
        free(self.data)

    cdef void put(self, uint64_t value, int width) noexcept:
        cdef int64_t at = self.bits >> 3
        cdef int shift = self.bits & 7
        cdef uint64_t word
        memcpy(&word, self.data + at, 8)
        word |= value << shift
        memcpy(self.data + at, &word, 8)
        if shift + width > 64:
            self.data[at + 8] = <unsigned char>(value >> (64 - shift))
        self.bits += width

    cpdef bint append(self, int64_t timestamp, double value):
        """Add a sample later than all others; False if there is no room for it."""
        cdef int64_t delta, difference
        cdef uint64_t folded, changed
        cdef int leading, trailing, length
        if self.count == 0:
            self.first = timestamp
            self.put(<uint64_t>timestamp, 64)
            self.put(bits_of(value), 64)
        else:
            if self.bits + LONGEST_BITS > self.size_bytes * 8:
                return False
            delta = timestamp - self.last
            difference = delta - self.delta
            folded = (<uint64_t>difference << 1) ^ <uint64_t>(difference >> 63)
            if folded == 0:
                self.put(0, 1)
            elif folded < 1 << 7:
                self.put(1 | folded << 2, 9)
            elif folded < 1 << 10:
                self.put(3 | folded << 3, 13)
            elif folded < 1 << 16:
                self.put(7 | folded << 4, 20)
            elif folded < <uint64_t>1 << 32:
                self.put(15 | folded << 5, 37)
            else:
                self.put(31, 5)
                self.put(folded, 64)
            self.delta = delta
            changed = bits_of(value) ^ bits_of(self.last_value)
            if changed == 0:
                self.put(0, 1)
            else:
                leading = leading_zeros(changed)
                trailing = trailing_zeros(changed)
                length = 64 - leading - trailing
                if (
                    self.leading != NO_WINDOW
                    and leading >= self.leading
                    and trailing >= self.trailing
                    # A new window pays off when it saves more than its 12 bits.
                    and 64 - self.leading - self.trailing <= length + 12
                ):
                    self.put(1, 2)
                    self.put(changed >> self.trailing, 64 - self.leading - self.trailing)
                else:
                    self.put(3 | leading << 2 | (length - 1) << 8, 14)
                    self.put(changed >> trailing, length)
                    self.leading = leading
                    self.trailing = trailing
        self.last = timestamp
        self.last_value = value
        self.count += 1
        return True

    cdef void fill(self, int64_t *timestamps, double *values) noexcept:
        cdef int64_t position = 0, i, timestamp, delta = 0
        cdef uint64_t bits
        cdef int trailing = 0, length = 0
        cdef const unsigned char *data = self.data
        if self.count == 0:
            return
        timestamp = <int64_t>take(data, &position, 64)
        bits = take(data, &position, 64)
        timestamps[0] = timestamp
        memcpy(&values[0], &bits, 8)
        for i in range(1, self.count):
            if take(data, &position, 1):
                if not take(data, &position, 1):
                    delta += signed(take(data, &position, 7))
                elif not take(data, &position, 1):
                    delta += signed(take(data, &position, 10))
                elif not take(data, &position, 1):
                    delta += signed(take(data, &position, 16))
                elif not take(data, &position, 1):
                    delta += signed(take(data, &position, 32))
                else:
                    delta += signed(take(data, &position, 64))
            timestamp += delta
            timestamps[i] = timestamp
            if take(data, &position, 1):
                if take(data, &position, 1):
                    trailing = 64 - <int>take(data, &position, 6)
                    length = <int>take(data, &position, 6) + 1
                    trailing -= length
                bits ^= take(data, &position, length) << trailing
            memcpy(&values[i], &bits, 8)

    def decode(self):
        """Timestamps (int64, ms) and values (float64), as two new arrays."""
        timestamps = np.empty(self.count, dtype=np.int64)
        values = np.empty(self.count, dtype=np.float64)
        cdef int64_t[::1] to_timestamps
        cdef double[::1] to_values
        if self.count:
            to_timestamps = timestamps
            to_values = values
            self.fill(&to_timestamps[0], &to_values[0])
        return timestamps, values

    def used(self):
        """The bits in use as bytes."""
        return PyBytes_FromStringAndSize(<char *>self.data, (self.bits + 7) >> 3)


def decode_all(list chunks):
    """Timestamps and values of several chunks in a row, as two new arrays."""
    cdef int64_t total = 0, at = 0
    cdef Chunk chunk
    for chunk in chunks:
        total += chunk.count
    timestamps = np.empty(total, dtype=np.int64)
    values = np.empty(total, dtype=np.float64)
    cdef int64_t[::1] to_timestamps
    cdef double[::1] to_values
    if total:
        to_timestamps = timestamps
        to_values = values
        for chunk in chunks:
            chunk.fill(&to_timestamps[at], &to_values[at])
            at += chunk.count
    return timestamps, values


def encode_all(const int64_t[::1] timestamps, const double[::1] values, int64_t size_bytes):
    """Chunks of `size_bytes` that hold these samples, whose timestamps must rise."""
    cdef int64_t i
    cdef list made = []
    cdef Chunk chunk = None
    for i in range(timestamps.shape[0]):
        if chunk is None or not chunk.append(timestamps[i], values[i]):
            chunk = Chunk(size_bytes)
            made.append(chunk)
            chunk.append(timestamps[i], values[i])
    return made
