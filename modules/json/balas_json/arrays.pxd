# Its presence has arrays.py compiled, text unchanged.
