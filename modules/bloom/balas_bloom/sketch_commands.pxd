# Its presence has sketch_commands.py compiled, text unchanged.
