"""FLAT: every vector is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.fields.spec import FieldSpec
from balas_search.vectors.attributes import kind_of
from balas_search.vectors.rows import RANKED_MIN, Distances, Ranked, Rows, VectorRows

Found = tuple[NDArray[np.uint32], Distances]
# The same, and in how many batches it was found: 0 if only what the filter leaves was compared.
FoundAmong = tuple[NDArray[np.uint32], Distances, int]
ADHOC_BF, BATCHES = b"ADHOC_BF", b"BATCHES"
POLICIES = (ADHOC_BF, BATCHES)


@dataclass(frozen=True, slots=True)
class HowToFilter:
    """What a query asks for: HYBRID_POLICY (empty: what costs least), BATCH_SIZE, EF_RUNTIME.

    Of the numbers 0 stands for those that suit the query.
    """

    policy: bytes = b""
    batch_size: int = 0
    breadth: int = 0


class FlatVectors:
    """The vectors of a FLAT field; the base of those that find them faster."""

    def __init__(self, spec: FieldSpec) -> None:
        self.kind = kind_of(spec)
        self.rows = VectorRows(self.kind, int(spec.attributes.get(b"INITIAL_CAP", b"0")))

    def add(self, doc: int, vectors: NDArray[Any]) -> None:
        """Index a document's vectors."""
        self.rows.add(doc, vectors)

    def remove(self, doc: int) -> None:
        """Forget a document."""
        self.rows.remove(doc)

    def renumber(self, new_ids: NDArray[np.uint32]) -> None:
        """Move to new ids, and give back what is not used."""
        self.rows.renumber(new_ids)
        self.rows.compact()

    def nearest(self, query: NDArray[Any], count: int, breadth: int = 0) -> Found:
        """The `count` nearest documents, nearest first. `breadth` is of no use here."""
        return self.rows.nearest(query, count)

    def nearest_of(
        self, query: NDArray[Any], count: int, docs: NDArray[np.uint32], how: HowToFilter
    ) -> FoundAmong:
        """The same, among some documents, and the number of batches."""
        if how.policy == BATCHES and not self.rows.several:
            rows = self.rows.rows_of(docs)
            if count and len(rows):
                return self._in_batches(query, min(count, len(rows)), rows, how)
        return (*self.rows.nearest(query, count, docs), 0)

    def _in_batches(
        self, query: NDArray[Any], count: int, rows: Rows, how: HowToFilter
    ) -> FoundAmong:
        """Take the nearest of all, a batch after the other, until `count` of them are `rows`."""
        ranked = Ranked(self.rows.measured(query), self.rows.docs[: self.rows.used])
        chosen = self.rows.mask_of(rows)
        looked_at = RANKED_MIN
        while np.count_nonzero(chosen[ranked.first(looked_at)]) < count:
            looked_at *= 4
        inside = ranked.first(looked_at)
        places = np.flatnonzero(chosen[inside])[:count]
        seen = batches = 0
        while seen <= places[count - 1]:
            missing = count - int(np.searchsorted(places, seen))
            seen += batch_size(how, missing, len(self.rows), len(rows))
            batches += 1
        # Of rows as far away as the last one those with lower ids come first.
        limit = ranked.distances[inside[places[count - 1]]]
        candidates = np.flatnonzero(chosen & ~(ranked.distances > limit)).astype(np.int32)
        return (*self.rows.sorted(query, candidates, count), batches)

    def within(self, query: NDArray[Any], radius: float, epsilon: float = 0.0) -> Found:
        """The documents within a radius, by their ids. `epsilon` is of no use here."""
        return self.rows.within(query, radius)

    def upkeep(self) -> Iterator[None] | None:
        """Steps that are to be done soon; None if there are none, or somebody does them."""
        return None

    def close(self) -> None:
        """End what is still to be done: the field is dropped."""

    def memory(self) -> int:
        """Bytes it takes."""
        return self.rows.memory()


def batch_size(how: HowToFilter, missing: int, size: int, among: int) -> int:
    """How many to look at next: as asked for, or as many as should hold the `missing` ones."""
    return how.batch_size or missing * size // among + 1
