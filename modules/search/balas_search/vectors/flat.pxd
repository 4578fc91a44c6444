# Its presence has flat.py compiled, text unchanged.
