"""What keeps the event loop of a Balas busy for how long: its longest turn for each cause.

The measure is CPU time of the server's thread between two turns of its event loop, during which
nobody is served. What else runs on the machine does not count, unless it takes the whole machine:
what finds a long turn is tried again, and the least of the findings counts.

python -m bench.causes --scale 0.1 --only UNLINK,fork
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from balas.testing import Client
from bench.contenders import OPTIONS, Cores, info
from bench.contenders import fill as fill_with_keys
from bench.datasets import request
from bench.freeing import (
    LAZY,
    MODULE_VALUES,
    VALUES,
    WAYS,
    Big,
    fill,
    is_freed,
    name,
)
from bench.report import table
from bench.watched import Turn, WatchedBalas

LONG_MS = 2.0
TRIES = 3
# After what was to happen has happened, what follows from it is waited for.
AFTERMATH_S = 0.5
# INFO, by which it is asked whether all is done, finds all caches cold and takes most of a
# millisecond: it is not to fall into many turns.
PAUSE_S = 0.5

Act = Callable[[WatchedBalas, Client], None]


@dataclass(frozen=True)
class Cause:
    """Something that takes a server's time: what is done before, and what is measured."""

    what: str
    prepare: Act
    act: Act
    options: dict[str, str] = field(default_factory=dict)


# --- big values that go ---------------------------------------------------------------------------


def samples_of(numbers: range) -> bytes:
    words = (word for n in numbers for word in (b"big", b"%d" % (n + 1), b"%d.25" % (n % 1000)))
    return request(b"TS.MADD", *words)


def suggestions_of(numbers: range) -> bytes:
    return b"".join(request(b"FT.SUGADD", b"big", name(n), b"1") for n in numbers)


def edges_of(numbers: range) -> bytes:
    text = b"UNWIND range(%d, %d) AS x CREATE (:N {v: x})-[:R]->(:M)"
    return request(b"GRAPH.QUERY", b"big", text % (numbers[0], numbers[-1]))


def timed_hash_of(numbers: range) -> bytes:
    names = [name(n) for n in numbers]
    pairs = (word for one in names for word in (one, b"value"))
    later = request(
        *(b"HPEXPIREAT", b"big", b"4000000000000", b"FIELDS", b"%d" % len(names)), *names
    )
    return request(b"HSET", b"big", *pairs) + later


MORE_VALUES = (
    Big("hash whose fields expire", timed_hash_of, 3 * 10**6),
    Big("time series", samples_of, 10**7, (request(b"TS.CREATE", b"big"),)),
    Big("suggestions", suggestions_of, 300_000),
    Big("graph", edges_of, 10**6),
)


def removal(big: Big, way: str, scale: float) -> Cause:
    items = int(big.items * scale)

    def prepare(server: WatchedBalas, client: Client) -> None:
        for option in LAZY:
            client("CONFIG", "SET", option, "yes")
        fill(client, big, items)
        for command in WAYS[way][:-1]:
            client(*command)

    def act(server: WatchedBalas, client: Client) -> None:
        client(*WAYS[way][-1])
        wait_until(client, lambda: is_freed(client))

    size = f" of {items:,} items" if items else ""
    return Cause(f"{way}: {big.what}{size}", prepare, act)


# --- keys -----------------------------------------------------------------------------------------


def keys(count: int) -> Act:
    return lambda server, client: fill_with_keys(client, count)


def insert(count: int) -> Act:
    """Insert keys, few at a time: the table grows meanwhile."""

    def act(server: WatchedBalas, client: Client) -> None:
        send(client, (request(b"SET", name(n), b"x") for n in range(count)), 20)

    return act


def grow(command: bytes, count: int) -> Act:
    """Add to one value, few members at a time."""

    def one(number: int) -> bytes:
        words = (b"1", name(number)) if command == b"ZADD" else (name(number),)
        return request(command, b"big", *words, *((b"v",) if command == b"HSET" else ()))

    return lambda server, client: send(client, map(one, range(count)), 20)


def expire(count: int) -> Act:
    def act(server: WatchedBalas, client: Client) -> None:
        wait_until(client, lambda: client("DBSIZE") == 0, 60.0)

    return act


def expiring_keys(count: int) -> Act:
    def prepare(server: WatchedBalas, client: Client) -> None:
        at_ms = int(time.time() * 1000) + 3000 + count // 30
        words = (request(b"SET", name(n), b"x", b"PXAT", b"%d" % at_ms) for n in range(count))
        send(client, words, 1000)

    return prepare


