"""The decimal digits of a double, few and fast: Grisu2 of Florian Loitsch ("Printing Floating-Point
Numbers Quickly and Accurately with Integers", 2010).

Redis 8 prints doubles with this algorithm. It always gives digits that read back as the same
double, but for about one double in 250 they are not the shortest, or not the nearest among the
shortest (1e23 becomes 99999999999999990000000). To give the same digits we must make the same small
mistakes, so Python's own repr, which makes none, does not serve here.

The idea: a double stands for every real number between the midpoints to its neighbours. Multiply
the double and both midpoints with a stored power of ten, so that their product has a handy binary
exponent; then write digits of the upper bound until what is left is smaller than the width of that
interval. The stored powers are rounded to 64 bits, so a product may be off by one unit in the last
place; the interval is narrowed by one unit at both ends to stay on the safe side, and that is where
the mistakes come from.
"""

from libc.string cimport memcpy


cdef enum:
    MANTISSA_BITS = 52
    EXPONENT_BIAS = 1075
    # A scaled upper bound has its binary point between bit 32 and bit 60: the whole part then fits
    # 32 bits, and the fraction can be multiplied by ten without overflow.
    EXPONENT_LOW = -60
    EXPONENT_HIGH = -32
    # POWERS holds 10**-348, 10**-340, ... 10**340: a step of eight decimal digits (26.6 bits)
    # always leaves one power within the 28 bits above.
    POWER_FIRST = -348
    POWER_STEP = 8
    POWER_COUNT = 87


cdef struct Scaled:
    # The number fraction * 2**exponent.
    uint64_t fraction
    int exponent


# The leading 64 bits of the powers, rounded to nearest. The binary exponent follows from the
# decimal one: floor(k * log2(10)) - 63, where 217706 / 65536 is close enough to log2(10) over this
# range.
cdef uint64_t[POWER_COUNT] POWERS = [
    0xfa8fd5a0081c0288U, 0xbaaee17fa23ebf76U, 0x8b16fb203055ac76U, 0xcf42894a5dce35eaU,
    0x9a6bb0aa55653b2dU, 0xe61acf033d1a45dfU, 0xab70fe17c79ac6caU, 0xff77b1fcbebcdc4fU,
    0xbe5691ef416bd60cU, 0x8dd01fad907ffc3cU, 0xd3515c2831559a83U, 0x9d71ac8fada6c9b5U,
    0xea9c227723ee8bcbU, 0xaecc49914078536dU, 0x823c12795db6ce57U, 0xc21094364dfb5637U,
    0x9096ea6f3848984fU, 0xd77485cb25823ac7U, 0xa086cfcd97bf97f4U, 0xef340a98172aace5U,
    0xb23867fb2a35b28eU, 0x84c8d4dfd2c63f3bU, 0xc5dd44271ad3cdbaU, 0x936b9fcebb25c996U,
    0xdbac6c247d62a584U, 0xa3ab66580d5fdaf6U, 0xf3e2f893dec3f126U, 0xb5b5ada8aaff80b8U,
    0x87625f056c7c4a8bU, 0xc9bcff6034c13053U, 0x964e858c91ba2655U, 0xdff9772470297ebdU,
    0xa6dfbd9fb8e5b88fU, 0xf8a95fcf88747d94U, 0xb94470938fa89bcfU, 0x8a08f0f8bf0f156bU,
    0xcdb02555653131b6U, 0x993fe2c6d07b7facU, 0xe45c10c42a2b3b06U, 0xaa242499697392d3U,
    0xfd87b5f28300ca0eU, 0xbce5086492111aebU, 0x8cbccc096f5088ccU, 0xd1b71758e219652cU,
    0x9c40000000000000U, 0xe8d4a51000000000U, 0xad78ebc5ac620000U, 0x813f3978f8940984U,
    0xc097ce7bc90715b3U, 0x8f7e32ce7bea5c70U, 0xd5d238a4abe98068U, 0x9f4f2726179a2245U,
    0xed63a231d4c4fb27U, 0xb0de65388cc8ada8U, 0x83c7088e1aab65dbU, 0xc45d1df942711d9aU,
    0x924d692ca61be758U, 0xda01ee641a708deaU, 0xa26da3999aef774aU, 0xf209787bb47d6b85U,
    0xb454e4a179dd1877U, 0x865b86925b9bc5c2U, 0xc83553c5c8965d3dU, 0x952ab45cfa97a0b3U,
    0xde469fbd99a05fe3U, 0xa59bc234db398c25U, 0xf6c69a72a3989f5cU, 0xb7dcbf5354e9beceU,
    0x88fcf317f22241e2U, 0xcc20ce9bd35c78a5U, 0x98165af37b2153dfU, 0xe2a0b5dc971f303aU,
    0xa8d9d1535ce3b396U, 0xfb9b7cd9a4a7443cU, 0xbb764c4ca7a44410U, 0x8bab8eefb6409c1aU,
    0xd01fef10a657842cU, 0x9b10a4e5e9913129U, 0xe7109bfba19c0c9dU, 0xac2820d9623bf429U,
    0x80444b5e7aa7cf85U, 0xbf21e44003acdd2dU, 0x8e679c2f5e44ff8fU, 0xd433179d9c8cb841U,
    0x9e19db92b4e31ba9U, 0xeb96bf6ebadf77d9U, 0xaf87023b9bf0ee6bU,
]


