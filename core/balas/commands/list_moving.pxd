# Compiled with the text of list_moving.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.list cimport List
