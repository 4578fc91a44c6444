"""Frees lists and dicts a little at a time, for a million small objects at once take long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# So many entries go in one step.
STEP = 256


def emptied(entries: dict[Any, Any]) -> Iterator[None]:
    """Take all entries out of a dict."""
    while entries:
        for _ in range(min(STEP, len(entries))):
            entries.popitem()
        yield


def shortened(entries: list[Any]) -> Iterator[None]:
    """Take all entries out of a list, from its end."""
    while entries:
        del entries[-STEP:]
        yield
