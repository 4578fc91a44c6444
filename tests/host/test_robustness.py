"""Every way a module can fail: its author reads what and where; others and data are unharmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balas import Server
from balas.host import watchdog
from balas.testing import Client
from host.author import Author

ODD = '''
import asyncio
import decimal
import sys


def deep(levels):
    found = []
    for _ in range(levels):
        found = [found]
    return found


def endless():
    found = []
    found.append(found)
    return found


def recursive():
    return recursive()


def throw(error):
    raise error


@command("TALLY.ODD", arity=2, flags=READONLY)
def odd(ctx, case):
    """TALLY.ODD case

    Return or raise something odd.
    """
    return CASES[case.decode()]()


CASES = {
    "an object": object,
    "a class": lambda: int,
    "an object inside": lambda: {"a": [1, object()]},
    "a generator": lambda: (item for item in (1, 2)),
    "a complex number": lambda: 1j,
    "a decimal": lambda: decimal.Decimal("1.5"),
    "too deep": lambda: deep(100_000),
    "itself inside": endless,
    "an integer without end": lambda: 10**5000,
    "half a surrogate": lambda: "\\ud800",
    "a status of two lines": lambda: Status("fine\\r\\n+worse"),
    "an error of two lines": lambda: ReplyError("ERR one\\r\\n+two"),
    "an error raised of two lines": lambda: throw(ReplyError("ERR one\\r\\n+two")),
    "NaN": lambda: float("nan"),
    "NaN as keys": lambda: {float("nan"): 1},
    "a set": lambda: {7},
    "an exit": lambda: sys.exit(3),
    "a cancellation": lambda: throw(asyncio.CancelledError()),
    "no memory": lambda: throw(MemoryError("none left")),
    "no end of calls": recursive,
    "the end of an iterator": lambda: next(iter(())),
}


@command("TALLY.LATER", arity=2, flags=READONLY)
async def later(ctx, case):
    """TALLY.LATER case

    The same, a moment later.
    """
    await asyncio.sleep(0)
    return CASES[case.decode()]()


class Tallies(Module):'''

# What the client gets: the end of the error, or the reply in RESP2 and RESP3.
ERRORS = {
    "an object": "TypeError: object is no reply value",
    "a class": "TypeError: type is no reply value",
    "an object inside": "TypeError: object is no reply value",
    "a generator": "TypeError: generator is no reply value",
    "a complex number": "TypeError: complex is no reply value",
    "a decimal": "TypeError: Decimal is no reply value",
    "too deep": "RecursionError: maximum recursion depth exceeded while a reply was written",
    "itself inside": "RecursionError: maximum recursion depth exceeded while a reply was written",
    "an integer without end": "ValueError: Exceeds the limit",
    "half a surrogate": "UnicodeEncodeError: 'utf-8' codec can't encode",
    "a status of two lines": "ValueError: a status has no line breaks: 'fine\\r\\n+worse'",
    "an exit": "SystemExit: 3",
    "a cancellation": "CancelledError: ",
    "no memory": "MemoryError: none left",
    "no end of calls": "RecursionError: maximum recursion depth exceeded",
    "the end of an iterator": "StopIteration: ",
}
REPLIES = {
    "NaN": (b"nan", "nan"),
    "NaN as keys": ([b"nan", 1], "{nan: 1}"),
    "a set": ([7], "{7}"),
}
ONE_LINE = ("an error of two lines", "an error raised of two lines")


@pytest.fixture
def odd(author: Author, client: Client) -> Client:
    author.tally(("class Tallies(Module):", ODD.lstrip()))
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 4)
    return client


def last_error(client: Client, name: str = "tally") -> str:
    reply = client("MODULE", "INFO", name)
    found: bytes = reply[reply.index(b"last_error") + 1]
    return found.decode()


def assert_unharmed(author: Author) -> None:
    """Others are served and the data are there, in the server and after a restart."""
    other = author.server.client()
    assert other("PING") == b"PONG"
    assert other("TALLY.GET", "t") == 4
    author.server.engine.databases[0].check_invariants()


@pytest.mark.parametrize("command", ["TALLY.ODD", "TALLY.LATER"])
@pytest.mark.parametrize("resp", [2, 3])
def test_what_a_command_should_not_return_or_raise(
    command: str, resp: int, odd: Client, author: Author
) -> None:
    name = command.lower()
    for case, text in ERRORS.items():
        client = author.server.client(resp=resp)
        if command == "TALLY.LATER" and case == "the end of an iterator":
            text = "RuntimeError: coroutine raised StopIteration"
        error = client.error(command, case)
        assert error.startswith(f"ERR internal error in '{name}': {text}"), case
        # The connection goes on: nothing of the odd reply was sent.
        assert client("ECHO", "still there") == b"still there", case
        assert last_error(odd).startswith(f"command '{name}': {text.split(':')[0]}"), case
        assert f"# Command '{name}' of module 'tally' failed" in author.server.log
    assert_unharmed(author)


def test_the_author_reads_the_line_of_the_code_that_raised(odd: Client, author: Author) -> None:
    lines = (author.folder / "tally.py").read_text().splitlines()
    for case, code in (("no memory", "    raise error"), ("an exit", "sys.exit(3)")):
        odd.error("TALLY.ODD", case)
        number = next(n for n, line in enumerate(lines, 1) if code in line)
        assert last_error(odd).endswith(f"(tally.py, line {number})"), case
        assert f'tally.py", line {number}, in ' in author.server.log


@pytest.mark.parametrize("resp", [2, 3])
def test_what_is_odd_but_can_be_sent(resp: int, odd: Client, author: Author) -> None:
    client = author.server.client(resp=resp)
    for case, (plain, shown) in REPLIES.items():
        reply = client("TALLY.ODD", case)
        assert reply == plain if resp == 2 else repr(reply) in (shown, "[7]"), case
    for case in ONE_LINE:
        assert client.error("TALLY.ODD", case) == "ERR one  +two"
    assert client("ECHO", "still there") == b"still there"


# --- the methods of a value ----------------------------------------------------------------------

BOOM = 'raise ZeroDivisionError("boom")'
# The code that is replaced, and the command that runs into it.
METHODS = {
    "copy": ("return Tally(self.total)", ("COPY", "t", "u")),
    "digest": ('digest.add(b"%d" % self.total)', ("DEBUG", "DIGEST-VALUE", "t")),
    "rdb_save": ("out.save_signed(self.total)", ("DUMP", "t")),
    "encoding": (None, ("OBJECT", "ENCODING", "t")),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_of_a_value_that_raises(method: str, author: Author) -> None:
    code, argv = METHODS[method]
    edit = (
        (code, BOOM)
        if code
        else (
            "    def copy(self):",
            f"    def encoding(self):\n        {BOOM}\n\n    def copy(self):",
        )
    )
    client = loaded(author, edit)
    client("CONFIG", "SET", "maxmemory-samples", 7)
    error = client.error(*argv)
    assert error.startswith("ERR"), error
    assert "boom" in error or "could not save" in error, error
    assert "boom" in author.server.log
    assert "tally.py" in author.server.log
    assert client("EXISTS", "u") == 0
    assert_unharmed(author)


def loaded(author: Author, *edits: tuple[str, str]) -> Client:
    author.tally(*edits)
    author.server.server.config.assign("enable-debug-command", "yes", "the test")
    client = author.server.client()
    client("MODULE", "LOAD", "./tally.py")
    client("TALLY.ADD", "t", 4)
    return client


FREEING = f"""    def free_effort(self):
        return 1000

    def free_step(self, effort):
        {BOOM}

    def copy(self):"""


@pytest.mark.parametrize("verb", ["DEL", "UNLINK", "FLUSHALL", "SET"])
def test_a_value_that_fails_to_free_itself_is_gone_all_the_same(verb: str, author: Author) -> None:
    client = loaded(author, ("    def copy(self):", FREEING))
    client("TALLY.ADD", "u", 1)
    argv = {"FLUSHALL": ("FLUSHALL", "ASYNC"), "SET": ("SET", "u", "x")}.get(verb, (verb, "u"))
    client(*argv)
    author.server.advance(1000)
    assert client("EXISTS", "u") == (verb == "SET")
    assert client("PING") == b"PONG"
    author.server.engine.databases[0].check_invariants()
    if verb in ("UNLINK", "FLUSHALL"):
        assert "boom" in author.server.log


def test_a_value_that_cannot_be_rewritten_keeps_the_log(tmp_path: Path) -> None:
    options = {"appendonly": "yes", "aof-use-rdb-preamble": "no"}
    with Server(options, directory=tmp_path, bundled=False, listen=False) as server:
        (tmp_path / "tally.py").write_text(tally_with('yield b"TALLY.ADD"', f'{BOOM}; yield b"X"'))
        client = server.client()
        client("MODULE", "LOAD", "./tally.py")
        client("TALLY.ADD", "t", 4)
        client("BGREWRITEAOF")
        wait_until(lambda: b"aof_last_bgrewrite_status:err" in client("INFO", "persistence"))
        assert "boom" in server.log
        assert client("TALLY.GET", "t") == 4
    assert any(b"TALLY.ADD" in path.read_bytes() for path in tmp_path.glob("*/*.aof"))


def tally_with(*edit: str) -> str:
    from host.author import TALLY

    assert edit[0] in TALLY
    return TALLY.replace(edit[0], edit[1])


def wait_until(check: object) -> None:
    deadline = time.monotonic() + 20
    while not check():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- hooks, timers, listeners, work in the background -------------------------------------------

EXITS = {
    "a timer": ("self.ticks += 1", "raise SystemExit(3)"),
    "a listener": ("self.seen += changes", "raise SystemExit(3)"),
    "work in the background": ("self.ticks = 0", "self.ticks = 0; server.background(self.work)"),
}
WORK = "    async def work(self):\n        raise SystemExit(3)\n\n    def tick(self):"


@pytest.mark.parametrize("where", EXITS)
def test_an_exit_outside_a_command_ends_nothing(where: str, author: Author) -> None:
    client = loaded(author, EXITS[where], ("    def tick(self):", WORK))
    author.server.advance(1001)
    assert "SystemExit: 3" in author.server.log
    assert "SystemExit: 3 (tally.py, line" in last_error(client)
    assert_unharmed(author)
    assert client("MODULE", "UNLOAD", "tally", "SETASIDE") == b"OK"


def test_the_unload_hook_cannot_prevent_it(author: Author) -> None:
    hook = "    @hook\n    def unload(self):\n        raise SystemExit(3)\n\n    def tick(self):"
    before = author.traces()
    client = loaded(author, ("    def tick(self):", hook))
    client("DEL", "t")
    assert client("MODULE", "UNLOAD", "tally") == b"OK"
    assert author.traces() == before
    assert "# Module 'tally': its hook unload failed" in author.server.log


@pytest.mark.parametrize("how", ["alone", "in a transaction", "in a script"])
def test_a_command_that_changes_keys_without_saying_so_is_told_once(
    how: str, author: Author
) -> None:
    declared = "flags=WRITE, keys=key(1, RW | UPDATE)"
    client = loaded(author, (declared, "flags=READONLY, keys=key(1, RO | ACCESS)"))
    told = "command 'tally.add' changes keys, but has no flag WRITE"
    for count in (1, 2):
        if how == "in a transaction":
            client("MULTI")
            client("TALLY.ADD", "t", 4)
            client("EXEC")
        elif how == "in a script":
            client("EVAL", "return redis.call('TALLY.ADD', KEYS[1], 4)", 1, "t")
        else:
            client("TALLY.ADD", "t", 4)
        assert client("TALLY.GET", "t") == 4 + 4 * count
        assert last_error(client) == told
        assert author.server.log.count(f"Module 'tally': {told}") == 1
    # New code is looked at anew.
    author.tally()
    client("MODULE", "RELOAD", "tally")
    client("TALLY.ADD", "t", 4)
    assert author.server.log.count(told) == 1


def test_an_info_hook_that_raises_or_talks_nonsense_leaves_the_rest(author: Author) -> None:
    for body in (BOOM, "return 5", "return {'a': 5}", "return {'a': {'b': object()}}"):
        hook = f"    @hook\n    def info(self):\n        {body}\n\n    def tick(self):"
        client = loaded(author, ("    def tick(self):", hook))
        assert b"redis_version:" in client("INFO", "everything"), body
        assert b"name=tally" in client("INFO", "everything")
        client("MODULE", "UNLOAD", "tally", "SETASIDE")


BACKGROUND = """    async def work(self):
        import asyncio
        while True:
            self.rounds = getattr(self, "rounds", 0) + 1
            self.server.call(b"SET", b"rounds", b"%d" % self.rounds)
            await asyncio.sleep(0)

    def tick(self):"""


def test_background_work_goes_with_its_module(author: Author) -> None:
    start = "self.ticks = 0; self.server = server; server.background(self.work)"
    before = author.traces()
    client = loaded(author, ("self.ticks = 0", start), ("    def tick(self):", BACKGROUND))
    for _ in range(5):
        author.server.run_loop()
    rounds = int(client("GET", "rounds"))
    assert rounds >= 3
    author.tally(("version = 10203", "version = nowhere"))
    client.error("MODULE", "RELOAD", "tally")
    author.server.run_loop()
    assert int(client("GET", "rounds")) > rounds
    client("MODULE", "UNLOAD", "tally", "SETASIDE")
    last = client("GET", "rounds")
    author.server.run_loop()
    author.server.run_loop()
    assert client("GET", "rounds") == last
    assert not author.server._tasks
    client("FLUSHALL")
    client("MODULE", "ORPHANS")
    assert author.traces() == before


# --- the watchdog --------------------------------------------------------------------------------

SLOW = '''
import threading
import time

from balas.api import *

gate = threading.Event()


@command("SLOW.WAIT", arity=1)
def wait(ctx):
    """SLOW.WAIT

    Hold everybody up until somebody opens the gate.
    """
    gate.wait(30)  # here
    return OK


class Slow(Module):
    name = "slow"
    gate = gate
'''


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(watchdog, "HELD_MAX_S", 0.05)
    monkeypatch.setattr(watchdog, "LOOK_S", 0.01)
    return


@pytest.mark.usefixtures("impatient")
def test_who_holds_the_server_up_is_named_while_it_does(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    with Server(directory=tmp_path, bundled=False, listen=False) as server:
        client = server.client()
        client("MODULE", "LOAD", "./slow.py")
        asking = threading.Thread(target=client, args=("SLOW.WAIT",))
        asking.start()
        line = SLOW.splitlines().index("    gate.wait(30)  # here") + 1
        wait_until(lambda: f"it runs wait (slow.py, line {line})" in server.log)
        assert "Module 'slow' holds the server up" in server.log
        assert asking.is_alive()
        assert server._parts is not None
        found = server._parts.modules.find("slow")
        assert found is not None
        found.module.gate.set()
        asking.join()
        assert client("SLOWLOG", "GET")[0][3] == [b"SLOW.WAIT"]
    assert "balas-watchdog" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.usefixtures("impatient")
def test_a_module_that_holds_the_server_up_as_it_is_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.3)\n" + SLOW)
    with Server(directory=tmp_path, bundled=False, listen=False) as server:
        server.client()("MODULE", "LOAD", "./slow.py")
        assert "Module './slow.py' holds the server up" in server.log
        assert "(slow.py, line 2)" in server.log


def test_without_a_module_from_outside_nobody_watches() -> None:
    with Server(bundled=False, listen=False) as server:
        server.client()("PING")
        assert server._parts is not None
        assert not server._parts.modules.watchdog.is_running
