import asyncio
from typing import Any

from balas.engine.client import Client
from balas.engine.dispatch import Engine

class Connection(asyncio.Protocol):
    client: Client | None
    transport: asyncio.Transport
    def __init__(self, engine: Engine, network: Any) -> None: ...
