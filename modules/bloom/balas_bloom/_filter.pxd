from libc.stdint cimport uint8_t, uint32_t, uint64_t

from balas.api cimport Value

# What a look-up needs of a layer, together in one cache line.
cdef struct Probe:
    uint8_t *bits
    uint64_t modulus       # number of bits that are addressed
    uint64_t reciprocal    # 2**64 over the modulus, rounded down; 0 if that is a power of two
    uint32_t hashes
    uint64_t entries       # items it is made for
    uint64_t size          # items it holds

cdef class Layer:
    cdef Probe probe
    cdef readonly double error
    cdef readonly double bpe
    cdef readonly uint64_t bits
    cdef readonly uint64_t length  # bytes
    cdef readonly uint8_t n2
    cdef uint64_t released         # bytes given back, when nobody looks any more

    cdef uint64_t release(self, uint64_t budget) noexcept

cdef class Chain:
    cdef readonly list layers
    cdef Probe **probes        # of the layers, oldest first
    cdef Py_ssize_t count
    cdef readonly uint32_t options
    cdef readonly uint32_t growth
    cdef readonly uint64_t items
    cdef readonly uint64_t length  # bytes of all layers
    cdef readonly uint64_t memory  # bytes, with the objects
    cdef Py_ssize_t released       # layers given back, when nobody looks any more

    cpdef bint add(self, bytes item) except -1
    cpdef bint contains(self, bytes item) except -1
    cdef int append(self, Layer layer) except -1
    cdef int grow(self)
    cdef int insert(self, const char *item, Py_ssize_t length)
    cdef int put(self, uint64_t start, uint64_t step)
    cdef bint holds(self, uint64_t start, uint64_t step) noexcept
    cdef void hash_item(
        self, const char *item, Py_ssize_t length, uint64_t *start, uint64_t *step
    ) noexcept
    cdef int hash_batch(
        self, object items, Py_ssize_t first, Py_ssize_t end, uint64_t *start, uint64_t *step
    ) except -1
    cdef bint locate(self, uint64_t position, Py_ssize_t *index, uint64_t *offset) noexcept

cdef class ChainHolder(Value):
    cdef readonly Chain chain

    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1
