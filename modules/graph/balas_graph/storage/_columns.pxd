from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t


cdef union Cell:
    int64_t whole
    double real
    char text[8]


cdef class Column:
    cdef readonly dict sparse
    cdef uint8_t *tags
    cdef Cell *cells
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t count
    cdef char *arena
    cdef Py_ssize_t arena_size, arena_used, arena_garbage
    cdef list objects
    cdef list free_objects

    cdef object get(self, int32_t id)
    cdef object put(self, int32_t id, object value, Py_ssize_t limit)
    cdef void forget(self, int32_t id)
    cdef int grow(self, Py_ssize_t wanted) except -1
    cdef int spread(self, Py_ssize_t limit) except -1
    cdef int write(self, int32_t id, object value) except -1
    cdef int tidy(self) except -1
    cdef int widen(self, Py_ssize_t wanted) except -1
    cdef int keep_object(self, int32_t id, object value) except -1
    cdef int forget_cell(self, int32_t id) except -1
    cdef uint64_t code(self, int32_t id) noexcept
    cdef bint same(self, int32_t one, int32_t other) noexcept
    cpdef Py_ssize_t memory(self)
