"""HyperLogLog in the bytes of Redis: how many different elements were seen, to within 0.81 %.

An element's hash picks one of 16384 registers, and the register keeps the greatest rank seen: one
more than the number of zeros at the end of the rest of the hash. The estimate comes from how many
registers hold each rank (O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
2017).

The string begins with 16 bytes: "HYLL", the encoding (0 dense, 1 sparse), three zeros, and the last
estimate as a little-endian number, whose top bit says that it is out of date. Dense are registers
of six bits, the first in the low bits of the first byte. Sparse are runs, in one or two bytes:

    00nnnnnn             n + 1 registers of zero
    01nnnnnn nnnnnnnn    n + 1 registers of zero, the high bits first
    1rrrrrnn             n + 1 registers of rank r + 1

A sparse string becomes dense when it would grow past a size, or when a rank above 32 comes. The
same elements give the same bytes as in Redis, so runs are split and joined as there: after a change
only the runs from the one before it on are looked at, five steps, and only runs of equal rank that
make one of at most four registers are joined. Damaged runs raise ValueError.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.math cimport INFINITY, sqrt
from libc.string cimport memcmp, memcpy, memmove, memset

cdef extern from "<math.h>" nogil:
    long long llroundl(long double x)

cdef extern from *:
    int __builtin_ctzll(uint64_t) noexcept nogil

REGISTERS = HLL_REGISTERS

cdef enum:
    INDEX_BITS = 14
    RANK_MAX = 51                # one more than the bits that the index leaves
    DENSE = 0
    SPARSE = 1
    ENCODING_AT = 4
    CACHE_AT = 8
    STALE = 0x80                 # in the last byte of the header
    SPARSE_RANK_MAX = 32
    RANK_RUN_MAX = 4
    ZERO_RUN_MAX = 64
    JOIN_STEPS = 5

cdef double ALPHA = 0.721347520444481703680
cdef uint64_t HASH_SEED = 0xADC83B19
cdef bytes MAGIC = b"HYLL"


cdef enum RunKind:
    ZEROS
    MANY_ZEROS
    RANKED

# One run of a sparse string.
cdef struct Run:
    RunKind kind
    unsigned int bytes
    unsigned int length
    unsigned int rank


cdef inline Run read_run(const unsigned char *at) noexcept nogil:
    """The run that begins here. A run of two bytes may end behind the string: callers check."""
    cdef Run run
    run.bytes = 1
    run.rank = 0
    if at[0] & 0x80:
        run.kind = RANKED
        run.rank = ((at[0] >> 2) & 0x1F) + 1
        run.length = (at[0] & 3) + 1
    elif at[0] & 0x40:
        run.kind = MANY_ZEROS
        run.bytes = 2
        run.length = (((at[0] & 0x3F) << 8) | at[1]) + 1
    else:
        run.kind = ZEROS
        run.length = (at[0] & 0x3F) + 1
    return run


cdef inline unsigned int put_zeros(unsigned char *at, unsigned int length) noexcept nogil:
    """Write a run of zeros; the bytes it takes."""
    length -= 1
    if length < ZERO_RUN_MAX:
        at[0] = <unsigned char>length
        return 1
    at[0] = <unsigned char>(0x40 | (length >> 8))
    at[1] = <unsigned char>(length & 0xFF)
    return 2


cdef inline unsigned char ranked(unsigned int rank, unsigned int length) noexcept nogil:
    return <unsigned char>(0x80 | ((rank - 1) << 2) | (length - 1))


cdef uint64_t murmur(const char *data, size_t n) noexcept nogil:
    """MurmurHash64A, little-endian everywhere."""
    cdef uint64_t factor = 0xC6A4A7935BD1E995, word
    cdef uint64_t state = HASH_SEED ^ (n * factor)
    while n >= 8:
        memcpy(&word, data, 8)
        word *= factor
        word ^= word >> 47
        state = (state ^ (word * factor)) * factor
        data += 8
        n -= 8
    if n:
        word = 0
        memcpy(&word, data, n)
        state = (state ^ word) * factor
    state = (state ^ (state >> 47)) * factor
    return state ^ (state >> 47)


cdef unsigned int hll_place(const char *element, size_t n, unsigned int *index) noexcept nogil:
    """The rank of an element, 1 to 51; `index` becomes its register."""
    cdef uint64_t hashed = murmur(element, n)
    index[0] = hashed & (HLL_REGISTERS - 1)
    # The bit above the last ends the zeros of a rest that has no other.
    return __builtin_ctzll((hashed >> INDEX_BITS) | (<uint64_t>1 << (RANK_MAX - 1))) + 1


cdef bint hll_is_sound_header(const unsigned char *data, size_t n) noexcept nogil:
    """Whether a string is taken for a HyperLogLog; sparse runs may still be damaged."""
    if n < HLL_HEADER or memcmp(data, "HYLL", 4) != 0 or data[ENCODING_AT] > SPARSE:
        return False
    return data[ENCODING_AT] == SPARSE or n == HLL_DENSE_SIZE


cdef bint hll_is_dense(const unsigned char *data) noexcept nogil:
    return data[ENCODING_AT] == DENSE


# --- dense ----------------------------------------------------------------------------------------


cdef inline unsigned int dense_get(const unsigned char *data, unsigned int index) noexcept nogil:
    cdef unsigned int bit = index * 6
    cdef const unsigned char *at = data + HLL_HEADER + (bit >> 3)
    cdef unsigned int word = at[0]
    if (bit & 7) > 2:
        word |= <unsigned int>at[1] << 8
    return (word >> (bit & 7)) & 63


cdef inline void dense_put(
    unsigned char *data, unsigned int index, unsigned int rank
) noexcept nogil:
    cdef unsigned int bit = index * 6, shift = bit & 7
    cdef unsigned char *at = data + HLL_HEADER + (bit >> 3)
    at[0] = <unsigned char>((at[0] & ~(63 << shift)) | (rank << shift))
    if shift > 2:
        at[1] = <unsigned char>((at[1] & ~(63 >> (8 - shift))) | (rank >> (8 - shift)))


cdef bint hll_dense_set(unsigned char *data, unsigned int index, unsigned int rank) noexcept nogil:
    """Raise a register of a dense string to a rank; whether it was below."""
    if dense_get(data, index) >= rank:
        return False
    dense_put(data, index, rank)
    return True


# --- sparse ---------------------------------------------------------------------------------------


cdef inline unsigned char *text_of(bytearray data) noexcept:
    return <unsigned char *>PyByteArray_AS_STRING(data)


cdef size_t find_run(
    const unsigned char *data, size_t n, unsigned int index, size_t *previous, unsigned int *first
) except 0:
    """Where the run that covers a register begins; `previous`: the one before, or the same if there
    is none; `first`: the first register it covers.
    """
    cdef size_t at = HLL_HEADER
    cdef Run run
    previous[0] = at
    first[0] = 0
    while at < n:
        run = read_run(data + at)
        if at + run.bytes > n:
            break
        if index < first[0] + run.length:
            return at
        previous[0] = at
        first[0] += run.length
        at += run.bytes
    raise ValueError("corrupt HyperLogLog")


cdef unsigned int replaced_run(
    const Run *run, unsigned int before, unsigned int after, unsigned int rank, unsigned char *out
) noexcept nogil:
    """Write what a run becomes when one register in it gets another rank; the bytes of it."""
    cdef unsigned int size = 0
    if before:
        if run.kind == RANKED:
            out[0] = ranked(run.rank, before)
            size = 1
        else:
            size = put_zeros(out, before)
    out[size] = ranked(rank, 1)
    size += 1
    if after:
        if run.kind == RANKED:
            out[size] = ranked(run.rank, after)
            size += 1
        else:
            size += put_zeros(out + size, after)
    return size


cdef int join_runs(bytearray data, size_t at) except -1:
    """Join neighbouring runs of the same rank, from a run on."""
    cdef unsigned char *text = text_of(data)
    cdef size_t n = PyByteArray_GET_SIZE(data)
    cdef int steps = JOIN_STEPS
    cdef Run run, next_run
    while at < n and steps > 0:
        steps -= 1
        run = read_run(text + at)
        if run.kind == RANKED and at + 1 < n and text[at + 1] & 0x80:
            next_run = read_run(text + at + 1)
            if run.rank == next_run.rank and run.length + next_run.length <= RANK_RUN_MAX:
                text[at] = ranked(run.rank, run.length + next_run.length)
                memmove(text + at + 1, text + at + 2, n - at - 2)
                n -= 1
                continue
        at += run.bytes
    PyByteArray_Resize(data, n)
    return 0


cdef int sparse_set(
    bytearray data, unsigned int index, unsigned int rank, size_t sparse_bytes_max
) except -1:
    """Raise a register of a sparse string to a rank; whether it was below. May make it dense."""
    cdef unsigned char[5] runs
    cdef size_t n = PyByteArray_GET_SIZE(data), at, previous
    cdef unsigned int first, size
    cdef Run run
    cdef unsigned char *text
    if rank <= SPARSE_RANK_MAX:
        at = find_run(text_of(data), n, index, &previous, &first)
        run = read_run(text_of(data) + at)
        if run.rank >= rank:
            return False
        size = replaced_run(&run, index - first, first + run.length - 1 - index, rank, runs)
        if size <= run.bytes or n + size - run.bytes <= sparse_bytes_max:
            if size > run.bytes:
                PyByteArray_Resize(data, n + size - run.bytes)
            text = text_of(data) + at
            memmove(text + size, text + run.bytes, n - at - run.bytes)
            memcpy(text, runs, size)
            if size < run.bytes:
                PyByteArray_Resize(data, n + size - run.bytes)
            join_runs(data, previous)
            return True
    make_dense(data)
    return hll_dense_set(text_of(data), index, rank)


cdef int make_dense(bytearray data) except -1:
    """Give a sparse string the dense encoding."""
    cdef uint8_t[HLL_REGISTERS] found
    cdef unsigned char *text
    cdef int i
    memset(found, 0, HLL_REGISTERS)
    hll_fold(text_of(data), PyByteArray_GET_SIZE(data), found)
    PyByteArray_Resize(data, HLL_DENSE_SIZE)
    text = text_of(data)
    text[ENCODING_AT] = DENSE
    memset(text + HLL_HEADER, 0, HLL_DENSE_SIZE - HLL_HEADER)
    for i in range(HLL_REGISTERS):
        if found[i]:
            dense_put(text, i, found[i])
    return 0


cdef int hll_set(
    bytearray data, unsigned int index, unsigned int rank, size_t sparse_bytes_max
) except -1:
    """Raise a register to a rank; whether it was below. The cached estimate is left as it is."""
    if hll_is_dense(text_of(data)):
        return hll_dense_set(text_of(data), index, rank)
    return sparse_set(data, index, rank, sparse_bytes_max)


# --- estimating -----------------------------------------------------------------------------------


cdef void fold_dense(const unsigned char *at, uint8_t *registers) noexcept nogil:
    """Raise registers to dense ones, four of them in three bytes."""
    cdef unsigned int word, rank
    cdef int _group, i
    for _group in range(HLL_REGISTERS // 4):
        word = at[0] | <unsigned int>at[1] << 8 | <unsigned int>at[2] << 16
        for i in range(4):
            rank = (word >> (6 * i)) & 63
            registers[i] = <uint8_t>max(rank, <unsigned int>registers[i])
        at += 3
        registers += 4


cdef int hll_fold(const unsigned char *data, size_t n, uint8_t *registers) except -1:
    """Raise each of 16384 registers, one a byte, to its rank in this string."""
    cdef size_t at = HLL_HEADER
    cdef unsigned int i = 0, end
    cdef Run run
    if hll_is_dense(data):
        fold_dense(data + HLL_HEADER, registers)
        return 0
    while at < n:
        run = read_run(data + at)
        at += run.bytes
        end = i + run.length
        if end > HLL_REGISTERS or at > n:
            raise ValueError("corrupt HyperLogLog")
        if run.kind == RANKED:
            while i < end:
                if run.rank > registers[i]:
                    registers[i] = <uint8_t>run.rank
                i += 1
        i = end
    if i != HLL_REGISTERS:
        raise ValueError("corrupt HyperLogLog")
    return 0


cdef double tau(double x) noexcept nogil:
    cdef double power = 1, z = 1 - x, before
    if x == 0 or x == 1:
        return 0
    while True:
        x = sqrt(x)
        before = z
        power *= 0.5
        z -= (1 - x) * (1 - x) * power
        if z == before:
            return z / 3


cdef double sigma(double x) noexcept nogil:
    cdef double power = 1, z = x, before
    if x == 1:
        return INFINITY
    while True:
        x *= x
        before = z
        z += x * power
        power += power
        if z == before:
            return z


cdef uint64_t hll_estimate(const uint8_t *registers) noexcept nogil:
    """How many different elements registers, one a byte, have probably seen."""
    cdef int[64] histogram
    cdef double total = HLL_REGISTERS, z
    cdef int i
    memset(histogram, 0, sizeof(histogram))
    for i in range(HLL_REGISTERS):
        histogram[registers[i] & 63] += 1
    z = total * tau((total - histogram[RANK_MAX]) / total)
    i = RANK_MAX - 1
    while i >= 1:
        z = (z + histogram[i]) * 0.5
        i -= 1
    z += total * sigma(histogram[0] / total)
    return <uint64_t>llroundl(ALPHA * total * total / z)


# --- for Python -----------------------------------------------------------------------------------


def new():
    """A string that has seen nothing: sparse, its estimate up to date."""
    cdef bytearray data = bytearray(MAGIC + bytes(HLL_HEADER - 4 + 2))
    text_of(data)[ENCODING_AT] = SPARSE
    put_zeros(text_of(data) + HLL_HEADER, HLL_REGISTERS)
    return data


def is_hyperloglog(const unsigned char[::1] data not None):
    """Whether a string is taken for a HyperLogLog. All other functions need one for which this is
    so.
    """
    return data.shape[0] > 0 and hll_is_sound_header(&data[0], data.shape[0])


def encoding(const unsigned char[::1] data not None):
    """The name of the encoding, dense or sparse."""
    return "dense" if hll_is_dense(&data[0]) else "sparse"


def add(bytearray data not None, bytes element not None, size_t sparse_bytes_max):
    """Let a string see an element; whether a register changed. It becomes dense if it would grow
    past `sparse_bytes_max`. The cached estimate is left as it is: see `forget_cached`.
    """
    cdef unsigned int index
    cdef unsigned int rank = hll_place(
        PyBytes_AS_STRING(element), PyBytes_GET_SIZE(element), &index
    )
    return bool(hll_set(data, index, rank, sparse_bytes_max))


def cached(const unsigned char[::1] data not None):
    """The estimate that the string holds, None if it is out of date."""
    cdef uint64_t found
    if data[HLL_HEADER - 1] & STALE:
        return None
    memcpy(&found, &data[CACHE_AT], 8)
    return found


def cache(bytearray data not None, uint64_t cardinality):
    """Write an estimate into the string."""
    memcpy(text_of(data) + CACHE_AT, &cardinality, 8)


def forget_cached(bytearray data not None):
    """Mark the estimate in the string as out of date."""
    text_of(data)[HLL_HEADER - 1] |= STALE


def count(const unsigned char[::1] data not None):
    """The estimate, made anew."""
    cdef uint8_t[HLL_REGISTERS] found
    memset(found, 0, HLL_REGISTERS)
    hll_fold(&data[0], data.shape[0], found)
    return hll_estimate(found)


def count_registers(const unsigned char[::1] registers not None):
    """The estimate from 16384 registers, one a byte."""
    if registers.shape[0] != HLL_REGISTERS:
        raise ValueError("there are 16384 registers")
    return hll_estimate(&registers[0])


def registers(const unsigned char[::1] data not None):
    """The 16384 registers, one a byte."""
    cdef bytearray found = bytearray(HLL_REGISTERS)
    hll_fold(&data[0], data.shape[0], text_of(found))
    return found


def fold(const unsigned char[::1] data not None, bytearray into not None):
    """Raise 16384 registers, one a byte, to those of this string."""
    if len(into) != HLL_REGISTERS:
        raise ValueError("there are 16384 registers")
    hll_fold(&data[0], data.shape[0], text_of(into))


def raise_registers(
    bytearray data not None, const unsigned char[::1] registers not None, size_t sparse_bytes_max
):
    """Raise a string's registers to these, one a byte; the cached estimate is left as it is."""
    cdef int i
    if registers.shape[0] != HLL_REGISTERS:
        raise ValueError("there are 16384 registers")
    for i in range(HLL_REGISTERS):
        if registers[i]:
            hll_set(data, i, registers[i], sparse_bytes_max)


def to_dense(bytearray data not None):
    """Give a string the dense encoding; whether it was sparse."""
    if hll_is_dense(text_of(data)):
        return False
    make_dense(data)
    return True


def decode(const unsigned char[::1] data not None):
    """The runs of a sparse string as text, as PFDEBUG DECODE gives them."""
    cdef size_t at = HLL_HEADER, n = data.shape[0]
    cdef Run run
    cdef list parts = []
    while at < n:
        run = read_run(&data[at])
        at += run.bytes
        if run.kind == RANKED:
            parts.append(b"v:%d,%d" % (run.rank, run.length))
        else:
            parts.append((b"z:%d" if run.kind == ZEROS else b"Z:%d") % run.length)
    return b" ".join(parts)
