from array import array
from collections.abc import Sequence

class Load:
    def __init__(self, fds: Sequence[int], requests: Sequence[tuple[bytes, bytes]]) -> None: ...
    def run(
        self, per_second: float, duration_s: float, seed: int
    ) -> tuple[array[float], array[float]]: ...
