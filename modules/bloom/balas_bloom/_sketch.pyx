"""The counters of a count-min sketch. It knows nothing of commands.

An item has a counter in each of `depth` rows; the lowest of them is its count or too high. The
layout and the hashes are those of RedisBloom, because sketches travel between the two.

Source: G. Cormode and S. Muthukrishnan, "An Improved Data Stream Summary".
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from balas.api cimport Value
from balas_bloom._hashing cimport Blend, blend, blended_32, read_int64
from balas_bloom._pages cimport PAGE_BYTES, give_back

cdef extern from *:
    """
    #define multiply_overflows(a, b, result) __builtin_mul_overflow(a, b, result)
    #define add_overflows(a, b, result) __builtin_add_overflow(a, b, result)
    """
    bint multiply_overflows(int64_t a, int64_t b, int64_t *result) noexcept nogil
    bint add_overflows(int64_t a, int64_t b, int64_t *result) noexcept nogil

# What the objects take beside the counters.
cdef enum:
    SKETCH_BYTES = 150

cdef uint64_t COUNTERS_MAX = <uint64_t>1 << 61
# A row is addressed by a hash of 32 bits, but may be longer.
DEPTH_MAX = 1 << 32


cdef int64_t sum_of(const Source *sources, Py_ssize_t count, uint64_t place) noexcept nogil:
    """The sum of one counter of all sources; -1 if it does not fit a counter."""
    cdef int64_t total = 0
    cdef int64_t product = 0
    cdef Py_ssize_t k
    for k in range(count):
        if multiply_overflows(sources[k].counters[place], sources[k].weight, &product):
            return -1
        if add_overflows(total, product, &total):
            return -1
    return total if 0 <= total <= UINT32_MAX else -1


cdef inline uint64_t column(uint32_t hashed, uint64_t width) noexcept nogil:
    """The counter of a row of this width that a hash leads to."""
    # A division of 32 bits takes half as long as one of 64.
    return hashed % <uint32_t>width if width <= UINT32_MAX else hashed


cdef class Sketch:
    """Counters of 32 bits, which stop at their highest value.

    Args:
        width: counters in a row, at least 1.
        depth: rows, at least 1.

    Raises ValueError for numbers out of range, MemoryError if there is no room.
    """

    def __cinit__(self, uint64_t width, uint64_t depth):
        self.counters = NULL
        if width == 0 or depth == 0 or depth >= DEPTH_MAX:
            raise ValueError("width or depth out of range")
        if width > COUNTERS_MAX // depth:
            raise ValueError("too many counters")
        self.width = width
        self.depth = depth
        self.counters = <uint32_t *>calloc(width * depth, 4)
        if self.counters == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.counters)

    @property
    def length(self) -> int:
        """Bytes of all counters."""
        return self.width * self.depth * 4

    @property
    def memory(self) -> int:
        """Bytes, with the objects."""
        return self.width * self.depth * 4 + SKETCH_BYTES

    cdef uint32_t increase(self, bytes item, uint64_t amount) noexcept:
        """Count an item `amount` times; its count then."""
        cdef const char *data = PyBytes_AS_STRING(item)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(item)
        cdef uint32_t lowest = UINT32_MAX
        cdef uint32_t *counter
        cdef uint64_t row, width = self.width
        cdef uint32_t *first = self.counters
        cdef Blend made
        blend(&made, data, length)
        for row in range(self.depth):
            counter = first + column(blended_32(&made, <uint32_t>row), width)
            first += width
            counter[0] += <uint32_t>amount
            if counter[0] < amount:
                counter[0] = UINT32_MAX
            lowest = min(lowest, counter[0])
        self.total += amount
        return lowest

    cpdef list increase_all(self, tuple words, overflow):
        """Count items: `words` are the key, and then items and how often, in turn.

        A list of their counts, with what `overflow()` gives in place of one too high. Raises
        TypeError if a number cannot be read, ValueError if it is negative; nothing is counted then.
        """
        cdef list counts = []
        cdef bytes word
        cdef int64_t amount = 0
        cdef uint32_t count
        cdef Py_ssize_t i
        for i in range(2, len(words), 2):
            word = words[i]
            if not read_int64(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word), &amount):
                raise TypeError
            if amount < 0:
                raise ValueError
        for i in range(2, len(words), 2):
            word = words[i]
            read_int64(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word), &amount)
            count = self.increase(words[i - 1], amount)
            counts.append(overflow() if count == UINT32_MAX else count)
        return counts

    def query_all(self, tuple words not None) -> list:
        """The counts of items: `words` are the key, and then the items."""
        cdef list counts = []
        cdef bytes item
        cdef uint32_t lowest
        cdef uint64_t row
        cdef uint64_t place, width = self.width
        cdef Py_ssize_t i
        cdef Blend made
        for i in range(1, len(words)):
            item = words[i]
            lowest = UINT32_MAX
            blend(&made, PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item))
            for row in range(self.depth):
                place = row * width + column(blended_32(&made, <uint32_t>row), width)
                lowest = min(lowest, self.counters[place])
            counts.append(lowest)
        return counts

    def merge(self, list sketches not None, list weights not None) -> None:
        """Take the sum of sketches of the same size, each times its weight.

        Raises OverflowError, and nothing is changed, if that is negative or too high anywhere.
        """
        cdef Py_ssize_t count = len(sketches)
        cdef Source *sources = <Source *>malloc(count * sizeof(Source))
        cdef Sketch one
        cdef Py_ssize_t k
        if sources == NULL:
            raise MemoryError
        try:
            for k in range(count):
                one = sketches[k]
                if one.width != self.width or one.depth != self.depth:
                    raise ValueError("sketches of different size")
                sources[k].counters = one.counters
                sources[k].weight = weights[k]
                sources[k].total = <int64_t>one.total
            self.take_sum(sources, count)
        finally:
            free(sources)

    cdef int take_sum(self, Source *sources, Py_ssize_t count) except -1:
        """Become the sum of sources that are of the same size; raises OverflowError."""
        cdef int64_t total = 0
        cdef int64_t product = 0
        cdef uint64_t length = self.width * self.depth
        cdef uint64_t i
        cdef Py_ssize_t k
        for k in range(count):
            if multiply_overflows(sources[k].total, sources[k].weight, &product):
                raise OverflowError
            if add_overflows(total, product, &total):
                raise OverflowError
        for i in range(length):
            if sum_of(sources, count, i) < 0:
                raise OverflowError
        for i in range(length):
            self.counters[i] = <uint32_t>sum_of(sources, count, i)
        self.total = <uint64_t>total
        return 0

    def read(self) -> bytes:
        """All counters, as they are in a file."""
        return PyBytes_FromStringAndSize(<char *>self.counters, self.width * self.depth * 4)

    def write(self, bytes data not None, uint64_t total) -> None:
        """Set all counters, and how often anything was counted; ValueError for another length."""
        if <uint64_t>PyBytes_GET_SIZE(data) != self.width * self.depth * 4:
            raise ValueError("counters of another length")
        memcpy(self.counters, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self.total = total


cdef class SketchHolder(Value):
    """What the keyspace asks of a sketch with every change, and when it is freed."""

    def __init__(self, Sketch sketch not None):
        self.sketch = sketch

    cpdef Py_ssize_t memory_usage(self) except -1:
        """The counters, and the objects that hold them."""
        return self.sketch.width * self.sketch.depth * 4 + SKETCH_BYTES

    cpdef Py_ssize_t free_effort(self) except -1:
        """As much as giving back the pages of the counters costs."""
        return 1 + self.sketch.width * self.sketch.depth * 4 // PAGE_BYTES

    def free_step(self, effort: int) -> bool:
        """Give back some pages; True while there are more."""
        cdef Sketch sketch = self.sketch
        cdef uint64_t budget = effort * PAGE_BYTES
        return give_back(
            sketch.counters, sketch.width * sketch.depth * 4, &sketch.released, budget
        ) > 0
