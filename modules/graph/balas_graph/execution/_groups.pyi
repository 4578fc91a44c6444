from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

def grouped(
    columns: list[list[object]], key: Callable[[object], object]
) -> tuple[NDArray[np.int64], list[int]]: ...
