"""How long Python's garbage collector stops a Balas that holds much: its CPU time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from balas.testing import Client
from bench.contenders import OPTIONS, Cores, value_32
from bench.datasets import name, request, small_hash
from bench.growth import One, send
from bench.report import table
from bench.watched import Collection, WatchedBalas

BATCH = 500
GRAPH_BATCH = 1000


def document(number: int) -> bytes:
    text = b'{"id":%d,"name":"item %d","tags":["a","b"],"place":{"x":[1,2,3]}}' % (number, number)
    return request(b"JSON.SET", b"doc:%d" % number, b"$", text)


def indexed(number: int) -> bytes:
    text = b"some words number %d word%d" % (number, number % 1000)
    fields = (b"text", text, b"number", b"%d" % number, b"tag", b"t%d" % (number % 50))
    return request(b"HSET", b"indexed:%d" % number, *fields)


def edges(number: int) -> bytes:
    first = number * GRAPH_BATCH
    text = b"UNWIND range(%d, %d) AS x CREATE (:N {v: x})-[:R]->(:M)"
    return request(b"GRAPH.QUERY", b"graph", text % (first, first + GRAPH_BATCH - 1))


# What is stored, how many requests that takes, and the request.
STORED: dict[str, tuple[int, One]] = {
    "keys": (10_000_000, lambda number: request(b"SET", b"s" + name(number), value_32(number))),
    "small hashes": (1_000_000, small_hash),
    "JSON documents": (1_000_000, document),
    "indexed documents": (200_000, indexed),
    "thousands of nodes and edges": (1000, edges),
}
# What is asked afterwards, with all that in memory.
ASKED: dict[str, tuple[int, One]] = {
    "searches": (
        2000,
        lambda number: request(b"FT.SEARCH", b"index", b"word%d" % (number % 1000)),
    ),
    "graph queries, each another text": (
        500,
        lambda number: request(
            b"GRAPH.QUERY",
            b"graph",
            b"MATCH (a:N)-[:R]->(b) WHERE id(a) = %d RETURN b" % number,
        ),
    ),
    "scripts, each another text": (
        5000,
        lambda number: request(b"EVAL", b"return {%d, {}}" % number, b"0"),
    ),
}
CONNECTIONS = 10_000


def measure(cores: Cores, scale: float) -> str:
    """The section of the report."""
    lines: list[list[str]] = []
    options = {**OPTIONS, "maxclients": "20000"}
    with (
        WatchedBalas(options, pin_to_core=cores.server, startup_timeout_s=60) as server,
        server.client(timeout_s=300) as client,
    ):

        @contextmanager
        def watched(what: str) -> Iterator[None]:
            before = len(server.collections())
            yield
            lines.append([what, *shown(server.collections()[before:])])

        fields = ("text", "TEXT", "number", "NUMERIC", "tag", "TAG")
        client("FT.CREATE", "index", "PREFIX", "1", "indexed:", "SCHEMA", *fields)
        for what, (count, one) in (STORED | ASKED).items():
            count = max(int(count * scale), 1)
            print(f"  {count:,} {what}", flush=True)
            with watched(f"{count:,} {what}"):
                send(client, one, range(count), 5 if one is edges else BATCH)
        count = int(CONNECTIONS * scale)
        with watched(f"{count:,} connections come and go"):
            connect(server, count)
        with watched("MEMORY PURGE, on demand only"):
            client("MEMORY", "PURGE")
    header = ["while", "collections", "longest (ms)", "longest full one (ms)", "garbage"]
    return f"""
## Python's garbage collector

CPU time of collections of 20 µs and more, during which nobody is served; everything that was stored
before stays. What survives a full collection is frozen, so that no collection sees all of it.

{table(header, lines)}"""


def connect(server: WatchedBalas, count: int) -> None:
    """Open so many connections, use each, and close them."""
    clients: list[Client] = [server.client() for _ in range(count)]
    for client in clients:
        client("PING")
    for client in clients:
        client.close()
    time.sleep(1)


def shown(found: list[Collection]) -> list[str]:
    """How many, the longest, the longest full one, and the garbage there was."""
    longest = max((one.cpu_us for one in found), default=0)
    full = max((one.cpu_us for one in found if one.generation == 2), default=0)
    garbage = sum(one.garbage for one in found)
    return [f"{len(found):,}", f"{longest / 1000:.2f}", f"{full / 1000:.2f}", f"{garbage:,}"]
