# Its presence has documents.py compiled, text unchanged.
