"""Somebody who writes modules and loads them into a server, and a complete module to begin with."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from balas.testing import InProcessServer

# A complete module: one type, two commands, an option, a category, hooks, a timer, a listener.
TALLY = '''
from balas.api import *


class Tally(Value):
    type_name = "test-tally"[:9]
    rdb_version = 2

    def __init__(self, total=0):
        self.total = total

    def memory_usage(self):
        return 100

    def copy(self):
        return Tally(self.total)

    def digest(self, digest):
        digest.add(b"%d" % self.total)

    def rdb_save(self, out):
        out.save_signed(self.total)

    @classmethod
    def rdb_load(cls, source, version):
        return cls(source.load_signed())

    def aof_rewrite(self, key):
        yield b"TALLY.ADD", key, b"%d" % self.total


@command("TALLY.ADD", arity=3, flags=WRITE, keys=key(1, RW | UPDATE), categories=("tally",))
def add(ctx, key, amount):
    """TALLY.ADD key amount

    Add to the tally at key. It is made if there is none.
    """
    tally = ctx.write(key, Tally)
    if tally is None:
        tally = Tally()
        ctx.store(key, tally)
    tally.total += integer(amount)
    ctx.changed(key, "tally.add")
    return tally.total


@command("TALLY.GET", arity=2, flags=READONLY | FAST, keys=key(1, RO | ACCESS))
def get(ctx, key):
    """TALLY.GET key

    Return the tally at key.
    """
    tally = ctx.read(key, Tally)
    return None if tally is None else tally.total


class Tallies(Module):
    name = "tally"
    version = 10203
    types = (Tally,)
    options = (Option("tally-step", 1, low=1, high=9), Option("tally-title", "none"))
    categories = ("tally",)

    @hook
    def load(self, server, arguments):
        self.ticks = 0
        self.seen = []
        server.every(1000, self.tick)
        server.on_change(self.look)
        server.count_memory(5000)

    def tick(self):
        self.ticks += 1

    def look(self, changes):
        self.seen += changes
'''


@dataclass
class Author:
    """Somebody who writes modules and loads them into a server."""

    server: InProcessServer
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.server.directory

    def write(self, name: str, text: str) -> Path:
        """Write a file of the module's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def tally(self, *edits: tuple[str, str], name: str = "tally.py") -> Path:
        """Write the complete module, edited."""
        text = TALLY
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new)
        return self.write(name, text)

    def instance(self, name: str = "tally") -> Any:
        """The module's instance in the server."""
        loaded = self.server.server.modules.find(name)
        assert loaded is not None
        return loaded.module

    def traces(self) -> dict[str, object]:
        """All that a module could leave behind, to be compared before and after."""
        server, engine = self.server.server, self.server.engine
        return {
            "commands": sorted(spec.name for spec in engine.commands.every()),
            "types": [kind.type_name for kind in server.types.every()],
            "options": [option.name for option in server.config.options()],
            "services": set(engine.services),
            "listeners": len(engine.changes.listeners),
            "database listeners": len(engine.changes.database_listeners),
            "timers": len(engine.timers),
            "attention": engine.attention,
            "memory": engine.account.other,
            "modules": [loaded.name for loaded in server.modules],
            "imports": sorted(name for name in sys.modules if name.startswith("_balas_")),
        }
