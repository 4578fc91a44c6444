# Its presence has commands.py compiled, text unchanged.
