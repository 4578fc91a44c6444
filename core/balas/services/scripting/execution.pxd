from cpython.ref cimport PyObject

from balas.engine.context cimport Context
from balas.engine.dispatch cimport Engine
from balas.registry.spec cimport CommandSpec

cdef class Execution:
    cdef readonly Context ctx
    cdef readonly object script
    cdef readonly object chunk
    cdef readonly tuple keys
    cdef readonly tuple arguments
    cdef Engine engine
    cdef object acl
    cdef bint read_only
    cdef bint out_of_memory
    cdef public int resp
    cdef public bint wrote
    cdef public bint paused
    cdef public bint killed
    cdef readonly double started_s
    cdef public double resumed_s
    cdef public object outcome

    @staticmethod
    cdef Execution begin(
        Context own, Context ctx, object script, object chunk, tuple keys, tuple arguments,
        object acl, bint read_only, bint out_of_memory,
    )
    cdef object perform(self, CommandSpec spec, PyObject **argv, Py_ssize_t count)
