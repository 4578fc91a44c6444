"""Numbers as text: what Redis takes for a number, and how it writes one.

Integers are strict, since `INCR` must give back the very text it would have stored: no blanks, no
plus sign, no leading zero, no `-0`. Doubles (scores, timeouts) are what C's strtod takes,
hexadecimal and `infinity` included, without blanks and NaN. INCRBYFLOAT and HINCRBYFLOAT alone
compute with `long double`, 80 bits on x86, so that 0.1 added ten times gives 1.
"""

from libc cimport errno
from libc.math cimport isinf, isnan, signbit
from libc.stdint cimport INT64_MAX, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, strtod
from libc.string cimport memcpy, memset

from balas.structures.grisu cimport grisu_digits


cdef extern from "<stdlib.h>" nogil:
    long double strtold(const char *text, char **end)

cdef extern from "<math.h>" nogil:
    bint long_isnan "isnan" (long double value)
    bint long_isinf "isinf" (long double value)


cdef enum:
    # The longest text read as a long double, closing zero included: as in Redis, and enough for
    # every long double written in full.
    LONG_DOUBLE_SIZE = 5120
    # Texts of doubles up to this size are read from the stack.
    DOUBLE_SIZE = 128

# 10**22 is the last power of ten that is exact in a double.
cdef double[23] EXACT_POWERS = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]
# The numbers 00 to 99.
cdef const char *PAIRS = (
    b"00010203040506070809101112131415161718192021222324"
    b"25262728293031323334353637383940414243444546474849"
    b"50515253545556575859606162636465666768697071727374"
    b"75767778798081828384858687888990919293949596979899"
)


# Integers

cdef bint string_to_int64(const char *text, size_t n, int64_t *value) noexcept nogil:
    """Read a canonical decimal int64; False, and `value` untouched, for anything else."""
    cdef bint negative
    cdef uint64_t magnitude, limit = <uint64_t>INT64_MAX
    cdef unsigned int digit
    cdef size_t i
    if n == 0 or n > 20:
        return False
    negative = text[0] == c"-"
    if negative:
        text += 1
        n -= 1
        limit += 1
    if n == 0 or n > 19:
        return False
    magnitude = <unsigned char>text[0] - <unsigned int>c"0"
    if magnitude > 9 or (magnitude == 0 and (n > 1 or negative)):
        return False
    for i in range(1, n):
        digit = <unsigned char>text[i] - <unsigned int>c"0"
        if digit > 9:
            return False
        magnitude = magnitude * 10 + digit
    if magnitude > limit:
        return False
    value[0] = <int64_t>(0 - magnitude) if negative else <int64_t>magnitude
    return True


cdef size_t int64_to_string(int64_t value, char *text) noexcept nogil:
    """Write the decimal text (at most 20 bytes, no closing zero); returns its size."""
    cdef char digits[20]
    cdef uint64_t rest = <uint64_t>value if value >= 0 else 0 - <uint64_t>value
    cdef uint64_t pair
    cdef size_t at = sizeof(digits)
    # Two digits at a time, from the last.
    while rest > 99:
        pair = rest % 100 * 2
        rest //= 100
        at -= 2
        memcpy(digits + at, PAIRS + pair, 2)
    if rest > 9:
        at -= 2
        memcpy(digits + at, PAIRS + rest * 2, 2)
    else:
        at -= 1
        digits[at] = <char>(c"0" + rest)
    if value < 0:
        at -= 1
        digits[at] = c"-"
    memcpy(text, digits + at, sizeof(digits) - at)
    return sizeof(digits) - at


def parse_int(bytes data not None):
    """The int64 that is written in its one canonical form, else None."""
    cdef int64_t value
    if string_to_int64(data, len(data), &value):
        return value
    return None


# Doubles

cdef bint read_plain(const char *text, size_t n, double *value) noexcept nogil:
    """Read what most doubles look like, `-123.45`: False means that strtod must decide.

    Up to 15 digits are exact in a double, so is the power of ten, and one division rounds but once:
    the result is the nearest double.
    """
    cdef bint negative = n > 0 and text[0] == c"-"
    cdef uint64_t digits = 0
    cdef size_t i = negative, count, point = n
    cdef double magnitude
    count = n - i
    while i < n:
        if c"0" <= text[i] <= c"9":
            digits = digits * 10 + <uint64_t>(text[i] - c"0")
        elif text[i] == c"." and point == n:
            point = i
            count -= 1
        else:
            return False
        i += 1
        if i > 17:
            return False
    if count == 0 or count > 15:
        return False
    magnitude = <double>digits
    if point < n:
        magnitude /= EXACT_POWERS[n - point - 1]
    value[0] = -magnitude if negative else magnitude
    return True


cdef bint read_terminated(const char *text, size_t n, double *value) noexcept nogil:
    """Read a double from a text that a zero byte closes."""
    cdef char *end
    errno.errno = 0
    value[0] = strtod(text, &end)
    if <size_t>(end - text) != n or isnan(value[0]) or errno.errno == errno.EINVAL:
        return False
    return errno.errno != errno.ERANGE or not (isinf(value[0]) or value[0] == 0)


cdef bint string_to_double(const char *text, size_t n, double *value) except -1 nogil:
    """Read a double as ZADD takes a score; False for all else, NaN, overflow and underflow to zero.

    Raises MemoryError when there is no room for a copy of a very long text.
    """
    cdef char[DOUBLE_SIZE] small
    cdef char *copy = small
    cdef bint good
    if n == 0 or is_blank(text[0]):
        return False
    if read_plain(text, n, value):
        return True
    if n >= DOUBLE_SIZE:
        copy = <char *>malloc(n + 1)
        if copy == NULL:
            raise MemoryError
    memcpy(copy, text, n)
    copy[n] = 0
    good = read_terminated(copy, n, value)
    if copy != small:
        free(copy)
    return good


