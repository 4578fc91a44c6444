"""CLIENT PAUSE: for a while, writes or all commands wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balas.engine import attention
from balas.engine.client import Client, Suspended
from balas.engine.gates import carried
from balas.engine.timers import Timer
from balas.registry import flags
from balas.registry.spec import CommandSpec

if TYPE_CHECKING:
    from balas.engine.dispatch import Engine

# In writes-only mode these wait too, because they can carry writes or, as a message, go to
# replicas.
WRITING_FLAGS = flags.WRITE | flags.MAY_REPLICATE


class Pause:
    """The pause under way, if any.

    Attributes:
        waiting: clients whose request waits for the end, by id.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._timer: Timer | None = None
        self._writes_only = False
        self.until_ms = 0
        self.waiting: dict[int, Client] = {}
        self._keeping: set[str] = set()

    @property
    def active(self) -> bool:
        """Whether a pause is under way."""
        return self._timer is not None

    @property
    def writes_only(self) -> bool:
        """Whether the pause leaves reads alone."""
        return self._writes_only

    def start(self, timeout_ms: int, writes_only: bool) -> None:
        """Pause, or extend the pause: a later end and the stricter mode win."""
        until_ms = self._engine.clock.now_ms + timeout_ms
        if self._timer is not None:
            until_ms = max(until_ms, self.until_ms)
            writes_only = writes_only and self._writes_only
            self._timer.cancel()
        self.until_ms = until_ms
        self._writes_only = writes_only
        self._timer = self._engine.timers.at(until_ms, self.end)
        self._engine.set_attention(attention.PAUSED, True)
        # A key that expires is a write: nothing may change while writes are paused.
        self.keep_keys("pause", True)

    def applies(self, client: Client, spec: CommandSpec) -> bool:
        """Whether this client's command has to wait."""
        if client.kind != "normal":
            return False
        return not self._writes_only or bool(carried(client, spec) & WRITING_FLAGS)

    def end(self) -> None:
        """Resume everybody."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self._engine.set_attention(attention.PAUSED, False)
        self.keep_keys("pause", False)
        waiting, self.waiting = self.waiting, {}
        for client in waiting.values():
            self._engine.resume(client, Suspended.PAUSED)

    def keep_keys(self, reason: str, on: bool) -> None:
        """Have no key's time come for this reason, or not any more for it."""
        if on:
            self._keeping.add(reason)
        else:
            self._keeping.discard(reason)
        self._engine.changes.expires_keys = not self._keeping
