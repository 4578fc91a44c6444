"""Limits on work that counts no steps: regular expressions, and the memory of a query.

Some regular expressions take a time that doubles with each letter of a text. Python looks for
signals while it matches, so an alarm ends them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from resource import getpagesize
from types import FrameType
from typing import TypeVar

from balas_graph.errors import QueryError

T = TypeVar("T")
# A match in a shorter text ends soon, whatever the expression.
TEXT_SAFE = 16
MATCH_MAX_S = 1.0
STATM = Path("/proc/self/statm")


def in_time(work: Callable[[], T], text: str) -> T:
    """What some work on a text returns; QueryError if it takes more than a second of CPU."""
    if len(text) <= TEXT_SAFE or threading.current_thread() is not threading.main_thread():
        return work()
    before = signal.signal(signal.SIGVTALRM, refuse)
    signal.setitimer(signal.ITIMER_VIRTUAL, MATCH_MAX_S)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def refuse(number: int, frame: FrameType | None) -> None:
    """The alarm."""
    raise QueryError("Query timed out")


def memory_bytes() -> int:
    """How much memory the process has; 0 where the system does not tell."""
    try:
        return int(STATM.read_bytes().split()[1]) * getpagesize()
    except OSError:
        return 0
