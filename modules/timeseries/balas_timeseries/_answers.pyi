from collections.abc import Callable, Sequence
from typing import Protocol

from balas.api import Context, Reply
from balas_timeseries._finding import Finder, Latest
from balas_timeseries.registry import Registry
from balas_timeseries.series import Series

class Shown(Protocol):
    all: bool
    names: list[bytes] | None

Found = list[tuple[bytes, Series]]
LatestOf = Callable[[bytes, Series], Latest] | None

def series_of(ctx: Context, registry: Registry, names: Sequence[bytes]) -> Found: ...
def last_of(ctx: Context, name: bytes, kind: type[Series]) -> Reply: ...
def latest_samples(found: Found, show: Shown, latest_of: LatestOf, resp: int) -> Reply: ...
def ranges(
    finder: Finder, found: Found, show: Shown, latest_of: LatestOf, kinds: list[str], resp: int
) -> Reply: ...
