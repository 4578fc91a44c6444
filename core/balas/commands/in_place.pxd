# Compiled with the text of in_place.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
