"""The centroids of a merging t-digest. It knows nothing of commands.

Values are collected as centroids of weight 1. When there is no room for another, all are sorted,
and neighbours are merged as long as the result is light enough for its place: light at both ends,
heavy in the middle. So quantiles near 0 and 1 are nearly exact. The arithmetic is that of
RedisBloom step by step, because digests travel between the two and must agree to the last bit.

Source: T. Dunning and O. Ertl, "Computing Extremely Accurate Quantiles Using t-Digests".
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.float cimport DBL_MAX
from libc.math cimport INFINITY, NAN, ceil, fabs, floor, isfinite, log, modf, round
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from balas.api cimport Value
from balas_bloom._pages cimport PAGE_BYTES, give_back

cdef enum:
    # What the objects take beside the centroids.
    DIGEST_BYTES = 200
    # Below this depth a badly divided part is sorted another way, which takes bounded time.
    DEPTH_MAX = 64
    # Digits of a whole number that a double holds exactly in any case.
    EXACT_DIGITS = 15

cdef int64_t CAPACITY_MAX = 2**31 - 1
cdef double PI = 3.14159265358979323846
# The state of a digest without values.
cdef double LOWEST = DBL_MAX
cdef double HIGHEST = -DBL_MAX
cdef double[23] POWERS = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]


cdef bint read_plain(const char *text, Py_ssize_t length, double *value) noexcept nogil:
    """Read a number of few digits, with or without a point; False for anything else."""
    cdef bint negative = length > 0 and text[0] == c"-"
    cdef Py_ssize_t i = negative
    cdef Py_ssize_t digits = 0
    cdef Py_ssize_t behind = -1
    cdef int64_t mantissa = 0
    if length > 20:
        return False
    while i < length:
        if c"0" <= text[i] <= c"9":
            mantissa = mantissa * 10 + (text[i] - c"0")
            digits += 1
            behind += behind >= 0
        elif text[i] == c"." and behind < 0 and digits > 0:
            behind = 0
        else:
            return False
        i += 1
    if digits == 0 or digits > EXACT_DIGITS or behind == 0:
        return False
    # Both are exact, so the quotient is rounded once, as it should be.
    value[0] = <double>mantissa / POWERS[behind] if behind > 0 else <double>mantissa
    if negative:
        value[0] = -value[0]
    return True


cdef inline void swap(Centroid *centroids, int64_t a, int64_t b) noexcept nogil:
    centroids[a], centroids[b] = centroids[b], centroids[a]


cdef int64_t divide(Centroid *centroids, int64_t start, int64_t end) noexcept nogil:
    """Put those lower than the one in the middle in front of it; its place then."""
    cdef double pivot
    cdef int64_t i = start
    cdef int64_t j
    swap(centroids, (start + end) // 2, end)
    pivot = centroids[end].mean
    for j in range(start, end):
        if centroids[j].mean < pivot:
            swap(centroids, i, j)
            i += 1
    swap(centroids, i, end)
    return i


cdef bint sorted_already(const Centroid *centroids, int64_t start, int64_t end) noexcept nogil:
    """Whether all means are the same, and all weights: then nothing is to be done."""
    cdef int64_t i
    for i in range(start + 1, end + 1):
        if centroids[i].mean != centroids[start].mean:
            return False
        if centroids[i].weight != centroids[start].weight:
            return False
    return True


cdef void heap_down(Centroid *centroids, int64_t size, int64_t start) noexcept nogil:
    cdef int64_t child
    while 2 * start + 1 < size:
        child = 2 * start + 1
        if child + 1 < size and centroids[child].mean < centroids[child + 1].mean:
            child += 1
        if centroids[start].mean >= centroids[child].mean:
            return
        swap(centroids, start, child)
        start = child


cdef void heap_sort(Centroid *centroids, int64_t size) noexcept nogil:
    """Sort in bounded time and space."""
    cdef int64_t i
    for i in range(size // 2 - 1, -1, -1):
        heap_down(centroids, size, i)
    for i in range(size - 1, 0, -1):
        swap(centroids, 0, i)
        heap_down(centroids, i, 0)


cdef void sort(Centroid *centroids, int64_t start, int64_t end, int depth) noexcept nogil:
    """Sort the centroids from `start` to `end`, inclusive, by their means.

    Those with equal means come into the very order that RedisBloom gives them, as long as they do
    not make for endless division.
    """
    cdef int64_t middle
    while start < end:
        if end - start == 1:
            if centroids[start].mean > centroids[end].mean:
                swap(centroids, start, end)
            return
        if depth == 0:
            heap_sort(centroids + start, end - start + 1)
            return
        middle = divide(centroids, start, end)
        # Nothing was lower: many are equal, perhaps all.
        if middle == start and sorted_already(centroids, start, end):
            return
        depth -= 1
        if middle > start:
            sort(centroids, start, middle - 1, depth)
        start = middle + 1


cdef double average(double a, double weight_a, double b, double weight_b) noexcept nogil:
    """The weighted average of two numbers, which is not outside them."""
    cdef double low = min(a, b)
    cdef double high = max(a, b)
    return max(low, min((a * weight_a + b * weight_b) / (weight_a + weight_b), high))


cdef double half_down(double value) noexcept nogil:
    """The nearest whole number; of two the one nearer to zero."""
    cdef double whole = 0
    cdef double part = modf(value, &whole)
    if fabs(part) <= 0.5:
        return whole
    return whole + 1 if whole >= 0 else whole - 1


cdef int64_t to_integer(double value) noexcept nogil:
    """A whole number; the lowest there is for what does not fit, NaN included."""
    if -9.3e18 < value < 9.2233720368547748e18:
        return <int64_t>value
    return INT64_MIN


cdef class Digest:
    """Centroids: the merged ones, sorted, and those that came since.

    Args:
        compression: how many there are at most after merging, about; 1 or more.
        capacity: how many there is room for; None: what follows from the compression.

    Raises ValueError for numbers out of range, MemoryError if there is no room.
    """

    def __cinit__(self, int64_t compression, capacity=None):
        self.centroids = NULL
        if not 1 <= compression <= (CAPACITY_MAX - 10) // 6:
            raise ValueError("compression out of range")
        self.compression = compression
        self.capacity = 6 * compression + 10
        if capacity is not None and capacity != self.capacity:
            raise ValueError("capacity does not follow from the compression")
        self.centroids = <Centroid *>calloc(self.capacity, sizeof(Centroid))
        if self.centroids == NULL:
            raise MemoryError
        self.reset()

    def __dealloc__(self):
        free(self.centroids)

    @property
    def memory(self) -> int:
        """Bytes, with the objects."""
        return self.capacity * sizeof(Centroid) + DIGEST_BYTES

    @property
    def total(self) -> int:
        """How many values there are."""
        return self.merged_weight + self.unmerged_weight

    cpdef object reset(self):
        """Forget all values."""
        self.lowest = LOWEST
        self.highest = HIGHEST
        self.merged = self.unmerged = 0
        self.merged_weight = self.unmerged_weight = 0
        self.compressions = 0

    cdef int put(self, double mean, int64_t weight) except -1:
        """Add a centroid; raises OverflowError if the weights are too much."""
        if self.merged + self.unmerged >= self.capacity - 1:
            self.compress()
        # There is room, since merging leaves far fewer; but numbers in a file may say otherwise.
        if self.merged + self.unmerged >= self.capacity:
            raise OverflowError
        if weight > INT64_MAX - self.unmerged_weight - self.merged_weight:
            raise OverflowError
        self.lowest = min(self.lowest, mean)
        self.highest = max(self.highest, mean)
        self.centroids[self.merged + self.unmerged].mean = mean
        self.centroids[self.merged + self.unmerged].weight = weight
        self.unmerged += 1
        self.unmerged_weight += weight
        return 0

    cpdef object compress(self):
        """Sort and merge, if anything came since the last time, and there is more than one value.
        """
        cdef int64_t count = self.merged + self.unmerged
        cdef double total = <double>self.merged_weight + <double>self.unmerged_weight
        cdef double normalizer, together, z, before = 0, q0, q2
        cdef Centroid *nodes = self.centroids
        cdef int64_t current = 0
        cdef int64_t i
        if self.unmerged == 0 or total <= 1:
            return
        sort(nodes, 0, count - 1, DEPTH_MAX + <int>min(count, <int64_t>4096))
        normalizer = <double>self.compression / (2 * PI * total * log(total))
        for i in range(1, count):
            together = <double>nodes[current].weight + <double>nodes[i].weight
            z = together * normalizer
            q0 = before / total
            q2 = (before + together) / total
            if z <= q0 * (1 - q0) and z <= q2 * (1 - q2):
                nodes[current].weight += nodes[i].weight
                nodes[current].mean += (
                    (nodes[i].mean - nodes[current].mean)
                    * nodes[i].weight / nodes[current].weight
                )
            else:
                before += nodes[current].weight
                current += 1
                nodes[current] = nodes[i]
        self.merged = current + 1
        self.merged_weight += self.unmerged_weight
        self.unmerged = 0
        self.unmerged_weight = 0
        self.compressions += 1

    cpdef object add_all(self, tuple words, number):
        """Add values: `words` are the key, and then the values.

        `number` reads what is not a plain decimal number. Raises ValueError for one that is not
        finite, and whatever `number` raises; nothing is added then.
        """
        cdef Py_ssize_t count = len(words) - 1
        cdef double *values = <double *>calloc(count + 1, sizeof(double))
        cdef bytes word
        cdef Py_ssize_t i
        if values == NULL:
            raise MemoryError
        try:
            for i in range(count):
                word = words[i + 1]
                if not read_plain(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word), &values[i]):
                    values[i] = number(word)
                if not isfinite(values[i]):
                    raise ValueError
            for i in range(count):
                self.put(values[i], 1)
        finally:
            free(values)

    def merge(self, Digest source not None) -> None:
        """Add the values of another digest, or this one."""
        cdef int64_t i
        self.compress()
        source.compress()
        for i in range(source.merged + source.unmerged):
            self.put(source.centroids[i].mean, source.centroids[i].weight)

    # --- asking ----------------------------------------------------------------------------------

    cpdef double quantile(self, double q):
        """The value below which the share `q` of all values lies; NaN if there are none merged."""
        cdef double index, left, right, z1, z2, so_far, half
        cdef int64_t last, i
        cdef Centroid *nodes = self.centroids
        self.compress()
        if not 0 <= q <= 1 or self.merged == 0:
            return NAN
        if self.merged == 1:
            return nodes[0].mean
        index = q * <double>self.merged_weight
        if index < 1:
            return self.lowest
        left = <double>nodes[0].weight
        if left > 1 and index < left / 2:
            return self.lowest + (index - 1) / (left / 2 - 1) * (nodes[0].mean - self.lowest)
        if index > <double>(self.merged_weight - 1):
            return self.highest
        last = self.merged - 1
        right = <double>nodes[last].weight
        if right > 1 and <double>self.merged_weight - index <= right / 2:
            return self.highest - (<double>self.merged_weight - index - 1) / (right / 2 - 1) * (
                self.highest - nodes[last].mean
            )
        so_far = left / 2
        for i in range(last):
            half = (<double>nodes[i].weight + <double>nodes[i + 1].weight) / 2
            if so_far + half > index:
                return self.between(i, index - so_far, so_far + half - index)
            so_far += half
        z1 = index - <double>self.merged_weight - right / 2
        z2 = right / 2 - z1
        return average(nodes[last].mean, z1, self.highest, z2)

    cdef double between(self, int64_t i, double behind, double ahead) noexcept:
        """The value so far behind a centroid and ahead of the next.

        A centroid of weight 1 is a value itself: near it there is no other.
        """
        cdef Centroid *a = &self.centroids[i]
        cdef Centroid *b = &self.centroids[i + 1]
        cdef double unit_a = 0, unit_b = 0
        if a.weight == 1:
            if behind < 0.5:
                return a.mean
            unit_a = 0.5
        if b.weight == 1:
            if ahead <= 0.5:
                return b.mean
            unit_b = 0.5
        return average(a.mean, ahead - unit_b, b.mean, behind - unit_a)

    cpdef double cdf(self, double value):
        """The share of values up to `value`, of which those that are equal count half."""
        cdef double total, width
        cdef Centroid *first
        cdef Centroid *last
        self.compress()
        if self.merged == 0:
            return NAN
        if value < self.lowest:
            return 0
        if value > self.highest:
            return 1
        if self.merged == 1:
            width = self.highest - self.lowest
            return 0.5 if value - self.lowest <= width else (value - self.lowest) / width
        total = <double>self.merged_weight
        first = &self.centroids[0]
        if value < first.mean:
            width = first.mean - self.lowest
            if width <= 0:
                return 0
            if value == self.lowest:
                return 0.5 / total
            return (1 + (value - self.lowest) / width * (<double>first.weight / 2 - 1)) / total
        last = &self.centroids[self.merged - 1]
        if value > last.mean:
            width = self.highest - last.mean
            if width <= 0:
                return 1
            if value == self.highest:
                return 1 - 0.5 / total
            return 1 - (
                1 + (self.highest - value) / width * (<double>last.weight / 2 - 1)
            ) / total
        return self.cdf_within(value, total)

    cdef double cdf_within(self, double value, double total) noexcept:
        """The same for a value from the first to the last centroid."""
        cdef Centroid *a
        cdef Centroid *b
        cdef double so_far = 0, equal = 0, half, base, left, right
        cdef int64_t i = 0
        while i < self.merged - 1:
            a = &self.centroids[i]
            b = &self.centroids[i + 1]
            if a.mean == value:
                while i < self.merged and self.centroids[i].mean == value:
                    equal += <double>self.centroids[i].weight
                    i += 1
                return (so_far + equal / 2) / total
            if a.mean <= value < b.mean:
                half = (<double>a.weight + <double>b.weight) / 2
                if b.mean - a.mean <= 0:
                    return (so_far + half) / total
                if a.weight == 1 and b.weight == 1:
                    return (so_far + 1) / total
                left = 0.5 if a.weight == 1 else 0
                right = 0.5 if b.weight == 1 else 0
                base = so_far + <double>a.weight / 2 + left
                half = half - left - right
                return (base + half * (value - a.mean) / (b.mean - a.mean)) / total
            so_far += <double>a.weight
            i += 1
        return 1 - 0.5 / total

    def rank(self, double value, bint reverse) -> int:
        """How many values are lower (or, if `reverse`, higher), those equal counted half.

        -1 before the first, the number of values behind the last, -2 if there are none.
        """
        cdef double size = <double>(self.merged_weight + self.unmerged_weight)
        cdef double found
        if size == 0:
            return -2
        if value < self.lowest:
            return to_integer(size) if reverse else -1
        if value > self.highest:
            return -1 if reverse else to_integer(size)
        found = self.cdf(value) * size
        return to_integer(round(size - round(found)) if reverse else half_down(found))

    def by_rank(self, int64_t rank, bint reverse) -> float:
        """The value at this rank, from 0; infinite past the end, NaN if there are none."""
        cdef int64_t size = self.merged_weight + self.unmerged_weight
        if size == 0:
            return NAN
        if rank >= size:
            return -INFINITY if reverse else INFINITY
        if rank == 0:
            return self.highest if reverse else self.lowest
        if rank == size - 1:
            return self.lowest if reverse else self.highest
        if reverse:
            return self.quantile(<double>(size - rank - 1) / <double>size)
        return self.quantile(<double>rank / <double>size)

    def trimmed_mean(self, double low, double high) -> float:
        """The mean of the values from the quantile `low` to the quantile `high`."""
        cdef double done = 0, total = 0, count = 0, weight, part
        cdef double first, end
        cdef int64_t i
        self.compress()
        if self.merged == 0:
            return NAN
        if self.merged == 1:
            return self.centroids[0].mean
        first = floor(<double>self.merged_weight * low)
        end = ceil(<double>self.merged_weight * high)
        for i in range(self.merged):
            weight = <double>self.centroids[i].weight
            part = weight - min(max(0.0, first - done), weight)
            part = min(max(0.0, end - done), part)
            done += weight
            total += self.centroids[i].mean * part
            count += part
            if done >= end:
                break
        return total / count

    # --- as a whole ------------------------------------------------------------------------------

    def nodes(self) -> list:
        """All centroids, the merged ones first: (mean, weight)."""
        return [
            (self.centroids[i].mean, self.centroids[i].weight)
            for i in range(self.merged + self.unmerged)
        ]

    def fill(
        self,
        double lowest,
        double highest,
        int64_t compressions,
        list nodes not None,
        int64_t unmerged,
    ) -> None:
        """Set everything; of the nodes the last `unmerged` are not merged.

        Raises ValueError for what makes no sense.
        """
        cdef double mean
        cdef int64_t weight, total = 0
        cdef int64_t i, count = len(nodes)
        if count > self.capacity or not 0 <= unmerged <= count or compressions < 0:
            raise ValueError("more centroids than there is room for")
        if lowest != lowest or highest != highest:
            raise ValueError("bounds that are no numbers")
        self.reset()
        for i in range(count):
            mean, weight = nodes[i]
            if not isfinite(mean) or weight < 1 or weight > INT64_MAX - total:
                raise ValueError("centroid out of range")
            total += weight
            self.centroids[i].mean = mean
            self.centroids[i].weight = weight
            if i < count - unmerged:
                self.merged_weight += weight
            else:
                self.unmerged_weight += weight
        self.merged = count - unmerged
        self.unmerged = unmerged
        self.lowest = lowest
        self.highest = highest
        self.compressions = compressions

    def copy(self) -> Digest:
        """A digest with equal content that shares nothing."""
        cdef Digest made = Digest(self.compression)
        memcpy(
            made.centroids, self.centroids, (self.merged + self.unmerged) * sizeof(Centroid)
        )
        made.merged, made.unmerged = self.merged, self.unmerged
        made.merged_weight, made.unmerged_weight = self.merged_weight, self.unmerged_weight
        made.lowest, made.highest = self.lowest, self.highest
        made.compressions = self.compressions
        return made


cdef class DigestHolder(Value):
    """What the keyspace asks of a digest with every change, and when it is freed."""

    def __init__(self, Digest centroids not None):
        self.centroids = centroids

    cpdef Py_ssize_t memory_usage(self) except -1:
        """The centroids, and the objects that hold them."""
        return self.centroids.capacity * sizeof(Centroid) + DIGEST_BYTES

    cpdef Py_ssize_t free_effort(self) except -1:
        """As much as giving back the pages of the centroids costs."""
        return 1 + self.centroids.capacity * sizeof(Centroid) // PAGE_BYTES

    def free_step(self, effort: int) -> bool:
        """Give back some pages; True while there are more."""
        cdef Digest held = self.centroids
        return give_back(
            held.centroids, held.capacity * sizeof(Centroid), &held.released, effort * PAGE_BYTES
        ) > 0
