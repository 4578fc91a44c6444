from typing import Any

from balas.protocol.replies import Reply
from balas.services.scripting.execution import Execution

NO_ARGUMENT: str
BAD_ARGUMENT: str

class ScriptError(Exception):
    text: bytes
    source: bytes | None
    line: float | None

class Chunk:
    def run(self, execution: Execution, keys: list[bytes], arguments: list[bytes]) -> Reply: ...

class Bridge:
    dispatch: Any
    unpack: Any
    decode: Any
    encode: Any
    def __init__(self, runtime: Any, library: str) -> None: ...
    def keep(self, function: Any, runner: Chunk | None = None) -> Chunk: ...
    @property
    def memory_bytes(self) -> int: ...

def one_line(text: bytes) -> str: ...
