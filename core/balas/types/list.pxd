from libc.stdint cimport int64_t

from balas.structures.filling cimport Quicklist
from balas.structures.listpack cimport emit_t
from balas.types.items cimport ItemReader
from balas.types.limits cimport Limits
from balas.types.value cimport Value

cdef class List(Value):
    cdef Quicklist elements

    cpdef Py_ssize_t length(self) noexcept
    cpdef Py_ssize_t push(self, tuple values, bint at_head, Limits limits) except -1
    cpdef bytes pop(self, bint at_head, Limits limits)
    cpdef list pop_many(self, bint at_head, Py_ssize_t count, Limits limits)
    cpdef bytes get(self, int64_t index)
    cpdef bint replace(self, int64_t index, bytes value, Limits limits) except -1
    cpdef bint insert(self, bytes pivot, bytes value, bint after, Limits limits) except -1
    cdef int emit_range(
        self, int64_t start, int64_t count, emit_t emit, void *context
    ) except -1
    cpdef list range(self, int64_t start, int64_t count)
    cpdef list backwards(self, int64_t start, int64_t count)
    cpdef Py_ssize_t trim(self, int64_t start, int64_t count, Limits limits) except -1
    cpdef Py_ssize_t remove(self, bytes value, int64_t count, Limits limits) except -1
    cpdef list positions(self, bytes value, int64_t rank, int64_t count, int64_t length_max)
    cdef int load_strings(self, ItemReader reader) except -1
    cdef int load_nodes(self, ItemReader reader, int kind) except -1
    cdef int add_ziplist(self, const unsigned char *data, size_t n, bint alone) except -1
