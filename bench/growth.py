"""What an operation costs as the collection, or the keyspace, grows."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from balas.testing import Client, RealRedis, ServerProcess
from balas.testing.server_process import StartupError
from bench.contenders import Contender, Cores, commands_in_bulk, value_32
from bench.datasets import request
from bench.freeing import hash_of, list_of, name, set_of, sorted_set_of, stream_of
from bench.plot import charts
from bench.report import table

SEED = 20251123
PIPELINE = 50
ITEMS_AT_ONCE = 500
# The last one is for those who ask for it: filling takes long.
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
# As far as documents, samples and edges go.
MODULES_MAX = 1_000_000
PLOT = Path(__file__).resolve().parent.parent / "docs" / "growth.svg"

One = Callable[[int], bytes]


@dataclass(frozen=True)
class Growth:
    """`fill(numbers)` stores more items; `act(number)` asks for, or changes, one of them.

    `module` is the real module that has the commands, and `begin` what is sent first.
    """

    what: str
    fill: Callable[[range], bytes]
    act: One
    module: str = ""
    begin: tuple[bytes, ...] = ()


def keys_of(numbers: range) -> bytes:
    return request(b"MSET", *(word for n in numbers for word in (name(n), value_32(n))))


def documents_of(numbers: range) -> bytes:
    text = b'{"id":%d,"name":"item %d","place":{"x":[1,2,3]}}'
    return request(b"JSON.MSET", *(w for n in numbers for w in (name(n), b"$", text % (n, n))))


def texts_of(numbers: range) -> bytes:
    """Hashes with texts; a word stands in ten of them."""
    return b"".join(
        request(b"HSET", name(n), b"text", b"some more words w%d" % (n // 10)) for n in numbers
    )


def samples_of(numbers: range) -> bytes:
    words = (word for n in numbers for word in (b"big", b"%d" % (n + 1), b"%d" % (n % 100)))
    return request(b"TS.MADD", *words)


def edges_of(numbers: range) -> bytes:
    text = b"UNWIND range(%d, %d) AS x CREATE (:N {v: x})-[:R]->(:M {v: x})"
    return request(b"GRAPH.QUERY", b"big", text % (numbers.start, numbers.stop - 1))


def edge(number: int) -> bytes:
    text = b"CYPHER id=%d MATCH (a:N {v: $id})-[:R]->(b) RETURN b.v"
    return request(b"GRAPH.QUERY", b"big", text % number)


def scores_from(number: int) -> bytes:
    return request(b"ZRANGEBYSCORE", b"big", b"%d" % number, b"+inf", b"LIMIT", b"0", b"10")


GROWTHS = (
    Growth("GET among keys", keys_of, lambda n: request(b"GET", name(n))),
    Growth("HGET of a hash", hash_of, lambda n: request(b"HGET", b"big", name(n))),
    Growth("SISMEMBER of a set", set_of, lambda n: request(b"SISMEMBER", b"big", name(n))),
    Growth(
        "ZADD, another score",
        sorted_set_of,
        lambda n: request(b"ZADD", b"big", b"%d" % (n * 7919 % 10**6), name(n)),
    ),
    Growth("ZRANK", sorted_set_of, lambda n: request(b"ZRANK", b"big", name(n))),
    Growth("ZRANGEBYSCORE LIMIT 0 10", sorted_set_of, scores_from),
    Growth("LINDEX", list_of, lambda n: request(b"LINDEX", b"big", b"%d" % n)),
    Growth(
        "XRANGE COUNT 10",
        stream_of,
        lambda n: request(b"XRANGE", b"big", b"%d-0" % (n + 1), b"+", b"COUNT", b"10"),
    ),
    Growth(
        "JSON.GET among documents",
        documents_of,
        lambda n: request(b"JSON.GET", name(n), b"$.place.x[1]"),
        "json",
    ),
    Growth(
        "FT.SEARCH of a word in 10 documents",
        texts_of,
        lambda n: request(b"FT.SEARCH", b"index", b"w%d" % (n // 10)),
        "search",
        (request(b"FT.CREATE", b"index", b"SCHEMA", b"text", b"TEXT"),),
    ),
    Growth(
        "TS.RANGE COUNT 10",
        samples_of,
        lambda n: request(b"TS.RANGE", b"big", b"%d" % (n + 1), b"+", b"COUNT", b"10"),
        "timeseries",
        (request(b"TS.CREATE", b"big"),),
    ),
    Growth(
        "GRAPH.QUERY, one edge",
        edges_of,
        edge,
        "graph",
        (request(b"GRAPH.QUERY", b"big", b"CREATE INDEX FOR (n:N) ON (n.v)"),),
    ),
)


def measure(
    contenders: Sequence[Contender],
    cores: Cores,
    sizes: Sequence[int],
    requests: int,
    plot: bool = False,
) -> str:
    """The section of the report: microseconds of CPU per request, for each size.

    With `plot`, docs/growth.svg is written anew.
    """
    lines = []
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for growth in GROWTHS:
        print(f"  {growth.what}", flush=True)
        mine = [size for size in sizes if not growth.module or size <= MODULES_MAX]
        for one in contenders:
            try:
                costs = costs_of(growth, with_module(one, growth), cores, mine, requests)
            except StartupError as error:
                # RedisTimeSeries wants a library of OpenSSL that few machines have.
                if one.name != "Redis" or "cannot open shared object file" not in error.log:
                    raise
                print("    the real module does not load here", flush=True)
                continue
            cells = [f"{spent:.2f}" for spent in costs] + [""] * (len(sizes) - len(mine))
            lines.append([f"{growth.what}: {one.name}", *cells])
            points = list(zip(map(float, mine), costs, strict=True))
            curves.setdefault(growth.what, {})[one.name] = points
    if plot:
        PLOT.write_text(charts(curves))
    return f"""
## Growth

Microseconds of CPU per request where so many items are there; {PIPELINE} requests at a time, at
random places. LINDEX counts elements from the nearer end. [The same as curves](growth.svg).

{table(["", *(f"{size:,}" for size in sizes)], lines)}"""


def costs_of(
    growth: Growth, one: Contender, cores: Cores, sizes: Sequence[int], requests: int
) -> list[float]:
    """Microseconds per request for each size."""
    # A graph is asked less often, for a question costs a hundred times more.
    count = requests // 20 if growth.module == "graph" else requests
    with one.running(cores) as server, server.client(timeout_s=300) as client:
        for data in growth.begin:
            client.send_raw(data)
            client.read()
        return [cost(server, client, growth, size, count) for size in grown(sizes)]


def with_module(one: Contender, growth: Growth) -> Contender:
    """The contender that can run this: a real Redis needs the real module."""
    if one.name != "Redis" or not growth.module:
        return one
    return Contender(one.name, partial(RealRedis, modules=[growth.module]))


def grown(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Each size with the one before it, from where the filling goes on."""
    return list(zip((0, *sizes), sizes, strict=False))


def cost(
    server: ServerProcess, client: Client, growth: Growth, size: tuple[int, int], requests: int
) -> float:
    """Let the items grow from one size to another; then microseconds per request."""
    before, after = size
    for start in range(before, after, ITEMS_AT_ONCE):
        data = growth.fill(range(start, min(start + ITEMS_AT_ONCE, after)))
        client.send_raw(data)
        read(client, data.count(b"\r\n*") + 1)
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
        read(client, count)


def read(client: Client, count: int) -> None:
    """Take so many replies; RuntimeError if one is an error."""
    for _ in range(count):
        if isinstance(reply := client.read(), Exception):
            raise RuntimeError(f"refused: {reply}")
