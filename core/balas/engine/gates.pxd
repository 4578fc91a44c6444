# Compiled with the text of gates.py unchanged; `client: Client` then means this type.
from balas.engine.client cimport Client
from balas.registry.spec cimport CommandSpec
