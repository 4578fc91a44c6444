"""MONITOR: clients that are shown every command as it has run.

Commands of administrators are not shown, nor secrets (see `redaction`); what a transaction queues
is shown when it runs. While nobody watches, nothing of this costs anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.registry.flags import ADMIN, SKIP_MONITOR
from balas.registry.spec import CommandSpec
from balas.services.config.grammar import decode, encode, quote
from balas.services.measured import NEVER_NS, Measured
from balas.services.redaction import redacted


class Monitor:
    """The clients of one server that watch."""

    def __init__(self, engine: Engine, measured: Measured) -> None:
        self._engine = engine
        self._measured = measured
        self.clients: dict[Client, None] = {}
        engine.on_disconnect.append(self.leave)
        engine.on_reset.append(self.leave)

    def join(self, client: Client) -> bool:
        """Show everything to this client from now on; False if it watches already."""
        if client in self.clients:
            return False
        self.clients[client] = None
        self._measured.listen(self._ran, 0)
        return True

    def leave(self, client: Client) -> None:
        """Show a client nothing more."""
        if self.clients.pop(client, True) is None and not self.clients:
            self._measured.listen(self._ran, NEVER_NS)

    def _ran(self, client: Client, spec: CommandSpec, argv: list[bytes], duration_ns: int) -> None:
        if not spec.flags & (ADMIN | SKIP_MONITOR):
            self.show(client.db.index, client.address, redacted(spec, argv))

    def show(self, db_index: int, source: str, argv: Sequence[bytes]) -> None:
        """Show one command. `source` is an address, or where else it came from ("lua")."""
        now_us = self._engine.clock.now_us()
        words = " ".join(quote(decode(word)) for word in argv)
        line = f"+{now_us // 1_000_000}.{now_us % 1_000_000:06} [{db_index} {source}] {words}\r\n"
        data = encode(line)
        # A client that is cut off for reading too slowly leaves the dict.
        for client in list(self.clients):
            self._engine.push(client, data)
