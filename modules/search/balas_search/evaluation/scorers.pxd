# Its presence has scorers.py compiled, text unchanged.
