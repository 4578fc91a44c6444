from collections.abc import Callable, Sequence
from typing import Any

from balas.api import Reply
from balas_search.index.tables import DocumentTable, NumberColumn

class WholeRows:
    def __init__(
        self,
        peek: Callable[[bytes], object],
        now_ms: int,
        known: dict[bytes, int],
        hidden: set[bytes],
    ) -> None: ...
    def add(self, made: list[Reply], keys: list[Any]) -> None: ...

class ChosenRows:
    def __init__(
        self,
        read: Callable[[bytes, tuple[bytes, ...]], list[bytes | None] | None],
        documents: DocumentTable,
        fields: Sequence[tuple[bytes, bytes, bytes, bool, NumberColumn | None]],
        hidden: set[bytes],
    ) -> None: ...
    def add(self, made: list[Reply], keys: list[Any]) -> None: ...
