# Its presence has reading.py compiled, text unchanged.
