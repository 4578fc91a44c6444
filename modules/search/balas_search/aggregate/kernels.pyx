"""Loops over columns: making codes of values, reading fields, sums by group, rows of a reply."""

import numpy as np


from libc.stdint cimport int64_t, uint32_t, uint64_t

from balas_search.aggregate.values import ABSENT

# So many rows are read between two looks at the clock.
cdef enum:
    READ_AT_ONCE = 512
    # So many rows or values are worked on between two looks; less one, to be used as a mask.
    CODED_AT_ONCE = 32767
    # Tables of codes begin so small; they are a power of 2.
    HASH_SIZE = 1024
    FIRSTS_SIZE = 256


# --- codes ------------------------------------------------------------------------------------


def factorize(const uint64_t[::1] keys not None, uint64_t bound=0, check_time=None) -> tuple:
    """For each key a code, numbered as new keys come up, and for each code its first place.

    Both are int64. All keys are below `bound`, unless it is 0. `check_time()` is called now and
    then, and raises TimeUp.
    """
    cdef Py_ssize_t count = keys.shape[0]
    cdef Py_ssize_t size = HASH_SIZE
    cdef Py_ssize_t i
    cdef int64_t made = 0
    cdef int64_t code
    codes = np.empty(count, np.int64)
    firsts = np.empty(FIRSTS_SIZE, np.int64)
    cdef bint direct = 0 < bound <= <uint64_t> (2 * count + HASH_SIZE)
    slots = np.full(bound if direct else size, -1, np.int64)
    cdef int64_t[::1] out = codes
    cdef int64_t[::1] first = firsts
    cdef int64_t[::1] slot = slots
    cdef uint64_t at
    for i in range(count):
        if i & CODED_AT_ONCE == CODED_AT_ONCE and check_time is not None:
            check_time()
        at = keys[i] if direct else spot(keys, first, slot, size - 1, keys[i])
        code = slot[at]
        if code < 0:
            code = slot[at] = made
            if made == first.shape[0]:
                firsts = np.concatenate([firsts, np.empty(made, np.int64)])
                first = firsts
            first[made] = i
            made += 1
            if not direct and 2 * made > size:
                size *= 4
                slot = np.full(size, -1, np.int64)
                for code in range(made):
                    if code & CODED_AT_ONCE == CODED_AT_ONCE and check_time is not None:
                        check_time()
                    at = spot(keys, first, slot, size - 1, keys[first[code]])
                    slot[at] = code
                code = made - 1
        out[i] = code
    return codes, firsts[:made].copy()


cdef inline uint64_t spot(const uint64_t[::1] keys, int64_t[::1] first, int64_t[::1] slot,
                          uint64_t mask, uint64_t key) noexcept nogil:
    """Where a key stands in a table of codes, or is to be put."""
    cdef uint64_t at = key * <uint64_t> 0x9E3779B97F4A7C15
    at = (at ^ (at >> 32)) & mask
    while slot[at] >= 0 and keys[first[slot[at]]] != key:
        at = (at + 1) & mask
    return at


def coded(list values not None) -> tuple:
    """Codes of texts (int64; -1 where there is none) and the distinct texts."""
    cdef Py_ssize_t i
    cdef dict code_of = {}
    cdef list texts = []
    codes = np.empty(len(values), np.int64)
    cdef int64_t[::1] out = codes
    for i in range(len(values)):
        out[i] = code_for(values[i], code_of, texts)
    return codes, texts


cdef int64_t code_for(object value, dict code_of, list texts) except -2:
    if value is None:
        return -1
    found = code_of.get(value)
    if found is None:
        found = code_of[value] = len(texts)
        texts.append(value)
    return found


