# Its presence has columnar.py compiled, text unchanged.
