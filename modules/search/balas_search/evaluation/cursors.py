"""What a query's nodes become when they are evaluated: sets of documents that can tell more.

A cursor holds the documents of its part of the query, as one sorted array of ids: all its work is
done for whole arrays at once. What scores and distances need is asked later, and only about the
documents that all parts together have left:

    docs            the documents, sorted ids (uint32); some may be gone already
    present(docs)   for each of these documents whether this part matches it (bool)
    positions(docs) where it matches in them, as CSR, or None if it has no positions
    score(docs, s)  what it adds to their scores by the scorer `s` (float64; 0 where not present)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from balas_search.postings import sets, spans
from balas_search.postings.posting import Posting

if TYPE_CHECKING:
    from balas_search.query.tree import Node

Docs = NDArray[np.uint32]
Numbers = NDArray[np.float64]
Flags = NDArray[Any]
Positions = tuple[NDArray[np.int64], NDArray[np.uint32]]


class TermScorer(Protocol):
    """How one way of scoring values its leaves, and puts them together."""

    highest_child: bool

    def term(self, cursor: TermCursor, frequencies: Numbers, docs: Docs) -> Numbers:
        """The value of a term with these frequencies."""

    def other(self, weight: float, frequencies: Numbers, docs: Docs, numeric: bool) -> Numbers:
        """The value of what is no term: `numeric` tells ranges from everything else."""


class Cursor:
    """Base of all; see above."""

    __slots__ = ()

    if TYPE_CHECKING:
        weight: float
        docs: Docs
    # Whether it is left aside where it has no positions, when distances are measured.
    skippable: bool = True

    def present(self, docs: Docs) -> Flags:
        """For each of these documents whether this part matches it."""
        return sets.contains(self.docs, docs)

    def positions(self, docs: Docs) -> Positions | None:
        """Where it matches in each of these documents; None if it has no positions."""
        return None

    def score(self, docs: Docs, scorer: TermScorer) -> Numbers:
        """What it adds to the scores of these documents."""
        raise NotImplementedError


class TermCursor(Cursor):
    """A term in some fields."""

    __slots__ = ("docs", "mask", "posting", "total", "weight")

    def __init__(self, posting: Posting, mask: int, weight: float, total: int) -> None:
        self.posting = posting
        self.mask = mask
        self.weight = weight
        self.total = total
        self.docs = posting.docs_in(mask)

    def positions(self, docs: Docs) -> Positions | None:
        """Where the term stands; None if nobody has noted that."""
        if not self.posting.offsets_bytes():
            return None
        return self.posting.positions_at(docs, self.mask)

    def frequencies(self, docs: Docs) -> Numbers:
        """How often it stands there, weighted by field; 0 where it does not."""
        return self.posting.freqs_at(docs, self.mask)

    def score(self, docs: Docs, scorer: TermScorer) -> Numbers:
        """The term's value."""
        return scorer.term(self, self.frequencies(docs), docs)


class SetCursor(Cursor):
    """Documents that match for a reason that has no terms: a range, a place, a key, `*`.

    `spread` tells that the original finds them in several places, which shows in distances: such a
    part counts there, though it stands nowhere in the text. `node` is what was asked for.
    """

    __slots__ = ("docs", "node", "numeric", "skippable", "weight")

    def __init__(
        self,
        docs: Docs,
        weight: float = 1.0,
        numeric: bool = False,
        spread: bool = False,
        node: Node | None = None,
    ) -> None:
        self.docs = docs
        self.weight = weight
        self.numeric = numeric
        self.skippable = not spread
        self.node = node

    def positions(self, docs: Docs) -> Positions | None:
        """None; or, if it is spread, nowhere."""
        return None if self.skippable else nowhere(docs)

    def score(self, docs: Docs, scorer: TermScorer) -> Numbers:
        """A fixed value."""
        return scorer.other(self.weight, self.present(docs).astype(float), docs, self.numeric)


