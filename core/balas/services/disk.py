"""Trouble with the disk: while something cannot be written, clients may not write either."""

from __future__ import annotations

from balas.engine import attention, gates
from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.registry.flags import WRITE
from balas.registry.spec import CommandSpec


class DiskTrouble:
    """The troubles there are, by the name of who has them, and the gate that refuses writes meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._texts: dict[str, str] = {}
        engine.gates.add(gates.ORDER_DISK, attention.DISK, self._refuse)

    def report(self, name: str, text: str | None) -> None:
        """`name` has trouble, and clients get `text` for an answer; None: it has none any more."""
        if text is None:
            self._texts.pop(name, None)
        else:
            self._texts[name] = text
        self._engine.set_attention(attention.DISK, bool(self._texts))

    def _refuse(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        if client.kind == "normal" and (spec.flags & WRITE or spec.name == "ping"):
            raise ReplyError(next(iter(self._texts.values())))
