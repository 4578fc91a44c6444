"""Calls the hooks of the modules of one server.

pluggy knows who implements which hook and with which arguments. The calls are made here, one by
one, so that the failure of one module is logged with its name and the others are called all the
same. What would have to be called often (timer, change of a database) is only listened to while
somebody wants it: a hook that nobody implements costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

from pluggy import HookCaller, HookImpl, PluginManager

from balas.engine.dispatch import Engine
from balas.engine.faults import FAULTS
from balas.engine.timers import Timer
from balas.host import hookspecs
from balas.host.checks import check_hooks
from balas.host.module import Module
from balas.host.troubles import Troubles
from balas.services.config.store import Config
from balas.services.log import DEBUG, Log


class Hooks:
    """The hooks of one server."""

    def __init__(self, engine: Engine, config: Config, log: Log, troubles: Troubles) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._troubles = troubles
        self._plugins = PluginManager("balas")
        self._plugins.add_hookspecs(hookspecs)
        self._cron: Timer | None = None
        self._watching_databases = False
        config.on_change("hz", lambda config: self._listen())
        config.on_any_change(self._config_changed)

    def add(self, module: Module) -> None:
        """Call the hooks of this module from now on. Raises ModuleError for one that is wrong."""
        check_hooks(self._plugins, module)
        self._plugins.register(module, module.name)
        self._listen()

    def remove(self, module: Module) -> None:
        """Undo `add`."""
        self._plugins.unregister(module)
        self._listen()

    def wanted(self, hook: str) -> bool:
        """Whether any module implements the hook."""
        return bool(self._implementations(hook))

    def implementation(self, module: Module, hook: str) -> Callable[[], Any] | None:
        """A hook without arguments of one module, to be called later; None if it has none."""
        for found in self._implementations(hook):
            if found.plugin is module:
                return found.function
        return None

    def call(self, module: Module, hook: str, **arguments: Any) -> Any:
        """Call the hook of one module, which may raise; None if it has none."""
        for found in self._implementations(hook):
            if found.plugin is module:
                return self._call(found, hook, arguments)
        return None

    def call_all(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call the hook of every module; the names of those that answered, with what they said."""
        answers = []
        for found in self._implementations(hook):
            try:
                answers.append((found.plugin_name, self._call(found, hook, arguments)))
            except FAULTS as error:
                self.failed(found.plugin_name, hook, error)
        return answers

    def call_safely(self, module: Module, hook: str, **arguments: Any) -> None:
        """Call the hook of one module; what it raises is logged."""
        try:
            self.call(module, hook, **arguments)
        except FAULTS as error:
            self.failed(module.name, hook, error)

    def failed(self, name: str, hook: str, error: BaseException) -> None:
        """Log that a hook has raised."""
        self._troubles.failed(name, f"its hook {hook}", error)

    def _call(self, found: HookImpl, hook: str, arguments: dict[str, Any]) -> Any:
        if self._log.wants(DEBUG):
            self._log.debug(f"<{found.plugin_name}> hook {hook}")
        began_ns = perf_counter_ns()
        try:
            return found.function(*[arguments[name] for name in found.argnames])
        finally:
            duration_ns = perf_counter_ns() - began_ns
            self._troubles.look_at(found.plugin_name, f"its hook {hook}", duration_ns)

    def _implementations(self, hook: str) -> list[HookImpl]:
        """In pluggy's order: those marked `tryfirst` first, otherwise the latest first."""
        caller: HookCaller = getattr(self._plugins.hook, hook)
        return caller.get_hookimpls()[::-1]

    # --- what is only listened to while somebody wants it ----------------------------------------

    def _listen(self) -> None:
        if self._cron is not None:
            self._cron.cancel()
            self._cron = None
        if self.wanted("cron"):
            period_ms = max(1, 1000 // self._config.get("hz"))
            self._cron = self._engine.timers.every(period_ms, lambda: self.call_all("cron"))
        changes = self._engine.changes
        if self.wanted("database_changed") and not self._watching_databases:
            changes.add_database_listener(self._database_changed)
        elif not self.wanted("database_changed"):
            changes.remove_database_listener(self._database_changed)
        self._watching_databases = self.wanted("database_changed")

    def _database_changed(self, index: int) -> None:
        self.call_all("database_changed", index=index)

    def _config_changed(self, names: Sequence[str]) -> None:
        if self.wanted("config_changed"):
            for name in names:
                self.call_all("config_changed", name=name, value=self._config.get(name))
