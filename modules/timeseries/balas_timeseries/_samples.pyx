"""The samples of a series: chunks in rising order of time that do not overlap.

A sample at the end is appended to the last chunk. Any other change decodes the one chunk it falls
into and encodes it anew: into two halves, if it has become too much for one, or together with its
neighbour, if both are almost empty. There is always a last chunk, if need be without samples.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memmove

from balas_timeseries._chunk cimport DECIMAL, PLAIN, SHARE_SHIFT, Chunk, Span, new_chunk

import numpy as np

cdef enum:
    # The objects around a chunk's bits: the chunk itself, its place in the list.
    CHUNK_BYTES = 192


cdef class Slot:
    """Where the sample of a time is, or belongs: in a chunk, which is decoded here if need be."""

    def __dealloc__(self):
        free(self.times)
        free(self.values)

    cdef int decode(self, Samples samples) except -1:
        """Decode the chunk, and look for the sample."""
        cdef Chunk chunk
        cdef int64_t low = 0, high, middle
        self.place = samples.place(self.timestamp)
        chunk = <Chunk>samples.chunks[self.place]
        self.count = high = chunk.count
        # There is room for one more.
        self.times = <int64_t *>malloc((self.count + 1) * sizeof(int64_t))
        self.values = <double *>malloc((self.count + 1) * sizeof(double))
        if self.times == NULL or self.values == NULL:
            raise MemoryError
        chunk.fill(self.times, self.values)
        while low < high:
            middle = (low + high) >> 1
            if self.times[middle] < self.timestamp:
                low = middle + 1
            else:
                high = middle
        self.at = low
        self.there = low < self.count and self.times[low] == self.timestamp
        if self.there:
            self.value = self.values[low]
        return 0

    cdef void put(self, double value) noexcept:
        """Have a sample there."""
        cdef int64_t behind = self.count - self.at
        if not self.there:
            memmove(
                self.times + self.at + 1, self.times + self.at, behind * sizeof(int64_t)
            )
            memmove(self.values + self.at + 1, self.values + self.at, behind * sizeof(double))
            self.count += 1
        self.times[self.at] = self.timestamp
        self.values[self.at] = value


cdef class Samples:
    """Timestamps (int64, ms, at least 0) with a value (float64) each."""

    def __init__(self, int64_t chunk_bytes, bint plain=False):
        self.chunk_bytes = chunk_bytes
        self.plain = plain
        self.chunks = []
        self.replace(0, 0, [Chunk(chunk_bytes, plain)])

    @property
    def first(self):
        """The timestamp of the first sample; 0 if there is none."""
        return (<Chunk>self.chunks[0]).first if self.total else 0

    cdef int note_end(self) except -1:
        """Bring `last` and `last_value` up to date."""
        cdef Chunk chunk = self.end()
        self.last = chunk.last
        self.last_value = chunk.last_value
        return 0

    cdef Chunk fresh(self, int decimals):
        """An empty chunk, which begins with the decimals of another. Even after one of FLOATS it
        begins with DECIMAL: the first float shows, and it may have been a single one.
        """
        return new_chunk(self.chunk_bytes, PLAIN if self.plain else DECIMAL, decimals)

    cdef Chunk end(self):
        return <Chunk>self.chunks[len(self.chunks) - 1]

    cpdef int append(self, int64_t timestamp, double value) except -1:
        """Add a sample later than all others."""
        cdef Chunk chunk = self.end(), other
        cdef int64_t before = chunk.room_bytes
        if not chunk.append(timestamp, value):
            chunk.trim()
            self.room_bytes += chunk.room_bytes - before
            other = self.fresh(chunk.decimals)
            other.append(timestamp, value)
            self.chunks.append(other)
            self.room_bytes += other.room_bytes + CHUNK_BYTES
        else:
            self.room_bytes += chunk.room_bytes - before
        self.total += 1
        self.last = timestamp
        self.last_value = value
        return 0

    cdef int64_t place(self, int64_t timestamp) noexcept:
        """The index of the chunk that a sample of this time belongs to."""
        cdef int64_t low = 0, high = len(self.chunks), middle
        while high - low > 1:
            middle = (low + high) >> 1
            if (<Chunk>self.chunks[middle]).first <= timestamp:
                low = middle
            else:
                high = middle
        return low

    cpdef Slot slot(self, int64_t timestamp):
        """Where the sample of this time is, or belongs."""
        cdef Slot slot = Slot.__new__(Slot)
        slot.timestamp = timestamp
        if self.total and timestamp == self.last:
            # The last chunk tells it, and can often take another value without being decoded.
            slot.there = True
            slot.value = self.last_value
        else:
            slot.decode(self)
        return slot

    cpdef int fill(self, Slot slot, double value) except -1:
        """Put a sample in its place, or replace the one that is there."""
        cdef Chunk chunk = self.end()
        cdef int64_t before = chunk.room_bytes
        if not slot.count and slot.there:
            if chunk.replace_last(value):
                self.room_bytes += chunk.room_bytes - before
                self.last_value = value
                return 0
            slot.decode(self)
        slot.put(value)
        chunk = <Chunk>self.chunks[slot.place]
        chunks = self.continued(chunk, slot)
        if chunks is None:
            chunks = self.encoded(slot.times, slot.values, slot.count, chunk.decimals)
        return self.replace(slot.place, 1, chunks)

    cdef list continued(self, Chunk chunk, Slot slot):
        """A chunk that begins with the bits that a change leaves as they are; None if it has no
        room for all samples.
        """
        cdef Chunk made
        cdef int64_t i
        if slot.at == 0:
            return None
        made = chunk.beginning(slot.times, slot.values, slot.at, self.chunk_bytes)
        for i in range(slot.at, slot.count):
            if not made.append(slot.times[i], slot.values[i]):
                return None
        return [made]

    def find(self, int64_t timestamp):
        """The value of the sample of this time, or None."""
        cdef Slot slot = self.slot(timestamp)
        return slot.value if slot.there else None

    cpdef int put(self, int64_t timestamp, double value) except -1:
        """Add a sample anywhere, or replace the one of this time."""
        if self.total == 0 or timestamp > self.last:
            return self.append(timestamp, value)
        return self.fill(self.slot(timestamp), value)

    cdef list encoded(
        self, const int64_t *times, const double *values, int64_t count, int decimals
    ):
        """Chunks of these samples; if they are more than one, of about the same length."""
        cdef int64_t i, middle = count >> 1
        cdef Chunk chunk = self.fresh(decimals)
        for i in range(count):
            if not chunk.append(times[i], values[i]):
                return self.encoded(times, values, middle, decimals) + self.encoded(
                    times + middle, values + middle, count - middle, decimals
                )
        return [chunk] if chunk.count else []

    cdef list encoded_arrays(self, object times, object values, int decimals):
        """The same of arrays."""
        cdef const int64_t[::1] all_times = times
        cdef const double[::1] all_values = values
        if not all_times.shape[0]:
            return []
        return self.encoded(&all_times[0], &all_values[0], all_times.shape[0], decimals)

    cdef int replace(self, int64_t place, int64_t count, list chunks) except -1:
        """Put other chunks in the place of some, and merge what is almost empty with the next."""
        cdef Chunk chunk
        for chunk in self.chunks[place:place + count]:
            self.room_bytes -= chunk.room_bytes + CHUNK_BYTES
            self.total -= chunk.count
        if not chunks and len(self.chunks) == count:
            chunks = [self.fresh(0)]
        for chunk in chunks:
            self.room_bytes += chunk.room_bytes + CHUNK_BYTES
            self.total += chunk.count
        self.chunks[place:place + count] = chunks
        if count:
            self.merge(max(place - 1, 0), place + len(chunks))
        return self.note_end()

    cdef int merge(self, int64_t low, int64_t high) except -1:
        """Put neighbours among the chunks from `low` to `high` together that are almost empty."""
        cdef Chunk chunk, other
        while low < high and low + 1 < len(self.chunks):
            chunk, other = <Chunk>self.chunks[low], <Chunk>self.chunks[low + 1]
            # Half a chunk at most, so that the next sample does not part them again.
            if (
                (chunk.coder.bits + other.coder.bits) >> 3 > self.chunk_bytes >> 1
                or chunk.count + other.count > self.chunk_bytes >> (SHARE_SHIFT + 1)
            ):
                low += 1
                continue
            times, values = (np.concatenate(one) for one in zip(chunk.decode(), other.decode()))
            made = self.encoded_arrays(times, values, max(chunk.decimals, other.decimals))
            if len(made) > 1:
                low += 1
                continue
            self.chunks[low:low + 2] = made
            self.room_bytes += (<Chunk>made[0]).room_bytes - chunk.room_bytes - other.room_bytes
            self.room_bytes -= CHUNK_BYTES
            high -= 1
        return 0

    def remove(self, int64_t start, int64_t end):
        """Remove the samples from `start` to `end`, both included; how many there were."""
        cdef int64_t before = self.total
        cdef int64_t low = self.place(start), high = self.place(end) + 1
        cdef Chunk chunk
        cdef list kept = []
        for chunk in self.chunks[low:high]:
            if not chunk.count or chunk.last < start or chunk.first > end:
                kept.append(chunk)
            elif chunk.first < start or chunk.last > end:
                times, values = chunk.decode()
                outside = (times < start) | (times > end)
                if outside.all():
                    kept.append(chunk)
                    continue
                kept += self.encoded_arrays(times[outside], values[outside], chunk.decimals)
        self.replace(low, high - low, kept)
        return before - self.total

    cpdef int forget(self, int64_t edge) except -1:
        """Let go chunks that lie before a time as a whole; how many samples they had."""
        cdef int64_t before = self.total
        while len(self.chunks) > 1 and (<Chunk>self.chunks[0]).last < edge:
            self.replace(0, 1, [])
        return <int>(before - self.total)

    def within(self, int64_t start, int64_t end):
        """The chunks that hold samples from `start` to `end`."""
        cdef Chunk chunk
        if start > end:
            return []
        return [
            chunk
            for chunk in self.chunks[self.place(start):self.place(end) + 1]
            if chunk.count and chunk.last >= start and chunk.first <= end
        ]

    cdef list needed(self, int64_t start, int64_t end, int64_t count, bint backwards):
        """The chunks that hold the first, or the last, `count` samples of a span."""
        cdef int64_t place = self.place(end if backwards else start)
        cdef Chunk chunk
        cdef list found = []
        # Of the chunk at either end of the span it is not known how many samples lie within.
        while 0 <= place < len(self.chunks) and count > 0:
            chunk = <Chunk>self.chunks[place]
            if chunk.first > end or (backwards and chunk.last < start):
                break
            if chunk.count and chunk.last >= start:
                found.append(chunk)
                if chunk.first >= start and chunk.last <= end:
                    count -= chunk.count
            place += -1 if backwards else 1
        if backwards:
            found.reverse()
        return found

    def range(self, int64_t start, int64_t end, int64_t count=-1, bint backwards=False):
        """The samples from `start` to `end`, both included, as two arrays. With a `count` at
        least as many of the first of them, or `backwards` of the last.
        """
        cdef list chunks
        cdef int64_t total = 0, at = 0
        cdef Chunk chunk
        cdef Span span = Span(end, start, -1 if backwards else count)
        if start > end:
            chunks = []
        elif count < 0:
            chunks = self.within(start, end)
        else:
            chunks = self.needed(start, end, count, backwards)
        for chunk in chunks:
            total += chunk.count
        times = np.empty(total, dtype=np.int64)
        values = np.empty(total, dtype=np.float64)
        cdef int64_t[::1] to_times = times
        cdef double[::1] to_values = values
        for chunk in chunks:
            at += chunk.fill_until(&to_times[at], &to_values[at], span)
        if at < total:
            times, values, total = times[:at], values[:at], at
        if total and (to_times[0] < start or to_times[total - 1] > end):
            low, high = np.searchsorted(times, start), np.searchsorted(times, end, "right")
            return times[low:high], values[low:high]
        return times, values

    def before(self, int64_t timestamp, int64_t edge):
        """The last sample before a time, but not before `edge`: (timestamp, value), or None."""
        cdef int64_t place
        cdef Chunk chunk
        if timestamp <= 0 or not self.total:
            return None
        place = self.place(timestamp - 1)
        chunk = <Chunk>self.chunks[place]
        if chunk.first >= timestamp:
            return None
        times, values = self.range(chunk.first, timestamp - 1)
        return (times[-1].item(), values[-1].item()) if times[-1] >= edge else None

    def after(self, int64_t timestamp):
        """The first sample after a time: (timestamp, value), or None."""
        cdef int64_t place
        if not self.total or timestamp >= self.last:
            return None
        place = self.place(timestamp)
        if (<Chunk>self.chunks[place]).last <= timestamp:
            place += 1
        times, values = (<Chunk>self.chunks[place]).decode()
        at = np.searchsorted(times, timestamp, "right")
        return times[at].item(), values[at].item()

    def load(self, times, values):
        """Add samples later than all others; ValueError if they are not."""
        cdef const int64_t[::1] all_times = times
        cdef const double[::1] all_values = values
        cdef int64_t i, last = self.last if self.total else -1
        for i in range(all_times.shape[0]):
            if all_times[i] <= last:
                raise ValueError("samples out of order")
            last = all_times[i]
        for i in range(all_times.shape[0]):
            self.append(all_times[i], all_values[i])

    def copy(self):
        """Equal samples that share nothing."""
        cdef Samples made = Samples(self.chunk_bytes, self.plain)
        cdef Chunk chunk
        made.replace(0, 1, [chunk.copy() for chunk in self.chunks])
        return made

    def check_invariants(self):
        """Raise AssertionError if the chunks are not what this file says."""
        cdef Chunk chunk
        last = -1
        assert self.chunks
        assert self.last == self.end().last and self.total >= 0
        assert self.total == sum(chunk.count for chunk in self.chunks)
        assert self.room_bytes == sum(chunk.room_bytes + CHUNK_BYTES for chunk in self.chunks)
        for chunk in self.chunks:
            assert chunk.count or len(self.chunks) == 1
            times, values = chunk.decode()
            if chunk.count:
                assert times[0] == chunk.first > last and times[-1] == chunk.last
                assert values[-1].tobytes() == np.float64(chunk.last_value).tobytes()
                assert (np.diff(times) > 0).all()
                last = chunk.last