cdef inline Scaled normalized(uint64_t fraction, int exponent) noexcept nogil:
    """The same number with the top bit of its fraction set."""
    cdef Scaled result
    while not fraction >> 63:
        fraction <<= 1
        exponent -= 1
    result.fraction = fraction
    result.exponent = exponent
    return result


cdef inline Scaled product(Scaled left, Scaled right) noexcept nogil:
    """The upper 64 bits of the product, rounded to nearest from the upper 32 bits of the rest."""
    cdef Scaled result
    cdef uint64_t low = 0xffffffffU
    cdef uint64_t high_high = (left.fraction >> 32) * (right.fraction >> 32)
    cdef uint64_t high_low = (left.fraction >> 32) * (right.fraction & low)
    cdef uint64_t low_high = (left.fraction & low) * (right.fraction >> 32)
    cdef uint64_t low_low = (left.fraction & low) * (right.fraction & low)
    cdef uint64_t middle = (high_low & low) + (low_high & low) + (low_low >> 32) + 0x80000000U
    result.fraction = high_high + (high_low >> 32) + (low_high >> 32) + (middle >> 32)
    result.exponent = left.exponent + right.exponent + 64
    return result


cdef Scaled power_for(int exponent, int *decimal) noexcept nogil:
    """A stored power of ten that brings a normalized number of this binary exponent into the
    window.

    Two may do; the digits depend on which is taken, so the search starts where Redis's does.
    """
    cdef int index = (<int>(-(exponent + POWER_COUNT) * 0.30102999566398114) - POWER_FIRST)
    cdef Scaled power
    cdef int place
    index //= POWER_STEP
    while True:
        decimal[0] = POWER_FIRST + index * POWER_STEP
        power.fraction = POWERS[index]
        power.exponent = ((decimal[0] * 217706) >> 16) - 63
        place = exponent + power.exponent + 64
        if place < EXPONENT_LOW:
            index += 1
        elif place > EXPONENT_HIGH:
            index -= 1
        else:
            return power


cdef inline void pull_to_value(
    char *last, uint64_t width, uint64_t rest, uint64_t unit, uint64_t to_value
) noexcept nogil:
    """Lower the last digit while that brings the digits nearer to the value and within the
    interval.

    `rest` is the distance of the digits from the upper bound, `to_value` that of the value
    itself.
    """
    while (
        rest < to_value
        and width - rest >= unit
        and (rest + unit < to_value or to_value - rest > rest + unit - to_value)
    ):
        last[0] -= 1
        rest += unit


cdef int write_digits(
    Scaled value, Scaled upper, Scaled lower, char *digits, int *decimal
) noexcept nogil:
    """Write digits of the upper bound until they fall into the interval; returns how many."""
    cdef uint64_t to_value = upper.fraction - value.fraction
    cdef uint64_t width = upper.fraction - lower.fraction
    cdef int shift = -upper.exponent
    cdef uint64_t one = <uint64_t>1 << shift
    cdef uint64_t whole = upper.fraction >> shift
    cdef uint64_t part = upper.fraction & (one - 1)
    cdef uint64_t rest, digit, divisor = 1000000000U, scale = 1
    cdef int count = 0, place = 10
    while place > 0:
        digit = whole // divisor
        if digit or count:
            digits[count] = <char>(c"0" + digit)
            count += 1
        whole -= digit * divisor
        place -= 1
        rest = (whole << shift) + part
        if rest <= width:
            decimal[0] += place
            pull_to_value(digits + count - 1, width, rest, divisor << shift, to_value)
            return count
        divisor //= 10
    while True:
        part *= 10
        width *= 10
        scale *= 10
        place -= 1
        digit = part >> shift
        if digit or count:
            digits[count] = <char>(c"0" + digit)
            count += 1
        part &= one - 1
        if part < width:
            decimal[0] += place
            pull_to_value(digits + count - 1, width, part, one, to_value * scale)
            return count


cdef int grisu_digits(double value, char *digits, int *decimal) noexcept nogil:
    """Write the digits of a positive finite double into 18 bytes; returns how many.

    The value is those digits, read as a whole number, times 10**decimal.
    """
    cdef uint64_t bits, hidden = <uint64_t>1 << MANTISSA_BITS
    cdef uint64_t fraction
    cdef int exponent, nearer
    cdef Scaled exact, upper, lower, power
    memcpy(&bits, &value, 8)
    fraction = bits & (hidden - 1)
    exponent = <int>(bits >> MANTISSA_BITS) & 0x7ff
    if exponent:
        fraction += hidden
        exponent -= EXPONENT_BIAS
    else:
        exponent = 1 - EXPONENT_BIAS

    upper = normalized((fraction << 1) + 1, exponent - 1)
    # Below a power of two the doubles lie twice as dense, so the lower midpoint is nearer.
    nearer = 2 if fraction == hidden else 1
    lower.fraction = ((fraction << nearer) - 1) << (exponent - nearer - upper.exponent)
    lower.exponent = upper.exponent
    exact = normalized(fraction, exponent)

    power = power_for(upper.exponent, decimal)
    decimal[0] = -decimal[0]
    exact = product(exact, power)
    upper = product(upper, power)
    lower = product(lower, power)
    upper.fraction -= 1
    lower.fraction += 1
    return write_digits(exact, upper, lower, digits, decimal)


def digits(double value):
    """Digits and decimal exponent of a finite double above zero: 12.5 gives (b"125", -1)."""
    cdef char[18] text
    cdef int decimal, count
    if not 0 < value < float("inf"):
        raise ValueError("not a finite double above zero")
    count = grisu_digits(value, text, &decimal)
    return text[:count], decimal
