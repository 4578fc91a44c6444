"""Whole snapshots of real servers with their modules in Balas, and those of Balas in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from balas.errors import ReplyError
from balas.services.rdb.format import module_type_id
from balas.services.rdb.writer import RdbWriter
from balas.testing import BalasProcess, Client, InProcessServer, RealRedis, check_rdb, wait_until

pytestmark = pytest.mark.oracle

MODULES = ["json", "bloom", "search"]
SAVED = ["SAVE"]

FILL: list[list[Any]] = [
    ["JSON.SET", "doc:1", "$", '{"a":1,"b":[1,2.5,"x",null,true,-0.0],"title":"hello world"}'],
    ["JSON.SET", "doc:2", "$", '"caf\u00e9 \\u0001"'],
    ["BF.RESERVE", "bf", "0.001", 100],
    ["BF.MADD", "bf", *range(500)],
    ["CF.RESERVE", "cf", 100, "BUCKETSIZE", 4],
    *(["CF.ADD", "cf", number] for number in range(300)),
    ["CMS.INITBYDIM", "cms", 100, 5],
    ["CMS.INCRBY", "cms", "a", 5, "b", 7],
    ["TOPK.RESERVE", "top", 3],
    ["TOPK.ADD", "top", *"aabbbccccd"],
    ["TDIGEST.CREATE", "td"],
    ["TDIGEST.ADD", "td", *range(1000)],
    ["FT.SUGADD", "sug", "hello", 1],
    ["FT.SUGADD", "sug", "help", 2, "PAYLOAD", "p"],
    ["FT.DICTADD", "words", "one", "two"],
    ["HSET", "h:1", "t", "hello you", "n", 3, "g", "red;blue", "place", "2.3,48.8"],
    ["HSET", "h:2", "t", "child", "n", 40, "g", "Red"],
    ["PEXPIREAT", "bf", 4_000_000_000_000],
]
# Everything an index can be told, so that each part of its definition is in a file.
INDEXES: list[list[Any]] = [
    text.split()
    for text in (
        "FT.CREATE idx PREFIX 2 h: k: SCHEMA t TEXT WEIGHT 2.5 SORTABLE n NUMERIC SORTABLE"
        " g AS tag TAG SEPARATOR ; CASESENSITIVE place GEO INDEXMISSING"
        " u TEXT NOSTEM PHONETIC dm:en",
        "FT.CREATE docs ON JSON PREFIX 1 doc: SCHEMA $.title AS title TEXT WITHSUFFIXTRIE"
        " $.a AS a NUMERIC SORTABLE $.b[2] AS tag TAG",
        "FT.CREATE odd FILTER @n>10 LANGUAGE french LANGUAGE_FIELD l SCORE 0.5 SCORE_FIELD s"
        " PAYLOAD_FIELD p MAXTEXTFIELDS NOOFFSETS NOFREQS STOPWORDS 2 a the"
        " SCHEMA t TEXT NOINDEX x TEXT INDEXEMPTY n NUMERIC NOINDEX",
        "FT.CREATE plain NOHL NOFIELDS STOPWORDS 0 SCHEMA t TEXT",
        "FT.ALIASADD other idx",
        "FT.SYNUPDATE idx group boy child",
        "FT.SYNUPDATE idx other boy kid",
    )
]
LOOK: list[list[Any]] = [
    ["JSON.GET", "doc:1"],
    ["JSON.GET", "doc:2"],
    ["BF.INFO", "bf"],
    ["BF.MEXISTS", "bf", *range(600)],
    ["PEXPIRETIME", "bf"],
    ["CF.INFO", "cf"],
    ["CF.MEXISTS", "cf", *range(400)],
    ["CMS.INFO", "cms"],
    ["CMS.QUERY", "cms", "a", "b", "c"],
    ["TOPK.LIST", "top", "WITHCOUNT"],
    ["TOPK.QUERY", "top", "a", "d"],
    ["TDIGEST.QUANTILE", "td", 0, 0.01, 0.5, 0.99, 1],
    ["FT.SUGGET", "sug", "he", "WITHPAYLOADS", "WITHSCORES"],
    ["HGETALL", "h:1"],
]
SEARCHES: list[list[Any]] = [
    ["FT.SEARCH", "other", "hello"],
    ["FT.SEARCH", "idx", "boy"],
    ["FT.SEARCH", "idx", "@tag:{red}"],
    ["FT.SEARCH", "idx", "ismissing(@place)", "DIALECT", 2],
    ["FT.SEARCH", "idx", "*", "SORTBY", "n", "DESC"],
    ["FT.SEARCH", "docs", "hello", "RETURN", 1, "a"],
    ["FT.SEARCH", "docs", "@tag:{x}", "NOCONTENT"],
    ["FT.SEARCH", "odd", "*", "NOCONTENT"],
    ["FT.SEARCH", "plain", "hello", "NOCONTENT"],
    ["FT.SYNDUMP", "idx"],
    *(["FT.INFO", name] for name in ("idx", "docs", "odd", "plain")),
]
# What FT.INFO says of a definition, in place of what it measures.
DEFINED = {b"index_name", b"index_options", b"index_definition", b"attributes", b"num_docs"}


def look(client: Client, commands: list[list[Any]]) -> dict[str, Any]:
    found = {}
    for command in commands:
        reply = client.pipeline(command)[0]
        if isinstance(reply, ReplyError):
            reply = str(reply)
        elif command[0] == "FT.INFO":
            facts = dict(zip(reply[::2], reply[1::2], strict=True))
            reply = {name: facts[name] for name in DEFINED}
        elif command[0] == "FT.SYNDUMP":
            pairs = zip(reply[::2], reply[1::2], strict=True)
            reply = {term: sorted(groups) for term, groups in pairs}
        found[" ".join(map(str, command))] = reply
    return found


def is_complete(client: Client, index: str) -> bool:
    facts = client("FT.INFO", index)
    return int(facts[facts.index(b"indexing") + 1]) == 0


def everything(client: Client) -> dict[str, Any]:
    for index in ("idx", "docs", "odd", "plain"):
        wait_until(lambda index=index: is_complete(client, index))  # type: ignore[misc]
    wait_until(lambda: client("FT.SEARCH", "idx", "*", "NOCONTENT")[0] == 2)
    found = look(client, LOOK + SEARCHES)
    found["lists"] = sorted(client("FT._LIST"))
    found["words"] = sorted(client("FT.DICTDUMP", "words"))
    return found


@pytest.fixture
def real(real_servers: Callable[..., RealRedis]) -> Callable[..., RealRedis]:
    """Start a real server with its modules on a folder."""
    real_servers(*MODULES)  # skips the test where they are missing
    return lambda folder, **options: RealRedis(options, modules=MODULES, directory=folder)


def balas(folder: Path, **options: Any) -> BalasProcess:
    return BalasProcess(options, directory=folder)


def replace(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize("writer", ["real", "balas"])
def test_values_and_indexes_travel(tmp_path: Path, real: Any, writer: str) -> None:
    """There and back again: nothing is lost, and both answer equally."""
    there, here = (real, balas) if writer == "real" else (balas, real)
    with there(tmp_path) as server, server.client() as client:
        for command in [*FILL, *INDEXES, SAVED]:
            client(*command)
        before = everything(client)
        assert "Bytes" not in str(before)
    check_rdb(tmp_path / "dump.rdb")
    for start in (here, there):
        with start(tmp_path) as server, server.client() as client:
            assert everything(client) == before
            client("SAVE")


def test_what_no_module_understands_is_kept_told_and_written_back(
    tmp_path: Path, real: Any
) -> None:
    """An index with a kind of field that is not known here, and one that would be."""
    with real(tmp_path) as server, server.client() as client:
        for command in [*FILL, *INDEXES, SAVED]:
            client(*command)
        before = everything(client)
    known, unknown = (b"\x05\x06place\0\x02\0\x02" + kind for kind in (b"\x04", b"\x3e"))
    replace(tmp_path / "dump.rdb", known, unknown)
    with balas(tmp_path, rdbchecksum="no") as server, server.client() as client:
        assert "It is kept as it is" in server.log
        assert b"orphaned_aux_ft_index0:" in client("INFO", "modules")
        assert client("FT._LIST") == []
        assert look(client, LOOK) == {name: before[name] for name in look(client, LOOK)}
        client("SAVE")
    replace(tmp_path / "dump.rdb", unknown, known)
    with real(tmp_path, rdbchecksum="no") as server, server.client() as client:
        assert everything(client) == before


def test_a_value_of_an_unknown_version_is_kept(tmp_path: Path) -> None:
    """As the time series and graphs of the original modules are, which Balas keeps otherwise."""
    out = RdbWriter()
    out.write_header()
    for key, name, version in (
        (b"series", "TSDB-TYPE", 8),
        (b"graph", "graphdata", 17),
        (b"filter", "MBbloom--", 5),
        (b"document", "ReJSON-RL", 4),
        (b"list", "trietype0", 2),
        (b"strange", "strange-1", 0),
    ):
        out.write_byte(7)
        out.write_string(key)
        items = out.begin_module_value(module_type_id(name, version))
        items.save_string(b"of another kind")
        items.save_double(1.5)
        items.end()
    out.write_end()
    file = out.take()
    (tmp_path / "dump.rdb").write_bytes(file)
    with InProcessServer(directory=tmp_path) as server:
        client = server.client()
        assert client("DBSIZE") == 6
        assert client("TYPE", "series") == b"TSDB-TYPE"
        assert "WRONGTYPE" in client.error("BF.ADD", "filter", "x")
        assert b"orphaned_values:6" in client("INFO", "modules")
        assert "type 'TSDB-TYPE': 1 values of it are kept" in server.log
        payloads = {key: client("DUMP", key) for key in client("KEYS", "*")}
        client("MODULE", "UNLOAD", "bf")
        client("MODULE", "LOAD", "bf")
        client("MODULE", "RELOAD", "ReJSON")
        client("SAVE")
        server.restart()
        client = server.client()
        assert {key: client("DUMP", key) for key in client("KEYS", "*")} == payloads


DEBIAN = Path("/usr/bin/redis-server")


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs another Redis, of 7.0")
def test_a_snapshot_of_redis_7_0_with_modules(
    tmp_path: Path, real: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALAS_REAL_REDIS", str(DEBIAN))
    wanted = [command for command in LOOK if not command[0].startswith("FT.")]
    server = RealRedis(modules=["json", "bloom"], directory=tmp_path)
    with server, server.client() as client:
        assert client("INFO", "server").split(b"redis_version:")[1][:3] == b"7.0"
        for command in FILL:
            if not command[0].startswith("FT."):
                client(*command)
        client("XADD", "stream", "1-1", "a", "b")
        client("XGROUP", "CREATE", "stream", "group", 0)
        client("SAVE")
        before = look(client, wanted)
    with balas(tmp_path) as server, server.client() as client:
        assert look(client, wanted) == before
        assert client("XRANGE", "stream", "-", "+") == [[b"1-1", [b"a", b"b"]]]
