import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

def of_floats(
    matrix: NDArray[np.float32], rows: Rows, query: NDArray[np.float32]
) -> NDArray[np.float32]: ...
def of_doubles(
    matrix: NDArray[np.float64], rows: Rows, query: NDArray[np.float64]
) -> NDArray[np.float64]: ...
