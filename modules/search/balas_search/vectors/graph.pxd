# Its presence has graph.py compiled, text unchanged.
