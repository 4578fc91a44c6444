"""The module host of one server: loads, unloads and reloads modules while it runs.

Each of the three is all or nothing. Loading attaches everything a module brings (see `Attachment`);
if one part is refused, all is taken off again and the reason is told. Reloading makes the new
values first, then swaps the code, and goes back to the old code if the new one is refused, so its
keys never suffer. All of it happens between two commands: no client ever sees half a module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pluggy import PluginValidationError

from balas.engine.dispatch import Engine
from balas.errors import BadData, ReplyError
from balas.host import values
from balas.host.attachment import Attachment
from balas.host.aux import Aux
from balas.host.checks import (
    check_categories,
    check_declaration,
    check_module,
    check_types_listed,
    command_sources,
)
from balas.host.errors import ModuleError, is_own, place_of, reason
from balas.host.filters import Filters
from balas.host.hooks import Hooks
from balas.host.loader import Found, Loader, installed
from balas.host.module import Module
from balas.host.troubles import HELD_MAX_NS, Troubles
from balas.host.watchdog import Watchdog
from balas.registry import CommandSpec, DeclarationError, build_specs, declarations
from balas.registry.flags import MODULE
from balas.services.config.store import Config
from balas.services.loading import ModuleAux
from balas.services.log import Log
from balas.services.measured import Measured
from balas.services.rdb.writer import RdbWriter
from balas.types.registry import TypeRegistry, TypeTaken

NO_SUCH_MODULE = "no such module with that name"
HAS_VALUES = "the module exports one or more module-side data types, can't unload"
HAS_BLOCKED_CLIENTS = (
    "the module has blocked clients. Please wait for them to be unblocked and try again"
)

# What the parts of a module may be refused with, in words that need no traceback.
REFUSALS = DeclarationError | TypeTaken | PluginValidationError | BadData


@dataclass(frozen=True, slots=True)
class Loaded:
    """A module that is there, and what it was loaded with."""

    module: Module
    found: Found
    arguments: tuple[bytes, ...]
    attachment: Attachment

    @property
    def name(self) -> str:
        """The module's own name."""
        return self.module.name


