"""Mistakes of beginners: each is told with the file and the line, and others are served on."""

from __future__ import annotations

import pytest

from balas.testing import Client
from host.author import TALLY, Author

ADD = '@command("TALLY.ADD"'
GET = '@command("TALLY.GET"'
LOAD = "    @hook\n    def load"

# An edit of the complete module; what the reply says; the line that it names, by how it begins.
AT_LOAD = {
    "a wrong arity": (('"TALLY.ADD", arity=3', '"TALLY.ADD", arity=4'), "has arity 4, but", ADD),
    "no ctx": (("def get(ctx, key)", "def get()"), "its first argument is ctx", GET),
    "no arity": (('"TALLY.GET", arity=2', '"TALLY.GET"'), "keyword-only argument: 'arity'", GET),
    "a key that is not there": (
        ("keys=key(1, RO | ACCESS)", "keys=key(2, RO | ACCESS)"),
        "its key at index 2 does not exist: with arity 2 there is none",
        GET,
    ),
    "a command of the core": (('"TALLY.GET"', '"GET"'), "'get' already belongs to", '@command("G'),
    "a command twice": (('"TALLY.GET"', '"TALLY.ADD"'), "'tally.add' is declared twice", ADD),
    "a misspelt hook": (
        ("def load(self, server", "def lode(self, server"),
        "there is no hook 'lode'; did you mean 'load'?",
        "    @hook",
    ),
    "an argument no hook has": (
        ("def load(self, server, arguments)", "def load(self, srv)"),
        "the hook 'load' is called only with server, arguments, it has no 'srv'",
        "    @hook",
    ),
    "a timer called": (
        ("server.every(1000, self.tick)", "server.every(1000, self.tick())"),
        "server.every wants a function, not NoneType: name it without calling it",
        "        server.every",
    ),
    "a listener called": (
        ("server.on_change(self.look)", "server.on_change(self.look([]))"),
        "server.on_change wants a function, not NoneType",
        "        server.on_change",
    ),
    "work called": (
        ("server.every(1000, self.tick)", "server.background(self.work())"),
        "server.background wants a function, not coroutine",
        "        server.background",
    ),
    "an unknown option": (
        ("server.count_memory(5000)", "server.option('tally-stop')"),
        "KeyError: 'tally-stop'",
        "        server.option",
    ),
}
WORK = ("    def tick(self):", "    async def work(self):\n        pass\n\n    def tick(self):")
# The same for what shows when a command is called: the edit, the error, the line.
AT_WORK = {
    "an object": (("else tally.total", "else tally"), "Tally is no reply value", GET),
    "text for a key": (
        ("ctx.read(key, Tally)", 'ctx.read("t", Tally)'),
        "expected bytes, got str",
        "    tally = ctx.read",
    ),
    "a verb called wrongly": (
        ('ctx.changed(key, "tally.add")', "ctx.changed(key)"),
        "changed() takes exactly 2 positional arguments (1 given)",
        "    ctx.changed(key)",
    ),
    "a listener without arguments": (
        ("def look(self, changes)", "def look(self)"),
        "look() takes 1 positional argument but 2 were given",
        "    def look",
    ),
    "a name that is not there": (
        ("tally.total += integer", "tally.total += int3ger"),
        "name 'int3ger' is not defined",
        "    tally.total += ",
    ),
}


def line_in(author: Author, begin: str) -> str:
    """The place of the last line that begins like this, as a report names it."""
    lines = (author.folder / "tally.py").read_text().splitlines()
    number = max(number for number, line in enumerate(lines, 1) if line.startswith(begin))
    return f"(tally.py, line {number})"


@pytest.mark.parametrize("mistake", AT_LOAD)
def test_what_is_declared_wrongly_is_refused_with_its_line(
    mistake: str, author: Author, client: Client
) -> None:
    edit, text, begin = AT_LOAD[mistake]
    before = author.traces()
    author.tally(WORK, edit)
    error = client.error("MODULE", "LOAD", "./tally.py")
    assert text in error
    assert line_in(author, begin) in error
    assert error.removeprefix("ERR Error loading the extension: ") in author.server.log
    assert author.traces() == before


@pytest.mark.parametrize("mistake", AT_WORK)
def test_what_fails_at_work_is_told_with_its_line(
    mistake: str, author: Author, client: Client
) -> None:
    edit, text, begin = AT_WORK[mistake]
    author.tally(edit)
    client("MODULE", "LOAD", "./tally.py")
    client.pipeline(["TALLY.ADD", "t", 1], ["TALLY.GET", "t"])
    reply = client("MODULE", "INFO", "tally")
    last_error = reply[reply.index(b"last_error") + 1].decode()
    assert text in last_error
    assert last_error.endswith(line_in(author, begin))
    assert author.server.client()("PING") == b"PONG"


def test_a_type_that_is_not_listed_is_refused(author: Author, client: Client) -> None:
    """It could be stored and saved, but nobody could load it."""
    author.tally(("    types = (Tally,)\n", ""))
    error = client.error("MODULE", "LOAD", "./tally.py")
    assert error.endswith(": Tally is a Value, but Tallies.types does not name it")


def test_a_type_of_another_module_in_the_file_need_not_be_listed(
    author: Author, client: Client
) -> None:
    author.write(
        "two.py",
        TALLY + '\n\nclass Others(Module):\n    name = "others"\n    categories = ("tally",)\n',
    )
    error = client.error("MODULE", "LOAD", "./two.py")
    assert "more than one module" in error
    assert client("MODULE", "LOAD", "./two.py:Others") == b"OK"


def test_a_value_that_cannot_be_saved_is_told_to_the_module(author: Author, client: Client) -> None:
    author.tally(("out.save_signed(self.total)", "out.save_string(self.total)"))
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 1)
    assert "type 'test-tall' could not save a value: TypeError" in client.error("DUMP", "t")
    reply = client("MODULE", "INFO", "tally")
    last_error = reply[reply.index(b"last_error") + 1].decode()
    assert last_error.startswith("type 'test-tall', rdb_save: TypeError: a bytes-like object")
    assert last_error.endswith(line_in(author, "        out.save_string"))
