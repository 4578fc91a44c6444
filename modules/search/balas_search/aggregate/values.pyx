"""Single values of an aggregation, and how numbers and texts become each other.

A value is a float, bytes, a list of values, or None for null. A property that a row does not have
at all is `ABSENT`.
"""

import numpy as np

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport NAN, fabs, isfinite, isnan, signbit
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport strtod

from balas_search.aggregate.errors import RowError


class Absence:
    """The class of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absence()


cdef bint read_number(bytes text, double *out) noexcept:
    """Read a text that is a number from end to end, or empty; False if it is none."""
    cdef const char *begin = PyBytes_AS_STRING(text)
    cdef char *end
    out[0] = strtod(begin, &end)
    if end == begin:
        out[0] = 0
        return PyBytes_GET_SIZE(text) == 0
    return end - begin == PyBytes_GET_SIZE(text)


cdef bytes write_number(double value):
    cdef char[64] buffer
    cdef int size
    if isnan(value):
        return b"-nan" if signbit(value) else b"nan"
    if isfinite(value) and fabs(value) < 9.3e18:
        # The bounds of 64 bits themselves: the lower one is exact, the upper one is none.
        if -9223372036854775808.0 <= value < 9223372036854775808.0:
            if <double> (<int64_t> value) == value:
                size = snprintf(buffer, 64, "%lld", <long long> value)
                return PyBytes_FromStringAndSize(buffer, size)
    size = snprintf(buffer, 64, "%.12g", value)
    return PyBytes_FromStringAndSize(buffer, size)


def number_text(double value) -> bytes:
    """A number as replies show it."""
    return write_number(value)


def number_texts(const double[::1] values not None) -> list:
    """Many numbers as replies show them."""
    cdef Py_ssize_t i
    return [write_number(values[i]) for i in range(values.shape[0])]


def number_of(value) -> float | None:
    """The number that a value is or stands for; None if it is none."""
    cdef double number
    if isinstance(value, float):
        return value
    if isinstance(value, bytes) and read_number(value, &number):
        return number
    return None


def numbers_of(list values not None) -> tuple:
    """The numbers that values are or stand for (float64, NaN for others), and which do (bool)."""
    cdef Py_ssize_t i
    cdef double number
    found = np.full(len(values), NAN)
    there = np.zeros(len(values), np.uint8)
    cdef double[::1] out = found
    cdef unsigned char[::1] is_number = there
    for i in range(len(values)):
        value = values[i]
        if isinstance(value, float):
            out[i] = value
            is_number[i] = 1
        elif isinstance(value, bytes) and read_number(value, &number):
            out[i] = number
            is_number[i] = 1
    return found, there.view(bool)


def truth(value) -> bool:
    """What a value is as a condition."""
    if isinstance(value, float):
        return value != 0
    return bool(value)


cdef int cmp_numbers(double one, double other) noexcept:
    return 1 if one > other else -1 if one < other else 0


def text_of(value) -> bytes:
    """A value as text; of a list or of null there is none."""
    if isinstance(value, bytes):
        return value
    return write_number(value) if isinstance(value, float) else b""


def compare(one, other, bint strict) -> int:
    """-1, 0 or 1 for less, equal or more. Null is less than all; nan is equal to every number.

    A text beside a number is taken for a number; one that is none makes `strict` raise RowError,
    else the number is taken for a text.
    """
    cdef double number
    if isinstance(one, float) and isinstance(other, float):
        return cmp_numbers(one, other)
    if isinstance(one, bytes) and isinstance(other, bytes):
        return -1 if one < other else one > other
    if one is None or other is None:
        return (one is not None) - (other is not None)
    if isinstance(one, list) and isinstance(other, list):
        return 0
    if isinstance(one, float) and isinstance(other, bytes):
        if read_number(other, &number):
            return cmp_numbers(one, number)
        if strict:
            raise not_a_number(other)
    elif isinstance(one, bytes) and isinstance(other, float):
        if read_number(one, &number):
            return cmp_numbers(number, other)
        if strict:
            raise not_a_number(one)
    elif strict and (isinstance(one, float) or isinstance(other, float)):
        raise not_a_number(b"(null)")
    first, second = text_of(one), text_of(other)
    return -1 if first < second else first > second


def not_a_number(bytes text) -> RowError:
    """The error for a text that is compared with a number."""
    shown = text.decode("utf-8", "surrogateescape")
    return RowError(f"Error converting string '{shown}' to number")
