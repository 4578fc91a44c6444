"""The cycles of a server: what happens to keys and tables when nobody asks for them."""

from collections.abc import Iterator

import pytest

from balas.services.cycles import Cycles
from balas.services.memory import Memory
from balas.testing import Client, InProcessServer


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer({"enable-debug-command": "yes"}) as server:
        yield server


def stats(client: Client) -> dict[str, str]:
    lines = client("INFO", "stats").decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def test_expired_keys_go_though_nobody_asks_for_them(server: InProcessServer) -> None:
    client = server.client()
    for number in range(1000):
        client("SELECT", str(number % 16))
        client("SET", f"key:{number}", "v", "PX", str(1000 + number))
    server.advance(5000)
    for db in server.engine.databases:
        assert len(db) <= 7, "all but the last tenth"
    server.advance(20_000)
    assert int(stats(client)["expired_keys"]) >= 990


def test_expiries_are_records_and_events_of_their_own(server: InProcessServer) -> None:
    client = server.client()
    units: list[list[tuple[int, tuple[bytes, ...]]]] = []
    events: list[tuple[int, bytes, str]] = []
    client("SELECT", "2")
    for number in range(50):
        client("SET", f"key:{number}", "v", "PX", "10")
    server.engine.changes.add_sink(units.append)
    server.engine.changes.add_listener(events.extend)
    server.advance(500)
    assert sorted(units) == sorted([(2, (b"DEL", b"key:%d" % n))] for n in range(50))
    assert sorted(events) == sorted((2, b"key:%d" % n, "expired") for n in range(50))
    client("CONFIG", "SET", "lazyfree-lazy-expire", "yes")
    client("SET", "k", "v", "PX", "10")
    units.clear()
    server.advance(500)
    assert units[-1] == [(2, (b"UNLINK", b"k"))]


def test_the_cycle_can_be_switched_off(server: InProcessServer) -> None:
    client = server.client()
    client("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    client("SET", "k", "v", "PX", "10")
    server.advance(10_000)
    assert client("DBSIZE") == 1
    client("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    server.advance(1000)
    assert client("DBSIZE") == 0


def test_nothing_expires_while_writes_are_paused(server: InProcessServer) -> None:
    client = server.client()
    client("SET", "k", "v", "PX", "10")
    client("CLIENT", "PAUSE", "5000", "WRITE")
    server.advance(4000)
    assert client("DBSIZE") == 1
    server.advance(2000)
    assert client("DBSIZE") == 0


def test_the_average_ttl_is_told(server: InProcessServer) -> None:
    client = server.client()
    for number in range(100):
        client("SET", f"key:{number}", "v", "EX", "1000")
    server.advance(1000)
    (line,) = (one for one in client("INFO", "keyspace").split(b"\r\n") if one[:3] == b"db0")
    average_ms = int(line.split(b"avg_ttl=")[1].split(b",")[0])
    assert 990_000 < average_ms <= 1_000_000


def test_hz_and_dynamic_hz(server: InProcessServer) -> None:
    cycles: Cycles = server.engine.services[Cycles]
    client = server.client()
    assert cycles.hz == 10
    client("CONFIG", "SET", "hz", "100")
    assert cycles.hz == 100
    client("CONFIG", "SET", "hz", "1")
    others = [server.client() for _ in range(450)]
    assert cycles.hz == 4
    client("CONFIG", "SET", "dynamic-hz", "no")
    assert cycles.hz == 1
    assert len(others) == 450


def test_what_is_deleted_lazily_is_freed_and_counted(server: InProcessServer) -> None:
    cycles: Cycles = server.engine.services[Cycles]
    client = server.client()
    client("DEBUG", "POPULATE", "5000")
    client("FLUSHALL", "ASYNC")
    assert cycles.pending_objects == 5000
    assert b"lazyfree_pending_objects:5000\r\n" in client("INFO", "memory")
    server.advance(200)
    assert cycles.pending_objects == 0
    assert b"lazyfreed_objects:5000\r\n" in client("INFO", "memory")


def test_tables_finish_their_move_though_nobody_asks_for_keys(server: InProcessServer) -> None:
    client = server.client()
    count = 0
    while not server.engine.databases[0].rehashing:
        count += 500
        client("DEBUG", "POPULATE", str(count))
    server.advance(200)
    assert not server.engine.databases[0].rehashing
    server.engine.databases[0].check_invariants()


def test_other_work_is_done_in_slices_until_it_is_done(server: InProcessServer) -> None:
    cycles: Cycles = server.engine.services[Cycles]
    limits: list[int] = []

    def work(limit_ns: int) -> bool:
        limits.append(limit_ns)
        return len(limits) < 5

    cycles.add(work)
    server.advance(150)
    assert len(limits) == 5
    assert all(0 < limit_ns <= 1_000_000 for limit_ns in limits)
    server.advance(1000)
    assert len(limits) == 15, "each cycle asks again"
    cycles.remove(work)
    server.advance(1000)
    assert len(limits) == 15


def test_two_servers_have_cycles_of_their_own(server: InProcessServer) -> None:
    with InProcessServer() as other:
        server.client()("SET", "k", "v", "PX", "10")
        other.client()("SET", "k", "v", "PX", "10")
        server.advance(1000)
        assert len(server.engine.databases[0]) == 0
        assert len(other.engine.databases[0]) == 1
        assert other.engine.services[Memory] is not server.engine.services[Memory]
