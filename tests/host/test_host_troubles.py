"""What goes wrong in a module is told to its author, and harms nobody else."""

from __future__ import annotations

import pytest

from balas.authoring.template import write_package
from balas.authoring.watching import LOOK_MS, Watcher
from balas.testing import Client, InProcessServer
from host.author import Author

CLUMSY = '''
from balas.api import *


@command("CLUMSY.RAISE", arity=1)
def fail(ctx):
    """CLUMSY.RAISE

    Divide by zero.
    """
    return 1 // 0


@command("CLUMSY.SLEEP", arity=1)
def sleep(ctx):
    """CLUMSY.SLEEP

    Hold everybody up.
    """
    ctx.engine.clock.advance(1500)
    return OK


@command("CLUMSY.OBJECT", arity=1)
def an_object(ctx):
    """CLUMSY.OBJECT

    Return what the protocol cannot carry.
    """
    return [1, object()]


class Clumsy(Module):
    name = "clumsy"

    @hook
    def load(self, server, arguments):
        server.every(1000, self.tick)
        server.count_memory(12345)

    def tick(self):
        raise ValueError("not my day")
'''


@pytest.fixture
def clumsy(author: Author, client: Client) -> Client:
    author.write("clumsy.py", CLUMSY)
    client("MODULE", "LOAD", "./clumsy.py")
    return client


def details(client: Client) -> dict[str, object]:
    reply = client("MODULE", "INFO", "clumsy")
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def test_a_command_that_raises_is_told_with_its_line(clumsy: Client) -> None:
    assert "ZeroDivisionError" in clumsy.error("CLUMSY.RAISE")
    found = details(clumsy)
    assert found["failures"] == 1
    assert b"ZeroDivisionError" in found["last_error"]  # type: ignore[operator]
    assert b"(clumsy.py, line 11)" in found["last_error"]  # type: ignore[operator]
    (listed,) = clumsy("MODULE", "LIST")
    assert listed[8:10] == [b"state", b"ready"]
    assert b"module_trouble_clumsy:state=ready,failures=1," in clumsy("INFO", "modules")


def test_a_timer_that_raises_is_counted_and_goes_on(
    clumsy: Client, server: InProcessServer
) -> None:
    server.advance(3001)
    assert details(clumsy)["failures"] == 3
    assert clumsy("PING") == b"PONG"


def test_the_watchdog_names_a_command_that_holds_everybody_up(
    clumsy: Client, server: InProcessServer
) -> None:
    clumsy("CLUMSY.SLEEP")
    assert "Module 'clumsy': command 'clumsy.sleep' held the server for 1500 ms" in server.log
    assert b"held the server" in details(clumsy)["last_error"]  # type: ignore[operator]
    assert clumsy("SLOWLOG", "GET")[0][3] == [b"CLUMSY.SLEEP"]


def test_what_the_protocol_cannot_carry_is_an_error(clumsy: Client) -> None:
    assert "object" in clumsy.error("CLUMSY.OBJECT")
    assert clumsy("PING") == b"PONG"


def test_memory_and_commands_are_shown(author: Author, client: Client) -> None:
    author.tally()
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 1)
    client("TALLY.ADD", "u", 1)
    reply = client("MODULE", "INFO", "tally")
    found = dict(zip(reply[::2], reply[1::2], strict=True))
    assert (found[b"values"], found[b"memory_of_values"]) == (2, 200)
    assert found[b"memory_beside_values"] == 5000
    assert found[b"commands"][0] == b"tally.add"
    assert found[b"commands"][1][:2] == [b"calls", 2]
    assert client.error("MODULE", "INFO", "nobody") == "ERR no such module with that name"


def test_nothing_is_remembered_of_a_module_that_went(clumsy: Client) -> None:
    clumsy.error("CLUMSY.RAISE")
    clumsy("MODULE", "UNLOAD", "clumsy")
    clumsy("MODULE", "LOAD", "./clumsy.py")
    assert details(clumsy)["failures"] == 0


def test_an_option_that_is_refused_leaves_nothing(author: Author, client: Client) -> None:
    author.tally()
    before = author.traces()
    client.error("MODULE", "LOADEX", "./tally.py", "CONFIG", "tally-step", "99")
    assert author.traces() == before
    client.error("MODULE", "LOADEX", "./tally.py", "CONFIG", "tally-nothing", "1")
    assert author.traces() == before


# --- balas --dev ---------------------------------------------------------------------------------


def test_a_saved_file_is_reloaded_with_its_keys(server: InProcessServer, author: Author) -> None:
    said: list[str] = []
    path = author.tally()
    Watcher(server.server, str(path), said.append).start()
    client = server.client()
    client("TALLY.ADD", "t", 4)
    author.tally(("return None if tally is None else tally.total", "return tally.total * 10"))
    server.advance(LOOK_MS)
    assert client("TALLY.GET", "t") == 40
    assert said[-1] == "[dev] tally is reloaded, with all its keys"
    server.advance(LOOK_MS * 5)
    assert len(said) == 2


def test_a_file_with_a_mistake_is_told_and_the_old_code_goes_on(
    server: InProcessServer, author: Author
) -> None:
    said: list[str] = []
    path = author.tally()
    Watcher(server.server, str(path), said.append).start()
    client = server.client()
    client("TALLY.ADD", "t", 4)
    author.tally(("version = 10203", "version = nowhere"))
    server.advance(LOOK_MS)
    assert "NameError: name 'nowhere' is not defined" in said[-1]
    assert "    version = nowhere" in said[-1]
    assert said[-1].endswith("[dev] the old code goes on")
    assert client("TALLY.GET", "t") == 4
    (listed,) = client("MODULE", "LIST")
    assert listed[8:10] == [b"state", b"stale"]
    author.tally()
    server.advance(LOOK_MS)
    assert b"state=stale" not in client("INFO", "modules")


def test_a_module_that_is_broken_at_first_is_loaded_once_it_is_mended(
    server: InProcessServer, author: Author
) -> None:
    said: list[str] = []
    path = author.tally(("class Tallies(Module):", "class Tallies(Module)"))
    Watcher(server.server, str(path), said.append).start()
    assert "class Tallies(Module)" in said[-1]
    assert said[-1].endswith("[dev] nothing is loaded")
    author.tally()
    server.advance(LOOK_MS)
    assert said[-1].startswith("[dev] tally is loaded")


def test_the_folder_of_a_project_is_watched_for_its_package(
    server: InProcessServer, author: Author
) -> None:
    said: list[str] = []
    folder = write_package("word-bag", author.folder)
    Watcher(server.server, str(folder), said.append).start()
    assert said[-1].startswith("[dev] word-bag is loaded")
    (folder / "tests" / "test_more.py").write_text("")
    server.advance(LOOK_MS)
    assert len(said) == 1
    (folder / "word_bag" / "commands.py").write_text("import nothing_of_the_sort\n")
    server.advance(LOOK_MS)
    assert "No module named 'nothing_of_the_sort'" in said[-1]
    assert server.client()("WORDBAG.ADD", "k", "a") == 1
