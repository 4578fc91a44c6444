"""Series in the keyspace: the label index and rules follow all that happens to keys; what is
recorded, what is told, who may read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from balas.testing import Client, InProcessServer

RULE = ("AGGREGATION", "sum", 10)


@pytest.fixture
def client(balas_server: InProcessServer) -> Client:
    return balas_server.client()


def found(client: Client, *filters: str) -> list[bytes]:
    names: list[bytes] = client("TS.QUERYINDEX", *(filters or ("a=b",)))
    return names


def ends(client: Client, key: str) -> tuple[bytes | None, list[bytes]]:
    """The source of a series, and the destinations of its rules."""
    info = client("TS.INFO", key)
    fields = dict(zip(info[::2], info[1::2], strict=True))
    return fields[b"sourceKey"], [row[0] for row in fields[b"rules"]]


def linked(client: Client) -> None:
    """A source `s` with a rule to `d`, and a closed bucket."""
    client("TS.CREATE", "s", "LABELS", "a", "b")
    client("TS.CREATE", "d", "LABELS", "a", "b")
    client("TS.CREATERULE", "s", "d", *RULE)
    client("TS.MADD", "s", 1, 1, "s", 5, 5, "s", 12, 1)


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        ([["DEL", "k"]], []),
        ([["UNLINK", "k"]], []),
        ([["SET", "k", "v"]], []),
        ([["RENAME", "k", "l"]], [b"l"]),
        ([["RENAME", "k", "l"], ["RENAME", "l", "k"]], [b"k"]),
        ([["COPY", "k", "l"]], [b"k", b"l"]),
        ([["COPY", "k", "l"], ["RENAME", "k", "l"]], [b"l"]),
        ([["MOVE", "k", "1"]], []),
        ([["MOVE", "k", "1"], ["SELECT", "1"]], [b"k"]),
        ([["SWAPDB", "0", "1"]], []),
        ([["SWAPDB", "0", "1"], ["SELECT", "1"]], [b"k"]),
        ([["FLUSHALL"]], []),
        ([["FLUSHDB"]], []),
        ([["PEXPIRE", "k", "1"]], []),
        ([["EXPIREAT", "k", "1"]], []),
        ([["SUNIONSTORE", "k", "set"]], []),
        ([["DEBUG", "RELOAD"]], [b"k"]),
        ([["TS.ALTER", "k", "LABELS", "a", "c"]], []),
        ([["TS.ALTER", "k", "RETENTION", "5"]], [b"k"]),
        ([["MODULE", "RELOAD", "timeseries"]], [b"k"]),
        ([["MULTI"], ["RENAME", "k", "l"], ["DEL", "l"], ["EXEC"]], []),
        (
            [["EVAL", "redis.call('RENAME', 'k', 'm'); redis.call('COPY', 'm', 'n')", "0"]],
            [b"m", b"n"],
        ),
    ],
)
def test_the_label_index_follows(commands: list[list[str]], names: list[bytes]) -> None:
    with InProcessServer({"enable-debug-command": "yes"}) as server:
        client = server.client()
        client("TS.CREATE", "k", "LABELS", "a", "b")
        client("SADD", "set", "member")
        for command in commands:
            client(*command)
        server.advance(50)
        assert found(client) == names


def test_what_dump_and_restore_bring_is_found(client: Client) -> None:
    client("TS.CREATE", "k", "LABELS", "a", "b")
    payload = client("DUMP", "k")
    client("RESTORE", "l", 0, payload)
    assert found(client) == [b"k", b"l"]


def test_the_first_series_of_a_server_may_come_by_restore(balas_server: InProcessServer) -> None:
    with InProcessServer() as other:
        linked(other.client())
        payload = other.client()("DUMP", "s")
    client = balas_server.client()
    client("RESTORE", "s", 0, payload)
    assert found(client) == [b"s"]
    assert ends(client, "s") == (None, [])
    client("TS.ADD", "s", 100, 1)


def test_an_evicted_series_leaves_index_and_rules(client: Client) -> None:
    linked(client)
    client("SET", "other", "x" * 100)
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    client("CONFIG", "SET", "maxmemory", "1")
    for _ in range(100):
        client.send("SET", "a", "b")
        client.read()
        if not client("EXISTS", "s", "d"):
            break
    client("CONFIG", "SET", "maxmemory", "0")
    assert client("EXISTS", "s", "d") == 0
    assert found(client) == []
    client("TS.CREATE", "s")
    assert ends(client, "s") == (None, [])


def test_a_series_overwritten_without_an_event_is_swept(
    client: Client, balas_server: InProcessServer
) -> None:
    linked(client)
    client("SET", "d", "v")
    balas_server.advance(3000)
    assert ends(client, "s") == (None, [])


@pytest.mark.parametrize("loss", [["DEL", "d"], ["SET", "d", "v"], ["MOVE", "d", "1"]])
def test_a_rule_ends_with_its_destination(client: Client, loss: list[str]) -> None:
    linked(client)
    client(*loss)
    assert ends(client, "s") == (None, [])
    client("TS.ADD", "s", 30, 1)
    assert ends(client, "s") == (None, [])


@pytest.mark.parametrize("loss", [["DEL", "s"], ["SET", "s", "v"], ["MOVE", "s", "1"]])
def test_a_rule_ends_with_its_source(client: Client, loss: list[str]) -> None:
    linked(client)
    client(*loss)
    assert ends(client, "d") == (None, [])
    client("TS.CREATE", "s2")
    client("TS.CREATERULE", "s2", "d", *RULE)


def test_a_rule_follows_both_ends(client: Client) -> None:
    linked(client)
    client("RENAME", "s", "s2")
    client("RENAME", "d", "d2")
    assert ends(client, "s2") == (None, [b"d2"])
    assert ends(client, "d2") == (b"s2", [])
    client("TS.ADD", "s2", 25, 1)
    assert client("TS.RANGE", "d2", "-", "+") == [[0, b"6"], [10, b"1"]]


def test_a_source_that_takes_the_name_of_its_destination_has_no_rule(client: Client) -> None:
    linked(client)
    client("RENAME", "s", "d")
    assert ends(client, "d") == (None, [])
    client("TS.ADD", "d", 50, 1)


def test_swapped_databases_keep_their_rules(client: Client) -> None:
    linked(client)
    client("SWAPDB", 0, 1)
    client("SELECT", 1)
    client("TS.ADD", "s", 25, 1)
    assert len(client("TS.RANGE", "d", "-", "+")) == 2


def state(client: Client) -> object:
    """All that a client can see of `s` and `d`."""
    return [
        client("TS.RANGE", "s", "-", "+"),
        client("TS.RANGE", "d", "-", "+", "LATEST"),
        client("TS.GET", "d"),
        ends(client, "s"),
        ends(client, "d"),
        found(client),
    ]


@pytest.mark.parametrize("way", ["log", "rewritten log", "rewritten as commands", "snapshot"])
def test_a_restart_changes_nothing(tmp_path: Path, way: str) -> None:
    options = {"appendonly": "no" if way == "snapshot" else "yes", "aof-use-rdb-preamble": "yes"}
    if way == "rewritten as commands":
        options["aof-use-rdb-preamble"] = "no"
    with InProcessServer(options, directory=tmp_path) as server:
        client = server.client()
        linked(client)
        client("TS.ADD", "s", 3, 7)
        client("TS.ADD", "s", "*", 2)
        client("TS.INCRBY", "s", 3)
        client("TS.DEL", "s", 5, 5)
        client("TS.CREATE", "twa")
        client("TS.CREATERULE", "s", "twa", "AGGREGATION", "twa", 1000)
        client("TS.ADD", "s", "*", 5, "ON_DUPLICATE", "SUM")
        server.advance(1500)
        client("TS.MADD", "s", "*", 5, "s", "x", 1, "nokey", 1, 1)
        if way.startswith("rewritten"):
            client("BGREWRITEAOF")
            server.advance(5000)
            # The log goes on behind what was rewritten.
            client("TS.ADD", "s", "*", 4)
            client("TS.ALTER", "d", "LABELS", "a", "b", "new", "1")
        if way == "snapshot":
            client("SAVE")
        before = state(client)
        server.restart()
        client = server.client()
        assert state(client) == before
        server.advance(5000)
        client("TS.ADD", "s", "*", 1)
        assert len(client("TS.RANGE", "twa", "-", "+")) == (3 if way.startswith("rew") else 2)


def test_policies_make_rules_that_a_log_repeats_under_other_settings(tmp_path: Path) -> None:
    options = {"appendonly": "yes"}
    with InProcessServer(options, directory=tmp_path) as server:
        client = server.client()
        client("CONFIG", "SET", "ts-compaction-policy", "max:1M:1h;avg:10s:2d:3m;sum:500m:0")
        client("CONFIG", "SET", "ts-retention-policy", "100000")
        client("CONFIG", "SET", "ts-chunk-size-bytes", "128")
        client("TS.ADD", "k", 1000, 1, "LABELS", "a", "b")
        client("TS.ADD", "k", 70_000, 2)
        client("CONFIG", "SET", "ts-duplicate-policy", "max")
        client("TS.ADD", "k", 70_000, 9)
        client("TS.MADD", "k", 70_000, 10, "k", 70_001, 3)
        names = [b"k", b"k_AVG_10000_3", b"k_MAX_60000", b"k_SUM_500"]
        assert found(client) == names
        assert found(client, "aggregation=MAX", "time_bucket=60000") == [b"k_MAX_60000"]
        before = [client("TS.INFO", name) for name in names]
        ranges = [client("TS.RANGE", name, "-", "+") for name in names]
        client("CONFIG", "SET", "ts-compaction-policy", "")
        server.restart()
        client = server.client()
        after = [client("TS.INFO", name) for name in names]
        assert [info[8:] for info in after] == [info[8:] for info in before]
        assert [client("TS.RANGE", name, "-", "+") for name in names] == ranges


def test_events_are_those_of_the_original(client: Client, balas_server: InProcessServer) -> None:
    client("CONFIG", "SET", "notify-keyspace-events", "KEA")
    listener = balas_server.client(resp=3)
    listener.send("PSUBSCRIBE", "__keyevent@0__:*")
    listener.push()
    told: list[tuple[str, str]] = []

    def events(*command: object) -> list[str]:
        client(*command)
        listener("PING")
        told.clear()
        while listener.pushes:
            message = listener.pushes.popleft()
            if message[0] == b"pmessage":
                told.append((message[2].decode().split(":", 1)[1], message[3].decode()))
        return [f"{event} {key}" for event, key in told]

    assert events("TS.CREATE", "s") == ["ts.create s"]
    assert events("TS.CREATE", "d") == ["ts.create d"]
    made = events("TS.CREATERULE", "s", "d", *RULE)
    assert made == ["ts.createrule:src s", "ts.createrule:dest d"]
    assert events("TS.ADD", "s", 1, 1) == ["ts.add s"]
    assert events("TS.ADD", "s", 11, 1) == ["ts.add:dest d", "ts.add s"]
    assert events("TS.MADD", "s", 12, 1, "s", 21, 1) == ["ts.add:dest d", "ts.add s", "ts.add s"]
    assert events("TS.ADD", "s", 2, 1) == ["ts.add s"]
    assert events("TS.INCRBY", "s", 2, "TIMESTAMP", 21) == ["ts.incrby s"]
    assert events("TS.DECRBY", "s", 2, "TIMESTAMP", 22) == ["ts.decrby s"]
    assert events("TS.DEL", "s", 22, 22) == ["ts.del s"]
    assert events("TS.ALTER", "s") == ["ts.alter s"]
    ended = events("TS.DELETERULE", "s", "d")
    assert ended == ["ts.deleterule:src s", "ts.deleterule:dest d"]


def test_queries_by_label_need_the_right_to_read_every_key(
    client: Client, balas_server: InProcessServer
) -> None:
    client("TS.CREATE", "mine:1", "LABELS", "a", "b", "g", "1")
    client("TS.CREATE", "other", "LABELS", "a", "b", "g", "2")
    client("ACL", "SETUSER", "u", "on", "nopass", "+@all", "%R~mine:*")
    user = balas_server.client()
    user("AUTH", "u", "x")
    denial = (
        "NOPERM TSDB: current user doesn't have read permission to one or more keys that match "
        "the specified filter"
    )
    assert user.error("TS.MRANGE", "-", "+", "FILTER", "a=b") == denial
    assert user.error("TS.MREVRANGE", "-", "+", "FILTER", "a=b") == denial
    assert user.error("TS.MGET", "FILTER", "a=b") == denial
    assert user("TS.MGET", "FILTER", "a=b", "g=1") == [[b"mine:1", [], []]]
    assert b"timeseries" in client("ACL", "CAT")
    client("ACL", "SETUSER", "v", "on", "nopass", "+@all", "-@timeseries", "allkeys")
    user("AUTH", "v", "x")
    assert user.error("TS.GET", "mine:1").startswith("NOPERM")


def test_a_watched_destination_breaks_the_transaction(
    client: Client, balas_server: InProcessServer
) -> None:
    linked(client)
    watcher = balas_server.client()
    watcher("WATCH", "d")
    client("TS.ADD", "s", 22, 1)
    watcher("MULTI")
    watcher("PING")
    assert watcher("EXEC") is None


@pytest.mark.parametrize("way", ["primary", "copy"])
def test_memory_is_what_chunks_take(client: Client, way: str) -> None:
    client("TS.CREATE", "k")
    empty = client("MEMORY", "USAGE", "k")
    for at in range(0, 40_000, 100):
        client("TS.MADD", *(word for n in range(100) for word in ("k", at + n, n % 7)))
    if way == "copy":
        client("COPY", "k", "l")
    taken = client("MEMORY", "USAGE", "l" if way == "copy" else "k") - empty
    assert 10_000 < taken < 60_000
    client("TS.DEL", "k", 0, 39_000)
    assert client("MEMORY", "USAGE", "k") < empty + 2000


def test_a_script_and_a_transaction_get_the_samples_too(client: Client) -> None:
    client("TS.MADD", "k", 1, 1)
    client("TS.ADD", "k", 1, 0.1)
    client("TS.ADD", "k", 2, 1 / 3)
    samples = [[1, b"1E-1"], [2, b"3.333333333333333E-1"]]
    assert client("TS.RANGE", "k", "-", "+") == samples
    script = "local r = redis.call('TS.RANGE', 'k', '-', '+'); return {r[1][1], r[2][2].ok}"
    assert client("EVAL", script, 0) == [1, b"3.333333333333333E-1"]
    client("MULTI")
    client("TS.RANGE", "k", "-", "+")
    assert client("EXEC") == [samples]
