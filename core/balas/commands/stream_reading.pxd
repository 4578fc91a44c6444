# Compiled with the text of stream_reading.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.types.stream cimport Stream
from balas.types.stream_groups cimport Consumer, Group
