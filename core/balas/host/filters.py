"""Command filters of modules: functions that look at every command before it runs.

They stand behind one gate, which the engine asks only while there is a filter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from balas.engine import attention
from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.engine.faults import FAULTS
from balas.engine.gates import ORDER_MEMORY
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.registry.spec import CommandSpec

if TYPE_CHECKING:
    from balas.host.attachment import Attachment

Filter = Callable[[Client, CommandSpec, list[bytes]], Reply]

# After the user's rights, before everything else that may refuse.
ORDER = ORDER_MEMORY - 1


class Filters:
    """The filters of all modules of a server, asked in the order in which they came."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._filters: list[tuple[Attachment, Filter]] = []
        engine.gates.add(ORDER, attention.FILTERED, self._ask)

    def count(self, name: str) -> int:
        """How many filters the module of this name has."""
        return sum(owner.name == name for owner, _ in self._filters)

    def add(self, owner: Attachment, function: Filter) -> None:
        """Ask another filter from now on."""
        self._filters.append((owner, function))
        self._engine.set_attention(attention.FILTERED, True)

    def remove(self, owner: Attachment, function: Filter) -> None:
        """Undo `add`."""
        self._filters.remove((owner, function))
        self._engine.set_attention(attention.FILTERED, bool(self._filters))

    def _ask(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        for owner, function in list(self._filters):
            try:
                answer = function(client, spec, argv)
            except ReplyError:
                raise
            except FAULTS as error:
                # A filter may be there to protect something: when it fails, nothing passes.
                owner.failed("its command filter", error, function)
                raise ReplyError(f"ERR a command filter of module '{owner.name}' failed") from error
            if answer is not None:
                return answer
        return None
