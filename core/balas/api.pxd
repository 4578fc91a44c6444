# What a module's compiled parts may cimport: the types behind `balas.api`, with their C verbs.
#
# A module needs none of this. It saves a call through Python where a command does little else: a
# value that is a `cdef class` tells its size without one, and `ctx: Context` in a compiled file
# calls the verbs directly. Build the module with the Balas it is to run with.

from balas.engine.context cimport Context
from balas.structures.numbers cimport double_to_string
from balas.types.value cimport Value
