"""The composition root: the one file that names all parts of a server and puts them together.

A `Server` is everything but sockets. `balas.network` opens those, `balas.testing` drives a server
without any.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import balas.types
from balas.engine.clock import Clock
from balas.engine.dispatch import Engine
from balas.host.errors import reason
from balas.host.host import ModuleHost
from balas.host.report import info_modules, info_sections
from balas.host.start import load_modules
from balas.registry import CommandSpec, build_specs, declarations, package_modules
from balas.services.acl.users import Acl
from balas.services.aof.append import AppendOnlyFile
from balas.services.children import Children
from balas.services.client_eviction import ClientEviction
from balas.services.clients import Clients
from balas.services.config.store import Config
from balas.services.cycles import Cycles
from balas.services.disk import DiskTrouble
from balas.services.identity import Identity
from balas.services.info import Info
from balas.services.info_data import DataInfo
from balas.services.info_server import ServerInfo
from balas.services.latency import Latency
from balas.services.loading import Loading
from balas.services.log import Log
from balas.services.measured import Measured
from balas.services.memory import Memory
from balas.services.memory_watch import MemoryWatch
from balas.services.monitor import Monitor
from balas.services.notifications import Notifications
from balas.services.persistence import Persistence
from balas.services.pubsub import PubSub
from balas.services.rdb.module_values import CannotSave
from balas.services.replication.failover import Failover
from balas.services.replication.following import Following
from balas.services.replication.replicas import Replicas
from balas.services.scripting.functions import Functions
from balas.services.scripting.scripts import Scripting
from balas.services.shutdown import Shutdown, final_snapshot, first_base
from balas.services.slowlog import SlowLog
from balas.services.snapshots import Snapshots
from balas.services.targets import Targets
from balas.services.tracking import Tracking
from balas.types.limits import OPTIONS
from balas.types.registry import TypeRegistry, types_of


class Server:
    """One server: configuration, log, engine and services. Two of them in one process never meet.

    Args:
        config: read already.
        log: where it says what happens.
        clock: for tests, a `FakeClock`.
        seed: of all chance; drawn from the system if None.
        bundled: load the bundled modules (`--bare` does not).
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        *,
        clock: Clock | None = None,
        seed: int | None = None,
        bundled: bool = True,
    ) -> None:
        self.config = config
        self.log = log
        self.bundled = bundled
        if seed is None:
            seed = int.from_bytes(os.urandom(8), "little")
        self.engine = Engine(config.get("databases"), clock, seed)
        self.types = TypeRegistry()
        for kind in types_of(balas.types):
            self.types.register(kind)
            if kind.dormant_forms:
                self.engine.account.keep_dormant(kind)
        self._keep_limits()
        self.provide(self, config, log, self.types)
        self._add_observation()
        self._add_connections()
        self._add_persistence()
        self._add_modules()
        self._register_commands()
        self.engine.on_exception = self._command_failed
        self.engine.timers.on_error = lambda error: self.log.exception("A timer failed", error)

    def _keep_limits(self) -> None:
        """Have the compact encodings follow their options."""

        def follow(config: Config) -> None:
            for name, option in OPTIONS.items():
                setattr(self.engine.limits, name, config.get(option))

        self.config.on_change(OPTIONS.values(), follow)
        follow(self.config)

    def _add_observation(self) -> None:
        engine, config, log = self.engine, self.config, self.log
        measured = Measured(engine)
        latency = Latency(engine, config, measured)
        cycles, memory = Cycles(engine, config, latency), Memory(engine, config, log, latency)
        self.provide(measured, latency, SlowLog(engine, config, measured))
        self.provide(Monitor(engine, measured), Identity(engine.rng), cycles, memory)
        self.info = Info()
        self.provide(self.info)
        ServerInfo(engine, config, self.info)
        DataInfo(engine, config, log, self.info)

    def _add_connections(self) -> None:
        engine, config = self.engine, self.config
        clients = Clients(engine, config, self.log)
        acl = Acl(engine, config, self.log, clients)
        pubsub = PubSub(engine)
        self.provide(Tracking(engine, config, clients))
        self.provide(ClientEviction(engine, config, self.log, clients))
        scripting = Scripting(engine, config, self.log, acl)
        self.functions = Functions(scripting)
        self.provide(scripting, self.functions)
        self.provide(acl, clients, pubsub, Notifications(engine, config, pubsub))

    def _add_persistence(self) -> None:
        engine, config, log = self.engine, self.config, self.log
        children = Children(engine, log)
        disk = DiskTrouble(engine)
        self.snapshots = Snapshots(engine, config, log, children, disk)
        self.aof = AppendOnlyFile(engine, config, log, children, self.snapshots, disk)
        self.loading = Loading(engine, config, log, self.types, self.snapshots, self.aof)
        self.persistence = Persistence(
            engine, config, log, children, self.snapshots, self.aof, self.loading
        )
        self.snapshots.libraries.append(self.functions.save)
        self.loading.take_functions = self.functions.take
        self.aof.rewriting.extras.append(self.functions.rebuild)
        identity = engine.services[Identity]
        replicas = Replicas(engine, config, log, children, self.snapshots, identity)
        self.provide(children, disk, self.snapshots, self.aof, self.loading, self.persistence)
        self.provide(replicas, Targets(engine))
        self.following = Following(engine, config, log, replicas)
        self.provide(self.following)
        self.loading.take_place = self.following.resume
        failover = Failover(engine, log, replicas, self.following)
        self.provide(failover)
        self.memory_watch = MemoryWatch(engine, config, log, self.info)
        self.provide(self.memory_watch)
        self.info.add("replication", lambda: self.following.info(failover.state))
        self.info.add("persistence", self.persistence.info)
        self.shutdown = Shutdown(config, log)
        self.shutdown.may_save = lambda: not self.loading.active
        self.shutdown.add(first_base(self.aof, log))
        self.shutdown.add(final_snapshot(self.snapshots, children, log))
        self.provide(self.shutdown)

    def _add_modules(self) -> None:
        self.modules = ModuleHost(self.engine, self.config, self.log, self.types)
        self.snapshots.extras.append(self.modules.save_aux)
        self.aof.rewriting.extras.append(self.modules.rebuild_aux)
        self.loading.take_module_aux = self.modules.load_aux
        self.loading.on_loaded.append(self.modules.data_loaded)
        self.modules.on_unload = self._rewrite_log
        self.following.on_role = self.modules.role_changed
        self.provide(self.modules)
        self.info.add("modules", lambda: info_modules(self.modules))
        self.info.of_modules = lambda: info_sections(self.modules)

    def _rewrite_log(self) -> None:
        """Have the log written anew: it holds commands that nobody knows any more."""
        if self.aof.enabled:
            self.aof.rewriting.schedule()

    def _command_failed(self, spec: CommandSpec, error: BaseException) -> None:
        owner = f" of module '{spec.owner}'" if spec.owner else ""
        self.log.exception(f"Command '{spec.name}'{owner} failed", error)
        if spec.owner:
            text = f"command '{spec.name}': {reason(error, spec.handler)}"
            self.modules.troubles.note(spec.owner, text)
        elif isinstance(error, CannotSave) and error.__cause__ is not None:
            text = f"type '{error.type_name}', rdb_save: {reason(error.__cause__)}"
            self.modules.troubles.note(self.types.owner(error.type_name), text)

    def provide(self, *services: object) -> None:
        """Let commands find these by their class: `ctx.service(Config)`."""
        for service in services:
            self.engine.services[type(service)] = service

    def _register_commands(self) -> None:
        found = [
            declaration
            for module in package_modules("balas.commands")
            for declaration in declarations(module)
        ]
        self.engine.commands.register(build_specs(found))

    def start_steps(self) -> Iterator[None]:
        """Load modules and data, in steps between which clients may be served. Raises StartRefused.

        FatalConfigError, too, if a module cannot be loaded or nobody knows an option.
        """
        self.memory_watch.announce()
        load_modules(self.modules, self.config, self.log, bare=not self.bundled)
        self.engine.services[Acl].load_at_start()
        self.persistence.prepare()
        yield from self.loading.steps()

    def start(self) -> None:
        """The same, without a pause."""
        for _ in self.start_steps():
            pass

    def stop(self) -> None:
        """Let go of everything; nothing is saved here (see SHUTDOWN)."""
        self.modules.shut_down()
        self.engine.services[Targets].close()
        children = self.engine.services[Children]
        children.kill()
        self.aof.close()
