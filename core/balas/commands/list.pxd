# Compiled with the text of list.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.list cimport List
