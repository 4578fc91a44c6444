"""What a command does beside replying, observed on both servers: events, records, counters.

An `Observer` sends a command and tells its `Consequences`: the reply, the events that keyspace
notifications would carry, the records for the log, and by how much the counters of INFO moved.
The real server shows them through a subscription, its append-only file and INFO. Both run with
every class of event on, and delete expired keys only when somebody looks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import hiredis

from balas.services.cycles import Cycles
from balas.testing.clients import Client
from balas.testing.real_server import RealRedis
from balas.testing.transcript import Comparison
from balas.testing.wire import Typed, show

if TYPE_CHECKING:
    from balas.testing.in_process import InProcessServer

EVENTS = "__keyevent@"
ALL_EVENTS = "KEAnmoc"
# Two clocks cannot be read at one moment. Lesser numbers are no moments.
TOLERANCE_MS = 2000
LONG_AGO_MS = 1_000_000_000_000
# How long a command may block.
BLOCKED_MS_MAX = 1000

Event = tuple[int, bytes, str]
Record = tuple[int, tuple[bytes, ...]]
EXACT = Comparison()


@dataclass(frozen=True, slots=True)
class Consequences:
    """All that one command has done.

    Events are (database, key, event), records (database, argv). `counters` holds what keyspace
    hits, misses, expired keys and changes since the last save have risen by.
    """

    reply: Typed
    events: tuple[Event, ...] = ()
    records: tuple[Record, ...] = ()
    counters: tuple[tuple[str, int], ...] = ()

    def same_as(
        self, other: Consequences, comparison: Comparison = EXACT, *, in_order: bool = True
    ) -> bool:
        """Whether two servers did the same; `comparison` is for the reply, `in_order` says whether
        the order of what they did counts.
        """
        if not in_order:
            return self._sorted().same_as(other._sorted(), comparison)
        return (
            comparison.same(self.reply, other.reply)
            and self.events == other.events
            and self.counters == other.counters
            and len(self.records) == len(other.records)
            and all(map(same_record, self.records, other.records))
        )

    def _sorted(self) -> Consequences:
        events, records = tuple(sorted(self.events)), tuple(sorted(self.records))
        return replace(self, events=events, records=records)

    def __str__(self) -> str:
        lines = [show(self.reply)]
        lines += [f"event   {db} {event} {key!r}" for db, key, event in self.events]
        lines += [f"record  {db} {b' '.join(argv)!r}" for db, argv in self.records]
        lines += [f"{name} +{rise}" for name, rise in self.counters if rise]
        return "\n        ".join(lines)


def same_record(one: Record, other: Record) -> bool:
    """Whether two records say the same, the moment of them and the case of the name aside."""
    (db, (name, *words)), (other_db, (other_name, *others)) = one, other
    same_place = db == other_db and name.upper() == other_name.upper()
    return same_place and len(words) == len(others) and all(map(same_word, words, others))


def same_word(one: bytes, other: bytes) -> bool:
    """Whether two words are equal, or moments in ms that two clocks have read."""
    if one == other or not (one.isdigit() and other.isdigit()):
        return one == other
    return int(one) > LONG_AGO_MS and abs(int(one) - int(other)) <= TOLERANCE_MS


class Observer(Protocol):
    """One server that tells what commands do."""

    def __call__(self, *argv: Any, client: int = 0) -> Consequences:
        """Send a command through one of the clients, and tell what came of it."""

    def sleep_ms(self, duration_ms: int) -> None:
        """Let time pass."""


class BalasObserver:
    """Observes a server inside the test, on the clock of the world."""

    def __init__(self, server: InProcessServer, resp: int = 2, clients: int = 1) -> None:
        self._server = server
        self._clients = [server.client(typed=True, resp=resp) for _ in range(clients)]
        self._admin = server.client()
        self._events: list[Event] = []
        self._records: list[Record] = []
        self._changes = server.engine.changes
        self._changes.add_listener(self._listen)
        self._changes.add_sink(self._record)
        self._changes.tells_misses = self._changes.tells_stores = True
        server.engine.services[Cycles].expires_actively = False

    def __call__(self, *argv: Any, client: int = 0) -> Consequences:
        """Send a command through one of the clients, and tell what came of it."""
        self.keep_time()
        self._events.clear()
        self._records.clear()
        before = self._counters()
        self._clients[client].send(*argv)
        reply = self._read(self._clients[client])
        rises = {name: value - before[name] for name, value in self._counters().items()}
        return Consequences(reply, tuple(self._events), tuple(self._records), tuple(rises.items()))

    def configure(self, name: bytes, value: bytes) -> None:
        """CONFIG SET, unobserved; the server is thrown away afterwards."""
        self._admin("CONFIG", "SET", name, value)

    def keep_time(self) -> None:
        """Move the server's clock on to the world's."""
        late_ms = time.time() * 1000 - self._server.clock.now_ms
        if late_ms > 0:
            self._server.advance(late_ms)

    def _read(self, client: Client) -> Typed:
        for _ in range(BLOCKED_MS_MAX):
            try:
                reply: Typed = client.read()
            except TimeoutError:
                self._server.advance(1)
            else:
                return reply
        raise AssertionError("the command blocks")

    def sleep_ms(self, duration_ms: int) -> None:
        """Time passes by itself."""

    def close(self) -> None:
        """Observe no more, and hang up."""
        self._changes.remove_listener(self._listen)
        self._changes.remove_sink(self._record)
        for client in (*self._clients, self._admin):
            client.close()

    def _listen(self, changes: list[Event]) -> None:
        # Modules report changes that are no events by a name that is empty.
        self._events += [change for change in changes if change[2]]

    def _record(self, records: list[Record]) -> None:
        self._records += records

    def _counters(self) -> dict[str, int]:
        stats = self._server.engine.stats
        return {
            "hits": stats.hits,
            "misses": stats.misses,
            "expired": stats.expired_keys,
            "dirty": self._changes.dirty,
        }


class RealObserver:
    """Observes a real server that runs with an append-only file (`OPTIONS`)."""

    OPTIONS: ClassVar = {"appendonly": "yes", "appendfsync": "no", "aof-use-rdb-preamble": "yes"}

    def __init__(self, server: RealRedis, resp: int = 2, clients: int = 1) -> None:
        self._server = server
        self._clients = [server.client(typed=True, resp=resp) for _ in range(clients)]
        self._admin = server.client()
        self._admin("CONFIG", "SET", "notify-keyspace-events", ALL_EVENTS)
        self._admin("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        self._subscription = server.client()
        self._subscription("PSUBSCRIBE", EVENTS + "*")
        self._log = AppendOnlyFile(server.directory / "appendonlydir")
        self._saved_config: dict[bytes, bytes] = {}

    def __call__(self, *argv: Any, client: int = 0) -> Consequences:
        """Send a command through one of the clients, and tell what came of it."""
        self._log.read()
        before = self._counters()
        self._clients[client].send(*argv)
        reply = self._clients[client].read()
        rises = {name: value - before[name] for name, value in self._counters().items()}
        return Consequences(
            reply, tuple(self._events()), tuple(self._log.read()), tuple(rises.items())
        )

    def sleep_ms(self, duration_ms: int) -> None:
        """Let time pass."""
        time.sleep(duration_ms / 1000)

    def configure(self, name: bytes, value: bytes) -> None:
        """CONFIG SET, unobserved and until `close`."""
        self._saved_config.setdefault(name, self._admin("CONFIG", "GET", name)[1])
        self._admin("CONFIG", "SET", name, value)

    def close(self) -> None:
        """Put the configuration back and hang up."""
        for name, value in self._saved_config.items():
            self._admin("CONFIG", "SET", name, value)
        for client in (*self._clients, self._admin, self._subscription):
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _counters(self) -> dict[str, int]:
        info = self._admin("INFO", "stats", "persistence")
        numbers = dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
        return {
            "hits": int(numbers[b"keyspace_hits"]),
            "misses": int(numbers[b"keyspace_misses"]),
            "expired": int(numbers[b"expired_keys"]),
            "dirty": int(numbers[b"rdb_changes_since_last_save"]),
        }

    def _events(self) -> Iterator[Event]:
        # Messages stand in the subscriber's output before the answer to what it asks now.
        self._subscription.send("PING", "end")
        while (message := self._subscription.read())[0] == b"pmessage":
            channel = message[2].decode()
            database, _, event = channel.removeprefix(EVENTS).partition("__:")
            yield int(database), message[3], event


class AppendOnlyFile:
    """Follows the commands that a real server appends to its log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._offset = 0
        self._database = 0

    def read(self) -> list[Record]:
        """The records that came since the last call, without SELECT, MULTI and EXEC."""
        (path,) = self._folder.glob("*.incr.aof")
        if path != self._path:
            self._path, self._offset, self._database = path, 0, 0
        with path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        reader = hiredis.Reader()
        reader.feed(data)
        found = []
        while (argv := reader.gets()) is not False:
            if argv[0].upper() == b"SELECT":
                self._database = int(argv[1])
            elif argv[0].upper() not in (b"MULTI", b"EXEC"):
                found.append((self._database, tuple(argv)))
        return found
