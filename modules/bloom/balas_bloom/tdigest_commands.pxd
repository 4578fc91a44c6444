# Its presence has tdigest_commands.py compiled, text unchanged.
