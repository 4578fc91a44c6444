"""What goes wrong in modules while they run: logged, counted, and kept for their authors.

A failure is an exception in a command, hook, timer or listener; the watchdog's reports count as
well. A module is "stale" from a reload that was refused to one that succeeds: the server then runs
code that is not the one on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from balas.engine.client import Client
from balas.host.errors import reason
from balas.registry.spec import CommandSpec
from balas.services.log import Log

# Everybody waits while a module's code runs: nobody should have to for longer.
HELD_MAX_NS = 1_000_000_000


@dataclass(slots=True)
class Record:
    """What went wrong in one module."""

    failures: int = 0
    last_error: str = ""
    refused: str = ""
    # Commands that changed keys without saying that they do.
    undeclared: set[str] = field(default_factory=set)

    @property
    def state(self) -> str:
        """ "ready", or "stale" while the code on disk was refused."""
        return "stale" if self.refused else "ready"


class Troubles:
    """The records of one server's modules, by name."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._records: dict[str, Record] = {}

    def of(self, name: str) -> Record:
        """What went wrong in a module; an empty record if nothing did."""
        return self._records.get(name) or Record()

    def failed(self, name: str, what: str, error: BaseException, function: object = None) -> None:
        """The module's `function` has raised: its hook, its timer, its listener."""
        self._log.exception(f"Module '{name}': {what} failed", error)
        self.note(name, f"{what}: {reason(error, function)}")

    def note(self, name: str, text: str) -> None:
        """Count a failure that has been logged."""
        record = self._records.setdefault(name, Record())
        record.failures += 1
        record.last_error = text

    def refused(self, name: str, text: str) -> None:
        """New code was refused, the old one goes on."""
        record = self._records.setdefault(name, Record())
        record.refused = record.last_error = text

    def reloaded(self, name: str) -> None:
        """New code is there."""
        if record := self._records.get(name):
            record.refused = ""
            record.undeclared.clear()

    def forget(self, name: str) -> None:
        """The module is gone."""
        self._records.pop(name, None)

    def undeclared(self, spec: CommandSpec) -> None:
        """A command has changed keys, but has no flag WRITE. It is told once."""
        if spec.name in self.of(spec.owner).undeclared:
            return
        text = f"command '{spec.name}' changes keys, but has no flag WRITE"
        self._log.warning(
            f"Module '{spec.owner}': {text}; ACL, maxmemory and replicas take it for a reader"
        )
        self.note(spec.owner, text)
        self._records[spec.owner].undeclared.add(spec.name)

    # --- the watchdog ----------------------------------------------------------------------------

    def command_ran(
        self, client: Client, spec: CommandSpec, argv: list[bytes], duration_ns: int
    ) -> None:
        """A command has taken long; a listener of `Measured`."""
        if spec.owner:
            self.look_at(spec.owner, f"command '{spec.name}'", duration_ns)

    def look_at(self, name: str, what: str, duration_ns: int) -> None:
        """The module's code has run for so long; too long is told."""
        if duration_ns >= HELD_MAX_NS:
            text = f"{what} held the server for {duration_ns // 1_000_000} ms"
            self._log.warning(f"Module '{name}': {text}; nobody else was served meanwhile")
            self.note(name, text)
