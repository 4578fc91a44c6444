from libc.stdint cimport uint8_t, uint32_t

from balas_search.index.keytable cimport KeyTable


cdef class DocumentTable:
    cdef KeyTable names
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
    cdef void clear_row(self, Py_ssize_t doc) noexcept
    cdef int forget(self, Py_ssize_t doc) except -1


cdef class NumberColumn:
    cdef double* data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity

    cdef double number(self, Py_ssize_t doc) noexcept
    cdef int reach(self, Py_ssize_t size) except -1
