from libc.stdint cimport int64_t

cdef enum Kind:
    AVG
    FIRST
    LAST
    MIN
    MAX
    SUM
    RANGE
    COUNT
    STD_P
    STD_S
    VAR_P
    VAR_S
    TWA_KIND
    COUNTNAN
    COUNTALL

# Columns of one query, and buckets of one reply: more would take more memory than there is.
cdef enum:
    COLUMNS_MAX = 16
    BUCKETS_MAX = 50000000


cdef struct State:
    int64_t count       # numbers
    int64_t nans
    double total
    double low
    double high
    double first
    double last
    double mean         # running: of the variance, and of an average whose total is infinite
    double squares      # of the distances from the mean, added up

# What buckets come to, one row each, in rising order of time.
cdef struct Columns:
    int64_t *starts
    double *values      # `wide` for each row
    int64_t used
    int64_t room
    int wide

cdef struct Plan:
    int64_t width
    int64_t align
    int kinds[COLUMNS_MAX]
    int wide
    # What the kinds need of the state.
    bint limits
    bint squares

cdef class Walk:
    cdef Plan plan
    cdef Columns columns
    cdef State state
    cdef int64_t start      # of the open bucket, in ms
    cdef int64_t end
    cdef bint open

    cdef void reset(self) noexcept
    cdef int feed(self, const int64_t *times, const double *values, int64_t count) except -1 nogil
    cdef int close(self) except -1 nogil
    cdef tuple found(self)

cdef struct Row:
    int64_t time
    State state

cdef class Reduction:
    cdef Row *rows
    cdef int64_t used

    cdef int take(self, const int64_t *times, const double *values, int64_t count) except -1
    cdef int finish(self, int kind, Columns *columns) except -1

cdef class Accumulator:
    cdef State state
    cdef readonly int64_t first_time
    cdef readonly int64_t last_time
    cdef readonly double area             # under the line through the samples: value * ms
    cdef readonly int64_t began           # where that line begins, in ms
    cdef double line_value                # its end
    cdef int64_t line_time

    cpdef int add(self, int64_t timestamp, double value) except -1
    cpdef int begin(self, int64_t start, object before) except -1
    cpdef double value(self, int kind, int64_t end, object after) except? -1

cdef double *add_row(Columns *columns, int64_t start) except NULL nogil
cdef double empty_value(int kind) noexcept nogil

cdef inline int64_t start_of(int64_t timestamp, int64_t width, int64_t align) noexcept nogil:
    """Where the bucket of a time begins; below 0 for one that time 0 cuts off."""
    cdef int64_t rest = (timestamp - align) % width
    return timestamp - (rest if rest >= 0 else rest + width)

cdef inline double on_line(
    int64_t at, int64_t time, double value, int64_t next_time, double next_value
) noexcept nogil:
    """The height at a time of the line through two samples."""
    if next_time == time:
        return value
    return value + (next_value - value) * <double>(at - time) / <double>(next_time - time)
