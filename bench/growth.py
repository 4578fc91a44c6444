"""What an operation costs as the collection, or the keyspace, grows."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from balas.testing import Client, ServerProcess
from bench.contenders import Contender, Cores, commands_in_bulk, value_32
from bench.datasets import BATCH, name, request
from bench.report import table

SEED = 20251123
PIPELINE = 50
SIZES = (1_000, 10_000, 100_000, 1_000_000)

One = Callable[[int], bytes]


@dataclass(frozen=True)
class Growth:
    """`fill(number)` stores one more item; `act(number)` asks for, or changes, one of them."""

    what: str
    fill: One
    act: One


def element(number: int) -> bytes:
    return request(b"RPUSH", b"l", name(number))


def member(number: int) -> bytes:
    return request(b"ZADD", b"z", b"%d" % number, name(number))


def entry(number: int) -> bytes:
    return request(b"XADD", b"x", b"%d-0" % (number + 1), b"a", b"%d" % number)


GROWTHS = (
    Growth(
        "GET among keys",
        lambda n: request(b"SET", name(n), value_32(n)),
        lambda n: request(b"GET", name(n)),
    ),
    Growth(
        "HGET of a hash",
        lambda n: request(b"HSET", b"h", name(n), value_32(n)),
        lambda n: request(b"HGET", b"h", name(n)),
    ),
    Growth(
        "SISMEMBER of a set",
        lambda n: request(b"SADD", b"s", name(n)),
        lambda n: request(b"SISMEMBER", b"s", name(n)),
    ),
    Growth(
        "ZADD, another score",
        member,
        lambda n: request(b"ZADD", b"z", b"%d" % (n * 7919 % 10**6), name(n)),
    ),
    Growth("ZRANK", member, lambda n: request(b"ZRANK", b"z", name(n))),
    Growth(
        "ZRANGEBYSCORE LIMIT 0 10",
        member,
        lambda n: request(b"ZRANGEBYSCORE", b"z", b"%d" % n, b"+inf", b"LIMIT", b"0", b"10"),
    ),
    Growth("LINDEX", element, lambda n: request(b"LINDEX", b"l", b"%d" % n)),
    Growth(
        "XRANGE COUNT 10",
        entry,
        lambda n: request(b"XRANGE", b"x", b"%d-0" % (n + 1), b"+", b"COUNT", b"10"),
    ),
)


def measure(contenders: Sequence[Contender], cores: Cores, scale: float, requests: int) -> str:
    """The section of the report: microseconds of CPU per request, for each size."""
    lines = []
    sizes = [int(size * scale) for size in SIZES]
    for growth in GROWTHS:
        print(f"  {growth.what}", flush=True)
        for one in contenders:
            with one.running(cores) as server, server.client(timeout_s=300) as client:
                costs = [cost(server, client, growth, size, requests) for size in grown(sizes)]
            lines.append([f"{growth.what}: {one.name}", *(f"{spent:.2f}" for spent in costs)])
    return f"""
## Growth

Microseconds of CPU per request where so many items are there; {PIPELINE} requests at a time, at
random places. LINDEX counts elements from the nearer end.

{table(["", *(f"{size:,}" for size in sizes)], lines)}"""


def grown(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Each size with the one before it, from where the filling goes on."""
    return list(zip((0, *sizes), sizes, strict=False))


def cost(
    server: ServerProcess, client: Client, growth: Growth, size: tuple[int, int], requests: int
) -> float:
    """Let the items grow from one size to another; then microseconds per request."""
    before, after = size
    send(client, growth.fill, range(before, after), BATCH)
    rng = random.Random(SEED)
    places = [rng.randrange(after) for _ in range(requests)]
    send(client, growth.act, places[: requests // 10], PIPELINE)
    began_s = server.cpu_s()
    send(client, growth.act, places, PIPELINE)
    return (server.cpu_s() - began_s) / requests * 1e6


def send(client: Client, one: One, numbers: Sequence[int], batch: int) -> None:
    """Send a request for each number, so many at a time. RuntimeError if one is refused."""
    for data, count in commands_in_bulk(len(numbers), lambda i: one(numbers[i]), batch):
        client.send_raw(data)
        for _ in range(count):
            if isinstance(reply := client.read(), Exception):
                raise RuntimeError(f"refused: {reply}")
