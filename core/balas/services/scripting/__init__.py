"""Scripts in Lua 5.1: a sandboxed interpreter, the scripts it knows, and how they are run."""
