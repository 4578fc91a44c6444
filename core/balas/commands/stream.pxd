# Compiled with the text of stream.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.stream cimport Stream
