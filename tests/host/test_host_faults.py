"""Modules that raise: an error for the client, a traceback in the log, a server that goes on."""

from __future__ import annotations

import pytest

from balas.services.system import StartRefused
from balas.testing import Client, InProcessServer
from host.author import Author

TRACEBACK = "Traceback (most recent call last)"


def load(author: Author, *edits: tuple[str, str]) -> Client:
    """Load the complete module, edited; a client of its server."""
    author.tally(*edits)
    client = author.server.client()
    client("MODULE", "LOAD", "./tally.py")
    return client


def assert_logged(author: Author, what: str, error: str) -> None:
    """The log has what failed, whose fault it was, and the traceback."""
    log = author.server.log
    assert what in log
    assert TRACEBACK in log.partition(what)[2]
    assert error in log.partition(what)[2]


def test_a_command_that_raises(author: Author) -> None:
    client = load(author, ("tally.total += integer(amount)", "tally.total /= integer(amount)"))
    text = client.error("TALLY.ADD", "t", 0)
    assert text == "ERR internal error in 'tally.add': ZeroDivisionError: division by zero"
    assert_logged(author, "# Command 'tally.add' of module 'tally' failed", "ZeroDivisionError")
    assert client("PING") == b"PONG"
    assert client("TALLY.GET", "t") == 0


def test_a_command_that_returns_what_is_no_reply(author: Author) -> None:
    client = load(author, ("return None if tally is None else tally.total", "return object()"))
    assert client.error("TALLY.GET", "t").startswith("ERR internal error in 'tally.get': TypeError")
    assert_logged(author, "# Command 'tally.get' of module 'tally' failed", "TypeError")
    assert client("PING") == b"PONG"


def test_an_async_command_that_raises(author: Author) -> None:
    client = load(
        author,
        ("def get(ctx, key):", "async def get(ctx, key):"),
        ("tally = ctx.read(key, Tally)\n    return", "raise KeyError('no')\n    return"),
    )
    text = client.error("TALLY.GET", "t")
    assert text == "ERR internal error in 'tally.get': KeyError: 'no'"
    assert_logged(author, "# Command 'tally.get' of module 'tally' failed", "KeyError")


SLOWLY = """
import asyncio

from balas.api import *


@command("SLOWLY.SET", arity=3, flags=WRITE, keys=key(1, OW | UPDATE))
async def slowly(ctx, key, text):
    await asyncio.sleep(0.01)
    ctx.store(key, text)
    ctx.changed(key, "slowly.set")
    return OK


class Slowly(Module):
    name = "slowly"
"""


def test_an_async_command_is_finished_without_its_client(author: Author) -> None:
    """Its change is made, nobody is answered, and the module can go."""
    path = author.server.directory / "slowly.py"
    path.write_text(SLOWLY)
    client, leaving = author.server.client(), author.server.client()
    client("MODULE", "LOAD", str(path))
    leaving.send("SLOWLY.SET", "k", "v")
    author.server.run_loop()
    leaving.close()
    assert client("EXISTS", "k") == 0
    author.server.run_loop(timeout_s=5)
    assert client("GET", "k") == b"v"
    assert "failed" not in author.server.log
    assert client("MODULE", "UNLOAD", "slowly") == b"OK"


def test_a_timer_that_raises_is_called_again(author: Author) -> None:
    client = load(author, ("self.ticks += 1", "self.ticks += 1; self.nothing.there"))
    author.server.advance(3000)
    assert author.instance().ticks == 3
    assert_logged(author, "# Module 'tally': its timer failed", "AttributeError")
    assert client("PING") == b"PONG"


def test_a_listener_that_raises_harms_no_command(author: Author) -> None:
    client = load(author, ("self.seen += changes", "self.seen += 5"))
    assert client("SET", "k", "v") == b"OK"
    assert_logged(author, "# Module 'tally': its listener to changes failed", "TypeError")


def test_a_filter_that_raises_lets_nothing_pass_but_can_be_taken_off(author: Author) -> None:
    client = load(
        author,
        (
            "self.ticks = 0",
            "self.ticks = 0\n"
            "        server.add_filter(lambda client, spec, argv:"
            " argv[5] if spec.name == 'set' else None)",
        ),
    )
    assert client.error("SET", "k", "v") == "ERR a command filter of module 'tally' failed"
    assert_logged(author, "# Module 'tally': its command filter failed", "IndexError")
    client("MODULE", "UNLOAD", "tally")
    assert client("SET", "k", "v") == b"OK"


def test_a_value_that_cannot_tell_its_size_is_not_stored(author: Author) -> None:
    client = load(author, ("return 100", "return 100 / 0"))
    text = client.error("TALLY.ADD", "t", 1)
    assert text == "ERR internal error in 'tally.add': ZeroDivisionError: division by zero"
    assert client("TALLY.GET", "t") is None


def test_a_change_is_reported_even_if_the_value_cannot_tell_its_new_size(author: Author) -> None:
    client = load(author, ("return 100", "return 100 if self.total < 5 else self.total / 0"))
    client("TALLY.ADD", "t", 1)
    assert client.error("TALLY.ADD", "t", 10).startswith("ERR internal error in 'tally.add'")
    assert author.instance().seen == [(0, b"t", "tally.add")] * 2
    author.server.engine.databases[0].check_invariants()


@pytest.mark.parametrize("hook", ["unload", "data_loaded", "database_changed", "config_changed"])
def test_a_hook_that_raises_is_logged_with_its_name(hook: str, author: Author) -> None:
    faulty = f"    @hook\n    def {hook}(self):\n        1 / 0\n\n"
    client = load(author, ("    def tick(self):", f"{faulty}    def tick(self):"))
    client("FLUSHALL")
    client("CONFIG", "SET", "maxmemory-samples", 7)
    assert client("MODULE", "UNLOAD", "tally") == b"OK"
    assert_logged(author, f"# Module 'tally': its hook {hook} failed", "ZeroDivisionError")


def test_a_value_that_cannot_be_saved_fails_the_save_and_keeps_the_old_file(
    author: Author,
) -> None:
    client = load(author, ("save_signed(self.total)", "save_signed(1 // (self.total - 5))"))
    client("TALLY.ADD", "t", 6)
    client("SAVE")
    saved = (author.folder / "dump.rdb").read_bytes()
    client("TALLY.ADD", "t", -1)
    assert client.error("SAVE") == "ERR"
    assert_logged(
        author, "# Failed writing", "type 'test-tall' could not save a value: ZeroDivision"
    )
    assert (author.folder / "dump.rdb").read_bytes() == saved
    assert sorted(path.name for path in author.folder.glob("*.rdb")) == ["dump.rdb"]


def test_a_value_that_cannot_be_loaded_stops_the_start_and_leaves_the_file(author: Author) -> None:
    client = load(author)
    client("TALLY.ADD", "t", 6)
    client("SAVE")
    saved = (author.folder / "dump.rdb").read_bytes()
    author.tally(("cls(source.load_signed())", "cls(source.load_signed()[0])"))
    options = {"loadmodule": "./tally.py"}
    with pytest.raises(StartRefused):
        InProcessServer(options, directory=author.folder, bundled=False)
    assert (author.folder / "dump.rdb").read_bytes() == saved
    author.tally()
    with InProcessServer(options, directory=author.folder, bundled=False) as server:
        assert server.client()("TALLY.GET", "t") == 6
