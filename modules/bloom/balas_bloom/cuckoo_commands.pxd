# Its presence has cuckoo_commands.py compiled, text unchanged.