class ModuleHost:
    """All modules of one server. A service: `ctx.service(ModuleHost)`."""

    def __init__(self, engine: Engine, config: Config, log: Log, types: TypeRegistry) -> None:
        self.types = types
        self.troubles = Troubles(log)
        engine.services[Measured].listen(self.troubles.command_ran, HELD_MAX_NS)
        engine.on_undeclared = self._undeclared
        self.hooks = Hooks(engine, config, log, self.troubles)
        self.aux = Aux(self.hooks, log)
        self.engine = self._engine = engine
        self._config = config
        self._log = log
        self._filters = Filters(engine)
        self._loader = Loader(lambda: str(config.get("dir")))
        self._modules: dict[str, Loaded] = {}
        self._has_data = False
        self._loading = ""
        self.watchdog = Watchdog(log, self._owner_of)
        #: Called when commands of a module are gone for good.
        self.on_unload: Callable[[], None] = lambda: None

    # --- what is there ---------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Loaded]:
        return iter(list(self._modules.values()))

    def __len__(self) -> int:
        return len(self._modules)

    def find(self, name: str) -> Loaded | None:
        """A loaded module by its name, in any case."""
        for loaded in self._modules.values():
            if loaded.name.lower() == name.lower():
                return loaded
        return None

    def filter_count(self, name: str) -> int:
        """How many command filters a module has."""
        return self._filters.count(name)

    def available(self) -> dict[str, str]:
        """Modules of installed packages that are not loaded: name for MODULE LOAD, and class."""
        targets = {loaded.found.target for loaded in self}
        return {
            name: entry.value
            for name, entry in installed().items()
            if not targets & {name, entry.value}
        }

    def orphans(self) -> dict[str, int]:
        """How many values wait for a module, by the name of their type."""
        return {name: count for name, count in sorted(self.types.orphans.items()) if count}

    def _owner_of(self, file: str) -> str:
        """The module a source file belongs to: its name, or the target while it is being loaded."""
        for loaded in self:
            if loaded.found.holds(file):
                return loaded.name
        return self._loading if self._loading and is_own(file) else ""

    # --- load ------------------------------------------------------------------------------------

    def load(
        self,
        target: str,
        arguments: Sequence[bytes] = (),
        options: Mapping[str, str] | None = None,
    ) -> Loaded:
        """Load the module that `target` names (see `loader`); `options` are values for its own.

        Raises ModuleError, and nothing of it is left.
        """
        with self._told(f"Module {target} failed to load"), self._watched(target):
            found = self._loader.find(target)
            try:
                check_module(found.kind)
                loaded = self._bring_in(found, tuple(arguments), options or {})
            except BaseException:
                found.undo()
                raise
        self._log.notice(f"Module '{loaded.name}' loaded from {found.path}")
        if self._has_data:
            self.hooks.call_safely(loaded.module, "data_loaded")
        return loaded

    def _bring_in(
        self,
        found: Found,
        arguments: tuple[bytes, ...],
        options: Mapping[str, str],
        chunks: Sequence[ModuleAux] = (),
    ) -> Loaded:
        """Make an instance, attach it, give it its aux data (`chunks`) and its orphans.

        If anything raises, all is taken off.
        """
        module = found.kind()
        if self.find(module.name) is not None:
            raise ModuleError(f"module '{module.name}' is already loaded")
        loaded = Loaded(module, found, arguments, self._attachment(module))
        kept = self.aux.waiting_for(module)
        try:
            self._attach(loaded, options)
            revived = values.revival(self._engine, module.types, self.types)
            foreign = self.aux.give(module, (*kept, *chunks))
        except BaseException:
            loaded.attachment.release()
            raise
        self.aux.kept = [chunk for chunk in self.aux.kept if chunk not in kept] + foreign
        values.put(revived)
        if revived:
            self._log.notice(f"Module '{module.name}' took back {len(revived)} of its values")
        return loaded

    def _attachment(self, module: Module) -> Attachment:
        return Attachment(
            module.name, self._engine, self._config, self._log, self._filters, self.troubles
        )

    def _attach(self, loaded: Loaded, options: Mapping[str, str]) -> None:
        """Attach all that the class declares, then ask the module itself."""
        module, hold = loaded.module, loaded.attachment.hold
        specs = build_module_specs(module)
        check_types_listed(module)
        check_categories(specs, self._categories(module))
        kept = KeptOptions(self._config, module, options)
        hold(kept.attach, kept.detach)
        types, commands, services = self.types, self._engine.commands, self._engine.services
        for kind in module.types:
            hold(partial(types.register, kind, module.name), partial(types.unregister, kind))
        hold(partial(commands.register, specs), partial(commands.unregister, specs))
        hold(
            partial(services.__setitem__, type(module), module),
            partial(services.pop, type(module), None),
        )
        hold(
            partial(self._modules.__setitem__, module.name, loaded),
            partial(self._modules.pop, module.name, None),
        )
        hold(partial(self.hooks.add, module), partial(self.hooks.remove, module))
        self.hooks.call(module, "load", server=loaded.attachment, arguments=list(loaded.arguments))

    def _categories(self, module: Module) -> list[str]:
        """The ACL categories that modules have added, this one's included."""
        return [
            name for owner in (module, *(one.module for one in self)) for name in owner.categories
        ]

    # --- unload ----------------------------------------------------------------------------------

    def unload(self, name: str, *, set_aside: bool = False) -> None:
        """Take a module off. Its values are in the way unless they may be set aside as orphans.

        Raises ModuleError, and the module is as it was.
        """
        with self._told(f"Error unloading module {name}"):
            loaded = self._loaded(name)
            self._check_idle(loaded)
            kinds = loaded.module.types
            if not set_aside and next(values.places_of(self._engine, kinds), None) is not None:
                raise ModuleError(HAS_VALUES)
            orphans = values.setting_aside(self._engine, kinds, self.types)
            chunks = self.aux.chunks(loaded.module) if set_aside else []
        self.hooks.call_safely(loaded.module, "unload")
        loaded.attachment.release()
        values.put(orphans)
        self.aux.kept += chunks
        self._forget(loaded)
        self.troubles.forget(loaded.name)
        self.on_unload()
        aside = f"; {len(orphans)} values are set aside" if orphans else ""
        self._log.notice(f"Module {loaded.name} unloaded{aside}")

    def _loaded(self, name: str) -> Loaded:
        loaded = self.find(name)
        if loaded is None:
            raise ModuleError(NO_SUCH_MODULE)
        return loaded

    def _check_idle(self, loaded: Loaded, *, may_block: bool = False) -> None:
        """Refuse while a command of the module is under way, be it only that its client waits."""
        if not may_block and self._blocked(loaded):
            raise ModuleError(HAS_BLOCKED_CLIENTS)
        for spec in self._engine.awaited.values():
            if spec.owner == loaded.name:
                raise ModuleError(f"{HAS_BLOCKED_CLIENTS}: '{spec.name}' has not come to its end")

    def _blocked(self, loaded: Loaded) -> list[Any]:
        """Clients that wait for keys in a command of the module."""
        return [
            client
            for client in self._engine.blocking.clients.values()
            if client.blocked is not None
            and client.blocked.spec is not None
            and client.blocked.spec.owner == loaded.name
        ]

    def _forget(self, loaded: Loaded) -> None:
        """Drop the last references to a module's code."""
        loaded.found.forget()
        for client in self._engine.clients.values():
            if client.last_command is not None and client.last_command.retired:
                client.last_command = None

    # --- reload ----------------------------------------------------------------------------------

    def reload(self, name: str) -> Loaded:
        """Bring in the code anew, with arguments, options and every key kept.

        Raises ModuleError, and the old code goes on as if nothing had been.
        """
        try:
            with self._told(f"Error reloading module {name}"), self._watched(name):
                old = self._loaded(name)
                self._check_idle(old, may_block=True)
                found = self._loader.find(old.found.target, anew=True)
                try:
                    check_module(found.kind)
                    loaded = self._succeed(old, found)
                except BaseException:
                    found.undo()
                    raise
        except ModuleError as error:
            if self.find(name) is not None:
                self.troubles.refused(self._loaded(name).name, str(error))
            raise
        self.troubles.reloaded(loaded.name)
        self._move_blocked_clients(old, loaded)
        self.hooks.call_safely(loaded.module, "data_loaded")
        self._forget(old)
        self._log.notice(f"Module '{loaded.name}' reloaded from {found.path}")
        if found.as_it_was:
            self._log.warning(f"Module '{loaded.name}' has compiled parts: its code is as it was")
        return loaded

    def _succeed(self, old: Loaded, found: Found) -> Loaded:
        """Let new code take the place of the old, or raise ModuleError with the old in place."""
        if found.kind.name != old.name:
            raise ModuleError(f"the new code calls itself '{found.kind.name}'")
        passed_on = values.succession(self._engine, old.module.types, found.kind.types)
        chunks = self.aux.chunks(old.module)
        options = option_texts(self._config, old.module, found.kind.options)
        say_goodbye = self.hooks.implementation(old.module, "unload")
        old.attachment.release()
        try:
            loaded = self._bring_in(found, old.arguments, options, chunks)
        except BaseException:
            old.attachment.restore()
            raise
        values.put(passed_on)
        if say_goodbye is not None:
            old.attachment.guard("its hook unload", say_goodbye)
        return loaded

    def _move_blocked_clients(self, old: Loaded, loaded: Loaded) -> None:
        """Let clients that wait in a command of the old code wait in the new code's."""
        by_name = {kind.type_name: kind for kind in loaded.module.types}
        for client in self._blocked(old):
            blocked = client.blocked
            spec = self._engine.commands.by_full_name(blocked.spec.name)
            if spec is not None:
                blocked.spec = spec
                if blocked.kind in old.module.types:
                    blocked.kind = by_name.get(blocked.kind.type_name)
            else:
                text = f"UNBLOCKED module '{old.name}' was reloaded without this command"
                self._engine.blocking.unblock_with_error(client, text)

    # --- the server's moments --------------------------------------------------------------------

    def data_loaded(self) -> None:
        """All keys are there; told again whenever they have been loaded anew."""
        self._has_data = True
        self.hooks.call_all("data_loaded")

    def role_changed(self, role: str) -> None:
        """The server has become a "primary" or a "replica"."""
        self.hooks.call_all("role_changed", role=role)

    def shut_down(self) -> None:
        """The server ends: tell the modules, and take them off."""
        self.watchdog.stop()
        self.hooks.call_all("shutdown")
        for loaded in reversed(list(self)):
            loaded.attachment.release()
            loaded.found.forget()

    def save_aux(self, writer: RdbWriter, after_keys: bool) -> None:
        """Write what modules keep beside their values, before or after the keys of a snapshot."""
        self.aux.save(writer, [loaded.module for loaded in self], after_keys)

    def rebuild_aux(self) -> Iterator[Sequence[bytes]]:
        """The commands that rebuild what modules keep beside their values, for a log without a
        snapshot in front. What a hook raises is passed on.
        """
        for loaded in self:
            yield from self.hooks.call(loaded.module, "aof_rewrite") or ()

    def load_aux(self, chunks: Sequence[ModuleAux]) -> None:
        """Give the modules what a data set held of theirs. Raises BadData."""
        self.aux.load(chunks, [loaded.module for loaded in self])

    @contextmanager
    def _watched(self, target: str) -> Iterator[None]:
        """Within, code that holds the server up may be that of a module that is just coming."""
        if not self._loader.is_bundled(target):
            self.watchdog.want()
        self._loading = target
        try:
            yield
        finally:
            self._loading = ""

    # --- telling ---------------------------------------------------------------------------------

    def _undeclared(self, spec: CommandSpec) -> None:
        """A command has changed keys, but has no flag WRITE. Those of Balas itself have the flags
        of their originals, right or wrong: CF.COMPACT is a reader there.
        """
        if spec.owner and not self._loader.is_bundled(spec.owner):
            self.troubles.undeclared(spec)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Within, every failure becomes a ModuleError, and is logged: with the traceback if the
        fault is in the module's code.
        """
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failure = as_module_error(error)
            if failure.__cause__ is None:
                self._log.warning(f"{what}: {failure}")
            else:
                self._log.exception(f"{what}: {failure}", failure.__cause__)
            raise failure from failure.__cause__


def as_module_error(error: BaseException) -> ModuleError:
    """The error with the reason as its text, caused by what is the module's own fault."""
    if isinstance(error, ModuleError):
        return error
    if isinstance(error, ReplyError | REFUSALS):
        # In one line, whatever the module's author wrote.
        text = " ".join(str(error).removeprefix("ERR ").split())
        return ModuleError(text + place_of(getattr(error, "handler", None)))
    failure = ModuleError(reason(error))
    failure.__cause__ = error
    return failure


class KeptOptions:
    """A module's options in the configuration; their values outlive a time without the module."""

    def __init__(self, config: Config, module: Module, given: Mapping[str, str]) -> None:
        self._config = config
        self._module = module
        self._given = given

    def attach(self) -> None:
        """Register the options with the values they are given, or had. Raises ReplyError."""
        self._config.register(self._module.options, self._given, self._module.name)

    def detach(self) -> None:
        """Remove the options."""
        self._given = option_texts(self._config, self._module, self._module.options)
        self._config.unregister(self._module.options)


def option_texts(config: Config, module: Module, wanted: Sequence[Any]) -> dict[str, str]:
    """What a module's options are set to, where that is not the default; only the wanted ones."""
    names = {option.name for option in wanted}
    return {
        option.name: config.text(option.name)
        for option in module.options
        if option.name in names and config.get(option.name) != option.default
    }


def build_module_specs(module: Module) -> list[CommandSpec]:
    """The module's commands, marked as such: their group is "module", whatever they say."""
    found = []
    for source in command_sources(module):
        for declared in declarations(source):
            check_declaration(declared)
            found.append(replace(declared, flags=declared.flags | MODULE, group="module"))
    return build_specs(found, module.name)
