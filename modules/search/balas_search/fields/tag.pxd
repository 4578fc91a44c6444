# Its presence has tag.py compiled, text unchanged.
