"""What this offers is for Lua alone; see the .pyx."""
