# Its presence has evaluation.py compiled, text unchanged.
