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
    # The table without unused ids that is being made: the ids below `passed` are in it, but those
    # that `unused` says; `new_ids` has what each is there.
    cdef DocumentTable successor
    cdef Py_ssize_t passed
    cdef object unused
    cdef object new_ids

    cdef int grow(self, Py_ssize_t capacity) except -1
    cdef void clear_row(self, Py_ssize_t doc) noexcept
    cdef int forget(self, Py_ssize_t doc) except -1
    cdef int make_room(self) except -1
    cdef uint32_t copy_of(self, DocumentTable other, Py_ssize_t doc) except 0


cdef class NumberColumn:
    cdef double* data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity

    cdef double number(self, Py_ssize_t doc) noexcept
    cdef int reach(self, Py_ssize_t size) except -1
