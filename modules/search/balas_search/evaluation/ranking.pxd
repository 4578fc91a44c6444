# Its presence has cursors.py compiled, text unchanged.
