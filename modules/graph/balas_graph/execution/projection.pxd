# Its presence has projection.py compiled, text unchanged.
