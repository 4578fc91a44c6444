# Its presence has lexer.py compiled, text unchanged.
