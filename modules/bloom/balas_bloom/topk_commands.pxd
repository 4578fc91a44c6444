# Its presence has topk_commands.py compiled, text unchanged.
