"""A module's hold on the server: all that is the module's, so that all of it can be taken off.

Whatever a module brings or starts is held here as a pair of functions, one that attaches it and one
that detaches it. Detaching everything in reverse order is what UNLOAD does, and what a failed load
does; attaching it all again is how a failed reload goes back to the old code.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Coroutine
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from balas.engine.client import Client
from balas.engine.faults import FAULTS
from balas.engine.timers import Timer, Timers
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.services.config.store import Config
from balas.services.log import Log

if TYPE_CHECKING:
    from random import Random

    from balas.engine.changes import Changes
    from balas.engine.dispatch import Engine
    from balas.host.filters import Filter, Filters
    from balas.host.troubles import Troubles

# A change of a key: index of the database, key, event.
Change = tuple[int, bytes, str]


class Following:
    """A listener to changes that can be paused.

    Example:
        >>> class Demo(Module):
        ...     name = "demo"
        ...
        ...     @hook
        ...     def load(self, server):
        ...         self.seen = 0
        ...         self.following: Following = server.on_change(self.look, {"set"})
        ...
        ...     def look(self, changes):
        ...         self.seen += len(changes)
        ...         self.following.pause()
        >>> @command("DEMO.SEEN", arity=1)
        ... def seen(ctx):
        ...     return ctx.service(Demo).seen
        >>> client = serve()
        >>> client("SET", "a", "1"), client("SET", "b", "2"), client("DEMO.SEEN")
        (b'OK', b'OK', 1)
    """

    def __init__(
        self,
        changes: Changes,
        tell: Callable[[list[Change]], None],
        events: frozenset[str] | None,
    ) -> None:
        self._changes = changes
        self._tell = tell
        self._events = events
        self._active = False

    def resume(self) -> None:
        """Call the listener from now on, if it is not called already."""
        if not self._active:
            self._active = True
            self._changes.add_listener(self._tell, self._events)

    def pause(self) -> None:
        """Call it no more until `resume`."""
        if self._active:
            self._active = False
            self._changes.remove_listener(self._tell)


class Attachment:
    """What a module's hook `load` gets as `server`, and may keep.

    Functions it is given may raise: that is logged with the module's name and harms nobody else.

    Example:
        >>> class Demo(Module):
        ...     name = "demo"
        ...
        ...     @hook
        ...     def load(self, server: Attachment):
        ...         server.call(b"SET", b"loaded at", b"%d" % server.now_ms)
        >>> client = serve()
        >>> client("EXISTS", "loaded at")
        1
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        config: Config,
        log: Log,
        filters: Filters,
        troubles: Troubles,
    ) -> None:
        self.name = name
        self._engine = engine
        self._config = config
        self._log = log
        self._filters = filters
        self._troubles = troubles
        self._held: dict[object, tuple[Callable[[], object], Callable[[], object]]] = {}
        self._clients: dict[int, Client] = {}
        self._memory = 0
        self._attached = True

    # --- for the module --------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Unix time in ms, by the server's clock."""
        return self._engine.clock.now_ms

    @property
    def rng(self) -> Random:
        """The server's one generator of chance."""
        return self._engine.rng

    def option(self, name: str) -> Any:
        """The value of an option, of the module or of the server."""
        return self._config.get(name)

    def call(self, *argv: bytes, db: int = 0) -> Reply:
        """Run a command outside any command, such as from a timer; raises its ReplyError.

        It is logged and replicated like a client's. Inside a command there is `ctx.call`.
        """
        if db not in self._clients:
            self._clients[db] = Client(
                0,
                None,
                self._engine.databases[db],
                self._engine.parser_settings,
                self.now_ms,
                "internal",
            )
        value = self._engine.execute_for(self._clients[db], list(argv))
        if isinstance(value, ReplyError):
            raise value
        return value

    def peek(self, key: bytes, db: int = 0) -> object:
        """The value of a key as it stands: bytes, or its Value; None if there is none.

        For listeners, which must not run commands. It is neither counted nor touched, and not to be
        changed.
        """
        database = self._engine.databases[db]
        if 0 <= database.expire_at(key) <= self.now_ms:
            return None
        return database.get(key)

    def scan(self, cursor: int, count: int, db: int = 0) -> tuple[int, list[bytes]]:
        """A step through all keys, as SCAN does it: the next cursor, and keys."""
        return self._engine.databases[db].scan(cursor, count)

    def key_count(self, db: int = 0) -> int:
        """How many keys a database has."""
        return len(self._engine.databases[db])

    def after(self, delay_ms: int, action: Callable[[], object]) -> ModuleTimer:
        """Call `action` once, `delay_ms` from now."""
        check_callable("server.after", action)
        return self._start(
            ModuleTimer(self, self._engine.timers, self.now_ms + delay_ms, 0, action)
        )

    def every(self, period_ms: int, action: Callable[[], object]) -> ModuleTimer:
        """Call `action` again and again, for the first time after one period."""
        check_callable("server.every", action)
        return self._start(ModuleTimer(self, self._engine.timers, 0, period_ms, action))

    def background(self, function: Callable[[], Coroutine[Any, Any, object]]) -> Background:
        """Run an `async def` function beside everything else; it is cancelled as the module goes.

        It may `await` whatever it likes, and changes keys by `call`. If a reload is refused, it is
        called again for the old code.
        """
        check_callable("server.background", function)
        work = Background(self, self._engine, function)
        self.hold(work.resume, work.suspend, work)
        return work

    def on_change(
        self, listener: Callable[[list[Change]], None], events: Collection[str] | None = None
    ) -> Following:
        """Call `listener(changes)` after each command that changed keys: for indexes and the like.

        `changes` is a list of (database index, key, event), which must not be kept. `events` limits
        them to these, such as `{"set", "del", "expired"}`. What a module reports by
        `ctx.changed(key, event)` comes along with all others. Every write of every client pays for
        a listener to all events, so `pause` what this returns while there is nothing to follow.
        """
        check_callable("server.on_change", listener)
        wanted = None if events is None else frozenset(events)

        def tell(changes: list[Change]) -> None:
            self.guard("its listener to changes", listener, changes)

        following = Following(self._engine.changes, tell, wanted)
        self.hold(following.resume, following.pause)
        return following

    def add_filter(self, function: Filter) -> None:
        """Ask `function(client, spec, argv)` before every command of every client.

        It lets the command pass (returns None), answers in its place, or raises a ReplyError. This
        is the one thing that makes all commands slower, so do without it if you can.
        """
        check_callable("server.add_filter", function)
        self.hold(
            lambda: self._filters.add(self, function),
            lambda: self._filters.remove(self, function),
        )

    def count_memory(self, size_bytes: int) -> None:
        """Tell how much the module uses now beside its values, say for an index.

        It counts as used memory, so `maxmemory` sees it.
        """
        if self._attached:
            self._engine.account.other += size_bytes - self._memory
            self._memory = size_bytes

    def log(self, message: str) -> None:
        """A line in the log that an operator wants to see."""
        self._log.notice(f"<{self.name}> {message}")

    def warn(self, message: str) -> None:
        """A line in the log that an operator should act on."""
        self._log.warning(f"<{self.name}> {message}")

    @property
    def memory_beside_values(self) -> int:
        """What `count_memory` was told last, in bytes."""
        return self._memory

    # --- for the host ----------------------------------------------------------------------------

    def hold(
        self, attach: Callable[[], object], detach: Callable[[], object], token: object = None
    ) -> None:
        """Attach something, and remember how it is detached. `token` is for `let_go`."""
        if not self._attached:
            raise RuntimeError(f"module '{self.name}' is not loaded any more")
        attach()
        self._held[token or object()] = (attach, detach)

    def let_go(self, token: object) -> None:
        """Forget something that has detached itself."""
        self._held.pop(token, None)

    def release(self) -> None:
        """Detach everything, the latest first; nothing can be attached from then on."""
        self._attached = False
        self._engine.account.other -= self._memory
        for _, detach in reversed(list(self._held.values())):
            detach()

    def restore(self) -> None:
        """Attach everything again, after `release`."""
        self._attached = True
        self._engine.account.other += self._memory
        for attach, _ in list(self._held.values()):
            attach()

    def guard(self, what: str, function: Callable[..., object], *arguments: Any) -> Any:
        """Call a function of the module's; if it raises, log that and return None."""
        began_ns = perf_counter_ns()
        try:
            return function(*arguments)
        except FAULTS as error:
            self.failed(what, error, function)
            return None
        finally:
            self._troubles.look_at(self.name, what, perf_counter_ns() - began_ns)

    def failed(self, what: str, error: BaseException, function: object = None) -> None:
        """Log that something of the module's has failed."""
        self._troubles.failed(self.name, what, error, function)

    def _start(self, timer: ModuleTimer) -> ModuleTimer:
        self.hold(timer.resume, timer.suspend, timer)
        return timer


