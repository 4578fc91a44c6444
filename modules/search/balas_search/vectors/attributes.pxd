# Its presence has attributes.py compiled, text unchanged.
