# Compiled with the text of commands.py unchanged; these names then mean these types.
from balas_timeseries._numbers cimport parse_time, parse_value
from balas_timeseries._samples cimport Samples
from balas_timeseries._series cimport added_at_end, appended, changed, written