cdef inline bint is_blank(char byte) noexcept nogil:
    return byte == c" " or c"\t" <= byte <= c"\r"


cdef size_t lay_out(
    const char *digits, int count, int decimal, char *text
) noexcept nogil:
    """Write digits times 10**decimal: plainly where that is short, else as `1.5e+300`."""
    cdef int exponent = count + decimal - 1
    cdef int zeros
    cdef size_t n
    if 0 <= decimal and exponent < count + 7:
        memcpy(text, digits, count)
        memset(text + count, c"0", decimal)
        return count + decimal
    if decimal < 0 and (decimal > -7 or -4 < exponent < 4):
        if exponent >= 0:
            memcpy(text, digits, exponent + 1)
            text[exponent + 1] = c"."
            memcpy(text + exponent + 2, digits + exponent + 1, -decimal)
            return count + 1
        zeros = -exponent - 1
        memcpy(text, b"0.", 2)
        memset(text + 2, c"0", zeros)
        memcpy(text + 2 + zeros, digits, count)
        return 2 + zeros + count
    text[0] = digits[0]
    n = 1
    if count > 1:
        text[1] = c"."
        memcpy(text + 2, digits + 1, count - 1)
        n = count + 1
    text[n] = c"e"
    text[n + 1] = c"+" if exponent >= 0 else c"-"
    return n + 2 + int64_to_string(exponent if exponent >= 0 else -exponent, text + n + 2)


cdef size_t double_to_string(double value, char *text) noexcept nogil:
    """Write a double as Redis replies with it into 32 bytes, unterminated; returns its size."""
    # Whole numbers up to 2**62 are written with all their digits, exact or not.
    if -4611686018427387904.0 <= value <= 4611686018427387904.0:
        if value != 0 and value == <double><int64_t>value:
            return int64_to_string(<int64_t>value, text)
    return digits_to_string(value, text)


cdef size_t digits_to_string(double value, char *text) noexcept nogil:
    """Write a double with its shortest digits into 32 bytes, unterminated; returns its size."""
    cdef char[18] digits
    cdef int count, decimal
    cdef size_t sign = 0
    if isnan(value):
        memcpy(text, b"nan", 3)
        return 3
    if value == 0:
        memcpy(text, b"-0", 2)
        if not signbit(value):
            text[0] = c"0"
        return 2 if signbit(value) else 1
    if value < 0:
        text[0] = c"-"
        sign = 1
        value = -value
    if isinf(value):
        memcpy(text + sign, b"inf", 3)
        return sign + 3
    count = grisu_digits(value, digits, &decimal)
    return sign + lay_out(digits, count, decimal, text + sign)


def parse_float(bytes data not None):
    """The double that the text stands for, by the rules of a ZADD score, else None."""
    cdef double value
    if string_to_double(data, len(data), &value):
        return value
    return None


def format_double(double value):
    """The text of a double in replies: `1.5`, `3`, `1e-7`, `-inf`, `nan`."""
    cdef char[32] text
    cdef size_t n = double_to_string(value, text)
    return text[:n]


def format_digits(double value):
    """The same in as few digits as possible for whole numbers, too: 1e+9."""
    cdef char[32] text
    cdef size_t n = digits_to_string(value, text)
    return text[:n]


# Long doubles

cdef bint string_to_long_double(const char *text, size_t n, long double *value) noexcept nogil:
    """Read a long double as INCRBYFLOAT does: infinity is good, NaN or underflow are not."""
    cdef char[LONG_DOUBLE_SIZE] copy
    cdef char *end
    if n == 0 or n >= LONG_DOUBLE_SIZE or is_blank(text[0]):
        return False
    memcpy(copy, text, n)
    copy[n] = 0
    errno.errno = 0
    value[0] = strtold(copy, &end)
    if <size_t>(end - copy) != n or long_isnan(value[0]) or errno.errno == errno.EINVAL:
        return False
    return errno.errno != errno.ERANGE or not (long_isinf(value[0]) or value[0] == 0)


cdef size_t long_double_to_string(long double value, char *text) noexcept nogil:
    """Write a finite long double into LONG_DOUBLE_SIZE bytes: 17 decimals, end zeros cut."""
    cdef size_t n = <size_t>snprintf(text, LONG_DOUBLE_SIZE, b"%.17Lf", value)
    while text[n - 1] == c"0":
        n -= 1
    if text[n - 1] == c".":
        n -= 1
    if n == 2 and text[0] == c"-" and text[1] == c"0":
        text[0] = c"0"
        n = 1
    return n


def is_long_double(bytes data not None):
    """Whether INCRBYFLOAT would take the text for a number; infinities count, NaN does not."""
    cdef long double value
    return string_to_long_double(data, len(data), &value)


def is_finite_long_double(bytes data not None):
    """The same without infinities, which HINCRBYFLOAT refuses as an increment."""
    cdef long double value
    return string_to_long_double(data, len(data), &value) and not long_isinf(value)


def increment_float(bytes current not None, bytes by not None):
    """The text of `current + by` in long doubles: `10.5` and `0.1` give `10.6`.

    ValueError when one of them is not a number, OverflowError when the sum is NaN or infinite.
    """
    cdef long double left, right
    cdef char[LONG_DOUBLE_SIZE] text
    cdef size_t n
    if not string_to_long_double(current, len(current), &left):
        raise ValueError("current value is not a float")
    if not string_to_long_double(by, len(by), &right):
        raise ValueError("increment is not a float")
    left += right
    if long_isnan(left) or long_isinf(left):
        raise OverflowError("increment would produce NaN or Infinity")
    n = long_double_to_string(left, text)
    return text[:n]
