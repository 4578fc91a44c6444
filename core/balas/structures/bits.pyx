"""Bits in byte strings: counting, finding, combining, and fields of up to 64 bits.

Bit 0 is the highest bit of byte 0, as Redis numbers them. Ranges of bits include both ends and must
lie inside the data; what lies outside of a field's data reads as zeros.

The functions named `bits_...` work on bare pointers; those below them are the same for Python.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AsString
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* Eight bytes a step; the compiler has an instruction for it only where it may assume one. */
    static inline uint64_t balas_popcount_words(const unsigned char *p, size_t words) {
        uint64_t total = 0, word;
        for (size_t i = 0; i < words; i++) {
            memcpy(&word, p + 8 * i, 8);
            total += (uint64_t)__builtin_popcountll(word);
        }
        return total;
    }
    #if defined(__x86_64__)
    __attribute__((target("popcnt")))
    static uint64_t balas_popcount_fast(const unsigned char *p, size_t words) {
        uint64_t a = 0, b = 0, c = 0, d = 0, word[4];
        while (words >= 4) {
            memcpy(word, p, 32);
            a += (uint64_t)__builtin_popcountll(word[0]);
            b += (uint64_t)__builtin_popcountll(word[1]);
            c += (uint64_t)__builtin_popcountll(word[2]);
            d += (uint64_t)__builtin_popcountll(word[3]);
            p += 32;
            words -= 4;
        }
        while (words--) {
            memcpy(word, p, 8);
            a += (uint64_t)__builtin_popcountll(word[0]);
            p += 8;
        }
        return a + b + c + d;
    }
    static uint64_t balas_popcount(const unsigned char *p, size_t words) {
        return __builtin_cpu_supports("popcnt") ? balas_popcount_fast(p, words)
                                                : balas_popcount_words(p, words);
    }
    #else
    #define balas_popcount balas_popcount_words
    #endif

    /* Folds `in` into `out`, eight bytes a step; the compiler makes wider ones of them. */
    #define BALAS_FOLD(name, expression) \
        static void balas_fold_##name(unsigned char *out, const unsigned char *in, size_t n) { \
            uint64_t o, i; \
            while (n >= 8) { \
                memcpy(&o, out, 8); \
                memcpy(&i, in, 8); \
                o = expression; \
                memcpy(out, &o, 8); \
                out += 8; in += 8; n -= 8; \
            } \
            for (; n; n--, out++, in++) { o = *out; i = *in; *out = (unsigned char)(expression); } \
        }
    BALAS_FOLD(and, o & i)
    BALAS_FOLD(or, o | i)
    BALAS_FOLD(xor, o ^ i)
    BALAS_FOLD(without, o & ~i)
    BALAS_FOLD(not, ((void)o, ~i))
    static void balas_fold_one(
        unsigned char *once, unsigned char *twice, const unsigned char *in, size_t n
    ) {
        for (size_t k = 0; k < n; k++) {
            twice[k] |= once[k] & in[k];
            once[k] |= in[k];
        }
    }
    """
    ctypedef long long wide "__int128"
    int __builtin_popcount(unsigned int) noexcept nogil
    int __builtin_clz(unsigned int) noexcept nogil
    uint64_t balas_popcount(const unsigned char *data, size_t words) noexcept nogil
    void balas_fold_and(unsigned char *out, const unsigned char *data, size_t n) noexcept nogil
    void balas_fold_or(unsigned char *out, const unsigned char *data, size_t n) noexcept nogil
    void balas_fold_xor(unsigned char *out, const unsigned char *data, size_t n) noexcept nogil
    void balas_fold_without(unsigned char *out, const unsigned char *data, size_t n) noexcept nogil
    void balas_fold_not(unsigned char *out, const unsigned char *data, size_t n) noexcept nogil
    void balas_fold_one(
        unsigned char *once, unsigned char *twice, const unsigned char *data, size_t n
    ) noexcept nogil

cdef tuple OPERATIONS = ("AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE")
cdef tuple OVERFLOWS = ("WRAP", "SAT", "FAIL")


# --- counting and finding -------------------------------------------------------------------------


cdef uint64_t bits_count(const unsigned char *data, uint64_t first, uint64_t last) noexcept nogil:
    """How many bits from `first` to `last` are set."""
    cdef uint64_t byte = first >> 3, end = last >> 3, words, total = 0
    cdef unsigned int head = 0xFF >> (first & 7), tail = (0xFF00 >> ((last & 7) + 1)) & 0xFF
    if first > last:
        return 0
    if byte == end:
        return __builtin_popcount(data[byte] & head & tail)
    total = __builtin_popcount(data[byte] & head) + __builtin_popcount(data[end] & tail)
    byte += 1
    words = (end - byte) >> 3
    total += balas_popcount(data + byte, words)
    byte += words << 3
    while byte < end:
        total += __builtin_popcount(data[byte])
        byte += 1
    return total


