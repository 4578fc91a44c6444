"""An index of vectors: the nearest ones to a vector.

A few vectors are compared one by one, which is exact. Of many, a graph of neighbours (HNSW, of
hnswlib) leads to the nearest; it takes in what has changed when it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing

from balas_graph.storage._index import Index
from balas_graph.storage.entities import Vector

Numbers = np.typing.NDArray[np.float32]
# Up to so many vectors are compared one by one.
COMPARED_MAX = 2000
# The row of an id in a dict, and the vector in the graph beside its numbers.
ROW_BYTES = 100


@dataclass(frozen=True)
class Space:
    """What vectors are, how near they are to each other, and how the graph is made."""

    dimension: int
    similarity: str = "euclidean"
    m: int = 16
    ef_construction: int = 200
    ef_runtime: int = 10


class VectorIndex(Index):
    """Vectors in rows of a matrix, and a graph of them."""

    kind = "VECTOR"

    def __init__(self, edges: bool, label: int, key: int, space: Space) -> None:
        super().__init__(edges, label, key)
        self.space = space
        self.matrix: Numbers = np.zeros((0, space.dimension), np.float32)
        self.owners = np.zeros(0, np.int32)
        self.rows: dict[int, int] = {}
        self.graph: Any = None
        # Ids whose vectors the graph does not know yet, or should forget.
        self.pending: set[int] = set()
        self.known: set[int] = set()

    @property
    def count(self) -> int:
        """How many entities have a vector."""
        return len(self.rows)

    def add(self, id: int, value: object) -> int:
        """Take in the vector of an entity that had none; others than of this dimension are not."""
        if not isinstance(value, Vector) or len(value.numbers) != self.space.dimension:
            return 0
        row = len(self.rows)
        if row == len(self.matrix):
            more = max(16, row // 2)
            self.matrix = np.concatenate(
                (self.matrix, np.zeros((more, self.space.dimension), np.float32))
            )
            self.owners = np.concatenate((self.owners, np.zeros(more, np.int32)))
        self.matrix[row] = value.numbers
        self.owners[row] = id
        self.rows[id] = row
        self.pending.add(id)
        return 0

    def discard(self, id: int, value: object) -> int:
        """Forget the vector of an entity: the last row takes its place."""
        row = self.rows.pop(id, None)
        if row is None:
            return 0
        last = len(self.rows)
        if row != last:
            self.matrix[row], self.owners[row] = self.matrix[last], self.owners[last]
            self.rows[int(self.owners[row])] = row
        self.pending.add(id)
        return 0

    def distances(self, wanted: Numbers, rows: np.typing.NDArray[np.int64]) -> Numbers:
        """How far some rows are from a vector: the length between, or 1 less the cosine."""
        found = self.matrix[rows]
        if self.space.similarity == "euclidean":
            apart = found - wanted
            return np.asarray(np.sqrt(np.einsum("ij,ij->i", apart, apart)), np.float32)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(1 - found @ wanted / lengths, np.float32)

    def nearest(self, wanted: Vector, count: int) -> list[tuple[int, float]]:
        """The ids of the nearest vectors, the nearest first, and how far they are."""
        query = np.array(wanted.numbers, np.float32)
        total = len(self.rows)
        count = min(count, total)
        rows = np.arange(total)
        if total > COMPARED_MAX and count * 4 < total:
            self.settle()
            assert self.graph is not None
            self.graph.set_ef(max(self.space.ef_runtime, count))
            try:
                labels, _ = self.graph.knn_query(query, count, num_threads=1)
            except RuntimeError:
                # hnswlib's way to say that its graph leads to fewer: all are compared.
                pass
            else:
                rows = np.array([self.rows[id] for id in labels[0].tolist()])
        apart = self.distances(query, rows)
        order = np.lexsort((self.owners[rows], apart))[:count]
        return list(zip(self.owners[rows[order]].tolist(), apart[order].tolist(), strict=True))

    def settle(self) -> None:
        """Let the graph know what has changed."""
        if self.graph is None:
            # Compiled for the very processor: without a graph, nothing else depends on which it is.
            import hnswlib

            name = "l2" if self.space.similarity == "euclidean" else "cosine"
            self.graph = hnswlib.Index(name, self.space.dimension)
            self.graph.init_index(
                len(self.rows) + COMPARED_MAX, M=self.space.m,
                ef_construction=self.space.ef_construction, random_seed=100,
            )  # fmt: skip
        new = [id for id in sorted(self.pending) if id in self.rows]
        for id in self.pending & self.known:
            if id not in self.rows:
                self.graph.mark_deleted(id)
                self.known.discard(id)
        if new:
            self.take(new)
        self.pending.clear()

    def take(self, new: list[int]) -> None:
        """Put vectors into the graph."""
        assert self.graph is not None
        needed = self.graph.get_current_count() + len(new)
        if needed > self.graph.get_max_elements():
            self.graph.resize_index(needed + needed // 2)
        # A label that is there gets its new vector, and counts again if it was marked.
        rows = [self.rows[id] for id in new]
        self.graph.add_items(self.matrix[rows], new, num_threads=1)
        self.known.update(new)

    def memory(self) -> int:
        """Bytes."""
        graph = 0
        if self.graph is not None:
            links = self.space.m * 10 + 80
            graph = self.graph.get_max_elements() * (self.space.dimension * 4 + links)
        return self.matrix.nbytes + self.owners.nbytes + ROW_BYTES * len(self.rows) + graph
