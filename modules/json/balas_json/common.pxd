# Its presence has common.py compiled, text unchanged.
