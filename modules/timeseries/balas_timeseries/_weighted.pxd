from libc.stdint cimport int64_t

from balas_timeseries._aggregation cimport Columns

# The line through samples, and a sample at or before whatever is asked next.
cdef struct Line:
    const int64_t *times
    const double *values
    int64_t count
    int64_t at

# How a query looks at the line: from `low` to `high`, in buckets.
cdef struct View:
    int64_t low
    int64_t high
    int64_t width
    int64_t align
    bint begins_before      # the line has a sample before `low`
    bint ends_after
    bint empty              # buckets that the line passes without a sample count, too

cdef int weigh(Columns *columns, Line line, View view) except -1