cdef int64_t bits_find(
    const unsigned char *data, bint bit, uint64_t first, uint64_t last
) noexcept nogil:
    """The first bit from `first` to `last` that is set, or clear if `bit` is false; -1 if none."""
    cdef uint64_t byte = first >> 3, end = last >> 3, skipped, word
    cdef unsigned char flip = 0 if bit else 0xFF
    cdef unsigned int found
    if first > last:
        return -1
    found = (data[byte] ^ flip) & (0xFF >> (first & 7))
    skipped = <uint64_t>0 if bit else ~<uint64_t>0
    while not found and byte < end:
        byte += 1
        while byte + 8 <= end:
            memcpy(&word, data + byte, 8)
            if word != skipped:
                break
            byte += 8
        found = data[byte] ^ flip
    if not found:
        return -1
    first = (byte << 3) + __builtin_clz(found) - 24
    return <int64_t>first if first <= last else -1


# --- combining ------------------------------------------------------------------------------------


cdef void fold_others(
    BitOperation operation, const unsigned char **inputs, const size_t *sizes, size_t count,
    unsigned char *out, size_t size
) noexcept nogil:
    """Fold all inputs but the first into `out`, which begins as the first or as zeros."""
    cdef size_t i
    for i in range(1, count):
        if operation == BITS_AND:
            balas_fold_and(out, inputs[i], sizes[i])
            memset(out + sizes[i], 0, size - sizes[i])
        elif operation == BITS_XOR:
            balas_fold_xor(out, inputs[i], sizes[i])
        elif operation == BITS_DIFF:
            balas_fold_without(out, inputs[i], sizes[i])
        else:
            balas_fold_or(out, inputs[i], sizes[i])


cdef int fold_one(
    const unsigned char **inputs, const size_t *sizes, size_t count, unsigned char *out, size_t size
) except -1:
    cdef unsigned char *twice = <unsigned char *>PyMem_Malloc(size + 1)
    cdef size_t i
    if twice == NULL:
        raise MemoryError
    memset(twice, 0, size)
    memset(out, 0, size)
    for i in range(count):
        balas_fold_one(out, twice, inputs[i], sizes[i])
    balas_fold_without(out, twice, size)
    PyMem_Free(twice)
    return 0


cdef int bits_combine(
    BitOperation operation, const unsigned char **inputs, const size_t *sizes, size_t count,
    unsigned char *out, size_t size
) except -1:
    """Combine inputs into `out`, whose size is that of the longest; shorter ones count as if zeros
    followed. `out` must not be one of the inputs.
    """
    if operation == BITS_ONE:
        return fold_one(inputs, sizes, count, out, size)
    if operation == BITS_NOT:
        balas_fold_not(out, inputs[0], size)
        return 0
    if operation == BITS_DIFF1 or operation == BITS_ANDOR:
        memset(out, 0, size)
    else:
        memcpy(out, inputs[0], sizes[0])
        memset(out + sizes[0], 0, size - sizes[0])
    fold_others(operation, inputs, sizes, count, out, size)
    if operation == BITS_DIFF1:
        balas_fold_without(out, inputs[0], sizes[0])
    elif operation == BITS_ANDOR:
        balas_fold_and(out, inputs[0], sizes[0])
        memset(out + sizes[0], 0, size - sizes[0])
    return 0


# --- fields ---------------------------------------------------------------------------------------


cdef uint64_t bits_get_unsigned(
    const unsigned char *data, size_t size, uint64_t offset, unsigned int width
) noexcept nogil:
    """The number in `width` bits (1 to 64) from bit `offset` on; zeros beyond the data."""
    cdef uint64_t byte = offset >> 3, value = 0
    cdef unsigned int skip = offset & 7, left = width, part, take
    while left:
        part = data[byte] if byte < size else 0
        take = min(8 - skip, left)
        part = (part >> (8 - skip - take)) & ((1 << take) - 1)
        value = (value << take) | part
        left -= take
        skip = 0
        byte += 1
    return value


cdef int64_t bits_get_signed(
    const unsigned char *data, size_t size, uint64_t offset, unsigned int width
) noexcept nogil:
    """As `bits_get_unsigned`, the first bit being the sign of a two's complement."""
    cdef uint64_t value = bits_get_unsigned(data, size, offset, width)
    if width < 64 and value >> (width - 1):
        value |= ~<uint64_t>0 << width
    return <int64_t>value


cdef void bits_set(
    unsigned char *data, uint64_t offset, unsigned int width, uint64_t value
) noexcept nogil:
    """Write the low `width` bits (1 to 64) of a number from bit `offset` on; the data must reach
    that far.
    """
    cdef uint64_t byte = (offset + width - 1) >> 3
    cdef unsigned int end = ((offset + width - 1) & 7) + 1, left = width, take, mask
    while left:
        take = min(end, left)
        mask = ((1 << take) - 1) << (8 - end)
        data[byte] = <unsigned char>(
            (data[byte] & ~mask) | ((<unsigned int>(value & 0xFF) << (8 - end)) & mask)
        )
        value >>= take
        left -= take
        end = 8
        byte -= 1


