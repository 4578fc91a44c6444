"""maxmemory through the wire: every policy holds the limit, and says so in the log."""

import random
import re

import pytest

from balas.errors import ReplyError
from balas.services.memory import time_limit_ns
from balas.testing import BalasProcess, Client, InProcessServer, wait_until

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


def test_lowering_the_limit_evicts_by_and_by() -> None:
    with BalasProcess({"bare": "yes"}) as server, server.client() as client:
        limit = used(client) + 20_000
        for number in range(500):
            client("SET", f"key:{number}", "v" * 100)
        client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", limit)
        assert "smaller than the current memory usage" in server.log
        wait_until(lambda: used(client) <= limit)
        assert 0 < client("DBSIZE") < 500


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


# What the log and the doctor tell of full memory.


def test_the_limit_is_told_at_the_start_and_at_every_change() -> None:
    with limited("noeviction") as server:
        client = server.client()
        assert "maxmemory-policy noeviction" in server.log
        assert server.log.count("WARNING: with maxmemory and the policy noeviction") == 1
        client("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "maxmemory", "100mb")
        assert "Memory: maxmemory 100.00M, maxmemory-policy allkeys-lfu" in server.log
        client("CONFIG", "SET", "maxmemory", "0")
        assert "Memory: no limit (maxmemory 0); maxmemory-policy allkeys-lfu" in server.log
        assert server.log.count("WARNING: with maxmemory") == 1


def fill(client: Client) -> None:
    """Hashes, then one long string, until memory is full."""
    for number in range(300):
        client("HSET", f"hash:{number}", *(f"field:{n}" for n in range(20)))
    refusals: list[object] = []
    while not refusals:
        reply = client.pipeline(("APPEND", "long", "x" * 10_000))[0]
        refusals += [reply] if isinstance(reply, ReplyError) else []
    assert str(refusals[0]).startswith("OOM")


def test_full_memory_names_who_takes_it() -> None:
    with limited("noeviction") as server:
        client = server.client()
        fill(client)
        assert server.log.count("Out of memory: ") == 1
        line = next(line for line in server.log.splitlines() if "Out of memory: " in line)
        assert "the policy noeviction finds nothing to evict" in line
        assert "keys " in line
        assert line.index("string ") < line.index("hash ")
        assert "The largest key looked at is 'long', a string of " in line
        client.error("SET", "more", "x")
        assert server.log.count("Out of memory: ") == 1
        server.advance(60_001)
        client.error("SET", "more", "x")
        assert server.log.count("Out of memory: ") == 2
        told = client("MEMORY", "DOCTOR").decode()
        assert told.startswith("Full: ")
        assert "'long'" in told
        client("CONFIG", "SET", "hide-user-data-from-log", "yes")
        assert "'long'" not in client("MEMORY", "DOCTOR").decode()


def test_shares_are_estimated_where_there_are_many_keys() -> None:
    with InProcessServer() as server:
        client = server.client()
        client.pipeline(*(("SET", f"s:{n}", "v" * 3000) for n in range(3000)))
        client.pipeline(*(("RPUSH", f"l:{n}", "v" * 1000) for n in range(3000)))
        told = client("MEMORY", "DOCTOR").decode()
        found = re.search(r"keys ([\d.]+)M \(about string ([\d.]+)M, list ([\d.]+)M\)", told)
        assert found is not None, told
        total, strings, lists = map(float, found.groups())
        assert strings + lists == pytest.approx(total, abs=0.1)
        assert strings / lists == pytest.approx(3, rel=0.3)


def test_indexes_of_modules_are_named() -> None:
    with InProcessServer() as server:
        client = server.client()
        client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
        client.pipeline(
            *(("HSET", f"d:{n}", "t", f"word{n} " + "text " * 100) for n in range(3000))
        )
        client.pipeline(*(("SET", f"s:{n}", "v" * 3000) for n in range(1500)))
        assert "search indexes " in client("MEMORY", "DOCTOR").decode()


# maxmemory-clients.


def test_the_largest_clients_go_first() -> None:
    with InProcessServer() as server:
        admin = server.client()
        admin("CLIENT", "NO-EVICT", "ON")
        clients = [server.client() for _ in range(4)]
        for number, client in enumerate(clients):
            client("PING")
            client("MULTI")
            client("SET", "k", "x" * (200_000 * (number + 1)))
        clients[3]("DISCARD")
        clients[3]("CLIENT", "NO-EVICT", "ON")
        clients[3]("MULTI")
        clients[3]("SET", "k", "x" * 2_000_000)
        admin("CONFIG", "SET", "maxmemory-clients", "900k")
        server.advance(200)
        assert info(admin, "stats")["evicted_clients"] == "1"
        assert [client("PING") for client in clients[:2]] == [b"QUEUED"] * 2
        with pytest.raises(ConnectionError):
            clients[2]("PING")
        assert clients[3]("EXEC") == [b"OK"]
        assert "Evicting client: id=" in server.log
        admin("CONFIG", "SET", "maxmemory-clients", "0")
        server.advance(200)
        assert info(admin, "stats")["evicted_clients"] == "1"


def test_a_share_of_maxmemory_for_clients() -> None:
    with InProcessServer() as server:
        admin, other = server.client(), server.client()
        admin("CLIENT", "NO-EVICT", "ON")
        other("MULTI")
        other("SET", "k", "x" * 500_000)
        admin("CONFIG", "SET", "maxmemory-clients", "1%")
        server.advance(200)
        assert other("PING") == b"QUEUED"
        admin("CONFIG", "SET", "maxmemory", "20mb")
        server.advance(200)
        assert info(admin, "stats")["evicted_clients"] == "1"
