# Its presence has base.py compiled, text unchanged.
