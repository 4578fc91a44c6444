"""How long a query may take: asked at every point where much work is yet to come."""

from __future__ import annotations

import time
from collections.abc import Callable

# Tests put their own clock here.
now_s = time.monotonic


class TimeUp(Exception):
    """A query has taken as long as it may."""


def late_check(timeout_ms: int) -> Callable[[], bool]:
    """A function that tells whether the time is over; 0 ms mean no limit."""
    if not timeout_ms:
        return lambda: False
    end_s = now_s() + timeout_ms / 1000
    return lambda: now_s() > end_s


def raising(late: Callable[[], bool]) -> Callable[[], None]:
    """A function that raises TimeUp once the time is over, as `late` tells it."""

    def check() -> None:
        if late():
            raise TimeUp

    return check


def until(timeout_ms: int) -> Callable[[], None]:
    """A function that raises TimeUp once the time is over; 0 ms mean no limit."""
    return raising(late_check(timeout_ms))
