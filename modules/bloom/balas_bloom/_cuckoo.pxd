from libc.stdint cimport uint8_t, uint32_t, uint64_t

from balas.api cimport Value

cdef struct Slots:
    uint8_t *slots
    uint64_t mask    # buckets less one
    uint64_t released  # bytes given back, when nobody looks any more

cdef class Table:
    cdef Slots *layers
    cdef readonly uint32_t count
    cdef readonly uint64_t buckets      # of the first layer
    cdef readonly uint32_t bucket_size
    cdef readonly uint32_t iterations
    cdef readonly uint32_t expansion
    cdef readonly uint64_t items
    cdef readonly uint64_t deletes
    cdef readonly uint64_t length       # bytes of all layers
    cdef readonly uint64_t memory       # bytes, with the objects
    cdef uint32_t released              # layers given back, when nobody looks any more

    cpdef bint add(self, bytes item, bint unique) except -1
    cpdef bint contains(self, bytes item) except -1
    cdef int grow(self) noexcept
    cdef void drop_last(self) noexcept
    cdef uint8_t *bucket(self, uint32_t layer, uint64_t place) noexcept
    cdef uint8_t *find(
        self, uint32_t layer, uint64_t place, uint8_t mark, uint8_t content
    ) noexcept
    cdef bint holds(self, uint64_t place) noexcept
    cdef int put(self, uint64_t place, bint unique) noexcept
    cdef int put_known(self, uint64_t place, uint8_t mark, uint64_t mask) noexcept
    cdef bint push_aside(self, uint64_t place, uint8_t mark) noexcept
    cpdef object compact(self, bint thoroughly)
    cdef bint empty(self, uint32_t layer) noexcept

cdef class TableHolder(Value):
    cdef readonly Table table

    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1
