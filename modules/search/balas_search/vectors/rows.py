"""The vectors of a field as one matrix, and exact distances to them.

Each vector has a row. The row of a vector that goes is used again by the next one that comes, so
rows are in no order; `docs[row]` is the document of a row, GONE where it is free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.index.tables import GONE
from balas_search.vectors import distances
from balas_search.vectors.attributes import L2, VectorKind

ROWS_MIN = 64
# Numbers of 16 bits and fewer are widened in such blocks of rows.
BLOCK = 512
# So many others are looked at before the time is.
NUMBERS = 1 << 21
# So many are put in order at once.
RANKED_MIN = 1024
# A matrix that is full grows by this share.
GROWTH_SHARE = 32
# The types that can be compared with as they are stored.
DIRECT = (b"FLOAT32", b"FLOAT64")

Rows = NDArray[np.int32]
Distances = NDArray[np.float64]


def no_limit() -> None:
    """Look at no time."""


class VectorRows:
    """All vectors of a field."""

    def __init__(self, kind: VectorKind, capacity: int = 0) -> None:
        self.kind = kind
        self.direct = kind.type_name in DIRECT
        # Distances are squares, or 1 less the product.
        self.squares = kind.metric == L2
        self.used = 0
        self.free: list[int] = []
        self.several = False
        # Raises an error once the query that looks at rows has taken as long as it may.
        self.check_time: Callable[[], None] = no_limit
        self._first_capacity = max(min(capacity, 1 << 20), ROWS_MIN)
        self._make(self._first_capacity)
        # The row of each document, by its id; -1 for none, and the others of several elsewhere.
        self._row_of = np.full(ROWS_MIN, -1, np.int32)
        self._more: dict[int, list[int]] = {}

    def _make(self, capacity: int) -> None:
        self.matrix = np.empty((capacity, self.kind.dimension), self.kind.stored)
        self.docs = np.full(capacity, GONE, np.uint32)

    def __len__(self) -> int:
        return self.used - len(self.free)

    def add(self, doc: int, vectors: NDArray[Any]) -> list[int]:
        """Store a document's vectors (rows as the kind has them); returns their rows."""
        rows = []
        for vector in vectors:
            row = self._take_row()
            self.matrix[row] = vector
            self.docs[row] = doc
            rows.append(row)
        self._note(doc, rows)
        return rows

    def _note(self, doc: int, rows: list[int]) -> None:
        if doc >= len(self._row_of):
            larger = np.full(max(doc + 1, 2 * len(self._row_of)), -1, np.int32)
            larger[: len(self._row_of)] = self._row_of
            self._row_of = larger
        self._row_of[doc] = rows[0]
        if len(rows) > 1:
            self._more[doc] = rows[1:]
            self.several = True

    def _take_row(self) -> int:
        if self.free:
            return self.free.pop()
        if self.used == len(self.docs):
            self._resize(self.used + max(self.used // GROWTH_SHARE, ROWS_MIN))
        self.used += 1
        return self.used - 1

    def _resize(self, capacity: int) -> None:
        # In place, where the system can move pages: a copy of all would take long.
        self.matrix.resize((capacity, self.kind.dimension), refcheck=False)
        used, docs = self.used, np.full(capacity, GONE, np.uint32)
        docs[:used] = self.docs[:used]
        self.docs = docs

    def remove(self, doc: int) -> list[int]:
        """Forget a document; returns the rows that it leaves."""
        if doc >= len(self._row_of) or self._row_of[doc] < 0:
            return []
        rows = [int(self._row_of[doc]), *self._more.pop(doc, [])]
        self._row_of[doc] = -1
        for row in rows:
            self.docs[row] = GONE
        # The first is taken first again.
        self.free += rows[::-1]
        return rows

    def renumber(self, new_ids: NDArray[np.uint32]) -> None:
        """Move every document i to new_ids[i]."""
        known = np.flatnonzero(self._row_of[: len(new_ids)] >= 0)
        rows, moved = self._row_of[known], new_ids[known]
        self._row_of = np.full(int(moved.max(initial=0)) + ROWS_MIN, -1, np.int32)
        self._row_of[moved] = rows
        self._more = {int(new_ids[doc]): more for doc, more in self._more.items()}
        taken = np.flatnonzero(self.docs[: self.used] != GONE)
        self.docs[taken] = new_ids[self.docs[taken]]

    def compact(self) -> Rows:
        """Move the last vectors into the rows that are free, and give back what is behind them.

        Returns the new row of each vector, by the old one; -1 for rows that were free.
        """
        taken = self._taken()
        count = len(taken)
        free = np.flatnonzero(self.docs[:count] == GONE).astype(np.int32)
        last = taken[count - len(free) :]
        for begin in range(0, len(last), BLOCK):
            end = begin + BLOCK
            self.matrix[free[begin:end]] = self.matrix[last[begin:end]]
        self.docs[free] = self.docs[last]
        new_rows = np.full(self.used, -1, np.int32)
        new_rows[taken] = taken
        new_rows[last] = free
        known = np.flatnonzero(self._row_of >= 0)
        self._row_of[known] = new_rows[self._row_of[known]]
        self._more = {doc: new_rows[rows].tolist() for doc, rows in self._more.items()}
        self.several = bool(self._more)
        self.used, self.free = count, []
        self.docs[count:] = GONE
        self._resize(max(count, ROWS_MIN))
        return new_rows

    def rows_of(self, docs: NDArray[np.uint32]) -> Rows:
        """The rows of some documents; those without a vector have none."""
        rows = self._row_of[docs[docs < len(self._row_of)]]
        found = rows[rows >= 0]
        if self._more:
            more = [row for doc in docs.tolist() for row in self._more.get(doc, ())]
            found = np.concatenate([found, np.array(more, np.int32)])
        return found

    def mask_of(self, rows: Rows) -> NDArray[np.bool_]:
        """For every row whether it is one of these."""
        chosen = np.zeros(self.used, bool)
        chosen[rows] = True
        return chosen

    # --- distances -------------------------------------------------------------------------------

    def measured(self, query: NDArray[Any], rows: Rows | None = None) -> NDArray[Any]:
        """The distances of all rows or some, in the precision of the kind."""
        total = self.used if rows is None else len(rows)
        found = np.empty(total, self.kind.exact)
        some = self._rows_at_once() if self.direct else BLOCK
        for begin in range(0, total, some):
            if begin:
                self.check_time()
            end = min(begin + some, total)
            if self.direct and rows is not None:
                part = distances.measured(self.matrix, rows[begin:end], query, self.squares)
            else:
                block = self.matrix[begin:end] if rows is None else self.matrix[rows[begin:end]]
                part = distances.measured(self.kind.widened(block), None, query, self.squares)
            found[begin:end] = part
        return found

    def _rows_at_once(self) -> int:
        """How many rows are looked at before the time is, which takes less than a millisecond."""
        return max(NUMBERS // self.kind.dimension, 1)

    def nearest(
        self, query: NDArray[Any], count: int, among: NDArray[np.uint32] | None = None
    ) -> tuple[NDArray[np.uint32], Distances]:
        """The `count` nearest of all documents or some, nearest first."""
        if self.direct and not self.several:
            if among is None:
                return distances.nearest(
                    self.matrix,
                    self.docs,
                    self.used,
                    query,
                    count,
                    self.squares,
                    GONE,
                    self.check_time,
                    self._rows_at_once(),
                )
            return distances.nearest_among(
                self.matrix,
                self.docs,
                self._row_of,
                among,
                query,
                count,
                self.squares,
                GONE,
                self.check_time,
                self._rows_at_once(),
            )
        rows = self._taken() if among is None else self.rows_of(among)
        return self.sorted(query, rows, count)

    def _taken(self) -> Rows:
        return np.flatnonzero(self.docs[: self.used] != GONE).astype(np.int32)

    def sorted(
        self, query: NDArray[Any], rows: Rows, count: int
    ) -> tuple[NDArray[np.uint32], Distances]:
        """The first `count` documents of these rows by their distance, then by their ids."""
        apart = self.measured(query, rows).astype(np.float64)
        if not self.several and count < len(rows):
            limit = np.partition(apart, count)[count]
            near = np.flatnonzero(~(apart > limit))
            rows, apart = rows[near], apart[near]
        docs = self.docs[rows]
        order = np.lexsort((docs, apart))
        if self.several:
            _, first = np.unique(docs[order], return_index=True)
            order = order[np.sort(first)]
        order = order[:count]
        return docs[order], apart[order]

    def within(self, query: NDArray[Any], radius: float) -> tuple[NDArray[np.uint32], Distances]:
        """The documents no farther away than `radius`, by their ids, and their distances."""
        return self.within_of(query, radius, self._taken())

    def within_of(
        self, query: NDArray[Any], radius: float, rows: Rows
    ) -> tuple[NDArray[np.uint32], Distances]:
        """The same, of some rows."""
        apart = self.measured(query, rows)
        near = np.flatnonzero(apart <= radius)
        docs, apart = self.docs[rows[near]], apart[near]
        order = np.lexsort((apart, docs))
        if self.several:
            _, first = np.unique(docs[order], return_index=True)
            order = order[first]
        return docs[order], apart[order].astype(np.float64)

    def memory(self) -> int:
        """Bytes it takes."""
        return self.matrix.nbytes + self.docs.nbytes + self._row_of.nbytes + 8 * len(self.free)


class Ranked:
    """Rows by their distances, put in order only as far as somebody has asked."""

    def __init__(self, distances: NDArray[Any], docs: NDArray[np.uint32]) -> None:
        self.distances = np.where(docs == GONE, np.inf, distances)
        self._order = np.empty(0, np.int32)

    def first(self, count: int) -> Rows:
        """The `count` nearest rows, nearest first; all of them if there are fewer."""
        total = len(self.distances)
        if len(self._order) < min(count, total):
            size = min(total, max(4 * count, RANKED_MIN))
            part = np.arange(total, dtype=np.int32)
            if size < total:
                part = np.argpartition(self.distances, size - 1)[:size].astype(np.int32)
            self._order = part[np.argsort(self.distances[part], kind="stable")]
        return self._order[:count]
