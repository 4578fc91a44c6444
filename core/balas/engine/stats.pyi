from collections.abc import Callable

class Stats:
    connections: int
    rejected_connections: int
    commands: int
    input_bytes: int
    output_bytes: int
    reads: int
    writes: int
    hits: int
    misses: int
    expired_keys: int
    expired_fields: int
    evicted_keys: int
    lazyfreed_objects: int
    error_replies: int
    unexpected_errors: int
    query_limit_disconnections: int
    output_limit_disconnections: int
    loop_turns: int
    loop_ns: int
    loop_command_ns: int
    errors: dict[str, int]
    on_too_many_errors: Callable[[list[str]], None] | None
    on_reset: list[Callable[[], None]]
    extra: dict[str, int]
    def reset(self) -> None: ...
    def count_error(self, code: str) -> None: ...
