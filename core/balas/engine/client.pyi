from enum import IntFlag
from typing import Any, Protocol

from balas.keyspace.database import Database
from balas.protocol.parser import ParserSettings, RequestParser
from balas.protocol.writer import ReplyWriter
from balas.registry.spec import CommandSpec

class Transport(Protocol):
    def write(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_write_buffer_size(self) -> int: ...

class Suspended(IntFlag):
    BLOCKED = 1
    AWAITING = 2
    PAUSED = 4
    CONGESTED = 8
    RESTING = 16

class Client:
    id: int
    transport: Transport | None
    parser: RequestParser
    writer: ReplyWriter
    db: Database
    attention: int
    authenticated: bool
    user: str
    name: bytes
    library_name: bytes
    library_version: bytes
    address: str
    local_address: str
    descriptor: int
    kind: str
    created_ms: int
    active_ms: int
    last_command: CommandSpec | None
    queue: list[tuple[CommandSpec, list[bytes]]] | None
    queue_bytes: int
    queue_flags: int
    queue_lacks: int
    queue_broken: bool
    watching: dict[tuple[int, bytes], Database]
    watch_broken: bool
    blocked: Any
    suspended: int
    closing: bool
    closed: bool
    no_evict: bool
    no_touch: bool
    muted_once: bool
    pending: list[list[bytes]]
    backlog: list[bytes]
    backlog_size: int
    input_bytes: int
    output_bytes: int
    commands: int
    soft_limit_since_ms: int
    channels: dict[bytes, None]
    patterns: dict[bytes, None]
    shard_channels: dict[bytes, None]
    data: dict[type, Any]
    resp: int
    def __init__(
        self,
        id: int,
        transport: Transport | None,
        db: Database,
        settings: ParserSettings,
        now_ms: int,
        kind: str = ...,
    ) -> None: ...
    @property
    def subscriptions(self) -> int: ...
    @property
    def output_pending(self) -> int: ...
    @property
    def memory(self) -> int: ...
    def suspend(self, reason: int) -> None: ...
    def set_attention(self, bits: int, on: bool) -> None: ...
    def note_subscriptions(self) -> None: ...
    def flush(self) -> int: ...
    def shrink(self) -> None: ...
