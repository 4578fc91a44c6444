"""Clients that wait for keys: in the order they came, until a key changes, time is up, or somebody
ends it.

A command that has to wait has changed nothing. When one of its keys changes, it is run again from
the start, as if the client had sent it now; if it still has nothing to take it waits on, in its old
place. So a blocking command is written once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from balas.engine.client import Client, Suspended
from balas.engine.timers import Timer
from balas.errors import ReplyError
from balas.protocol.replies import Reply, Sentinel
from balas.registry.spec import CommandSpec
from balas.types.value import Value

if TYPE_CHECKING:
    from balas.engine.context import Context
    from balas.engine.dispatch import Engine

# What a handler returns while its client waits; dispatch writes nothing for it.
WAITING = Sentinel("WAITING")


@dataclass(eq=False, slots=True)
class Blocked:
    """What a client waits for, and how to run its command again.

    With a `kind`, a change that leaves a value of another type, or none, does not wake it.
    `argv` is the request, unless the command has put another in its place, as XREAD does for `$`.
    """

    client: Client
    places: tuple[tuple[int, bytes], ...]
    on_timeout: Reply
    since_ms: int
    kind: type[Value] | None = None
    timer: Timer | None = None
    spec: CommandSpec | None = None
    argv: list[bytes] = field(default_factory=list)


class Blocking:
    """All waiting clients of a server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting = engine.changes.waiting
        self.clients: dict[int, Client] = {}

    @property
    def keys(self) -> int:
        """How many keys are waited for."""
        return len(self._waiting)

    def wait(
        self,
        ctx: Context,
        keys: tuple[bytes, ...],
        timeout_ms: int,
        on_timeout: Reply,
        kind: type[Value] | None = None,
    ) -> Reply:
        """Let the client of `ctx` wait; see `Context.block`."""
        client = ctx.client
        if client.blocked is not None:
            return WAITING  # run again, and still nothing to take
        places = tuple(dict.fromkeys((ctx.db.index, key) for key in keys))
        blocked = Blocked(client, places, on_timeout, ctx.now_ms, kind)
        if timeout_ms:
            end_ms = ctx.now_ms + timeout_ms
            blocked.timer = self._engine.timers.at(end_ms, lambda: self.time_up(client))
        client.blocked = blocked
        client.suspend(Suspended.BLOCKED)
        self.clients[client.id] = client
        for place in places:
            self._waiting.setdefault(place, {})[client] = None
        self._engine.changes.observe()
        return WAITING

    def forget(self, client: Client) -> Blocked | None:
        """Take a client out of all queues, without a reply; None if it did not wait."""
        blocked: Blocked | None = client.blocked
        if blocked is None:
            return None
        client.blocked = None
        del self.clients[client.id]
        if blocked.timer is not None:
            blocked.timer.cancel()
        for place in blocked.places:
            queue = self._waiting[place]
            del queue[client]
            if not queue:
                del self._waiting[place]
        self._engine.changes.observe()
        return blocked

    def time_up(self, client: Client) -> None:
        """End the waiting with the command's reply for a timeout."""
        blocked = self.forget(client)
        if blocked is not None:
            self._engine.finish_waiting(client, blocked.on_timeout)

    def unblock_with_error(self, client: Client, text: str) -> None:
        """End the waiting with an error (CLIENT UNBLOCK ERROR, a change of role)."""
        if self.forget(client) is not None:
            self._engine.finish_waiting(client, ReplyError(text))

    def serve_ready(self) -> None:
        """Run the commands of clients whose keys changed, in the order they came, until no key is
        ready.
        """
        ready = self._engine.changes.ready
        while ready:
            places = list(ready)
            ready.clear()
            for place in places:
                for client in list(self._waiting.get(place, ())):
                    blocked = client.blocked
                    waits_here = blocked is not None and place in blocked.places
                    if waits_here and self._is_awaited(blocked.kind, place):
                        self._engine.run_again(client, blocked)

    def _is_awaited(self, kind: type[Value] | None, place: tuple[int, bytes]) -> bool:
        """Whether what is at the place now is of the type that is waited for."""
        if kind is None:
            return True
        index, key = place
        return isinstance(self._engine.databases[index].get(key), kind)
