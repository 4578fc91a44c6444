"""HNSW: a graph of neighbours, in which the nearest vectors are found without seeing all of them.

What the graph finds is measured anew, so that distances are those of a FLAT field. A vector that
goes is marked in the graph, and one that comes is put in; once more of the graph is gone than is
left, another one is built, a vector at a time, while this one still answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.fields.spec import FieldSpec
from balas_search.postings.sets import contains
from balas_search.vectors.attributes import NEIGHBOURS_MAX, NEIGHBOURS_MIN
from balas_search.vectors.flat import (
    ADHOC_BF,
    BATCHES,
    FlatVectors,
    Found,
    FoundAmong,
    HowToFilter,
    batch_size,
)
from balas_search.vectors.graph import NONE, Graph
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
# While another graph is built, each vector that comes puts so many into it: so it is done before
# there are twice as many, however fast they come.
HELPED = 2


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
        # The graph that is being built without what is gone, and the first label that it has not
        # been given yet.
        self.successor: Graph | None = None
        self.passed = 0
        self.kept_up = False

    def _graph(self, capacity: int) -> Graph:
        return Graph(self.kind, self.neighbours, self.breadth_building, capacity)

    def add(self, doc: int, vectors: NDArray[Any]) -> None:
        """Index a document's vectors."""
        again = self._stand_next(vectors)
        for row in self.rows.add(doc, vectors):
            if again:
                self._stand_again(row)
                continue
            self.graph.add(row, self._wide(row))
            if self.successor is not None:
                self.successor.forget(row)
        self._see_to_successor()
        for _ in range(HELPED * len(vectors)):
            if self.successor is not None:
                self._continue()

    def _wide(self, row: int) -> NDArray[Any]:
        stored = self.rows.matrix[row : row + 1]
        return self.kind.widened(stored).astype(np.float32, copy=False)

    def _stand_next(self, vectors: NDArray[Any]) -> bool:
        """Whether the free rows to be taken next hold just these vectors.

        So it is where a document has changed in other fields: it went, and comes again. Then its
        place in the graph is right as it is.
        """
        free = self.rows.free
        first = len(free) - 1
        return len(free) >= len(vectors) and all(
            self.graph.label(free[first - at]) != NONE
            and np.array_equal(self.rows.matrix[free[first - at]], vector)
            for at, vector in enumerate(vectors)
        )

    def _stand_again(self, row: int) -> None:
        self.graph.stand_again(row)
        if self.successor is not None:
            if self.successor.label(row) != NONE:
                self.successor.stand_again(row)
            elif self.graph.label(row) < self.passed:
                self.successor.add(row, self._wide(row))

    def remove(self, doc: int) -> None:
        """Forget a document."""
        for row in self.rows.remove(doc):
            self.graph.remove(row)
            if self.successor is not None:
                self.successor.remove(row)
        self._see_to_successor()

    def renumber(self, new_ids: NDArray[np.uint32]) -> None:
        """Move to new ids; where most rows are free, the others are put together."""
        self.rows.renumber(new_ids)
        if len(self.rows.free) > max(len(self.rows), ROWS_MIN):
            new_rows = self.rows.compact()
            self.graph.move(new_rows)
            if self.successor is not None:
                self.successor.move(new_rows)

    # --- another graph ---------------------------------------------------------------------------

    def _see_to_successor(self) -> None:
        """Begin another graph once most of this one is gone."""
        if self.successor is None and self.graph.dead > max(self.graph.living, COMPARED_MAX):
            self.successor = self._graph(self.graph.living)
            self.passed = 0

    def _continue(self) -> bool:
        """Put the next vector into the other graph, which stands in once it has all.

        Returns False when that is done. Vectors that come meanwhile are behind those that were
        there, and those that go are marked in both graphs.
        """
        graph, successor = self.graph, self.successor
        if successor is None:
            return False
        label = graph.next_living(self.passed)
        self.passed = label + 1
        if label == graph.given:
            self.graph, self.successor = successor, None
            return False
        row = int(graph.row_of[label])
        successor.add(row, self._wide(row))
        return True

    def upkeep(self) -> Iterator[None] | None:
        """Steps that are to be done soon; None if there are none, or somebody does them."""
        if self.successor is None or self.kept_up:
            return None
        self.kept_up = True
        return self._kept_up()

    def _kept_up(self) -> Iterator[None]:
        while self._continue():
            yield
        self.kept_up = False

    def close(self) -> None:
        """End what is still to be done: the field is dropped."""
        self.successor = None

    # --- queries ---------------------------------------------------------------------------------

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
        return self.graph.search(query, count, breadth or self.breadth)

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
        graphs = self.graph.memory()
        if self.successor is not None:
            graphs += self.successor.memory()
        return self.rows.memory() + graphs
