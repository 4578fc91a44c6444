"""Samples put together: in buckets of time, across series, and one by one as they come.

All three use one state, so a bucket comes to the same value, to the last bit, whether a rule has
followed it or a query computes it. Sums are taken in the order of the samples. Variances run along
after B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products"
(1962). An average whose sum is beyond all doubles is taken as a running mean instead.

NaN counts for `countnan` and `countall` only.

Buckets begin at `align` plus any multiple of `width` and reach up to the next. A bucket that begins
before time 0 is known by 0.

The time-weighted average of queries is in `_weighted`; that of rules is here, where samples come
one by one.
"""

from libc.math cimport INFINITY, NAN, isinf, sqrt
from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free, malloc, realloc

from balas_timeseries._chunk cimport Chunk, Span

import numpy as np

# In the order of Kind.
NAMES = {
    name: kind
    for kind, name in enumerate(
        b"avg first last min max sum range count std.p std.s var.p var.s twa countnan "
        b"countall".split()
    )
}
TWA = <int>TWA_KIND


class TooMany(Exception):
    """More buckets than a reply can have."""


def swapped(int kind):
    """The kind that gives the same when time is gone through backwards."""
    return FIRST if kind == LAST else LAST if kind == FIRST else kind


cdef double empty_value(int kind) noexcept nogil:
    """What a bucket without samples comes to."""
    return 0.0 if kind == SUM or kind == COUNT or kind == COUNTNAN or kind == COUNTALL else NAN


def bucket_start(int64_t timestamp, int64_t width, int64_t align):
    """Where the bucket of a sample begins; below 0 for one that time 0 cuts off."""
    return start_of(timestamp, width, align)


# --- one state -----------------------------------------------------------------------------------


cdef inline void clear(State *state) noexcept nogil:
    state.count = 0
    state.nans = 0
    state.total = 0
    state.low = INFINITY
    state.high = -INFINITY
    state.first = NAN
    state.last = NAN
    state.mean = 0
    state.squares = 0


cdef inline void take_in(State *state, double value) noexcept nogil:
    cdef double distance
    if value != value:
        state.nans += 1
        return
    if state.count == 0:
        state.first = value
    state.last = value
    state.count += 1
    state.total += value
    if value < state.low:
        state.low = value
    if value > state.high:
        state.high = value
    distance = value - state.mean
    if isinf(distance):
        state.mean += value / state.count - state.mean / state.count
    else:
        state.mean += distance / state.count
    state.squares += distance * (value - state.mean)


cdef double result(const State *state, int kind) noexcept nogil:
    cdef double variance
    if kind == COUNT:
        return <double>state.count
    if kind == COUNTNAN:
        return <double>state.nans
    if kind == COUNTALL:
        return <double>(state.count + state.nans)
    if kind == SUM:
        return state.total
    if state.count == 0:
        return NAN
    if kind == AVG:
        return state.mean if isinf(state.total) else state.total / state.count
    if kind == FIRST:
        return state.first
    if kind == LAST:
        return state.last
    if kind == MIN:
        return state.low
    if kind == MAX:
        return state.high
    if kind == RANGE:
        return state.high - state.low
    if kind == VAR_P or kind == STD_P:
        variance = state.squares / state.count
    else:
        variance = state.squares / (state.count - 1) if state.count > 1 else 0
    return sqrt(variance) if kind == STD_P or kind == STD_S else variance


# --- buckets of a range --------------------------------------------------------------------------


cdef int grow(Columns *columns) except -1 nogil:
    """Have room for twice the rows."""
    cdef int64_t room = columns.room * 2 if columns.room else 64
    cdef void *moved = realloc(columns.starts, room * sizeof(int64_t))
    if moved == NULL:
        raise MemoryError
    columns.starts = <int64_t *>moved
    moved = realloc(columns.values, room * columns.wide * sizeof(double))
    if moved == NULL:
        raise MemoryError
    columns.values = <double *>moved
    columns.room = room
    return 0


cdef double *add_row(Columns *columns, int64_t start) except NULL nogil:
    """Have one more row; where its values go."""
    if columns.used == columns.room:
        grow(columns)
    columns.starts[columns.used] = start
    columns.used += 1
    return columns.values + (columns.used - 1) * columns.wide


cdef int emit(
    Columns *columns, const Plan *plan, int64_t start, const State *state
) except -1 nogil:
    cdef int i
    cdef double *row = add_row(columns, start)
    for i in range(columns.wide):
        row[i] = result(state, plan.kinds[i])
    return 0


