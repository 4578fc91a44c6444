"""Cursors: rows of an aggregation that are fetched page by page."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from balas.api import ReplyError
from balas_search.aggregate.rows import Rows

if TYPE_CHECKING:
    from balas_search.aggregate.aggregation import Outcome
    from balas_search.index.index import Index

# As many an index can have at once.
CURSORS_MAX = 128
ID_MAX = 2**31 - 1
NOT_FOUND = "Cursor not found"
DROPPED = "The index was dropped while the cursor was idle"


@dataclass(slots=True)
class RowCursor:
    """What is left of an aggregation. It goes at `until_ms`, by the server's clock."""

    number: int
    index: Index
    outcome: Outcome
    at: int
    rows_each: int
    idle_ms: int
    until_ms: int

    def next_rows(self, count: int) -> Rows:
        """The next rows, without those of documents that are gone."""
        rows = self.outcome.rows
        if rows.keys is None:
            begin, self.at = self.at, min(self.at + count, rows.size)
            return rows.picked(np.arange(begin, self.at))
        documents = self.index.documents
        places: list[int] = []
        while self.at < rows.size and len(places) < count:
            if rows.keys[self.at] in documents:
                places.append(self.at)
            self.at += 1
        return rows.picked(np.array(places, np.int64))


class Cursors:
    """The cursors of one server, by their numbers."""

    def __init__(self) -> None:
        self.by_number: dict[int, RowCursor] = {}
        self._chance = Random()

    def check(self, index: Index, now_ms: int) -> None:
        """Raise ReplyError if an index has as many as it can have."""
        if self.count(index) >= CURSORS_MAX:
            self.collect(now_ms)
            if self.count(index) >= CURSORS_MAX:
                raise ReplyError("Too many cursors allocated for index")

    def open(
        self, index: Index, outcome: Outcome, at: int, rows_each: int, idle_ms: int, now_ms: int
    ) -> int:
        """Keep what is left of an aggregation; the number to ask for it."""
        number = self._chance.randint(1, ID_MAX)
        while number in self.by_number:
            number = self._chance.randint(1, ID_MAX)
        self.by_number[number] = RowCursor(
            number, index, outcome, at, rows_each, idle_ms, now_ms + idle_ms
        )
        return number

    def find(self, number: int, now_ms: int) -> RowCursor:
        """The cursor of that number; raises ReplyError."""
        found = self.by_number.get(number)
        if found is None:
            raise ReplyError(NOT_FOUND)
        if found.until_ms <= now_ms:
            del self.by_number[number]
            raise ReplyError(NOT_FOUND)
        found.until_ms = now_ms + found.idle_ms
        return found

    def close(self, number: int) -> bool:
        """Forget a cursor; False if there is none."""
        return self.by_number.pop(number, None) is not None

    def collect(self, now_ms: int) -> int:
        """Forget those that were idle for too long; how many those were, -1 for none."""
        gone = [number for number, found in self.by_number.items() if found.until_ms <= now_ms]
        for number in gone:
            del self.by_number[number]
        return len(gone) or -1

    def count(self, index: Index) -> int:
        """How many an index has."""
        return sum(found.index is index for found in self.by_number.values())
