"""How long the server makes one client wait while millions of keys come and go.

One client sends a small batch, waits for its replies, and sends the next: the longest round trip is
the longest pause of the event loop, plus the work of one batch. (A separate prober would compete
with the load for a core and measure the scheduler.) What either process spent waiting for a core is
taken off again: the kernel counts it in /proc/PID/schedstat.
"""

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from balas.testing import Client, ServerProcess
from bench.contenders import Contender, Cores, commands_in_bulk, fill, info
from bench.datasets import request

BATCH = 50
LONG_MS = 5.0


@dataclass(frozen=True)
class Pauses:
    """Round trips in milliseconds: the longest, the 99.9th percentile, and how many were long."""

    longest_ms: float
    p999_ms: float
    long_count: int
    trips: int


class Stopwatch:
    """Times round trips, less the time the two processes waited for a core."""

    def __init__(self, server_pid: int) -> None:
        self._files = [
            os.open(f"/proc/{pid}/schedstat", os.O_RDONLY) for pid in (server_pid, os.getpid())
        ]
        self.trips_ms: list[float] = []

    def close(self) -> None:
        for file in self._files:
            os.close(file)

    @contextmanager
    def trip(self) -> Iterator[None]:
        """Time the body as one round trip."""
        waited_ns, began_ns = self._waited_ns(), time.perf_counter_ns()
        yield
        took_ns = time.perf_counter_ns() - began_ns
        self.trips_ms.append(max(took_ns - (self._waited_ns() - waited_ns), 0) / 1e6)

    def result(self) -> Pauses:
        """What the trips amount to."""
        ordered = sorted(self.trips_ms)
        long_count = sum(trip > LONG_MS for trip in ordered)
        return Pauses(ordered[-1], ordered[int(len(ordered) * 0.999)], long_count, len(ordered))

    def _waited_ns(self) -> int:
        return sum(int(os.pread(file, 100, 0).split()[1]) for file in self._files)


def measure(
    contenders: Sequence[Contender], cores: Cores, inserted: int, expiring: int
) -> dict[str, dict[str, Pauses]]:
    """By situation and contender."""
    indexed, connecting = expiring // 5, expiring // 100
    situations: dict[str, Callable[[ServerProcess, Client], Pauses]] = {
        f"{inserted:,} keys are inserted": lambda server, client: inserting(
            server, client, inserted
        ),
        f"{expiring:,} keys expire at once": lambda server, client: expiry(
            server, client, expiring
        ),
        f"{connecting:,} clients connect and hang up": lambda server, client: crowd(
            server, client, connecting
        ),
        "nothing happens (the noise of this machine)": idle,
    }
    # What a real Redis without modules has not.
    modular: dict[str, Callable[[ServerProcess, Client], Pauses]] = {
        f"an index of {indexed:,} hashes is made, and dropped": lambda server, client: indexing(
            server, client, indexed
        ),
    }
    found: dict[str, dict[str, Pauses]] = {}
    gc.disable()
    try:
        for situation, run in (situations | modular).items():
            found[situation] = {}
            for one in contenders:
                if situation in modular and one.name != "Balas":
                    continue
                print(f"  {one.name}: {situation}", flush=True)
                with one.running(cores) as server, server.client(timeout_s=120) as client:
                    found[situation][one.name] = run(server, client)
    finally:
        gc.enable()
    return found


def inserting(server: ServerProcess, client: Client, count: int) -> Pauses:
    """Insert keys in small batches."""

    def encode_one(number: int) -> bytes:
        return b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$1\r\nx\r\n" % number

    watch = Stopwatch(server.pid)
    for data, requests in commands_in_bulk(count, encode_one, BATCH):
        with watch.trip():
            client.send_raw(data)
            receive(client, 5 * requests)
    watch.close()
    return watch.result()


def expiry(server: ServerProcess, client: Client, count: int) -> Pauses:
    """Let keys expire all in the same millisecond, and ask PING until they are gone."""
    fill(client, count)
    deadline_ms = int(time.time() * 1000) + 10_000 + count // 50
    for data, requests in commands_in_bulk(
        count, lambda n: b"PEXPIREAT key:%012d %d\r\n" % (n, deadline_ms), 5000
    ):
        client.send_raw(data)
        receive(client, 4 * requests)
    time.sleep(max(0.0, deadline_ms / 1000 - time.time() - 0.5))
    watch = Stopwatch(server.pid)
    end_s = time.monotonic() + 60
    while info(client, "keyspace") and time.monotonic() < end_s:
        ping(watch, client, 2000)
    watch.close()
    if client("DBSIZE"):
        raise RuntimeError(f"{server.command[0]}: keys were left a minute after their time")
    return watch.result()


def crowd(server: ServerProcess, client: Client, count: int) -> Pauses:
    """Let clients come, be served, and go again a hundred at a time, and ask PING between them."""
    client("CONFIG", "SET", "maxclients", count + 1000)
    watch = Stopwatch(server.pid)
    others: list[Client] = []
    for _ in range(count):
        others.append(server.client())
        others[-1].send_raw(b"PING\r\n")
        ping(watch, client, 5)
    while others:
        for other in others[-100:]:
            other.close()
        del others[-100:]
        ping(watch, client, 500)
    watch.close()
    return watch.result()


def indexing(server: ServerProcess, client: Client, count: int) -> Pauses:
    """Make an index of hashes that are there, and drop it; ask PING until all is done."""

    def document(number: int) -> bytes:
        text = b"some words number %d word%d" % (number, number % 1000)
        return request(b"HSET", b"doc:%d" % number, b"text", text, b"number", b"%d" % number)

    for data, requests in commands_in_bulk(count, document, 1000):
        client.send_raw(data)
        receive(client, 4 * requests)
    watch = Stopwatch(server.pid)
    with watch.trip():
        client("FT.CREATE", "index", "SCHEMA", "text", "TEXT", "number", "NUMERIC")
    end_s = time.monotonic() + 300
    while is_indexing(client) and time.monotonic() < end_s:
        ping(watch, client, 2000)
    with watch.trip():
        client("FT.DROPINDEX", "index")
    ping(watch, client, 20_000)
    watch.close()
    return watch.result()


def is_indexing(client: Client) -> bool:
    """Whether the index is still being made."""
    found = client("FT.INFO", "index")
    return found[found.index(b"indexing") + 1] not in (0, b"0")


def idle(server: ServerProcess, client: Client) -> Pauses:
    """Ask PING of a server that has nothing else to do."""
    watch = Stopwatch(server.pid)
    ping(watch, client, 50_000)
    watch.close()
    return watch.result()


def ping(watch: Stopwatch, client: Client, times: int) -> None:
    """Ask PING so many times, each a round trip."""
    for _ in range(times):
        with watch.trip():
            client.send_raw(b"PING\r\n")
            receive(client, 7)


def receive(client: Client, length: int) -> None:
    """Take in `length` bytes of replies, unread."""
    while length > 0:
        length -= len(client.transport.receive(60))
    if length:
        raise RuntimeError("the replies are longer than they should be")
