from collections.abc import Callable, Sequence
from typing import Any

from balas.registry.keys import FindKeys, KeySpec

class DeclarationError(Exception):
    handler: Callable[..., Any] | None
    def __init__(self, text: str, handler: Callable[..., Any] | None = None) -> None: ...

def implied_categories(flags: int, group: str) -> set[str]: ...

class CommandSpec:
    name: str
    wire_name: bytes
    arity: int
    flags: int
    first_key: int
    last_key: int
    key_step: int
    shift: int
    handler: Callable[..., Any] | None
    is_async: bool
    key_specs: tuple[KeySpec, ...]
    find_keys: FindKeys | None
    group: str
    since: str
    summary: str
    synopsis: str
    description: str
    categories: frozenset[str]
    subcommands: dict[bytes, CommandSpec] | None
    parent: CommandSpec | None
    owner: str
    calls: int
    duration_ns: int
    rejected_calls: int
    failed_calls: int
    retired: bool
    def __init__(
        self,
        name: str,
        arity: int,
        *,
        handler: Callable[..., Any] | None = None,
        flags: int = 0,
        key_specs: tuple[KeySpec, ...] = (),
        find_keys: FindKeys | None = None,
        group: str = "",
        since: str = "",
        categories: Sequence[str] | frozenset[str] = (),
        summary: str = "",
        synopsis: str = "",
        description: str = "",
        parent: CommandSpec | None = None,
        owner: str = "",
    ) -> None: ...
    def reset_stats(self) -> None: ...
    def latency_buckets(self) -> list[tuple[int, int]]: ...
    def latency_percentile_ns(self, percent: float) -> int: ...
    def key_positions(self, argv: Sequence[bytes]) -> list[int]: ...
