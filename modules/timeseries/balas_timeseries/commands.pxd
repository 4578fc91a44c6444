# Its presence has commands.py compiled.
from balas_timeseries._numbers cimport parse_time, parse_value
from balas_timeseries._samples cimport Samples
