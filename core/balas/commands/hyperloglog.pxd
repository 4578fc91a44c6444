# Compiled with the text of hyperloglog.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
