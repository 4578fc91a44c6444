"""Facts of the time series commands that transcripts cannot hold, and where the others are.

The page of facts, section by section, and the tests that would fail were a fact another:

=====================  =============================================================================
section                tests
=====================  =============================================================================
arity, key specs       here: `test_commands_are_described_as_in_the_original`, `test_no_arguments`
commands and options   recorded: creating (CREATE, ALTER, ADD, MADD, GET, INFO), adding (INCRBY,
                       DECRBY, retention, IGNORE, duplicates), ranges (RANGE, REVRANGE, DEL), labels
                       (MGET, MRANGE, MREVRANGE, QUERYINDEX), rules, buckets, order (of errors);
                       facts: ALTER without ENCODING, all aggregators and reducers
settings               beyond: `test_settings*`; here: `test_bounds_of_settings`
types, categories      here: `test_a_series_has_its_type`, `test_the_category_has_all_commands`
keyspace events        keyspace: `test_events_are_those_of_the_original`
values, buckets        recorded: values, facts (RESP2 and RESP3), buckets; machine: the naive twin
compaction             recorded: rules, compaction, retention, facts; keyspace; chains
IGNORE, wrong types    recorded: adding, creating, facts
policies               keyspace: `test_policies_*`; here: `test_units_of_policies`
matchers, RESP3 maps   recorded: labels, facts
error texts            here: `test_error_texts` (all of the page), and where they come up
read permission        keyspace: `test_queries_by_label_need_the_right_to_read_every_key`
asked for in vain      beyond: NaN, several aggregators, backfill, filters that contain and compare
=====================  =============================================================================

"recorded" are the transcripts beside this file; the others are test_timeseries_*.py. Where the
original module can be loaded, `test_timeseries_original` asks it at random.
"""

from __future__ import annotations

import pytest

from balas.testing import Client, InProcessServer

KEYED = [
    *("CREATE", "ALTER", "ADD", "INCRBY", "DECRBY", "DEL", "CREATERULE", "DELETERULE"),
    *("GET", "INFO", "RANGE", "REVRANGE"),
]
BY_LABEL = ["MGET", "MRANGE", "MREVRANGE", "QUERYINDEX"]
NAMES = [f"TS.{name}" for name in [*KEYED, *BY_LABEL, "MADD"]]
PERMISSION = (
    "NOPERM TSDB: current user doesn't have read permission to one or more keys that match the "
    "specified filter"
)


@pytest.fixture(params=[2, 3])
def client(request: pytest.FixtureRequest, balas_server: InProcessServer) -> Client:
    return balas_server.client(resp=request.param)


def test_commands_are_described_as_in_the_original(client: Client) -> None:
    # The original registers 0, 0, -1 for queries by label, which a real server shows as 0, 0, 0.
    keys = {"TS.MADD": [1, -1, 3], **{f"TS.{one}": [0, 0, 0] for one in BY_LABEL}}
    for name, described in zip(NAMES, client("COMMAND", "INFO", *NAMES), strict=True):
        assert described[:2] == [name.lower().encode(), -1]
        assert described[3:6] == keys.get(name, [1, 1, 1]), name


def test_no_arguments(client: Client) -> None:
    for name in NAMES:
        wrong = f"ERR wrong number of arguments for '{name.lower()}' command"
        assert client.error(name) == wrong
        if name not in ("TS.CREATE", "TS.ALTER", "TS.GET", "TS.INFO", "TS.QUERYINDEX"):
            assert client.error(name, "k") == wrong


def test_the_category_has_all_commands(client: Client) -> None:
    assert sorted(client("ACL", "CAT", "timeseries")) == sorted(
        one.lower().encode() for one in NAMES
    )


