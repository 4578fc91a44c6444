"""DEBUG, against the real server where it has the same."""

import signal
from collections.abc import Iterator

import pytest

from balas.commands.debug import SUBCOMMANDS
from balas.testing import BalasProcess, Both, Client, InProcessServer, RealRedis

KINDS = [
    *("string", "integer", "double", "bignum", "null", "array", "set", "map", "verbatim"),
    *("true", "false", "attrib", "push"),
]


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer({"enable-debug-command": "yes"}) as server:
        yield server


@pytest.fixture
def pair(server: InProcessServer, real_redis: RealRedis) -> Iterator[Both]:
    with Both(server, real_redis) as pair:
        yield pair


def test_digests_are_redis_s(pair: Both) -> None:
    pair("DEBUG", "DIGEST")
    for argv in (
        ("SET", "k", "v"),
        ("SET", "number", "-12345"),
        ("SET", "", ""),
        ("SET", "long", "x" * 10_000),
        ("SET", "expires", "v", "EX", "1000"),
        ("APPEND", "long", "\x00\xff"),
        ("SELECT", "2"),
        ("SET", "k", "v"),
        ("SELECT", "0"),
    ):
        pair(*argv)
        pair("DEBUG", "DIGEST")
    pair("DEBUG", "DIGEST-VALUE", "k", "number", "long", "expires", "missing", "")
    pair("DEBUG", "DIGEST-VALUE")
    pair("SELECT", "2")
    pair("DEBUG", "DIGEST-VALUE", "k", "number")
    pair("SWAPDB", "0", "2")
    pair("DEBUG", "DIGEST")


