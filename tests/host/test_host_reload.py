"""Reloading modules: new code, old keys; and back to the old code if the new is refused."""

from __future__ import annotations

import gc
import weakref

import pytest

from balas.testing import Client, InProcessServer
from host.author import Author
from host.test_host_load import FAULTS
from host.test_host_unload import WAITING

REFUSED = "ERR Error reloading module: "


@pytest.fixture
def loaded(author: Author, client: Client) -> Author:
    author.tally()
    client("MODULE", "LOADEX", "./tally.py", "CONFIG", "tally-step", "4", "ARGS", "x")
    client("CONFIG", "SET", "tally-title", "mine")
    client("TALLY.ADD", "t", 5)
    client("SELECT", 7)
    client("TALLY.ADD", "u", 6)
    client("SELECT", 0)
    return author


def test_keys_meet_the_new_code(loaded: Author, client: Client) -> None:
    loaded.tally(
        ("return None if tally is None else tally.total", "return [b'total', tally.total]"),
        ("version = 10203", "version = 10300"),
    )
    assert client("MODULE", "RELOAD", "tally") == b"OK"
    assert client("TALLY.GET", "t") == [b"total", 5]
    assert client("TALLY.ADD", "t", 5) == 10
    client("SELECT", 7)
    assert client("TALLY.GET", "u") == [b"total", 6]
    assert client("MODULE", "LIST")[0][3] == 10300


def test_arguments_and_options_stay(loaded: Author, client: Client) -> None:
    client("MODULE", "RELOAD", "tally")
    assert client("CONFIG", "GET", "tally-*") == [b"tally-step", b"4", b"tally-title", b"mine"]
    assert client("MODULE", "LIST")[0][7] == [b"x"]


def test_a_new_default_counts_where_nothing_was_set(loaded: Author, client: Client) -> None:
    client("CONFIG", "SET", "tally-title", "none")
    loaded.tally(('Option("tally-title", "none")', 'Option("tally-title", "new")'))
    client("MODULE", "RELOAD", "tally")
    assert client("CONFIG", "GET", "tally-title") == [b"tally-title", b"new"]


def test_values_keep_expiry_and_idle_time_and_are_no_change(loaded: Author, client: Client) -> None:
    client("PEXPIREAT", "t", loaded.server.clock.now_ms + 60_000)
    db = loaded.server.engine.databases[0]
    loaded.server.advance(30_000)
    client("WATCH", "t")
    idle = db.access_bits(b"t")
    dirty = loaded.server.engine.changes.dirty
    client("MODULE", "RELOAD", "tally")
    assert db.access_bits(b"t") == idle
    assert client("PTTL", "t") == 30_000
    assert loaded.server.engine.changes.dirty == dirty
    client("MULTI")
    client("PING")
    assert client("EXEC") == [b"PONG"]


def test_values_pass_through_their_own_save_and_load(loaded: Author, client: Client) -> None:
    loaded.tally(
        ("rdb_version = 2", "rdb_version = 3"),
        ("return cls(source.load_signed())", "return cls(source.load_signed() * 10 + version)"),
    )
    client("MODULE", "RELOAD", "tally")
    assert client("TALLY.GET", "t") == 52


def test_the_old_code_is_freed_and_its_timers_stop(loaded: Author, client: Client) -> None:
    old = loaded.instance()
    reference = weakref.ref(type(old))
    loaded.server.advance(2000)
    client("MODULE", "RELOAD", "tally")
    loaded.server.advance(3000)
    assert old.ticks == 2
    assert loaded.instance().ticks == 3
    del old
    gc.collect()
    assert reference() is None


REFUSALS = {
    **FAULTS,
    "another name": (
        ('name = "tally"', 'name = "tally2"'),
        "the new code calls itself 'tally2'",
        False,
    ),
    "a type that is gone": (
        ('"test-tally"[:9]', '"testtally"'),
        "key 't' (db 0): the new code has no type 'test-tall'",
        False,
    ),
    "a type that cannot load": (
        ("cls(source.load_signed())", "cls(source.load_string())"),
        "key 't' (db 0): type 'test-tall': a signed number where a module's value should have a",
        False,
    ),
    "a type that fails to load": (
        ("cls(source.load_signed())", "cls(source.load_signed()[0])"),
        "key 't' (db 0): type 'test-tall' could not load a value at offset",
        True,
    ),
    "a type that cannot tell its size": (
        ("return 100", "return 100 / 0"),
        "key 't' (db 0): ZeroDivisionError: division by zero (tally.py",
        True,
    ),
    "an option whose value does not fit": (
        ("low=1, high=9", "low=1, high=3"),
        "invalid value for option 'tally-step'",
        False,
    ),
}
# These are about a name of its own that a module may well have.
del REFUSALS["no name"], REFUSALS["a name with a blank"]


