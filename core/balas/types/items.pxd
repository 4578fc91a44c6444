from libc.stdint cimport int64_t, uint64_t

from balas.types.limits cimport Limits

cdef class ItemReader:
    cdef public Limits limits           # of the server the values are for
    cdef public int64_t now_ms          # its clock: what is past by then may be left out

    cdef object bad(self, str what)
    cdef int take_byte(self) except -1
    cdef int take_length(self, uint64_t *n) except -1
    cdef int take_string(self, const char **text, size_t *n) except -1
    cdef int take_double(self, double *value) except -1
    cdef int copy_out(self, void *to, size_t n) except -1

cdef class ItemWriter:
    cdef int put(self, const void *data, size_t n) except -1
    cdef int put_byte(self, unsigned char byte) except -1
    cdef int put_length(self, uint64_t n) except -1
    cdef int put_integer(self, int64_t value) except -1
    cdef int put_string(self, const char *text, size_t n) except -1
