"""Indexes survive: definitions are saved and logged, their contents indexed anew."""

from pathlib import Path

import pytest

from balas.testing import InProcessServer
from persisting import finish_child

HELLO = [1, b"a", [b"t", b"hello world", b"n", b"5"]]


def fill(server: InProcessServer) -> None:
    client = server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "n", "NUMERIC", "SORTABLE")
    client("FT.ALTER", "i", "SCHEMA", "ADD", "g", "TAG")
    client("FT.ALIASADD", "other", "i")
    client("FT.SYNUPDATE", "i", "group", "boy", "child")
    client("FT.DICTADD", "d", "one", "two")
    client("FT.CREATE", "gone", "SCHEMA", "t", "TEXT")
    client("FT.DROPINDEX", "gone")
    client("HSET", "a", "t", "hello world", "n", "5")
    client("HSET", "b", "t", "child", "g", "x,y")
    client("FT.SUGADD", "s", "text", "2", "PAYLOAD", "p")


def check(server: InProcessServer) -> None:
    server.advance(100)
    client = server.client()
    assert client("FT._LIST") == [b"i"]
    assert client("FT.SEARCH", "other", "hello") == HELLO
    assert client("FT.SEARCH", "i", "boy", "NOCONTENT") == [1, b"b"]
    assert client("FT.SEARCH", "i", "@g:{y}", "NOCONTENT") == [1, b"b"]
    assert sorted(client("FT.DICTDUMP", "d")) == [b"one", b"two"]
    assert client("FT.SUGGET", "s", "te", "WITHPAYLOADS") == [b"text", b"p"]
    client("HSET", "c", "t", "hello again")
    assert client("FT.SEARCH", "i", "hello", "LIMIT", 0, 0) == [2]


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_indexes_come_back_from_the_log(tmp_path: Path, preamble: str) -> None:
    options = {"appendonly": "yes", "aof-use-rdb-preamble": preamble}
    with InProcessServer(options, directory=tmp_path) as server:
        fill(server)
        server.restart()
        check(server)
        server.client()("BGREWRITEAOF")
        finish_child(server)
        server.restart()
        server.advance(100)
        assert server.client()("FT.SEARCH", "other", "hello", "NOCONTENT") == [2, b"a", b"c"]
        assert server.client()("FT.SEARCH", "i", "boy", "NOCONTENT") == [1, b"b"]
        assert sorted(server.client()("FT.DICTDUMP", "d")) == [b"one", b"two"]


def test_indexes_come_back_from_a_snapshot(tmp_path: Path) -> None:
    with InProcessServer({"save": ""}, directory=tmp_path) as server:
        fill(server)
        server.client()("SAVE")
        server.restart()
        check(server)


def test_a_reload_keeps_indexes(tmp_path: Path) -> None:
    with InProcessServer({"enable-debug-command": "yes"}, directory=tmp_path) as server:
        fill(server)
        server.client()("DEBUG", "RELOAD")
        check(server)


