"""Values whose module is away: kept, saved, counted, and alive again when it is back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from balas.host.report import info_modules
from balas.testing import BalasProcess, Client, InProcessServer, check_rdb, wait_until
from host.author import TALLY, Author

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.fixture
def aside(author: Author, client: Client) -> Author:
    """A server with two orphans and a string."""
    author.tally()
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 5)
    client("TALLY.ADD", "u", 6)
    client("SET", "s", "v")
    client("MODULE", "UNLOAD", "tally", "SETASIDE")
    return author


def info(author: Author) -> list[str]:
    return info_modules(author.server.server.modules)


def test_an_orphan_answers_type_and_refuses_the_rest(aside: Author, client: Client) -> None:
    assert client("TYPE", "t") == b"test-tall"
    assert client("OBJECT", "ENCODING", "t") == b"raw"
    assert client.error("GET", "t") == WRONG_TYPE
    assert client.error("INCR", "t") == WRONG_TYPE
    assert client.error("APPEND", "t", "x") == WRONG_TYPE


def test_orphans_are_counted_until_they_are_gone(aside: Author, client: Client) -> None:
    assert client("MODULE", "ORPHANS") == [b"test-tall", 2]
    assert info(aside) == ["orphaned_values:2", "orphaned_values_test-tall:2"]
    client("SET", "t", "overwritten")
    assert client("MODULE", "ORPHANS") == [b"test-tall", 1]
    client("DEL", "u")
    assert client("MODULE", "ORPHANS") == []
    assert info(aside) == []


def test_orphans_are_copied_renamed_moved_and_expire(aside: Author, client: Client) -> None:
    client("COPY", "t", "copy")
    client("RENAME", "t", "renamed")
    client("MOVE", "u", 1)
    client("PEXPIRE", "renamed", 1000)
    assert client("MODULE", "ORPHANS") == [b"test-tall", 3]
    client("MODULE", "LOAD", "./tally.py")
    assert client("TALLY.GET", "copy") == 5
    assert client("TALLY.GET", "renamed") == 5
    client("SELECT", 1)
    assert client("TALLY.GET", "u") == 6
    client("SELECT", 0)
    aside.server.advance(1001)
    assert client("TALLY.GET", "renamed") is None


def test_orphans_are_counted_in_the_memory(aside: Author, client: Client) -> None:
    db = aside.server.engine.databases[0]
    db.check_invariants()
    assert db.memory_of(b"t") > 50
    client("MODULE", "LOAD", "./tally.py")
    db.check_invariants()


def test_orphans_survive_snapshots_and_restarts(aside: Author, client: Client) -> None:
    client("SAVE")
    check_rdb(aside.folder / "dump.rdb")
    for _ in range(2):
        aside.server.restart()
        client = aside.server.client()
        assert client("MODULE", "ORPHANS") == [b"test-tall", 2]
        client("SAVE")
    client("MODULE", "LOAD", "./tally.py")
    assert client("TALLY.GET", "t") == 5
    assert client("TALLY.ADD", "u", 1) == 7


def test_a_module_that_cannot_load_its_orphans_is_refused(aside: Author, client: Client) -> None:
    aside.tally(("cls(source.load_signed())", "cls(source.load_string())"))
    before = aside.traces()
    text = client.error("MODULE", "LOAD", "./tally.py")
    assert text.startswith("ERR Error loading the extension: key '")
    assert "a signed number where a module's value should have a string" in text
    assert aside.traces() == before
    assert client("MODULE", "ORPHANS") == [b"test-tall", 2]
    aside.tally()
    client("MODULE", "LOAD", "./tally.py")
    assert client("TALLY.GET", "t") == 5


def test_a_newer_module_reads_the_version_that_was_saved(aside: Author, client: Client) -> None:
    aside.tally(
        ("rdb_version = 2", "rdb_version = 7"),
        ("cls(source.load_signed())", "cls(source.load_signed() + 100 * version)"),
    )
    client("MODULE", "LOAD", "./tally.py")
    assert client("TALLY.GET", "t") == 205


def test_loading_another_module_leaves_orphans_alone(aside: Author, client: Client) -> None:
    client("MODULE", "LOAD", "bf")
    assert client("MODULE", "ORPHANS") == [b"test-tall", 2]


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_orphans_survive_in_the_log(
    preamble: str, balas_process: Callable[..., BalasProcess]
) -> None:
    options = {"appendonly": "yes", "bare": "yes", "aof-use-rdb-preamble": preamble}
    server = balas_process(options)
    (server.directory / "tally.py").write_text(TALLY)
    with server.client() as client:
        client("MODULE", "LOAD", "./tally.py")
        client("TALLY.ADD", "t", 5)
        client("MODULE", "UNLOAD", "tally", "SETASIDE")
        # The log knew a command that is unknown now, so it is written anew.
        wait_until(lambda: "Background AOF rewrite finished" in server.log, 10)
        client("SET", "s", "v")
    server.kill()
    server.start()
    with server.client() as client:
        assert client("GET", "s") == b"v"
        assert client("MODULE", "ORPHANS") == [b"test-tall", 1]
        client("MODULE", "LOAD", "./tally.py")
        assert client("TALLY.GET", "t") == 5


def test_a_real_snapshot_of_a_real_module_is_kept_and_comes_alive(
    real_servers: Callable[..., object], server: InProcessServer
) -> None:
    real = real_servers("bloom")
    with real.client() as there:  # type: ignore[attr-defined]
        there("FLUSHALL")
        there("BF.ADD", "f", "x")
        there("CMS.INITBYDIM", "c", 10, 10)
        there("SAVE")
        there("FLUSHALL")
    snapshot = real.directory / "dump.rdb"  # type: ignore[attr-defined]
    (server.directory / "dump.rdb").write_bytes(snapshot.read_bytes())
    server.restart()
    client = server.client()
    assert client("MODULE", "ORPHANS") == [b"CMSk-TYPE", 1, b"MBbloom--", 1]
    client("MODULE", "LOAD", "bf")
    assert client("BF.EXISTS", "f", "x") == 1
    assert client("CMS.INFO", "c")[1] == 10
    assert client("MODULE", "ORPHANS") == []
