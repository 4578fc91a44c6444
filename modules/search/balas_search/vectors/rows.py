"""The vectors of a field as one matrix, and exact distances to them.

Each vector has a row. The row of a vector that goes is used again by the next one that comes, so
rows are in no order; `docs[row]` is the document of a row, GONE where it is free.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.vectors import products
from balas_search.vectors.attributes import IP, L2, VectorKind

GONE = 0xFFFFFFFF
ROWS_MIN = 64
# Numbers of 16 bits and fewer are widened in such blocks of rows.
BLOCK = 2048
# So many rows are copied together at once.
GATHERED = 256
# So many are put in order at once.
RANKED_MIN = 1024
# Reading a row out of order costs as much as reading so many in order.
GATHER_COST = 2.5
# By which share of the numbers involved a product in BLAS may be wrong.
ERROR_SHARE = 8.0

Rows = NDArray[np.int64]
Distances = NDArray[np.float64]


class VectorRows:
    """All vectors of a field."""

    def __init__(self, kind: VectorKind, capacity: int = 0) -> None:
        self.kind = kind
        self.used = 0
        self.free: list[int] = []
        self.several = False
        self._first_capacity = max(min(capacity, 1 << 20), ROWS_MIN)
        self._make(self._first_capacity)
        # The row of each document, by its id; -1 for none, and the others of several elsewhere.
        self._row_of = np.full(ROWS_MIN, -1, np.int32)
        self._more: dict[int, list[int]] = {}

    def _make(self, capacity: int) -> None:
        self.matrix = np.zeros((capacity, self.kind.dimension), self.kind.stored)
        self.docs = np.full(capacity, GONE, np.uint32)
        self.squares = np.zeros(capacity, np.float32)

    def __len__(self) -> int:
        return self.used - len(self.free)

    def add(self, doc: int, vectors: NDArray[Any]) -> list[int]:
        """Store a document's vectors (rows as the kind has them); returns their rows."""
        rows = [self._take_row() for _ in range(len(vectors))]
        for row, vector in zip(rows, vectors, strict=True):
            self.matrix[row] = vector
            self.docs[row] = doc
            if self.kind.metric == L2:
                wide = self.kind.widened(self.matrix[row : row + 1])[0]
                self.squares[row] = np.dot(wide, wide)
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
            self._resize(self.used + max(self.used // 2, ROWS_MIN))
        self.used += 1
        return self.used - 1

    def _resize(self, capacity: int) -> None:
        matrix, docs, squares, used = self.matrix, self.docs, self.squares, self.used
        self._make(capacity)
        self.matrix[:used], self.docs[:used] = matrix[:used], docs[:used]
        self.squares[:used] = squares[:used]

    def remove(self, doc: int) -> list[int]:
        """Forget a document; returns the rows that it leaves."""
        if doc >= len(self._row_of) or self._row_of[doc] < 0:
            return []
        rows = [int(self._row_of[doc]), *self._more.pop(doc, [])]
        self._row_of[doc] = -1
        for row in rows:
            self.docs[row] = GONE
        self.free += rows
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

    def compact(self) -> None:
        """Put all vectors into rows without gaps, in the order of their documents."""
        taken = np.flatnonzero(self.docs[: self.used] != GONE)
        taken = taken[np.argsort(self.docs[taken], kind="stable")]
        matrix, docs, squares = self.matrix[taken], self.docs[taken], self.squares[taken]
        self._make(max(len(taken), ROWS_MIN))
        self.used = len(taken)
        self.free = []
        self.matrix[: self.used], self.docs[: self.used] = matrix, docs
        self.squares[: self.used] = squares
        self._row_of.fill(-1)
        self._more = {}
        first = np.ones(len(docs), bool)
        first[1:] = docs[1:] != docs[:-1]
        self._row_of[docs[first]] = np.flatnonzero(first)
        for row in np.flatnonzero(~first).tolist():
            self._more.setdefault(int(docs[row]), []).append(row)
        self.several = bool(self._more)

    def rows_of(self, docs: NDArray[np.uint32]) -> Rows:
        """The rows of some documents; those without a vector have none."""
        rows = self._row_of[docs[docs < len(self._row_of)]]
        found = rows[rows >= 0].astype(np.int64)
        if self._more:
            more = [row for doc in docs.tolist() for row in self._more.get(doc, ())]
            found = np.concatenate([found, np.array(more, np.int64)])
        return found

    def mask_of(self, rows: Rows) -> NDArray[np.bool_]:
        """For every row whether it is one of these."""
        chosen = np.zeros(self.used, bool)
        chosen[rows] = True
        return chosen

    # --- distances -------------------------------------------------------------------------------

    def exact(self, query: NDArray[Any], rows: Rows) -> Distances:
        """The distances of some rows, in the precision of the kind."""
        wide = self.kind.widened(self.matrix[rows])
        if self.kind.metric == L2:
            apart = wide - query
            found = (apart * apart).sum(axis=1)
        else:
            found = 1 - (wide * query).sum(axis=1)
        return np.asarray(found, np.float64)

    def rough(self, query: NDArray[Any], rows: Rows | None = None) -> tuple[NDArray[Any], float]:
        """The distances of all rows or some, a little wrong, and by how much at most.

        Of L2 the square of the query is left out of all of them.
        """
        if rows is None:
            found = self._products(self.matrix[: self.used], query)
        elif len(rows) * GATHER_COST > self.used:
            found = self._products(self.matrix[: self.used], query)[rows]
        else:
            found = self._products_of(rows, query)
        squares = self.squares[: self.used] if rows is None else self.squares[rows]
        epsilon = float(np.finfo(np.float32).eps) * ERROR_SHARE * np.sqrt(self.kind.dimension)
        length = float(query.astype(np.float64) @ query)
        if self.kind.metric == L2:
            found = squares - 2 * found
            error = epsilon * (float(squares.max(initial=0)) + length)
        elif self.kind.metric == IP:
            error = epsilon * (1 + float(np.abs(found).max(initial=0)) + length)
            found = 1 - found
        else:
            found, error = 1 - found, epsilon * 2
        if rows is None and self.free:
            found[self.free] = np.inf
        return found, error

    def _products(self, matrix: NDArray[Any], query: NDArray[Any]) -> NDArray[Any]:
        if self.kind.type_name in (b"FLOAT32", b"FLOAT64"):
            # Row by row: BLAS would share a product of the whole among threads, at many times the
            # cost, since the rows are read from memory only once.
            return np.asarray(np.vecdot(matrix, query))
        found = np.empty(len(matrix), np.float32)
        for begin in range(0, len(matrix), BLOCK):
            block = self.kind.widened(matrix[begin : begin + BLOCK])
            np.dot(block, query, out=found[begin : begin + BLOCK])
        return found

    def _products_of(self, rows: Rows, query: NDArray[Any]) -> NDArray[Any]:
        """The products of some rows; narrow ones are copied together, a few at a time."""
        if self.kind.type_name == b"FLOAT32":
            return products.of_floats(self.matrix, rows, query)
        if self.kind.type_name == b"FLOAT64":
            return products.of_doubles(self.matrix, rows, query)
        found = np.empty(len(rows), query.dtype)
        copied = np.empty((min(GATHERED, len(rows)), self.kind.dimension), self.kind.stored)
        for begin in range(0, len(rows), GATHERED):
            wanted = rows[begin : begin + GATHERED]
            block = copied[: len(wanted)]
            np.take(self.matrix, wanted, axis=0, out=block, mode="clip")
            found[begin : begin + GATHERED] = self._products(block, query)
        return found

    def nearest(
        self, query: NDArray[Any], count: int, rows: Rows | None = None
    ) -> tuple[NDArray[np.uint32], Distances]:
        """The `count` nearest documents of all rows or some, nearest first."""
        available = len(self) if rows is None else len(rows)
        count = min(count, available)
        if not count:
            return np.empty(0, np.uint32), np.empty(0)
        if self.several:
            # Of a document the nearest vector counts, so that more must be looked at.
            chosen = self._taken() if rows is None else rows
            return self.sorted(query, chosen, count)
        rough, error = self.rough(query, rows)
        if count < available:
            limit = float(np.partition(rough, count - 1)[count - 1]) + 2 * error
            chosen = np.flatnonzero(~(rough > limit))
        else:
            chosen = np.arange(len(rough))
        if rows is not None:
            chosen = rows[chosen]
        elif self.free:
            chosen = chosen[self.docs[chosen] != GONE]
        return self.sorted(query, chosen, count)

    def _taken(self) -> Rows:
        return np.flatnonzero(self.docs[: self.used] != GONE)

    def sorted(
        self, query: NDArray[Any], rows: Rows, count: int
    ) -> tuple[NDArray[np.uint32], Distances]:
        """The first `count` documents of these rows by their distance, then by their ids."""
        distances = self.exact(query, rows)
        docs = self.docs[rows]
        order = np.lexsort((docs, distances))
        if self.several:
            _, first = np.unique(docs[order], return_index=True)
            order = order[np.sort(first)]
        order = order[:count]
        return docs[order], distances[order]

    def within(self, query: NDArray[Any], radius: float) -> tuple[NDArray[np.uint32], Distances]:
        """The documents no farther away than `radius`, by their ids, and their distances."""
        if not len(self):
            return np.empty(0, np.uint32), np.empty(0)
        rough, error = self.rough(query)
        limit = radius
        if self.kind.metric == L2:
            limit -= float(query.astype(np.float64) @ query)
        rows = np.flatnonzero(rough <= limit + 2 * error)
        return self.within_of(query, radius, rows[self.docs[rows] != GONE])

    def within_of(
        self, query: NDArray[Any], radius: float, rows: Rows
    ) -> tuple[NDArray[np.uint32], Distances]:
        """The same, of some rows."""
        docs, distances = self.sorted(query, rows, len(rows))
        near = distances <= radius
        order = np.argsort(docs[near], kind="stable")
        return docs[near][order], distances[near][order]

    def memory(self) -> int:
        """Bytes it takes."""
        return (
            self.matrix.nbytes
            + self.docs.nbytes
            + self.squares.nbytes
            + self._row_of.nbytes
            + 8 * len(self.free)
        )


class Ranked:
    """Rows by their rough distances, put in order only as far as somebody has asked."""

    def __init__(self, distances: NDArray[Any], error: float) -> None:
        self.distances, self.error = distances, error
        self._order = np.empty(0, np.int64)

    def first(self, count: int) -> Rows:
        """The `count` nearest rows, nearest first; all of them if there are fewer."""
        total = len(self.distances)
        if len(self._order) < min(count, total):
            size = min(total, max(4 * count, RANKED_MIN))
            part = np.arange(total)
            if size < total:
                part = np.argpartition(self.distances, size - 1)[:size]
            self._order = part[np.argsort(self.distances[part], kind="stable")]
        return self._order[:count]
