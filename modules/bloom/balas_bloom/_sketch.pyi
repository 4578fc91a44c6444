from collections.abc import Callable
from typing import TypeVar

from balas.api import Value

Reply = TypeVar("Reply")

class Sketch:
    width: int
    depth: int
    total: int
    length: int
    memory: int
    def __init__(self, width: int, depth: int) -> None: ...
    def increase_all(
        self, words: tuple[bytes, ...], overflow: Callable[[], Reply]
    ) -> list[int | Reply]: ...
    def query_all(self, words: tuple[bytes, ...]) -> list[int]: ...
    def merge(self, sketches: list[Sketch], weights: list[int]) -> None: ...
    def read(self) -> bytes: ...
    def write(self, data: bytes, total: int) -> None: ...

class SketchHolder(Value):
    sketch: Sketch
    def __init__(self, sketch: Sketch) -> None: ...
