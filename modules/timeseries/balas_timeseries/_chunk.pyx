"""Compressed samples: the kernel of a series.

A chunk holds samples in rising order of time as bits. Of a timestamp it keeps how much its distance
from the one before differs from the distance before that, as in "Gorilla: A Fast, Scalable,
In-Memory Time Series Database" (Pelkonen and others, VLDB 2015). For values a chunk has one of two
codes, and changes over when a value demands it:

- DECIMAL, for what people measure: counters, and gauges of a few digits. All values are whole
  multiples of a power of ten, and are kept as such: each as the difference from where the drift of
  those before would have brought it. Exactly: a value that would not come back bit by bit is not
  taken, and the chunk is coded anew with more decimals or as FLOATS.
- FLOATS, for any doubles: Gorilla's XOR with the value before.

Differences in time and of decimal values go through one coder, Rice's (Robert F. Rice, "Some
Practical Universal Noiseless Coding Techniques", 1979) with a parameter that follows the numbers:
n is n >> k in unary and its lower k bits, where 2**k is near the mean of the numbers so far. So a
regular series of a steady value takes two bits a sample, and noise of some units about what its
entropy is. A jump beyond UNARY_MAX is written out: 6 bits of length, and its bits.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport fabs, rint
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

import numpy as np

cdef extern from *:
    """
    #define leading_zeros(x) __builtin_clzll(x)
    #define trailing_zeros(x) __builtin_ctzll(x)
    static const double POWERS[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    """
    int leading_zeros(uint64_t value) nogil
    int trailing_zeros(uint64_t value) nogil
    const double POWERS[7]

cdef enum:
    # A sample at its longest: 2 * (UNARY_MAX + 6 + 64) bits, or 14 + 64 bits for a float.
    LONGEST_BITS = 192
    # Reading and writing go 9 bytes at a time, so this much lies behind the room.
    MARGIN_BYTES = 16
    NO_WINDOW = -1
    # More ones in a row than this are an escape.
    UNARY_MAX = 16
    # More digits behind the point than this are rather noise than a choice of unit.
    DECIMALS_MAX = 6
    FIRST_ROOM_BYTES = 48
    # Chunks grow by a quarter, so that no more than that is ever empty.
    GROWTH_SHIFT = 2
    DRIFT_SHIFT = 4
    MEAN_SHIFT = 4
    SAMPLE_BYTES = 16

# Beyond, not every whole number is a double.
cdef double UNITS_MAX = 9007199254740992.0


cdef inline uint64_t bits_of(double value) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &value, 8)
    return bits


cdef inline bint units_of(double value, int decimals, int64_t *units) noexcept nogil:
    """Whether a value is a whole multiple of 10 ** -decimals, exactly, and of how many."""
    cdef double scaled = rint(value * POWERS[decimals])
    if not fabs(scaled) < UNITS_MAX:
        return False
    units[0] = <int64_t>scaled
    # Not by ==, for -0.0 has to come back as such, and is no decimal number.
    return bits_of(<double>units[0] / POWERS[decimals]) == bits_of(value)


cdef inline uint64_t peek(const unsigned char *data, int64_t position) noexcept nogil:
    """At least the next 57 bits, the lowest first."""
    cdef uint64_t word
    memcpy(&word, data + (position >> 3), 8)
    return word >> (position & 7)


cdef inline uint64_t take(const unsigned char *data, int64_t *position, int width) noexcept nogil:
    """The next `width` bits, the lowest first."""
    cdef int64_t at = position[0] >> 3
    cdef int shift = position[0] & 7
    cdef uint64_t word
    memcpy(&word, data + at, 8)
    word >>= shift
    if shift + width > 64:
        word |= (<uint64_t>data[at + 8]) << (64 - shift)
    position[0] += width
    if width < 64:
        word &= (<uint64_t>1 << width) - 1
    return word


cdef inline int rice_parameter(uint64_t mean) noexcept nogil:
    """The k for numbers of this mean (times 16): the bits of two thirds of it."""
    cdef uint64_t part = (mean * 11) >> (MEAN_SHIFT + 4)
    return 64 - leading_zeros(part) if part else 0


cdef inline uint64_t followed(uint64_t mean, uint64_t number) noexcept nogil:
    """The mean after one more number. One outlier may not spoil the code of all that follow, so it
    counts for no more than 64 times the mean.
    """
    cdef uint64_t most = ((mean >> MEAN_SHIFT) << 6) + 256
    if number > most:
        number = most
    if mean > <uint64_t>1 << 50:
        mean = <uint64_t>1 << 50
    return mean - (mean >> MEAN_SHIFT) + number


cdef inline int64_t take_residual(
    const unsigned char *data, int64_t *position, uint64_t *mean
) noexcept nogil:
    cdef uint64_t word = peek(data, position[0]), number
    cdef int k, ones, length
    if mean[0] == 0 and not word & 1:
        # The mean stays 0, and so does the code: a regular series is all like this.
        position[0] += 1
        return 0
    k = rice_parameter(mean[0])
    ones = trailing_zeros(~word | (<uint64_t>1 << UNARY_MAX))
    if ones < UNARY_MAX:
        if ones + 1 + k <= 56:
            number = (word >> (ones + 1)) & ((<uint64_t>1 << k) - 1)
            position[0] += ones + 1 + k
        else:
            position[0] += ones + 1
            number = take(data, position, k)
        number |= <uint64_t>ones << k
    else:
        position[0] += UNARY_MAX
        length = <int>take(data, position, 6) + 1
        number = take(data, position, length)
    mean[0] = followed(mean[0], number)
    return <int64_t>(number >> 1) ^ -<int64_t>(number & 1)


cdef inline int64_t shifted(int64_t number) noexcept nogil:
    """A sixteenth, rounded down: C leaves the shift of a negative number open, compilers do not."""
    return number >> DRIFT_SHIFT


cdef inline void begin(Progress *progress, Span span, int64_t count) noexcept nogil:
    """Start to decode: all samples, or so many from the beginning of the span."""
    progress.stop = count
    progress.limit = span.end if span.count < 0 else min(span.start - 1, span.end)


cdef inline void go_on(
    Progress *progress, Span span, int64_t timestamp, int64_t place
) noexcept nogil:
    """A sample lies beyond the limit: it begins what is wanted, or ends it."""
    if timestamp > span.end:
        progress.stop = place + 1
    else:
        progress.limit = span.end
        progress.stop = min(progress.stop, place + max(span.count, 1))


cdef class Chunk:
    """Samples in rising order of time, in at most `size_bytes` of memory."""

    def __cinit__(self, int64_t size_bytes, bint plain=False):
        # Two samples always have room: 128 + LONGEST_BITS bits.
        if size_bytes < 48:
            raise ValueError("a chunk without room")
        self.size_bytes = size_bytes
        self.form = PLAIN if plain else DECIMAL
        self.coder.leading = NO_WINDOW
        self.before.leading = NO_WINDOW

    def __dealloc__(self):
        free(self.data)

    cdef int reserve(self, int64_t bits) except -1:
        """Have so many bits of room."""
        cdef int64_t needed = (bits + 7) >> 3, room
        cdef unsigned char *data
        if needed <= self.room_bytes:
            return 0
        room = self.room_bytes + (self.room_bytes >> GROWTH_SHIFT) + FIRST_ROOM_BYTES
        room = max(needed, min(room, self.size_bytes))
        data = <unsigned char *>realloc(self.data, room + MARGIN_BYTES)
        if data == NULL:
            raise MemoryError
        memset(data + self.room_bytes + (MARGIN_BYTES if self.data != NULL else 0), 0,
               room - self.room_bytes + (0 if self.data != NULL else MARGIN_BYTES))
        self.data = data
        self.room_bytes = room
        return 0

    cdef void put(self, uint64_t value, int width) noexcept:
        cdef int64_t at = self.coder.bits >> 3
        cdef int shift = self.coder.bits & 7
        cdef uint64_t word
        memcpy(&word, self.data + at, 8)
        word |= value << shift
        memcpy(self.data + at, &word, 8)
        if shift + width > 64:
            self.data[at + 8] = <unsigned char>(value >> (64 - shift))
        self.coder.bits += width

    cdef void put_residual(self, uint64_t *mean, int64_t number) noexcept:
        cdef uint64_t folded = (<uint64_t>number << 1) ^ <uint64_t>(number >> 63)
        cdef int k = rice_parameter(mean[0]), length
        cdef uint64_t high = folded >> k
        if high < UNARY_MAX:
            self.put((<uint64_t>1 << high) - 1, <int>high + 1)
            if k:
                self.put(folded & ((<uint64_t>1 << k) - 1), k)
        else:
            length = 64 - leading_zeros(folded)
            self.put((<uint64_t>1 << UNARY_MAX) - 1, UNARY_MAX)
            self.put(length - 1, 6)
            self.put(folded, length)
        mean[0] = followed(mean[0], folded)

    cdef void put_float(self, double value) noexcept:
        cdef uint64_t changed = bits_of(value) ^ bits_of(self.last_value)
        cdef int leading, trailing, length
        if changed == 0:
            self.put(0, 1)
            return
        leading = leading_zeros(changed)
        trailing = trailing_zeros(changed)
        length = 64 - leading - trailing
        if (
            self.coder.leading != NO_WINDOW
            and leading >= self.coder.leading
            and trailing >= self.coder.trailing
            # A new window pays off when it saves more than its 12 bits.
            and 64 - self.coder.leading - self.coder.trailing <= length + 12
        ):
            self.put(1, 2)
            self.put(changed >> self.coder.trailing, 64 - self.coder.leading - self.coder.trailing)
        else:
            self.put(3 | leading << 2 | (length - 1) << 8, 14)
            self.put(changed >> trailing, length)
            self.coder.leading = leading
            self.coder.trailing = trailing

    cdef int start(self, int64_t timestamp, double value) except -1:
        """Put the first sample; a chunk that was told its decimals by another keeps them if it can.
        """
        self.reserve(128 + LONGEST_BITS if self.form != PLAIN else 128)
        if self.form == DECIMAL:
            while not units_of(value, self.decimals, &self.coder.unit):
                self.decimals += 1
                if self.decimals > DECIMALS_MAX:
                    self.form = FLOATS
                    self.decimals = 0
                    break
        self.first = timestamp
        self.put(<uint64_t>timestamp, 64)
        self.put(bits_of(value), 64)
        return 0

    cdef int recode(self, double value) except -1:
        """Code all samples anew so that `value` may follow: with more decimals, or as floats.

        Where that takes more room than there may be, the chunk is left as it is and full: -2.
        """
        cdef int64_t i, unit
        cdef int decimals = self.decimals
        cdef Chunk other
        times, values = self.decode()
        cdef int64_t[::1] all_times = times
        cdef double[::1] all_values = values
        while decimals <= DECIMALS_MAX and not units_of(value, decimals, &unit):
            decimals += 1
        if decimals <= DECIMALS_MAX:
            # What one power of ten gives exactly, the next need not.
            for i in range(self.count):
                if not units_of(all_values[i], decimals, &unit):
                    decimals = DECIMALS_MAX + 1
                    break
        other = new_chunk(
            self.size_bytes, DECIMAL if decimals <= DECIMALS_MAX else FLOATS,
            decimals if decimals <= DECIMALS_MAX else 0,
        )
        for i in range(self.count):
            if not other.append(all_times[i], all_values[i]):
                return -2
        self.data, other.data = other.data, self.data
        self.room_bytes, other.room_bytes = other.room_bytes, self.room_bytes
        self.coder = other.coder
        self.before = other.before
        self.last_but_one = other.last_but_one
        self.value_but_one = other.value_but_one
        self.form = other.form
        self.decimals = other.decimals
        return 0

    cpdef bint append(self, int64_t timestamp, double value) except -1:
        """Add a sample later than all others; False if there is no room for it."""
        cdef int64_t delta, unit = 0, change
        cdef Coder before = self.coder
        if self.count == 0:
            self.start(timestamp, value)
        elif self.form == PLAIN:
            if self.coder.bits + SAMPLE_BYTES * 8 > self.size_bytes * 8:
                return False
            self.reserve(self.coder.bits + SAMPLE_BYTES * 8)
            self.put(<uint64_t>timestamp, 64)
            self.put(bits_of(value), 64)
        else:
            if (
                self.coder.bits + LONGEST_BITS > self.size_bytes * 8
                or self.count > self.size_bytes >> SHARE_SHIFT
            ):
                return False
            if self.form == DECIMAL and not units_of(value, self.decimals, &unit):
                if self.recode(value) == -2:
                    return False
                return self.append(timestamp, value)
            if self.coder.bits + LONGEST_BITS > self.room_bytes * 8:
                self.reserve(self.coder.bits + LONGEST_BITS)
            delta = timestamp - self.last
            self.put_residual(&self.coder.time_mean, delta - self.coder.delta)
            self.coder.delta = delta
            if self.form == DECIMAL:
                change = unit - self.coder.unit
                self.put_residual(&self.coder.value_mean, change - shifted(self.coder.drift))
                self.coder.drift += change - shifted(self.coder.drift)
                self.coder.unit = unit
            else:
                self.put_float(value)
        self.before = before
        self.last_but_one = self.last
        self.value_but_one = self.last_value
        self.last = timestamp
        self.last_value = value
        self.count += 1
        return True

    cpdef bint replace_last(self, double value) except -1:
        """Give the last sample another value; False if the chunk has to be coded anew for that."""
        cdef int64_t first = self.before.bits, byte, unit
        if self.count < 2 or (self.form == DECIMAL and not units_of(value, self.decimals, &unit)):
            return False
        if self.form != PLAIN and first + LONGEST_BITS > self.size_bytes * 8:
            return False
        byte = first >> 3
        self.data[byte] &= (1 << (first & 7)) - 1
        memset(self.data + byte + 1, 0, ((self.coder.bits + 7) >> 3) - byte)
        self.coder = self.before
        self.count -= 1
        first = self.last
        self.last = self.last_but_one
        self.last_value = self.value_but_one
        return self.append(first, value)

    cdef bint fill(self, int64_t *timestamps, double *values) noexcept nogil:
        """Decode all samples into two arrays of `count`; False if the bits are none of ours."""
        cdef Span all_of_it = Span(INT64_MAX, 0, -1)
        return self.fill_until(timestamps, values, all_of_it) == self.count

    cdef int64_t fill_until(
        self, int64_t *timestamps, double *values, Span span
    ) noexcept nogil:
        """Decode the samples up to the end of a span, and perhaps one more; how many, -1 if the
        bits are none of ours.
        """
        cdef int64_t i
        cdef Progress progress
        if self.count == 0:
            return 0
        begin(&progress, span, self.count)
        if self.form == PLAIN:
            i = 0
            while i < progress.stop:
                memcpy(&timestamps[i], self.data + SAMPLE_BYTES * i, 8)
                memcpy(&values[i], self.data + SAMPLE_BYTES * i + 8, 8)
                if timestamps[i] > progress.limit:
                    go_on(&progress, span, timestamps[i], i)
                i += 1
            return progress.stop
        memcpy(&timestamps[0], self.data, 8)
        memcpy(&values[0], self.data + 8, 8)
        if timestamps[0] > progress.limit:
            go_on(&progress, span, timestamps[0], 0)
        if self.form == DECIMAL:
            return self.fill_decimal(timestamps, values, span, &progress, NULL)
        return self.fill_floats(timestamps, values, span, &progress, NULL)

    cdef int64_t fill_decimal(
        self, int64_t *timestamps, double *values, Span span, Progress *progress, Coder *coder
    ) noexcept nogil:
        cdef const unsigned char *data = self.data
        cdef int64_t stop = progress.stop, limit = progress.limit
        cdef int64_t position = 128, i = 1, timestamp = timestamps[0], delta = 0, unit = 0
        cdef int64_t drift = 0, change
        cdef uint64_t time_mean = 0, value_mean = 0
        cdef double power = POWERS[self.decimals]
        units_of(values[0], self.decimals, &unit)
        while i < stop:
            delta += take_residual(data, &position, &time_mean)
            timestamp += delta
            timestamps[i] = timestamp
            change = shifted(drift) + take_residual(data, &position, &value_mean)
            drift += change - shifted(drift)
            unit += change
            values[i] = <double>unit / power
            if position > self.coder.bits:
                return -1
            if timestamp > limit:
                go_on(progress, span, timestamp, i)
                stop, limit = progress.stop, progress.limit
            i += 1
        if coder != NULL:
            coder.bits, coder.delta, coder.unit, coder.drift = position, delta, unit, drift
            coder.time_mean, coder.value_mean = time_mean, value_mean
        return stop

    cdef int64_t fill_floats(
        self, int64_t *timestamps, double *values, Span span, Progress *progress, Coder *coder
    ) noexcept nogil:
        cdef const unsigned char *data = self.data
        cdef int64_t stop = progress.stop, limit = progress.limit
        cdef int64_t position = 128, i = 1, timestamp = timestamps[0], delta = 0
        cdef uint64_t time_mean = 0, bits = bits_of(values[0])
        cdef int trailing = 0, length = 0
        while i < stop:
            delta += take_residual(data, &position, &time_mean)
            timestamp += delta
            timestamps[i] = timestamp
            if take(data, &position, 1):
                if take(data, &position, 1):
                    trailing = 64 - <int>take(data, &position, 6)
                    length = <int>take(data, &position, 6) + 1
                    trailing -= length
                if trailing < 0 or length == 0:
                    return -1
                bits ^= take(data, &position, length) << trailing
            memcpy(&values[i], &bits, 8)
            if position > self.coder.bits:
                return -1
            if timestamp > limit:
                go_on(progress, span, timestamp, i)
                stop, limit = progress.stop, progress.limit
            i += 1
        if coder != NULL:
            coder.bits, coder.delta, coder.time_mean = position, delta, time_mean
            if length:
                coder.leading, coder.trailing = 64 - length - trailing, trailing
        return stop

    cdef Chunk beginning(
        self, int64_t *timestamps, double *values, int64_t count, int64_t size_bytes
    ):
        """A chunk of the first samples, at least one, to which another is to be appended at once.

        The arrays have room for them.
        """
        cdef Chunk other = new_chunk(size_bytes, self.form, self.decimals)
        cdef Span all_of_it = Span(INT64_MAX, 0, -1)
        cdef Progress progress = Progress(INT64_MAX, count)
        cdef int64_t used
        if self.form == DECIMAL:
            self.fill_decimal(timestamps, values, all_of_it, &progress, &other.coder)
        elif self.form == FLOATS:
            self.fill_floats(timestamps, values, all_of_it, &progress, &other.coder)
        else:
            other.coder.bits = count * SAMPLE_BYTES * 8
        other.reserve(other.coder.bits + LONGEST_BITS)
        used = (other.coder.bits + 7) >> 3
        memcpy(other.data, self.data, used)
        if other.coder.bits & 7:
            other.data[used - 1] &= (1 << (other.coder.bits & 7)) - 1
        other.count = count
        other.first = self.first
        other.last = timestamps[count - 1]
        other.last_value = values[count - 1]
        return other

    cdef int trim(self) except -1:
        """Give back the room that is not used: nothing more is to be appended soon."""
        cdef int64_t needed = (self.coder.bits + 7) >> 3
        cdef unsigned char *data
        if self.room_bytes > needed and self.data != NULL:
            data = <unsigned char *>realloc(self.data, needed + MARGIN_BYTES)
            if data != NULL:
                # What lies behind the last bit is all zeros: `put` never wrote there.
                memset(data + needed, 0, MARGIN_BYTES)
                self.data = data
                self.room_bytes = needed
        return 0

    cpdef Chunk copy(self):
        """A chunk of the same samples that shares nothing."""
        cdef Chunk other = new_chunk(self.size_bytes, self.form, self.decimals)
        if self.data != NULL:
            other.data = <unsigned char *>malloc(self.room_bytes + MARGIN_BYTES)
            if other.data == NULL:
                raise MemoryError
            memcpy(other.data, self.data, self.room_bytes + MARGIN_BYTES)
        other.room_bytes = self.room_bytes
        other.count = self.count
        other.first = self.first
        other.last = self.last
        other.last_value = self.last_value
        other.coder = self.coder
        other.before = self.before
        other.last_but_one = self.last_but_one
        other.value_but_one = self.value_but_one
        return other

    cdef double first_value(self) noexcept:
        """The value of the first sample, of which there is one: no chunk codes it."""
        cdef double value
        memcpy(&value, self.data + 8, 8)
        return value

    @property
    def bits(self):
        """The bits that are used."""
        return self.coder.bits

    def decode(self):
        """Timestamps (int64, ms) and values (float64), as two new arrays."""
        timestamps = np.empty(self.count, dtype=np.int64)
        values = np.empty(self.count, dtype=np.float64)
        cdef int64_t[::1] to_timestamps
        cdef double[::1] to_values
        if self.count:
            to_timestamps = timestamps
            to_values = values
            self.fill(&to_timestamps[0], &to_values[0])
        return timestamps, values

    def used(self):
        """The bits in use as bytes."""
        return PyBytes_FromStringAndSize(<char *>self.data, (self.coder.bits + 7) >> 3)


cdef Chunk new_chunk(int64_t size_bytes, Form form, int decimals):
    """A chunk that begins with a code: that of the chunk before, which will do as well."""
    cdef Chunk chunk = Chunk.__new__(Chunk, size_bytes)
    chunk.form = form
    chunk.decimals = decimals
    return chunk


def decoded(bytes data not None, int64_t count, int form, int decimals):
    """The samples of what `Chunk.used` gave; ValueError for anything that it cannot have given."""
    cdef int64_t size = len(data)
    cdef Chunk chunk
    # Two bits a sample are the least.
    if not 0 < count <= size * 4 or form not in (DECIMAL, FLOATS, PLAIN) or size < SAMPLE_BYTES:
        raise ValueError("a chunk of another size than it says")
    if not 0 <= decimals <= DECIMALS_MAX or (form == PLAIN and count * SAMPLE_BYTES != size):
        raise ValueError("a chunk of a code that is none")
    chunk = new_chunk(size + 48, <Form>form, decimals)
    # A sample that begins within the data may end this far behind it.
    chunk.reserve(size * 8 + 2 * LONGEST_BITS)
    memcpy(chunk.data, <const char *>data, size)
    chunk.coder.bits = size * 8
    chunk.count = count
    times = np.empty(count, dtype=np.int64)
    values = np.empty(count, dtype=np.float64)
    cdef int64_t[::1] to_times = times
    cdef double[::1] to_values = values
    if not chunk.fill(&to_times[0], &to_values[0]):
        raise ValueError("a chunk whose bits end too early")
    return times, values
