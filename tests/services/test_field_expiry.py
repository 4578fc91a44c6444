"""Fields whose time has come go by themselves, in slices, and INFO counts the hashes with such."""

from collections.abc import Iterator

import pytest

from balas.testing import InProcessServer


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer() as made:
        yield made


def subexpiry(server: InProcessServer, db: int = 0) -> int:
    line = server.client()("INFO", "keyspace").decode()
    for part in line.splitlines():
        if part.startswith(f"db{db}:"):
            return int(part.rsplit("=", 1)[1])
    return 0


def test_due_fields_go_and_their_records_and_events_come(server: InProcessServer) -> None:
    client, records, events = server.client(), [], []
    client("HSET", "h", "a", 1, "b", 2, "c", 3)
    client("HPEXPIRE", "h", 50, "FIELDS", 1, "a")
    client("HPEXPIRE", "h", 5000, "FIELDS", 1, "b")
    server.engine.changes.add_sink(lambda some: records.extend(some))
    server.engine.changes.add_listener(lambda some: events.extend(some))
    server.advance(1000)
    assert client("HLEN", "h") == 2
    assert records == [(0, (b"HDEL", b"h", b"a"))]
    assert events == [(0, b"h", "hexpired")]
    assert server.engine.stats.expired_fields == 1
    assert subexpiry(server) == 1
    server.advance(5000)
    assert client("HGETALL", "h") == [b"c", b"3"]
    assert subexpiry(server) == 0


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_a_hash_whose_fields_are_all_due_goes(count: int, server: InProcessServer) -> None:
    client, events = server.client(), []
    for number in range(count):
        client("HSETEX", "h", "PX", 100 + number % 7, "FIELDS", 1, number, "v")
    server.engine.changes.add_listener(lambda some: events.extend(some))
    server.advance(2000)
    assert client("EXISTS", "h") == 0
    assert {event for _, _, event in events} == {"hexpired", "del"}
    assert events[-1] == (0, b"h", "del")
    server.engine.databases[0].check_invariants()


def test_many_hashes_are_done_in_slices(server: InProcessServer) -> None:
    client = server.client()
    for number in range(2000):
        client("HSETEX", f"h{number}", "PX", 100, "FIELDS", 2, "a", 1, "b", 2)
        client("HSET", f"h{number}", "c", 3)
    assert subexpiry(server) == 2000
    server.advance(5000)
    assert server.engine.stats.expired_fields == 4000
    assert subexpiry(server) == 0
    assert client("HLEN", "h7") == 1


def test_the_count_follows_keys_wherever_they_go(server: InProcessServer) -> None:
    client = server.client()

    def hash_at(key: str) -> None:
        client("HSETEX", key, "EX", 100, "FIELDS", 1, "a", 1)

    hash_at("h")
    client("RENAME", "h", "i")
    client("COPY", "i", "j")
    assert subexpiry(server) == 2
    client("MOVE", "j", 3)
    assert (subexpiry(server), subexpiry(server, 3)) == (1, 1)
    client("RESTORE", "k", 0, client("DUMP", "i"))
    client("SWAPDB", 0, 3)
    assert (subexpiry(server), subexpiry(server, 3)) == (1, 2)
    client("SET", "j", "overwritten")
    assert subexpiry(server) == 0
    client("SWAPDB", 0, 3)
    client("HPERSIST", "i", "FIELDS", 1, "a")
    assert subexpiry(server) == 1
    client("HDEL", "k", "a")
    hash_at("l")
    hash_at("m")
    client("DEL", "l")
    server.advance(200_000)
    assert client("KEYS", "*") == [b"i"]
    client("HEXPIRE", "i", 100, "FIELDS", 1, "a")
    client("FLUSHALL")
    assert len(server.engine.databases[0].deadlines) == 0
    for db in server.engine.databases:
        db.check_invariants()


def test_they_survive_a_restart(server: InProcessServer) -> None:
    client = server.client()
    client("HSETEX", "h", "EX", 100, "FIELDS", 1, "a", 1)
    client("HSET", "h", "b", 2)
    client("SAVE")
    server.restart()
    assert subexpiry(server) == 1
    assert server.client()("HTTL", "h", "FIELDS", 2, "a", "b") == [100, -1]
    server.advance(101_000)
    assert server.client()("HGETALL", "h") == [b"b", b"2"]


def test_nothing_goes_by_itself_on_a_replica(server: InProcessServer) -> None:
    client = server.client()
    client("HSET", "h", "a", 1, "b", 2)
    client("HPEXPIRE", "h", 100, "FIELDS", 1, "a")
    server.engine.changes.expires_keys = False
    server.advance(1000)
    assert client("HGET", "h", "a") is None
    assert client("HGETALL", "h") == [b"b", b"2"]
    assert client("HLEN", "h") == 2
    server.engine.changes.expires_keys = True
    server.advance(1000)
    assert client("HLEN", "h") == 1
