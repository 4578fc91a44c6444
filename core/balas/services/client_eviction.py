"""maxmemory-clients: when the buffers of all clients take too much, the largest clients have to go.

Replicas are spared, and who has said CLIENT NO-EVICT ON.

Differs from Redis: clients are looked at ten times a second, or once where there are many, not
before every command.
"""

from __future__ import annotations

from typing import Final

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.services.clients import Clients, class_of
from balas.services.config.kinds import Percent
from balas.services.config.store import Config
from balas.services.log import Log

LOOK_EVERY_MS: Final = 100
# Of more clients than this, only every tenth look is taken.
MANY: Final = 1000
EVICTABLE: Final = ("normal", "pubsub")


class ClientEviction:
    """Keeps the memory of one server's clients below the limit."""

    def __init__(self, engine: Engine, config: Config, log: Log, clients: Clients) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._clients = clients
        self._looks = 0
        engine.timers.every(LOOK_EVERY_MS, self._look)

    def limit_bytes(self) -> int:
        """The limit in force; 0 for none."""
        limit = self._config.get("maxmemory-clients")
        if isinstance(limit, Percent):
            return int(self._config.get("maxmemory") * limit // 100)
        return int(limit)

    def _look(self) -> None:
        self._looks += 1
        limit = self.limit_bytes()
        if limit and (len(self._engine.clients) <= MANY or self._looks % 10 == 0):
            self._keep_below(limit)

    def _keep_below(self, limit: int) -> None:
        """Close the largest until the others are within the limit."""
        costs = [
            (client.memory, client)
            for client in self._engine.clients.values()
            if self._may_go(client)
        ]
        total = sum(cost for cost, _ in costs)
        if total <= limit:
            return
        costs.sort(key=lambda pair: pair[0], reverse=True)
        for cost, client in costs:
            if total <= limit:
                break
            total -= cost
            self._log.notice(f"Evicting client: {self._clients.describe(client)}")
            extra = self._engine.stats.extra
            extra["evicted_clients"] = extra.get("evicted_clients", 0) + 1
            self._engine.close(client, at_once=True)

    def _may_go(self, client: Client) -> bool:
        return (
            not client.no_evict
            and not client.closed
            and client.kind != "internal"
            and class_of(client) in EVICTABLE
        )
