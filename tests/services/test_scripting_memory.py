"""The memory of Lua's interpreters."""

import gc
import re
from pathlib import Path

from balas.services.scripting.interpreter import Interpreter

REGION_BYTES = 64 << 20
SERVICES = ("log", "setresp", "set_repl", "acl_check")
BUSY = b"local made = {} for i = 1, 1000 do made[i] = {i, tostring(i), ('x'):rep(i)} end"


def regions() -> int:
    """How many regions of small blocks this process has; neighbours may be shown as one."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    found = (re.match(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0", line) for line in lines)
    sizes = (int(one[2], 16) - int(one[1], 16) for one in found if one)
    return sum(size // REGION_BYTES for size in sizes)


def test_an_interpreter_that_goes_leaves_no_memory_behind() -> None:
    gc.collect()
    before = regions()
    for _ in range(3):
        interpreter = Interpreter({name: lambda *_: None for name in SERVICES}, lambda: None)
        script = interpreter.keep_script(interpreter.compile(BUSY, b"busy"))
        assert regions() == before + 1
        assert interpreter.memory_bytes > 100_000
        del interpreter, script
        gc.collect()
        assert regions() == before
