from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from balas_search.index.tables import DocumentTable
from balas_search.postings.posting import Posting

Docs = NDArray[np.uint32]

class Part:
    def __init__(
        self,
        leaves: list[tuple[Posting, int, float]],
        first_only: bool = False,
        alone: Docs | None = None,
    ) -> None: ...

class Ranking:
    def __init__(self, parts: list[Part], measured: bool) -> None: ...
    def best(
        self,
        docs: Docs,
        scores: NDArray[np.float32],
        frequencies: Docs,
        wanted: int,
        check_time: Callable[[], None] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None: ...

def best_keys(
    documents: DocumentTable,
    leaves: list[tuple[Posting, int, float]],
    offset: int,
    count: int,
) -> list[int | bytes] | None: ...
def best_of_equals(
    documents: DocumentTable, docs: Docs, value: float, wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
