# Its presence has plans.py compiled, text unchanged.
