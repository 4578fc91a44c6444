"""NUMERIC: numbers, found by range.

All numbers stand in one array in the order in which they came, so a wide range is found by looking
at all of them at once. For narrow ranges there is a second order, by value; it covers what was
there when it was made, and the few that came later are looked at one and all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from balas_search.evaluation.cursors import Cursor, SetCursor
from balas_search.fields.base import BadField, Docs, FieldIndex
from balas_search.fields.spec import FieldSpec
from balas_search.index.tables import GONE, Pairs
from balas_search.postings import sets
from balas_search.query.tree import Numeric

if TYPE_CHECKING:
    from balas_search.evaluation.evaluation import Evaluation

# As C's strtod reads a number.
_NUMBER = re.compile(
    rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|0[xX][0-9a-fA-F]+)\Z",
    re.IGNORECASE,
)
# With fewer, looking at all is quicker than keeping an order.
ORDER_MIN = 4096
# So many that came after the order was made are borne with, or this share of it.
TAIL_MAX = 2048
TAIL_SHARE = 16
# A range that holds more than this share is found by looking at all.
WIDE_SHARE = 8
# From so many numbers on, the original splits a field into ranges; what is wider than this share is
# then likely to lie in several of them.
SPREAD_MIN = 20
SPREAD_SHARE = 16


class NumericIndex(FieldIndex):
    """The numbers of one field."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.pairs = Pairs()
        self._order: NDArray[np.uint32] | None = None
        self._ordered: NDArray[np.float64] | None = None

    def prepare(self, values: list[Any]) -> list[float]:
        """The numbers."""
        return [number_of(value) for value in values]

    def add(self, doc: int, prepared: list[float]) -> int:
        """Add the numbers of a document."""
        for value in prepared:
            self.pairs.add(doc, value)
        return len(prepared)

    def sort_value(self, prepared: list[float], values: list[Any]) -> float | None:
        """The first number."""
        return prepared[0] if prepared else None

    def cursor(self, node: Any, evaluation: Evaluation) -> Cursor:
        """A range."""
        if not isinstance(node, Numeric):
            return super().cursor(node, evaluation)
        found = self.between(node.low, node.high, node.with_low, node.with_high)
        total = len(self.pairs)
        spread = total >= SPREAD_MIN and len(found) * SPREAD_SHARE > total
        return SetCursor(found, numeric=True, spread=spread, node=node)

    def between(self, low: float, high: float, with_low: bool, with_high: bool) -> Docs:
        """The documents with a number in the range."""
        total = len(self.pairs)
        if total < ORDER_MIN:
            return self._all_between(low, high, with_low, with_high)
        order, ordered = self._by_value()
        first = int(ordered.searchsorted(low, "left" if with_low else "right"))
        last = int(ordered.searchsorted(high, "right" if with_high else "left"))
        if last - first > total // WIDE_SHARE:
            return self._all_between(low, high, with_low, with_high)
        found = self.pairs.docs[order[first:last]] if last > first else np.empty(0, np.uint32)
        covered = len(order)
        if covered < total:
            values = self.pairs.values[covered:]
            above = values >= low if with_low else values > low
            below = values <= high if with_high else values < high
            found = np.concatenate([found, self.pairs.docs[covered:][above & below]])
        return sets.distinct(found)

    def _all_between(self, low: float, high: float, with_low: bool, with_high: bool) -> Docs:
        found = self.pairs.between(low, high, with_low, with_high)
        return sets.distinct(found) if self.pairs.several else found

    def _by_value(self) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """Places in `pairs`, and the numbers there, by number; of most."""
        total = len(self.pairs)
        order, ordered = self._order, self._ordered
        if (
            order is None
            or ordered is None
            or total - len(order) > max(TAIL_MAX, len(order) // TAIL_SHARE)
        ):
            order, ordered = self._order, self._ordered = self._merged(order, ordered)
        return order, ordered

    def _merged(
        self, order: NDArray[np.uint32] | None, ordered: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
        """An order of all, of which one of some is known."""
        covered = 0 if order is None else len(order)
        values = self.pairs.values[covered:]
        more = np.argsort(values, kind="stable")
        more_ordered = values[more]
        more_order = (more + covered).astype(np.uint32)
        if order is None or ordered is None:
            return more_order, more_ordered
        at = ordered.searchsorted(more_ordered, "right")
        return np.insert(order, at, more_order), np.insert(ordered, at, more_ordered)

    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest number."""
        values = self.pairs.values
        return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        order, ordered = self._order, self._ordered
        if order is not None and ordered is not None:
            kept = new_ids[self.pairs.docs] != GONE
            places = np.cumsum(kept, dtype=np.uint32) - np.uint32(1)
            left = kept[order]
            self._order, self._ordered = places[order[left]], ordered[left]
        self.pairs.renumber(new_ids)

    def memory(self) -> int:
        """Bytes it takes."""
        ordered = 0 if self._order is None else len(self._order) * 12
        return self.pairs.memory() + ordered


def number_of(value: Any) -> float:
    """A number, from text or from JSON."""
    if isinstance(value, bytes | bytearray):
        if not _NUMBER.match(value):
            shown = bytes(value).decode("utf-8", "replace")
            raise BadField(f"Invalid numeric value: '{shown}'")
        text = value.strip().lower()
        return float(int(text, 16)) if b"0x" in text else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadField(f"Invalid numeric value: '{value}'")
    return float(value)
