# Compiled with the text of bitmap.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
