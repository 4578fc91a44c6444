"""Samples put together: in buckets of time, across series, and one by one as they come.

All three use one state, so a bucket comes to the same value, to the last bit, whether a rule has
followed it or a query computes it. Sums are taken in the order of the samples. Variances run along
after B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products"
(1962). An average whose sum is beyond all doubles is taken as a running mean instead.

NaN counts for `countnan` and `countall` only.

Buckets begin at `align` plus any multiple of `width` and reach up to the next. A bucket that begins
before time 0 is known by 0.

The time-weighted average is the area under the line through the samples by its length. The line
reaches over the borders of a bucket to the nearest samples on both sides; where there is none, it
begins with the first sample and ends with the last.
"""

from libc.math cimport INFINITY, NAN, isinf, sqrt
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc, realloc

from balas_timeseries._chunk cimport Chunk, Span

import numpy as np

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

# In the order of Kind.
NAMES = {
    name: kind
    for kind, name in enumerate(
        b"avg first last min max sum range count std.p std.s var.p var.s twa countnan "
        b"countall".split()
    )
}
TWA = <int>TWA_KIND

# Columns of one query, and buckets of one reply: more would take more memory than there is.
cdef enum:
    COLUMNS_MAX = 16
    BUCKETS_MAX = 50000000

cdef int64_t TIME_MAX = 0x7fffffffffffffff


class TooMany(Exception):
    """More buckets than a reply can have."""


def swapped(int kind):
    """The kind that gives the same when time is gone through backwards."""
    return FIRST if kind == LAST else LAST if kind == FIRST else kind


def fallback(int kind):
    """What a bucket without samples comes to."""
    return 0.0 if kind in (SUM, COUNT, COUNTNAN, COUNTALL) else NAN


cdef inline int64_t start_of(int64_t timestamp, int64_t width, int64_t align) noexcept nogil:
    cdef int64_t rest = (timestamp - align) % width
    return timestamp - (rest if rest >= 0 else rest + width)


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


cdef struct Columns:
    int64_t *starts
    double *values      # `wide` for each bucket
    int64_t used
    int64_t room
    int wide


cdef struct Plan:
    int64_t width
    int64_t align
    int kinds[COLUMNS_MAX]
    int wide
    # What the kinds need of the state.
    bint sums
    bint limits
    bint squares


cdef int emit(
    Columns *columns, const Plan *plan, int64_t start, const State *state
) except -1 nogil:
    cdef int i
    cdef int64_t room
    cdef void *moved
    if columns.used == columns.room:
        room = columns.room * 2 if columns.room else 64
        moved = realloc(columns.starts, room * sizeof(int64_t))
        if moved == NULL:
            raise MemoryError
        columns.starts = <int64_t *>moved
        moved = realloc(columns.values, room * columns.wide * sizeof(double))
        if moved == NULL:
            raise MemoryError
        columns.values = <double *>moved
        columns.room = room
    columns.starts[columns.used] = start
    for i in range(columns.wide):
        columns.values[columns.used * columns.wide + i] = result(state, plan.kinds[i])
    columns.used += 1
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

    cdef Plan plan
    cdef Columns columns
    cdef State state
    cdef int64_t start
    cdef int64_t end
    cdef bint open

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

    cdef int feed(self, const int64_t *times, const double *values, int64_t count) except -1 nogil:
        cdef int64_t at = 0, run
        while at < count:
            if not self.open or times[at] >= self.end:
                self.close()
                self.start = start_of(times[at], self.plan.width, self.plan.align)
                self.end = self.start + self.plan.width
                if self.end < self.start:
                    self.end = TIME_MAX
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


# --- the time-weighted average -------------------------------------------------------------------


cdef inline double on_line(
    int64_t at, int64_t time, double value, int64_t next_time, double next_value
) noexcept nogil:
    if next_time == time:
        return value
    return value + (next_value - value) * <double>(at - time) / <double>(next_time - time)