def test_replies_are_redis_s(pair: Both) -> None:
    for argv in (
        ("DEBUG",),
        ("DEBUG", "nothing"),
        ("DEBUG", "OBJECT"),
        ("DEBUG", "OBJECT", "missing"),
        ("DEBUG", "SLEEP", "0"),
        ("DEBUG", "SLEEP", "x"),
        ("DEBUG", "SLEEP", "0.01", "0.01"),
        ("DEBUG", "SET-ACTIVE-EXPIRE", "1"),
        ("DEBUG", "POPULATE", "3"),
        ("GET", "key:2"),
        ("DEBUG", "POPULATE", "5", "key", "3"),
        ("MGET", "key:0", "key:2", "key:4"),
        ("DEBUG", "POPULATE", "2", "long", "12"),
        ("MGET", "long:0", "long:1"),
        ("DEBUG", "POPULATE", "x"),
        ("DEBUG", "POPULATE", "2", "p", "x"),
        ("DBSIZE",),
        ("DEBUG", "CHANGE-REPL-ID"),
        ("DEBUG", "ERROR", "MYCODE some text"),
        ("DEBUG", "ERROR", "text"),
        ("DEBUG", "LOG", "text"),
        ("DEBUG", "RELOAD", "nothing"),
        ("DEBUG", "PROTOCOL", "nothing"),
        ("DEBUG", "JMAP"),
        ("SET", "number", "12"),
        ("RPUSH", "list", "a"),
        ("DEBUG", "SDSLEN"),
        ("DEBUG", "SDSLEN", "number"),
        ("DEBUG", "SDSLEN", "list"),
        ("DEBUG", "SDSLEN", "missing"),
        ("DEBUG", "HTSTATS", "15"),
        ("DEBUG", "HTSTATS", "99"),
        ("DEBUG", "HTSTATS", "x"),
        ("DEBUG", "INTERNAL_SECRET"),
        ("SCRIPT", "LOAD", "return 1"),
        ("DEBUG", "SCRIPT", "LIST"),
        ("DEBUG", "SCRIPT", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
        ("debug", "script", "x"),
        ("DEBUG", "SCRIPT", "x" * 40),
    ):
        pair(*argv)


@pytest.mark.parametrize("resp", [2, 3])
def test_values_of_every_kind_are_redis_s(
    server: InProcessServer, real_redis: RealRedis, resp: int
) -> None:
    with Both(server, real_redis, resp) as pair:
        for kind in KINDS:
            pair("DEBUG", "PROTOCOL", kind)


def test_an_object_is_described_as_by_redis(pair: Both) -> None:
    def described(text: bytes) -> list[bytes]:
        return [word for word in text.split() if word.startswith((b"refc", b"enc", b"serial"))]

    for value in ("v", "123", "x" * 44, "x" * 45, "abc" * 1000):
        with pair.real.client() as real:
            ours = pair.balas.client()
            for client in (real, ours):
                client("CONFIG", "SET", "rdbcompression", "no")
                client("SET", "k", value)
            assert described(ours("DEBUG", "OBJECT", "k")) == described(
                real("DEBUG", "OBJECT", "k")
            )
            real("CONFIG", "SET", "rdbcompression", "yes")


def test_keys_that_debug_makes_leave_no_record(server: InProcessServer) -> None:
    units: list[object] = []
    server.engine.changes.add_sink(units.append)
    server.client()("DEBUG", "POPULATE", "10")
    assert units == []


def test_reload_keeps_the_data(server: InProcessServer) -> None:
    client = server.client()
    client("SET", "k", "v")
    client("SET", "e", "v", "EX", "1000")
    before = client("DEBUG", "DIGEST")
    assert client("DEBUG", "RELOAD") == b"OK"
    assert client("DEBUG", "DIGEST") == before
    client("SET", "new", "v")
    assert client("DEBUG", "RELOAD", "NOSAVE") == b"OK"
    assert client("DEBUG", "DIGEST") == before
    client("SET", "new", "v")
    client("SET", "k", "other")
    assert client("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == b"OK"
    assert (client("GET", "new"), client("GET", "k")) == (b"v", b"v")


def test_a_reload_without_a_good_file_is_an_error(server: InProcessServer) -> None:
    client = server.client()
    client("SET", "k", "v")
    (server.directory / "dump.rdb").write_bytes(b"REDIS0011nonsense")
    assert client.error("DEBUG", "RELOAD", "NOSAVE").startswith("ERR Error trying to load the RDB")
    assert client("PING") == b"PONG"


def test_loadaof_replays_the_log() -> None:
    with InProcessServer({"enable-debug-command": "yes", "appendonly": "yes"}) as server:
        client = server.client()
        client("SET", "k", "v")
        before = client("DEBUG", "DIGEST")
        assert client("DEBUG", "LOADAOF") == b"OK"
        assert client("DEBUG", "DIGEST") == before


@pytest.mark.parametrize(
    ("allowed", "address", "text"),
    [
        ("no", "127.0.0.1:1", "ERR DEBUG command not allowed"),
        ("local", "127.0.0.1:1", ""),
        ("local", "10.0.0.1:1", "ERR DEBUG command not allowed"),
        ("yes", "10.0.0.1:1", ""),
    ],
)
def test_debug_is_for_those_who_may(allowed: str, address: str, text: str) -> None:
    with InProcessServer({"enable-debug-command": allowed}) as server:
        client = server.client()
        server.engine.clients[1].address = address
        reply = client.pipeline(("DEBUG", "SLEEP", "0"))[0]
        assert str(reply).startswith(text) if text else reply == b"OK"


def test_what_debug_can_do_is_listed(server: InProcessServer) -> None:
    lines = server.client()("DEBUG", "HELP")
    assert b"DIGEST" in lines


def test_lengths_and_tables_are_told(pair: Both) -> None:
    pair("SET", "key", "x" * 100)

    def told(client: Client) -> tuple[list[bytes], bytes]:
        lengths = client("DEBUG", "SDSLEN", "key").split(b", ")
        tables = client("DEBUG", "HTSTATS", "0")
        return [lengths[0], lengths[3]], tables.partition(b"number of elements: ")[2][:1]

    with pair.real.client() as real:
        assert (
            told(pair.balas.client())
            == told(real)
            == (
                [b"key_sds_len:3", b"val_sds_len:100"],
                b"1",
            )
        )


def test_what_only_redis_has_is_refused_and_the_rest_is_helped_with(
    server: InProcessServer,
) -> None:
    client = server.client()
    assert client.error("DEBUG", "QUICKLIST", "k").startswith("ERR DEBUG QUICKLIST is about")
    shown = {line.split()[0].lower() for line in client("DEBUG", "HELP") if line[:1] != b" "}
    assert shown - {b"debug"} == set(SUBCOMMANDS)


@pytest.mark.parametrize(
    ("word", "number"), [("SEGFAULT", signal.SIGSEGV), ("PANIC", signal.SIGABRT)]
)
def test_a_server_is_crashed_on_purpose(word: str, number: signal.Signals) -> None:
    with BalasProcess({"enable-debug-command": "yes"}) as server:
        with pytest.raises((OSError, EOFError)), server.client() as client:
            client("DEBUG", word)
        assert server.wait_for_exit() == -number
