import numpy as np
from numpy.typing import NDArray

from balas_graph.storage._store import Store

def steps(store: Store) -> tuple[NDArray[np.int32], bool]: ...
def take(store: Store, rows: NDArray[np.int32], n_types: int) -> None: ...
