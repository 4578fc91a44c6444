"""Where the requests of a stream end, found without making them."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from libc.string cimport memchr


def whole_bytes(bytearray data not None) -> int:
    """How many bytes at the beginning of `data` are whole requests.

    A line that is no array is a request of its own, as for the parser of clients.
    """
    cdef const char *begin = PyByteArray_AS_STRING(data)
    cdef const char *end = begin + PyByteArray_GET_SIZE(data)
    cdef const char *at = begin
    cdef const char *found = begin
    cdef Py_ssize_t left, size
    while at < end:
        left = 0
        if at[0] == c'*':
            left = number(at, end)
        at = next_line(at, end)
        while at != NULL and left > 0:
            size = number(at, end)
            at = next_line(at, end)
            if at != NULL:
                at = at + size + 2 if end - at >= size + 2 else NULL
            left -= 1
        if at == NULL:
            break
        found = at
    return found - begin


cdef Py_ssize_t number(const char *at, const char *end) noexcept:
    """The number behind a line's first character."""
    cdef Py_ssize_t found = 0
    at += 1
    while at < end and c'0' <= at[0] <= c'9':
        found = found * 10 + (at[0] - c'0')
        at += 1
    return found


cdef const char *next_line(const char *at, const char *end) noexcept:
    """Behind the end of a line, or NULL if it is not there."""
    cdef const char *found = <const char *> memchr(at, c'\n', end - at)
    return NULL if found == NULL else found + 1
