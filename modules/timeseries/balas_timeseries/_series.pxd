from libc.stdint cimport int64_t

from balas.api cimport Context, Value
from balas_timeseries._samples cimport Samples

cdef class SeriesHolder(Value):
    cdef public Samples samples
    cdef public int64_t retention_ms
    cdef public int64_t ignore_time_ms
    cdef public double ignore_value
    cdef public str policy          # None: that of the server
    cdef public tuple place         # where the registry knows it: (database, key), or None
    cdef public list rules
    cdef public tuple labels        # pairs of a name and a value
    cdef public Py_ssize_t size     # bytes, without the chunks

    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1

cpdef object added_at_end(Context ctx, tuple arguments, type kind)
cpdef object appended(Context ctx, bytes key, bytes stamp, bytes text, type kind)
cpdef object written(Context ctx, bytes key, type kind)
cpdef int changed(Context ctx, bytes key) except -1
