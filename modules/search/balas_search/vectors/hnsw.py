"""HNSW: a graph of neighbours, in which the nearest vectors are found without seeing all of them.

The graph is hnswlib's; a vector's label in it is its row. What the graph finds is measured anew, so
that distances are those of a FLAT field. The row of a vector that goes is marked in the graph, and
the next vector that takes the row takes its place there, too.
"""

from __future__ import annotations

from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

from balas_search.fields.spec import FieldSpec
from balas_search.postings.sets import contains
from balas_search.vectors.attributes import L2, NEIGHBOURS_MAX, NEIGHBOURS_MIN
from balas_search.vectors.flat import (
    ADHOC_BF,
    BATCHES,
    FlatVectors,
    Found,
    FoundAmong,
    HowToFilter,
    batch_size,
)
from balas_search.vectors.rows import ROWS_MIN

EF_RUNTIME = 10
EPSILON = b"0.01"
# For all within a radius so many neighbours are asked for at first, then so many times as many,
# until they reach far enough and are so many times those within.
WITHIN_FIRST = 64
WITHIN_GROWTH = 4
WITHIN_MORE = 2
# Few vectors are compared one by one: that is as fast, and exact.
COMPARED_MAX = 1000
# Looking at one more neighbour in the graph costs as much as comparing so many in a row.
STEP_COST = 80
# Under a filter so many neighbours are asked for at least: some of them it does not leave.
FILTERED_MIN = 100
# Comparing what a filter leaves is exact, so the graph must be so many times as fast.
GAIN_MIN = 2
# Of the neighbours asked for, a filter may leave this much less than its share.
MARGIN = 1.5


