# Its presence has hnsw.py compiled, text unchanged.
