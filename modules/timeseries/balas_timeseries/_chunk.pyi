import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]

class Chunk:
    size_bytes: int
    bits: int
    count: int
    first: int
    last: int
    last_value: float
    def __init__(self, size_bytes: int) -> None: ...
    def append(self, timestamp: int, value: float) -> bool: ...
    def decode(self) -> tuple[Times, Values]: ...
    def used(self) -> bytes: ...

def decode_all(chunks: list[Chunk]) -> tuple[Times, Values]: ...
def encode_all(timestamps: Times, values: Values, size_bytes: int) -> list[Chunk]: ...
