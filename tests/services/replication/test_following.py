"""Balas follows another server: a real Redis, or one of its own kind."""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from balas.errors import ReplyError
from balas.services.replication.stream import Requests
from balas.testing import BalasProcess, Client, RealRedis, wait_until
from balas.testing.wire import encode

DEBUG = {"enable-debug-command": "yes"}
# A snapshot for replicas is begun without waiting for more of them.
AT_ONCE = {"repl-diskless-sync-delay": 0}
# A server without modules is there sooner.
BARE: dict[str, Any] = {"bare": ()}
FUNCTIONS = """#!lua name=x
redis.register_function{function_name='f', callback=function() return 7 end, flags={'no-writes'}}
redis.register_function('g', function() return 8 end)
"""
INCREMENTS = "redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[2])"
Start = Callable[..., tuple[Any, Client]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server and gives it with a client: `start(BalasProcess, {"option": "value"})`."""
    with ExitStack() as stack:

        def start_one(
            kind: type[BalasProcess] | type[RealRedis],
            options: dict[str, Any] | None = None,
            *,
            modules: bool = False,
            **settings: Any,
        ) -> tuple[Any, Client]:
            bare = BARE if kind is BalasProcess and not modules else {}
            given = {**DEBUG, **AT_ONCE, **bare, **(options or {})}
            server = stack.enter_context(kind(given, **settings))
            return server, stack.enter_context(server.client())

        yield start_one


def following(server: Any, **more: Any) -> dict[str, Any]:
    """Options of a server that follows this one."""
    return {"replicaof": f"127.0.0.1 {server.port}", **more}


def ask(client: Client, *words: Any) -> Any:
    """The reply, be it an error."""
    client.send(*words)
    return client.read()


def linked(replica: Client) -> bool:
    return bool(replica("ROLE")[3] == b"connected")


def info(client: Client, section: str = "replication") -> dict[str, str]:
    lines = client("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def caught_up(primary: Client, replica: Client) -> bool:
    """Whether the replica holds what the primary does, once it says that it has it all."""
    assert primary("WAIT", 1, 10_000) == 1
    return bool(primary("DEBUG", "DIGEST") == replica("DEBUG", "DIGEST"))


def write_at_random(client: Client, seed: int, count: int) -> None:
    """Commands of all types, with times to live and transactions."""
    chance = random.Random(seed)
    print("seed", seed)
    for _ in range(count):
        number = chance.randrange(1000)
        name = f"{chance.choice('abcdefgh')}"
        client("SELECT", chance.choice((0, 0, 3)))
        ask(
            client,
            *chance.choice(
                [
                    ("SET", f"string:{name}", number),
                    ("SET", f"string:{name}", number, "EX", 1000 + number),
                    ("INCRBYFLOAT", f"float:{name}", "0.25"),
                    ("RPUSH", f"list:{name}", *range(number % 7 + 1)),
                    ("LPOP", f"list:{name}", 2),
                    ("SADD", f"set:{name}", number, name),
                    ("SPOP", f"set:{name}"),
                    ("HSET", f"hash:{name}", number, name),
                    ("HEXPIRE", f"hash:{name}", 500, "FIELDS", 1, number),
                    ("ZADD", f"scores:{name}", number / 3, number),
                    ("ZPOPMIN", f"scores:{name}"),
                    ("XADD", f"stream:{name}", "*", "number", number),
                    ("XTRIM", f"stream:{name}", "MAXLEN", 20),
                    ("PFADD", f"count:{name}", number),
                    ("SETBIT", f"bits:{name}", number, 1),
                    ("GEOADD", f"places:{name}", number % 90, number % 80, number),
                    ("EXPIRE", f"list:{name}", 700),
                    ("RENAME", f"string:{name}", f"string:{chance.choice('abc')}"),
                    ("COPY", f"hash:{name}", f"hash:{chance.choice('abc')}", "REPLACE"),
                    ("MOVE", f"set:{name}", 5),
                    (
                        "EVAL",
                        "redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[2])",
                        2,
                        "i",
                        "j",
                    ),
                    ("DEL", f"stream:{name}"),
                ]
            ),
        )
        if number % 50 == 0:
            client("MULTI")
            client("SET", "in", number)
            client("LPUSH", "transaction", number)
            client("EXEC")


@pytest.mark.oracle
def test_a_real_redis_is_followed(start: Start) -> None:
    redis, primary = start(RealRedis)
    write_at_random(primary, 11, 300)
    _, replica = start(BalasProcess, following(redis), startup_timeout_s=30)
    wait_until(lambda: linked(replica))
    assert caught_up(primary, replica)
    write_at_random(primary, 12, 600)
    assert caught_up(primary, replica)
    primary("FUNCTION", "LOAD", FUNCTIONS)
    primary("SWAPDB", 0, 3)
    assert caught_up(primary, replica)
    assert replica("FCALL", "f", 0) == 7
    assert "READONLY" in replica.error("FCALL", "g", 0)
    primary("FLUSHALL")
    assert caught_up(primary, replica)
    assert replica("DBSIZE") == 0


def test_balas_follows_balas_with_values_of_modules(start: Start) -> None:
    first, primary = start(BalasProcess, modules=True)
    primary("FT.CREATE", "books", "PREFIX", 1, "book:", "SCHEMA", "title", "TEXT")
    primary("HSET", "book:1", "title", "the sea")
    primary("JSON.SET", "doc", "$", '{"a": [1, 2]}')
    second, replica = start(BalasProcess, following(first), modules=True)
    wait_until(lambda: linked(replica))
    primary("HSET", "book:2", "title", "a red sea")
    primary("JSON.NUMINCRBY", "doc", "$.a[0]", 5)
    primary("BF.ADD", "seen", "x")
    primary("TS.ADD", "heat", 100, 20.5)
    primary("TS.ADD", "heat", "*", 21)
    primary("GRAPH.QUERY", "people", "CREATE (:P {n: 'a', r: rand()})-[:K]->(:P {n: 'b'})")
    assert primary("WAIT", 1, 10_000) == 1
    assert replica("FT.SEARCH", "books", "sea", "NOCONTENT")[0] == 2
    for question in (
        ("JSON.GET", "doc"),
        ("BF.EXISTS", "seen", "x"),
        ("TS.RANGE", "heat", "-", "+"),
        ("GRAPH.RO_QUERY", "people", "MATCH (a)-[:K]->(b) RETURN a.n, a.r, b.n"),
    ):
        mine, theirs = (client(*question) for client in (primary, replica))
        assert mine[:2] == theirs[:2] if question[0] == "GRAPH.RO_QUERY" else mine == theirs
    assert "READONLY" in replica.error("JSON.SET", "doc", "$", 1)
    assert "READONLY" in replica.error("GRAPH.QUERY", "people", "CREATE (:P)")
    assert replica("FT.SEARCH", "books", "red", "NOCONTENT") == [1, b"book:2"]
    assert second.log.count("Full resync") == 1


@pytest.mark.oracle
def test_what_a_replica_says_is_what_redis_says(start: Start) -> None:
    redis, primary = start(RealRedis)
    primary("SET", "k", "v")
    _, balas = start(BalasProcess, following(redis))
    _, other = start(RealRedis, following(redis))
    wait_until(lambda: linked(balas) and linked(other))
    for words in (
        ("SET", "k", "w"),
        ("GET", "k"),
        ("DEL", "missing"),
        ("BLPOP", "list", 1),
        ("EVAL", "return redis.call('SET', KEYS[1], 'w')", 1, "k"),
        ("EVAL", "return redis.call('GET', KEYS[1])", 1, "k"),
        ("EVAL", "#!lua\nreturn 1", 0),
        ("EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", 1, "k"),
        ("FUNCTION", "LOAD", "#!lua name=y\nredis.register_function('g', function() end)"),
        ("WAIT", 0, 1),
        ("WAITAOF", 0, 0, 1),
        ("FAILOVER",),
        ("REPLICAOF", "127.0.0.1", redis.port),
        ("REPLICAOF", "127.0.0.1", "many"),
        ("REPLICAOF", "127.0.0.1", 65536),
        ("CONFIG", "GET", "replicaof"),
        ("CONFIG", "SET", "replicaof", "127.0.0.1 1"),
        ("PUBLISH", "channel", "text"),
        ("PFCOUNT", "k"),
        ("FLUSHALL",),
        ("MULTI",),
        ("SET", "k", "w"),
        ("GET", "k"),
        ("EXEC",),
        ("MULTI",),
        ("GET", "k"),
        ("EXEC",),
        ("CONFIG", "SET", "replica-read-only", "no"),
        ("SET", "own", "w"),
        ("GET", "own"),
        ("CONFIG", "SET", "replica-read-only", "yes"),
        ("SET", "own", "x"),
        ("ROLE",),
    ):
        answers = [ask(client, *words) for client in (balas, other)]
        if isinstance(answers[0], ReplyError):
            answers = [str(answer) for answer in answers]
        if words == ("ROLE",):
            answers = [answer[:4] for answer in answers]
        assert answers[0] == answers[1], words
    mine, theirs = info(balas), info(other)
    own = {"repl_backlog_active", "repl_backlog_first_byte_offset", "repl_backlog_histlen"}
    changing = {"master_last_io_seconds_ago", "master_link_up_since_seconds"}
    counted = {"total_disconnect_time_sec", "master_total_sync_attempts"}
    counted |= {"master_current_sync_attempts"}
    offsets = {name for name in theirs if name.endswith("offset")}
    assert list(mine) == list(theirs)
    for name in set(theirs) - own - changing - counted - offsets:
        assert mine[name] == theirs[name], name


@pytest.mark.long
def test_a_broken_link_goes_on_where_it_was(start: Start) -> None:
    first, primary = start(BalasProcess)
    primary("SET", "before", 1)
    second, replica = start(BalasProcess, following(first))
    wait_until(lambda: linked(replica))
    assert primary("WAIT", 1, 10_000) == 1
    assert replica("CLIENT", "KILL", "TYPE", "MASTER") == 1
    for i in range(100):
        primary("SET", f"missed:{i}", i)
    wait_until(lambda: linked(replica))
    assert caught_up(primary, replica)
    assert second.log.count("Full resync") == 1
    assert "Successful partial resynchronization" in second.log


@pytest.mark.long
@pytest.mark.oracle
def test_servers_stand_in_a_row(start: Start) -> None:
    redis, primary = start(RealRedis)
    write_at_random(primary, 21, 100)
    middle, between = start(BalasProcess, following(redis))
    wait_until(lambda: linked(between))
    _, last = start(RealRedis, following(middle))
    wait_until(lambda: linked(last))
    write_at_random(primary, 22, 200)
    assert caught_up(primary, between)
    wait_until(lambda: between("DEBUG", "DIGEST") == last("DEBUG", "DIGEST"))


@pytest.mark.long
def test_links_break_in_the_middle_of_requests(start: Start) -> None:
    first, primary = start(BalasProcess)
    second, replica = start(BalasProcess, following(first))
    wait_until(lambda: linked(replica))
    chance = random.Random(3)
    for turn in range(8):
        for i in range(20):
            value = chance.choice("xyz") * chance.choice((10, 1000, 300_000))
            primary.pipeline(["INCR", "outside"], ["MULTI"], ["INCR", "inside"])
            primary("APPEND", f"value:{i}", value)
            primary("INCR", "count")
            primary("EXEC")
        if turn < 4:
            replica("CLIENT", "KILL", "TYPE", "MASTER")
    wait_until(lambda: linked(replica))
    assert caught_up(primary, replica)
    assert replica("MGET", "count", "inside", "outside") == [b"160"] * 3
    assert second.log.count("Full resync") < 5


@pytest.mark.long
def test_after_a_failover_everybody_goes_on_from_where_he_is(start: Start) -> None:
    first, primary = start(BalasProcess)
    write_at_random(primary, 31, 50)
    second, heir = start(BalasProcess, following(first))
    third, other = start(BalasProcess, following(first))
    fourth, last = start(BalasProcess, following(third))
    wait_until(lambda: linked(heir) and linked(other) and linked(last))
    write_at_random(primary, 32, 50)
    assert primary("WAIT", 2, 10_000) == 2
    assert heir("REPLICAOF", "NO", "ONE") == b"OK"
    heir("SET", "written", "after")
    assert other("REPLICAOF", "127.0.0.1", second.port) == b"OK"
    assert primary("REPLICAOF", "127.0.0.1", second.port) == b"OK"
    for client in (other, primary, last):
        wait_until(lambda client=client: linked(client))  # type: ignore[misc]
        wait_until(lambda client=client: client("GET", "written") == b"after")  # type: ignore[misc]
        assert client("DEBUG", "DIGEST") == heir("DEBUG", "DIGEST")
        assert info(client)["master_replid"] == info(heir)["master_replid"]
    for server, times in ((third, 1), (fourth, 1), (first, 0)):
        assert server.log.count("Full resync from master") == times


@pytest.mark.oracle
@pytest.mark.parametrize(
    "kinds",
    [(BalasProcess, BalasProcess), (RealRedis, BalasProcess), (BalasProcess, RealRedis)],
    ids=["both", "from_redis", "to_redis"],
)
def test_places_are_changed_and_nothing_is_lost(start: Start, kinds: Any) -> None:
    first, primary = start(kinds[0])
    second, heir = start(kinds[1], following(first))
    wait_until(lambda: linked(heir))
    assert heir("CLIENT", "PAUSE", 100, "ALL") == b"OK"
    primary("SET", "k", 0)
    with first.client() as busy:
        assert primary("FAILOVER", "TO", "127.0.0.1", second.port) == b"OK"
        # The write comes before, or not at all.
        answer = ask(busy, "INCR", "k")
    assert answer == 1 or "READONLY" in str(answer)
    wait_until(lambda: heir("ROLE")[0] == b"master")
    wait_until(lambda: linked(primary))
    assert info(primary)["master_failover_state"] == "no-failover"
    assert heir("GET", "k") == (b"1" if answer == 1 else b"0")
    heir("SELECT", 2)
    heir("SET", "later", "v")
    assert caught_up(heir, primary)
    assert "Full resync from master" not in first.log


@pytest.mark.long
def test_a_change_of_places_that_takes_too_long_is_given_up(start: Start) -> None:
    first, primary = start(BalasProcess)
    second, replica = start(BalasProcess, following(first))
    wait_until(lambda: linked(replica))
    place = ("TO", "127.0.0.1", second.port)
    second.signal(signal.SIGSTOP)
    try:
        primary("SET", "k", 0)
        assert primary("FAILOVER", *place) == b"OK"
        assert info(primary)["master_failover_state"] == "waiting-for-sync"
        assert "already in progress" in primary.error("FAILOVER")
        with first.client() as waiting:
            waiting.send("INCR", "k")
            assert primary("GET", "k") == b"0"
            assert primary("CLIENT", "UNPAUSE") == b"OK"
            assert primary("GET", "k") == b"0"
            assert primary("FAILOVER", "ABORT") == b"OK"
            assert waiting.read() == 1
        assert primary("FAILOVER", *place, "TIMEOUT", 20) == b"OK"
        assert primary("INCR", "k") == 2
        assert "Replica never caught up before timeout" in first.log
    finally:
        second.signal(signal.SIGCONT)
    assert info(primary)["master_failover_state"] == "no-failover"
    wait_until(lambda: linked(replica))
    assert caught_up(primary, replica)


@pytest.mark.oracle
def test_what_cannot_change_places_is_refused_as_by_redis(start: Start) -> None:
    answers = []
    for kind in (BalasProcess, RealRedis):
        first, primary = start(kind)
        alone = str(ask(primary, "FAILOVER"))
        second, replica = start(kind, following(first))
        wait_until(lambda: linked(replica))  # noqa: B023
        found = [alone]
        for words in (
            ("FAILOVER", "x"),
            ("FAILOVER", "ABORT"),
            ("FAILOVER", "ABORT", "TIMEOUT", 1),
            ("FAILOVER", "TIMEOUT", 0),
            ("FAILOVER", "TIMEOUT", "x"),
            ("FAILOVER", "TIMEOUT", 5, "TIMEOUT", 5),
            ("FAILOVER", "FORCE"),
            ("FAILOVER", "FORCE", "TIMEOUT", 1),
            ("FAILOVER", "TO", "127.0.0.1", second.port, "FORCE"),
            ("FAILOVER", "TO", "h"),
            ("FAILOVER", "TO", "h", "x"),
            ("FAILOVER", "TO", "h", 1),
            ("PSYNC", "a", 1, "FAILOVER"),
        ):
            for server in (first, second):
                with server.client() as client:
                    found.append(f"{words[:2]} {ask(client, *words)}")
        answers.append(found)
    assert answers[0] == answers[1]


@pytest.mark.long
def test_a_primary_that_wrote_more_begins_anew(start: Start) -> None:
    first, primary = start(BalasProcess)
    second, heir = start(BalasProcess, following(first))
    wait_until(lambda: linked(heir))
    assert heir("REPLICAOF", "NO", "ONE") == b"OK"
    primary("SET", "lost", "v")
    heir("SET", "kept", "v")
    assert primary("REPLICAOF", "127.0.0.1", second.port) == b"OK"
    wait_until(lambda: linked(primary))
    assert primary("KEYS", "*") == [b"kept"]
    assert "Full resync" in first.log


@pytest.mark.parametrize("seed", [1, 2])
def test_a_stream_is_cut_between_requests_and_not_in_transactions(seed: int) -> None:
    chance = random.Random(seed)
    print("seed", seed)
    stream, ends, inside = bytearray(), [0], False
    for _ in range(200):
        words = [chance.randbytes(chance.randrange(40)) for _ in range(chance.randrange(1, 5))]
        if chance.random() < 0.2:
            words, inside = ([b"exec"], False) if inside else ([b"Multi"], True)
        stream += encode(*words) if chance.random() < 0.9 or len(words) == 1 else b"\n"
        if not inside:
            ends.append(len(stream))
    requests, done, came = Requests(), 0, 0
    while came < len(stream):
        size = chance.choice((1, 7, 100))
        done += len(requests.add(bytes(stream[came : came + size])))
        came = min(came + size, len(stream))
        assert done == max(end for end in ends if end <= came)


def test_a_broken_link_goes_on_in_its_database(start: Start) -> None:
    first, primary = start(BalasProcess)
    _, replica = start(BalasProcess, following(first))
    wait_until(lambda: linked(replica))
    primary("SELECT", 3)
    primary("SET", "k", 1)
    assert primary("WAIT", 1, 10_000) == 1
    assert replica("CLIENT", "KILL", "TYPE", "MASTER") == 1
    primary("SET", "l", 2)
    wait_until(lambda: linked(replica))
    assert caught_up(primary, replica)


@pytest.mark.long
@pytest.mark.oracle
@pytest.mark.parametrize("kind", [BalasProcess, RealRedis])
def test_who_follows_a_replica_begins_in_the_database_of_the_stream(
    start: Start, kind: type[BalasProcess] | type[RealRedis]
) -> None:
    first, primary = start(kind)
    middle, between = start(BalasProcess, following(first))
    wait_until(lambda: linked(between))
    primary("SELECT", 3)
    primary("SET", "k", 1)
    assert primary("WAIT", 1, 10_000) == 1
    for other in (BalasProcess, RealRedis):
        _, last = start(other, following(middle))
        wait_until(lambda: linked(last))  # noqa: B023
        primary("INCR", "k")
        assert primary("WAIT", 1, 10_000) == 1
        wait_until(lambda: last("DEBUG", "DIGEST") == primary("DEBUG", "DIGEST"))  # noqa: B023


@pytest.mark.long
@pytest.mark.parametrize("database", [0, 3])
def test_a_server_that_restarts_goes_on_where_its_snapshot_was(
    start: Start, tmp_path: Path, database: int
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    saving = {"save": "3600 1"}
    first, primary = start(BalasProcess, saving, directory=tmp_path / "first")
    options = following(first, **saving)
    second, replica = start(BalasProcess, options, directory=tmp_path / "second")
    wait_until(lambda: linked(replica))
    primary("SELECT", database)
    primary("SET", "k", 1)
    primary("SET", "gone", 1, "PX", 1)
    assert primary("WAIT", 1, 10_000) == 1
    second.stop()
    primary("INCR", "k")
    second.start()
    with second.client() as again:
        wait_until(lambda: linked(again))
        assert caught_up(primary, again)
    assert second.log.count("Full resync from master") == 1
    first.stop()
    first.start()
    with first.client() as primary, second.client() as again:
        primary("SELECT", database)
        wait_until(lambda: linked(again), 30)
        primary("INCR", "k")
        assert caught_up(primary, again)
        assert info(primary)["second_repl_offset"] != "-1"
    assert second.log.count("Full resync from master") == 1


def test_a_replica_becomes_a_primary(start: Start) -> None:
    first, primary = start(BalasProcess)
    primary("SET", "k", "v")
    _, replica = start(BalasProcess, following(first))
    wait_until(lambda: linked(replica))
    assert primary("WAIT", 1, 10_000) == 1
    first.kill()
    wait_until(lambda: info(replica)["master_link_status"] == "down")
    assert replica("GET", "k") == b"v"
    assert replica("REPLICAOF", "NO", "ONE") == b"OK"
    assert replica("SET", "k", "w") == b"OK"
    assert replica("ROLE")[0] == b"master"
    assert info(replica)["role"] == "master"
    assert replica("SET", "soon", "gone", "PX", 1) == b"OK"
    wait_until(lambda: replica("DBSIZE") == 1)


def test_keys_that_are_due_are_hidden_until_the_primary_says_so(start: Start) -> None:
    first, primary = start(BalasProcess)
    primary("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    _, replica = start(BalasProcess, following(first))
    wait_until(lambda: linked(replica))
    primary("SET", "k", "v", "PX", 50)
    primary("HSET", "h", "f", "v", "g", "w")
    primary("HPEXPIRE", "h", 50, "FIELDS", 1, "f")
    assert primary("WAIT", 1, 10_000) == 1
    wait_until(lambda: replica("GET", "k") is None)
    wait_until(lambda: replica("HGET", "h", "f") is None)
    assert replica("DBSIZE") == 2
    assert info(replica, "stats")["expired_keys"] == "0"
    assert primary("GET", "k") is None
    wait_until(lambda: replica("DBSIZE") == 1)


def test_clients_hear_that_their_server_is_a_replica_now(start: Start) -> None:
    first, _ = start(BalasProcess)
    second, replica = start(BalasProcess)
    with second.client() as waiting:
        waiting.send("BLPOP", "list", 0)
        wait_until(lambda: info(replica, "clients")["blocked_clients"] == "1")
        assert replica("REPLICAOF", "127.0.0.1", first.port) == b"OK"
        assert str(waiting.read()).startswith("UNBLOCKED force unblock from blocking")
    assert "READONLY" in replica.error("SET", "k", "v")


def test_stale_data_are_withheld_if_that_is_wished(start: Start) -> None:
    _, replica = start(BalasProcess, {"replicaof": "127.0.0.1 1"})
    assert replica("GET", "k") is None
    assert "NOMASTERLINK" in replica.error("PSYNC", "?", -1)
    assert replica("CONFIG", "SET", "replica-serve-stale-data", "no") == b"OK"
    assert "MASTERDOWN Link with MASTER is down" in replica.error("GET", "k")
    assert "MASTERDOWN" in replica.error("EVAL", "return redis.call('GET', 'k')", 0)
    assert "MASTERDOWN" in replica.error("EVAL", "#!lua\nreturn 1", 0)
    assert info(replica)["master_link_status"] == "down"


@pytest.mark.long
def test_a_primary_wants_a_password(start: Start) -> None:
    first, primary = start(BalasProcess)
    primary("SET", "k", "v")
    primary("ACL", "SETUSER", "copier", "on", ">secret", "+psync", "+replconf", "+ping")
    primary("CONFIG", "SET", "requirepass", "other")
    second, replica = start(BalasProcess, following(first))
    wait_until(lambda: "NOAUTH" in second.log)
    replica("CONFIG", "SET", "masteruser", "copier", "masterauth", "wrong")
    wait_until(lambda: "Unable to AUTH to MASTER: -WRONGPASS" in second.log)
    replica("CONFIG", "SET", "masterauth", "secret")
    wait_until(lambda: linked(replica))
    assert replica("GET", "k") == b"v"


@pytest.mark.long
def test_a_log_begins_anew_with_the_data_of_the_primary(start: Start, tmp_path: Path) -> None:
    first, primary = start(BalasProcess)
    for i in range(100):
        primary("SET", f"k:{i}", i)
    options = {"appendonly": "yes", "appendfsync": "always"}
    second, replica = start(BalasProcess, options, directory=tmp_path)
    replica("SET", "own", "lost")
    assert replica("REPLICAOF", "127.0.0.1", first.port) == b"OK"
    wait_until(lambda: linked(replica))
    primary("SET", "later", "v")
    assert primary("WAIT", 1, 10_000) == 1
    wait_until(lambda: info(replica, "persistence")["aof_rewrite_in_progress"] == "0")
    wait_until(lambda: info(replica, "persistence")["aof_base_size"] != "0")
    digest = replica("DEBUG", "DIGEST")
    replica.close()
    second.kill()
    second.start()
    with second.client() as again:
        assert again("DEBUG", "DIGEST") == digest == primary("DEBUG", "DIGEST")
        assert again("EXISTS", "own") == 0


@pytest.mark.long
def test_the_primary_is_busy_while_it_is_copied(start: Start) -> None:
    first, primary = start(BalasProcess)
    for i in range(0, 30_000, 100):
        primary("MSET", *(word for n in range(i, i + 100) for word in (f"key:{n}", "x" * 200)))
    _, replica = start(BalasProcess, following(first))
    for i in range(1500):
        primary("INCR", f"key:new:{i % 50}")
    wait_until(lambda: linked(replica))
    assert caught_up(primary, replica)
    assert replica("GET", "key:new:0") == b"30"


def test_the_configuration_names_the_primary(start: Start) -> None:
    _, replica = start(BalasProcess)
    replica("REPLICAOF", "127.0.0.1", 7)
    assert replica("CONFIG", "GET", "replicaof") == [b"replicaof", b"127.0.0.1 7"]
    assert dict(zip(*[iter(replica("HELLO"))] * 2, strict=True))[b"role"] == b"replica"
    assert replica("REPLICAOF", "NO", "ONE") == b"OK"
    assert replica("CONFIG", "GET", "replicaof") == [b"replicaof", b""]
