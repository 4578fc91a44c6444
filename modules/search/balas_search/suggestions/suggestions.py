"""The value "trietype0": strings with scores, found by how they begin.

Differs from Redis: the strings stand in a sorted list rather than in a trie; what is found and how
it is scored is the same.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from balas.api import Digest, LoadStream, NotUnderstood, SaveStream, Value
from balas_search.fields.tag import folded

# The score of what is exactly the string asked for.
EXACT = 2147483648.0
ENTRY_BYTES = 200


@dataclass(slots=True)
class Suggestion:
    """A string's score, and what was given along with it."""

    score: float
    payload: bytes | None = None


class Suggestions(Value):
    """Strings with scores."""

    type_name = "trietype0"
    rdb_version = 1

    def __init__(self) -> None:
        self.entries: dict[bytes, Suggestion] = {}
        self._order: list[tuple[bytes, bytes]] | None = None
        self._size = 0

    def add(self, text: bytes, score: float, increment: bool, payload: bytes | None) -> None:
        """Add a string, or set or raise its score."""
        known = self.entries.get(text)
        if known is None:
            self.entries[text] = Suggestion(single(score), payload)
            self._order = None
            self._size += len(text) + len(payload or b"")
            return
        known.score = single(known.score + score if increment else score)
        if payload is not None:
            self._size += len(payload) - len(known.payload or b"")
            known.payload = payload

    def remove(self, text: bytes) -> bool:
        """Remove a string; False if it is not there."""
        known = self.entries.pop(text, None)
        if known is None:
            return False
        self._order = None
        self._size -= len(text) + len(known.payload or b"")
        return True

    def find(self, prefix: bytes, fuzzy: bool, at_most: int) -> list[tuple[bytes, float]]:
        """The best strings that begin with `prefix`, or nearly so, with their scores."""
        wanted = folded(prefix)
        found = [
            (text, self._score(text, wanted, distance, fuzzy))
            for text, distance in (self._nearly(wanted) if fuzzy else self._exactly(wanted))
        ]
        found.sort(key=lambda pair: -pair[1])
        return found[:at_most]

    def _exactly(self, wanted: bytes) -> list[tuple[bytes, int]]:
        order = self.in_order()
        at = bisect_left(order, (wanted, b""))
        found = []
        while at < len(order) and order[at][0].startswith(wanted):
            found.append((order[at][1], 0))
            at += 1
        return found

    def _nearly(self, wanted: bytes) -> list[tuple[bytes, int]]:
        """Strings of which a beginning is at most one edit away."""
        text = wanted.decode("utf-8", "replace")
        found = []
        for folded_text, own in self.in_order():
            distance = prefix_distance(folded_text.decode("utf-8", "replace"), text)
            if distance <= 1:
                found.append((own, distance))
        return found

    def _score(self, text: bytes, wanted: bytes, distance: int, fuzzy: bool) -> float:
        own, asked = (value.decode("utf-8", "replace") for value in (text, wanted))
        score = self.entries[text].score
        # The original compares as many bytes as there are characters, of two bytes each.
        size = len(asked)
        same = own.encode("utf-16-le")[:size] == asked.encode("utf-16-le")[:size]
        if size and len(own) == size and same:
            score = EXACT
        if fuzzy:
            score = single(score * math.exp(-2.0 * distance))
        return single(score / math.sqrt(1 + abs(len(own) - size)))

    def in_order(self) -> list[tuple[bytes, bytes]]:
        """All strings, with their folded forms, in the order of these."""
        if self._order is None:
            self._order = sorted(
                ((folded(text), text) for text in self.entries),
                key=lambda pair: (pair[0], [-byte for byte in pair[1]]),
            )
        return self._order

    # --- the contract of values ------------------------------------------------------------------

    def rdb_save(self, out: SaveStream) -> None:
        """Save all strings."""
        out.save_unsigned(len(self.entries))
        for text, entry in self.entries.items():
            out.save_string(text + b"\0")
            out.save_double(entry.score)
            out.save_string((entry.payload or b"") + b"\0")

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Load what `rdb_save` saved."""
        if version > cls.rdb_version:
            raise NotUnderstood(f"suggestions of a version not known: {version}")
        made = cls()
        for _ in range(source.load_unsigned()):
            text = source.load_string().removesuffix(b"\0")
            score = source.load_double()
            payload = source.load_string().removesuffix(b"\0") if version else b""
            made.add(text, score, False, payload or None)
        return made

    def aof_rewrite(self, key: bytes) -> Iterable[Sequence[bytes]]:
        """One FT.SUGADD for each string."""
        for text, entry in self.entries.items():
            argv = [b"FT.SUGADD", key, text, repr(entry.score).encode()]
            if entry.payload is not None:
                argv += [b"PAYLOAD", entry.payload]
            yield argv

    def copy(self) -> Self:
        """The same strings."""
        made = type(self)()
        for text, entry in self.entries.items():
            made.add(text, entry.score, False, entry.payload)
        return made

    def digest(self, digest: Digest) -> None:
        """All strings in order."""
        for _, text in self.in_order():
            entry = self.entries[text]
            for part in (text, repr(entry.score).encode(), entry.payload or b""):
                digest.add(part)

    def memory_usage(self) -> int:
        """Bytes it takes."""
        return 100 + len(self.entries) * ENTRY_BYTES + self._size

    def free_effort(self) -> int:
        """One for each string."""
        return max(len(self.entries), 1)

    def free_step(self, effort: int) -> bool:
        """Give up so many strings; True while there are more."""
        if self._order:
            del self._order[-effort:]
            return True
        for _ in range(min(effort, len(self.entries))):
            self.entries.popitem()
        return bool(self.entries)


def single(value: float) -> float:
    """The value rounded to 32 bits, as scores are kept."""
    return float(np.float32(value))


def prefix_distance(text: str, wanted: str) -> int:
    """The fewest edits that make `wanted` a beginning of `text`, or 2 if there are more."""
    row = list(range(len(wanted) + 1))
    best = row[-1]
    for place, letter in enumerate(text[: len(wanted) + 1], 1):
        previous, row[0] = row[0], place
        for at, other in enumerate(wanted, 1):
            previous, row[at] = (
                row[at],
                min(previous + (letter != other), row[at] + 1, row[at - 1] + 1),
            )
        best = min(best, row[-1])
    return min(best, 2)
