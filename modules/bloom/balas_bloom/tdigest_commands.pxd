# Compiled with the text of tdigest_commands.py unchanged; these names then mean these types.
from balas_bloom._door cimport changeable, changed, to_change, to_read
from balas_bloom._tdigest cimport Digest
