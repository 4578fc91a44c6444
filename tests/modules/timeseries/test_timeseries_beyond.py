"""What RedisTimeSeries has not, and settings."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from balas.testing import Client, InProcessServer

HOSTS = {"web-1": "5", "web-2": "10", "db-1": "2.5", "db-2": "none"}


@pytest.fixture
def client(balas_server: InProcessServer) -> Client:
    return balas_server.client(resp=3)


def test_nan_is_a_value_only_where_it_was_asked_for(client: Client) -> None:
    assert client.error("TS.ADD", "k", 1, "nan") == "ERR TSDB: invalid value"
    client("CONFIG", "SET", "ts-accept-nan", "yes")
    client("TS.MADD", "k", 1, 1)
    for at, value in enumerate([1, "nan", "NaN", 5, "nan"], 1):
        client("TS.ADD", "k", at, value)
    client("TS.ADD", "k", 11, "nan")
    reply = client("TS.RANGE", "k", "-", "+", "AGGREGATION", "count,countnan,countall,avg", 10)
    assert reply[0] == [0, 2.0, 3.0, 5.0, 3.0]
    assert reply[1][:4] == [10, 0.0, 1.0, 1.0]
    assert math.isnan(reply[1][4])
    assert client("TS.RANGE", "k", "-", "+", "AGGREGATION", "max", 5)[0] == [0, 5.0]
    client("TS.CREATE", "d")
    client("TS.CREATERULE", "k", "d", "AGGREGATION", "countnan", 10, "BACKFILL")
    assert client("TS.RANGE", "d", "-", "+", "LATEST") == [[0, 3.0], [10, 1.0]]


def test_several_aggregators_give_a_value_each(client: Client) -> None:
    client("TS.CREATE", "k", "LABELS", "a", "b")
    client("TS.MADD", *(word for at in range(40) for word in ("k", at, at % 7)))
    names = ["avg", "min", "max", "first", "last", "sum", "count", "std.s", "twa", "range"]
    together = client("TS.RANGE", "k", 5, 33, "AGGREGATION", ",".join(names), 10)
    for place, name in enumerate(names, 1):
        alone = client("TS.RANGE", "k", 5, 33, "AGGREGATION", name, 10)
        assert [[row[0], row[place]] for row in together] == alone
    many = client("TS.MRANGE", "-", "+", "AGGREGATION", "min,max", 20, "FILTER", "a=b")
    assert many == {b"k": [{}, {b"aggregators": [b"min", b"max"]}, [[0, 0, 6], [20, 0, 6]]]}
    grouped = ("FILTER", "a=b", "GROUPBY", "a", "REDUCE", "sum")
    error = client.error("TS.MRANGE", "-", "+", "AGGREGATION", "min,max", 20, *grouped)
    assert error == "ERR TSDB: GROUPBY takes a single aggregator"
    assert client.error("TS.RANGE", "k", "-", "+", "AGGREGATION", "avg,foo", 5) == (
        "ERR TSDB: Unknown aggregation type"
    )


@pytest.mark.parametrize("kind", ["avg", "sum", "std.p", "last", "count", "twa"])
def test_a_rule_takes_what_was_there_before_it(client: Client, kind: str) -> None:
    for at in range(0, 100, 3):
        client("TS.ADD", "early", at, at % 11)
    client("TS.CREATE", "late")
    client("TS.CREATE", "d1")
    client("TS.CREATE", "d2")
    client("TS.CREATERULE", "early", "d1", "AGGREGATION", kind, 10, "BACKFILL")
    client("TS.CREATERULE", "late", "d2", "AGGREGATION", kind, 10)
    for at in range(0, 100, 3):
        client("TS.ADD", "late", at, at % 11)
    for at in (103, 111, 124):
        for name in ("early", "late"):
            client("TS.ADD", name, at, 5)
        one, other = (client("TS.RANGE", name, "-", "+", "LATEST") for name in ("d1", "d2"))
        assert [at for at, _ in one] == [at for at, _ in other]
        assert [v for _, v in one] == pytest.approx([v for _, v in other])


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["host~=web"], ["web-1", "web-2"]),
        (["host~=-1"], ["db-1", "web-1"]),
        (["all=1", "host!~=web"], ["db-1", "db-2"]),
        (["rack>2.5"], ["web-1", "web-2"]),
        (["rack>=2.5"], ["db-1", "web-1", "web-2"]),
        (["rack<5"], ["db-1"]),
        (["rack<=5", "host~=web"], ["web-1"]),
        (["rack<1e9", "rack>4"], ["web-1", "web-2"]),
    ],
)
def test_filters_that_contain_and_compare(
    client: Client, filters: list[str], names: list[str]
) -> None:
    for host, rack in HOSTS.items():
        client("TS.CREATE", host, "LABELS", "host", host, "rack", rack, "all", "1")
    assert client("TS.QUERYINDEX", *filters) == [name.encode() for name in names]


def test_labels_that_look_like_operators_are_labels(client: Client) -> None:
    client("TS.CREATE", "k", "LABELS", "host~", "web", "rack>", "5")
    client("TS.CREATE", "l", "LABELS", "host", "web", "rack", "9")
    assert client("TS.QUERYINDEX", "host~=web") == [b"k"]
    assert client("TS.QUERYINDEX", "rack>=5") == [b"k"]


@pytest.mark.parametrize("word", ["rack>x", "rack<", ">5", "rack"])
def test_filters_that_make_no_sense(client: Client, word: str) -> None:
    assert client.error("TS.QUERYINDEX", word) == "ERR TSDB: failed parsing labels"


@pytest.mark.parametrize(
    ("name", "default", "good", "bad"),
    [
        ("ts-compaction-policy", "", "max:1M:1h;avg:10s:2d:3m", "max:1M"),
        ("ts-retention-policy", "0", "5000", "-1"),
        ("ts-chunk-size-bytes", "4096", "128", "50"),
        ("ts-encoding", "compressed", "uncompressed", "zipped"),
        ("ts-duplicate-policy", "block", "last", "never"),
        ("ts-num-threads", "3", "8", "0"),
        ("ts-ignore-max-time-diff", "0", "10", "-1"),
        ("ts-ignore-max-val-diff", "0", "0.5", "-1"),
    ],
)
def test_settings(client: Client, name: str, default: str, good: str, bad: str) -> None:
    assert client("CONFIG", "GET", name) == {name.encode(): default.encode()}
    client("CONFIG", "SET", name, good)
    assert client("CONFIG", "GET", name) == {name.encode(): good.encode()}
    assert client.error("CONFIG", "SET", name, bad).startswith("ERR CONFIG SET failed")


def test_settings_are_what_new_series_are_made_of(client: Client) -> None:
    client("CONFIG", "SET", "ts-retention-policy", "5000")
    client("CONFIG", "SET", "ts-chunk-size-bytes", "128")
    client("CONFIG", "SET", "ts-encoding", "uncompressed")
    client("CONFIG", "SET", "ts-ignore-max-time-diff", "10")
    client("CONFIG", "SET", "ts-ignore-max-val-diff", "0.5")
    client("TS.CREATE", "k")
    info = client("TS.INFO", "k")
    assert info[b"retentionTime"] == 5000
    assert info[b"chunkSize"] == 128
    assert info[b"chunkType"] == b"uncompressed"
    assert (info[b"ignoreMaxTimeDiff"], info[b"ignoreMaxValDiff"]) == (10, 0.5)
    client("CONFIG", "SET", "ts-duplicate-policy", "sum")
    client("TS.ADD", "k", 1, 1)
    client("TS.ADD", "k", 1, 5)
    assert client("TS.GET", "k") == [1, 6.0]


def test_arguments_of_loading_are_settings() -> None:
    with InProcessServer(bundled=False) as server:
        client = server.client()
        words = ("RETENTION_POLICY", "77", "COMPACTION_POLICY", "sum:1s:0", "ts-num-threads", "5")
        client("MODULE", "LOAD", "balas_timeseries:TimeSeries", *words)
        client("TS.ADD", "k", 1, 1)
        assert client("TS.QUERYINDEX", "aggregation=SUM") == [b"k_SUM_1000"]
        assert client("CONFIG", "GET", "ts-retention-policy") == [b"ts-retention-policy", b"77"]


def test_too_many_empty_buckets_are_refused(client: Client) -> None:
    client("TS.MADD", "k", 1, 1)
    client("TS.ADD", "k", 1, 1)
    client("TS.ADD", "k", 2**60, 1)
    words = ("TS.RANGE", "k", "-", "+")
    for kind in ("sum", "last", "twa"):
        error = client.error(*words, "AGGREGATION", kind, 1, "EMPTY")
        assert error == "ERR TSDB: too many buckets"
    few = client(*words, "COUNT", 3, "AGGREGATION", "last", 1, "EMPTY")
    assert few == [[1, 1.0], [2, 1.0], [3, 1.0]]


def test_nan_survives_a_restart_whatever_the_setting_is_then(tmp_path: Path) -> None:
    with InProcessServer({"appendonly": "yes"}, directory=tmp_path) as server:
        client = server.client(resp=3)
        client("CONFIG", "SET", "ts-accept-nan", "yes")
        client("TS.ADD", "k", 1, "nan")
        client("TS.MADD", "k", 2, 5, "k", 3, "NaN")
        server.restart()
        client = server.client(resp=3)
        assert client("CONFIG", "GET", "ts-accept-nan") == {b"ts-accept-nan": b"no"}
        counted = client("TS.RANGE", "k", "-", "+", "AGGREGATION", "countnan,countall", 10)
        assert counted == [[0, 2.0, 3.0]]
        assert client.error("TS.ADD", "k", 9, "nan") == "ERR TSDB: invalid value"
