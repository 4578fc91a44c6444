from collections.abc import Sequence
from typing import TypeVar

from typing_extensions import Buffer

from balas.api import Value

Reply = TypeVar("Reply")

EXACT_BITS: int
ENTRIES_ARE_BITS: int
HASH_64: int
FIXED: int

class Full(Exception): ...

class Layer(Buffer):
    error: float
    bpe: float
    bits: int
    length: int
    n2: int
    def __init__(
        self,
        entries: int,
        error: float,
        bpe: float,
        hashes: int,
        bits: int,
        n2: int,
        size: int,
        length: int,
        data: Buffer | None = None,
    ) -> None: ...
    @property
    def entries(self) -> int: ...
    @property
    def hashes(self) -> int: ...
    @property
    def size(self) -> int: ...
    def unite(self, other: Layer) -> bool: ...
    def copy(self) -> Layer: ...

def new_layer(entries: int, error: float, options: int) -> Layer: ...
def new_chain(entries: int, error: float, options: int, growth: int) -> Chain: ...

class Chain:
    layers: list[Layer]
    options: int
    growth: int
    items: int
    length: int
    memory: int
    def __init__(self, layers: list[Layer], options: int, growth: int) -> None: ...
    @property
    def capacity(self) -> int: ...
    def add(self, item: bytes) -> bool: ...
    def contains(self, item: bytes) -> bool: ...
    def add_all(self, items: Sequence[bytes], full: Reply, failed: Reply) -> list[bool | Reply]: ...
    def contains_all(self, items: Sequence[bytes]) -> list[bool]: ...
    def read(self, position: int, limit: int) -> tuple[int, bytes]: ...
    def write(self, position: int, data: bytes) -> None: ...
    def copy(self) -> Chain: ...
    def release(self, budget: int) -> bool: ...

class ChainHolder(Value):
    chain: Chain
    def __init__(self, chain: Chain) -> None: ...
