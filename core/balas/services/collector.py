"""Python's garbage collector, kept from stopping the server for long.

Whatever Python's reference counts do not free is cyclic garbage, and the collector finds it by
visiting every container there is: a second and more for ten million of them, while all clients
wait. Here it visits an object a few times while it is young; what survives a full collection is
frozen, that is, never visited again. So a full collection only ever sees what was made since the
last one, some ten thousand objects, however much data there is.

The price: a cycle that has become old and is garbage only then stays until `collect_all`, which
MEMORY PURGE runs. Long-lived parts therefore let go of each other when they end (a test closes
connections, drops keys and unloads modules, and looks for cycles that are left).

The collector belongs to the process, not to a server: a server inside another program leaves it
alone.
"""

import gc
from typing import Any

# New containers, less those freed, before the young are looked at; young collections before the
# middle-aged are; and collections of those before a full one. A full collection sees 7,000 objects
# at the most, which takes about a millisecond.
THRESHOLDS = (700, 4, 1)


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


def _freeze_survivors(phase: str, info: dict[str, Any]) -> None:
    if phase == "stop" and info["generation"] == 2:
        gc.freeze()
