from balas.engine.context cimport Context
from balas.engine.dispatch cimport Engine
from balas.registry.spec cimport CommandSpec

cdef class Execution:
    cdef readonly Context ctx
    cdef readonly object script
    cdef Engine engine
    cdef object acl
    cdef bint read_only
    cdef bint out_of_memory
    cdef public list words
    cdef public int resp
    cdef public bint wrote
    cdef public bint paused
    cdef public bint killed
    cdef readonly double started_s
    cdef public double resumed_s
    cdef public object outcome

    cdef object perform(self, list argv)
    cdef CommandSpec find(self, list argv)
