"""The slow log: the last commands that took longer than `slowlog-log-slower-than` microseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.registry.flags import SKIP_SLOWLOG
from balas.registry.spec import CommandSpec
from balas.services.config import Config
from balas.services.config.grammar import encode
from balas.services.measured import NEVER_NS, Measured
from balas.services.redaction import redacted

ARGUMENTS_MAX = 32
ARGUMENT_LENGTH_MAX = 128


@dataclass(frozen=True, slots=True)
class Entry:
    """One slow command. `argv` is shortened, `address` and `name` are those of the client."""

    number: int
    at_s: int
    duration_us: int
    argv: tuple[bytes, ...]
    address: bytes
    name: bytes


class SlowLog:
    """The slow commands of one server, the latest first."""

    def __init__(self, engine: Engine, config: Config, measured: Measured) -> None:
        self._engine = engine
        self._measured = measured
        self._next_number = 0
        self._length_max = 0
        self.entries: deque[Entry] = deque()
        config.on_change(("slowlog-log-slower-than", "slowlog-max-len"), self._follow)
        self._follow(config)

    def _follow(self, config: Config) -> None:
        slower_than_us = config.get("slowlog-log-slower-than")
        threshold_ns = slower_than_us * 1000 if slower_than_us >= 0 else NEVER_NS
        self._length_max = config.get("slowlog-max-len")
        self._measured.listen(self._ran, threshold_ns)

    def _ran(self, client: Client, spec: CommandSpec, argv: list[bytes], duration_ns: int) -> None:
        if spec.flags & SKIP_SLOWLOG:
            return
        entry = Entry(
            self._next_number,
            self._engine.clock.now_ms // 1000,
            duration_ns // 1000,
            shortened(redacted(spec, argv)),
            encode(client.address),
            client.name,
        )
        self._next_number += 1
        self.entries.appendleft(entry)
        while len(self.entries) > self._length_max:
            self.entries.pop()


def shortened(argv: Sequence[bytes]) -> tuple[bytes, ...]:
    """At most 32 arguments of at most 128 bytes, each cut saying how much is missing."""
    kept = argv if len(argv) <= ARGUMENTS_MAX else argv[: ARGUMENTS_MAX - 1]
    short = [shortened_argument(argument) for argument in kept]
    if len(kept) < len(argv):
        short.append(b"... (%d more arguments)" % (len(argv) - len(kept)))
    return tuple(short)


def shortened_argument(argument: bytes) -> bytes:
    """The first 128 bytes, and how many more there were."""
    if len(argument) <= ARGUMENT_LENGTH_MAX:
        return argument
    more = len(argument) - ARGUMENT_LENGTH_MAX
    return argument[:ARGUMENT_LENGTH_MAX] + b"... (%d more bytes)" % more
