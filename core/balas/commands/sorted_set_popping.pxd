# Compiled with the text of sorted_set_popping.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.sorted_set cimport SortedSet
