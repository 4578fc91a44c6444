# Its presence has numeric.py compiled, text unchanged.