def read_fields(read, list keys not None, tuple names not None, check) -> tuple:
    """Fields of hashes: of each name the codes of its texts (-1 for none) and the distinct texts.

    `read(key, names)` gives the values of one hash, or None. `check()` tells now and then whether
    the time is over; then reading ends. The number of rows that were read comes along.
    """
    cdef Py_ssize_t count = len(keys)
    cdef Py_ssize_t width = len(names)
    cdef Py_ssize_t i, j, done
    cdef list found
    codes = np.full((width, count), -1, np.int64)
    cdef int64_t[:, ::1] out = codes
    cdef list places = [{} for _ in names]
    cdef list texts = [[] for _ in names]
    done = count
    for i in range(count):
        if i % READ_AT_ONCE == READ_AT_ONCE - 1 and check():
            done = i
            break
        found = read(keys[i], names)
        if found is not None:
            for j in range(width):
                out[j, i] = code_for(found[j], <dict> places[j], <list> texts[j])
    return done, [(codes[j], texts[j]) for j in range(width)]


# --- reducers ---------------------------------------------------------------------------------


def totals(const int64_t[::1] groups not None, const double[::1] values not None,
           const unsigned char[::1] there not None, Py_ssize_t count) -> np.ndarray:
    """By group the sum of the values that are there (float64), added in order."""
    sums = np.zeros(count)
    cdef double[::1] total = sums
    cdef Py_ssize_t i
    with nogil:
        for i in range(groups.shape[0]):
            if there[i]:
                total[groups[i]] += values[i]
    return sums


def extremes(const int64_t[::1] groups not None, const double[::1] values not None,
             const unsigned char[::1] there not None, Py_ssize_t count, double sign) -> np.ndarray:
    """By group the least value, or for a `sign` of -1 the greatest; 0 where there is none."""
    found = np.zeros(count)
    begun = np.zeros(count, np.uint8)
    cdef double[::1] best = found
    cdef unsigned char[::1] any_yet = begun
    cdef Py_ssize_t i
    cdef int64_t group
    with nogil:
        for i in range(groups.shape[0]):
            if not there[i]:
                continue
            group = groups[i]
            if not any_yet[group] or sign * values[i] < sign * best[group]:
                any_yet[group] = 1
                best[group] = values[i]
    return found


def deviations(const int64_t[::1] groups not None, const double[::1] values not None,
               const unsigned char[::1] there not None, Py_ssize_t count) -> np.ndarray:
    """By group the standard deviation of a sample, in one pass; 0 for fewer than two values."""
    means = np.zeros(count)
    squares = np.zeros(count)
    counts = np.zeros(count)
    cdef double[::1] mean = means
    cdef double[::1] square = squares
    cdef double[::1] number = counts
    cdef Py_ssize_t i
    cdef int64_t group
    cdef double step
    with nogil:
        for i in range(groups.shape[0]):
            if there[i]:
                group = groups[i]
                number[group] += 1
                step = values[i] - mean[group]
                mean[group] += step / number[group]
                square[group] += step * (values[i] - mean[group])
    return np.sqrt(squares / np.maximum(counts - 1, 1))


def first_places(const int64_t[::1] groups not None, const unsigned char[::1] there not None,
                 Py_ssize_t count) -> np.ndarray:
    """By group the first place that is there (int64), -1 if there is none."""
    found = np.full(count, -1, np.int64)
    cdef int64_t[::1] first = found
    cdef Py_ssize_t i
    with nogil:
        for i in range(groups.shape[0]):
            if there[i] and first[groups[i]] < 0:
                first[groups[i]] = i
    return found


def best_places(const int64_t[::1] groups not None, const unsigned char[::1] there not None,
                const double[::1] keys not None, bint descending, Py_ssize_t count) -> np.ndarray:
    """By group the place with the lowest key, or the highest; NaN stands for null.

    The original compares in turn: of ascending order, null takes the place of anything, and
    anything takes the place of null; of descending order, a null that comes first stays.
    """
    found = np.full(count, -1, np.int64)
    cdef int64_t[::1] best = found
    cdef Py_ssize_t i
    cdef int64_t group, at
    cdef bint is_null, was_null
    with nogil:
        for i in range(groups.shape[0]):
            if not there[i]:
                continue
            group = groups[i]
            at = best[group]
            if at < 0:
                best[group] = i
                continue
            is_null = keys[i] != keys[i]
            was_null = keys[at] != keys[at]
            if descending:
                if not was_null and not is_null and keys[i] > keys[at]:
                    best[group] = i
            elif is_null != was_null or keys[i] < keys[at]:
                best[group] = i
    return found


