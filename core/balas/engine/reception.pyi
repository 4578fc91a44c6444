from collections.abc import Callable

from balas.engine.blocking import Blocking
from balas.engine.changes import Changes
from balas.engine.client import Client, Transport
from balas.engine.clock import Clock
from balas.engine.delivery import Delivery
from balas.engine.pause import Pause
from balas.keyspace.database import Database
from balas.protocol.parser import ParserSettings

class Reception(Delivery):
    clock: Clock
    changes: Changes
    databases: list[Database]
    parser_settings: ParserSettings
    blocking: Blocking
    pause: Pause
    clients: dict[int, Client]
    next_client_id: int
    on_connect: list[Callable[[Client], None]]
    on_reset: list[Callable[[Client], None]]
    on_disconnect: list[Callable[[Client], None]]
    def connect(self, transport: Transport | None, kind: str = "normal") -> Client: ...
    def disconnect(self, client: Client) -> None: ...
    def close(self, client: Client, at_once: bool = False) -> None: ...
    def reset(self, client: Client) -> None: ...
    def discard(self, client: Client) -> None: ...
    def unwatch(self, client: Client) -> None: ...