def test_a_series_has_its_type(client: Client) -> None:
    client("TS.ADD", "k", 1, 1)
    assert client("TYPE", "k") == b"TSDB-TYPE"
    assert client("SCAN", 0, "TYPE", "TSDB-TYPE")[1] == [b"k"]
    modules = [
        dict(zip(row[::2], row[1::2], strict=True)) if isinstance(row, list) else row
        for row in client("MODULE", "LIST")
    ]
    assert b"timeseries" in [module[b"name"] for module in modules]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ts-chunk-size-bytes", ["48", "56", "1048576"], ["0", "40", "49", "1048584"]),
        ("ts-retention-policy", ["0", str(2**63 - 1)], ["-1", "x"]),
        ("ts-encoding", ["compressed", "uncompressed"], ["", "gorilla"]),
        ("ts-duplicate-policy", ["block", "first", "last", "min", "max", "sum"], ["", "avg"]),
        ("ts-num-threads", ["1", "16"], ["0", "17"]),
        ("ts-ignore-max-time-diff", ["0", "5"], ["-1", "x"]),
        ("ts-ignore-max-val-diff", ["0", "2.5"], ["-0.5", "x", "inf"]),
        ("ts-compaction-policy", ["", "min:1s:0"], ["min", "foo:1s:0", "min:0:0", "min:1x:0"]),
    ],
)
def test_bounds_of_settings(client: Client, name: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert client("CONFIG", "SET", name, value) == b"OK"
        found = client("CONFIG", "GET", name)
        assert (found[name.encode()] if isinstance(found, dict) else found[1]) == value.encode()
    for value in bad:
        assert client.error("CONFIG", "SET", name, value).startswith("ERR CONFIG SET failed")


@pytest.mark.parametrize(
    ("unit", "unit_ms"), [("m", 1), ("s", 1000), ("M", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
)
def test_units_of_policies(client: Client, unit: str, unit_ms: int) -> None:
    client("CONFIG", "SET", "ts-compaction-policy", f"max:7{unit}:9{unit};STD.P:3{unit}:0:1{unit}")
    client("TS.ADD", "k", 1, 1, "LABELS", "a", "b")
    names = [f"k_MAX_{7 * unit_ms}", f"k_STD.P_{3 * unit_ms}_{unit_ms}"]
    assert sorted(client("TS.QUERYINDEX", "a=b")) == sorted([b"k", *map(str.encode, names)])
    for name, retention_ms in zip(names, (9 * unit_ms, 0), strict=True):
        info = client("TS.INFO", name)
        if isinstance(info, list):
            info = dict(zip(info[::2], info[1::2], strict=True))
        assert info[b"retentionTime"] == retention_ms
        assert info[b"sourceKey"] == b"k"


ERRORS = [
    ("the key does not exist", "TS.GET nokey"),
    ("the key does not exist", "TS.RANGE nokey - +"),
    ("the key does not exist", "TS.CREATERULE k nokey AGGREGATION avg 5"),
    ("key already exists", "TS.CREATE k"),
    ("the key is not a TSDB key", "TS.ADD str 1 1"),
    (
        "Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK mode",
        "TS.ADD k 100 1",
    ),
    ("Timestamp is older than retention", "TS.ADD k 1 1"),
    ("invalid value", "TS.ADD k 1 x"),
    ("invalid timestamp", "TS.ADD k x 1"),
    ("invalid timestamp, must be a nonnegative integer", "TS.ADD k -1 1"),
    ("wrong fromTimestamp", "TS.RANGE k x +"),
    ("wrong toTimestamp", "TS.RANGE k - x"),
    ("Unknown aggregation type", "TS.RANGE k - + AGGREGATION x 5"),
    ("Unknown aggregation type", "TS.CREATERULE k d AGGREGATION x 5"),
    ("bucketDuration must be greater than zero", "TS.RANGE k - + AGGREGATION avg 0"),
    ("bucketDuration must be greater than zero", "TS.CREATERULE k d AGGREGATION avg 0"),
    ("please provide at least one matcher", "TS.QUERYINDEX a!=b"),
    ("please provide at least one matcher", "TS.MGET FILTER a!=b"),
    ("please provide at least one matcher", "TS.MREVRANGE - + FILTER a="),
    ("failed parsing labels", "TS.QUERYINDEX a"),
    ("Couldn't parse LABELS", "TS.CREATE new LABELS a b,c"),
    ("Couldn't parse LABELS", "TS.ADD new 1 1 LABELS a b)"),
    ("Couldn't parse LABELS", "TS.ALTER k LABELS a (b"),
    ("the destination key already has a src rule", "TS.CREATERULE k filled AGGREGATION avg 5"),
    ("the source key already has a source rule", "TS.CREATERULE filled d AGGREGATION avg 5"),
    (
        "the source key and destination key should be different",
        "TS.CREATERULE k k AGGREGATION avg 5",
    ),
    ("compaction rule does not exist", "TS.DELETERULE k d"),
    (
        "CHUNK_SIZE value must be a multiple of 8 in the range [48 .. 1048576]",
        "TS.CREATE new CHUNK_SIZE 50",
    ),
    ("Invalid reducer type", "TS.MRANGE - + FILTER a=b GROUPBY a REDUCE twa"),
]


def test_error_texts(client: Client) -> None:
    client("TS.CREATE", "k", "RETENTION", 50, "DUPLICATE_POLICY", "block", "LABELS", "a", "b")
    client("TS.ADD", "k", 100, 1)
    client("TS.CREATE", "d")
    client("TS.CREATE", "filled")
    client("TS.CREATERULE", "k", "filled", "AGGREGATION", "avg", 10)
    client("SET", "str", "x")
    for text, line in ERRORS:
        assert client.error(*line.split()) == f"ERR TSDB: {text}", line
    assert client("EXISTS", "new") == 0


def test_error_texts_without_the_usual_word(client: Client) -> None:
    """The original sends these two without ERR."""
    client("TS.ADD", "k", 100, 1)
    late = "TSDB: timestamp must be equal to or higher than the maximum existing timestamp"
    assert client.error("TS.INCRBY", "k", 1, "TIMESTAMP", 99) == late
    assert client.error("TS.DECRBY", "k", 1, "TIMESTAMP", 99) == late
    assert client.error("TS.CREATE", "l", "RETENTION", -1) == "TSDB: Couldn't parse RETENTION"


def test_other_types_are_told_apart(client: Client) -> None:
    client("SET", "str", "x")
    client("TS.CREATE", "k")
    wrong = "ERR WRONGTYPE Operation against a key holding the wrong kind of value"
    for line in (
        "TS.GET str",
        "TS.INFO str",
        "TS.RANGE str - +",
        "TS.DEL str 1 2",
        "TS.ALTER str",
        "TS.INCRBY str 1",
        "TS.CREATERULE str k AGGREGATION avg 5",
        "TS.CREATERULE k str AGGREGATION avg 5",
    ):
        assert client.error(*line.split()) == wrong, line
    refused = client("TS.MADD", "str", 1, 1, "k", 1, 1)
    assert str(refused[0]) == "ERR TSDB: the key is not a TSDB key"
    assert refused[1] == 1
    assert client.error("GET", "k").startswith("WRONGTYPE")


def test_the_text_for_lack_of_permission(client: Client) -> None:
    client("TS.CREATE", "hidden", "LABELS", "a", "b")
    client("ACL", "SETUSER", "u", "on", "nopass", "+@all", "%R~mine:*")
    client("AUTH", "u", "x")
    for command in ("TS.MRANGE - +", "TS.MREVRANGE - +", "TS.MGET"):
        assert client.error(*command.split(), "FILTER", "a=b") == PERMISSION
