"""FT.DROPINDEX: what goes with an index, and when what it held is freed."""

from pathlib import Path

from balas.testing import InProcessServer
from balas_search.commands.common import module_class


def filled(server: InProcessServer, count: int = 1500) -> None:
    """Make an index of so many documents."""
    client = server.client()
    client("FT.CREATE", "i", "PREFIX", 1, "d:", "SCHEMA", "t", "TEXT", "SORTABLE", "g", "TAG")
    client("FT.ALIASADD", "also", "i")
    for number in range(count):
        client("HSET", f"d:{number}", "t", f"word w{number}", "g", f"g{number % 7},x{number}")
    client("SET", "other", "stays")


def held(server: InProcessServer) -> dict[bytes, object]:
    """The terms that an index holds."""
    return server.engine.services[module_class()].indexes.by_name[b"i"].terms


def test_what_an_index_held_is_freed_afterwards(balas_server: InProcessServer) -> None:
    filled(balas_server)
    terms = held(balas_server)
    client = balas_server.client()
    assert client("FT.DROPINDEX", "i") == b"OK"
    assert len(terms) > 1500  # not in the command itself
    assert client("FT._LIST") == []
    assert client("DBSIZE") == 1501
    # An index of the same name begins anew, whatever is left of the old one.
    client("FT.CREATE", "i", "PREFIX", 1, "d:", "SCHEMA", "t", "TEXT")
    balas_server.advance(200)
    assert len(terms) == 0
    assert client("FT.SEARCH", "i", "word", "LIMIT", 0, 0) == [1500]
    client("FLUSHALL")
    balas_server.advance(200)
    assert client("FT._LIST") == []


def test_dd_deletes_all_documents_before_the_reply(balas_server: InProcessServer) -> None:
    filled(balas_server)
    client, watcher = balas_server.client(), balas_server.client()
    client("CONFIG", "SET", "notify-keyspace-events", "Eg")
    watcher("SUBSCRIBE", "__keyevent@0__:del")
    assert client("FT.DROPINDEX", "i", "DD") == b"OK"
    assert client("KEYS", "*") == [b"other"]
    deleted = {watcher.read()[2] for _ in range(1500)}
    assert deleted == {b"d:%d" % number for number in range(1500)}
    assert "no such index" in client.error("FT.SEARCH", "also", "word")
    balas_server.advance(200)
    assert client("KEYS", "*") == [b"other"]


def test_a_cursor_of_a_dropped_index_says_so(balas_server: InProcessServer) -> None:
    filled(balas_server)
    client = balas_server.client()
    ask = ("FT.AGGREGATE", "i", "*", "LOAD", 1, "@t", "WITHCURSOR", "COUNT", 10)
    _, number = client(*ask)
    client("FT.DROPINDEX", "i")
    balas_server.advance(200)
    assert "dropped" in client.error("FT.CURSOR", "READ", "i", number)


def test_a_log_of_a_drop_with_documents_is_read_again(tmp_path: Path) -> None:
    with InProcessServer({"appendonly": "yes"}, directory=tmp_path) as server:
        filled(server)
        server.client()("FT.DROPINDEX", "i", "DD")
        server.restart()
        client = server.client()
        assert client("FT._LIST") == []
        assert client("KEYS", "*") == [b"other"]
