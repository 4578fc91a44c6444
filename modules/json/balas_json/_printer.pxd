cimport cython
from libc.stdint cimport uint64_t

from balas_json._cells cimport Cell, Doc


@cython.final
cdef class Printer:
    cdef bytes data
    cdef char *text
    cdef uint64_t size
    cdef uint64_t capacity
    cdef bytes indent
    cdef bytes newline
    cdef bytes space
    cdef bint spread
    cdef int level

    cdef int prepare(self, uint64_t expected) except -1
    cdef int resize(self, uint64_t capacity) except -1
    cdef int put_escaped(self, const char *text, uint64_t size) except -1
    cdef int line(self) except -1
    cdef int array_value(self, const Doc *doc, Cell cell) except -1
    cdef int object_value(self, const Doc *doc, Cell cell) except -1
    cdef int grow(self, uint64_t wanted) except -1
    cdef int room(self, uint64_t wanted) except -1
    cdef int put(self, const char *text, uint64_t size) except -1
    cdef int put_bytes(self, bytes text) except -1
    cdef int put_string(self, const char *text, uint64_t size, bint escaped) except -1
    cdef int put_number(self, const Doc *doc, Cell cell) except -1
    cdef int open(self, const char *bracket) except -1
    cdef int close(self, const char *bracket, bint empty) except -1
    cdef int item(self, bint first) except -1
    cdef int colon(self) except -1
    cdef int value(self, const Doc *doc, Cell cell) except -1
    cdef bytes take(self)

cdef Printer new_printer(uint64_t expected)
cdef bytes printed(const Doc *doc, Cell cell)