def test_the_initial_scan_goes_on_in_slices(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    for number in range(2500):
        client("HSET", f"k{number}", "t", "word")
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
    information = client("FT.INFO", "i")
    facts = dict(zip(information[::2], information[1::2], strict=True))
    assert facts[b"indexing"] == 1
    assert 0 < float(facts[b"percent_indexed"]) < 1
    client("HSET", "k7", "t", "changed meanwhile")
    client("DEL", "k8")
    balas_server.advance(100)
    assert client("FT.SEARCH", "i", "word", "LIMIT", 0, 0) == [2498]
    assert client("FT.SEARCH", "i", "changed", "NOCONTENT") == [1, b"k7"]


def test_evicted_and_expired_keys_leave_the_index(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
    client("HSET", "a", "t", "word")
    client("HSET", "b", "t", "word")
    client("PEXPIRE", "a", 10)
    balas_server.advance(1000)
    assert client("FT.SEARCH", "i", "word", "NOCONTENT") == [1, b"b"]
    client("HPEXPIRE", "b", 10, "FIELDS", 1, "t")
    balas_server.advance(1000)
    assert client("FT.SEARCH", "i", "word", "NOCONTENT") == [0]


def test_memory_of_indexes_counts(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
    for number in range(200):
        client("HSET", f"k{number}", "t", f"word{number} text")
    before = int(client("INFO", "memory").split(b"used_memory:")[1].split()[0])
    balas_server.advance(1500)
    after = int(client("INFO", "memory").split(b"used_memory:")[1].split()[0])
    assert after - before > 20_000


def test_documents_that_change_often_are_collected(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "n", "NUMERIC", "SORTABLE", "g", "TAG")
    for number in range(3000):
        client("HSET", f"k{number % 50}", "t", f"word{number % 7}", "n", number, "g", "a,b")
    balas_server.advance(1500)
    information = client("FT.INFO", "i")
    facts = dict(zip(information[::2], information[1::2], strict=True))
    assert facts[b"max_doc_id"] == 50
    assert client("FT.SEARCH", "i", "@n:[2999 2999]", "NOCONTENT") == [1, b"k49"]
    total = sum(client("FT.SEARCH", "i", f"word{n}", "LIMIT", 0, 0)[0] for n in range(7))
    assert total == 50
    assert client("FT.SEARCH", "i", "@g:{b}", "LIMIT", 0, 0) == [50]
    found = client("FT.SEARCH", "i", "*", "SORTBY", "n", "DESC", "LIMIT", 0, 2, "NOCONTENT")
    assert found == [50, b"k49", b"k48"]


def test_a_condition_keeps_documents_out(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    condition = "exists(@kind) && @kind=='a' && (@n>3 || startswith(@t, 'x')) && !exists(@hidden)"
    client("FT.CREATE", "i", "FILTER", condition, "SCHEMA", "t", "TEXT", "n", "NUMERIC")
    client("HSET", "in", "t", "word", "n", 4, "kind", "a")
    client("HSET", "also", "t", "xword word", "n", 1, "kind", "a")
    client("HSET", "low", "t", "word", "n", 1, "kind", "a")
    client("HSET", "other", "t", "word", "n", 4, "kind", "b")
    client("HSET", "secret", "t", "word", "n", 4, "kind", "a", "hidden", 1)
    client("HSET", "none", "t", "word")
    assert sorted(client("FT.SEARCH", "i", "word", "NOCONTENT")[1:]) == [b"also", b"in"]
    client("HSET", "in", "n", 2)
    assert client("FT.SEARCH", "i", "word", "NOCONTENT") == [1, b"also"]
    assert client.error("FT.CREATE", "j", "FILTER", "foo", "SCHEMA", "t", "TEXT")


def test_a_temporary_index_goes_when_nobody_asks(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "TEMPORARY", 10, "SCHEMA", "t", "TEXT")
    balas_server.advance(8000)
    client("FT.SEARCH", "i", "word")
    balas_server.advance(8000)
    assert client("FT._LIST") == [b"i"]
    balas_server.advance(8000)
    assert client("FT._LIST") == []


def test_a_query_may_not_take_for_ever(balas_server: InProcessServer) -> None:
    client = balas_server.client(resp=3)
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
    for number in range(300):
        client("HSET", f"k{number}", "t", " ".join(f"w{number}x{i}" for i in range(200)))
    slow = "|".join(f"%w{number}x1%" for number in range(40))
    found = client("FT.SEARCH", "i", slow, "TIMEOUT", 1)
    assert found[b"warning"] == [b"Timeout limit was reached"]
    client("CONFIG", "SET", "search-on-timeout", "fail")
    assert "Timeout limit was reached" in client.error("FT.SEARCH", "i", slow, "TIMEOUT", 1)
    assert client("FT.SEARCH", "i", slow, "TIMEOUT", 0, "LIMIT", 0, 0)[b"total_results"] > 0
