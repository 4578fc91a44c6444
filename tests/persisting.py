"""What the tests of persistence share: looking at all data, waiting for children, damaged files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from balas.engine.dispatch import Engine
from balas.errors import BadData
from balas.services.children import Child, Children
from balas.services.persistence import Persistence
from balas.services.system import StartRefused
from balas.testing.in_process import InProcessServer
from balas.types.value import Value

# Value and expiry time (Unix ms, or -1) by database and key.
Contents = dict[tuple[int, bytes], tuple[bytes, int]]


def contents(engine: Engine) -> Contents:
    """All that is in the databases; a module's value as its commands."""
    found = {}
    for db in engine.databases:
        for key in db.all_keys():
            value = db.get(key)
            shown = (
                repr(list(value.aof_rewrite(key))).encode()
                if isinstance(value, Value)
                else bytes(value)
            )
            found[db.index, key] = shown, db.expire_at(key)
    return found


def children_of(server: InProcessServer) -> Children:
    """The service that forks."""
    children: Children = server.engine.services[Children]
    return children


def finish_child(server: InProcessServer) -> Child:
    """Wait for the child at work to end, and for what the server makes of it."""
    child = children_of(server).current
    assert child is not None, "no child is at work"
    children_of(server).wait()
    return child


def info_of(server: InProcessServer) -> dict[str, Any]:
    """INFO's section Persistence."""
    persistence: Persistence = server.engine.services[Persistence]
    return persistence.info()


class Refused(InProcessServer):
    """A server that must not start: its log tells why."""

    def __init__(self, options: dict[str, Any], directory: Path) -> None:
        with pytest.raises(StartRefused):
            super().__init__(options, directory=directory, bundled=False)

    @property
    def reason(self) -> str:
        """The last line of the log without its stamp."""
        return self.log.splitlines()[-1].split(" # ", 1)[1]


@contextmanager
def unchanged(*folders: Path) -> Iterator[None]:
    """Within, no file in these folders changes, comes or goes."""

    def look() -> dict[Path, bytes]:
        return {
            path: path.read_bytes()
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    before = look()
    yield
    assert look() == before


def reason_of(action: Callable[[], object]) -> str | None:
    """What an action refuses data with; None if it takes them."""
    try:
        action()
    except BadData as error:
        return str(error)
    return None


def flipped(data: bytes, chance: Random) -> bytes:
    """The same bytes with one of them changed by one bit or altogether."""
    at = chance.randrange(len(data))
    mask = chance.choice([1 << chance.randrange(8), chance.randrange(1, 256)])
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def failing(number: int, text: str = "made to fail") -> Callable[..., Any]:
    """A function that fails with this errno whatever it is called with."""

    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(number, text)

    return fail
