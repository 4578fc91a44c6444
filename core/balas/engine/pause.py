"""CLIENT PAUSE, and the like: for a while, writes or all commands wait."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
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


# The reason of CLIENT PAUSE.
CLIENT = "client"


@dataclass
class Order:
    """A pause that somebody wants: until when (Unix ms; None: until he ends it), and its timer."""

    until_ms: int | None
    writes_only: bool
    timer: Timer | None


class Pause:
    """The pause under way, if any. Who wants one gives his reason, and ends his own.

    Attributes:
        waiting: clients whose request waits for the end, by id.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._orders: dict[str, Order] = {}
        self.waiting: dict[int, Client] = {}
        self._keeping: set[str] = set()

    @property
    def active(self) -> bool:
        """Whether a pause is under way."""
        return bool(self._orders)

    @property
    def writes_only(self) -> bool:
        """Whether the pause leaves reads alone."""
        return all(order.writes_only for order in self._orders.values())

    def start(self, timeout_ms: int | None, writes_only: bool, reason: str = CLIENT) -> None:
        """Pause, or extend the pause that there is for this reason: a later end and the stricter
        mode win. Without a timeout it lasts until it is ended.
        """
        timers, now_ms = self._engine.timers, self._engine.clock.now_ms
        until_ms = None if timeout_ms is None else now_ms + timeout_ms
        old = self._orders.get(reason)
        if old is not None:
            if old.timer is not None:
                old.timer.cancel()
            if until_ms is not None:
                until_ms = None if old.until_ms is None else max(until_ms, old.until_ms)
            writes_only = writes_only and old.writes_only
        timer = None if until_ms is None else timers.at(until_ms, partial(self.end, reason))
        self._orders[reason] = Order(until_ms, writes_only, timer)
        self._engine.set_attention(attention.PAUSED, True)
        # A key that expires is a write: nothing may change while writes are paused.
        self.keep_keys("pause", True)

    def applies(self, client: Client, spec: CommandSpec) -> bool:
        """Whether this client's command has to wait."""
        if client.kind != "normal":
            return False
        return not self.writes_only or bool(carried(client, spec) & WRITING_FLAGS)

    def end(self, reason: str = CLIENT) -> None:
        """The reason is gone; with the last one everybody resumes."""
        order = self._orders.pop(reason, None)
        if order is None:
            return
        if order.timer is not None:
            order.timer.cancel()
        if not self._orders:
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