class VectorCursor(SetCursor):
    """Documents by the distance of their vectors; it adds nothing to scores.

    `child` is the filter of a KNN, if it has one, and `batches` how many batches of the nearest
    were looked through for those that it leaves; 0 if those were compared themselves.
    """

    __slots__ = ("batches", "child", "is_range")

    def __init__(
        self, docs: Docs, is_range: bool, child: Cursor | None = None, batches: int = 0
    ) -> None:
        super().__init__(docs, 0.0)
        self.is_range = is_range
        self.child = child
        self.batches = batches


def nowhere(docs: Docs) -> Positions:
    """No positions, in all these documents."""
    return np.zeros(len(docs) + 1, np.int64), np.empty(0, np.uint32)


class NotCursor(SetCursor):
    """All documents but those of a child: it matches without adding to the score.

    `estimated` is how many the original takes it to have.
    """

    __slots__ = ("child", "estimated")

    def __init__(self, docs: Docs, estimated: int, child: Cursor) -> None:
        super().__init__(docs, 0.0)
        self.estimated = estimated
        self.child = child

    def score(self, docs: Docs, scorer: TermScorer) -> Numbers:
        """Nothing."""
        return np.zeros(len(docs))


class OptionalCursor(Cursor):
    """All documents; those that the child matches get its score."""

    __slots__ = ("child", "docs", "weight")

    def __init__(self, child: Cursor, everything: Docs, weight: float) -> None:
        self.child = child
        self.docs = everything
        self.weight = weight

    def positions(self, docs: Docs) -> Positions | None:
        """The child's."""
        return self.child.positions(docs)

    def score(self, docs: Docs, scorer: TermScorer) -> Numbers:
        """The child's."""
        return self.child.score(docs, scorer)

    def distance(self, docs: Docs) -> Numbers:
        """The child's, where it matches."""
        found = np.ones(len(docs))
        there = self.child.present(docs)
        if isinstance(self.child, GroupCursor) and there.any():
            found[there] = self.child.distance(docs[there])
        return found


class GroupCursor(Cursor):
    """Several children together."""

    __slots__ = ("children", "docs", "weight")

    def __init__(self, children: Sequence[Cursor], docs: Docs, weight: float) -> None:
        self.children = children
        self.docs = docs
        self.weight = weight

    @property
    def skippable(self) -> bool:  # type: ignore[override]
        """Only if no child is about terms."""
        return all(isinstance(child, SetCursor) and child.skippable for child in self.children)

    def placed(self, docs: Docs) -> tuple[list[Positions], list[Flags | None]]:
        """The positions of those children that have some, and where each counts without any."""
        parts: list[Positions] = []
        counts: list[Flags | None] = []
        for child in self.children:
            found = child.positions(docs)
            if found is not None:
                parts.append(found)
                counts.append(None if child.skippable else child.present(docs).view(np.uint8))
        return parts, counts

    def positions(self, docs: Docs) -> Positions | None:
        """The positions of all children."""
        parts, _ = self.placed(docs)
        if parts:
            return parts[0] if len(parts) == 1 else spans.merged(parts, len(docs))
        if self.skippable:
            return None
        return nowhere(docs)

    def distance(self, docs: Docs) -> Numbers:
        """What scores are divided by if this is the outermost node."""
        if len(self.children) < 2:
            return np.ones(len(docs))
        parts, counts = self.placed(docs)
        return spans.distances(parts, counts, self.matching(docs))

    def matching(self, docs: Docs) -> NDArray[np.int64]:
        """How many children match each of these documents."""
        present = [child.present(docs) for child in self.children]
        return np.asarray(np.sum(present, axis=0, dtype=np.int64))


