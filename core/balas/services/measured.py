"""Who hears of commands that have run: the slow log, the latency monitor, and MONITOR.

The engine compares every command's duration with one number (`engine.slow_ns`) and calls
`engine.on_slow` for what reaches it. Here stands what that number is made of: each listener has a
threshold of its own, and as long as there is none a command pays for one comparison.
"""

from __future__ import annotations

from collections.abc import Callable

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.registry.spec import CommandSpec

# Called with the client, the command, all its words, and how long it took in ns. It must not raise.
Listener = Callable[[Client, CommandSpec, list[bytes], int], None]

NEVER_NS = 2**63 - 1


class Measured:
    """The listeners of one server and their thresholds in ns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thresholds: dict[Listener, int] = {}
        engine.on_slow = self._tell

    def listen(self, listener: Listener, threshold_ns: int) -> None:
        """Have `listener` called for commands that take as long; NEVER_NS: for none."""
        self._thresholds[listener] = threshold_ns
        self._engine.slow_ns = min(self._thresholds.values())

    def _tell(self, client: Client, spec: CommandSpec, argv: list[bytes], duration_ns: int) -> None:
        for listener, threshold_ns in self._thresholds.items():
            if duration_ns >= threshold_ns:
                listener(client, spec, argv, duration_ns)
