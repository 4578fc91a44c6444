"""The one-file module of docs/first-module.md: its value, its commands, its life in a server."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from balas.testing import Client, InProcessServer, check_laws

RING = Path(__file__).parent / "ring.py"


@pytest.fixture(scope="module")
def ring_module() -> Iterator[ModuleType]:
    """The example, imported as any Python file."""
    spec = importlib.util.spec_from_file_location("example_ring", RING)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_ring"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["example_ring"]


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    """The core alone, with the example in its folder."""
    with InProcessServer(bundled=False) as server:
        shutil.copy(RING, server.directory / "ring.py")
        yield server


@pytest.fixture
def client(server: InProcessServer) -> Client:
    client = server.client()
    client("MODULE", "LOAD", "ring.py")
    return client


def edit(server: InProcessServer, old: str, new: str) -> None:
    """Change the module's file as an author would."""
    path = server.directory / "ring.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_ring_keeps_its_latest_items(client: Client) -> None:
    assert client("RING.CREATE", "r", 3) == b"OK"
    assert client("RING.PUSH", "r", "a", "b") == 2
    assert client("RING.PUSH", "r", "c", "d") == 3
    assert client("RING.ITEMS", "r") == [b"b", b"c", b"d"]


def test_a_missing_ring_has_no_items_and_takes_none(client: Client) -> None:
    assert client("RING.ITEMS", "r") == []
    assert client.error("RING.PUSH", "r", "a") == "ERR there is no such ring"


def test_a_ring_is_made_once_and_with_room(client: Client) -> None:
    for bad in ("0", "-1", "x", "1000001"):
        text = "ERR the capacity must be from 1 to 1000000"
        assert client.error("RING.CREATE", "r", bad) == text
    client("RING.CREATE", "r", 1)
    assert client.error("RING.CREATE", "r", 1) == "ERR this key exists already"


def test_other_types_are_refused(client: Client) -> None:
    client("SET", "s", "v")
    assert client.error("RING.ITEMS", "s").startswith("WRONGTYPE")
    client("RING.CREATE", "r", 1)
    assert client.error("GET", "r").startswith("WRONGTYPE")


@pytest.mark.parametrize("items", [[], [b""], [b"a" * 1000, b"b", b"c" * 30]])
def test_a_ring_obeys_the_laws(
    items: list[bytes], server: InProcessServer, client: Client, ring_module: ModuleType
) -> None:
    check_laws(server, lambda: ring_module.Ring(5, items), lambda ring: ring.push(b"one more"))


def test_a_ring_lives_through_edits_absence_and_restarts(
    server: InProcessServer, client: Client
) -> None:
    client("RING.CREATE", "r", 3)
    client("RING.PUSH", "r", "a", "b", "c", "d")

    # Its author changes a reply and adds a command; the key stays.
    edit(server, "return list(ring.items) if", "return sorted(ring.items, reverse=True) if")
    edit(
        server,
        "class Rings(Module)",
        '@command("RING.LENGTH", arity=2, flags=READONLY | FAST, keys=key(1, RO))\n'
        "def length(ctx: Context, key: bytes) -> Reply:\n"
        '    """RING.LENGTH key\n\n    Return how many items there are.\n    """\n'
        "    ring = ctx.read(key, Ring)\n"
        "    return len(ring.items) if ring is not None else 0\n\n\n"
        "class Rings(Module)",
    )
    assert client.error("RING.LENGTH", "r").startswith("ERR unknown command 'RING.LENGTH'")
    client("MODULE", "RELOAD", "ring")
    assert client("RING.LENGTH", "r") == 3
    assert client("RING.ITEMS", "r") == [b"d", b"c", b"b"]

    # The module goes; its value waits, is saved, and outlives a restart.
    refusal = "the module exports one or more module-side data types, can't unload"
    assert client.error("MODULE", "UNLOAD", "ring") == f"ERR Error unloading module: {refusal}"
    client("MODULE", "UNLOAD", "ring", "SETASIDE")
    assert client("TYPE", "r") == b"demo-ring"
    assert client.error("GET", "r").startswith("WRONGTYPE")
    assert client.error("RING.ITEMS", "r").startswith("ERR unknown command")
    client("SAVE")
    server.restart()
    client = server.client()
    assert client("MODULE", "ORPHANS") == [b"demo-ring", 1]
    assert client("TYPE", "r") == b"demo-ring"

    # It comes alive, and the module can go for good once its keys are gone.
    client("MODULE", "LOAD", "ring.py")
    assert client("MODULE", "ORPHANS") == []
    assert client("RING.ITEMS", "r") == [b"d", b"c", b"b"]
    client("DEL", "r")
    assert client("MODULE", "UNLOAD", "ring") == b"OK"
    assert client("MODULE", "LIST") == []
