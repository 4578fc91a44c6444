from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from balas_graph.storage._store import Store

Ids = NDArray[np.int32]
Starts = NDArray[np.int64]
Mask = NDArray[np.uint8]
Look = Callable[[int], object]
Types = Sequence[int] | None

def matrix(
    store: Store, types: Types, allowed: Mask, both: bool, look: Look
) -> tuple[Starts, Ids]: ...
def page_rank(
    starts: Starts,
    cells: Ids,
    there: Mask,
    damping: float,
    tolerance: float,
    rounds: int,
    look: Look,
) -> NDArray[np.float32]: ...
def components(starts: Starts, cells: Ids, look: Look) -> Ids: ...
def propagate(starts: Starts, cells: Ids, rounds: int, look: Look) -> Ids: ...
def betweenness(starts: Starts, cells: Ids, sources: Ids, look: Look) -> NDArray[np.float64]: ...
def tree(
    store: Store, types: Types, direction: int, source: int, levels: int, look: Look
) -> tuple[list[int], list[int]]: ...
def spanning(sources: Ids, targets: Ids, limit: int) -> tuple[NDArray[np.bool_], Ids]: ...
