from libc.stdint cimport int32_t


cdef class Index:
    cdef readonly bint edges
    cdef readonly int32_t label
    cdef readonly int32_t key
    cpdef int add(self, int32_t id, object value) except -1
    cpdef int discard(self, int32_t id, object value) except -1


cdef class RangeIndex(Index):
    cdef readonly dict entries
    cdef readonly Py_ssize_t count
    # What has changed since the values were put in order: {id: value, or None without one}.
    cdef dict pending
    cdef object numbers, number_ids
    cdef list texts
    cdef object text_ids
    cdef object latitudes, point_ids
    cdef object chosen(self, object ids, object inside)
