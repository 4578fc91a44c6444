"""What the guard measures: fixed requests to a server in this process, marked for callgrind.

Started by `bench.guard` under valgrind. Nothing here depends on the machine's speed: the clock
stands still, the seed is fixed, and no socket is there. Each workload is run once unmeasured, which
grows tables and fills caches, and once between two marks.
"""

import ctypes
import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from balas.testing.in_process import InProcessServer, MemoryTransport
from balas.testing.wire import encode

PIPELINE = 16
KEYS = 1000
# Its multiples modulo KEYS visit all keys, without an order that a cache could learn.
STRIDE = 379

SCRIPT = "return redis.call('SET', KEYS[1], ARGV[1])"
DOCUMENT = '{"id": 1, "name": "a thing", "tags": ["a", "b"], "place": {"x": 1.5, "y": [1, 2]}}'


@dataclass(frozen=True)
class Guarded:
    """A workload: `command` is sent `count` times, after `before` was sent for every key.

    `once` is sent before that, and `module` is the bundled module it takes.
    `{}` in an argument is the number of a key, and `{+}` the number of the request, which grows.
    """

    name: str
    command: str
    count: int = 2 * KEYS
    before: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    module: str = ""


GUARDED = (
    Guarded("PING", "PING"),
    Guarded("SET", "SET key:{} 0123456789abcdef0123456789abcdef"),
    Guarded("GET", "GET key:{}", before=("SET key:{} 0123456789abcdef",)),
    Guarded("INCR", "INCR counter:{}"),
    Guarded("MSET", "MSET a:{} v b:{} v c:{} v d:{} v e:{} v", KEYS),
    Guarded("LPUSH", "LPUSH list 0123456789abcdef"),
    Guarded("RPUSH", "RPUSH list 0123456789abcdef"),
    Guarded("LPOP", "LPOP list", once=("LPUSH list " + "element " * 5 * KEYS,)),
    Guarded("SADD", "SADD set element:{}"),
    Guarded("SPOP", "SPOP set", once=tuple(f"SADD set element:{n}" for n in range(5 * KEYS))),
    Guarded("HSET", "HSET hash field:{} 0123456789abcdef"),
    Guarded("HGET", "HGET hash field:{}", before=("HSET hash field:{} 0123456789abcdef",)),
    Guarded("ZADD", "ZADD zset {+} element:{}"),
    Guarded("ZRANGE", "ZRANGE zset 0 9", 500, before=("ZADD zset {} element:{}",)),
    Guarded("XADD", "XADD stream * field 0123456789abcdef"),
    Guarded("MULTI of 3", "MULTI ; SET key:{} v ; INCR n:{} ; GET key:{} ; EXEC", KEYS),
    Guarded("EVAL", f"EVAL|{SCRIPT}|1|key:{{}}|value", KEYS),
    Guarded("JSON.SET", f"JSON.SET|doc:{{}}|$|{DOCUMENT}", KEYS, module="ReJSON"),
    Guarded(
        "JSON.GET",
        "JSON.GET doc:{} $.place.y[1]",
        KEYS,
        (f"JSON.SET|doc:{{}}|$|{DOCUMENT}",),
        module="ReJSON",
    ),
    Guarded(
        "BF.ADD", "BF.ADD filter item:{+}", once=("BF.RESERVE filter 0.01 100000",), module="bf"
    ),
    Guarded(
        "BF.EXISTS", "BF.EXISTS filter item:{}", before=("BF.ADD filter item:{}",), module="bf"
    ),
    Guarded("TS.ADD", "TS.ADD series {+} 21.5", module="timeseries"),
    Guarded(
        "TS.RANGE",
        "TS.RANGE series {} + COUNT 10",
        300,
        ("TS.ADD series {} 1.5",),
        module="timeseries",
    ),
    Guarded(
        "FT.SEARCH",
        "FT.SEARCH|index|word{} common|LIMIT|0|10",
        200,
        ("HSET|doc:{}|text|a common word{} here|number|{}",),
        ("FT.CREATE index SCHEMA text TEXT number NUMERIC",),
        module="search",
    ),
    Guarded(
        "FT indexing",
        "HSET|doc:{}|text|another common word{+} here|number|{+}",
        500,
        once=("FT.CREATE index SCHEMA text TEXT number NUMERIC",),
        module="search",
    ),
    Guarded(
        "GRAPH.QUERY",
        "GRAPH.QUERY|graph|CYPHER id={} MATCH (a:N {v: $id})-[:R]->(b) RETURN b.v",
        200,
        once=(
            "GRAPH.QUERY|graph|CREATE INDEX FOR (n:N) ON (n.v)",
            "GRAPH.QUERY|graph|UNWIND range(0, 999) AS x CREATE (:N {v: x})-[:R]->(:M {v: x})",
        ),
        module="graph",
    ),
    Guarded(
        "GRAPH create", "GRAPH.QUERY|graph|CYPHER id={+} CREATE (:N {v: $id})", 200, module="graph"
    ),
)


def encoded(command: str, key: int, number: int) -> bytes:
    """One request, or several that ` ; ` parts.

    Its words are parted by bars if it has any, by blanks otherwise.
    """
    text = command.replace("{}", str(key)).replace("{+}", str(number))
    several = (one.split("|" if "|" in one else None) for one in text.split(" ; "))
    return b"".join(encode(*words) for words in several)


def batches(guarded: Guarded, first: int) -> list[bytes]:
    """The requests numbered from `first`, so many at a time."""
    requests = [
        encoded(guarded.command, number * STRIDE % KEYS, number)
        for number in range(first, first + guarded.count)
    ]
    return [b"".join(requests[at : at + PIPELINE]) for at in range(0, len(requests), PIPELINE)]


def send(transport: MemoryTransport, data: Sequence[bytes]) -> None:
    """Have the engine run batches."""
    for batch in data:
        transport.send(batch)
        check(transport.receive(1), batch)


def check(reply: bytes, request: bytes) -> None:
    """RuntimeError if there is an error among replies."""
    if reply.startswith(b"-") or b"\r\n-ERR" in reply:
        raise RuntimeError(f"refused: {request[:200]!r}: {reply[:200]!r}")


def main(marks_path: str, names: Sequence[str]) -> None:
    """Run the workloads that are named."""
    marks = ctypes.CDLL(marks_path)
    # hnswlib compiles itself for instructions that valgrind may not know; nothing here has vectors.
    sys.modules["hnswlib"] = ModuleType("hnswlib")
    # Collections come at moments that hang on what was made long before.
    gc.disable()
    for guarded in GUARDED:
        if guarded.name not in names:
            continue
        options = {"loadmodule": guarded.module} if guarded.module else None
        with InProcessServer(options, seed=1, bundled=False) as server, server.client() as client:
            transport = client.transport
            assert isinstance(transport, MemoryTransport)
            send(transport, [encoded(command, 0, 0) for command in guarded.once])
            for command in guarded.before:
                send(transport, [encoded(command, key, key + 1) for key in range(KEYS)])
            send(transport, batches(guarded, 1))
            measured = batches(guarded, guarded.count + 1)
            receive, peer = server.engine.receive, transport.peer
            marks.begin()
            for batch in measured:
                receive(peer, batch)
            marks.end(guarded.name.encode())
            check(transport.receive(1), measured[0])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
