"""Eviction among keys of all types at once: the limit holds, and everybody is told what went."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from balas.testing import Client, InProcessServer

POLICIES = [
    f"{keys}-{order}"
    for keys in ("allkeys", "volatile")
    for order in ("lru", "lfu", "random", "ttl")
    if (keys, order) != ("allkeys", "ttl")
]
LIMIT = 600_000
# What one command may add before the next one makes room.
ONE_COMMAND = 40_000


def writes(chance: Random) -> Iterator[tuple[Any, ...]]:
    """Writes to keys of all types without end, new ones and those there may be."""
    while True:
        number, word = chance.randrange(400), "w" * chance.randrange(300)
        some = chance.sample(range(1000), chance.randrange(1, 150))
        document = json.dumps({"text": f"word{number}", "list": some, "name": word})
        yield "SET", f"string:{number}", word
        yield "RPUSH", f"list:{number}", *some, word
        yield "SADD", f"set:{number}", *some
        yield "SADD", f"words:{number}", *(f"{n}:{word[:5]}" for n in some)
        yield "HSET", f"hash:{number}", *(x for n in some for x in (n, word[: n % 60]))
        yield "ZADD", f"zset:{number}", *(x for n in some for x in (n, f"m{n}"))
        yield "XADD", f"stream:{number}", "*", "field", word
        yield "SETBIT", f"bits:{number}", chance.randrange(20_000), 1
        yield "PFADD", f"hll:{number}", *some
        yield "JSON.SET", f"doc:{number}", "$", document
        yield "JSON.ARRAPPEND", f"doc:{number}", "$.list", 1, 2, 3
        yield "BF.MADD", f"bloom:{number}", *some
        yield "CF.ADD", f"cuckoo:{number}", word
        yield "CMS.INITBYDIM", f"sketch:{chance.randrange(10**6)}", 100, 4
        yield "TDIGEST.CREATE", f"digest:{chance.randrange(10**6)}", "COMPRESSION", 50
        yield "HSET", f"indexed:{number}", "t", f"common word{number}", "n", number
        yield "TS.ADD", f"series:{number}", chance.randrange(10**6), number


@pytest.mark.parametrize("policy", POLICIES)
def test_the_limit_holds_whatever_the_keys_are(policy: str) -> None:
    chance = Random(policy)
    with InProcessServer({"maxmemory-policy": policy}) as server:
        client, account = server.client(), server.engine.account
        client("FT.CREATE", "index", "PREFIX", 1, "indexed:", "SCHEMA", "t", "TEXT", "n", "NUMERIC")
        client("CONFIG", "SET", "maxmemory", account.total + LIMIT)
        limit = server.engine.maxmemory
        highest = 0
        for number, command in enumerate(writes(chance)):
            found = client.pipeline(command, ("PEXPIRE", command[1], 10**6 + number))
            highest = max(highest, account.total)
            assert "OOM" not in str(found)
            if number % 50 == 0:
                client("GET", f"string:{chance.randrange(400)}")
                server.advance(10)
            if number == 1500:
                break
        client("PING")
        assert account.total <= limit
        assert highest <= limit + ONE_COMMAND
        assert int(field(client, "stats", "evicted_keys")) > 100
        for db in server.engine.databases[:2]:
            db.check_invariants()
        server.advance(2000)
        indexed = len(client("KEYS", "indexed:*"))
        assert client("FT.SEARCH", "index", "common", "LIMIT", 0, 0) == [indexed]


def test_everybody_is_told_what_goes(balas_server: InProcessServer) -> None:
    """The log, subscribers, clients that cache, and the index."""
    client = balas_server.client()
    reader, subscriber = balas_server.client(resp=3), balas_server.client(resp=3)
    client("CONFIG", "SET", "notify-keyspace-events", "Ee")
    client("FT.CREATE", "index", "PREFIX", 1, "h:", "SCHEMA", "t", "TEXT")
    commands: list[tuple[Any, ...]] = [
        ("HSET", "h:1", "t", "word"),
        ("JSON.SET", "json", "$", '{"a":1}'),
        ("BF.ADD", "bloom", "x"),
        ("SADD", "set", "x"),
        ("SET", "string", "x" * 1000),
    ]
    for command in commands:
        client(*command)
    keys = {command[1].encode() for command in commands}
    reader("CLIENT", "TRACKING", "ON")
    reader("HGETALL", "h:1")
    reader("STRLEN", "string")
    reader("JSON.GET", "json")
    subscriber.send("SUBSCRIBE", "__keyevent@0__:evicted")
    assert subscriber.push()[0] == b"subscribe"
    records: list[tuple[int, tuple[bytes, ...]]] = []
    balas_server.engine.changes.add_sink(records.extend)
    assert client("FT.SEARCH", "index", "word", "NOCONTENT") == [1, b"h:1"]
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", 1)
    balas_server.advance(10)
    assert client("DBSIZE") == 0
    client("CONFIG", "SET", "maxmemory", 0)
    assert {record[1] for record in records} == {(b"DEL", key) for key in keys}
    assert {subscriber.push()[2] for _ in keys} == keys
    assert {reader.push()[1][0] for _ in range(3)} == {b"h:1", b"string", b"json"}
    assert client("FT.SEARCH", "index", "word", "NOCONTENT") == [0]


def field(client: Client, section: str, name: str) -> str:
    text: bytes = client("INFO", section)
    return text.decode().split(f"{name}:")[1].split("\r\n")[0]
