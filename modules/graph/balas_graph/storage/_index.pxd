from libc.stdint cimport int32_t


cdef class Index:
    cdef readonly bint edges
    cdef readonly int32_t label
    cdef readonly int32_t key
    cdef readonly dict entries
    cdef readonly Py_ssize_t count
    cdef int add(self, int32_t id, object value) except -1
    cdef int discard(self, int32_t id, object value) except -1
