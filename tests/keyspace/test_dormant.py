"""Small values that are kept without their objects while nobody looks at them."""

from typing import Any

import pytest

from balas.keyspace.database import Database
from balas.testing import Client, InProcessServer

SMALL = {
    b"list": ("RPUSH", "list", "a", "b"),
    b"hash": ("HSET", "hash", "f", "v"),
    b"integers": ("SADD", "integers", 3, 1, 2),
    b"set": ("SADD", "set", "a", "b"),
    b"zset": ("ZADD", "zset", 1, "a", 2, "b"),
}
READS: dict[bytes, tuple[tuple[Any, ...], object]] = {
    b"list": (("LRANGE", "list", 0, -1), [b"a", b"b"]),
    b"hash": (("HGETALL", "hash"), [b"f", b"v"]),
    b"integers": (("SMEMBERS", "integers"), [b"1", b"2", b"3"]),
    b"set": (("SMEMBERS", "set"), [b"a", b"b"]),
    b"zset": (("ZRANGE", "zset", 0, -1, "WITHSCORES"), [b"a", b"1", b"b", b"2"]),
}


def database(server: InProcessServer) -> Database:
    return server.server.engine.databases[0]


@pytest.fixture
def filled(balas_server: InProcessServer, client: Client) -> Client:
    for command in SMALL.values():
        client(*command)
    client("PING")
    return client


@pytest.mark.parametrize("key", SMALL)
def test_it_wakes_when_it_is_looked_up(
    balas_server: InProcessServer, filled: Client, key: bytes
) -> None:
    db = database(balas_server)
    assert db.is_dormant(key)
    read, expected = READS[key]
    assert filled(*read) == expected
    filled("PING")
    assert db.is_dormant(key)
    assert filled(*read) == expected


def test_what_somebody_holds_stays_awake(balas_server: InProcessServer, filled: Client) -> None:
    db = database(balas_server)
    held = db.get(b"hash")
    filled("GET", "other")
    assert not db.is_dormant(b"hash")
    filled("HSET", "hash", "f", "new")
    assert held is db.get(b"hash")
    del held
    db.settle_some(1 << 10)
    assert db.is_dormant(b"hash")
    assert filled("HGET", "hash", "f") == b"new"


def test_several_at_a_time_fall_asleep_later(balas_server: InProcessServer, filled: Client) -> None:
    db = database(balas_server)
    filled("SUNION", "integers", "set")
    filled("PING")
    db.settle_some(1 << 10)
    assert all(db.is_dormant(key) for key in SMALL)


@pytest.mark.parametrize(
    "growing",
    [
        ("RPUSH", "list", "x" * 600),
        ("HSET", "hash", "g", "x" * 600),
        ("SADD", "integers", *range(400)),
        ("SADD", "set", "x" * 600),
        ("ZADD", "zset", 1, "x" * 600),
        ("HPEXPIRE", "hash", 100_000, "FIELDS", 1, "f"),
    ],
)
def test_what_is_no_longer_small_keeps_its_object(
    balas_server: InProcessServer, filled: Client, growing: tuple[Any, ...]
) -> None:
    filled(*growing)
    filled("PING")
    assert not database(balas_server).is_dormant(growing[1].encode())


def test_deleted_overwritten_renamed_copied(balas_server: InProcessServer, filled: Client) -> None:
    db = database(balas_server)
    assert filled("RENAME", "list", "moved") == b"OK"
    assert filled("COPY", "zset", "copied") == 1
    assert filled("DEL", "set") == 1
    assert filled("SET", "hash", "text") == b"OK"
    assert filled("MOVE", "integers", 1) == 1
    assert filled("LRANGE", "moved", 0, -1) == [b"a", b"b"]
    assert filled("ZSCORE", "copied", "b") == filled("ZSCORE", "zset", "b")
    db.check_invariants()
    filled("FLUSHALL")
    assert db.used == 0


def test_the_account_does_not_change_with_it(balas_server: InProcessServer, filled: Client) -> None:
    db = database(balas_server)
    before = db.used
    for _ in range(3):
        for read, _expected in READS.values():
            filled(*read)
        filled("PING")
    assert db.used == before
    db.check_invariants()
