from libc.stdint cimport uint8_t, uint32_t


cdef class DocumentTable:
    cdef readonly dict ids
    cdef readonly list keys
    cdef readonly dict payloads
    cdef readonly double total_length
    cdef uint8_t* alive_data
    cdef float* score_data
    cdef uint32_t* length_data
    cdef uint32_t* frequency_data
    cdef Py_ssize_t capacity
    # What `all_ids` gave, until a document comes or goes.
    cdef object everything

    cdef int grow(self, Py_ssize_t capacity) except -1
