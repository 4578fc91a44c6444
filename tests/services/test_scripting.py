"""Scripts and functions in a server of its own: kept with the data, ended if they spin."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from balas.testing import BalasProcess, Client, InProcessServer, RealRedis, wait_until

LIBRARY = """#!lua name=mylib
redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
redis.register_function('spin', function() while true do end end)"""
SPIN = "while true do end"
WRITE_AND_SPIN = "redis.call('SET', 'k', 'v'); while true do end"


@pytest.fixture
def balas() -> Iterator[Any]:
    options = {"appendonly": "yes", "enable-debug-command": "yes", "busy-reply-threshold": "20"}
    with BalasProcess(options) as server:
        yield server


def error_of(client: Client, *argv: object) -> str:
    """The error that a command is answered with; empty for another reply."""
    client.send(*argv)
    reply = client.read()
    return str(reply) if isinstance(reply, Exception) else ""


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_functions_are_kept_with_the_data(balas: Any, preamble: str) -> None:
    with balas.client() as client:
        client("CONFIG", "SET", "aof-use-rdb-preamble", preamble)
        client("FUNCTION", "LOAD", LIBRARY)
        client("DEBUG", "RELOAD")
        assert client("FCALL", "put", 1, "k", "snapshot") == b"OK"
        client("DEBUG", "LOADAOF")
        assert client("GET", "k") == b"snapshot"
        client("BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in client("INFO", "persistence"))
        client("DEBUG", "LOADAOF")
        assert client("FCALL", "put", 1, "k", "log") == b"OK"


@pytest.mark.oracle
def test_a_real_redis_takes_the_libraries(balas: Any) -> None:
    with RealRedis() as real, real.client() as theirs, balas.client() as ours:
        ours("FUNCTION", "LOAD", LIBRARY)
        assert theirs("FUNCTION", "RESTORE", ours("FUNCTION", "DUMP")) == b"OK"
        ours("FUNCTION", "FLUSH")
        assert ours("FUNCTION", "RESTORE", theirs("FUNCTION", "DUMP")) == b"OK"
        assert ours("FCALL", "put", 1, "k", "v") == b"OK"


def test_what_is_set_aside_goes_on_in_its_own_database(balas: Any) -> None:
    script = (
        "redis.call('SELECT', 3) for i = 1, tonumber(ARGV[1]) do redis.call('INCR', 'n') end "
        "return redis.call('GET', 'n')"
    )
    with balas.client() as client:
        assert client("EVAL", script, 0, 200_000) == b"200000"
        assert "Slow script detected" in balas.log
        assert client("GET", "n") is None
        client("SELECT", 3)
        assert client("GET", "n") == b"200000"


@pytest.mark.parametrize(
    ("argv", "kind", "other"),
    [(("EVAL", SPIN, 0), "SCRIPT", "FUNCTION"), (("FCALL", "spin", 0), "FUNCTION", "SCRIPT")],
)
def test_what_spins_can_be_ended(
    balas: Any, argv: tuple[object, ...], kind: str, other: str
) -> None:
    with balas.client() as spinning, balas.client() as client:
        client("FUNCTION", "LOAD", LIBRARY)
        spinning.send(*argv)
        wait_until(lambda: error_of(client, "PING").startswith("BUSY"))
        assert f"call {kind} KILL" in error_of(client, "GET", "k")
        assert error_of(client, other, "KILL").startswith("BUSY")
        assert client(kind, "KILL") == b"OK"
        assert "killed by user with SCRIPT KILL..." in str(spinning.read())
        assert client("PING") == b"PONG"
        assert error_of(client, kind, "KILL").startswith("NOTBUSY")


def test_who_has_written_is_ended_by_shutdown_alone(balas: Any) -> None:
    with balas.client() as spinning, balas.client() as client:
        spinning.send("EVAL", WRITE_AND_SPIN, 0)
        wait_until(lambda: error_of(client, "PING").startswith("BUSY"))
        assert error_of(client, "SCRIPT", "KILL").startswith("UNKILLABLE")
        client.send("SHUTDOWN", "NOSAVE")
        with pytest.raises(ConnectionError):
            client.read()


ESCAPES = (
    "rawset(redis, 'call', 1)",
    "rawset(string, 'len', 1)",
    "rawset(_G, 'x', 1)",
    "table.insert(redis, 1)",
    "getmetatable('').__index.len = 1",
    "getmetatable(_G).__index.x = 1",
    "setmetatable(_G, {})",
    "setmetatable(redis, {})",
    "redis.call.x = 1",
    "return python.eval('1')",
    "return debug.getinfo(1)",
    "return io.open('/etc/passwd')",
    "return os.execute('true')",
    "return loadstring(string.dump(function() end))()",
    "return require('os')",
    "return dofile('x')",
    "return getfenv(0)",
    "return setfenv(1, {})",
    "return newproxy(true)",
)


@pytest.mark.parametrize("code", ESCAPES)
def test_a_script_stays_in_its_box(code: str, balas_server: InProcessServer) -> None:
    client = balas_server.client()
    assert client.error("EVAL", code, 0)
    assert client("EVAL", "return string.len('abc')", 0) == 3
    assert client("EVAL", "return ('abc'):len()", 0) == 3
    assert client("EVAL", "return redis.call('ECHO', 'x')", 0) == b"x"
    assert client.error("EVAL", "return x", 0)


def test_a_table_that_holds_itself_is_told_up_to_the_limit(balas: Any) -> None:
    """Redis 8.2.3 goes 7,995 tables deep, and puts an error where it stops."""
    with balas.client() as client:
        with socket.create_connection(("127.0.0.1", balas.port), timeout=10) as link:
            link.sendall(b"EVAL 'local t = {} t[1] = t return t' 0\r\nQUIT\r\n")
            reply = b"".join(iter(lambda: link.recv(1 << 16), b""))
        assert b"*1\r\n-ERR reached lua stack limit\r\n" in reply
        assert 7_000 < reply.count(b"*1\r\n") < 8_000
        assert client("PING") == b"PONG"
