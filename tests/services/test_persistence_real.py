"""Our files in the real Redis, and its own in ours: snapshots and logs."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy2
from typing import Any

import pytest

from balas.testing import BalasProcess, Client, RealRedis, check_aof, check_rdb, wait_until

pytestmark = pytest.mark.oracle

LATER_MS = 4_000_000_000_000
LOGGING = {"appendonly": "yes"}
FOLDER = "appendonlydir"
MANIFEST = f"{FOLDER}/appendonly.aof.manifest"

# Every encoding of a string, at the limits between them, with and without a time to live.
STRINGS: dict[bytes, bytes] = {
    b"zero": b"0",
    b"int8": b"-128",
    b"int16": b"32767",
    b"int32": b"2147483647",
    b"int64": b"9223372036854775807",
    b"beyond": b"9223372036854775808",
    b"leading zero": b"007",
    b"empty": b"",
    b"embedded": b"x" * 44,
    b"raw": b"x" * 45,
    b"inline": b"y" * 256,
    b"object": b"z" * 257,
    b"compressible": b"ab" * 20_000,
    b"noise": bytes(range(256)) * 3,
    bytes(range(256)): b"binary key",
    b"": b"empty key",
}

# A server on a folder, with options.
Start = Callable[..., Any]


def balas(folder: Path, **options: Any) -> BalasProcess:
    return BalasProcess({"enable-debug-command": "yes", **options}, directory=folder)


def real(folder: Path, **options: Any) -> RealRedis:
    return RealRedis(options, directory=folder)


BOTH_WAYS = [pytest.param(balas, real, id="ours-real"), pytest.param(real, balas, id="real-ours")]


def collections() -> Iterator[tuple[Any, ...]]:
    """A collection of each type, small and large, so that every encoding is there."""
    for name, size in (("small", 5), ("large", 2000)):
        words = [f"{name}:{i}" for i in range(size)]
        pairs = [word for i, text in enumerate(words) for word in (text, f"value {i}")]
        yield "RPUSH", f"list {name}", *words
        yield "SADD", f"set {name}", *words
        yield "SADD", f"numbers {name}", *(i * 3 for i in range(size))
        yield "HSET", f"hash {name}", *pairs
        yield "HSET", f"fields {name}", *pairs
        yield "HPEXPIREAT", f"fields {name}", LATER_MS, "FIELDS", 2, words[0], words[3]
        yield "ZADD", f"zset {name}", *(w for i, text in enumerate(words) for w in (i / 3, text))
        yield "PFADD", f"hll {name}", *words, *range(50)
        for i in range(size):
            yield "XADD", f"stream {name}", f"{i + 1}-{i}", "field", i, "other", f"x{i}"
        yield "XGROUP", "CREATE", f"stream {name}", "group", "2"
        yield "XREADGROUP", "GROUP", "group", "me", "COUNT", 3, "STREAMS", f"stream {name}", ">"
        yield "XDEL", f"stream {name}", "4-3"
        yield "EXPIREAT", f"list {name}", LATER_MS // 1000
    yield "RPUSH", "long elements", "x" * 100_000, "y" * 70, "z" * 10_000
    yield "GEOADD", "places", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"
    yield "SETBIT", "bits", 1000, 1


def fill(client: Client) -> None:
    for command in collections():
        client(*command)
    for key, value in STRINGS.items():
        client("SET", key, value)
        client("SET", key + b" timed", value, "PXAT", LATER_MS)
    client("SETRANGE", "ranged", 300, "abc")
    for number in (1, 15):
        client("SELECT", number)
        client("SET", "here", number)
        client("INCR", "here")
    client("SELECT", 0)


def look(client: Client) -> dict[Any, Any]:
    """Every key of every database with its value, its encoding and its expiry time."""
    found = {}
    for number in range(16):
        client("SELECT", number)
        for key in sorted(client("KEYS", "*")):
            found[number, key] = (
                client("DEBUG", "DIGEST-VALUE", key),
                client("OBJECT", "ENCODING", key),
                client("PEXPIRETIME", key),
            )
    client("SELECT", 0)
    return found


@pytest.fixture(autouse=True)
def _real_server(real_servers: Callable[..., RealRedis]) -> None:
    """Skip all of this where there is none."""
    real_servers()


@contextmanager
def connected(server: Any) -> Iterator[Client]:
    with server, server.client() as client:
        yield client


@pytest.mark.parametrize(("writes", "reads"), BOTH_WAYS)
@pytest.mark.parametrize("compression", ["yes", "no"])
def test_a_snapshot_is_read_by_the_other(
    tmp_path: Path, writes: Start, reads: Start, compression: str
) -> None:
    with connected(writes(tmp_path, rdbcompression=compression)) as client:
        fill(client)
        client("SAVE")
        before = look(client)
    assert "RDB looks OK" in check_rdb(tmp_path / "dump.rdb")
    with connected(reads(tmp_path)) as client:
        assert look(client) == before
        assert len(before) > 2 * len(STRINGS)


@pytest.mark.parametrize(("writes", "reads"), BOTH_WAYS)
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_log_is_read_and_continued_by_the_other(
    tmp_path: Path, writes: Start, reads: Start, preamble: str
) -> None:
    """A base, an increment that goes on from it, and what the other one adds."""
    options = {**LOGGING, "aof-use-rdb-preamble": preamble, "aof-timestamp-enabled": "yes"}
    with connected(writes(tmp_path, **options)) as client:
        fill(client)
        client("BGREWRITEAOF")
        wait_for_rewrite(client)
        client.pipeline(["MULTI"], ["INCR", "zero"], ["APPEND", "raw", "more"], ["EXEC"])
        client("SET", "soon", "gone", "PX", 1)
        wait_until(lambda: client("GET", "soon") is None)
        client("DEL", "noise")
        client("SELECT", 3)
        client("INCR", "counter")
        before = look(client)
    assert "valid" in check_aof(tmp_path / MANIFEST)
    with connected(reads(tmp_path, **options)) as client:
        assert look(client) == before
        client("INCR", "zero")
        before = look(client)
    with connected(writes(tmp_path, **options)) as client:
        assert look(client) == before
        assert client("GET", "zero") == b"2"


def wait_for_rewrite(client: Client) -> None:
    wait_until(lambda: b"aof_rewrite_in_progress:0" in client("INFO", "persistence"))


@pytest.mark.parametrize(("writes", "reads"), BOTH_WAYS)
def test_filters_are_read_by_the_other(
    tmp_path: Path, real_servers: Callable[..., RealRedis], writes: Start, reads: Start
) -> None:
    real_servers("bloom")  # Skips the test where there is none.

    def start(kind: Start) -> Any:
        if kind is balas:
            return balas(tmp_path, **LOGGING)
        return RealRedis(LOGGING, directory=tmp_path, modules=["bloom"])

    with connected(start(writes)) as client:
        client("BF.RESERVE", "filter", "0.001", 100)
        for number in range(300):
            client("BF.ADD", "filter", number)
        client("PEXPIREAT", "filter", LATER_MS)
        client("SAVE")
        client("BGREWRITEAOF")
        wait_for_rewrite(client)
        client("BF.ADD", "filter", "more")
        info = client("BF.INFO", "filter")
    check_rdb(tmp_path / "dump.rdb")
    check_aof(tmp_path / MANIFEST)
    with connected(start(reads)) as client:
        assert client("BF.INFO", "filter") == info
        assert client("BF.EXISTS", "filter", "more") == 1
        assert all(client("BF.EXISTS", "filter", number) for number in range(300))
        assert client("PEXPIRETIME", "filter") == LATER_MS


def test_a_log_cut_off_anywhere_loads_to_the_same_in_both(tmp_path: Path) -> None:
    """Though not to the same size: Redis leaves the beginning of a transaction in its file."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with connected(balas(tmp_path, **LOGGING)) as client:
        client("SET", "a", "12345")
        client.pipeline(["MULTI"], ["INCR", "a"], ["INCR", "b"], ["EXEC"])
        client("INCR", "a")
    data = (tmp_path / FOLDER / "appendonly.aof.1.incr.aof").read_bytes()
    for size in (len(data) - 1, data.index(b"EXEC"), 30):
        results = []
        for folder, start in ((ours, balas), (theirs, real)):
            os.makedirs(folder / FOLDER, exist_ok=True)
            for name in os.listdir(tmp_path / FOLDER):
                copy2(tmp_path / FOLDER / name, folder / FOLDER / name)
            increment = folder / FOLDER / "appendonly.aof.1.incr.aof"
            increment.write_bytes(data[:size])
            with connected(start(folder, **LOGGING)) as client:
                results.append(look(client))
        assert results[0] == results[1], size
