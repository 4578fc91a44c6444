"""The module in a server: log, restarts, memory, eviction, exchange with the real module."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from balas.testing import BalasProcess, Client, InProcessServer, RealRedis, Typed, wait_until

COMMANDS = [
    "JSON.ARRAPPEND",
    "JSON.ARRINDEX",
    "JSON.ARRINSERT",
    "JSON.ARRLEN",
    "JSON.ARRPOP",
    "JSON.ARRTRIM",
    "JSON.CLEAR",
    "JSON.DEBUG",
    "JSON.DEL",
    "JSON.FORGET",
    "JSON.GET",
    "JSON.MERGE",
    "JSON.MGET",
    "JSON.MSET",
    "JSON.NUMINCRBY",
    "JSON.NUMMULTBY",
    "JSON.NUMPOWBY",
    "JSON.OBJKEYS",
    "JSON.OBJLEN",
    "JSON.RESP",
    "JSON.SET",
    "JSON.STRAPPEND",
    "JSON.STRLEN",
    "JSON.TOGGLE",
    "JSON.TYPE",
]
DOCUMENT = (
    '{"a":[1,2.5,"x\\u00e9\\n",null,true,18446744073709551615],"b":{"c":{}},"d":-0.0,"e":1e100}'
)
WIDE = '{"list":[' + ",".join(str(i) for i in range(5000)) + '],"text":"' + "long " * 5000 + '"}'


def used_memory(client: Client) -> int:
    lines = client("INFO", "memory").splitlines()
    return int(dict(line.split(b":", 1) for line in lines if b":" in line)[b"used_memory"])


@pytest.fixture
def records(balas_server: InProcessServer) -> Iterator[list[tuple[bytes, ...]]]:
    """What goes to the log and to replicas."""
    seen: list[tuple[bytes, ...]] = []

    def sink(records: list[tuple[int, tuple[bytes, ...]]]) -> None:
        seen.extend(argv for _, argv in records)

    balas_server.engine.changes.add_sink(sink)
    yield seen
    balas_server.engine.changes.remove_sink(sink)


def test_the_module_is_called_as_the_real_one(client: Client) -> None:
    names = {row[1]: row[3] for row in client("MODULE", "LIST")}
    assert names[b"ReJSON"] == 20803
    found = client("COMMAND", "LIST", "FILTERBY", "MODULE", "ReJSON")
    assert sorted(found) == sorted(name.lower().encode() for name in COMMANDS)
    assert set(client("COMMAND", "LIST", "FILTERBY", "ACLCAT", "json")) == set(found)


def test_commands_are_described_as_the_real_ones(
    balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    with balas_server.client() as ours, real_servers("json").client() as theirs:
        for name in COMMANDS:
            mine, real = (one("COMMAND", "INFO", name)[0] for one in (ours, theirs))
            assert mine[:2] == real[:2]
            assert set(real[2]) - {b"module"} <= set(mine[2]), name
            assert mine[3:6] == real[3:6], name


def test_changes_are_recorded_as_they_came(
    client: Client, records: list[tuple[bytes, ...]]
) -> None:
    client("JSON.SET", "k", "$", '{"a":1}')
    client("JSON.NUMINCRBY", "k", "$.a", 1)
    client("JSON.SET", "k", "$.x.y", 1)
    client("JSON.SET", "k", "$.a", 1, "NX")
    client("JSON.CLEAR", "k", "$.nope")
    client("JSON.GET", "k")
    client("JSON.DEL", "k")
    client("JSON.DEL", "k")
    assert records == [
        (b"JSON.SET", b"k", b"$", b'{"a":1}'),
        (b"JSON.NUMINCRBY", b"k", b"$.a", b"1"),
        (b"JSON.DEL", b"k"),
    ]


def test_an_expiry_time_is_recorded_as_a_moment(
    balas_server: InProcessServer, client: Client, records: list[tuple[bytes, ...]]
) -> None:
    moment = balas_server.engine.clock.now_ms + 5000
    client("JSON.SET", "k", "$", "1", "NX", "EX", 5)
    assert records == [
        (b"JSON.SET", b"k", b"$", b"1"),
        (b"PEXPIREAT", b"k", b"%d" % moment),
    ]
    assert client("PTTL", "k") == 5000
    balas_server.advance(5001)
    assert client("EXISTS", "k") == 0


def test_nothing_but_a_change_breaks_a_watch(balas_server: InProcessServer) -> None:
    client, watcher = balas_server.client(), balas_server.client()
    client("JSON.SET", "k", "$", '{"a":1}')
    watcher("WATCH", "k")
    client("JSON.TOGGLE", "k", "$.a")
    client("JSON.GET", "k")
    watcher("MULTI")
    watcher("JSON.GET", "k")
    assert watcher("EXEC") == [b'{"a":1}']


def test_documents_survive_a_restart(tmp_path: object) -> None:
    for appendonly in ("yes", "no"):
        options = {"appendonly": appendonly}
        with InProcessServer(options, directory=tmp_path) as server:  # type: ignore[arg-type]
            client = server.client()
            client("FLUSHALL")
            client("JSON.SET", "k", "$", DOCUMENT)
            client("JSON.SET", "wide", "$", WIDE, "EX", 1000)
            client("JSON.ARRAPPEND", "k", "$.a", '"more"')
            expected = [client("JSON.GET", key) for key in ("k", "wide")]
            if appendonly == "no":
                client("SAVE")
            server.restart()
            client = server.client()
            assert [client("JSON.GET", key) for key in ("k", "wide")] == expected
            assert 0 < client("TTL", "wide") <= 1000


def test_memory_follows_the_document(balas_server: InProcessServer, client: Client) -> None:
    client("JSON.SET", "k", "$", "[]")
    empty = client("MEMORY", "USAGE", "k")
    client("JSON.ARRAPPEND", "k", "$", '"' + "x" * 10_000 + '"')
    full = client("MEMORY", "USAGE", "k")
    assert 10_000 <= full - empty <= 13_000
    client("JSON.ARRPOP", "k", "$")
    assert client("MEMORY", "USAGE", "k") <= empty + 64
    balas_server.engine.databases[0].check_invariants()


def test_names_count_as_used_memory(balas_server: InProcessServer, client: Client) -> None:
    balas_server.advance(1000)
    before = balas_server.engine.account.other
    members = ",".join(f'"a name that is used once {i}":1' for i in range(1000))
    client("JSON.SET", "k", "$", "{" + members + "}")
    balas_server.advance(1000)
    assert balas_server.engine.account.other - before > 30_000
    client("DEL", "k")
    balas_server.advance(1000)
    assert balas_server.engine.account.other - before < 30_000


def test_the_memory_of_names_comes_back_with_the_last_document() -> None:
    with BalasProcess() as server, server.client() as client:
        empty = used_memory(client)
        names = ",".join(f'"a name that is used once {i}":1' for i in range(50_000))
        client("JSON.SET", "k", "$", "{" + names + "}")
        wait_until(lambda: used_memory(client) > empty + 3_000_000)
        client("DEL", "k")
        wait_until(lambda: used_memory(client) < empty + 200_000)


def test_documents_are_evicted(balas_server: InProcessServer, client: Client) -> None:
    used = used_memory(client)
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", used + 500_000)
    for number in range(100):
        client("JSON.SET", f"k{number}", "$", '["' + "x" * 20_000 + '"]')
    assert 5 < client("DBSIZE") < 40


@pytest.mark.parametrize("text", [DOCUMENT, WIDE, "1", '""', "[]", "{}", '{"":{"":[""]}}'])
def test_what_one_server_dumps_the_other_restores(
    text: str, client: Client, real_servers: Callable[..., RealRedis]
) -> None:
    with real_servers("json").client() as real:
        real("FLUSHALL")
        real("JSON.SET", "theirs", "$", text)
        client("JSON.SET", "ours", "$", text)
        client("RESTORE", "theirs", 0, real("DUMP", "theirs"))
        real("RESTORE", "ours", 0, client("DUMP", "ours"))
        expected = real("JSON.GET", "theirs")
        assert [client("JSON.GET", key) for key in ("ours", "theirs")] == [expected] * 2
        assert real("JSON.GET", "ours") == expected


def test_documents_of_any_depth_pass_to_and_fro(
    client: Client, real_servers: Callable[..., RealRedis]
) -> None:
    with real_servers("json").client() as real:
        real("FLUSHALL")
        for one in (client, real):
            one("JSON.SET", "k", "$", "[" * 100 + "]" * 100)
            one("JSON.ARRAPPEND", "k", "$" + "[0]" * 99, "[" * 100 + "]" * 100)
        real("RESTORE", "ours", 0, client("DUMP", "k"))
        client("RESTORE", "theirs", 0, real("DUMP", "k"))
        assert real("JSON.GET", "ours") == client("JSON.GET", "theirs") == real("JSON.GET", "k")


def test_a_search_index_learns_of_every_change(balas_server: InProcessServer) -> None:
    heard: list[tuple[int, bytes, str]] = []
    balas_server.engine.changes.add_listener(heard.extend)
    client = balas_server.client()
    client("JSON.SET", "k", "$", '{"a":1,"l":[1]}')
    client("JSON.MSET", "k", "$.a", 2, "m", "$", 3)
    client("JSON.ARRPOP", "k", "$.l")
    client("JSON.DEL", "m")
    assert [event for event in heard if event[2] != "new"] == [
        (0, b"k", "json.set"),
        (0, b"k", "json.mset"),
        (0, b"m", "json.mset"),
        (0, b"k", "json.arrpop"),
        (0, b"m", "json.del"),
    ]


def test_replies_of_resp3(balas_server: InProcessServer) -> None:
    client = balas_server.client(resp=3, typed=True)
    client("JSON.SET", "k", "$", '{"a":1,"b":1.5}')
    reply: Typed = client("JSON.NUMINCRBY", "k", "$.*", "1")
    assert str(reply) == "[2, double 2.5]"
