# Its presence has access.py compiled, text unchanged.