cdef FieldSum bits_add(
    int64_t value, int64_t increment, unsigned int width, bint is_signed, Overflow overflow
) noexcept nogil:
    """Add to the number of a field; what does not fit is wrapped or taken to the nearest that does.

    The value of an unsigned field has the bits of a uint64_t, so that -1 is far above its range,
    as Redis takes it when a field is set; an increment is signed for both. With FAIL the sum is
    wrapped and of no use.
    """
    cdef FieldSum result
    cdef wide total, low, high
    if is_signed:
        total = <wide>value + increment
        high = (<wide>1 << (width - 1)) - 1
        low = -high - 1
    else:
        total = <wide><uint64_t>value + increment
        high = (<wide>1 << width) - 1
        low = 0
    result.overflow = (total > high) - (total < low)
    if result.overflow and overflow == SATURATE:
        total = high if result.overflow > 0 else low
    result.value = <int64_t><uint64_t>total
    if result.overflow and width < 64:
        result.value &= (<int64_t>1 << width) - 1
        if is_signed and result.value >> (width - 1):
            result.value -= <int64_t>1 << width
    return result


# --- for Python -----------------------------------------------------------------------------------


def count(const unsigned char[::1] data not None, uint64_t first, uint64_t last):
    """How many bits from `first` to `last` (at most the last of the data) are set."""
    if data.shape[0] == 0:
        return 0
    return bits_count(&data[0], first, min(last, <uint64_t>data.shape[0] * 8 - 1))


def find(const unsigned char[::1] data not None, bint bit, uint64_t first, uint64_t last):
    """The first bit from `first` to `last` (at most the last of the data) that is as told, or -1.
    """
    if data.shape[0] == 0:
        return -1
    return bits_find(&data[0], bit, first, min(last, <uint64_t>data.shape[0] * 8 - 1))


def combine(str operation not None, inputs):
    """The bytes, as a bytearray, that AND, OR, XOR, NOT, DIFF, DIFF1, ANDOR or ONE make of at least
    one bytes or bytearray; NOT looks at the first alone.
    """
    cdef size_t n = len(inputs), size = 0, i
    cdef int code = OPERATIONS.index(operation)
    cdef const unsigned char **pointers
    cdef size_t *sizes
    cdef object text
    cdef bytearray made
    if n == 0:
        raise ValueError("nothing to combine")
    pointers = <const unsigned char **>PyMem_Malloc(n * (sizeof(void *) + sizeof(size_t)))
    if pointers == NULL:
        raise MemoryError
    try:
        sizes = <size_t *>(pointers + n)
        for i in range(n if operation != "NOT" else 1):
            text = inputs[i]
            if isinstance(text, bytearray):
                pointers[i] = <const unsigned char *>PyByteArray_AS_STRING(text)
            else:
                pointers[i] = <const unsigned char *>PyBytes_AsString(text)
            sizes[i] = len(text)
            size = max(size, sizes[i])
        made = PyByteArray_FromStringAndSize(NULL, size)
        bits_combine(
            <BitOperation>code, pointers, sizes, n, <unsigned char *>PyByteArray_AS_STRING(made),
            size,
        )
    finally:
        PyMem_Free(pointers)
    return made


cdef int check_width(unsigned int width) except -1:
    if not 1 <= width <= 64:
        raise ValueError("a field has 1 to 64 bits")
    return 0


def get_field(
    const unsigned char[::1] data not None, uint64_t offset, unsigned int width, bint signed
):
    """The number in `width` bits from bit `offset` on; zeros beyond the data."""
    cdef const unsigned char *start = &data[0] if data.shape[0] else NULL
    check_width(width)
    if signed:
        return bits_get_signed(start, data.shape[0], offset, width)
    return bits_get_unsigned(start, data.shape[0], offset, width)


def set_field(bytearray data not None, uint64_t offset, unsigned int width, value):
    """Write the low `width` bits of a number from bit `offset` on; IndexError beyond the data."""
    cdef unsigned char[::1] view = data
    check_width(width)
    if offset + width > <uint64_t>len(data) * 8:
        raise IndexError("the field ends beyond the data")
    bits_set(&view[0], offset, width, <uint64_t>(value & 0xFFFFFFFFFFFFFFFF))


def add_field(
    int64_t value, int64_t increment, unsigned int width, bint signed, str overflow not None
):
    """The sum, fitted as WRAP or SAT says, and 1, -1 or 0: above the range, below it, in it.

    To set a field to any number, add 0 to it. Unsigned fields have up to 63 bits here.
    """
    cdef FieldSum result
    check_width(width if signed else width + 1)
    result = bits_add(value, increment, width, signed, <Overflow><int>OVERFLOWS.index(overflow))
    return result.value, result.overflow
