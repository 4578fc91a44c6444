"""FLAT: every vector is compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.fields.spec import FieldSpec
from balas_search.vectors.attributes import kind_of
from balas_search.vectors.rows import Distances, VectorRows

Found = tuple[NDArray[np.uint32], Distances]


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
        self, query: NDArray[Any], count: int, docs: NDArray[np.uint32], breadth: int = 0
    ) -> Found:
        """The same, among some documents."""
        return self.rows.nearest(query, count, self.rows.rows_of(docs))

    def within(self, query: NDArray[Any], radius: float, epsilon: float = 0.0) -> Found:
        """The documents within a radius, by their ids. `epsilon` is of no use here."""
        return self.rows.within(query, radius)

    def memory(self) -> int:
        """Bytes it takes."""
        return self.rows.memory()