@pytest.mark.parametrize("fault", REFUSALS)
def test_code_that_is_refused_leaves_the_old_code_as_it_was(
    fault: str, loaded: Author, client: Client
) -> None:
    edit, reason, is_code = REFUSALS[fault]
    before = loaded.traces()
    old = loaded.instance()
    loaded.tally(edit)
    text = client.error("MODULE", "RELOAD", "tally")
    assert text.startswith(REFUSED)
    assert reason in text
    assert ("Traceback (most recent call last)" in loaded.server.log) >= is_code
    assert loaded.traces() == before
    assert loaded.instance() is old
    assert client("TALLY.ADD", "t", 1) == 6
    assert client("CONFIG", "GET", "tally-*") == [b"tally-step", b"4", b"tally-title", b"mine"]
    loaded.server.advance(1000)
    assert old.ticks == 1
    assert old.seen[-1] == (0, b"t", "tally.add")


def test_one_shot_timers_of_old_code_go_on_after_a_refusal(author: Author, client: Client) -> None:
    author.tally(
        ("server.every(1000, self.tick)", "server.after(1000, self.tick)"),
    )
    client("MODULE", "LOAD", "./tally.py")
    old = author.instance()
    author.tally(("self.ticks = 0", "raise ReplyError('ERR no')"))
    client.error("MODULE", "RELOAD", "tally")
    author.server.advance(999)
    assert old.ticks == 0
    author.server.advance(5000)
    assert old.ticks == 1


def test_an_unknown_module_is_refused(client: Client) -> None:
    assert client.error("MODULE", "RELOAD", "x") == REFUSED + "no such module with that name"


def test_a_deleted_file_is_refused(loaded: Author, client: Client) -> None:
    (loaded.folder / "tally.py").unlink()
    assert "there is no file" in client.error("MODULE", "RELOAD", "tally")
    assert client("TALLY.GET", "t") == 5


def test_a_queued_command_runs_the_new_code(loaded: Author, client: Client) -> None:
    client("MULTI")
    client("TALLY.GET", "t")
    loaded.tally(("return None if tally is None else tally.total", "return b'new'"))
    loaded.server.client()("MODULE", "RELOAD", "tally")
    assert client("EXEC") == [b"new"]


def test_a_waiting_client_goes_on_waiting_in_the_new_code(author: Author, client: Client) -> None:
    author.tally(("class Tallies(Module):", WAITING.lstrip()))
    client("MODULE", "LOAD", "./tally.py")
    waiting = author.server.client()
    waiting.send("TALLY.WAIT", "t", 5)
    author.tally(
        ("class Tallies(Module):", WAITING.lstrip()),
        ("        return tally.total\n    return ctx", "        return b'enough'\n    return ctx"),
    )
    client("MODULE", "RELOAD", "tally")
    client("TALLY.ADD", "t", 9)
    assert waiting.read() == b"enough"


def test_a_client_that_waits_in_a_command_that_is_gone_is_told(
    author: Author, client: Client
) -> None:
    author.tally(("class Tallies(Module):", WAITING.lstrip()))
    client("MODULE", "LOAD", "./tally.py")
    waiting = author.server.client()
    waiting.send("TALLY.WAIT", "t", 5)
    author.tally()
    client("MODULE", "RELOAD", "tally")
    assert str(waiting.read()) == "UNBLOCKED module 'tally' was reloaded without this command"


def test_an_importable_module_is_read_anew(
    author: Author, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(author.folder)
    author.write("reload_pack/__init__.py", "from reload_pack.tally import Tallies")
    author.tally(name="reload_pack/tally.py")
    client("MODULE", "LOAD", "reload_pack")
    client("TALLY.ADD", "t", 5)
    author.tally(
        ("return None if tally is None else tally.total", "return b'new'"),
        name="reload_pack/tally.py",
    )
    client("MODULE", "RELOAD", "tally")
    assert client("TALLY.GET", "t") == b"new"
    author.tally(("from balas.api import *", "1 / 0"), name="reload_pack/tally.py")
    assert "ZeroDivisionError" in client.error("MODULE", "RELOAD", "tally")
    assert client("TALLY.GET", "t") == b"new"
    assert client("TALLY.ADD", "t", 5) == 10


def test_a_bundled_module_is_reloaded_with_its_keys(
    server: InProcessServer, client: Client
) -> None:
    client("MODULE", "LOAD", "bf")
    client("BF.ADD", "f", "x")
    client("CONFIG", "SET", "bf-error-rate", "0.2")
    client("MODULE", "RELOAD", "bf")
    assert client("BF.EXISTS", "f", "x") == 1
    assert client("CONFIG", "GET", "bf-error-rate") == [b"bf-error-rate", b"0.2"]
    assert "# Module 'bf' has compiled parts: its code is as it was" in server.log
