# Its presence has loading.py compiled, text unchanged.