def check_callable(verb: str, function: object) -> None:
    """Refuse at once what could not be called later. Raises TypeError, in the author's line."""
    if not callable(function):
        if inspect.iscoroutine(function):
            function.close()
        kind = type(function).__name__
        raise TypeError(f"{verb} wants a function, not {kind}: name it without calling it")


class ModuleTimer:
    """A timer of a module; made by `Attachment.after` and `Attachment.every`."""

    def __init__(
        self,
        owner: Attachment,
        timers: Timers,
        due_ms: int,
        period_ms: int,
        action: Callable[[], object],
    ) -> None:
        self._owner = owner
        self._timers = timers
        self._due_ms = due_ms
        self._period_ms = period_ms
        self._action = action
        self._timer: Timer | None = None

    def cancel(self) -> None:
        """Call it no more."""
        self.suspend()
        self._owner.let_go(self)

    def resume(self) -> None:
        """Run again: at the moment once set, or one period from now."""
        if self._period_ms:
            self._timer = self._timers.every(self._period_ms, self._fire)
        else:
            self._timer = self._timers.at(self._due_ms, self._fire)

    def suspend(self) -> None:
        """Stand still while the module is detached."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        if not self._period_ms:
            self._owner.let_go(self)
        self._owner.guard("its timer", self._action)


class Background:
    """An `async def` function that runs; made by `Attachment.background`."""

    def __init__(
        self,
        owner: Attachment,
        engine: Engine,
        function: Callable[[], Coroutine[Any, Any, object]],
    ) -> None:
        self._owner = owner
        self._engine = engine
        self._function = function
        self._wanted: object = None
        self._task: asyncio.Task[Any] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has neither ended nor been cancelled."""
        return self._wanted is not None

    def cancel(self) -> None:
        """End it where it awaits something."""
        self.suspend()
        self._owner.let_go(self)

    def resume(self) -> None:
        """Call the function, from its beginning."""
        if self._engine.spawn is None:
            raise RuntimeError("there is no event loop yet")
        self._wanted = object()
        self._engine.spawn(self._run(self._wanted))

    def suspend(self) -> None:
        """Cancel it while the module is detached."""
        self._wanted = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, wanted: object) -> None:
        if self._wanted is not wanted:
            return  # Cancelled before it began.
        self._task = asyncio.current_task()
        try:
            await self._function()
        except (Exception, SystemExit) as error:
            self._owner.failed("its work in the background", error, self._function)
        if self._wanted is wanted:
            self._wanted = self._task = None
            self._owner.let_go(self)
