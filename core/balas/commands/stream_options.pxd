# Compiled with the text of stream_options.py unchanged.
from balas.engine.context cimport Context
from balas.types.stream cimport Stream

cdef class AddOptions:
    cdef readonly bint make
    cdef readonly bint by_id
    cdef readonly object threshold
    cdef readonly Py_ssize_t threshold_at
    cdef readonly bint approximate
    cdef readonly object limit
    cdef readonly object references
    cdef readonly object id
    cdef readonly bint has_seq
    cdef readonly Py_ssize_t position
