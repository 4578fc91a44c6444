# Compiled with the text of transactions.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.registry.spec cimport CommandSpec
