"""How long big values that go keep a client waiting: round trips of PING while one is freed.

The command that lets the value go is the first round trip that is timed; then PING is asked until
the server says that nothing waits to be freed, and a little longer.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from balas.testing import Client, ServerProcess
from bench.contenders import Contender, Cores, commands_in_bulk, info
from bench.contenders import fill as fill_with_keys
from bench.datasets import request
from bench.pauses import BATCH, Pauses, Stopwatch, ping, receive

ITEMS_AT_ONCE = 1000
COMMANDS_AT_ONCE = 20
# Redis knows these options, too; both servers are to free lazily all that can be.
LAZY = (
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-eviction",
)


def name(number: int) -> bytes:
    return b"item:%011d" % number


def set_of(numbers: range) -> bytes:
    return request(b"SADD", b"big", *map(name, numbers))


def hash_of(numbers: range) -> bytes:
    return request(b"HSET", b"big", *(word for n in numbers for word in (name(n), b"value")))


def sorted_set_of(numbers: range) -> bytes:
    return request(b"ZADD", b"big", *(word for n in numbers for word in (b"%d" % n, name(n))))


def list_of(numbers: range) -> bytes:
    return request(b"RPUSH", b"big", *map(name, numbers))


def stream_of(numbers: range) -> bytes:
    return b"".join(request(b"XADD", b"big", b"%d-1" % (n + 1), b"f", name(n)) for n in numbers)


def pending_of(numbers: range) -> bytes:
    """A stream whose entries have been read by a group and not been acknowledged."""
    read = request(
        b"XREADGROUP",
        *(b"GROUP", b"g", b"me", b"COUNT", b"%d" % len(numbers), b"STREAMS", b"big", b">"),
    )
    return stream_of(numbers) + read


def document_of(numbers: range) -> bytes:
    items = ",".join(f'{{"id":{n},"name":"item {n}","tags":["a","b"]}}' for n in numbers)
    return request(b"JSON.ARRAPPEND", b"big", b"$", *f"[{items}]".encode().split(b"\0"))


@dataclass(frozen=True)
class Big:
    """A value: what begins it, what adds items to it, and how many it gets."""

    what: str
    add: Callable[[range], bytes]
    items: int
    begin: tuple[bytes, ...] = ()


VALUES = (
    Big("set", set_of, 10**7),
    Big("hash", hash_of, 10**7),
    Big("sorted set", sorted_set_of, 10**7),
    Big("list", list_of, 10**7),
    Big("stream", stream_of, 10**7),
    Big(
        "stream, all pending",
        pending_of,
        10**6,
        (request(b"XGROUP", b"CREATE", b"big", b"g", b"0", b"MKSTREAM"),),
    ),
)
MODULE_VALUES = (
    Big("JSON document", document_of, 10**6, (request(b"JSON.SET", b"big", b"$", b"[]"),)),
    Big(
        "Bloom filter",
        lambda numbers: b"",
        0,
        (request(*b"BF.RESERVE big 0.001 1000000000".split()),),
    ),
    Big("cuckoo filter", lambda numbers: b"", 0, (request(*b"CF.RESERVE big 1000000000".split()),)),
)


# How a value goes: the requests, the last of which is timed.
WAYS: dict[str, tuple[tuple[bytes, ...], ...]] = {
    "UNLINK": ((b"UNLINK", b"big"),),
    "DEL": ((b"DEL", b"big"),),
    "FLUSHALL ASYNC": ((b"FLUSHALL", b"ASYNC"),),
    "overwritten": ((b"SET", b"big", b"x"),),
    "expired": ((b"PEXPIRE", b"big", b"20"),),
    "evicted": (
        (b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-random"),
        (b"CONFIG", b"SET", b"maxmemory", b"1"),
    ),
}


def measure(
    contenders: Sequence[Contender], cores: Cores, scale: float, modules: bool = False
) -> dict[str, dict[str, Pauses]]:
    """By situation and contender: every kind of value unlinked, and a set that goes in every way.

    Module values are for servers that have the modules.
    """
    chosen = [(big, "UNLINK") for big in (*VALUES, *(MODULE_VALUES if modules else ()))]
    chosen += [(VALUES[0], way) for way in WAYS if way != "UNLINK"]
    found: dict[str, dict[str, Pauses]] = {}
    for big, way in chosen:
        size = f" of {int(big.items * scale):,} items" if big.items else ""
        situation = f"{way}: {big.what}{size}"
        for one in contenders:
            print(f"  {one.name}: {situation}", flush=True)
            with one.running(cores) as server, server.client(timeout_s=120) as client:
                fill(client, big, int(big.items * scale))
                found.setdefault(situation, {})[one.name] = removal(server, client, WAYS[way])
    keys = int(10**6 * scale)
    for one in contenders:
        situation = f"half of {keys:,} small keys are evicted, batches of {BATCH} SETs"
        print(f"  {one.name}: {situation}", flush=True)
        with one.running(cores) as server, server.client(timeout_s=120) as client:
            found.setdefault(situation, {})[one.name] = eviction(server, client, keys)
    return found


def eviction(server: ServerProcess, client: Client, keys: int) -> Pauses:
    """Halve the memory there may be, and go on writing until it is kept to."""
    fill_with_keys(client, keys)
    limit = int(info(client, "memory")["used_memory"]) // 2
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    client("CONFIG", "SET", "maxmemory", limit)
    batches = commands_in_bulk(10**9, lambda n: request(b"SET", b"new:%012d" % n, b"x" * 32), BATCH)
    watch = Stopwatch(server.pid)
    is_over = False
    while not is_over:
        for data, requests in itertools.islice(batches, 1000):
            with watch.trip():
                client.send_raw(data)
                receive(client, 5 * requests)
        is_over = int(info(client, "memory")["used_memory"]) <= limit * 1.01
    watch.close()
    return watch.result()


def fill(client: Client, big: Big, items: int) -> None:
    """Make the value; ReplyError if the server refuses."""
    for data in big.begin:
        client.send_raw(data)
        client.read()
    for data, replies in _batches(big, items):
        client.send_raw(data)
        for _ in range(replies):
            reply = client.read()
            if isinstance(reply, Exception):
                raise reply


def _batches(big: Big, items: int) -> Iterator[tuple[bytes, int]]:
    for start in range(0, items, ITEMS_AT_ONCE):
        data = big.add(range(start, min(start + ITEMS_AT_ONCE, items)))
        yield data, data.count(b"\r\n*") + 1


def removal(server: ServerProcess, client: Client, way: tuple[tuple[bytes, ...], ...]) -> Pauses:
    """Let the value go, and ask PING until it is freed."""
    for option in LAZY:
        client("CONFIG", "SET", option, "yes")
    for command in way[:-1]:
        client(*command)
    watch = Stopwatch(server.pid)
    with watch.trip():
        client(*way[-1])
    end_s = time.monotonic() + 0.3
    while time.monotonic() < end_s or not is_freed(client):
        ping(watch, client, 500)
    watch.close()
    return watch.result()


def is_freed(client: Client) -> bool:
    """Whether nothing waits to be freed."""
    return int(info(client, "memory")["lazyfree_pending_objects"]) == 0
