# Compiled with the text of set.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.set cimport Set
