"""HeavyKeeper: the items that are counted most. It knows nothing of commands.

An item has a counter in each of `depth` rows, which it shares with others: the counter is that of
one of them, by a fingerprint, and every other one wears it down by chance, the less likely the
higher it stands. Who reaches the lowest count of the list of the top enters it. The layout, the
hashes and the order of the list are those of RedisBloom, because values travel between the two.

Source: J. Gong et al., "HeavyKeeper: An Accurate Algorithm for Finding Top-k Elephant Flows".
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport pow
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from balas.api cimport Value
from balas_bloom._hashing cimport Blend, blend, blended_32, murmur_32, read_int64
from balas_bloom._pages cimport PAGE_BYTES, give_back

cdef enum:
    # The seed of the hash that is an item's fingerprint.
    MARK_SEED = 1919
    # Chances to wear a counter down that are computed once, for counts below this.
    CHANCES = 256
    INCREMENT_MAX = 100_000
    # What the objects take beside counters, list and names.
    TOP_BYTES = 2300
    # A longer list would be filled with gigabytes of nothing at once.
    K_MAX = 1 << 27

cdef uint64_t PLACES_MAX = <uint64_t>1 << 58


cdef class Top:
    """The `k` items counted most, as far as can be told, with their counts.

    Args:
        k, width, depth: items in the list, counters in a row, rows; 1 to 2**32 - 1.
        decay: how fast the chance to wear a counter down falls; above 0, up to 1.
        seed: of the chances.

    Raises ValueError for numbers out of range, MemoryError if there is no room.
    """

    def __cinit__(self, uint32_t k, uint32_t width, uint32_t depth, double decay, uint64_t seed):
        cdef int i
        self.counters = NULL
        self.entries = NULL
        if k == 0 or width == 0 or depth == 0 or not 0 < decay <= 1:
            raise ValueError("k, width, depth or decay out of range")
        if k > K_MAX or <uint64_t>width * depth > PLACES_MAX:
            raise ValueError("too many counters")
        self.k = k
        self.width = width
        self.depth = depth
        self.decay = decay
        self.chance_state = seed
        for i in range(CHANCES):
            self.chances[i] = pow(decay, i)
        self.counters = <Counter *>calloc(<uint64_t>width * depth, sizeof(Counter))
        self.entries = <Entry *>calloc(k, sizeof(Entry))
        if self.counters == NULL or self.entries == NULL:
            raise MemoryError
        self.names = [None] * k

    def __dealloc__(self):
        free(self.counters)
        free(self.entries)

    @property
    def length(self) -> int:
        """Bytes of the counters and of the list."""
        return self.held_bytes()

    @property
    def memory(self) -> int:
        """Bytes, with names and objects."""
        return self.held_bytes() + 8 * <uint64_t>self.k + self.name_bytes + TOP_BYTES

    cdef uint64_t held_bytes(self) noexcept:
        return <uint64_t>self.width * self.depth * sizeof(Counter) + self.k * sizeof(Entry)

    def release(self, uint64_t steps) -> bool:
        """Give back the memory of so many names or pages of a list that nobody will look at.

        True while there is more.
        """
        cdef uint64_t budget = steps * PAGE_BYTES
        cdef uint64_t count = min(steps, <uint64_t>len(self.names))
        if count:
            del self.names[len(self.names) - count:]
            return True
        if give_back(self.entries, self.k * sizeof(Entry), &self.entries_released, budget):
            return True
        return give_back(
            self.counters, <uint64_t>self.width * self.depth * sizeof(Counter),
            &self.counters_released, budget,
        ) > 0

    cdef inline double random(self) noexcept:
        """A number from 0 up to 1, by xorshift64*."""
        cdef uint64_t x = self.chance_state
        x ^= x >> 12
        x ^= x << 25
        x ^= x >> 27
        self.chance_state = x
        return <double>((x * 0x2545F4914F6CDD1DULL) >> 11) * (1.0 / 9007199254740992.0)

    cdef inline double chance(self, uint32_t count) noexcept:
        """The chance that a counter at this height is worn down."""
        if count < CHANCES:
            return self.chances[count]
        return pow(self.chances[CHANCES - 1], count // CHANCES) * self.chances[count % CHANCES]

    cdef uint32_t wear(self, Counter *counter, uint32_t mark, uint32_t amount) noexcept:
        """Let `amount` items of another kind meet a counter.

        If it is down to zero before the last of them, those left take it over: their number;
        else 0.
        """
        while amount > 0:
            if self.random() < self.chance(counter.count):
                counter.count -= 1
                if counter.count == 0:
                    counter.mark = mark
                    counter.count = amount
                    return amount
            amount -= 1
        return 0

    cdef object increase(self, bytes item, uint32_t amount):
        """Count an item; the one that leaves the list for it, or None."""
        cdef const char *data = PyBytes_AS_STRING(item)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(item)
        cdef uint32_t mark, highest = 0
        cdef Blend made
        cdef uint32_t row
        cdef Counter *counter
        cdef int64_t place
        cdef object expelled
        blend(&made, data, length)
        mark = blended_32(&made, MARK_SEED)
        for row in range(self.depth):
            counter = self.counters + <uint64_t>row * self.width
            counter += blended_32(&made, row) % self.width
            if counter.count == 0:
                counter.mark = mark
                counter.count = amount
                highest = max(highest, amount)
            elif counter.mark == mark:
                counter.count += amount
                highest = max(highest, counter.count)
            else:
                highest = max(highest, self.wear(counter, mark, amount))
        if highest < self.entries[0].count:
            return None
        place = self.find(item, mark)
        if place >= 0:
            self.entries[place].count = highest
            self.sift(place)
            return None
        expelled = self.names[0]
        self.names[0] = item
        if expelled is not None:
            self.name_bytes -= PyBytes_GET_SIZE(expelled)
        self.name_bytes += length
        self.entries[0].mark = mark
        self.entries[0].count = highest
        self.entries[0].slot = 0
        self.entries[0].length = <uint32_t>length
        self.sift(0)
        return expelled

    cdef int64_t find(self, bytes item, uint32_t mark):
        """The place of an item in the list; -1 if it is not there."""
        cdef uint32_t length = <uint32_t>PyBytes_GET_SIZE(item)
        cdef int64_t i
        for i in range(<int64_t>self.k - 1, -1, -1):
            if self.entries[i].mark == mark and self.entries[i].length == length:
                if self.names[i] == item:
                    return i
        return -1

    cdef void sift(self, uint64_t start) noexcept:
        """Put an entry whose count grew in its place: the list is a heap, the lowest on top."""
        cdef uint64_t size = self.k
        cdef uint64_t child
        cdef uint64_t place = start
        cdef Entry moved = self.entries[start]
        cdef object name = self.names[start]
        while 2 * place + 1 < size:
            child = 2 * place + 1
            if child + 1 < size and self.entries[child].count > self.entries[child + 1].count:
                child += 1
            # Where it is equal, it sinks at the first step but not at a later one.
            if self.entries[child].count > moved.count:
                break
            if place != start and self.entries[child].count == moved.count:
                break
            self.entries[place] = self.entries[child]
            self.names[place] = self.names[child]
            place = child
        self.entries[place] = moved
        self.names[place] = name

    cpdef list add_all(self, tuple words):
        """Count items once: `words` are the key, and then the items.

        A list of those that left the list of the top for each, or None.
        """
        cdef list expelled = []
        cdef Py_ssize_t i
        for i in range(1, len(words)):
            expelled.append(self.increase(words[i], 1))
        return expelled

    def increase_all(self, tuple words not None, refused) -> list:
        """Count items: `words` are the key, and then items and how often, in turn.

        As `add_all`; at a number that is not from 0 to 100000 stands what `refused()` gives.
        """
        cdef list expelled = []
        cdef bytes word
        cdef int64_t amount = 0
        cdef Py_ssize_t i
        for i in range(2, len(words), 2):
            word = words[i]
            if not read_int64(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word), &amount):
                amount = -1
            if 0 <= amount <= INCREMENT_MAX:
                expelled.append(self.increase(words[i - 1], <uint32_t>amount))
            else:
                expelled.append(refused())
        return expelled

    def contains_all(self, tuple words not None) -> list:
        """Whether items are in the list: `words` are the key, and then the items."""
        cdef list found = []
        cdef bytes item
        cdef Py_ssize_t i
        for i in range(1, len(words)):
            item = words[i]
            found.append(
                self.find(
                    item, murmur_32(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), MARK_SEED)
                )
                >= 0
            )
        return found

    def count_all(self, tuple words not None) -> list:
        """How often items were counted, or less: `words` are the key, and then the items."""
        cdef list counts = []
        cdef Py_ssize_t i
        for i in range(1, len(words)):
            counts.append(self.count_of(words[i]))
        return counts

    cdef uint32_t count_of(self, bytes item):
        cdef const char *data = PyBytes_AS_STRING(item)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(item)
        cdef uint32_t mark = murmur_32(data, length, MARK_SEED)
        cdef bint listed = self.find(item, mark) >= 0
        cdef uint32_t highest = 0
        cdef uint32_t row
        cdef Counter *counter
        cdef Blend made
        blend(&made, data, length)
        for row in range(self.depth):
            counter = self.counters + <uint64_t>row * self.width
            counter += blended_32(&made, row) % self.width
            if counter.mark == mark and (not listed or counter.count >= self.entries[0].count):
                highest = max(highest, counter.count)
        return highest

    def ranking(self) -> list:
        """The list: (item, count), the highest count first; items never counted are left out."""
        cdef list found = []
        cdef Py_ssize_t i
        for i in range(self.k):
            if self.names[i] is not None and self.entries[i].count:
                found.append((self.names[i], self.entries[i].count))
        found.sort(key=by_count, reverse=True)
        return found

    def read_counters(self) -> bytes:
        """All counters, as they are in a file."""
        return PyBytes_FromStringAndSize(
            <char *>self.counters, <uint64_t>self.width * self.depth * sizeof(Counter)
        )

    def read_entries(self) -> bytes:
        """The list without the names, as it is in a file."""
        return PyBytes_FromStringAndSize(<char *>self.entries, self.k * sizeof(Entry))

    def write(self, bytes counters not None, bytes entries not None, list names not None) -> None:
        """Set everything; ValueError if it does not fit.

        Marks and lengths of the list are not taken over: they follow from the names.
        """
        cdef const Entry *source = <const Entry *>PyBytes_AS_STRING(entries)
        cdef bytes name
        cdef Py_ssize_t i
        if <uint64_t>PyBytes_GET_SIZE(counters) != (
            <uint64_t>self.width * self.depth * sizeof(Counter)
        ):
            raise ValueError("counters of another length")
        if <uint64_t>PyBytes_GET_SIZE(entries) != self.k * sizeof(Entry):
            raise ValueError("list of another length")
        if <uint64_t>len(names) != self.k:
            raise ValueError("another number of names")
        memcpy(self.counters, PyBytes_AS_STRING(counters), PyBytes_GET_SIZE(counters))
        for i in range(len(names)):
            self.entries[i].count = source[i].count
            self.entries[i].slot = 0
            self.entries[i].rest = 0
            self.entries[i].mark = 0
            self.entries[i].length = 0
            self.names[i] = names[i]
            if names[i] is not None:
                name = names[i]
                self.entries[i].length = <uint32_t>PyBytes_GET_SIZE(name)
                self.entries[i].mark = murmur_32(
                    PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), MARK_SEED
                )
                self.name_bytes += PyBytes_GET_SIZE(name)


def by_count(tuple entry not None) -> int:
    """What the list is ordered by."""
    return entry[1]


cdef class TopHolder(Value):
    """What the keyspace asks of a list with every change, and when it is freed."""

    def __init__(self, Top top not None):
        self.top = top

    cpdef Py_ssize_t memory_usage(self) except -1:
        """The counters, the list with its names, and the objects that hold them."""
        cdef Top top = self.top
        return top.held_bytes() + 8 * <uint64_t>top.k + top.name_bytes + TOP_BYTES

    cpdef Py_ssize_t free_effort(self) except -1:
        """An allocation for each name, and as many as giving back the pages costs."""
        return self.top.k + self.top.held_bytes() // PAGE_BYTES

    def free_step(self, effort: int) -> bool:
        """Give back some names or pages; True while there are more."""
        return self.top.release(effort)