class HnswVectors(FlatVectors):
    """The vectors of an HNSW field."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        attributes = spec.attributes
        neighbours = int(attributes.get(b"M", b"16"))
        self.neighbours = min(max(neighbours, NEIGHBOURS_MIN), NEIGHBOURS_MAX)
        self.breadth_building = int(attributes.get(b"EF_CONSTRUCTION", b"200"))
        self.breadth = int(attributes.get(b"EF_RUNTIME", str(EF_RUNTIME).encode()))
        self.graph = self._graph(ROWS_MIN)

    def _graph(self, capacity: int) -> hnswlib.Index:
        space = "l2" if self.kind.metric == L2 else "ip"
        graph = hnswlib.Index(space, self.kind.dimension)
        graph.init_index(
            capacity, M=self.neighbours, ef_construction=self.breadth_building, random_seed=100
        )
        return graph

    def _wide(self, rows: NDArray[Any]) -> NDArray[Any]:
        return self.kind.widened(rows).astype(np.float32, copy=False)

    def add(self, doc: int, vectors: NDArray[Any]) -> None:
        """Index a document's vectors."""
        again = self._stand_next(vectors)
        rows = self.rows.add(doc, vectors)
        if again:
            for row in rows:
                self.graph.unmark_deleted(row)
            return
        if self.rows.used > self.graph.get_max_elements():
            self.graph.resize_index(len(self.rows.docs))
        self.graph.add_items(self._wide(self.rows.matrix[rows]), rows, num_threads=1)

    def _stand_next(self, vectors: NDArray[Any]) -> bool:
        """Whether the free rows to be taken next hold just these vectors.

        So it is where a document has changed in other fields: it went, and comes again. Then its
        place in the graph is right as it is.
        """
        free = self.rows.free
        first = len(free) - 1
        return len(free) >= len(vectors) and all(
            np.array_equal(self.rows.matrix[free[first - at]], vector)
            for at, vector in enumerate(vectors)
        )

    def remove(self, doc: int) -> None:
        """Forget a document."""
        for row in self.rows.remove(doc):
            self.graph.mark_deleted(row)

    def renumber(self, new_ids: NDArray[np.uint32]) -> None:
        """Move to new ids; where most rows are free, the graph is built anew without them."""
        self.rows.renumber(new_ids)
        if len(self.rows.free) > max(len(self.rows), COMPARED_MAX):
            self.rows.compact()
            self.graph = self._graph(len(self.rows.docs))
            used = self.rows.used
            if used:
                self.graph.add_items(self._wide(self.rows.matrix[:used]), np.arange(used))

    def nearest(self, query: NDArray[Any], count: int, breadth: int = 0) -> Found:
        """About the `count` nearest documents, nearest first, looking at `breadth` at once."""
        available = len(self.rows)
        looked_at = max(breadth or self.breadth, count)
        if available <= max(COMPARED_MAX, looked_at * STEP_COST) or self.rows.several:
            return self.rows.nearest(query, count)
        rows = self._neighbours(query, count, breadth)
        if rows is None:
            return self.rows.nearest(query, count)
        return self.rows.nearest(query, count, self.rows.docs[rows])

    def _neighbours(
        self, query: NDArray[Any], count: int, breadth: int
    ) -> NDArray[np.int32] | None:
        """The rows of the nearest that the graph leads to; None if it leads to fewer."""
        found = self._measured(query, count, breadth)
        return None if found is None else found[0]

    def _measured(
        self, query: NDArray[Any], count: int, breadth: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
        """The same, nearest first, with their distances as the graph has them."""
        self.graph.set_ef(max(breadth or self.breadth, count))
        wanted = query.astype(np.float32, copy=False)
        try:
            labels, distances = self.graph.knn_query(wanted, count, num_threads=1)
        except RuntimeError:
            # hnswlib's way to say that it has found fewer than `count`.
            return None
        return np.asarray(labels[0], np.int32), np.asarray(distances[0], np.float32)

    def nearest_of(
        self, query: NDArray[Any], count: int, docs: NDArray[np.uint32], how: HowToFilter
    ) -> FoundAmong:
        """The same, among some documents, and the number of batches.

        Without a policy they are compared, unless batches by the graph cost less.
        """
        if not count or not len(docs) or self.rows.several or how.policy == ADHOC_BF:
            return (*self.rows.nearest(query, count, docs), 0)
        if how.policy == BATCHES:
            rows = self.rows.rows_of(docs)
            count = min(count, len(rows))
            if not count:
                return (*self.rows.nearest(query, count, docs), 0)
            return self._by_graph(query, count, docs, how) or self._in_batches(
                query, count, rows, how
            )
        share = len(self.rows) / len(docs)
        breadth = how.breadth or max(self.breadth, FILTERED_MIN)
        wanted = max(int(count * share * MARGIN), breadth)
        if len(docs) > COMPARED_MAX and wanted * STEP_COST * GAIN_MIN < len(docs):
            found = self._by_graph(query, min(count, len(docs)), docs, how, wanted)
            if found is not None:
                return found
        return (*self.rows.nearest(query, count, docs), 0)

    def _by_graph(
        self,
        query: NDArray[Any],
        count: int,
        docs: NDArray[np.uint32],
        how: HowToFilter,
        first: int = 0,
    ) -> FoundAmong | None:
        """Batches as the graph leads to them, as long as that costs less than comparing.

        None if it does not find `count`, at least one, of the documents. `first` is the size of the
        first batch; 0 leaves that to `batch_size`.
        """
        seen = found = batches = steps = 0
        while seen < len(self.rows) and steps * STEP_COST < self.rows.used:
            seen += first or batch_size(how, count - found, len(self.rows), len(docs))
            first = 0
            batches += 1
            steps += seen
            near = self._neighbours(query, min(seen, len(self.rows)), how.breadth)
            if near is None:
                return None
            led_to = np.sort(self.rows.docs[near])
            led_to = led_to[contains(docs, led_to)]
            found = len(led_to)
            if found >= count:
                return (*self.rows.nearest(query, count, led_to), batches)
        return None

    def within(self, query: NDArray[Any], radius: float, epsilon: float = 0.0) -> Found:
        """About all documents within a radius, by their ids.

        The graph is asked for more and more neighbours, until the last is farther away than the
        radius by the share `epsilon` of it: the larger that is, the fewer are missed.
        """
        limit = radius * (1 + epsilon)
        asked = max(self.breadth, WITHIN_FIRST)
        steps = asked
        while len(self.rows) > max(COMPARED_MAX, steps * STEP_COST):
            found = self._measured(query, asked, asked)
            if found is None:
                break
            rows, distances = found
            inside = int(np.searchsorted(distances, radius, "right"))
            if distances[-1] > limit and inside * WITHIN_MORE <= asked:
                return self.rows.within_of(query, radius, rows)
            asked *= WITHIN_GROWTH
            steps += asked
        return self.rows.within(query, radius)

    def memory(self) -> int:
        """Bytes it takes."""
        # Of a graph: the vector, its links in the lowest layer and above, a label, a lock.
        links = self.neighbours * 4 * 2 + self.neighbours * 4 // 8
        row_bytes = self.kind.dimension * 4 + links + 80
        return self.rows.memory() + int(self.graph.get_max_elements()) * row_bytes