cdef void take_run(
    State *state, const double *values, int64_t count, const Plan *plan
) noexcept nogil:
    """Take samples of one bucket into its state, as far as the plan needs it."""
    cdef int64_t i, numbers = 0
    cdef double total = state.total, low = state.low, high = state.high, value
    if plan.squares:
        for i in range(count):
            take_in(state, values[i])
        return
    for i in range(count):
        if values[i] == values[i]:
            if state.count == 0 and numbers == 0:
                state.first = values[i]
            numbers += 1
            state.last = values[i]
            total += values[i]
    if isinf(total):
        # Rare: the slow way has the mean as well.
        for i in range(count):
            take_in(state, values[i])
        return
    if plan.limits:
        for i in range(count):
            value = values[i]
            low = value if value < low else low
            high = value if value > high else high
    state.total = total
    state.low = low
    state.high = high
    if numbers and not state.squares:
        state.mean = total / (state.count + numbers)
    state.count += numbers
    state.nans += count - numbers


cdef class Walk:
    """Goes along samples in rising order of time, and keeps what each bucket comes to."""

    def __cinit__(self, kinds, int64_t width, int64_t align):
        cdef int kind
        if len(kinds) > COLUMNS_MAX:
            raise TooMany
        self.plan.width = width
        self.plan.align = align
        for kind in kinds:
            self.plan.kinds[self.plan.wide] = kind
            self.plan.wide += 1
            if kind in (STD_P, STD_S, VAR_P, VAR_S):
                self.plan.squares = True
            if kind in (MIN, MAX, RANGE):
                self.plan.limits = True
        self.columns.wide = self.plan.wide

    def __dealloc__(self):
        free(self.columns.starts)
        free(self.columns.values)

    cdef void reset(self) noexcept:
        """Begin anew, with the memory there is."""
        self.columns.used = 0
        self.open = False

    cdef int feed(self, const int64_t *times, const double *values, int64_t count) except -1 nogil:
        cdef int64_t at = 0, run
        while at < count:
            if not self.open or times[at] >= self.end:
                self.close()
                self.start = start_of(times[at], self.plan.width, self.plan.align)
                self.end = self.start + self.plan.width
                if self.end < self.start:
                    self.end = INT64_MAX
                self.open = True
                clear(&self.state)
            run = at
            while at < count and times[at] < self.end:
                at += 1
            if at == run:
                at += 1  # the very last millisecond of time
            take_run(&self.state, values + run, at - run, &self.plan)
        return 0

    cdef int close(self) except -1 nogil:
        if self.open:
            emit(&self.columns, &self.plan, self.start, &self.state)
            self.open = False
        return 0

    cdef tuple found(self):
        """The buckets' starts, and a column of values for each kind."""
        cdef int64_t i, used = self.columns.used
        cdef int wide = self.plan.wide, column
        starts = np.empty(used, dtype=np.int64)
        cdef int64_t[::1] to_starts = starts
        cdef double[::1] to_values
        cdef list all_values = []
        for i in range(used):
            to_starts[i] = self.columns.starts[i]
        for column in range(wide):
            values = np.empty(used, dtype=np.float64)
            to_values = values
            for i in range(used):
                to_values[i] = self.columns.values[i * wide + column]
            all_values.append(values)
        return starts, all_values


def aggregate_chunks(list chunks, int64_t start, int64_t end, kinds, int64_t width, int64_t align):
    """What the samples from `start` to `end` come to: starts of buckets, and a column per kind.

    Chunk by chunk, so that samples never leave the processor's cache.
    """
    cdef Walk walk = Walk(kinds, width, align)
    cdef Chunk chunk
    cdef int64_t most = 0, low, high
    cdef Span span = Span(end, start, -1)
    for chunk in chunks:
        most = max(most, chunk.count)
    cdef int64_t *times = <int64_t *>malloc((most + 1) * sizeof(int64_t))
    cdef double *values = <double *>malloc((most + 1) * sizeof(double))
    try:
        if times == NULL or values == NULL:
            raise MemoryError
        for chunk in chunks:
            low, high = 0, chunk.fill_until(times, values, span)
            while low < high and times[low] < start:
                low += 1
            while high > low and times[high - 1] > end:
                high -= 1
            walk.feed(times + low, values + low, high - low)
        walk.close()
    finally:
        free(times)
        free(values)
    return walk.found()


def aggregate(
    const int64_t[::1] times, const double[::1] values, kinds, int64_t width, int64_t align
):
    """The same of samples in two arrays."""
    cdef Walk walk = Walk(kinds, width, align)
    if times.shape[0]:
        walk.feed(&times[0], &values[0], times.shape[0])
        walk.close()
    return walk.found()


# --- across series -------------------------------------------------------------------------------


