"""Times as the C library writes and reads them, in UTC and whole seconds."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memset
from libc.time cimport gmtime_r, strftime, time_t, tm

cdef extern from * nogil:
    """
    #define _GNU_SOURCE
    #include <time.h>
    """
    char *strptime(const char *text, const char *format, tm *out)
    time_t timegm(tm *of)

cdef enum:
    # As long as a time may be when it is written.
    TEXT_MAX = 1024


def written(double time_s, bytes form not None) -> bytes | None:
    """A time in the given form; None if there is no such time, or nothing is written."""
    cdef char[TEXT_MAX] text
    cdef tm parts
    cdef time_t seconds
    cdef size_t size
    if not -1e17 < time_s < 1e17:
        return None
    seconds = <time_t> time_s
    if gmtime_r(&seconds, &parts) == NULL:
        return None
    size = strftime(text, TEXT_MAX, PyBytes_AS_STRING(form), &parts)
    return PyBytes_FromStringAndSize(text, size) if size else None


def read(bytes text not None, bytes form not None) -> float | None:
    """The time that a text says in the given form; None if it is not in that form."""
    cdef tm parts
    memset(&parts, 0, sizeof(parts))
    if strptime(PyBytes_AS_STRING(text), PyBytes_AS_STRING(form), &parts) == NULL:
        return None
    return <double> timegm(&parts)


def parts_of(double time_s) -> tuple | None:
    """Year, month (0 to 11), day of the month, of the week (Sunday is 0) and of the year (from 0).

    None for times before 1970, and for those that have no date.
    """
    cdef tm parts
    cdef time_t seconds
    if not 0 <= time_s < 1e17:
        return None
    seconds = <time_t> time_s
    if gmtime_r(&seconds, &parts) == NULL:
        return None
    return (
        float(parts.tm_year + 1900), float(parts.tm_mon), float(parts.tm_mday),
        float(parts.tm_wday), float(parts.tm_yday),
    )
