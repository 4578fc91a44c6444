"""What follows this server: a real Redis, redis-cli that fetches a snapshot, a bare connection."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from balas.services.replication.backlog import Backlog
from balas.testing import BalasProcess, Client, RealRedis, check_rdb, wait_until


@pytest.fixture
def balas() -> Iterator[Any]:
    with BalasProcess({"enable-debug-command": "yes"}) as server:
        yield server


@pytest.fixture
def pair(balas: Any) -> Iterator[tuple[Client, Client]]:
    """Clients of this server and of a real Redis that follows it."""
    with ExitStack() as stack:
        primary = stack.enter_context(balas.client())
        for i in range(200):
            primary("SET", f"before:{i}", "x" * i)
        replica = stack.enter_context(RealRedis({"replicaof": f"127.0.0.1 {balas.port}"}))
        client = stack.enter_context(replica.client())
        wait_until(lambda: primary("WAIT", 1, 1) == 1)
        yield primary, client


def equal(pair: tuple[Client, Client]) -> bool:
    primary, replica = pair
    assert primary("WAIT", 1, 5000) == 1
    return primary("DEBUG", "DIGEST") == replica("DEBUG", "DIGEST")


@pytest.mark.oracle
def test_a_real_redis_follows(pair: tuple[Client, Client]) -> None:
    primary, replica = pair
    assert equal(pair)
    assert replica("GET", "before:3") == b"xxx"
    chance = random.Random(7)
    for _ in range(300):
        key = f"k:{chance.randrange(20)}"
        primary("SELECT", chance.randrange(3))
        primary(
            *chance.choice(
                [
                    ("SET", key, chance.random()),
                    ("SET", key, "v", "EX", 1000),
                    ("APPEND", key, "more"),
                    ("DEL", key),
                    ("EXPIRE", key, 500),
                    ("GETEX", key, "PERSIST"),
                    ("MOVE", key, 3),
                    ("COPY", key, "copy", "REPLACE"),
                    ("FLUSHDB",),
                ]
            )
        )
    primary("MULTI")
    primary("SET", "a", 1)
    primary("INCRBYFLOAT", "a", 0.25)
    primary("EXEC")
    assert equal(pair)


@pytest.mark.oracle
def test_a_broken_connection_goes_on_where_it_was(pair: tuple[Client, Client]) -> None:
    primary, replica = pair
    identity = primary("INFO", "replication")
    replica("CLIENT", "KILL", "TYPE", "MASTER")
    for i in range(100):
        primary("SET", f"missed:{i}", i)
    wait_until(lambda: primary("WAIT", 1, 100) == 1, timeout_s=20)
    assert equal(pair)
    assert b"sync_partial_ok" in primary("INFO", "stats")
    first = [line for line in identity.splitlines() if b"master_replid:" in line]
    assert first[0] in primary("INFO", "replication")


@pytest.mark.oracle
def test_role_and_info_tell_of_it(pair: tuple[Client, Client]) -> None:
    primary, replica = pair
    primary("SET", "k", "v")
    assert primary("WAIT", 1, 5000) == 1
    role, offset, followers = primary("ROLE")
    assert (role, followers[0][0]) == (b"master", b"127.0.0.1")
    assert 0 < int(followers[0][2]) <= offset
    text = primary("INFO", "replication").decode()
    assert "connected_slaves:1" in text
    assert "state=online" in text
    assert b"flags=S" in primary("CLIENT", "LIST", "TYPE", "REPLICA")
    assert replica("ROLE")[3] == b"connected"


@pytest.mark.oracle
def test_wait_counts_those_that_have_it(pair: tuple[Client, Client]) -> None:
    primary, _ = pair
    primary("SET", "k", "v")
    assert primary("WAIT", 1, 5000) == 1
    assert primary("WAIT", 2, 20) == 1


@pytest.mark.oracle
def test_writes_are_refused_while_too_few_replicas_are_near(pair: tuple[Client, Client]) -> None:
    primary, replica = pair
    primary("SET", "k", "v")
    assert primary("CONFIG", "SET", "min-replicas-to-write", 1) == b"OK"
    assert primary("SET", "k", "w") == b"OK"
    assert b"min_slaves_good_slaves:1" in primary("INFO", "replication")
    assert primary("CONFIG", "SET", "min-replicas-to-write", 2) == b"OK"
    refusal = "NOREPLICAS Not enough good replicas to write."
    assert primary.error("SET", "k", "x") == refusal
    assert refusal in primary.error("EVAL", "return redis.call('SET', 'k', 'x')", 0)
    assert primary.error("EVAL", "#!lua\nreturn 1", 0) == refusal
    assert primary("GET", "k") == b"w"
    assert primary("CONFIG", "SET", "min-replicas-to-write", 1) == b"OK"
    assert replica("REPLICAOF", "NO", "ONE") == b"OK"
    wait_until(lambda: b"min_slaves_good_slaves:0" in primary("INFO", "replication"))
    assert primary.error("SET", "k", "x") == refusal


@pytest.mark.oracle
def test_redis_cli_fetches_a_snapshot(balas: Any, tmp_path: Path) -> None:
    with balas.client() as client:
        for i in range(50):
            client("SET", f"key:{i}", i)
        path = tmp_path / "fetched.rdb"
        subprocess.run(
            ["redis-cli", "-p", str(balas.port), "--rdb", str(path)],
            check=True,
            capture_output=True,
            timeout=30,
        )
        assert "50 keys read" in check_rdb(path)


def test_sync_sends_a_snapshot_and_then_records(balas: Any) -> None:
    with balas.client() as writer, balas.client() as follower:
        writer("SET", "k", "v")
        follower.send_raw(b"SYNC\r\n")
        data = b""
        while not data.strip().startswith(b"$") or b"\r\n" not in data.lstrip():
            data += follower.transport.receive(10)
        head, _, data = data.lstrip().partition(b"\r\n")
        while len(data) < int(head[1:]):
            data += follower.transport.receive(10)
        assert data.startswith(b"REDIS0012")
        data = data[int(head[1:]) :]
        writer("SELECT", 2)
        writer("SET", "k", "v", "EX", 100)
        while data.count(b"PXAT") < 1:
            data += follower.transport.receive(10)
        assert b"$6\r\nSELECT\r\n$1\r\n2\r\n" in data


def test_psync_names_the_history_and_the_offset(balas: Any) -> None:
    with balas.client() as follower:
        follower.send_raw(b"PSYNC ? -1\r\n")
        data = b""
        while data.count(b"\r\n") < 1:
            data += follower.transport.receive(10)
        word, identity, offset = data.split(b"\r\n")[0].split()
        assert (word, len(identity), offset) == (b"+FULLRESYNC", 40, b"0")
    with balas.client() as client:
        wait_until(lambda: b"connected_slaves:0" in client("INFO", "replication"))
        client("SET", "k", "v")
        with balas.client() as follower:
            follower.send_raw(b"PSYNC %s 1\r\n" % identity)
            data = b""
            while b"SET" not in data:
                data += follower.transport.receive(10)
            assert data.startswith(b"+CONTINUE %s\r\n*2\r\n$6\r\nSELECT" % identity)


def test_nobody_follows(balas: Any) -> None:
    with balas.client() as client:
        assert client("ROLE") == [b"master", 0, []]
        assert client("WAIT", 0, 0) == 0
        assert client("WAIT", 1, 10) == 0
        assert client("REPLICAOF", "NO", "ONE") == b"OK"
        assert client("SLAVEOF", "no", "one") == b"OK"
        assert client("REPLCONF", "listening-port", "1", "capa", "eof") == b"OK"


def test_a_backlog_keeps_the_last_bytes() -> None:
    backlog = Backlog(10, offset=100)
    assert (backlog.first, backlog.offset) == (101, 100)
    assert backlog.holds(101)
    stream = b""
    for i in range(40):
        piece = bytes([65 + i % 26]) * (i % 5 + 1)
        backlog.append(piece)
        stream += piece
        assert backlog.offset == 100 + len(stream)
        assert backlog.length >= min(10, len(stream))
        for position in range(backlog.first, backlog.offset + 2):
            assert backlog.since(position) == stream[position - 101 :]
        assert not backlog.holds(backlog.first - 1)
        assert not backlog.holds(backlog.offset + 2)
    assert backlog.length < 10 + 5
