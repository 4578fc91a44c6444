# Gives the classes of scripts.py C fields, and types what its functions are given.
from balas.engine.client cimport Client
from balas.engine.context cimport Context
from balas.engine.dispatch cimport Engine
from balas.registry.spec cimport CommandSpec
from balas.services.scripting.bridge cimport Chunk
from balas.services.scripting.execution cimport Execution
from balas.services.scripting.runner cimport Runner

cdef class Script:
    cdef readonly str name
    cdef readonly Chunk chunk
    cdef readonly bytes text
    cdef readonly object flags
    cdef readonly bint is_function
    cdef public bint loaded

cdef class Scripting:
    cdef Engine _engine
    cdef Context _context
    cdef object _config
    cdef object _log
    cdef object _acl
    cdef public dict scripts
    cdef public Execution current
    cdef public int forgotten
    cdef public double load_deadline_s
    cdef readonly dict flag_finders
    cdef object _made
    cdef Runner _runner

    cpdef Script known(self, bytes digest)
    cdef bint _is_full(self) except -1
    cdef object _reply(self, Execution execution)