def time_weighted(
    times, values, int64_t width, int64_t align, limits, before, after, bint empty
):
    """Time-weighted averages: starts of buckets, and values.

    `limits` are the ends of the query, and `before` and `after` the nearest samples outside them,
    as (timestamp, value). With `empty`, buckets that the line passes without a sample count, too.
    """
    cdef Line line = Line(times, values, before, after)
    cdef int64_t start, end, next_time
    cdef list starts = [], found = []
    cdef int64_t low = <int64_t>limits[0], high = <int64_t>limits[1]
    cdef int64_t first, last
    if line.count == 0 or not (len(times) or empty):
        return np.empty(0, dtype=np.int64), np.empty(0)
    # The line's own ends, and how far the query looks at it.
    first, last = line.times[0], line.times[line.count - 1]
    if before is not None:
        first = max(first, low)
    if after is not None:
        last = min(last, high)
    start = start_of(first, width, align)
    if empty and last > first and (last - first) // width > BUCKETS_MAX:
        raise TooMany
    while start <= last and first <= last:
        end = start + width if start <= TIME_MAX - width else TIME_MAX
        next_time = line.from_time(max(start, low))
        if empty or (next_time < end and next_time <= high):
            starts.append(start)
            found.append(line.average(max(start, first), min(end, last)))
        if end == TIME_MAX:
            break
        start = end
        if not empty:
            start = max(start, start_of(line.from_time(end), width, align))
    return np.array(starts, dtype=np.int64), np.array(found, dtype=np.float64)


cdef class Line:
    """The line through samples. It is asked in rising order of time, and remembers where it is."""

    cdef const int64_t[::1] times
    cdef const double[::1] values
    cdef int64_t count
    cdef int64_t at         # a sample at or before whatever is asked next

    def __init__(self, times, values, before, after):
        if before is not None:
            times, values = np.insert(times, 0, before[0]), np.insert(values, 0, before[1])
        if after is not None:
            times, values = np.append(times, after[0]), np.append(values, after[1])
        self.times = np.ascontiguousarray(times)
        self.values = np.ascontiguousarray(values)
        self.count = self.times.shape[0]

    cdef int64_t from_time(self, int64_t time) noexcept:
        """The time of the first sample at or after a time; TIME_MAX if there is none."""
        cdef int64_t at = self.at
        while at < self.count and self.times[at] < time:
            at += 1
        return self.times[at] if at < self.count else TIME_MAX

    cdef double value(self, int64_t time) noexcept:
        """The height of the line, which reaches on level behind its last sample."""
        cdef int64_t at
        while self.at + 1 < self.count and self.times[self.at + 1] <= time:
            self.at += 1
        at = self.at
        if at + 1 == self.count:
            return self.values[at]
        return on_line(
            time, self.times[at], self.values[at], self.times[at + 1], self.values[at + 1]
        )

    cdef double average(self, int64_t low, int64_t high) noexcept:
        """The mean height from `low` to `high`."""
        cdef int64_t time = low
        cdef double one = self.value(low), area = 0
        if high <= low:
            return one
        while self.at + 1 < self.count and self.times[self.at + 1] < high:
            self.at += 1
            area += (one + self.values[self.at]) * <double>(self.times[self.at] - time) / 2
            time, one = self.times[self.at], self.values[self.at]
        area += (one + self.value(high)) * <double>(high - time) / 2
        return area / <double>(high - low)


# --- across series -------------------------------------------------------------------------------


cdef struct Row:
    int64_t time
    State state


def reduce(list series, int kind):
    """Series, as pairs of arrays, put together: at each time what the samples of all come to."""
    cdef Row *rows = NULL
    cdef Row *merged = NULL
    cdef int64_t used = 0, i, j, k, count
    cdef const int64_t[::1] times
    cdef const double[::1] values
    try:
        for one_times, one_values in series:
            times, values = one_times, one_values
            count = times.shape[0]
            if follows(rows, used, times):
                for i in range(used):
                    take_in(&rows[i].state, values[i])
                continue
            merged = <Row *>malloc((used + count + 1) * sizeof(Row))
            if merged == NULL:
                raise MemoryError
            i = j = k = 0
            while i < used or j < count:
                if j == count or (i < used and rows[i].time <= times[j]):
                    merged[k] = rows[i]
                    i += 1
                else:
                    merged[k].time = times[j]
                    clear(&merged[k].state)
                if j < count and times[j] == merged[k].time:
                    take_in(&merged[k].state, values[j])
                    j += 1
                k += 1
            free(rows)
            rows, merged, used = merged, NULL, k
        all_times = np.empty(used, dtype=np.int64)
        all_values = np.empty(used, dtype=np.float64)
        write_rows(rows, used, kind, all_times, all_values)
    finally:
        free(rows)
        free(merged)
    return all_times, all_values


cdef bint follows(const Row *rows, int64_t used, const int64_t[::1] times) noexcept:
    """Whether a series has the very times of those before: the usual case, and much faster."""
    cdef int64_t i
    if used != times.shape[0] or used == 0:
        return False
    for i in range(used):
        if rows[i].time != times[i]:
            return False
    return True


cdef int write_rows(
    const Row *rows, int64_t used, int kind, int64_t[::1] times, double[::1] values
) except -1:
    cdef int64_t i
    for i in range(used):
        times[i] = rows[i].time
        values[i] = result(&rows[i].state, kind)
    return 0


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
