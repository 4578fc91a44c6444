from balas.services.scripting.execution cimport Execution
from balas.services.scripting.lua51 cimport lua_State

cdef class Chunk:
    cdef Bridge bridge
    cdef int number
    cdef Chunk runner

cdef class Bridge:
    cdef lua_State *state
    cdef object runtime
    cdef readonly object dispatch       # as the sandbox calls it
    cdef readonly object unpack, decode, encode  # in C, where that is enough: see quick.pyx
    cdef object keeper
    cdef Execution execution            # the one that runs
    cdef BaseException escaped          # what must not be taken for an error of the script

    cdef object run(self, Execution execution, Chunk chunk, list keys, list arguments)
    cdef object returned(self, lua_State *lua, int resp)
