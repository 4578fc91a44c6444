"""A graph of neighbours over rows of a matrix; hnswlib's, with labels of its own.

Each vector that comes gets a new label, also where it takes the row of one that went: hnswlib puts
a new vector in faster than it changes one, which it does by repairing all neighbours. Labels that
are gone stay in the graph as marks on the way, until `HnswVectors` builds another without them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.vectors.attributes import L2, VectorKind

NONE = -1
LABELS_MIN = 64
# A graph that is full grows by this share.
GROWTH_SHARE = 8
# So many labels are looked at in one go.
BLOCK = 1024

Labels = NDArray[np.int32]


class Graph:
    """The graph of one field: `row_of` a label, NONE if it is gone, and the `label_of` a row.

    A row that is free keeps its last label, for the same vector may come again (`stand_again`).
    """

    def __init__(self, kind: VectorKind, neighbours: int, breadth: int, capacity: int) -> None:
        # Compiled for the very processor: without a graph, nothing else depends on which that is.
        import hnswlib

        self.kind = kind
        self.neighbours = neighbours
        space = "l2" if kind.metric == L2 else "ip"
        capacity = max(capacity, LABELS_MIN)
        self.index = hnswlib.Index(space, kind.dimension)
        self.index.init_index(capacity, M=neighbours, ef_construction=breadth, random_seed=100)
        self.row_of: Labels = np.full(capacity, NONE, np.int32)
        self.label_of: Labels = np.full(capacity, NONE, np.int32)
        self.given = 0
        self.living = 0

    @property
    def dead(self) -> int:
        """Labels whose vectors are gone."""
        return self.given - self.living

    def add(self, row: int, vector: NDArray[np.float32]) -> None:
        """Put in the vector of a row, under a new label."""
        label = self.given
        if label == len(self.row_of):
            capacity = label + max(label // GROWTH_SHARE, LABELS_MIN)
            self.index.resize_index(capacity)
            self.row_of = lengthened(self.row_of, capacity)
        if row >= len(self.label_of):
            capacity = row + 1 + max(row // GROWTH_SHARE, LABELS_MIN)
            self.label_of = lengthened(self.label_of, capacity)
        self.index.add_items(vector, label, num_threads=1)
        self.row_of[label] = row
        self.label_of[row] = label
        self.given += 1
        self.living += 1

    def label(self, row: int) -> int:
        """The last label of a row, NONE if it never had one."""
        return int(self.label_of[row]) if row < len(self.label_of) else NONE

    def next_living(self, label: int) -> int:
        """This label, or the next one that is not gone; `given` if there is none."""
        while label < self.given:
            living = np.flatnonzero(self.row_of[label : label + BLOCK] != NONE)
            if len(living):
                return label + int(living[0])
            label += BLOCK
        return self.given

    def remove(self, row: int) -> None:
        """Mark the vector of a row as gone, if it is there."""
        label = self.label(row)
        if label != NONE and self.row_of[label] == row:
            self.index.mark_deleted(label)
            self.row_of[label] = NONE
            self.living -= 1

    def stand_again(self, row: int) -> None:
        """Take the mark from the last label of a row, whose vector has come again."""
        label = self.label(row)
        self.index.unmark_deleted(label)
        self.row_of[label] = row
        self.living += 1

    def forget(self, row: int) -> None:
        """Forget the last label of a free row, which will hold another vector."""
        if row < len(self.label_of):
            self.label_of[row] = NONE

    def move(self, new_rows: NDArray[np.int32]) -> None:
        """Note that what was in row i is in new_rows[i]; free rows are none any more."""
        living = np.flatnonzero(self.row_of != NONE)
        rows = new_rows[self.row_of[living]]
        self.row_of[living] = rows
        self.label_of = np.full(int(rows.max(initial=0)) + LABELS_MIN, NONE, np.int32)
        self.label_of[rows] = living

    def search(
        self, query: NDArray[Any], count: int, breadth: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
        """The rows that the graph leads to, nearest first, and their distances as it has them.

        None if it leads to fewer than `count`.
        """
        self.index.set_ef(max(breadth, count))
        wanted = query.astype(np.float32, copy=False)
        try:
            labels, distances = self.index.knn_query(wanted, count, num_threads=1)
        except RuntimeError:
            # hnswlib's way to say that it has found fewer than `count`.
            return None
        return self.row_of[labels[0]], distances[0]

    def memory(self) -> int:
        """Bytes it takes."""
        # The vector, its links in the lowest layer and above, a label, a lock.
        links = self.neighbours * 4 * 2 + self.neighbours * 4 // 8
        label_bytes = self.kind.dimension * 4 + links + 80
        held = int(self.index.get_max_elements()) * label_bytes
        return held + self.row_of.nbytes + self.label_of.nbytes


def lengthened(labels: Labels, capacity: int) -> Labels:
    """A longer array of labels or rows, with NONE at its end."""
    longer = np.full(capacity, NONE, np.int32)
    longer[: len(labels)] = labels
    return longer
