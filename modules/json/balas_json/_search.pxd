from libc.stdint cimport uint32_t, uint64_t

from balas_json._cells cimport Cell, Doc
from balas_json._paths cimport Path

cdef enum:
    NOWHERE = 0xFFFFFFFFFFFFFFFF

cdef struct Match:
    Cell cell
    uint64_t at            # the place of the cell, or NOWHERE: in a PACKED array
    uint64_t parent        # the place of its container's cell, or NOWHERE: the root
    uint32_t index         # in its container
    uint32_t depth         # of containers around it

cdef class Found:
    cdef Match *items
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef Py_ssize_t limit  # more are not looked for
    cdef Match[4] first

cdef Found search(Doc *doc, Path path, bint writing, Py_ssize_t limit)
