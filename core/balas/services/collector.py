"""Python's garbage collector, kept from stopping the server for long.

Whatever Python's reference counts do not free is cyclic garbage, and the collector finds it by
visiting every container there is: a second and more for ten million of them, while all clients
wait. Here it visits an object a few times while it is young; what survives a full collection is
frozen, that is, never visited again. So a full collection only ever sees what was made since the
last one, some ten thousand objects, however much data there is.

The price: a cycle that has become old and is garbage only then stays until everything is looked
at again. Long-lived parts therefore let go of each other when they end (a test closes connections,
drops keys and unloads modules, and looks for cycles that are left); but modules of others may not.
Python cannot look at everything in slices, so that is done while nobody asks for anything
(`IdleCollection`), unless it would take so long that somebody who comes just then notices. Where
it never is that quiet, or there are too many objects, only MEMORY PURGE does it.

The collector belongs to the process, not to a server: a server inside another program leaves it
alone.
"""

from __future__ import annotations

import gc
import time
from typing import Any

from balas.engine.dispatch import Engine
from balas.services.log import Log

# New containers, less those freed, before the young are looked at; young collections before the
# middle-aged are; and collections of those before a full one. A full collection sees 4,000 objects
# at the most, which takes about a millisecond, and two where their memory is far away.
THRESHOLDS = (400, 4, 1)

LOOK_EVERY_MS = 1000
# Everything is looked at once in so long, if it was quiet between two looks.
COLLECT_EVERY_MS = 60_000
# Who comes in the midst of it waits for so long at the most, if it goes as expected.
PAUSE_MAX_NS = 50_000_000
# What an object costs, as long as that was not measured: to be looked at, and to be counted.
OBJECT_NS = 500
COUNT_NS = 100


def engage() -> None:
    """Take charge of this process's collector. What lives already is frozen."""
    if is_engaged():
        return
    gc.callbacks.append(_freeze_survivors)
    gc.set_threshold(*THRESHOLDS)
    # Without a collection first: it would cost a start-up more than the little garbage there is.
    gc.freeze()


def is_engaged() -> bool:
    """Whether `engage` was called in this process."""
    return _freeze_survivors in gc.callbacks


def collect_all() -> int:
    """Visit all objects, the frozen ones, too. Returns how many were garbage.

    Everybody waits meanwhile. Does nothing where the collector is not in our charge.
    """
    if not is_engaged():
        return 0
    gc.unfreeze()
    return gc.collect()


def freeze_for_fork() -> None:
    """Have the collector visit nothing that lives now, so that neither process copies its pages."""
    if is_engaged():
        # Young garbage goes first: it would be frozen with the rest.
        gc.collect()
    gc.freeze()


def thaw_after_fork() -> None:
    """End `freeze_for_fork`, in the parent; what a server froze for good stays frozen."""
    if not is_engaged():
        gc.unfreeze()


class Heap:
    """All objects that Python's collector knows."""

    def full_collections(self) -> int:
        """So many have survivors frozen so far."""
        return int(gc.get_stats()[2]["collections"])

    def frozen(self) -> int:
        """How many objects are not looked at any more. Counting takes a while."""
        return gc.get_freeze_count()

    def collect(self) -> int:
        """Look at all of them; how many were garbage."""
        return collect_all()


class IdleCollection:
    """Looks for old garbage while nobody asks for anything."""

    def __init__(self, engine: Engine, log: Log, heap: Heap | None = None) -> None:
        self._engine = engine
        self._log = log
        self._heap = heap or Heap()
        self._commands = -1
        self._next_ms = engine.clock.now_ms + COLLECT_EVERY_MS
        self._full_collections = self._heap.full_collections()
        # At most so many objects are frozen; not known before they were counted once.
        self._frozen_most: int | None = None
        self._object_ns = float(OBJECT_NS)
        engine.timers.every(LOOK_EVERY_MS, self._look)

    def _look(self) -> None:
        commands, self._commands = self._commands, self._engine.stats.commands
        if commands == self._commands and self._engine.clock.now_ms >= self._next_ms:
            self._collect()

    def _collect(self) -> None:
        """Look at everything, if something was frozen since the last time and it is quick."""
        new = self._heap.full_collections() - self._full_collections
        if not new or not self._is_quick(new):
            return
        began_ns = time.perf_counter_ns()
        garbage = self._heap.collect()
        spent_ns = time.perf_counter_ns() - began_ns
        self._frozen_most = max(self._heap.frozen(), 1)
        self._object_ns = max(spent_ns / self._frozen_most, 1.0)
        self._full_collections = self._heap.full_collections()
        self._next_ms = self._engine.clock.now_ms + COLLECT_EVERY_MS
        self._log.debug(f"Looked for old garbage in {spent_ns / 1e6:.1f} ms: {garbage} objects")

    def _is_quick(self, new: int) -> bool:
        """Whether nobody would mind, after so many more full collections."""
        if self._frozen_most is not None:
            # A full collection freezes what came since the one before.
            most = self._frozen_most + new * THRESHOLDS[0] * (THRESHOLDS[1] + 1) * 2
            if most * self._object_ns <= PAUSE_MAX_NS:
                return True
            if most * COUNT_NS > PAUSE_MAX_NS:
                return False
        self._frozen_most = self._heap.frozen()
        self._full_collections = self._heap.full_collections() - 1
        self._next_ms = self._engine.clock.now_ms + COLLECT_EVERY_MS
        return self._frozen_most * self._object_ns <= PAUSE_MAX_NS


def _freeze_survivors(phase: str, info: dict[str, Any]) -> None:
    if phase == "stop" and info["generation"] == 2:
        gc.freeze()
