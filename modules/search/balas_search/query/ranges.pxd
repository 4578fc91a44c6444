# Its presence has ranges.py compiled, text unchanged.
