from cpython.ref cimport PyObject

from balas.registry.spec cimport CommandSpec
from balas.services.scripting.execution cimport Execution
from balas.services.scripting.heap cimport Heap
from balas.services.scripting.lua51 cimport lua_State

cdef class Chunk:
    cdef Bridge bridge
    cdef int number
    cdef bint takes_words

    cpdef object run(self, Execution execution)

cdef class Bridge:
    cdef lua_State *state
    cdef Heap *heap
    cdef object runtime
    cdef readonly object caller
    cdef readonly object unpack, pack, decode, encode  # see messagepack.pyx, quick.pyx
    cdef object keeper
    cdef int explain, globals           # by what the keeper knows them
    cdef Execution execution            # the one that runs
    cdef BaseException escaped          # what must not be taken for an error of the script
    cdef list names, specs              # commands that were called, by the places of their names

    cdef object run(self, Execution execution, Chunk chunk)
    cdef int show_words(self, lua_State *lua, Execution execution) except -1
    cdef object perform(self, lua_State *lua, int count)
    cdef CommandSpec take_name(self, lua_State *lua, PyObject **words)
    cdef CommandSpec look_up(self, lua_State *lua, PyObject **words, int count)
