# Its presence has order.py compiled, text unchanged.
