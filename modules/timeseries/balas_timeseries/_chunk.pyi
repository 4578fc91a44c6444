import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]

class Chunk:
    room_bytes: int
    size_bytes: int
    bits: int
    count: int
    first: int
    last: int
    last_value: float
    form: int
    decimals: int
    def __init__(self, size_bytes: int, plain: bool = False) -> None: ...
    def append(self, timestamp: int, value: float) -> bool: ...
    def replace_last(self, value: float) -> bool: ...
    def decode(self) -> tuple[Times, Values]: ...
    def used(self) -> bytes: ...
    def copy(self) -> Chunk: ...

def decoded(data: bytes, count: int, form: int, decimals: int) -> tuple[Times, Values]: ...