cdef class Reduction:
    """Series put together: at each time what the samples of all come to."""

    def __dealloc__(self):
        free(self.rows)

    cdef int take(
        self, const int64_t *times, const double *values, int64_t count
    ) except -1:
        """Take the samples of one more series."""
        cdef Row *merged
        cdef int64_t i = 0, j = 0, k = 0, used = self.used
        if follows(self.rows, used, times, count):
            for i in range(used):
                take_in(&self.rows[i].state, values[i])
            return 0
        merged = <Row *>malloc((used + count + 1) * sizeof(Row))
        if merged == NULL:
            raise MemoryError
        while i < used or j < count:
            if j == count or (i < used and self.rows[i].time <= times[j]):
                merged[k] = self.rows[i]
                i += 1
            else:
                merged[k].time = times[j]
                clear(&merged[k].state)
            if j < count and times[j] == merged[k].time:
                take_in(&merged[k].state, values[j])
                j += 1
            k += 1
        free(self.rows)
        self.rows = merged
        self.used = k
        return 0

    cdef int finish(self, int kind, Columns *columns) except -1:
        """What it comes to: NaN, if it is nothing but NaN, as in empty buckets."""
        cdef int64_t i
        cdef bint counts_nan = kind == COUNTNAN or kind == COUNTALL
        cdef State *state
        columns.used = 0
        for i in range(self.used):
            state = &self.rows[i].state
            add_row(columns, self.rows[i].time)[0] = (
                result(state, kind) if state.count or counts_nan else NAN
            )
        return 0


cdef bint follows(
    const Row *rows, int64_t used, const int64_t *times, int64_t count
) noexcept nogil:
    """Whether a series has the very times of those before: the usual case, and much faster."""
    cdef int64_t i
    if used != count or used == 0:
        return False
    for i in range(used):
        if rows[i].time != times[i]:
            return False
    return True


# --- one by one ----------------------------------------------------------------------------------


cdef class Accumulator:
    """The open bucket of a rule: what its samples so far come to, as any kind."""

    def __cinit__(self):
        clear(&self.state)

    @property
    def count(self):
        """The samples so far."""
        return self.state.count + self.state.nans

    cpdef int begin(self, int64_t start, object before) except -1:
        """Begin a bucket; `before` is the sample before its first, (timestamp, value), or None."""
        clear(&self.state)
        self.area = 0
        self.began = start if before is not None else -1
        if before is not None:
            self.line_time, self.line_value = before
        return 0

    cpdef int add(self, int64_t timestamp, double value) except -1:
        """Take a sample later than those before."""
        cdef double one
        if not self.state.count + self.state.nans:
            self.first_time = timestamp
        self.last_time = timestamp
        take_in(&self.state, value)
        if value != value:
            return 0
        if self.began < 0:
            self.began = timestamp
        elif self.line_time < self.began:
            one = on_line(self.began, self.line_time, self.line_value, timestamp, value)
            self.area += (one + value) * <double>(timestamp - self.began) / 2
        else:
            self.area += (self.line_value + value) * <double>(timestamp - self.line_time) / 2
        self.line_time = timestamp
        self.line_value = value
        return 0

    def add_all(self, const int64_t[::1] times, const double[::1] values):
        """Take samples, in rising order of time."""
        cdef int64_t i
        for i in range(times.shape[0]):
            self.add(times[i], values[i])

    @property
    def last(self):
        """The last sample that is a number, (timestamp, value), or None."""
        return (self.line_time, self.line_value) if self.state.count else None

    cpdef double value(self, int kind, int64_t end, object after) except? -1:
        """What the bucket comes to; for the time-weighted average, given the next sample if there
        is one, up to `end`.
        """
        cdef double area = self.area, other
        cdef int64_t last = self.line_time
        if kind != TWA_KIND:
            return result(&self.state, kind)
        if not self.state.count:
            return NAN
        if after is not None:
            other = on_line(end, self.line_time, self.line_value, after[0], after[1])
            area += (self.line_value + other) * <double>(end - self.line_time) / 2
            last = end
        return area / <double>(last - self.began) if last > self.began else self.line_value

    def save(self):
        """All it knows, as numbers."""
        cdef State *state = &self.state
        return (
            state.count, state.nans, self.first_time, self.last_time, self.began, self.line_time,
            state.total, state.low, state.high, state.first, state.last, state.mean, state.squares,
            self.area, self.line_value,
        )

    def load(self, fields):
        """Take what `save` gave."""
        cdef State *state = &self.state
        (
            state.count, state.nans, self.first_time, self.last_time, self.began, self.line_time,
            state.total, state.low, state.high, state.first, state.last, state.mean, state.squares,
            self.area, self.line_value,
        ) = fields
