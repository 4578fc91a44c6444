"""The time-weighted average: the area under the line through the samples by its length.

The line reaches over the borders of a bucket to the nearest samples on both sides; where there is
none, it begins with the first sample and ends with the last.
"""

from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free

from balas_timeseries._aggregation cimport BUCKETS_MAX, Columns, add_row, on_line, start_of

import numpy as np

from balas_timeseries._aggregation import TooMany


cdef int64_t from_time(Line *line, int64_t time) noexcept nogil:
    """The time of the first sample at or after a time; INT64_MAX if there is none."""
    cdef int64_t at = line.at
    while at < line.count and line.times[at] < time:
        at += 1
    return line.times[at] if at < line.count else INT64_MAX


cdef double height(Line *line, int64_t time) noexcept nogil:
    """The height of the line, which reaches on level behind its last sample."""
    cdef int64_t at
    while line.at + 1 < line.count and line.times[line.at + 1] <= time:
        line.at += 1
    at = line.at
    if at + 1 == line.count:
        return line.values[at]
    return on_line(time, line.times[at], line.values[at], line.times[at + 1], line.values[at + 1])


cdef double average(Line *line, int64_t low, int64_t high) noexcept nogil:
    """The mean height from `low` to `high`."""
    cdef int64_t time = low, next_time
    cdef double one = height(line, low), other, area = 0
    if high <= low:
        return one
    if line.at + 1 >= line.count or line.times[line.at + 1] >= high:
        # No corner: half of both ends loses no digits.
        return (one + height(line, high)) / 2
    while line.at + 1 < line.count and line.times[line.at + 1] < high:
        line.at += 1
        next_time, other = line.times[line.at], line.values[line.at]
        area += (one + other) * <double>(next_time - time) / 2
        time, one = next_time, other
    area += (one + height(line, high)) * <double>(high - time) / 2
    return area / <double>(high - low)


cdef int weigh(Columns *columns, Line line, View view) except -1:
    """Put the averages of all buckets into columns, in place of what they held."""
    cdef int64_t start, end, next_time, first, last
    columns.used = 0
    columns.wide = 1
    if line.count == 0 or (line.count == view.begins_before + view.ends_after and not view.empty):
        return 0
    # The line's own ends, and how far the query looks at it.
    first, last = line.times[0], line.times[line.count - 1]
    if view.begins_before:
        first = max(first, view.low)
    if view.ends_after:
        last = min(last, view.high)
    start = start_of(first, view.width, view.align)
    if view.empty and last > first and (last - first) // view.width > BUCKETS_MAX:
        raise TooMany
    while start <= last and first <= last:
        end = start + view.width if start <= INT64_MAX - view.width else INT64_MAX
        next_time = from_time(&line, max(start, view.low))
        if view.empty or (next_time < end and next_time <= view.high):
            add_row(columns, start)[0] = average(&line, max(start, first), min(end, last))
        if end == INT64_MAX:
            break
        start = end
        if not view.empty:
            next_time = from_time(&line, end)
            start = max(start, start_of(next_time, view.width, view.align))
    return 0


def time_weighted(const int64_t[::1] times, const double[::1] values, int64_t width, int64_t align):
    """Time-weighted averages of samples beside which there are no others: starts of buckets, and
    values.
    """
    cdef Columns columns = Columns(NULL, NULL, 0, 0, 1)
    cdef View view = View(0, INT64_MAX, width, align, False, False, False)
    try:
        if times.shape[0]:
            weigh(&columns, Line(&times[0], &values[0], times.shape[0], 0), view)
        return (
            np.array([columns.starts[i] for i in range(columns.used)], dtype=np.int64),
            np.array([columns.values[i] for i in range(columns.used)], dtype=np.float64),
        )
    finally:
        free(columns.starts)
        free(columns.values)
