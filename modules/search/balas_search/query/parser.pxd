# Its presence has parser.py compiled, text unchanged.
