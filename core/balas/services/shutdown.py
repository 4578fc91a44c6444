"""The end of the server, in order: what goes on is stopped, what is to be saved is saved.

Somebody asks for it (SHUTDOWN, a signal) with the words of `shutdown-on-sigterm`: "save",
"nosave", "now", "force". The steps run in the order in which they were added; one that fails calls
the whole off, unless the end is forced. Then the network is told to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from balas.services.aof.append import AppendOnlyFile
from balas.services.children import Children, WorkFailed
from balas.services.config import Config
from balas.services.log import Log
from balas.services.snapshots import Snapshots


class ShutdownFailed(Exception):
    """The server goes on; the reason has been logged."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the server is to end: whether to save, to hurry, and to end in any case."""

    save: bool
    now: bool
    force: bool


# Does its part; raises ShutdownFailed, after logging why, if the server should rather go on.
Step = Callable[[Plan], None]


class Shutdown:
    """The end of one server.

    Attributes:
        stop: ends the network with an exit code; set by whoever runs it.
        may_save: False while the data are not all there (loading).
    """

    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        self._steps: list[Step] = []
        self.stop: Callable[[int], None] = lambda exit_code: None
        self.may_save: Callable[[], bool] = lambda: True

    def add(self, step: Step) -> None:
        """Have `step(plan)` done before the server ends, after those added so far."""
        self._steps.append(step)

    def run(self, words: frozenset[str]) -> None:
        """Bring the server to its end. Raises ShutdownFailed."""
        self._log.notice("User requested shutdown...")
        plan = self._plan(words)
        for step in self._steps:
            try:
                step(plan)
            except ShutdownFailed:
                if not plan.force:
                    self._log.warning("Errors trying to shut down the server. Check the logs.")
                    raise
        self.stop(0)

    def _plan(self, words: frozenset[str]) -> Plan:
        wanted = "save" in words or (bool(self._config.get("save")) and "nosave" not in words)
        return Plan(wanted and self.may_save(), "now" in words, "force" in words)

    def abort(self) -> bool:
        """Call off a shutdown that waits for something; False if there is none."""
        return False


def first_base(aof: AppendOnlyFile, log: Log) -> Step:
    """The step that refuses to leave a log behind that has no base yet."""

    def check(plan: Plan) -> None:
        if not aof.starting or not aof.rewriting.in_progress:
            return
        if plan.force:
            log.warning("Writing initial AOF. Exit anyway.")
            return
        log.warning("Writing initial AOF, can't exit.")
        raise ShutdownFailed

    return check


def final_snapshot(snapshots: Snapshots, children: Children, log: Log) -> Step:
    """The step that ends the child under way, and saves the data if the plan says so."""

    def save(plan: Plan) -> None:
        child = children.current
        if child is not None:
            what = "saving an .rdb" if child.purpose == "rdb" else "rewriting the AOF"
            log.warning(f"There is a child {what}. Killing it!")
            children.kill()
        if not plan.save:
            return
        log.notice("Saving the final RDB snapshot before exiting.")
        try:
            snapshots.save()
        except WorkFailed:
            log.warning("Error trying to save the DB, can't exit.")
            raise ShutdownFailed from None

    return save
