# Its presence has rows.py compiled, text unchanged.
