"""What a query makes of the samples of series: filtered, put into buckets, turned round.

A Finder holds one query, and looks at one series after another with the memory of those before.
What it has found lies in columns, from where it goes to the client without a step of Python for
each sample or bucket (`Wire`).
"""

from libc.math cimport NAN
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove

from balas_timeseries._aggregation cimport (
    BUCKETS_MAX,
    FIRST,
    LAST,
    TWA_KIND,
    Columns,
    Reduction,
    Walk,
    add_row,
    empty_value,
)
from balas_timeseries._chunk cimport Chunk, Span
from balas_timeseries._numbers cimport Wire, shown
from balas_timeseries._samples cimport Samples
from balas_timeseries._series cimport SeriesHolder
from balas_timeseries._weighted cimport Line, View, weigh

from balas_timeseries._aggregation import TooMany, swapped


cdef inline bint is_number(double value) noexcept nogil:
    return value == value


cdef class Finder:
    """One query. `found_times` and so on are what it has found of the series it saw last."""

    def __cinit__(self, query, bint backwards=False):
        cdef tuple kinds
        self.weighted.wide = 1
        self.reduced.wide = 1
        self.start, self.end = query.start, query.end
        self.count = -1 if query.count is None else query.count
        self.backwards = backwards
        if query.values is not None:
            self.by_value = True
            self.lowest, self.highest = query.values
        if query.times is not None:
            self.chosen = sorted(set(query.times))
        if query.aggregation is None:
            return
        by = query.aggregation
        kinds = tuple(swapped(kind) for kind in by.kinds) if backwards else by.kinds
        self.walk = Walk(kinds, by.width_ms, by.align)
        self.filled.wide = len(kinds)
        self.shift_ms = by.shift_ms
        self.empty = by.empty
        self.weighs = TWA_KIND in kinds

    def __dealloc__(self):
        free(self.times)
        free(self.values)
        free(self.weighted.starts)
        free(self.weighted.values)
        free(self.filled.starts)
        free(self.filled.values)
        free(self.reduced.starts)
        free(self.reduced.values)

    # --- samples ---------------------------------------------------------------------------------

    cdef int reserve(self, int64_t count) except -1:
        """Have room for so many samples."""
        cdef void *moved
        if count <= self.room:
            return 0
        moved = realloc(self.times, count * sizeof(int64_t))
        if moved == NULL:
            raise MemoryError
        self.times = <int64_t *>moved
        moved = realloc(self.values, count * sizeof(double))
        if moved == NULL:
            raise MemoryError
        self.values = <double *>moved
        self.room = count
        return 0

    cdef int collect(self, Samples samples, int64_t start, bint counted) except -1:
        """Decode the samples of the span; with COUNT no more than that takes.

        They lie from `low` to `high`, with room for one before and two behind.
        """
        cdef int64_t total = 0, at = 1
        cdef bint cuts = counted and self.count >= 0
        cdef Span span = Span(self.end, start, -1 if self.backwards or not cuts else self.count)
        cdef list chunks
        cdef Chunk chunk
        self.low = self.high = 1
        if start > self.end:
            return self.reserve(4)
        if cuts:
            chunks = samples.needed(start, self.end, self.count, self.backwards)
        else:
            chunks = samples.within(start, self.end)
        for chunk in chunks:
            total += chunk.count
        self.reserve(total + 4)
        for chunk in chunks:
            at += chunk.fill_until(self.times + at, self.values + at, span)
        self.high = at
        self.cut(start)
        return 0

    cdef void cut(self, int64_t start) noexcept nogil:
        """Leave out what lies beyond the span."""
        while self.low < self.high and self.times[self.low] < start:
            self.low += 1
        while self.high > self.low and self.times[self.high - 1] > self.end:
            self.high -= 1

    cdef int insert(self, int64_t timestamp, double value) except -1:
        """Put the open bucket of a rule in its place, or over what is there."""
        cdef int64_t at = self.high
        if not self.start <= timestamp <= self.end:
            return 0
        while at > self.low and self.times[at - 1] > timestamp:
            at -= 1
        if at > self.low and self.times[at - 1] == timestamp:
            self.values[at - 1] = value
            return 0
        # What lies behind the samples moves along: it may be the next one.
        memmove(
            self.times + at + 1, self.times + at, (self.high + 1 - at) * sizeof(int64_t)
        )
        memmove(self.values + at + 1, self.values + at, (self.high + 1 - at) * sizeof(double))
        self.times[at] = timestamp
        self.values[at] = value
        self.high += 1
        return 0

    cdef int choose(self) except -1:
        """Keep the samples that filters let pass."""
        cdef int64_t i, place = self.low
        cdef Py_ssize_t at = 0, count = 0
        cdef double value
        if self.chosen is not None:
            count = len(self.chosen)
        for i in range(self.low, self.high):
            value = self.values[i]
            if self.by_value and not self.lowest <= value <= self.highest:
                continue
            if self.chosen is not None:
                while at < count and <int64_t>self.chosen[at] < self.times[i]:
                    at += 1
                if at == count:
                    break
                if <int64_t>self.chosen[at] != self.times[i]:
                    continue
            self.times[place] = self.times[i]
            self.values[place] = value
            place += 1
        self.high = place
        return 0

    # --- one series ------------------------------------------------------------------------------

    cdef int look(self, SeriesHolder series, object latest) except -1:
        """Find what the query asks of a series.

        `latest`: the open bucket of the rule that fills the series, (timestamp, value), or None.
        """
        cdef Samples samples = series.samples
        cdef bint filters = self.by_value or self.chosen is not None
        cdef bint plain = not filters and latest is None
        cdef int64_t edge = 0, start
        cdef bint before = False, after = False
        if series.retention_ms:
            edge = samples.last - series.retention_ms
        start = max(self.start, edge)
        if self.walk is not None and plain and not self.weighs:
            self.walk_along(samples, start)
            return self.settle()
        if plain and self.one_is_enough(samples, start):
            return 0
        self.collect(samples, start, self.walk is None and not filters)
        if self.weighs and not filters and start <= self.end and samples.total:
            before, after = self.before(samples, start, edge), self.after(samples)
        if latest is not None:
            self.insert(latest[0], latest[1])
        if filters:
            self.choose()
        if self.walk is None:
            self.show(self.times + self.low, self.values + self.low, self.high - self.low, 1)
            return 0
        self.walk.reset()
        self.walk.feed(self.times + self.low, self.values + self.low, self.high - self.low)
        self.walk.close()
        if self.weighs:
            self.weigh_line(before, after)
        return self.settle()

    cdef void show(
        self, const int64_t *times, const double *values, int64_t total, int wide
    ) noexcept:
        self.found_times = times
        self.found_values = values
        self.total = total
        self.wide = wide

    cdef bint one_is_enough(self, Samples samples, int64_t start) except -1:
        """Whether only the very last sample is asked for, which is found then."""
        if (
            self.walk is not None or self.count != 1 or not self.backwards
            or not samples.total or not start <= samples.last <= self.end
        ):
            return False
        self.reserve(4)
        self.times[1] = samples.last
        self.values[1] = samples.last_value
        self.show(self.times + 1, self.values + 1, 1, 1)
        return True

    cdef int walk_along(self, Samples samples, int64_t start) except -1:
        """Put samples into buckets chunk by chunk: they never leave the processor's cache."""
        cdef Chunk chunk
        cdef Span span = Span(self.end, start, -1)
        self.walk.reset()
        for chunk in samples.within(start, self.end):
            self.reserve(chunk.count + 1)
            self.low = 0
            self.high = chunk.fill_until(self.times, self.values, span)
            self.cut(start)
            self.walk.feed(self.times + self.low, self.values + self.low, self.high - self.low)
        return self.walk.close()

    # --- the time-weighted average ---------------------------------------------------------------

    cdef bint before(self, Samples samples, int64_t start, int64_t edge) except -1:
        """Whether there is a sample before the span that retention keeps; it is put before the
        others.
        """
        cdef int64_t place
        cdef Chunk chunk
        if self.low == 1:
            # None was decoded, so it is the last of a chunk.
            place = samples.place(start)
            chunk = <Chunk>samples.chunks[place]
            if chunk.first >= start:
                if place == 0:
                    return False
                chunk = <Chunk>samples.chunks[place - 1]
            self.times[0] = chunk.last
            self.values[0] = chunk.last_value
        return self.times[self.low - 1] >= edge and is_number(self.values[self.low - 1])

    cdef bint after(self, Samples samples) except -1:
        """Whether there is a sample behind the span; it is put behind the others."""
        cdef int64_t place
        cdef Chunk chunk
        if samples.last <= self.end:
            return False
        place = samples.place(self.end)
        chunk = <Chunk>samples.chunks[place]
        # Of a chunk that reaches over the end of the span, decoding has gone on by one sample.
        if not chunk.first <= self.end < chunk.last:
            if chunk.first <= self.end:
                chunk = <Chunk>samples.chunks[place + 1]
            self.times[self.high] = chunk.first
            self.values[self.high] = chunk.first_value()
        return is_number(self.values[self.high])

    cdef int weigh_line(self, bint before, bint after) except -1:
        """Have the time-weighted averages; NaN is no point of the line."""
        cdef int64_t i, place = self.low, low
        cdef View view
        for i in range(self.low, self.high + after):
            if is_number(self.values[i]):
                self.times[place], self.values[place] = self.times[i], self.values[i]
                place += 1
        low = self.low - before
        view = View(
            self.start, self.end, self.walk.plan.width, self.walk.plan.align, before, after,
            self.empty,
        )
        return weigh(
            &self.weighted, Line(self.times + low, self.values + low, place - low, 0), view
        )

    cdef double average_at(self, int64_t start) noexcept:
        """The average of the bucket that begins there, or NaN. Asked in rising order of time."""
        while self.place < self.weighted.used and self.weighted.starts[self.place] < start:
            self.place += 1
        if self.place < self.weighted.used and self.weighted.starts[self.place] == start:
            return self.weighted.values[self.place]
        return NAN

    cdef void merge(self) noexcept:
        """Put the averages into their columns."""
        cdef Columns *columns = &self.walk.columns
        cdef int64_t i
        cdef int column
        self.place = 0
        for i in range(columns.used):
            for column in range(columns.wide):
                if self.walk.plan.kinds[column] == TWA_KIND:
                    columns.values[i * columns.wide + column] = self.average_at(columns.starts[i])

    # --- buckets ---------------------------------------------------------------------------------

    cdef int settle(self) except -1:
        """Show the buckets that were found, with those between if they are asked for."""
        cdef Columns *columns = &self.walk.columns
        cdef int64_t i
        if self.weighs and self.empty and columns.wide == 1:
            columns = &self.weighted
        else:
            if self.weighs:
                self.merge()
            if self.empty and columns.used > 1:
                self.fill()
                columns = &self.filled
        for i in range(columns.used):
            columns.starts[i] = max(columns.starts[i], 0) + self.shift_ms
        self.show(columns.starts, columns.values, columns.used, columns.wide)
        return 0

    cdef int fill(self) except -1:
        """Have the buckets in between as well; no more than COUNT asks for."""
        cdef Columns *columns = &self.walk.columns
        cdef int wide = columns.wide, column
        cdef int64_t width = self.walk.plan.width, first = columns.starts[0], at = 0, start
        cdef uint64_t total, skipped = 0, place
        cdef double *row
        total = <uint64_t>(columns.starts[columns.used - 1] - first) // <uint64_t>width + 1
        if self.count >= 0 and <uint64_t>self.count < total:
            if self.backwards:
                skipped = total - self.count
            total = self.count
        if total > BUCKETS_MAX:
            raise TooMany
        self.filled.used = 0
        self.place = 0
        for place in range(skipped, skipped + total):
            start = first + <int64_t>place * width
            while columns.starts[at] < start:
                at += 1
            row = add_row(&self.filled, start)
            for column in range(wide):
                if columns.starts[at] == start:
                    row[column] = columns.values[at * wide + column]
                else:
                    row[column] = self.between(self.walk.plan.kinds[column], column, at, start)
        return 0

    cdef double between(self, int kind, int column, int64_t at, int64_t start) noexcept:
        """The value of an empty bucket, which comes before the bucket at this index: `last` repeats
        the one before, seen the way one goes.
        """
        if kind == TWA_KIND:
            return self.average_at(start)
        if kind == (FIRST if self.backwards else LAST):
            if not self.backwards:
                at -= 1
            return self.walk.columns.values[at * self.walk.columns.wide + column]
        return empty_value(kind)

    # --- replies ---------------------------------------------------------------------------------

    cdef int64_t wanted(self) noexcept:
        """How many rows are to be told."""
        return self.total if self.count < 0 else min(self.total, self.count)

    cdef int64_t index(self, int64_t place) noexcept:
        """Which row comes at a place of the reply."""
        return self.total - 1 - place if self.backwards else place

    cdef int write(self, Wire wire) except -1:
        """Write what was found."""
        cdef int64_t place, at, count = self.wanted()
        wire.head(42, count)
        for place in range(count):
            at = self.index(place)
            wire.sample(self.found_times[at], self.found_values + at * self.wide, self.wide)
        return 0

    cdef list rows(self, int resp):
        """The same as values, each row a list: for scripts and transactions."""
        cdef int64_t place, at
        cdef int column
        cdef double value
        cdef list found = [], row
        for place in range(self.wanted()):
            at = self.index(place)
            row = [self.found_times[at]]
            for column in range(self.wide):
                value = self.found_values[at * self.wide + column]
                row.append(value if resp == 3 else shown(value))
            found.append(row)
        return found

    def found(self, SeriesHolder series not None, latest, int resp, bint direct):
        """The samples of a reply. `direct`: as they are sent, for a request of its own."""
        cdef Wire wire
        self.look(series, latest)
        if not direct:
            return self.rows(resp)
        wire = Wire(resp)
        self.write(wire)
        return wire.done()

    def reduce(self, series, int kind, bint backwards, int resp, bint direct):
        """The same for series, each with its open bucket or None, put together."""
        cdef Reduction reduction = Reduction()
        cdef int64_t count = self.count
        cdef Wire wire
        # COUNT and the way one goes are those of the whole, not of each series.
        self.count = -1
        for one, latest in series:
            self.look(one, latest)
            reduction.take(self.found_times, self.found_values, self.total)
        reduction.finish(kind, &self.reduced)
        self.show(self.reduced.starts, self.reduced.values, self.reduced.used, 1)
        self.backwards, self.count = backwards, count
        try:
            if not direct:
                return self.rows(resp)
            wire = Wire(resp)
            self.write(wire)
            return wire.done()
        finally:
            self.backwards = False
