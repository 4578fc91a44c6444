from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Docs = NDArray[np.uint32]
Rows = NDArray[np.int32]
Numbers = NDArray[np.float32] | NDArray[np.float64]

def nearest(
    matrix: Numbers,
    docs: Docs,
    used: int,
    query: Numbers,
    count: int,
    squares: bool,
    gone: int,
    check_time: Callable[[], None],
    some: int,
) -> tuple[Docs, NDArray[np.float64]]: ...
def nearest_among(
    matrix: Numbers,
    docs: Docs,
    row_of: Rows,
    among: Docs,
    query: Numbers,
    count: int,
    squares: bool,
    gone: int,
    check_time: Callable[[], None],
    some: int,
) -> tuple[Docs, NDArray[np.float64]]: ...
def measured(matrix: Numbers, rows: Rows | None, query: Numbers, squares: bool) -> Numbers: ...
