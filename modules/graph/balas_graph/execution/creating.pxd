# Its presence has creating.py compiled, text unchanged.
