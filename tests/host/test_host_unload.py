"""Unloading modules: nothing stays, and nobody who still needs something is cut off."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import weakref

import pytest

from balas.testing import Client, InProcessServer
from host.author import Author

REFUSED = "ERR Error unloading module: "
UNKNOWN = "ERR unknown command 'TALLY.GET', with args beginning with: 't' "

# Commands that wait: for a key, and for a turn of the event loop that a test decides on.
WAITING = '''
import asyncio


@command("TALLY.WAIT", arity=3, flags=READONLY | BLOCKING, keys=key(1, RO | ACCESS))
def wait(ctx, key, wanted):
    """TALLY.WAIT key total

    Wait until the tally is at least so much.
    """
    tally = ctx.read(key, Tally)
    if tally is not None and tally.total >= integer(wanted):
        return tally.total
    return ctx.block([key], 0)


@command("TALLY.LATER", arity=2, flags=READONLY, keys=key(1, RO | ACCESS))
async def later(ctx, key):
    """TALLY.LATER key

    Return the tally when the gate is open.
    """
    gate = ctx.service(Tallies).gate = asyncio.Event()
    await gate.wait()
    tally = ctx.read(key, Tally)
    return None if tally is None else tally.total


class Tallies(Module):'''


@pytest.fixture
def loaded(author: Author, client: Client) -> Author:
    author.tally(("class Tallies(Module):", WAITING.lstrip()))
    client("MODULE", "LOAD", "./tally.py")
    return author


def test_nothing_of_a_module_survives_it(author: Author, client: Client) -> None:
    before = author.traces()
    author.tally(("server.count_memory", "server.add_filter(lambda *_: None); server.count_memory"))
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 1)
    client("DEL", "t")
    assert author.traces() != before
    assert client("MODULE", "UNLOAD", "tally") == b"OK"
    assert author.traces() == before
    assert client.error("CONFIG", "SET", "tally-step", 1).startswith("ERR Unknown option")


def test_who_keeps_the_server_cannot_attach_anything_afterwards(
    author: Author, client: Client
) -> None:
    before = author.traces()
    author.tally(("self.ticks = 0", "self.ticks = 0; self.server = server"))
    client("MODULE", "LOAD", "./tally.py")
    module = author.instance()
    client("MODULE", "UNLOAD", "tally")
    with pytest.raises(RuntimeError, match="module 'tally' is not loaded any more"):
        module.server.every(1000, module.tick)
    module.server.count_memory(9999)
    assert author.traces() == before


def test_its_code_is_freed(author: Author, client: Client) -> None:
    author.tally()
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.GET", "t")
    module = author.instance()
    references = [weakref.ref(module), weakref.ref(type(module)), weakref.ref(module.types[0])]
    del module
    client("MODULE", "UNLOAD", "tally")
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]


def test_names_are_taken_in_any_case(loaded: Author, client: Client) -> None:
    assert client("MODULE", "UNLOAD", "TALLY") == b"OK"


def test_an_unknown_module_is_refused(client: Client) -> None:
    text = REFUSED + "no such module with that name"
    assert client.error("MODULE", "UNLOAD", "nobody") == text


def test_keys_of_its_types_are_in_the_way(loaded: Author, client: Client) -> None:
    client("SET", "s", "v")
    client("SELECT", 3)
    client("TALLY.ADD", "t", 1)
    before = loaded.traces()
    text = REFUSED + "the module exports one or more module-side data types, can't unload"
    assert client.error("MODULE", "UNLOAD", "tally") == text
    assert loaded.traces() == before
    assert client("TALLY.ADD", "t", 1) == 2


def test_only_setaside_follows_the_name(loaded: Author, client: Client) -> None:
    assert client.error("MODULE", "UNLOAD", "tally", "NOW") == "ERR syntax error"
    assert client.error("MODULE", "UNLOAD", "tally", "SETASIDE", "x") == "ERR syntax error"
    assert client("MODULE", "UNLOAD", "tally", "setaside") == b"OK"


def test_a_command_later_in_the_same_batch_is_unknown(loaded: Author, client: Client) -> None:
    replies = client.pipeline(
        ["TALLY.GET", "t"], ["MODULE", "UNLOAD", "tally"], ["TALLY.GET", "t"], ["PING"]
    )
    assert replies[:2] == [None, b"OK"]
    assert str(replies[2]) == UNKNOWN
    assert replies[3] == b"PONG"


def test_a_command_queued_before_is_unknown(loaded: Author, client: Client) -> None:
    client("MULTI")
    client("TALLY.GET", "t")
    loaded.server.client()("MODULE", "UNLOAD", "tally")
    (reply,) = client("EXEC")
    assert str(reply) == UNKNOWN


def test_a_client_that_waits_in_one_of_its_commands_is_in_the_way(
    loaded: Author, client: Client
) -> None:
    waiting = loaded.server.client()
    waiting.send("TALLY.WAIT", "t", 5)
    text = "the module has blocked clients. Please wait for them to be unblocked and try again"
    assert client.error("MODULE", "UNLOAD", "tally", "SETASIDE") == REFUSED + text
    client("TALLY.ADD", "t", 5)
    assert waiting.read() == 5
    assert client("MODULE", "UNLOAD", "tally", "SETASIDE") == b"OK"


def test_an_async_command_under_way_is_in_the_way_even_without_its_client(
    loaded: Author, client: Client
) -> None:
    waiting = loaded.server.client()
    waiting.send("TALLY.LATER", "t")
    loaded.server.run_loop()
    waiting.close()
    error = client.error("MODULE", "UNLOAD", "tally")
    assert error.startswith(REFUSED + "the module has blocked")
    assert error.endswith(": 'tally.later' has not come to its end")
    assert client.error("MODULE", "RELOAD", "tally").startswith(
        "ERR Error reloading module: the module has blocked"
    )
    loaded.instance().gate.set()
    loaded.server.run_loop(timeout_s=1)
    assert client("MODULE", "UNLOAD", "tally") == b"OK"


def test_a_value_that_cannot_be_saved_is_in_the_way(author: Author, client: Client) -> None:
    author.tally(("out.save_signed(self.total)", "out.save_signed(self.total / 0)"))
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 4)
    before = author.traces()
    text = client.error("MODULE", "UNLOAD", "tally", "SETASIDE")
    assert text.startswith(
        REFUSED + "key 't' (db 0): ZeroDivisionError: division by zero (tally.py"
    )
    assert author.traces() == before
    assert client("TALLY.GET", "t") == 4


def test_the_first_module_goes_and_the_second_stays(author: Author, client: Client) -> None:
    author.tally()
    author.write(
        "other.py",
        """
        from balas.api import *

        @command("OTHER.ECHO", arity=2)
        def echo(ctx, text):
            \"\"\"OTHER.ECHO text

            Return the text.
            \"\"\"
            return text

        class Other(Module):
            name = "other"
        """,
    )
    client("MODULE", "LOAD", "./tally.py")
    client("MODULE", "LOAD", "./other.py")
    client("MODULE", "UNLOAD", "tally")
    assert client("OTHER.ECHO", "hi") == b"hi"
    assert [module[1] for module in client("MODULE", "LIST")] == [b"other"]


def test_the_log_is_written_anew_once_commands_are_unknown() -> None:
    with InProcessServer({"appendonly": "yes"}, bundled=False) as server:
        author, client = Author(server), server.client()
        author.tally()
        client("MODULE", "LOAD", "./tally.py")
        client("TALLY.ADD", "t", 7)
        client("MODULE", "UNLOAD", "tally", "SETASIDE")
        assert b"aof_rewrite_scheduled:1" in client("INFO", "persistence")


INSTALLED = """
import threading

