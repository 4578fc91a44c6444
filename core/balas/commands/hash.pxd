# Compiled with the text of hash.py unchanged; these names then mean these types.
from balas.engine.context cimport Context
from balas.types.hash cimport Hash
