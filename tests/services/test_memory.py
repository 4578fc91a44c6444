"""maxmemory through the wire: every policy holds the limit, and says so in the log."""

import random

import pytest

from balas.services.memory import time_limit_ns
from balas.testing import Client, InProcessServer

POLICIES = [
    f"{keys}-{order}"
    for keys in ("allkeys", "volatile")
    for order in ("lru", "lfu", "random", "ttl")
    if (keys, order) != ("allkeys", "ttl")
]
OOM = "OOM command not allowed when used memory > 'maxmemory'."
LIMIT = 400_000


def info(client: Client, section: str) -> dict[str, str]:
    lines = client("INFO", section).decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def used(client: Client) -> int:
    return int(info(client, "memory")["used_memory"])


def limited(policy: str, **options: str) -> InProcessServer:
    return InProcessServer({"maxmemory": LIMIT, "maxmemory-policy": policy, **options})


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_stays_below_the_limit(policy: str) -> None:
    chance = random.Random(1)
    with limited(policy) as server:
        client = server.client()
        for number in range(6000):
            client("SELECT", str(number % 3))
            size = chance.randrange(200)
            client("SET", f"key:{number}", "v" * size, "EX", str(1000 + number))
            assert server.engine.account.total <= LIMIT + 1000, "one command may go over it"
            if number % 7 == 0:
                client("GET", f"key:{chance.randrange(number + 1)}")
        client("PING")
        assert used(client) <= LIMIT
        assert int(info(client, "stats")["evicted_keys"]) > 1000
        for db in server.engine.databases:
            db.check_invariants()


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl"])
def test_writes_are_refused_when_nothing_may_go(policy: str) -> None:
    with limited(policy) as server:
        client = server.client()
        number = 0
        reply: object = b"OK"
        while reply == b"OK":
            (reply,) = client.pipeline(("SET", f"key:{number}", "v" * 100))
            number += 1
        assert str(reply) == OOM
        assert used(client) > LIMIT
        assert client("GET", "key:0") == b"v" * 100
        assert client.error("APPEND", "key:0", "x") == OOM
        assert client("PERSIST", "key:0") == 0, "this needs no memory"
        for other in range(200):
            client("DEL", f"key:{other}")
        assert client("SET", "fits", "again") == b"OK"
        assert info(client, "stats")["evicted_keys"] == "0"


def test_a_transaction_is_refused_as_a_whole() -> None:
    with limited("noeviction") as server:
        client = server.client()
        client("MULTI")
        client("SET", "k", "v" * 100)
        filler = server.client()
        while filler.pipeline(("SET", f"key:{filler('DBSIZE')}", "v" * 1000)) == [b"OK"]:
            pass
        assert client.error("EXEC") == f"EXECABORT Transaction discarded because of: {OOM}"


def test_evictions_are_records_and_events(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    records: list[tuple[int, tuple[bytes, ...]]] = []
    units: list[int] = []

    def sink(unit: list[tuple[int, tuple[bytes, ...]]]) -> None:
        records.extend(unit)
        units.append(len(unit))

    events: list[tuple[int, bytes, str]] = []
    for number in range(100):
        client("SET", f"key:{number}", "v" * 100)
    balas_server.engine.changes.add_sink(sink)
    balas_server.engine.changes.add_listener(events.extend)
    client(
        "CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", str(used(client) // 2)
    )
    client("PING")
    evicted = {argv[1] for _, argv in records}
    assert {argv[0] for _, argv in records} == {b"DEL"}
    assert 30 < len(evicted) == len(records)
    assert events == [(0, argv[1], "evicted") for _, argv in records]
    assert set(units) == {1}, "each goes to the log by itself"
    records.clear()
    client("CONFIG", "SET", "lazyfree-lazy-eviction", "yes", "maxmemory", str(used(client) // 2))
    client("PING")
    assert {argv[0] for _, argv in records} == {b"UNLINK"}


def test_lowering_the_limit_evicts_by_and_by(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    for number in range(500):
        client("SET", f"key:{number}", "v" * 100)
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    client("CONFIG", "SET", "maxmemory", "20000")
    assert "smaller than the current memory usage" in balas_server.log
    balas_server.advance(100)
    assert balas_server.engine.account.total <= 20000


def test_nothing_is_evicted_while_writes_are_paused() -> None:
    with limited("allkeys-lru") as server:
        client = server.client()
        for number in range(500):
            client("SET", f"key:{number}", "v" * 100)
        client("CLIENT", "PAUSE", "100000", "WRITE")
        client("CONFIG", "SET", "maxmemory", "10000")
        server.advance(1000)
        assert client("DBSIZE") == 500
        client("CLIENT", "UNPAUSE")
        client("PING")
        server.advance(100)
        assert client("DBSIZE") < 100


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu"])
def test_what_is_used_stays(policy: str) -> None:
    with limited(policy, **{"maxmemory-samples": "10"}) as server:
        client = server.client()
        for number in range(1000):
            client("SET", f"hot:{number}", "v" * 20)
        for round_ in range(20):
            server.advance(1000)
            for number in range(1000):
                client("GET", f"hot:{number}")
            for number in range(500):
                client("SET", f"cold:{round_}:{number}", "v" * 20)
        kept = sum(client("EXISTS", f"hot:{number}") for number in range(1000))
        assert kept > 900


def test_the_policy_decides_what_the_access_clock_means(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("SET", "k", "v")
    assert client.error("OBJECT", "FREQ", "k").startswith("ERR An LFU maxmemory policy is not")
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    client("SET", "new", "v")
    assert client("OBJECT", "FREQ", "new") == 5
    assert client.error("OBJECT", "IDLETIME", "new").startswith("ERR An LFU maxmemory policy is")


def test_time_above_the_limit_is_told() -> None:
    with limited("noeviction") as server:
        client = server.client()
        while client.pipeline(("SET", f"key:{client('DBSIZE')}", "v" * 1000)) == [b"OK"]:
            pass
        server.advance(2500)
        told = info(client, "stats")
        assert told["current_eviction_exceeded_time"] == "2500"
        client("FLUSHALL")
        client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        for number in range(5000):
            client("SET", f"key:{number}", "v" * 100)
        told = info(client, "stats")
        assert told["current_eviction_exceeded_time"] == "0"
        assert told["total_eviction_exceeded_time"] == "2500"


def test_tenacity_is_a_time() -> None:
    assert time_limit_ns(0) == 0
    assert time_limit_ns(10) == 500_000
    assert 500_000 < time_limit_ns(11) < time_limit_ns(99)
    assert time_limit_ns(100) > 10**15


def test_what_the_doctor_says() -> None:
    with InProcessServer() as server:
        client = server.client()
        assert b"too little data" in client("MEMORY", "DOCTOR")
        for number in range(100):
            client("SET", f"key:{number}", "v" * 100_000)
        client("INFO", "memory")
        for number in range(40):
            client("DEL", f"key:{number}")
        assert b"Peak:" in client("MEMORY", "DOCTOR")


def test_memory_stats_add_up(client: Client) -> None:
    for number in range(100):
        client("SET", f"key:{number}", "v" * 1000, "EX", "1000")
    flat = client("MEMORY", "STATS")
    told = dict(zip(flat[::2], flat[1::2], strict=True))
    assert told[b"keys.count"] == 100
    assert told[b"keys.bytes-per-key"] > 1000
    assert told[b"total.allocated"] >= told[b"dataset.bytes"] + told[b"overhead.total"] - 1
    assert told[b"db.0"][::2] == [b"overhead.hashtable.main", b"overhead.hashtable.expires"]
