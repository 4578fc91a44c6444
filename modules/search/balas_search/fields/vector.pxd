# Its presence has vector.py compiled, text unchanged.
