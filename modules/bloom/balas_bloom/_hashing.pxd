# MurmurHash, as RedisBloom computes it, and numbers read from arguments: what all structures share.

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef inline uint64_t murmur_64(
    const char *data, Py_ssize_t length, uint64_t seed
) noexcept nogil:
    """MurmurHash64A for little-endian machines.

    `data` is that of a bytes object: in front of its content stands its hash, so the eight bytes
    that end with the last one may always be read, however short it is.
    """
    cdef uint64_t factor = 0xC6A4A7935BD1E995ULL
    cdef uint64_t h = seed ^ (<uint64_t>length * factor)
    cdef uint64_t k
    cdef const char *tail = data + (length & ~7)
    while data < tail:
        memcpy(&k, data, 8)
        k *= factor
        k ^= k >> 47
        h ^= k * factor
        h *= factor
        data += 8
    if length & 7:
        memcpy(&k, tail + (length & 7) - 8, 8)
        h ^= k >> (64 - 8 * (length & 7))
        h *= factor
    h ^= h >> 47
    h *= factor
    h ^= h >> 47
    return h


cdef inline uint32_t murmur_32(const char *data, Py_ssize_t length, uint32_t seed) noexcept nogil:
    """MurmurHash2 for little-endian machines."""
    cdef uint32_t factor = 0x5BD1E995U
    cdef uint32_t h = seed ^ <uint32_t>length
    cdef uint32_t k
    cdef const char *tail = data + (length & ~3)
    while data < tail:
        memcpy(&k, data, 4)
        k *= factor
        k ^= k >> 24
        h *= factor
        h ^= k * factor
        data += 4
    if length & 3:
        k = 0
        memcpy(&k, tail, length & 3)
        h ^= k
        h *= factor
    h ^= h >> 13
    h *= factor
    h ^= h >> 15
    return h


# What MurmurHash2 makes of the data before the seed comes into it: the rows of a sketch differ in
# nothing but that. `data` and `length` are kept for what is too long.
cdef enum:
    BLENDED_WORDS = 16

cdef struct Blend:
    const char *data
    Py_ssize_t length
    uint32_t words[BLENDED_WORDS]
    uint32_t tail


cdef inline void blend(Blend *made, const char *data, Py_ssize_t length) noexcept nogil:
    """Prepare `blended_32` for these bytes."""
    cdef uint32_t factor = 0x5BD1E995U
    cdef uint32_t k
    cdef Py_ssize_t i
    made.data = data
    made.length = length
    made.tail = 0
    if length >= 4 * (BLENDED_WORDS + 1):
        return
    for i in range(length >> 2):
        memcpy(&k, data + 4 * i, 4)
        k *= factor
        k ^= k >> 24
        made.words[i] = k * factor
    memcpy(&made.tail, data + (length & ~3), length & 3)


cdef inline uint32_t blended_32(const Blend *made, uint32_t seed) noexcept nogil:
    """`murmur_32` of the bytes with this seed."""
    cdef uint32_t factor = 0x5BD1E995U
    cdef uint32_t h = seed ^ <uint32_t>made.length
    cdef Py_ssize_t i
    if made.length >= 4 * (BLENDED_WORDS + 1):
        return murmur_32(made.data, made.length, seed)
    for i in range(made.length >> 2):
        h = h * factor ^ made.words[i]
    if made.length & 3:
        h = (h ^ made.tail) * factor
    h ^= h >> 13
    h *= factor
    h ^= h >> 15
    return h


cdef inline bint read_int64(const char *text, Py_ssize_t length, int64_t *value) noexcept nogil:
    """Read a decimal integer in its one canonical form; False for anything else."""
    cdef bint negative = length > 0 and text[0] == c"-"
    cdef uint64_t limit = <uint64_t>INT64_MAX + negative
    cdef uint64_t total = 0
    cdef uint64_t digit
    cdef Py_ssize_t i = negative
    if length == 1 and text[0] == c"0":
        value[0] = 0
        return True
    if length - i < 1 or length - i > 19 or not c"1" <= text[i] <= c"9":
        return False
    while i < length:
        if not c"0" <= text[i] <= c"9":
            return False
        digit = text[i] - c"0"
        total = total * 10 + digit
        i += 1
    # Nineteen digits fit an unsigned number, if not always a signed one.
    if total > limit:
        return False
    value[0] = <int64_t>(0 - total) if negative else <int64_t>total
    return True
