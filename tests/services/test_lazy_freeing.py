"""Big values that go are freed in steps, whatever they are and however they go."""

import json
from typing import Any

import pytest

from balas.testing import Client, InProcessServer

ITEMS = 20_000
STEP = 10
LAZY = {
    f"lazyfree-lazy-{what}": "yes"
    for what in ("user-del", "user-flush", "server-del", "expire", "eviction")
}
ADD: dict[str, list[tuple[Any, ...]]] = {
    "set": [("SADD", "big", *(f"m{n}" for n in range(ITEMS)))],
    "hash": [("HSET", "big", *(f"f{n}" for n in range(ITEMS)))],
    "hash of fields that expire": [
        ("HSET", "big", *(f"f{n}" for n in range(ITEMS))),
        ("HEXPIRE", "big", 1000, "FIELDS", ITEMS // 2, *(f"f{2 * n}" for n in range(ITEMS // 2))),
    ],
    "zset": [("ZADD", "big", *(w for n in range(ITEMS // 2) for w in (n, f"m{n}")))],
    "list": [("RPUSH", "big", *("x" * 200 for n in range(ITEMS)))],
    "stream": [("XADD", "big", f"{n + 1}-1", "field", "x" * 100) for n in range(ITEMS // 2)],
    "json": [
        ("JSON.SET", "big", "$", json.dumps({"a": [{"k": [n, "x" * 9]} for n in range(ITEMS)]}))
    ],
    "bloom": [("BF.RESERVE", "big", 0.001, 10**6)],
    "suggestions": [("FT.SUGADD", "big", f"text {n}", 1) for n in range(ITEMS // 20)],
    "string": [("SETRANGE", "big", 3_000_000, "x")],
    "long string": [("SET", "big", "x" * 3_000_000)],
}
WAYS: dict[str, list[tuple[Any, ...]]] = {
    "unlink": [("UNLINK", "big")],
    "del": [("DEL", "big")],
    "flushall": [("FLUSHALL",)],
    "flushdb": [("FLUSHDB", "ASYNC")],
    "overwritten": [("SET", "big", "x"), ("DEL", "big")],
    "renamed over": [("SET", "other", "x"), ("RENAME", "other", "big"), ("DEL", "big")],
    "expired": [("PEXPIRE", "big", 1)],
    "evicted": [
        ("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", 1),
        ("PING",),
        ("CONFIG", "SET", "maxmemory", 0),
    ],
}


def pending(client: Client) -> int:
    text: bytes = client("INFO", "memory")
    return int(text.split(b"lazyfree_pending_objects:")[1].split()[0])


@pytest.fixture
def server() -> Any:
    with InProcessServer(LAZY) as made:
        yield made


def effort_of(server: InProcessServer) -> int:
    """How many allocations freeing the big value takes, or for a string, how many pages it has."""
    value: Any = server.engine.databases[0].get(b"big")
    return len(value) // 4096 if isinstance(value, bytes | bytearray) else value.free_effort()


def steps_until_freed(server: InProcessServer) -> int:
    """Free what waits in small steps; how many there were."""
    steps = 0
    for db in server.engine.databases:
        while db.retired:
            db.free_retired(STEP)
            steps += 1
    return steps


@pytest.mark.parametrize("kind", ADD)
def test_every_kind_is_freed_in_steps(server: InProcessServer, kind: str) -> None:
    client = server.client()
    before = server.engine.account.total
    client.pipeline(*ADD[kind])
    assert server.engine.account.total - before > 100_000
    effort = effort_of(server)
    client("UNLINK", "big")
    assert client("EXISTS", "big") == 0
    assert server.engine.account.total - before < 2000
    assert pending(client) == 1
    # No step does much more than it is asked for: some do a bucket or a block too much.
    assert steps_until_freed(server) > max(effort // (3 * STEP), 5)
    assert pending(client) == 0


@pytest.mark.parametrize("way", WAYS)
def test_however_it_goes(server: InProcessServer, way: str) -> None:
    client = server.client()
    client.pipeline(*ADD["set"])
    for command in WAYS[way]:
        client(*command)
    if way == "expired":
        server.clock.advance(5)
        client("GET", "big")
    assert client("EXISTS", "big") == 0
    assert steps_until_freed(server) > 5
    assert pending(client) == 0


def test_documents_that_are_freed_leave_no_names(server: InProcessServer) -> None:
    """Members' names are shared among all documents, and go with the last that has them."""
    client = server.client()
    client("JSON.SET", "small", "$", '{"k":1,"kept":[{"k":2}]}')
    for number in range(3):
        document = [{f"name{number}:{n}": {"k": n}, "list": [n, [n]]} for n in range(2000)]
        client("JSON.SET", "big", "$", json.dumps(document))
        client("UNLINK", "big")
        assert steps_until_freed(server) >= 1
    assert client("JSON.GET", "small") == b'{"k":1,"kept":[{"k":2}]}'


def test_freed_values_are_counted(server: InProcessServer) -> None:
    client = server.client()
    client.pipeline(*ADD["set"])
    client("DEL", "big")
    server.advance(300)
    text: bytes = client("INFO", "memory")
    assert text.split(b"lazyfreed_objects:")[1].split()[0] == b"1"
