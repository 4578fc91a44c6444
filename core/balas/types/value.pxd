cdef class Value:
    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t cardinality(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1
