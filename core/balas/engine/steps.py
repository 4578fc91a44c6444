"""Runs an `async def` command step by step: what happens between two awaits is one unit.

So a command that calls out may read and write keys before and after, each time with the keyspace
consistent, and what it changed in a step is recorded when the step ends.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any

from balas.registry.spec import CommandSpec

if TYPE_CHECKING:
    from balas.engine.context import Context
    from balas.engine.dispatch import Engine


class StepByStep:
    """Awaitable that brackets every step of a coroutine with the beginning and end of a unit."""

    def __init__(
        self,
        engine: Engine,
        ctx: Context,
        spec: CommandSpec,
        argv: list[bytes],
        coroutine: Coroutine[Any, Any, Any],
    ) -> None:
        self._engine = engine
        self._ctx = ctx
        self._spec = spec
        self._argv = argv
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        send: Any = None
        failure: BaseException | None = None
        while True:
            self._engine.begin_step(self._ctx)
            try:
                if failure is None:
                    awaited = self._coroutine.send(send)
                else:
                    awaited = self._coroutine.throw(failure)
            except StopIteration as stop:
                return stop.value
            finally:
                self._engine.end_step(self._ctx, self._argv)
            failure = None
            try:
                send = yield awaited
            except BaseException as error:  # a cancellation, too, is the coroutine's to handle
                failure = error