def evict(server: WatchedBalas, client: Client) -> None:
    """Halve the memory there may be, and write until it is kept to."""
    limit = int(info(client, "memory")["used_memory"]) // 2
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    client("CONFIG", "SET", "maxmemory", limit)
    for start in range(0, 10**9, 10_000):
        words = (request(b"SET", b"new:%012d" % (start + n), b"x" * 32) for n in range(10_000))
        send(client, words, 50)
        if int(info(client, "memory")["used_memory"]) <= limit * 1.01:
            return


def small_among_big(count: int) -> Act:
    """Many small keys, and some sets of ten thousand members."""

    def prepare(server: WatchedBalas, client: Client) -> None:
        client("CONFIG", "SET", "lazyfree-lazy-eviction", "yes")
        fill_with_keys(client, count)
        for number in range(count // 5000):
            members = map(name, range(10_000))
            client("SADD", b"set:%d" % number, *members)

    return prepare


def flush(server: WatchedBalas, client: Client) -> None:
    client("FLUSHALL", "ASYNC")
    wait_until(client, lambda: is_freed(client))


# --- snapshots and the log ------------------------------------------------------------------------


def snapshot(server: WatchedBalas, client: Client) -> None:
    client("BGSAVE")
    wait_until(client, lambda: info(client, "persistence")["rdb_bgsave_in_progress"] == "0", 60.0)


def rewrite(server: WatchedBalas, client: Client) -> None:
    client("BGREWRITEAOF")

    def is_over() -> bool:
        state = info(client, "persistence")
        return state["aof_rewrite_in_progress"] == state["aof_rewrite_scheduled"] == "0"

    wait_until(client, is_over, 60.0)


def saved_keys(count: int) -> Act:
    def prepare(server: WatchedBalas, client: Client) -> None:
        fill_with_keys(client, count)
        client("SAVE")

    return prepare


def restart(server: WatchedBalas, client: Client) -> None:
    """Start again, and be asked while the data are loaded."""
    server.kill()
    server.start()
    with server.client(timeout_s=60) as other:
        wait_until(other, lambda: info(other, "persistence")["loading"] == "0", 120.0)


# --- clients, scripts, indexes --------------------------------------------------------------------


def unread(count: int) -> Act:
    """Clients that ask for much and read nothing."""

    def prepare(server: WatchedBalas, client: Client) -> None:
        client("SET", "long", b"x" * 10_000)
        client("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
        others = [server.client() for _ in range(count)]
        for other in others:
            other.send_raw(request(b"SUBSCRIBE", b"news"))
        for _ in range(2000):
            client("PUBLISH", "news", b"x" * 10_000)

    return prepare


def kill_readers(server: WatchedBalas, client: Client) -> None:
    client("CLIENT", "KILL", "TYPE", "pubsub")


def scripts(count: int) -> Act:
    def prepare(server: WatchedBalas, client: Client) -> None:
        for number in range(count):
            client("SCRIPT", "LOAD", f"local a = {{{number}}} return a[1] + {number}")

    return prepare


def forget_scripts(server: WatchedBalas, client: Client) -> None:
    client("SCRIPT", "FLUSH", "ASYNC")


def indexed(count: int) -> Act:
    def one(number: int) -> bytes:
        text = b"some words number %d word%d" % (number, number % 1000)
        return request(
            *(b"HSET", b"doc:%d" % number, b"text", text),
            *(b"number", b"%d" % number, b"tag", b"t%d" % (number % 50)),
        )

    def prepare(server: WatchedBalas, client: Client) -> None:
        fields = ("text", "TEXT", "number", "NUMERIC", "tag", "TAG")
        client("FT.CREATE", "index", "PREFIX", "1", "doc:", "SCHEMA", *fields)
        send(client, map(one, range(count)), 500)

    return prepare


def drop_index(server: WatchedBalas, client: Client) -> None:
    client("FT.DROPINDEX", "index", "DD")
    wait_until(client, lambda: client("DBSIZE") == 0, 30.0)


# --- all of them ----------------------------------------------------------------------------------


def causes(scale: float) -> list[Cause]:
    """Everything that is measured, its sizes multiplied by `scale`."""

    def size(count: int) -> int:
        return max(int(count * scale), 1)

    lazily = [removal(big, "UNLINK", scale) for big in (*VALUES, *MODULE_VALUES, *MORE_VALUES)]
    lazily += [removal(VALUES[0], way, scale) for way in WAYS if way != "UNLINK"]
    logged = {"appendonly": "yes"}
    million, ten_million = size(10**6), size(10**7)
    return [
        Cause("nothing", keys(1), lambda server, client: time.sleep(2)),
        *lazily,
        Cause(f"FLUSHALL ASYNC of {ten_million:,} keys", keys(ten_million), flush),
        Cause(f"{ten_million:,} keys are inserted", keys(1), insert(ten_million)),
        *(
            Cause(f"{ten_million:,} times {command.decode()}", keys(1), grow(command, ten_million))
            for command in (b"SADD", b"HSET", b"ZADD")
        ),
        Cause(f"{million:,} keys expire at once", expiring_keys(million), expire(million)),
        Cause(f"half of {million:,} keys are evicted", keys(million), evict),
        Cause("the same with big sets among them", small_among_big(million), evict),
        Cause(f"BGSAVE of {ten_million:,} keys", keys(ten_million), snapshot),
        Cause(f"BGREWRITEAOF of {million:,} keys", keys(million), rewrite, logged),
        Cause(f"start with {million:,} keys", saved_keys(million), restart, {"bare": "yes"}),
        Cause("clients who read nothing are killed", unread(20), kill_readers),
        Cause(f"SCRIPT FLUSH ASYNC of {size(5000):,}", scripts(size(5000)), forget_scripts),
        Cause(f"FT.DROPINDEX DD of {size(200_000):,}", indexed(size(200_000)), drop_index),
    ]


def send(client: Client, requests: Iterable[bytes], at_once: int) -> None:
    """Send requests so many at a time, and take in their replies."""
    batch: list[bytes] = []
    for one in requests:
        batch.append(one)
        if len(batch) == at_once:
            _round_trip(client, batch)
    if batch:
        _round_trip(client, batch)


def _round_trip(client: Client, batch: list[bytes]) -> None:
    client.send_raw(b"".join(batch))
    for _ in batch:
        reply = client.read()
        if isinstance(reply, Exception):
            raise reply
    batch.clear()


def wait_until(client: Client, is_over: Callable[[], bool], most_s: float = 60.0) -> None:
    """Ask now and then until it is over; RuntimeError if that takes too long."""
    end_s = time.monotonic() + most_s
    while not is_over():
        if time.monotonic() > end_s:
            raise RuntimeError("it does not end")
        time.sleep(PAUSE_S)


def longest_turns(cause: Cause, cores: Cores) -> list[Turn]:
    """The long turns of the event loop while the cause was at work."""
    with (
        WatchedBalas(
            {**OPTIONS, **cause.options},
            turns=True,
            pin_to_core=cores.server,
            startup_timeout_s=60,
        ) as server,
        server.client(timeout_s=300) as client,
    ):
        cause.prepare(server, client)
        time.sleep(AFTERMATH_S)
        before = len(server.turns())
        cause.act(server, client)
        time.sleep(AFTERMATH_S)
        return server.turns()[before:]


def least_of_tries(cause: Cause, cores: Cores) -> list[Turn]:
    """The same, of the try in which the longest was the shortest."""
    found: list[list[Turn]] = []
    while len(found) < TRIES:
        found.append(longest_turns(cause, cores))
        if max(found[-1], default=Turn(0, 0)).cpu_us <= LONG_MS * 1000:
            break
    return min(found, key=lambda turns: max(turns, default=Turn(0, 0)))


def measure(cores: Cores, scale: float, only: Sequence[str] = ()) -> str:
    """The section of the report."""
    lines = []
    for cause in causes(scale):
        if only and not any(word in cause.what for word in only):
            continue
        print(f"  {cause.what}", flush=True)
        turns = least_of_tries(cause, cores)
        longest = max(turns, default=Turn(0, 0))
        count = sum(turn.cpu_us > LONG_MS * 1000 for turn in turns)
        shown = f"{longest.cpu_us / 1000:.2f}" if turns else "below 0.5"
        lines.append([cause.what, shown, str(longest.faults), str(count)])
        print("   ", *lines[-1][1:], flush=True)
    header = ["while", "longest turn (ms)", "page faults in it", f"turns above {LONG_MS:g} ms"]
    return f"""
## Pauses by cause

CPU time of the server's thread between two turns of the event loop, during which nobody is served.
Lazy freeing is on. Of {TRIES} tries the one whose longest turn is the shortest.

{table(header, lines)}"""


def main(argv: Sequence[str]) -> int:
    """Measure some causes and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.causes")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes")
    parser.add_argument("--only", default="", help="words of the causes, with commas between them")
    options = parser.parse_args(argv)
    cores = Cores.choose()
    cores.pin_clients()
    only = [word for word in options.only.split(",") if word]
    print(measure(cores, options.scale, only))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