from balas.api import *


class Packed(Module):
    name = "packed"
    options = (Option("packed-size", 1),)
    categories = ("packed",)

    @hook
    def load(self, server):
        from . import part

        self.server, self.part = server, part
        server.every(1000, self.tick)
        server.background(self.work)
        server.on_change(lambda changes: None)

    async def work(self):
        import asyncio

        await asyncio.sleep(3600)

    def tick(self):
        pass

    @hook
    def info(self):
        return {"size": {"bytes": 1}}
"""


def test_nothing_of_an_installed_package_survives(
    author: Author, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    author.write("packed_module/__init__.py", INSTALLED)
    author.write("packed_module/part.py", "")
    monkeypatch.syspath_prepend(str(author.folder))

    def everything() -> dict[str, object]:
        found = author.traces()
        found["modules of Python"] = sorted(name for name in sys.modules if "packed" in name)
        found["threads"] = sorted(thread.name for thread in threading.enumerate())
        found["tasks"] = len(author.server._tasks)
        found["categories"] = client("ACL", "CAT")
        found["config"] = client("CONFIG", "GET", "packed*")
        found["info"] = b"packed" in client("INFO", "everything")
        return found

    before = everything()
    for _ in range(2):
        client("MODULE", "LOAD", "packed_module")
        assert "packed_module.part" in sys.modules
        assert everything() != before
        client("MODULE", "RELOAD", "packed")
        client("MODULE", "UNLOAD", "packed")
        author.server.run_loop()
        assert everything() == before
    with InProcessServer(bundled=False) as other:
        client("MODULE", "LOAD", "packed_module")
        another = other.client()
        another("MODULE", "LOAD", "packed_module")
        client("MODULE", "UNLOAD", "packed")
        assert "packed_module" in sys.modules
        another("MODULE", "UNLOAD", "packed")
        assert "packed_module" not in sys.modules


def test_what_the_program_has_imported_itself_stays_imported(
    author: Author, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    author.write("own_module.py", INSTALLED.replace("from . import part", "part = None"))
    monkeypatch.syspath_prepend(str(author.folder))
    own = importlib.import_module("own_module")
    client("MODULE", "LOAD", "own_module")
    client("MODULE", "UNLOAD", "packed")
    assert sys.modules.pop("own_module") is own
