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
    def run(self, execution: Execution) -> Reply: ...

class Bridge:
    caller: Any
    unpack: Any
    pack: Any
    decode: Any
    encode: Any
    def __init__(self, runtime: Any, library: str) -> None: ...
    def settle(self, explain: Any, globals: Any) -> None: ...
    def keep(self, function: Any, takes_words: bool = ...) -> Chunk: ...
    @property
    def memory_bytes(self) -> int: ...

def one_line(text: bytes) -> str: ...
