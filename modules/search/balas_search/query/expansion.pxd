# Its presence has expansion.py compiled, text unchanged.
