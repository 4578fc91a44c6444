"""Numbers as text: integers, and doubles by their shortest digits.

A double is written with the fewest digits that read back as the same double, and laid out as
RedisJSON lays it out: `1.0`, `0.00001`, `1e-6`, `1000000000000000.0`, `1e16`, `1.5e300`.

The digits are found by Raffaello Giulietti's method ("The Schubfach way to render doubles", 2020):
the interval of numbers that round to the double is scaled by a power of ten, so that it holds at
least one and at most a few whole numbers, and the shortest of these is taken. It needs one table of
powers of ten with 128 bits each, made here when the module is imported.
"""

from libc.math cimport signbit
from libc.string cimport memcpy, memmove, memset

cdef extern from *:
    """
    static inline unsigned long long product_high(
        unsigned long long a, unsigned long long b, unsigned long long *low
    ) {
        unsigned __int128 p = (unsigned __int128)a * b;
        *low = (unsigned long long)p;
        return (unsigned long long)(p >> 64);
    }
    """
    uint64_t product_high(uint64_t a, uint64_t b, uint64_t *low) noexcept nogil

cdef enum:
    POWER_MIN = -292
    POWER_MAX = 324
    POWER_COUNT = 617
    EXPONENT_BIAS = 1075
    MANTISSA_BITS = 52

POWERS[:] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]

# Upper and lower half of 10**k, scaled to 128 bits and rounded up.
cdef uint64_t[617] POWER_HIGH
cdef uint64_t[617] POWER_LOW


def _scaled_power(exponent: int) -> int:
    """10**exponent times that power of two which gives it 128 bits, rounded up."""
    power = 10 ** abs(exponent)
    if exponent >= 0:
        shift = power.bit_length() - 128
        return -(-power >> shift) if shift > 0 else power << -shift
    bits = 127 + power.bit_length()
    quotient = -(-(1 << bits) // power)
    return quotient if quotient.bit_length() == 128 else -(-(1 << (bits + 1)) // power)


cdef int _fill_powers() except -1:
    cdef int i
    for i in range(POWER_COUNT):
        power = _scaled_power(i + POWER_MIN)
        POWER_HIGH[i] = power >> 64
        POWER_LOW[i] = power & 0xFFFFFFFFFFFFFFFF
    return 0


_fill_powers()


cdef inline uint64_t round_to_odd(uint64_t high, uint64_t low, uint64_t factor) noexcept nogil:
    """The upper 64 bits of the product of 192, its last bit set if anything was cut off."""
    cdef uint64_t ignored, middle, upper, carry
    carry = product_high(low, factor, &ignored)
    upper = product_high(high, factor, &middle)
    middle += carry
    if middle < carry:
        upper += 1
    return upper | (middle > 1)


cdef int shortest(double value, uint64_t *digits, int *decimal) noexcept nogil:
    """The shortest decimal for a positive finite double: digits times 10**decimal."""
    cdef uint64_t bits, fraction, c, left, middle, right, lower, upper, s, sp
    cdef uint64_t high, low
    cdef int exponent, q, k, h, odd
    cdef bint closer, up, down
    memcpy(&bits, &value, 8)
    fraction = bits & ((<uint64_t>1 << MANTISSA_BITS) - 1)
    exponent = <int>(bits >> MANTISSA_BITS) & 0x7FF
    if exponent:
        c = fraction | (<uint64_t>1 << MANTISSA_BITS)
        q = exponent - EXPONENT_BIAS
        if 0 <= -q <= MANTISSA_BITS and not c & ((<uint64_t>1 << -q) - 1):
            digits[0] = c >> -q
            decimal[0] = 0
            return strip_zeros(digits, decimal)
    else:
        c = fraction
        q = 1 - EXPONENT_BIAS
    odd = <int>(c & 1)
    # Below a power of two the doubles lie twice as dense.
    closer = fraction == 0 and exponent > 1
    k = (q * 1262611 - (524031 if closer else 0)) >> 22
    h = q + ((-k * 1741647) >> 19) + 1
    high = POWER_HIGH[-k - POWER_MIN]
    low = POWER_LOW[-k - POWER_MIN]
    left = round_to_odd(high, low, (4 * c - 2 + closer) << h)
    middle = round_to_odd(high, low, (4 * c) << h)
    right = round_to_odd(high, low, (4 * c + 2) << h)
    lower = left + odd
    upper = right - odd
    s = middle // 4
    if s >= 10:
        sp = s // 10
        up = lower <= 40 * sp
        down = 40 * sp + 40 <= upper
        if up != down:
            digits[0] = sp + down
            decimal[0] = k + 1
            return strip_zeros(digits, decimal)
    up = lower <= 4 * s
    down = 4 * s + 4 <= upper
    if up != down:
        digits[0] = s + down
    else:
        up = middle > 4 * s + 2 or (middle == 4 * s + 2 and (s & 1) != 0)
        digits[0] = s + up
    decimal[0] = k
    return strip_zeros(digits, decimal)


cdef inline int strip_zeros(uint64_t *digits, int *decimal) noexcept nogil:
    while digits[0] and digits[0] % 10 == 0:
        digits[0] //= 10
        decimal[0] += 1
    return 0


cdef int put_unsigned(uint64_t value, char *text) noexcept nogil:
    """Write a whole number, at most 20 bytes; returns how many."""
    cdef char[20] reversed_text
    cdef int n = 0, i
    while True:
        reversed_text[n] = <char>(c"0" + value % 10)
        n += 1
        value //= 10
        if not value:
            break
    for i in range(n):
        text[i] = reversed_text[n - 1 - i]
    return n


cdef int put_integer(int64_t value, char *text) noexcept nogil:
    """The same for a signed number."""
    if value < 0:
        text[0] = c"-"
        return put_unsigned(0 - <uint64_t>value, text + 1) + 1
    return put_unsigned(<uint64_t>value, text)


cdef int put_decimal(bint negative, uint64_t digits, int decimal, char *text) noexcept nogil:
    """Write digits times 10**decimal as a double is written; digits have no zeros at their end.

    Returns the size.
    """
    cdef int sign = 0, n, point, size
    if negative:
        text[0] = c"-"
        text += 1
        sign = 1
    n = put_unsigned(digits, text)
    if not digits:
        memcpy(text, b"0.0", 3)
        return sign + 3
    point = n + decimal  # where the point goes, counted from the first digit
    if 0 <= decimal and point <= 16:
        memset(text + n, c"0", decimal)
        memcpy(text + point, b".0", 2)
        return sign + point + 2
    if 0 < point <= 16:
        memmove(text + point + 1, text + point, n - point)
        text[point] = c"."
        return sign + n + 1
    if -5 < point <= 0:
        memmove(text + 2 - point, text, n)
        memset(text, c"0", 2 - point)
        text[1] = c"."
        return sign + 2 - point + n
    size = 1
    if n > 1:
        memmove(text + 2, text + 1, n - 1)
        text[1] = c"."
        size = n + 1
    text[size] = c"e"
    return sign + size + 1 + put_integer(point - 1, text + size + 1)


cdef int put_double(double value, char *text) noexcept nogil:
    """Write a finite double; returns the size."""
    cdef uint64_t digits = 0
    cdef int decimal = 0
    cdef bint negative = signbit(value) != 0
    if value != 0:
        shortest(-value if negative else value, &digits, &decimal)
    return put_decimal(negative, digits, decimal, text)


def format_double(double value) -> bytes:
    """The text of a finite double."""
    cdef char[NUMBER_SIZE] text
    cdef int n = put_double(value, text)
    return text[:n]
