from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = tuple[NDArray[np.int64], NDArray[np.uint32]]

def near(
    parts: list[Positions], counts: list[Any], docs: int, slop: int, in_order: bool
) -> NDArray[np.bool_]: ...
def distances(
    parts: list[Positions], counts: list[Any], matching: NDArray[np.int64]
) -> NDArray[np.float64]: ...
def merged(parts: list[Positions], docs: int) -> Positions: ...
