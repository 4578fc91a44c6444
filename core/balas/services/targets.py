"""Connections to other servers that MIGRATE moves keys to, kept open for a while.

Talking to them is done at once: the server waits, as Redis does, so that nobody sees a key at both
ends or changes it on its way. The timeout of the command is the longest such wait.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import hiredis

from balas.engine.dispatch import Engine

KEPT_MAX = 64
KEPT_MS = 10_000
READ_BYTES = 64 * 1024


class TargetLost(Exception):
    """The connection broke, or time is up; `reading` tells at which half.

    `retry` says that a connection kept from before broke at once: another may do.
    """

    def __init__(self, *, reading: bool, retry: bool) -> None:
        super().__init__("reading" if reading else "writing")
        self.retry = retry


class Target:
    """One connection.

    Attributes:
        database: the one that is selected there, -1 if that is not known.
        fresh: nothing was sent on it before.
        used_ms: when it was used last.
    """

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.database = -1
        self.fresh = True
        self.used_ms = 0
        self._reader = hiredis.Reader()
        self._socket = socket.create_connection((host, port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, commands: Sequence[Sequence[bytes]], timeout_s: float) -> list[Any]:
        """Send commands, and wait for their replies; errors stand among them.

        Raises TargetLost.
        """
        self._socket.settimeout(timeout_s)
        try:
            self._socket.sendall(b"".join(map(as_request, commands)))
        except OSError as error:
            raise self._lost(error, reading=False) from error
        replies: list[Any] = []
        try:
            while len(replies) < len(commands):
                reply = self._reader.gets()
                if reply is not False:
                    replies.append(reply)
                    continue
                data = self._socket.recv(READ_BYTES)
                if not data:
                    raise ConnectionResetError
                self._reader.feed(data)
        except (OSError, hiredis.HiredisError) as error:
            raise self._lost(error, reading=True) from error
        self.fresh = False
        return replies

    def _lost(self, error: Exception, *, reading: bool) -> TargetLost:
        return TargetLost(
            reading=reading, retry=not self.fresh and not isinstance(error, TimeoutError)
        )


def as_request(words: Sequence[bytes]) -> bytes:
    """A command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


class Targets:
    """The connections of one server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[tuple[str, int], Target] = {}
        engine.timers.every(1000, self._close_unused)

    def __len__(self) -> int:
        return len(self._kept)

    def connect(self, host: str, port: int, timeout_s: float) -> Target:
        """A connection, perhaps one that was kept. Raises OSError."""
        target = self._kept.get((host, port))
        if target is None:
            if len(self._kept) >= KEPT_MAX:
                self.drop(*next(iter(self._kept)))
            target = self._kept[host, port] = Target(host, port, timeout_s)
        target.used_ms = self._engine.clock.now_ms
        return target

    def drop(self, host: str, port: int) -> None:
        """Close a connection that is of no more use."""
        target = self._kept.pop((host, port), None)
        if target is not None:
            target.close()

    def close(self) -> None:
        """Close all."""
        for place in list(self._kept):
            self.drop(*place)

    def _close_unused(self) -> None:
        now_ms = self._engine.clock.now_ms
        for place, target in list(self._kept.items()):
            if now_ms - target.used_ms > KEPT_MS:
                self.drop(*place)
