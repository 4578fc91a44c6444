"""The slots of a cuckoo filter: hashing, moving, growing, compacting. It knows nothing of commands.

An item is a fingerprint of 1 to 255 in one of two buckets of one of the filter's layers; the place
of either bucket follows from the other and the fingerprint. If both are full, a fingerprint that
stands there is moved to its other bucket, and so on. Where that leads to nothing, a further layer
is added. Everything is byte for byte that of RedisBloom, because filters travel between the two.

Source: B. Fan, D. Andersen, M. Kaminsky, M. Mitzenmacher, "Cuckoo Filter: Practically Better Than
Bloom".
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy

from balas.api cimport Value
from balas_bloom._hashing cimport murmur_64
from balas_bloom._pages cimport PAGE_BYTES, give_back

cdef enum:
    ADDED = 1
    KNOWN = 0
    FULL = -1
    FAILED = -2
    TABLE_BYTES = 200
    LAYERS_MAX = 65535

cdef uint64_t SLOTS_MAX = <uint64_t>1 << 62
cdef uint64_t BUCKETS_MAX = <uint64_t>1 << 55
# What a fingerprint contributes to the distance of its two buckets.
cdef uint64_t SPREAD = 0x5BD1E995


cdef inline uint64_t other(uint8_t mark, uint64_t place) noexcept nogil:
    """The other place of a fingerprint."""
    return place ^ (mark * SPREAD)


cdef inline uint8_t *slot_of(uint8_t *bucket, uint32_t size, uint8_t mark) noexcept nogil:
    """The first slot of a bucket with this content; NULL if there is none."""
    cdef uint32_t i
    for i in range(size):
        if bucket[i] == mark:
            return bucket + i
    return NULL


cdef class Table:
    """A cuckoo filter that may grow: a row of layers, oldest first.

    Args:
        buckets: those of the first layer; a power of two.
        bucket_size: slots in a bucket, 1 to 255.
        iterations: how often a fingerprint is moved before there is a further layer; 1 to 65535.
        expansion: how many times larger each further layer is; 0 or a power of two. 0: there is
            none.
        layers: how many there are.

    Raises:
        ValueError: numbers that contradict each other; they may come from a file or a client.
        OverflowError: a number that does not fit its field.
        MemoryError: no room for the slots.
    """

    def __cinit__(
        self,
        uint64_t buckets,
        uint32_t bucket_size,
        uint32_t iterations,
        uint32_t expansion,
        uint64_t layers=1,
    ):
        self.layers = NULL
        if buckets == 0 or buckets & (buckets - 1) or buckets > BUCKETS_MAX:
            raise ValueError("number of buckets is no power of two, or absurd")
        if not 1 <= bucket_size <= 255 or not 1 <= iterations <= 65535:
            raise ValueError("size of buckets or number of iterations out of range")
        if expansion & (expansion - 1) or expansion > 32768:
            raise ValueError("expansion is no power of two, or absurd")
        if not 1 <= layers <= LAYERS_MAX or (layers > 1 and expansion == 0):
            raise ValueError("number of layers out of range")
        self.buckets = buckets
        self.bucket_size = bucket_size
        self.iterations = iterations
        self.expansion = expansion
        self.memory = TABLE_BYTES
        while self.count < layers:
            if self.grow() == FAILED:
                raise MemoryError

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.count):
            free(self.layers[i].slots)
        free(self.layers)

    cdef int grow(self) noexcept:
        """Add a layer; FAILED if it is too much for the memory."""
        cdef uint64_t buckets = self.buckets
        cdef uint64_t length
        cdef Slots *layers
        if self.count == LAYERS_MAX:
            return FAILED
        if self.count:
            buckets = (self.layers[self.count - 1].mask + 1) * self.expansion
        length = buckets * self.bucket_size
        if buckets > BUCKETS_MAX or self.length + length > SLOTS_MAX:
            return FAILED
        layers = <Slots *>realloc(self.layers, (self.count + 1) * sizeof(Slots))
        if layers == NULL:
            return FAILED
        self.layers = layers
        layers[self.count].mask = buckets - 1
        layers[self.count].released = 0
        layers[self.count].slots = <uint8_t *>calloc(length, 1)
        if layers[self.count].slots == NULL:
            return FAILED
        self.count += 1
        self.length += length
        self.memory += length + sizeof(Slots)
        return ADDED

    cdef void drop_last(self) noexcept:
        """Take away the newest layer."""
        cdef Slots *last = &self.layers[self.count - 1]
        cdef uint64_t length = (last.mask + 1) * self.bucket_size
        free(last.slots)
        self.count -= 1
        self.length -= length
        self.memory -= length + sizeof(Slots)

    cdef inline uint8_t *bucket(self, uint32_t layer, uint64_t place) noexcept:
        return self.layers[layer].slots + (place & self.layers[layer].mask) * self.bucket_size

    cdef uint8_t *find(
        self, uint32_t layer, uint64_t place, uint8_t mark, uint8_t content
    ) noexcept:
        """The first slot with `content` in the two buckets of `mark`; NULL if there is none."""
        cdef uint8_t *found = slot_of(self.bucket(layer, place), self.bucket_size, content)
        if found == NULL:
            found = slot_of(self.bucket(layer, other(mark, place)), self.bucket_size, content)
        return found

    cdef bint holds(self, uint64_t place) noexcept:
        cdef uint8_t mark = <uint8_t>(place % 255 + 1)
        cdef uint32_t i
        for i in range(self.count):
            if self.find(i, place, mark, mark) != NULL:
                return True
        return False

    cdef int put(self, uint64_t place, bint unique) noexcept:
        """Add an item that is hashed: ADDED, KNOWN (only if `unique`), FULL or FAILED."""
        cdef uint8_t mark = <uint8_t>(place % 255 + 1)
        cdef uint8_t *free_slot
        cdef uint32_t i
        if unique and self.holds(place):
            return KNOWN
        while True:
            for i in range(self.count, 0, -1):
                free_slot = self.find(i - 1, place, mark, 0)
                if free_slot != NULL:
                    free_slot[0] = mark
                    self.items += 1
                    return ADDED
            if self.push_aside(place, mark):
                self.items += 1
                return ADDED
            if self.expansion == 0:
                return FULL
            if self.grow() == FAILED:
                return FAILED

    cdef bint push_aside(self, uint64_t place, uint8_t mark) noexcept:
        """Make room in the last layer by moving fingerprints; False, and all is as before, if not.
        """
        cdef uint32_t last = self.count - 1
        cdef uint32_t size = self.bucket_size
        cdef uint32_t victim = 0, _moved
        cdef uint8_t *bucket
        cdef uint8_t *free_slot
        # A place within the layer: what is added to it from now on is cut off in the same way.
        place &= self.layers[last].mask
        for _moved in range(self.iterations):
            bucket = self.bucket(last, place)
            bucket[victim], mark = mark, bucket[victim]
            place = other(mark, place) & self.layers[last].mask
            free_slot = slot_of(self.bucket(last, place), size, 0)
            if free_slot != NULL:
                free_slot[0] = mark
                return True
            victim = (victim + 1) % size
        for _moved in range(self.iterations):
            victim = (victim + size - 1) % size
            place = other(mark, place) & self.layers[last].mask
            bucket = self.bucket(last, place)
            bucket[victim], mark = mark, bucket[victim]
        return False

    cdef int put_known(self, uint64_t place, uint8_t mark, uint64_t mask) noexcept:
        """Add a fingerprint of which no more of its place is known than the mask leaves: it can
        only stand in layers that are not larger. ADDED, FULL or FAILED.
        """
        cdef uint8_t *free_slot
        cdef uint32_t i
        while True:
            for i in range(self.count, 0, -1):
                if self.layers[i - 1].mask > mask:
                    continue
                free_slot = self.find(i - 1, place, mark, 0)
                if free_slot != NULL:
                    free_slot[0] = mark
                    self.items += 1
                    return ADDED
            if self.layers[self.count - 1].mask > mask:
                return FULL
            if self.push_aside(place, mark):
                self.items += 1
                return ADDED
            if self.expansion != 1:
                return FULL
            if self.grow() == FAILED:
                return FAILED

    def absorb(self, Table source not None) -> None:
        """Add all fingerprints of a filter of the same shape; ValueError if it is not.

        Raises OverflowError where there is no room for one, MemoryError where no further layer can
        be made: some have been added then.
        """
        cdef uint64_t place
        cdef uint32_t layer, k
        cdef uint8_t mark
        cdef int outcome
        if (
            self.buckets != source.buckets or self.bucket_size != source.bucket_size
            or self.expansion != source.expansion
        ):
            raise ValueError("filters of different shapes")
        for layer in range(source.count):
            for place in range(source.layers[layer].mask + 1):
                for k in range(source.bucket_size):
                    mark = source.bucket(layer, place)[k]
                    if mark == 0:
                        continue
                    outcome = self.put_known(place, mark, source.layers[layer].mask)
                    if outcome == FULL:
                        raise OverflowError
                    if outcome == FAILED:
                        raise MemoryError
        self.deletes += source.deletes

    cpdef bint add(self, bytes item, bint unique) except -1:
        """Add an item; False if it is `unique` and held already, or seems to be.

        Raises OverflowError where the filter is full and may not grow, MemoryError where no
        further layer can be made.
        """
        if item is None:
            raise TypeError("an item is bytes")
        cdef int outcome = self.put(
            murmur_64(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), 0), unique
        )
        if outcome == FULL:
            raise OverflowError
        if outcome == FAILED:
            raise MemoryError
        return outcome == ADDED

    def add_all(self, tuple items not None, bint unique, full) -> list:
        """Add items; a list of what `add` says of each, with `full` where it would raise.

        If `unique`, these are numbers.
        """
        cdef list outcomes = []
        cdef bytes item
        cdef int outcome
        for item in items:
            outcome = self.put(
                murmur_64(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), 0), unique
            )
            if outcome < 0:
                outcomes.append(full)
            elif unique:
                outcomes.append(outcome)
            else:
                outcomes.append(outcome == ADDED)
        return outcomes

    def contains_all(self, tuple items not None) -> list:
        """Whether the filter holds each item: if False it surely does not."""
        cdef list outcomes = []
        cdef bytes item
        for item in items:
            outcomes.append(
                self.holds(murmur_64(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), 0))
            )
        return outcomes

    cpdef bint contains(self, bytes item) except -1:
        """Whether the filter holds an item."""
        if item is None:
            raise TypeError("an item is bytes")
        return self.holds(murmur_64(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), 0))

    def count_of(self, bytes item not None) -> int:
        """How often an item was added; at least that."""
        cdef uint64_t place = murmur_64(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), 0)
        cdef uint8_t mark = <uint8_t>(place % 255 + 1)
        cdef uint64_t total = 0
        cdef uint32_t i, k
        for i in range(self.count):
            for k in range(self.bucket_size):
                total += self.bucket(i, place)[k] == mark
                total += self.bucket(i, other(mark, place))[k] == mark
        return total

    def remove(self, bytes item not None) -> bool:
        """Remove an item once; False if it is not held.

        After many removals the layers are compacted.
        """
        cdef uint64_t place = murmur_64(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), 0)
        cdef uint8_t mark = <uint8_t>(place % 255 + 1)
        cdef uint8_t *found
        cdef uint32_t i
        for i in range(self.count, 0, -1):
            found = self.find(i - 1, place, mark, mark)
            if found != NULL:
                found[0] = 0
                self.items -= 1
                self.deletes += 1
                if self.count > 1 and self.deletes > <double>self.items * 0.10:
                    self.compact(False)
                return True
        return False

    cpdef object compact(self, bint thoroughly):
        """Move fingerprints to older layers, and drop newest ones that are empty.

        Unless `thoroughly`, it ends at the first layer that could not be emptied.
        """
        cdef uint32_t i
        for i in range(self.count - 1, 0, -1):
            if not self.empty(i) and not thoroughly:
                break
        self.deletes = 0

    cdef bint empty(self, uint32_t layer) noexcept:
        """Move what is in a layer to older ones, and drop it if it is the newest and empty then."""
        cdef uint64_t place
        cdef uint32_t k, i
        cdef uint8_t *slot
        cdef uint8_t *free_slot
        cdef bint emptied = True
        for place in range(self.layers[layer].mask + 1):
            for k in range(self.bucket_size):
                slot = self.bucket(layer, place) + k
                if slot[0] == 0:
                    continue
                for i in range(layer):
                    free_slot = self.find(i, place, slot[0], 0)
                    if free_slot != NULL:
                        free_slot[0] = slot[0]
                        slot[0] = 0
                        break
                else:
                    emptied = False
        if emptied and layer == self.count - 1:
            self.drop_last()
        return emptied

    def layer_length(self, uint32_t layer) -> int:
        """Bytes of a layer."""
        if layer >= self.count:
            raise IndexError(layer)
        return (self.layers[layer].mask + 1) * self.bucket_size

    def layer_buckets(self, uint32_t layer) -> int:
        """Buckets of a layer."""
        if layer >= self.count:
            raise IndexError(layer)
        return self.layers[layer].mask + 1

    def read(self, uint32_t layer, uint64_t offset, uint64_t length) -> bytes:
        """Up to `length` bytes of a layer, from `offset` on."""
        cdef uint64_t size = self.layer_length(layer)
        if offset > size:
            raise IndexError(offset)
        length = min(length, size - offset)
        return PyBytes_FromStringAndSize(<char *>self.layers[layer].slots + offset, length)

    def write(self, uint32_t layer, uint64_t offset, bytes data not None) -> None:
        """Overwrite bytes of a layer; IndexError if there are not as many from `offset` on."""
        cdef uint64_t size = self.layer_length(layer)
        cdef uint64_t length = PyBytes_GET_SIZE(data)
        if offset > size or length > size - offset:
            raise IndexError(offset)
        memcpy(self.layers[layer].slots + offset, PyBytes_AS_STRING(data), length)

    def extend(self, uint64_t length) -> None:
        """Add a layer; ValueError unless that has `length` bytes, MemoryError if it cannot be had.
        """
        cdef uint64_t last = (self.layers[self.count - 1].mask + 1) * self.bucket_size
        if self.expansion == 0 or length != last * self.expansion:
            raise ValueError("layer of another size than follows from the one before")
        if self.grow() == FAILED:
            raise MemoryError

    def set_counts(self, uint64_t items, uint64_t deletes) -> None:
        """Say how many items there are and how many were removed since the last compaction."""
        self.items = items
        self.deletes = deletes

    def copy(self) -> Table:
        """A table with equal content that shares nothing."""
        cdef Table made = Table(
            self.buckets, self.bucket_size, self.iterations, self.expansion, self.count
        )
        cdef uint32_t i
        for i in range(self.count):
            memcpy(
                made.layers[i].slots,
                self.layers[i].slots,
                (self.layers[i].mask + 1) * self.bucket_size,
            )
        made.set_counts(self.items, self.deletes)
        return made

    def release(self, uint64_t budget) -> bool:
        """Give back the memory of about `budget` bytes of a filter that nobody will look at.

        True while there is more.
        """
        cdef Slots *layer
        cdef uint64_t length, gone
        while budget >= PAGE_BYTES and self.released < self.count:
            layer = &self.layers[self.released]
            length = (layer.mask + 1) * self.bucket_size
            gone = give_back(layer.slots, length, &layer.released, budget)
            if gone == 0:
                self.released += 1
            budget -= gone
        return self.released < self.count


cdef class TableHolder(Value):
    """What the keyspace asks of a filter with every change, and when it is freed."""

    def __init__(self, Table table not None):
        self.table = table

    cpdef Py_ssize_t memory_usage(self) except -1:
        """The slots, and the objects that hold them."""
        return self.table.memory

    cpdef Py_ssize_t free_effort(self) except -1:
        """An allocation for each layer, and as many as giving back its pages costs."""
        return self.table.count + self.table.length // PAGE_BYTES

    def free_step(self, effort: int) -> bool:
        """Give back some pages; True while there are more."""
        return self.table.release(effort * PAGE_BYTES)
