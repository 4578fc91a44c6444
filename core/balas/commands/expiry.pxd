# Compiled with the text of expiry.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
