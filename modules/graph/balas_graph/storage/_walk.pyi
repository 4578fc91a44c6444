from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from balas_graph.storage._store import Edge, Node, Store

Ids = NDArray[np.int32]
Mask = NDArray[np.uint8] | None
Look = Callable[[int], object]
Types = Sequence[int] | None

def neighbours(
    store: Store, node: int, types: Types, direction: int
) -> list[tuple[Edge, Node]]: ...
def expand(
    store: Store,
    nodes: Ids,
    types: Types,
    direction: int,
    allowed: Mask,
    used: Sequence[Ids],
    look: Look,
) -> tuple[Ids, Ids, Ids]: ...
def walks(
    store: Store,
    nodes: Ids,
    types: Types,
    direction: int,
    low: int,
    high: int,
    allowed: Mask,
    look: Look,
    keep: bool = False,
) -> tuple[Ids, ...]: ...
def reached(
    store: Store, nodes: Ids, types: Types, direction: int, high: int, look: Look
) -> tuple[Ids, Ids]: ...
def third_ends(store: Store, start: int, hops: Sequence[tuple[Types, int]], look: Look) -> Ids: ...
def different(ids: Ids, limit: int) -> int: ...
