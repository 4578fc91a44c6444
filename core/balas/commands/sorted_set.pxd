# Compiled with the text of sorted_set.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.sorted_set cimport SortedSet


cdef object add_one(Context ctx, bytes key, double score, bytes member)