def listed(const int64_t[::1] groups not None, list values not None, Py_ssize_t count,
           check_time=None) -> list:
    """By group the list of its values; those that are `ABSENT` are left out. Raises TimeUp."""
    cdef list found = [[] for _ in range(count)]
    cdef Py_ssize_t i
    for i in range(len(values)):
        if i & CODED_AT_ONCE == CODED_AT_ONCE and check_time is not None:
            check_time()
        value = values[i]
        if value is not ABSENT:
            (<list> found[groups[i]]).append(value)
    return found


# --- rows ---------------------------------------------------------------------------------------


def rows_of(list names not None, list columns not None, Py_ssize_t count, bint flat) -> list:
    """For each row the names and values in turn, or if not `flat` as pairs, without the absent."""
    cdef list rows = []
    cdef list row
    cdef Py_ssize_t i, j
    cdef Py_ssize_t width = len(names)
    for i in range(count):
        row = []
        for j in range(width):
            value = (<list> columns[j])[i]
            if value is ABSENT:
                continue
            if flat:
                row.append(names[j])
                row.append(value)
            else:
                row.append((names[j], value))
        rows.append(row)
    return rows


# --- estimates ----------------------------------------------------------------------------------

cdef enum:
    HLL_BITS = 8
    HLL_SIZE = 256
    # What texts of registers begin with: 4 bytes of nothing, and the number of bits.
    HLL_HEAD = 5


def hash_of(value, uint64_t begin) -> int:
    """FNV-1a in 64 bits of a value, going on from another hash."""
    cdef uint64_t made = begin
    cdef const unsigned char[::1] data
    cdef Py_ssize_t i
    if value is None:
        return made + 1
    if isinstance(value, list):
        for inner in value:
            made = hash_of(inner, made)
        return made
    data = np.array([value], np.float64).tobytes() if isinstance(value, float) else value
    for i in range(data.shape[0]):
        made = (made ^ data[i]) * <uint64_t> 0x100000001B3
    return made


cdef class Registers:
    """An estimate of how many distinct values there are: 256 registers of HyperLogLog."""

    cdef unsigned char[HLL_SIZE] ranks

    def __cinit__(self):
        cdef Py_ssize_t i
        for i in range(HLL_SIZE):
            self.ranks[i] = 0

    def add(self, value) -> None:
        """Count a value."""
        cdef uint64_t whole = hash_of(value, 0x5F61767A)
        cdef uint32_t made = <uint32_t> whole ^ <uint32_t> (whole >> 32)
        cdef uint32_t at = made >> (32 - HLL_BITS)
        cdef unsigned char rank = 1
        while rank <= 32 - HLL_BITS and not made & 1:
            made >>= 1
            rank += 1
        self.ranks[at] = max(self.ranks[at], rank)

    def add_all(self, bytes text not None) -> bool:
        """Count what another counted, given as text; False if it is no such text."""
        cdef Py_ssize_t i
        if len(text) != HLL_HEAD + HLL_SIZE or text[HLL_HEAD - 1] != HLL_BITS:
            return False
        for i in range(HLL_SIZE):
            self.ranks[i] = max(self.ranks[i], <unsigned char> text[HLL_HEAD + i])
        return True

    def text(self) -> bytes:
        """The registers, for another to add."""
        return bytes([0, 0, 0, 0, HLL_BITS]) + bytes(self.ranks[:HLL_SIZE])

    def estimate(self) -> float:
        """About how many distinct values were counted."""
        ranks = np.frombuffer(bytes(self.ranks[:HLL_SIZE]), np.uint8)
        total = 0.7213 / (1 + 1.079 / HLL_SIZE) * HLL_SIZE * HLL_SIZE
        found = total / np.sum(0.5 ** ranks.astype(float))
        unused = np.count_nonzero(ranks == 0)
        if found <= 2.5 * HLL_SIZE and unused:
            found = HLL_SIZE * np.log(HLL_SIZE / unused)
        elif found > 2.0**32 / 30:
            found = -(2.0**32) * np.log(1 - found / 2.0**32)
        return float(int(found))
