"""The latency monitor: remembers when something took longer than `latency-monitor-threshold`.

Whoever does work on the event loop reports how long it took, under the name of an event
("command", "fast-command", "expire-cycle", "eviction-cycle", "fork", ...). Of each event the last
160 spikes are kept, one for a second.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.registry.flags import FAST
from balas.registry.spec import CommandSpec
from balas.services.config import Config
from balas.services.measured import NEVER_NS, Measured

HISTORY_MAX = 160


@dataclass(slots=True)
class Event:
    """The spikes of one event: pairs of Unix time in seconds and the longest ms of that second."""

    longest_ms: int = 0
    total_ms: int = 0
    count: int = 0
    history: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))

    def add(self, second: int, duration_ms: int) -> None:
        """Remember one spike."""
        self.longest_ms = max(self.longest_ms, duration_ms)
        self.total_ms += duration_ms
        self.count += 1
        if self.history and self.history[-1][0] == second:
            if self.history[-1][1] < duration_ms:
                self.history[-1] = (second, duration_ms)
        else:
            self.history.append((second, duration_ms))


class Latency:
    """The spikes of one server, by event."""

    def __init__(self, engine: Engine, config: Config, measured: Measured) -> None:
        self._clock = engine.clock
        self._measured = measured
        self.threshold_ms = 0
        self.events: dict[str, Event] = {}
        config.on_change("latency-monitor-threshold", self._follow)
        self._follow(config)

    def _follow(self, config: Config) -> None:
        self.threshold_ms = config.get("latency-monitor-threshold")
        threshold_ns = self.threshold_ms * 1_000_000 if self.threshold_ms else NEVER_NS
        self._measured.listen(self._ran, threshold_ns)

    def _ran(self, client: Client, spec: CommandSpec, argv: list[bytes], duration_ns: int) -> None:
        self.add("fast-command" if spec.flags & FAST else "command", duration_ns)

    def add(self, event: str, duration_ns: int) -> None:
        """Report that something took this long; kept if it is a spike."""
        duration_ms = duration_ns // 1_000_000
        if self.threshold_ms and duration_ms >= self.threshold_ms:
            found = self.events.setdefault(event, Event())
            found.add(self._clock.now_ms // 1000, duration_ms)

    def reset(self, names: tuple[str, ...]) -> int:
        """Forget these events, or all; returns how many were known."""
        forgotten = [name for name in names or tuple(self.events) if name in self.events]
        for name in forgotten:
            del self.events[name]
        return len(forgotten)
