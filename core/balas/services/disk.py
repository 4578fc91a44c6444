"""Trouble with the disk: while something cannot be written, clients may not write either."""

from __future__ import annotations

import os
from contextlib import suppress

from balas.engine import attention, gates
from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.registry.flags import WRITE
from balas.registry.spec import CommandSpec


class DiskTrouble:
    """The troubles there are, by the name of who has them, and the gate that refuses writes
    meanwhile.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._texts: dict[str, str] = {}
        engine.gates.add(gates.ORDER_DISK, attention.DISK, self._refuse)

    @property
    def text(self) -> str | None:
        """What a client that wants to write is told; None while all is well."""
        return next(iter(self._texts.values()), None)

    def report(self, name: str, text: str | None) -> None:
        """`name` has trouble, and clients get `text` for an answer; None: it has none any more."""
        if text is None:
            self._texts.pop(name, None)
        else:
            self._texts[name] = text
        self._engine.set_attention(attention.DISK, bool(self._texts))

    def _refuse(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """Refuse writes, transactions that hold some, and PING, by which watchdogs find out."""
        writes = spec.flags & WRITE or (spec.name == "exec" and client.queue_flags & WRITE)
        if writes or spec.name == "ping":
            self.refuse_writes(client)

    def refuse_writes(self, client: Client) -> None:
        """Raise the ReplyError for what would write, or for a script that might."""
        if self._texts and client.kind == "normal":
            raise ReplyError(str(self.text))


def sync_folder(folder: str) -> None:
    """Bring to disk what a folder lists: names made, changed or removed. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def why_not_writable(folder: str) -> str | None:
    """Why no file can be made in a folder; None if one can.

    Asked by making one: rights alone do not tell, of a read-only disk or of a superuser.
    """
    path = os.path.join(folder, f"temp-{os.getpid()}.check")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        os.unlink(path)
    except OSError as error:
        return error.strerror or str(error)
    return None


def remove_quietly(path: str | os.PathLike[str]) -> None:
    """Remove a file that may not be there, and of which a leftover does no harm."""
    with suppress(OSError):
        os.unlink(path)
