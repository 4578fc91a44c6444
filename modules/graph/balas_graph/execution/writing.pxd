# Its presence has writing.py compiled, text unchanged.
