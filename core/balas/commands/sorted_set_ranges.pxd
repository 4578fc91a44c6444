# Compiled with the text of sorted_set_ranges.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.sorted_set cimport SortedSet

cdef class Range:
    cdef bytes low
    cdef bytes high
    cdef int kind
    cdef object reverse
    cdef bint storing
    cdef bint scores
    cdef object offset
    cdef object count
    cdef object first
    cdef object last
    cdef tuple from_score
    cdef tuple to_score
    cdef tuple from_text
    cdef tuple to_text
