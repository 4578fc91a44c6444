"""What the fixtures `balas_clock`, `propagates` and `survives_reload` do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from balas.engine.records import Record
from balas.testing.in_process import InProcessServer


class Clock:
    """The clock of a server in a test: it moves when it is told to."""

    def __init__(self, server: InProcessServer) -> None:
        self._server = server

    @property
    def now_ms(self) -> int:
        """Unix time in ms, as the server sees it."""
        return self._server.clock.now_ms

    def advance(self, ms: int) -> None:
        """Let time pass; whatever falls due on the way happens at its own moment."""
        self._server.advance(ms)


def propagated(server: InProcessServer, argv: Sequence[Any]) -> list[list[bytes]]:
    """What the log and the replicas are told when a client sends this command, in order.

    Raises the command's ReplyError.
    """
    told: list[list[bytes]] = []

    def take(records: list[Record]) -> None:
        told.extend(list(words) for _, words in records)

    server.engine.changes.add_sink(take)
    try:
        with server.client() as client:
            client(*argv)
    finally:
        server.engine.changes.remove_sink(take)
    return told


def check_survival(server: InProcessServer, keys: Sequence[Any]) -> None:
    """Fail unless keys have the same value and expiry time after a snapshot was saved and loaded,
    and after every module that is no part of Balas was reloaded.
    """
    server.server.config.assign("enable-debug-command", "yes", "the test")
    with server.client() as client:
        before = [appearance(client, key) for key in keys]
        missing = [key for key in keys if not client("EXISTS", key)]
        if missing:
            raise AssertionError(f"there are no such keys: {missing}")
        client("DEBUG", "RELOAD")
        compare(keys, before, [appearance(client, key) for key in keys], "a snapshot")
        for loaded in server.server.modules:
            if not loaded.found.as_it_was and loaded.found.path.startswith(loaded.found.target):
                client("MODULE", "RELOAD", loaded.name)
        compare(keys, before, [appearance(client, key) for key in keys], "a reload of modules")


def appearance(client: Any, key: Any) -> tuple[Any, ...]:
    """All that a client can see of a key without knowing its type."""
    return (
        client("TYPE", key),
        client("PEXPIRETIME", key),
        client("DEBUG", "DIGEST-VALUE", key),
    )


def compare(keys: Sequence[Any], before: Sequence[Any], after: Sequence[Any], what: str) -> None:
    """Fail for the first key that differs."""
    for key, old, new in zip(keys, before, after, strict=True):
        if old != new:
            raise AssertionError(f"{key!r} does not survive {what}: {old} became {new}")
