from libc.stdint cimport int64_t

from balas_timeseries._aggregation cimport Columns, Walk
from balas_timeseries._numbers cimport Wire
from balas_timeseries._samples cimport Samples
from balas_timeseries._series cimport SeriesHolder

cdef class Finder:
    # The query.
    cdef int64_t start          # ms
    cdef int64_t end
    cdef int64_t count          # -1: all
    cdef bint backwards
    cdef bint by_value
    cdef double lowest
    cdef double highest
    cdef list chosen            # timestamps in rising order, or None
    cdef int64_t shift_ms
    cdef bint empty
    cdef bint weighs
    # Samples: those asked for lie from `low` to `high`.
    cdef int64_t *times
    cdef double *values
    cdef int64_t room
    cdef int64_t low
    cdef int64_t high
    # Buckets: as they are, time-weighted, with empty ones, of all series.
    cdef Walk walk              # None without AGGREGATION
    cdef Columns weighted
    cdef Columns filled
    cdef Columns reduced
    cdef int64_t place          # of the averages, where one is
    # What was found, in rising order of time: `wide` values for each timestamp.
    cdef const int64_t *found_times
    cdef const double *found_values
    cdef int64_t total
    cdef int wide

    cdef int reserve(self, int64_t count) except -1
    cdef int collect(self, Samples samples, int64_t start, bint counted) except -1
    cdef void cut(self, int64_t start) noexcept nogil
    cdef int insert(self, int64_t timestamp, double value) except -1
    cdef int choose(self) except -1
    cdef int look(self, SeriesHolder series, object latest) except -1
    cdef void show(
        self, const int64_t *times, const double *values, int64_t total, int wide
    ) noexcept
    cdef bint one_is_enough(self, Samples samples, int64_t start) except -1
    cdef int walk_along(self, Samples samples, int64_t start) except -1
    cdef bint before(self, Samples samples, int64_t start, int64_t edge) except -1
    cdef bint after(self, Samples samples) except -1
    cdef int weigh_line(self, bint before, bint after) except -1
    cdef double average_at(self, int64_t start) noexcept
    cdef void merge(self) noexcept
    cdef int settle(self) except -1
    cdef int fill(self) except -1
    cdef double between(self, int kind, int column, int64_t at, int64_t start) noexcept
    cdef int64_t wanted(self) noexcept
    cdef int64_t index(self, int64_t place) noexcept
    cdef int write(self, Wire wire) except -1
    cdef list rows(self, int resp)
