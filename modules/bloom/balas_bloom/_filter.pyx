"""The bits of a Bloom filter: hashing, probing, growing. It knows nothing of commands or files.

A `Chain` is one filter that a user sees: a row of `Layer`s, each a plain Bloom filter. An item is
new if no layer holds it, and is put into the last. When the last has all the items it was made for,
a larger one with half its error rate follows, so that the sum of all error rates stays below the
rate asked for.

Everything here is bit for bit that of RedisBloom, because filters travel between the two: the
hash functions and their seeds, the arithmetic that turns capacity and error rate into a number of
bits, and the place of each bit. Where it is faster, the result is the same:

- the k-th probe of an item is `(a + k * b) mod 2**64 mod bits`. The second remainder is taken by
  multiplying with the reciprocal of the divisor, which costs a tenth of a division;
- a batch hashes some items ahead and has their first cache lines fetched meanwhile: in a large
  filter, waiting for memory is nearly all the time.

Sources: A. Kirsch and M. Mitzenmacher, "Less Hashing, Same Performance" (two hash values serve for
all probes); P. S. Almeida et al., "Scalable Bloom Filters" (the chain); A. Appleby, MurmurHash.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_CheckExact,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from libc.math cimport ceil, fabs, isfinite, log, logb
from libc.stdint cimport UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy

cdef extern from *:
    int popcount "__builtin_popcountll"(uint64_t) nogil

from balas.api cimport Value
from balas_bloom._hashing cimport murmur_32, murmur_64
from balas_bloom._pages cimport PAGE_BYTES, give_back

cdef extern from *:
    """
    static inline unsigned long long high_product(unsigned long long a, unsigned long long b) {
        return (unsigned long long)(((unsigned __int128)a * b) >> 64);
    }
    #define prefetch_for_read(place) __builtin_prefetch(place)
    """
    uint64_t high_product(uint64_t a, uint64_t b) noexcept nogil
    void prefetch_for_read(const void *place) noexcept nogil

cpdef enum:
    # Options of a chain, as bits of the number that files carry.
    EXACT_BITS = 1      # as many bits as needed, not the next power of two
    ENTRIES_ARE_BITS = 2  # the capacity is the logarithm of the number of bits
    HASH_64 = 4         # MurmurHash64A; without it MurmurHash2, as filters from before 2017 have it
    FIXED = 8           # no further layer is ever added

cdef enum:
    ADDED = 1
    KNOWN = 0
    FAILED = -1
    FULL = -2
    # Items of a batch that are hashed ahead, and how many of their probes are fetched meanwhile.
    AHEAD = 16
    FETCHED = 4
    # Places of an item's bits that are kept for a second pass; more are a rate below 1e-9.
    PLACES = 32
    # What the objects take beside the bits.
    CHAIN_BYTES = 250
    LAYER_BYTES = 160
    # A layer with fewer bits is in the cache anyway.
    CACHED = 1 << 20

cdef uint64_t SEED_64 = 0xC6A4A7935BD1E995ULL
cdef uint32_t SEED_32 = 0x9747B28CU
# The constants have the digits that RedisBloom writes them with: the last ones count, since
# the results are rounded up to whole hashes and bits.
cdef double LN2 = 0.693147180559945
cdef double LN2_SQUARED = 0.480453013918201
# How much the error rate shrinks from layer to layer.
cdef double TIGHTENING = 0.5
# Bits of a layer whose number still fits a signed 64-bit integer with room for rounding up.
cdef double BITS_MAX = 9.2e18


class Full(Exception):
    """The filter has all the items it was made for, and may not grow."""


cdef inline uint64_t place_of(const Probe *probe, uint64_t hashed) noexcept nogil:
    """The remainder of `hashed` by the modulus."""
    cdef uint64_t rest
    if probe.reciprocal == 0:
        return hashed & (probe.modulus - 1)
    # The quotient taken with the rounded reciprocal is exact or one too small.
    rest = hashed - high_product(hashed, probe.reciprocal) * probe.modulus
    return rest - probe.modulus if rest >= probe.modulus else rest


cdef inline bint layer_holds(const Probe *probe, uint64_t start, uint64_t step) noexcept nogil:
    """Whether all bits of an item are set."""
    cdef uint64_t place
    cdef uint32_t _i
    for _i in range(probe.hashes):
        place = place_of(probe, start)
        if not probe.bits[place >> 3] & (1 << (place & 7)):
            return False
        start += step
    return True


cdef inline bint layer_sets(Probe *probe, uint64_t start, uint64_t step) noexcept nogil:
    """Set all bits of an item; whether one was not set before.

    Nothing is written for an item that is held already, so that it copies no page while a child
    writes a snapshot. There is no branch on a bit: half of them would be guessed wrong.
    """
    cdef uint64_t places[PLACES]
    cdef uint64_t place
    cdef uint8_t missing = 0
    cdef uint32_t i
    if probe.hashes > PLACES:
        if layer_holds(probe, start, step):
            return False
        for i in range(probe.hashes):
            place = place_of(probe, start + i * step)
            probe.bits[place >> 3] |= 1 << (place & 7)
        return True
    for i in range(probe.hashes):
        place = place_of(probe, start)
        places[i] = place
        missing |= ~probe.bits[place >> 3] >> (place & 7)
        start += step
    if not missing & 1:
        return False
    for i in range(probe.hashes):
        probe.bits[places[i] >> 3] |= 1 << (places[i] & 7)
    return True


cdef inline double bits_per_entry(double error) noexcept nogil:
    """How many bits an item takes at this error rate."""
    return fabs(-(log(error) / LN2_SQUARED))


cdef class Layer:
    """One plain Bloom filter: an array of bits, and how many of them an item sets.

    It gives its bits, read-only, as a buffer.

    Args:
        entries: the items it is made for.
        error: the rate of false positives with that many items, above 0 and below 1.
        bpe: bits per entry; follows from `error`.
        hashes: bits set for an item; follows from `bpe`.
        bits: the number of bits; that of addressed ones if `n2` is 0.
        n2: the logarithm of the number of addressed bits, or 0.
        size: the items it holds.
        length: bytes of the array; at least what `bits` and `n2` need.
        data: the content, `length` long; None for an empty layer.

    Raises:
        ValueError: numbers that contradict each other. They may come from a file or a client, so
            nothing is allocated or indexed before they are checked.
        OverflowError: a number that does not fit its field.
        MemoryError: no room for the array. (Its pages cost nothing before they are written.)
    """

    def __cinit__(
        self,
        uint64_t entries,
        double error,
        double bpe,
        uint32_t hashes,
        uint64_t bits,
        uint8_t n2,
        uint64_t size,
        uint64_t length,
        data=None,
    ):
        cdef const unsigned char[::1] content
        self.probe.bits = NULL
        if not (isfinite(error) and 0 < error < 1):
            raise ValueError("error rate out of range")
        # Bounds the hashes as well: no client can ask for a billion probes an item.
        if not fabs(bpe - bits_per_entry(error)) <= 1e-9 * bpe:
            raise ValueError("bits per entry do not follow from the error rate")
        if hashes != <uint32_t>ceil(LN2 * bpe):
            raise ValueError("number of hashes does not follow from the bits per entry")
        if n2 > 63 or bits == 0 or length > UINT64_MAX // 8 or bits > length * 8:
            raise ValueError("number of bits out of range")
        if n2 != 0 and bits < <uint64_t>1 << n2:
            raise ValueError("fewer bits than are addressed")
        if size > entries:
            raise ValueError("more items than entries")
        self.error = error
        self.bpe = bpe
        self.bits = bits
        self.length = length
        self.n2 = n2
        self.probe.hashes = hashes
        self.probe.entries = entries
        self.probe.size = size
        self.probe.modulus = <uint64_t>1 << n2 if n2 else bits
        if self.probe.modulus & (self.probe.modulus - 1):
            self.probe.reciprocal = UINT64_MAX // self.probe.modulus
        if data is not None:
            content = data
            if <uint64_t>content.shape[0] != length:
                raise ValueError("content of another length")
        self.probe.bits = <uint8_t *>calloc(length, 1)
        if self.probe.bits == NULL:
            raise MemoryError
        if data is not None:
            memcpy(self.probe.bits, &content[0], length)

    def __dealloc__(self):
        free(self.probe.bits)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.probe.bits, self.length, 1, flags)

    @property
    def entries(self) -> int:
        """The items it is made for."""
        return self.probe.entries

    @property
    def hashes(self) -> int:
        """How many bits an item sets."""
        return self.probe.hashes

    @property
    def size(self) -> int:
        """The items it holds."""
        return self.probe.size

    cdef uint64_t release(self, uint64_t budget) noexcept:
        """Give back up to `budget` bytes, in whole pages, of a layer that nobody will look at.

        Returns how many that were; 0 if none is left. The bits are zero afterwards.
        """
        return give_back(self.probe.bits, self.length, &self.released, budget)

    def unite(self, Layer other not None) -> bool:
        """Hold what `other` holds, too: a layer of the same shape; ValueError if it is not.

        Returns False, and the layer is of no use, if these are more items than it was made for. Its
        size is then about what it holds: nobody knows how many items both held.
        """
        cdef uint64_t own, more, ones = 0, size
        cdef uint64_t at = 0
        if (
            self.bits != other.bits or self.length != other.length or self.n2 != other.n2
            or self.error != other.error or self.probe.hashes != other.probe.hashes
            or self.probe.entries != other.probe.entries
        ):
            raise ValueError("layers of different shapes")
        while at < self.length:
            own = more = 0
            size = min(8, self.length - at)
            memcpy(&own, self.probe.bits + at, size)
            memcpy(&more, other.probe.bits + at, size)
            own |= more
            memcpy(self.probe.bits + at, &own, size)
            ones += popcount(own)
            at += size
        size = max(self.probe.size, other.probe.size)
        if ones < self.bits:
            # As many items set as many bits, on the average.
            size = max(size, <uint64_t>(
                -log(1.0 - ones / <double>self.bits) * self.bits / self.probe.hashes + 0.5
            ))
        else:
            size = self.probe.entries + 1
        size = min(size, self.probe.size + other.probe.size)
        self.probe.size = min(size, self.probe.entries)
        return size <= self.probe.entries

    def copy(self) -> Layer:
        """A layer with equal content."""
        return Layer(
            self.probe.entries,
            self.error,
            self.bpe,
            self.probe.hashes,
            self.bits,
            self.n2,
            self.probe.size,
            self.length,
            self,
        )


def new_layer(uint64_t entries, double error, uint32_t options) -> Layer:
    """An empty layer for `entries` items at the error rate `error`.

    Raises ValueError for numbers no layer can be made of, MemoryError for one that is too large.
    """
    cdef double bpe, wanted
    cdef uint64_t bits
    cdef uint8_t n2 = 0
    if entries < 1 or not 0 < error < 1:
        raise ValueError("a layer needs entries and an error rate between 0 and 1")
    bpe = bits_per_entry(error)
    wanted = entries * bpe
    if options & ENTRIES_ARE_BITS:
        if entries > 62:
            raise ValueError("too many bits")
        n2 = <uint8_t>entries
        bits = <uint64_t>1 << n2
        entries = <uint64_t>(bits / bpe)
    elif wanted > BITS_MAX:
        raise MemoryError
    elif options & EXACT_BITS:
        bits = <uint64_t>wanted or 1
    else:
        n2 = <uint8_t>max(logb(wanted) + 1, 0)
        bits = <uint64_t>1 << n2
        # Rounding up leaves room for some more items.
        entries += <uint64_t>(<uint64_t>(bits - wanted) / bpe)
    bits = (bits + 63) // 64 * 64
    return Layer(entries, error, bpe, <uint32_t>ceil(LN2 * bpe), bits, n2, 0, bits // 8)


def new_chain(uint64_t entries, double error, uint32_t options, uint32_t growth) -> Chain:
    """An empty filter for `entries` items at the error rate `error`; raises as `new_layer` does.

    Each further layer is for `growth` times as many items as the one before.
    """
    if not options & FIXED:
        error *= TIGHTENING
    return Chain([new_layer(entries, error, options)], options, growth)


cdef class Chain:
    """A filter that grows: a row of layers, of which the last takes new items.

    Args:
        layers: at least one, oldest first; they belong to the chain from now on.
        options: EXACT_BITS and its like.
        growth: how many times larger each further layer is; 0 to 2**32 - 1.
    """

    def __cinit__(self, list layers not None, uint32_t options, uint32_t growth):
        if not layers:
            raise ValueError("a chain has at least one layer")
        self.probes = NULL
        self.memory = CHAIN_BYTES
        self.layers = []
        self.options = options
        self.growth = growth
        for layer in layers:
            self.append(layer)
            self.items += (<Layer>layer).probe.size

    def __dealloc__(self):
        free(self.probes)

    cdef int append(self, Layer layer) except -1:
        """Make `layer` the last one."""
        cdef Probe **probes = <Probe **>realloc(self.probes, (self.count + 1) * sizeof(Probe *))
        if probes == NULL:
            raise MemoryError
        self.probes = probes
        self.layers.append(layer)
        self.probes[self.count] = &layer.probe
        self.count += 1
        self.length += layer.length
        self.memory += layer.length + LAYER_BYTES
        return 0

    cdef int grow(self):
        """Add a layer; FAILED if its size is zero, absurd or too much for the memory."""
        cdef Layer last = self.layers[self.count - 1]
        if self.growth and last.probe.entries > UINT64_MAX // self.growth:
            return FAILED
        try:
            self.append(
                new_layer(last.probe.entries * self.growth, last.error * TIGHTENING, self.options)
            )
        except (ValueError, MemoryError):
            return FAILED
        return ADDED

    cdef void hash_item(
        self, const char *item, Py_ssize_t length, uint64_t *start, uint64_t *step
    ) noexcept:
        if self.options & HASH_64:
            start[0] = murmur_64(item, length, SEED_64)
            step[0] = murmur_64(item, length, start[0])
        else:
            start[0] = murmur_32(item, length, SEED_32)
            step[0] = murmur_32(item, length, <uint32_t>start[0])

    cdef bint holds(self, uint64_t start, uint64_t step) noexcept:
        cdef Py_ssize_t i
        for i in range(self.count - 1, -1, -1):
            if layer_holds(self.probes[i], start, step):
                return True
        return False

    cdef int put(self, uint64_t start, uint64_t step):
        """Add an item that is hashed: ADDED, KNOWN, FAILED or FULL."""
        cdef Probe *last = self.probes[self.count - 1]
        cdef Py_ssize_t i
        for i in range(self.count - 1):
            if layer_holds(self.probes[i], start, step):
                return KNOWN
        if last.size >= last.entries:
            if layer_holds(last, start, step):
                return KNOWN
            if self.options & FIXED:
                return FULL
            if self.grow() == FAILED:
                return FAILED
            last = self.probes[self.count - 1]
        if not layer_sets(last, start, step):
            return KNOWN
        last.size += 1
        self.items += 1
        return ADDED

    cdef int insert(self, const char *item, Py_ssize_t length):
        cdef uint64_t start, step
        self.hash_item(item, length, &start, &step)
        return self.put(start, step)

    cpdef bint add(self, bytes item) except -1:
        """Add an item; False if the filter holds it already, or seems to.

        Raises Full, and MemoryError where no further layer can be made.
        """
        if item is None:
            raise TypeError("an item is bytes")
        cdef int outcome = self.insert(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item))
        if outcome >= 0:
            return outcome == ADDED
        if outcome == FULL:
            raise Full
        raise MemoryError

    cpdef bint contains(self, bytes item) except -1:
        """Whether the filter holds an item: if False it surely does not."""
        if item is None:
            raise TypeError("an item is bytes")
        cdef uint64_t start, step
        self.hash_item(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), &start, &step)
        return self.holds(start, step)

    def add_all(self, items not None, full, failed) -> list:
        """Add a tuple or list of items; a list of what `add` says of each.

        In place of an item that is too much for a filter that may not grow stands `full`, and the
        list ends there. In place of one for which no layer could be made stands `failed`.
        """
        cdef list outcomes = []
        cdef uint64_t start[AHEAD]
        cdef uint64_t step[AHEAD]
        cdef Py_ssize_t total = len(items), first, i
        cdef int outcome
        for first in range(0, total, AHEAD):
            self.hash_batch(items, first, min(first + AHEAD, total), start, step)
            for i in range(min(AHEAD, total - first)):
                outcome = self.put(start[i], step[i])
                if outcome >= 0:
                    outcomes.append(outcome == ADDED)
                elif outcome == FULL:
                    outcomes.append(full)
                    return outcomes
                else:
                    outcomes.append(failed)
        return outcomes

    def contains_all(self, items not None) -> list:
        """What `contains` says of each item of a tuple or list."""
        cdef list outcomes = []
        cdef uint64_t start[AHEAD]
        cdef uint64_t step[AHEAD]
        cdef Py_ssize_t total = len(items), first, i
        for first in range(0, total, AHEAD):
            self.hash_batch(items, first, min(first + AHEAD, total), start, step)
            for i in range(min(AHEAD, total - first)):
                outcomes.append(self.holds(start[i], step[i]))
        return outcomes

    cdef int hash_batch(
        self, object items, Py_ssize_t first, Py_ssize_t end, uint64_t *start, uint64_t *step
    ) except -1:
        """Hash the items from `first` up to `end`, and have the bits they will probe fetched."""
        cdef Probe *last = self.probes[self.count - 1]
        cdef uint32_t fetched = min(last.hashes, <uint32_t>FETCHED) if last.modulus > CACHED else 0
        cdef uint64_t place
        cdef object item
        cdef Py_ssize_t i
        cdef uint32_t k
        for i in range(first, end):
            item = items[i]
            if not PyBytes_CheckExact(item):
                raise TypeError(f"an item is bytes, not {type(item).__name__}")
            self.hash_item(
                PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), &start[i - first], &step[i - first]
            )
            for k in range(fetched):
                place = place_of(last, start[i - first] + k * step[i - first])
                prefetch_for_read(last.bits + (place >> 3))
        return 0

    def read(self, uint64_t position, uint64_t limit) -> tuple:
        """Up to `limit` bytes of one layer, and the position after them; (0, b"") past the end.

        Positions count all bytes of all layers, oldest first, from 1.
        """
        cdef Py_ssize_t index = 0
        cdef uint64_t offset = 0, length
        if not self.locate(position, &index, &offset):
            return 0, b""
        length = min((<Layer>self.layers[index]).length - offset, limit)
        return position + length, PyBytes_FromStringAndSize(
            <const char *>self.probes[index].bits + offset, length
        )

    def write(self, uint64_t position, bytes data not None) -> None:
        """Overwrite the bytes from `position` on, within one layer.

        Raises IndexError where there is no such position, ValueError where `data` goes beyond the
        end of the layer.
        """
        cdef Py_ssize_t index = 0
        cdef uint64_t offset = 0
        cdef uint64_t length = PyBytes_GET_SIZE(data)
        if not self.locate(position, &index, &offset):
            raise IndexError(position)
        if length > (<Layer>self.layers[index]).length - offset:
            raise ValueError("more bytes than are left in the layer")
        memcpy(self.probes[index].bits + offset, PyBytes_AS_STRING(data), length)

    cdef bint locate(self, uint64_t position, Py_ssize_t *index, uint64_t *offset) noexcept:
        """The layer that holds this position, and the place in it; False if there is none."""
        cdef Py_ssize_t i
        cdef uint64_t length
        if position == 0:
            return False
        position -= 1
        for i in range(self.count):
            length = (<Layer>self.layers[i]).length
            if position < length:
                index[0] = i
                offset[0] = position
                return True
            position -= length
        return False

    @property
    def capacity(self) -> int:
        """The items that all layers are made for; may exceed 64 bits."""
        return sum([layer.entries for layer in self.layers])

    def copy(self) -> Chain:
        """A filter with equal content that shares nothing."""
        return Chain([layer.copy() for layer in self.layers], self.options, self.growth)

    def release(self, uint64_t budget) -> bool:
        """Give back the memory of about `budget` bytes of a filter that nobody will look at.

        True while there is more. A large array takes long to give back in one piece.
        """
        cdef uint64_t released
        while budget >= PAGE_BYTES and self.released < self.count:
            released = (<Layer>self.layers[self.released]).release(budget)
            if released == 0:
                self.released += 1
            budget -= released
        return self.released < self.count


cdef class ChainHolder(Value):
    """What the keyspace asks of a filter with every change, and when it is freed."""

    def __init__(self, Chain chain not None):
        self.chain = chain

    cpdef Py_ssize_t memory_usage(self) except -1:
        """The bits, and the objects that hold them."""
        return self.chain.memory

    cpdef Py_ssize_t free_effort(self) except -1:
        """An allocation for each layer, and as many as giving back the pages of its bits costs."""
        return self.chain.count + self.chain.length // PAGE_BYTES

    def free_step(self, effort: int) -> bool:
        """Give back some pages; True while there are more."""
        return self.chain.release(effort * PAGE_BYTES)
