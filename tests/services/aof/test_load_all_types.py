"""A log with writes of every type, of modules, scripts, functions and transactions, cut off
anywhere: what is loaded is what there was after the last whole unit.
"""

from pathlib import Path
from typing import Any

import pytest

from balas.services.aof.load import LogReplay
from balas.services.log import Log
from balas.testing import InProcessServer
from persisting import Contents, contents

INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof"
LATER_MS = 4_000_000_000_000
LIBRARY = """#!lua name=lib
redis.register_function('both', function(keys)
  redis.call('INCR', keys[1]); return redis.call('LPUSH', keys[2], 'x') end)"""
PUSH_TWICE = "redis.call('RPUSH', KEYS[1], ARGV[1]); return redis.call('INCR', KEYS[2])"

# Each is one unit of the log: commands that are sent together.
UNITS: list[list[tuple[Any, ...]]] = [
    [("SET", "s", "v", "PXAT", LATER_MS)],
    [("APPEND", "s", "\r\n*1\r\n$4\r\n")],
    [("SETRANGE", "s", 3, "xyz")],
    [("RPUSH", "l", *range(5))],
    [("LMOVE", "l", "l2", "LEFT", "RIGHT")],
    [("SADD", "set", 1, 2, 3)],
    [("SPOP", "set")],
    [("HSET", "h", "a", 1, "b", 2)],
    [("HPEXPIREAT", "h", LATER_MS, "FIELDS", 1, "a")],
    [("HINCRBYFLOAT", "h", "b", 0.5)],
    [("ZADD", "z", 1, "a", 2.5, "b")],
    [("ZPOPMIN", "z")],
    [("XADD", "x", "1-1", "f", "v")],
    [("XGROUP", "CREATE", "x", "g", 0)],
    [("XREADGROUP", "GROUP", "g", "me", "STREAMS", "x", ">")],
    [("XACK", "x", "g", "1-1")],
    [("PFADD", "hll", "a", "b")],
    [("GEOADD", "geo", 13.4, 38.1, "Palermo")],
    [("SETBIT", "bits", 100, 1)],
    [("BITFIELD", "bits", "INCRBY", "u8", 0, 7)],
    [("SELECT", 3)],
    [("COPY", "none", "x")],
    [("INCR", "three")],
    [("MOVE", "three", 0)],
    [("SELECT", 0)],
    [("MULTI",), ("INCR", "n"), ("DEL", "s"), ("SADD", "t", "x"), ("EXEC",)],
    [("EVAL", PUSH_TWICE, 2, "l", "n", "from a script")],
    [("FUNCTION", "LOAD", LIBRARY)],
    [("FCALL", "both", 2, "n", "l")],
    [("JSON.SET", "j", "$", '{"a":[1,2],"b":null}')],
    [("JSON.ARRAPPEND", "j", "$.a", "3")],
    [("JSON.NUMINCRBY", "j", "$.a[0]", 2)],
    [("BF.RESERVE", "bf", 0.01, 10)],
    [("BF.MADD", "bf", *range(12))],
    [("CF.ADD", "cf", "x")],
    [("CF.DEL", "cf", "x")],
    [("CMS.INITBYDIM", "cms", 5, 2)],
    [("CMS.INCRBY", "cms", "a", 3)],
    [("TOPK.RESERVE", "topk", 2, 4, 2, 0.9)],
    [("TOPK.ADD", "topk", "a")],
    [("TDIGEST.CREATE", "td", "COMPRESSION", 20)],
    [("TDIGEST.ADD", "td", 1, 2, 3)],
    [("TS.CREATE", "ts")],
    [("TS.ADD", "ts", 1000, 1.5)],
    [("FT.CREATE", "index", "PREFIX", 1, "h", "SCHEMA", "a", "TEXT")],
    [("FT.SUGADD", "sug", "hello", 1)],
    [("GRAPH.QUERY", "graph", "CREATE (:A {n: 1})-[:R]->(:B)")],
    [("RENAME", "l", "renamed")],
    [("SORT", "renamed", "ALPHA", "STORE", "sorted")],
    [("SWAPDB", 0, 1)],
    [("FLUSHDB",)],
]


@pytest.mark.parametrize("stride", [97, pytest.param(1, marks=pytest.mark.long)])
def test_every_truncation_loads_to_what_there_was(tmp_path: Path, stride: int) -> None:
    states: list[tuple[int, Contents]] = [(0, {})]
    with InProcessServer({"appendonly": "yes"}, directory=tmp_path) as server:
        client = server.client()
        for unit in UNITS:
            replies = client.pipeline(*unit)
            assert not [reply for reply in replies if isinstance(reply, Exception)], unit
            states.append(((tmp_path / INCREMENT).stat().st_size, contents(server.engine)))
    data = (tmp_path / INCREMENT).read_bytes()
    ends = [size for size, _ in states]
    near = {end + shift for end in ends for shift in (-1, 0)}
    sizes = sorted(near | set(range(0, len(data), stride)))
    path = tmp_path / "increment"
    with InProcessServer() as server:
        for size in sizes:
            if not 0 <= size <= len(data):
                continue
            path.write_bytes(data[:size])
            server.client()("FLUSHALL")
            server.client()("FUNCTION", "FLUSH")
            server.engine.changes.set_loading(True)
            one = LogReplay(server.engine, Log(bytearray().extend), path)
            assert list(one.steps()) == []
            server.engine.changes.set_loading(False)
            assert one.refused == 0, size
            end, expected = max((s for s in states if s[0] <= size), key=lambda state: state[0])
            assert contents(server.engine) == expected, size
            assert end <= one.good_bytes <= size
            assert one.truncated == (one.good_bytes != size)
