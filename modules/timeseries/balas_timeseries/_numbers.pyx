"""Numbers as clients send and see them.

A value is read as RedisTimeSeries reads it: the longest beginning that is a number in JSON's
grammar, whatever follows. So 1abc is 1, 0x10 is 0, and +1, .5, 1. and 00 are none.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.math cimport fabs, isinf, rint
from libc.stdint cimport int64_t, uint64_t
from libc.stdio cimport sprintf
from libc.stdlib cimport atoi, free, realloc
from libc.string cimport memcpy

from balas.api cimport double_to_string
from balas_timeseries._shortest cimport shortest_text

from balas.api import Encoded, ReplyError, Status

cdef extern from *:
    """
    static const double TENS[] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18
    };
    """
    const double TENS[19]

BAD_VALUE = "ERR TSDB: invalid value"
BAD_TIME = "ERR TSDB: invalid timestamp"
NEGATIVE_TIME = "ERR TSDB: invalid timestamp, must be a nonnegative integer"

cdef enum:
    # So many digits are a whole number that a double holds exactly, and so is the power of ten.
    DIGITS_EXACT = 15
    DIGITS_TIME = 18
    DECIMALS_MAX = 6
    # A sign, 16 digits, a point, an exponent.
    TEXT_SIZE = 40
    # A line of a reply that is no text: such a value, or a timestamp of 19 digits.
    LINE_SIZE = 48
    # A double has no more.
    DIGITS_ALL = 17
    # Numbers up to this power of ten are written without an exponent.
    WHOLE_POWER = 15
# Whole numbers below are written with all their digits.
cdef double WHOLE_MAX = 1e15


cdef inline bint is_digit(char c) noexcept nogil:
    return 48 <= c <= 57


cpdef double parse_value(bytes text) except? -1:
    """A finite number; raises ReplyError."""
    cdef const char *at = PyBytes_AS_STRING(text)
    cdef const char *begin = at
    cdef uint64_t digits = 0
    cdef int count = 0, decimals = 0
    cdef bint negative = at[0] == 45, exponent = False
    cdef double value
    if negative:
        at += 1
    if not is_digit(at[0]) or (at[0] == 48 and is_digit(at[1])):
        raise ReplyError(BAD_VALUE)
    while is_digit(at[0]):
        digits = digits * 10 + (at[0] - 48)
        count += 1
        at += 1
    if at[0] == 46:
        at += 1
        if not is_digit(at[0]):
            raise ReplyError(BAD_VALUE)
        while is_digit(at[0]):
            digits = digits * 10 + (at[0] - 48)
            count += 1
            decimals += 1
            at += 1
    if at[0] == 101 or at[0] == 69:
        exponent = True
        at += 1
        if at[0] == 43 or at[0] == 45:
            at += 1
        if not is_digit(at[0]):
            raise ReplyError(BAD_VALUE)
        while is_digit(at[0]):
            at += 1
    if not exponent and count <= DIGITS_EXACT:
        value = <double>digits / TENS[decimals]
        return -value if negative else value
    value = float(PyBytes_FromStringAndSize(begin, at - begin))
    if isinf(value):
        raise ReplyError(BAD_VALUE)
    return value


cpdef int64_t parse_time(bytes text) except? -1:
    """A timestamp in ms, at least 0; raises ReplyError."""
    cdef const char *at = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), i
    cdef int64_t value = 0
    if 0 < size <= DIGITS_TIME and (at[0] != 48 or size == 1):
        for i in range(size):
            if not is_digit(at[i]):
                break
            value = value * 10 + (at[i] - 48)
        else:
            return value
    return slow_time(text)


cdef int64_t slow_time(bytes text) except? -1:
    """The same for what is long or wrong."""
    cdef int64_t value
    if not text.removeprefix(b"-").isdigit():
        raise ReplyError(BAD_TIME)
    try:
        value = int(text)
    except OverflowError:
        raise ReplyError(BAD_TIME) from None
    if b"%d" % value != text:
        raise ReplyError(BAD_TIME)
    if value < 0:
        raise ReplyError(NEGATIVE_TIME)
    return value


cdef int decimal_text(double value, char *text) noexcept nogil:
    """Write a value of up to DECIMALS_MAX decimals; the length, or 0 for any other.

    With so few digits no shorter text reads as the same double.
    """
    cdef int decimals = 0, digits, length
    cdef int64_t units, power
    cdef double scaled
    while True:
        scaled = rint(value * TENS[decimals])
        if not fabs(scaled) < WHOLE_MAX or value == 0:
            return 0
        if scaled / TENS[decimals] == value:
            break
        decimals += 1
        if decimals > DECIMALS_MAX:
            return 0
    units = <int64_t>fabs(scaled)
    power = <int64_t>TENS[decimals]
    length = 0
    if value < 0:
        text[0] = 45
        length = 1
    if decimals == 0:
        return length + put_digits(text + length, units, 1)
    if units >= power:
        length += put_digits(text + length, units // power, 1)
        text[length] = 46
        return length + 1 + put_digits(text + length + 1, units % power, decimals)
    digits = put_digits(text + length + 1, units, 1)
    text[length] = text[length + 1]
    text[length + 1] = 46
    length += digits + 1 if digits > 1 else 1
    return length + put_exponent(text + length, digits - 1 - decimals)


cdef inline int put_digits(char *text, int64_t number, int least) noexcept nogil:
    """Write a number of at least 0, with zeros before it up to so many digits; the length."""
    cdef char digits[24]
    cdef int count = 0, i
    while number or count < least:
        digits[count] = 48 + <char>(number % 10)
        count += 1
        number //= 10
    for i in range(count):
        text[i] = digits[count - 1 - i]
    return count


cdef inline int put_exponent(char *text, int exponent) noexcept nogil:
    """Write a power of ten, such as E-10; the length."""
    text[0] = 69
    if exponent < 0:
        text[1] = 45
        return 2 + put_digits(text + 2, -exponent, 1)
    return 1 + put_digits(text + 1, exponent, 1)


cdef int float_text(double value, char *text) noexcept nogil:
    """Write any value; the length."""
    cdef int at = 0, length = 0, count = 0, exponent, i, size
    cdef char digits[TEXT_SIZE]
    cdef char found[DIGITS_ALL + 8]
    cdef bint point
    if value != value or isinf(value):
        return sprintf(text, "NaN" if value != value else "Infinity" if value > 0 else "-Infinity")
    size = shortest_text(value, digits)
    digits[size] = 0
    # The significant digits, and the power of ten of the first.
    if digits[0] == 45:
        text[0] = 45
        length = at = 1
    while digits[at] != 101:
        if digits[at] != 46:
            found[count] = digits[at]
            count += 1
        at += 1
    exponent = atoi(digits + at + 1)
    if value == 0:
        text[length] = 48
        return length + 1
    point = 0 <= exponent <= WHOLE_POWER or (exponent == count - 1 == DIGITS_ALL - 1)
    for i in range(max(count, exponent + 1) if point else count):
        if i == (exponent + 1 if point else 1):
            text[length] = 46
            length += 1
        text[length] = found[i] if i < count else 48
        length += 1
    return length if point else length + put_exponent(text + length, exponent)


cpdef object shown(double value):
    """A value as clients of RESP2 see it: a status such as 1E-10."""
    cdef char text[TEXT_SIZE]
    cdef int length = decimal_text(value, text)
    if not length:
        length = float_text(value, text)
    return Status(PyUnicode_DecodeASCII(text, length, NULL))


cdef inline int put_whole(char *text, char mark, int64_t number) noexcept nogil:
    """Write a mark, a number of at least 0, and the end of a line; the length."""
    cdef int count = put_digits(text + 1, number, 1)
    text[0] = mark
    text[count + 1] = 13
    text[count + 2] = 10
    return count + 3


cdef class Wire:
    """A reply as it is sent in a protocol, written part by part."""

    def __cinit__(self, int resp):
        self.resp = resp

    def __dealloc__(self):
        free(self.data)

    cdef int need(self, int64_t size) except -1:
        """Have room for so many bytes more."""
        cdef int64_t room
        cdef char *data
        if self.used + size <= self.room:
            return 0
        room = max(self.used + size, self.room * 2)
        data = <char *>realloc(self.data, room)
        if data == NULL:
            raise MemoryError
        self.data = data
        self.room = room
        return 0

    cdef int head(self, char mark, int64_t number) except -1:
        """The head of an array (*), of a map (%), or a whole number (:)."""
        self.need(LINE_SIZE)
        self.used += put_whole(self.data + self.used, mark, number)
        return 0

    cdef int put(self, bytes text) except -1:
        """What is written already."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
        self.need(size)
        memcpy(self.data + self.used, PyBytes_AS_STRING(text), size)
        self.used += size
        return 0

    cdef int bulk(self, bytes text) except -1:
        """A bulk string; None for one that is missing."""
        if text is None:
            return self.put(b"_\r\n" if self.resp == 3 else b"$-1\r\n")
        self.head(36, PyBytes_GET_SIZE(text))
        self.put(text)
        return self.put(b"\r\n")

    cdef int pairs(self, int64_t count) except -1:
        """The head of so many pairs: a map, or in RESP2 an array, of which each is an array."""
        return self.head(37 if self.resp == 3 else 42, count)

    cdef int pair(self, int64_t count) except -1:
        """The head of a pair in RESP2."""
        return self.head(42, count) if self.resp != 3 else 0

    cdef int value(self, double value) except -1:
        """A value: a double, in RESP2 a status."""
        cdef char *text
        cdef int length
        self.need(LINE_SIZE)
        text = self.data + self.used
        text[0] = 44 if self.resp == 3 else 43
        # From 1 on a few decimals are written in one way only.
        length = 0 if self.resp == 3 and fabs(value) < 1 else decimal_text(value, text + 1)
        if not length and self.resp == 3:
            length = <int>double_to_string(value, text + 1)
        elif not length:
            length = float_text(value, text + 1)
        text[length + 1] = 13
        text[length + 2] = 10
        self.used += length + 3
        return 0

    cdef int sample(self, int64_t timestamp, const double *values, int wide) except -1:
        """A timestamp with its values."""
        cdef int i
        self.head(42, wide + 1)
        self.head(58, timestamp)
        for i in range(wide):
            self.value(values[i])
        return 0

    cdef object done(self):
        """The whole of it."""
        return Encoded(PyBytes_FromStringAndSize(self.data, self.used))
