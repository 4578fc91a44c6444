"""Loading and unloading, and reloading with keys, over and over: nothing piles up.

BALAS_FUZZ_EXAMPLES says how many rounds.
"""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest

from balas.services.memory import Memory
from balas.testing import Client
from host.author import Author

ROUNDS = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "100"))
# Rounds that fill what is filled once: caches of lines, of compiled patterns, of types.
FIRST = 4
# What may be left in memory, in bytes: allocators keep pages. The code of one module takes more
# than what is granted for a round.
LEFT_MAX_BYTES = 4_000_000 + 20_000 * ROUNDS

EVERYTHING = """
    @hook
    def info(self):
        return {"stats": {"ticks": self.ticks}}

    async def work(self):
        pass

    def boom(self):
        raise ZeroDivisionError("boom")

    def tick(self):"""
ATTACH = """self.ticks = 0
        server.background(self.work)
        server.after(100, self.boom)
        server.add_filter(lambda *_: None)"""


@pytest.fixture
def busy(author: Author) -> Author:
    """A module that brings one of each: hooks, timers, listeners, a filter, work, a failure."""
    author.tally(("self.ticks = 0", ATTACH), ("\n    def tick(self):", EVERYTHING))
    return author


def load_use_unload(author: Author, client: Client) -> None:
    client("MODULE", "LOADEX", "./tally.py", "CONFIG", "tally-step", "3")
    use(author, client)
    client("DEL", "t", "u")
    assert client("MODULE", "UNLOAD", "tally") == b"OK"
    author.server.run_loop()


def reload_with_keys(author: Author, client: Client) -> None:
    client("MODULE", "RELOAD", "tally")
    use(author, client)


def use(author: Author, client: Client) -> None:
    client("TALLY.ADD", "t", 1)
    client("COPY", "t", "u", "REPLACE")
    client("CONFIG", "SET", "tally-title", "another")
    client("MODULE", "INFO", "tally")
    client.error("TALLY.ADD", "t", "many")
    assert b"tally_ticks" in client("INFO", "everything")
    author.server.advance(1001)
    author.server.run_loop()


def resident_bytes() -> int:
    """What this process takes of the machine's memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def collect_at_times(round_number: int) -> None:
    """Let garbage not wait until a large process collects it: its pages would stay."""
    if round_number % 20 == 0:
        gc.collect()


def weigh() -> tuple[int, int]:
    """Objects that the collector knows, and bytes."""
    gc.collect()
    return len(gc.get_objects()), resident_bytes()


def footprint(author: Author) -> dict[str, object]:
    """The traces of modules: of what is new with every load how much, memory without clients'."""
    traces: dict[str, Any] = author.traces()
    for name in ("services", "imports"):
        traces[name] = len(traces[name])
    engine = author.server.engine
    traces["memory"] = engine.account.other - engine.services[Memory].clients_bytes
    return traces


def test_rounds_of_loading_and_unloading_leave_nothing(busy: Author, client: Client) -> None:
    before = footprint(busy)
    others = {name: client(*argv) for name, argv in SEEN.items()}
    for _ in range(FIRST):
        load_use_unload(busy, client)
    objects, memory = weigh()
    for round_number in range(ROUNDS):
        load_use_unload(busy, client)
        collect_at_times(round_number)
    objects_after, memory_after = weigh()
    assert footprint(busy) == before
    assert {name: client(*argv) for name, argv in SEEN.items()} == others
    assert b"tally" not in client("INFO", "everything")
    assert objects_after - objects < ROUNDS, "objects of a module are left in each round"
    assert memory_after - memory < LEFT_MAX_BYTES


# What clients see of the modules that are there.
SEEN = {
    "commands": ("COMMAND", "COUNT"),
    "categories": ("ACL", "CAT"),
    "modules": ("MODULE", "LIST"),
    "options": ("CONFIG", "GET", "tally*"),
    "keys": ("DBSIZE",),
}


def test_rounds_of_reloading_leave_nothing_and_keep_the_keys(busy: Author, client: Client) -> None:
    client("MODULE", "LOAD", "./tally.py")
    use(busy, client)
    before = footprint(busy)
    for _ in range(FIRST):
        reload_with_keys(busy, client)
    objects, memory = weigh()
    for round_number in range(ROUNDS):
        reload_with_keys(busy, client)
        collect_at_times(round_number)
    objects_after, memory_after = weigh()
    assert footprint(busy) == before
    assert client("TALLY.GET", "t") == 1 + FIRST + ROUNDS
    assert client("DBSIZE") == 2
    assert objects_after - objects < ROUNDS, "objects of the old code are left in each round"
    assert memory_after - memory < LEFT_MAX_BYTES
