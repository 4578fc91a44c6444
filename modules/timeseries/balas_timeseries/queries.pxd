# Compiled with the text of queries.py unchanged; these names then mean these types.
from balas_timeseries._answers cimport last_of
from balas_timeseries._finding cimport Finder
