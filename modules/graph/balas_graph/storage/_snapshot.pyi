from collections.abc import Callable
from typing import Any

from balas_graph.storage._store import Store

def state(
    store: Store, pack: Callable[[object], object]
) -> tuple[dict[str, Any], list[bytes], list[list[list[bytes]]]]: ...
def restore(
    store: Store,
    head: dict[str, Any],
    parts: list[bytes],
    columns: list[list[list[bytes]]],
    unpack: Callable[[Any], object],
    counts: tuple[int, int, int],
) -> None: ...
