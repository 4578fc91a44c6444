# Its presence has query.py compiled, text unchanged.
