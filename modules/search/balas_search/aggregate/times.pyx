"""Times as the C library writes and reads them, in UTC and whole seconds."""

import numpy as np

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
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


# --- whole columns --------------------------------------------------------------------------------

cdef enum:
    DAY_S = 86400
    # Days from 1 March of the year 0 to 1 January 1970, in a calendar that begins with March.
    DAYS_BEFORE_1970 = 719468
    DAYS_400_YEARS = 146097

YEAR, MONTH, MONTH_DAY, WEEK_DAY, YEAR_DAY, MONTH_BEGIN = range(6)


@cython.cdivision(True)
def calendar(const int64_t[::1] times_s not None, int part) -> np.ndarray:
    """One part of the dates of many times since 1970 (float64), as `parts_of` gives them.

    `MONTH_BEGIN` is when the month began, in s.
    """
    cdef Py_ssize_t i
    cdef int64_t day, of_era, year, of_year, month, first
    found = np.empty(times_s.shape[0])
    cdef double[::1] out = found
    with nogil:
        for i in range(times_s.shape[0]):
            day = times_s[i] // DAY_S
            if part == 3:
                out[i] = (day + 4) % 7
                continue
            # Years of four centuries, each beginning with March, so that a leap day is the last.
            of_era = (day + DAYS_BEFORE_1970) % DAYS_400_YEARS
            year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
            of_year = of_era - (365 * year + year // 4 - year // 100)
            month = (5 * of_year + 2) // 153
            first = (153 * month + 2) // 5
            if part == 1:
                out[i] = month + 2 if month < 10 else month - 10
            elif part == 2:
                out[i] = of_year - first + 1
            elif part == 5:
                out[i] = (day - (of_year - first)) * DAY_S
            else:
                year += (day + DAYS_BEFORE_1970) // DAYS_400_YEARS * 400
                if month >= 10:
                    year += 1
                    of_year -= 306
                else:
                    of_year += 59 + (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
                out[i] = year if part == 0 else of_year
    return found
