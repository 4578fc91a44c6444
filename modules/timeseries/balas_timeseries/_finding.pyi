from collections.abc import Sequence

from balas.api import Reply
from balas_timeseries._series import SeriesHolder
from balas_timeseries.options import Query

Latest = tuple[int, float] | None

class Finder:
    def __init__(self, query: Query, backwards: bool = False) -> None: ...
    def found(self, series: SeriesHolder, latest: Latest, resp: int, direct: bool) -> Reply: ...
    def reduce(
        self,
        series: Sequence[tuple[SeriesHolder, Latest]],
        kind: int,
        backwards: bool,
        resp: int,
        direct: bool,
    ) -> Reply: ...