class IntersectionCursor(GroupCursor):
    """What all children match."""

    __slots__ = ()

    def matching(self, docs: Docs) -> NDArray[np.int64]:
        """All of them."""
        return np.full(len(docs), len(self.children))

    def positions(self, docs: Docs) -> Positions | None:
        """The positions of all children, where all match."""
        if docs is self.docs:
            return super().positions(docs)
        there = self.present(docs)
        if there.all():
            return super().positions(docs)
        found = super().positions(docs[there])
        if found is None:
            return None
        counts = np.zeros(len(docs), np.int64)
        counts[there] = np.diff(found[0])
        return np.concatenate([[0], np.cumsum(counts)]), found[1]

    def score(self, docs: Docs, scorer: TermScorer) -> Numbers:
        """The sum of the children's."""
        if docs is not self.docs:
            there = self.present(docs)
            if not there.all():
                total = np.zeros(len(docs))
                total[there] = self._sum(docs[there], scorer)
                return total
        return self._sum(docs, scorer)

    def _sum(self, docs: Docs, scorer: TermScorer) -> Numbers:
        total = np.zeros(len(docs))
        for child in self.children:
            total += child.score(docs, scorer)
        return self.weight * total


class UnionCursor(GroupCursor):
    """What at least one child matches.

    `first_only` is for expansions to many terms: the first child that matches a document decides.
    `alone` are documents for which this holds, too, because of how the original comes upon them
    (see `sets.zigzag`); sorted, or None. `node` is what was asked for, if it stands for them all.
    """

    __slots__ = ("alone", "first_only", "node")

    def __init__(
        self,
        children: Sequence[Cursor],
        docs: Docs,
        weight: float,
        first_only: bool = False,
        node: Node | None = None,
    ) -> None:
        super().__init__(children, docs, weight)
        self.first_only = first_only
        self.node = node
        self.alone: Docs | None = None

    def skipped_to(self, targets: Docs, wanted: Docs) -> None:
        """Note how an intersection came upon the documents `wanted`: it skipped to `targets`.

        Where a document was not asked for, but landed on, the original notes one child only.
        """
        self.alone = sets.landings(self.docs, targets, wanted)
        for child in self.children:
            if isinstance(child, UnionCursor):
                child.skipped_to(targets, wanted)

    def left_out(self, docs: Docs) -> list[Flags | None]:
        """For each child in which of these documents it does not count; None: in none."""
        if self.first_only:
            return self._later(docs)
        if self.alone is None:
            return [None] * len(self.children)
        alone = sets.contains(self.alone, docs)
        return [None if out is None else out & alone for out in self._later(docs)]

    def _later(self, docs: Docs) -> list[Flags | None]:
        """For each child in which of these documents an earlier child is, too; None: in none."""
        found: list[Flags | None] = []
        taken: Flags | None = None
        for child in self.children:
            there = child.present(docs)
            out = None if taken is None else taken & there
            found.append(out if out is not None and out.any() else None)
            taken = there if taken is None else taken | there
        return found

    def placed(self, docs: Docs) -> tuple[list[Positions], list[Flags | None]]:
        """The same, without the children that do not count."""
        parts: list[Positions] = []
        counts: list[Flags | None] = []
        for child, out in zip(self.children, self.left_out(docs), strict=True):
            found = child.positions(docs)
            if found is None:
                continue
            count = None if child.skippable else child.present(docs)
            if out is not None:
                found = without(found, out)
                count = None if count is None else count & ~out
            parts.append(found)
            counts.append(None if count is None else count.view(np.uint8))
        return parts, counts

    def score(self, docs: Docs, scorer: TermScorer) -> Numbers:
        """The sum of the children's, or the highest."""
        total = np.zeros(len(docs))
        for child, out in zip(self.children, self.left_out(docs), strict=True):
            value = child.score(docs, scorer)
            if out is not None:
                value[out] = 0.0
            if scorer.highest_child:
                np.maximum(total, value, out=total)
            else:
                total += value
        return self.weight * total


def without(positions: Positions, out: Flags) -> Positions:
    """Positions without those in some documents."""
    starts, found = positions
    counts = np.diff(starts)
    kept = found[np.repeat(~out, counts)]
    counts[out] = 0
    return np.concatenate([[0], np.cumsum(counts)]), kept
