# Its presence has search.py compiled, text unchanged.
