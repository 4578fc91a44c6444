# Its presence has batches.py compiled, text unchanged.
