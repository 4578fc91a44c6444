# Its presence has replies.py compiled, text unchanged.
