"""The Bloom module in a server: settings, the log, events, accounts, restarts, being set aside."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from balas.errors import ReplyError
from balas.testing import Client, InProcessServer, RealRedis

COMMANDS = [
    "BF.ADD",
    "BF.CARD",
    "BF.DEBUG",
    "BF.EXISTS",
    "BF.INFO",
    "BF.INSERT",
    "BF.LOADCHUNK",
    "BF.MADD",
    "BF.MEXISTS",
    "BF.RESERVE",
    "BF.SCANDUMP",
]

RATE_RANGE = "Value for `bf-error-rate` must be in the range (0.000000, 1.000000)"
SIZE_RANGE = "Value for `bf-initial-size` must be in the range [1, 1073741824]"


@pytest.fixture
def records(balas_server: InProcessServer) -> Iterator[list[tuple[bytes, ...]]]:
    """What goes to the log and to replicas."""
    seen: list[tuple[bytes, ...]] = []

    def sink(records: list[tuple[int, tuple[bytes, ...]]]) -> None:
        seen.extend(argv for _, argv in records)

    balas_server.engine.changes.add_sink(sink)
    yield seen
    balas_server.engine.changes.remove_sink(sink)


# --- settings -----------------------------------------------------------------------------------


def test_defaults(client: Client) -> None:
    assert client("CONFIG", "GET", "bf-*") == [
        b"bf-error-rate",
        b"0.01",
        b"bf-initial-size",
        b"100",
        b"bf-expansion-factor",
        b"2",
    ]


def test_settings_shape_the_filters_that_no_command_shapes(client: Client) -> None:
    client("CONFIG", "SET", "bf-error-rate", "0.2")
    client("CONFIG", "SET", "bf-initial-size", "7")
    client("CONFIG", "SET", "bf-expansion-factor", "3")
    for command in (["BF.ADD", "a", "x"], ["BF.MADD", "b", "x"], ["BF.INSERT", "c", "ITEMS", "x"]):
        client(*command)
        assert client("BF.INFO", command[1])[1::2] == [7, 104, 1, 1, 3]
        assert client("BF.DEBUG", command[1])[1].endswith(b"ratio:0.1")
    client("BF.RESERVE", "d", "0.01", "100")
    assert client("BF.INFO", "d")[1::2] == [100, 240, 1, 0, 3]
    client("BF.INSERT", "e", "CAPACITY", "9", "ITEMS", "x")
    assert client("BF.INFO", "e")[1] == 9


def test_an_expansion_of_0_makes_filters_that_do_not_grow(client: Client) -> None:
    client("CONFIG", "SET", "bf-expansion-factor", "0")
    client("BF.ADD", "a", "x")
    assert client("BF.INFO", "a", "EXPANSION") == [None]
    client("BF.INSERT", "b", "CAPACITY", "1", "ITEMS", "x")
    assert client.error("BF.ADD", "b", "y") == "ERR non scaling filter is full"
    client("BF.RESERVE", "c", "0.1", "10")
    assert client("BF.INFO", "c", "EXPANSION") == [None]
    client("BF.RESERVE", "d", "0.1", "10", "EXPANSION", "4")
    assert client("BF.INFO", "d", "EXPANSION") == [4]


def test_a_large_error_rate_is_capped(client: Client) -> None:
    client("CONFIG", "SET", "bf-error-rate", "0.9")
    assert client("CONFIG", "GET", "bf-error-rate") == [b"bf-error-rate", b"0.25"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (
            "bf-error-rate",
            "0",
            RATE_RANGE,
        ),
        (
            "bf-error-rate",
            "1",
            RATE_RANGE,
        ),
        ("bf-error-rate", "many", "Invalid value for `bf-error-rate`"),
        (
            "bf-initial-size",
            "0",
            SIZE_RANGE,
        ),
        ("bf-initial-size", "1073741825", "Value for `bf-initial-size` must be in the range"),
        ("bf-initial-size", "1.5", "Invalid value for `bf-initial-size`"),
        ("bf-expansion-factor", "-1", "Value for `bf-expansion-factor` must be in the range [0, 3"),
        ("bf-expansion-factor", "32769", "Value for `bf-expansion-factor` must be in the range"),
        ("bf-expansion-factor", "", "Invalid value for `bf-expansion-factor`"),
    ],
)
def test_settings_are_checked(client: Client, name: str, value: str, reason: str) -> None:
    before = client("CONFIG", "GET", name)
    error = client.error("CONFIG", "SET", name, value)
    start = f"ERR CONFIG SET failed (possibly related to argument '{name}') - "
    assert error.startswith(start + reason)
    assert client("CONFIG", "GET", name) == before


def test_arguments_of_the_module_are_settings_too() -> None:
    words = ("bf", "INITIAL_SIZE", "400", "error_rate", "0.1", "bf-expansion-factor", "4")
    with InProcessServer({"loadmodule": [words]}) as server:
        client = server.client()
        client("BF.ADD", "f", "x")
        assert client("BF.INFO", "f")[1::2] == [400, 408, 1, 1, 4]
        assert [b"name", b"bf", b"ver", 20812] in [one[:4] for one in client("MODULE", "LIST")]


def test_the_configuration_outweighs_the_arguments() -> None:
    options = {"loadmodule": [("bf", "INITIAL_SIZE", "400")], "bf-initial-size": "50"}
    with InProcessServer(options) as server:
        assert server.client()("CONFIG", "GET", "bf-initial-size")[1] == b"50"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("INITIAL_SIZE",), "Invalid number of arguments passed"),
        (("SIZE", "3"), "Unrecognized option"),
        (("ERROR_RATE", "7"), "must be in the range"),
        (("INITIAL_SIZE", "x"), "Invalid value"),
    ],
)
def test_wrong_arguments_refuse_the_module(
    client: Client, arguments: tuple[str, ...], reason: str
) -> None:
    client("MODULE", "UNLOAD", "bf")
    assert reason in client.error("MODULE", "LOAD", "bf", *arguments)
    assert b"bf" not in [one[1] for one in client("MODULE", "LIST")]
    assert client("CONFIG", "GET", "bf-*") == []


# --- how commands are declared ------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_declared_as_in_the_real_module(
    name: str, client: Client, real_servers: Callable[..., RealRedis]
) -> None:
    with real_servers("bloom").client() as real:
        (ours,), (theirs,) = client("COMMAND", "INFO", name), real("COMMAND", "INFO", name)
    # Name, arity, flags and keys; the real module of this version has no ACL categories.
    assert ours[:6] == theirs[:6]
    assert ours[8] == theirs[8]
    assert b"@bloom" in ours[6]
    assert (b"@write" in ours[6]) is (b"write" in theirs[2])
    assert (b"@read" in ours[6]) is (b"readonly" in theirs[2])


# --- the log ------------------------------------------------------------------------------------


def test_every_writing_command_is_recorded_as_it_came(
    client: Client, records: list[tuple[bytes, ...]]
) -> None:
    _, header = made_elsewhere()
    sent: list[tuple[Any, ...]] = [
        ("BF.RESERVE", "f", "0.1", "2", "NONSCALING"),
        ("bf.add", "f", "a"),
        ("BF.ADD", "f", "a"),
        ("BF.MADD", "f", "a", "b", "c", "d"),
        ("BF.INSERT", "g", "CAPACITY", "3", "ITEMS", "x"),
        ("BF.LOADCHUNK", "h", "1", header),
        ("BF.LOADCHUNK", "h", "2", b"\xff"),
    ]
    for command in sent:
        client(*command)
    # The real module records one that is refused for want of room, too.
    assert client.error("BF.ADD", "f", "e") == "ERR non scaling filter is full"
    sent.append(("BF.ADD", "f", "e"))
    assert records == [tuple(as_bytes(word) for word in command) for command in sent]


def as_bytes(word: str | bytes) -> bytes:
    return word.encode() if isinstance(word, str) else word


def made_elsewhere() -> tuple[list[bytes], bytes]:
    """Some items, and the header of a filter that holds as many."""
    with InProcessServer() as server:
        client = server.client()
        client("BF.MADD", "f", "a", "b", "c")
        return [b"a", b"b", b"c"], client("BF.SCANDUMP", "f", 0)[1]


def test_what_changes_nothing_is_not_recorded(
    client: Client, records: list[tuple[bytes, ...]]
) -> None:
    client("BF.ADD", "f", "a")
    records.clear()
    client("SET", "s", "1")
    records.clear()
    for refused in (
        ("BF.RESERVE", "f", "0.1", "10"),
        ("BF.RESERVE", "s", "0.1", "10"),
        ("BF.RESERVE", "g", "2", "10"),
        ("BF.ADD", "s", "x"),
        ("BF.INSERT", "g", "NOCREATE", "ITEMS", "x"),
        ("BF.LOADCHUNK", "g", "1", "x"),
        ("BF.LOADCHUNK", "f", "1000", "x"),
    ):
        client.error(*refused)
    for command in (
        ("BF.EXISTS", "f", "a"),
        ("BF.MEXISTS", "f", "a", "b"),
        ("BF.CARD", "f"),
        ("BF.INFO", "f"),
        ("BF.DEBUG", "f"),
        ("BF.SCANDUMP", "f", "0"),
        ("BF.EXISTS", "missing", "a"),
    ):
        client(*command)
    assert records == []


def test_a_replica_that_runs_the_log_has_the_same_filter(
    client: Client, records: list[tuple[bytes, ...]]
) -> None:
    client("BF.RESERVE", "f", "0.05", "3", "EXPANSION", "3")
    for i in range(30):
        client("BF.MADD", "f", *range(i, 2 * i + 1))
    with InProcessServer() as other:
        replica = other.client()
        for argv in records:
            replica(*argv)
        iterators = [0, 1, 9, 17]
        for iterator in iterators:
            asked = ("BF.SCANDUMP", "f", iterator)
            assert replica(*asked) == client(*asked)


# --- accounts and storage -----------------------------------------------------------------------


def test_the_memory_account_follows_the_layers(
    balas_server: InProcessServer, client: Client
) -> None:
    account = balas_server.engine.account
    client("BF.RESERVE", "f", "0.01", "1000")
    before = account.used
    client("BF.MADD", "f", *range(1100))
    size = client("BF.INFO", "f", "SIZE")[0]
    # The second layer is twice as large, and a little more for its lower rate.
    assert size * 0.6 < account.used - before < size * 0.75


def test_a_filter_survives_a_snapshot(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("BF.RESERVE", "f", "0.01", "5")
    client("BF.MADD", "f", *range(100))
    dump = [client("BF.SCANDUMP", "f", i) for i in (0, 1)]
    client("SAVE")
    balas_server.restart()
    client = balas_server.client()
    assert [client("BF.SCANDUMP", "f", i) for i in (0, 1)] == dump
    assert client("BF.MEXISTS", "f", *range(100)) == [1] * 100


def test_a_filter_survives_in_the_log() -> None:
    with InProcessServer({"appendonly": "yes", "aof-use-rdb-preamble": "no"}) as server:
        client = server.client()
        client("BF.RESERVE", "f", "0.01", "5")
        client("BF.MADD", "f", *range(100))
        dump = [client("BF.SCANDUMP", "f", i) for i in (0, 1)]
        server.restart()
        client = server.client()
        assert [client("BF.SCANDUMP", "f", i) for i in (0, 1)] == dump


def test_filters_wait_for_the_module(balas_server: InProcessServer, client: Client) -> None:
    client("BF.MADD", "f", "a", "b")
    dump = client("BF.SCANDUMP", "f", 1)
    assert "can't unload" in client.error("MODULE", "UNLOAD", "bf")
    assert client("BF.SCANDUMP", "f", 1) == dump
    client("SAVE")
    balas_server.bundled = False
    balas_server.restart()
    client = balas_server.client()
    assert client.error("BF.ADD", "f", "a").startswith("ERR unknown command 'BF.ADD'")
    client("MODULE", "LOAD", "bf")
    assert client("BF.SCANDUMP", "f", 1) == dump
    assert client("BF.ADD", "f", "a") == 0


def test_an_empty_module_unloads_and_comes_back(client: Client) -> None:
    assert client("MODULE", "UNLOAD", "bf") == b"OK"
    with pytest.raises(ReplyError, match="unknown command"):
        client("BF.ADD", "f", "a")
    assert client("CONFIG", "GET", "bf-*") == []
    assert client("MODULE", "LOAD", "bf", "INITIAL_SIZE", "9") == b"OK"
    client("BF.ADD", "f", "a")
    assert client("BF.INFO", "f", "CAPACITY") == [9]
