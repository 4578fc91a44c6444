from typing import TypeVar

from balas.api import Context, Value
from balas_timeseries._samples import Samples
from balas_timeseries.rule import Rule

V = TypeVar("V", bound=Value)

class SeriesHolder(Value):
    samples: Samples
    retention_ms: int
    ignore_time_ms: int
    ignore_value: float
    policy: str | None
    place: tuple[int, bytes] | None
    rules: list[Rule]
    labels: tuple[tuple[bytes, bytes], ...]
    size: int

def added_at_end(
    ctx: Context, arguments: tuple[bytes, ...], kind: type[SeriesHolder]
) -> int | None: ...
def appended(
    ctx: Context, key: bytes, stamp: bytes, text: bytes, kind: type[SeriesHolder]
) -> int | None: ...
def written(ctx: Context, key: bytes, kind: type[V]) -> V | None: ...
def changed(ctx: Context, key: bytes) -> int: ...
