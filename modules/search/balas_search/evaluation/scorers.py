"""The ways of scoring. Each takes a cursor and documents, and gives a number for each of them.

The formulas are RediSearch's, and so is the single precision of their constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from balas.api import ReplyError
from balas_search.evaluation.cursors import (
    Cursor,
    Docs,
    GroupCursor,
    Numbers,
    OptionalCursor,
    TermCursor,
)
from balas_search.schema.words import shown

if TYPE_CHECKING:
    from balas_search.index.index import Index

K1 = float(np.float32(1.2))
B = 0.5


def idf_of(cursor: TermCursor) -> float:
    """How rare a term is: the whole part of a binary logarithm."""
    return idf(cursor.total, len(cursor.posting))


def idf(total: int, count: int) -> float:
    """The same of a term that so many of all documents have."""
    return float(math.frexp(1 + (total + 1) / max(count, 1))[1] - 1)


def smooth_idf_of(cursor: TermCursor) -> float:
    """How rare a term is, by BM25."""
    count = len(cursor.posting)
    odds = np.float32(max(cursor.total, count) - count + 0.5) / np.float32(count + 0.5)
    return math.log(np.float32(1) + odds)


class TfIdf:
    """Frequency times rarity."""

    highest_child = False

    def term(self, cursor: TermCursor, frequencies: Numbers, docs: Docs) -> Numbers:
        """Weight, frequency and rarity."""
        return cursor.weight * idf_of(cursor) * frequencies

    def other(self, weight: float, frequencies: Numbers, docs: Docs, numeric: bool) -> Numbers:
        """Weight and frequency."""
        return (1.0 if numeric else weight) * frequencies


class Bm25:
    """BM25, with the mean length of all documents for that of each."""

    highest_child = False

    def __init__(self, index: Index) -> None:
        self.norm = K1 * (1 - B + B * index.average_length())

    def term(self, cursor: TermCursor, frequencies: Numbers, docs: Docs) -> Numbers:
        """Rarity, and a frequency that saturates."""
        return idf_of(cursor) * frequencies / (frequencies + self.norm)

    def other(self, weight: float, frequencies: Numbers, docs: Docs, numeric: bool) -> Numbers:
        """The same without rarity."""
        return (1.0 if numeric else weight) * frequencies / (frequencies + self.norm)


class Bm25Std:
    """BM25 as it stands in books; the original leaves the weights of terms out of it."""

    highest_child = False

    def __init__(self, index: Index) -> None:
        self.lengths = index.documents.lengths
        self.average = index.average_length() or 1.0

    def saturated(self, rarity: float, frequencies: Numbers, docs: Docs) -> Numbers:
        """Rarity, and frequencies against the lengths of their documents.

        Multiplied in the order of the original, so that the last digit is its own, too.
        """
        norm = K1 * (1 - B + B * self.lengths[docs] / self.average)
        return rarity * frequencies * (K1 + 1) / (frequencies + norm)

    def term(self, cursor: TermCursor, frequencies: Numbers, docs: Docs) -> Numbers:
        """Rarity, and a frequency that saturates."""
        return self.saturated(smooth_idf_of(cursor), frequencies, docs)

    def other(self, weight: float, frequencies: Numbers, docs: Docs, numeric: bool) -> Numbers:
        """Nothing for a range, and for what is worth nothing; else as a term, without rarity."""
        if numeric or not weight:
            return np.zeros(len(docs))
        return self.saturated(1.0, frequencies, docs)


class DisMax:
    """Frequencies: the sum where all must match, the highest where one is enough."""

    highest_child = True

    def term(self, cursor: TermCursor, frequencies: Numbers, docs: Docs) -> Numbers:
        """Weight and frequency."""
        return cursor.weight * frequencies

    def other(self, weight: float, frequencies: Numbers, docs: Docs, numeric: bool) -> Numbers:
        """Weight and frequency."""
        return (1.0 if numeric else weight) * frequencies


@dataclass(frozen=True, slots=True)
class Scorer:
    """A way of scoring: `raw(index, cursor, docs, payload)`, which may then have to be divided by
    the distance between the words, which is 1 or more. With `curved` a score becomes its hyperbolic
    tangent, with `by_best` its share of the highest.
    """

    raw: Callable[[Index, Cursor, Docs, bytes], Numbers]
    by_distance: bool = False
    curved: bool = False
    by_best: bool = False

    def __call__(self, index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
        """The scores of these documents."""
        raw = self.raw(index, cursor, docs, payload)
        return raw / distances(cursor, docs) if self.by_distance else raw


def has_distances(cursor: Cursor) -> bool:
    """Whether scores have to be divided at all."""
    if isinstance(cursor, OptionalCursor):
        return has_distances(cursor.child)
    return isinstance(cursor, GroupCursor) and len(cursor.children) > 1


def distances(cursor: Cursor, docs: Docs) -> Numbers | float:
    """What scores are divided by."""
    return cursor.distance(docs) if isinstance(cursor, GroupCursor | OptionalCursor) else 1.0


def divided(one: Numbers, other: Docs) -> Numbers:
    """The quotients; a document without text is no error, but infinitely good."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(one / other)


def tfidf(index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
    """TFIDF: divided by the highest frequency in the document."""
    raw = cursor.score(docs, TfIdf()) * index.documents.scores[docs]
    return divided(raw, index.documents.frequencies[docs])


def tfidf_docnorm(index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
    """TFIDF.DOCNORM: divided by the document's length."""
    raw = cursor.score(docs, TfIdf()) * index.documents.scores[docs]
    return divided(raw, index.documents.lengths[docs])


def bm25(index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
    """BM25."""
    return cursor.score(docs, Bm25(index)) * index.documents.scores[docs]


def bm25_std(index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
    """BM25STD: places do not matter."""
    return cursor.score(docs, Bm25Std(index)) * index.documents.scores[docs]


def dismax(index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
    """DISMAX."""
    return cursor.score(docs, DisMax())


def docscore(index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
    """DOCSCORE: the document's own."""
    return index.documents.scores[docs].astype(float)


def hamming(index: Index, cursor: Cursor, docs: Docs, payload: bytes) -> Numbers:
    """HAMMING: how near the payloads are, bit by bit."""
    found = np.zeros(len(docs))
    wanted = np.frombuffer(payload, np.uint8)
    for at, doc in enumerate(docs.tolist()):
        own = index.documents.payloads.get(doc)
        if payload and own is not None and len(own) == len(payload):
            bits = np.bitwise_count(np.frombuffer(own, np.uint8) ^ wanted)
            found[at] = 1 / (int(bits.sum()) + 1)
    return found


SCORERS: dict[bytes, Scorer] = {
    b"TFIDF": Scorer(tfidf, by_distance=True),
    b"TFIDF.DOCNORM": Scorer(tfidf_docnorm, by_distance=True),
    b"BM25": Scorer(bm25, by_distance=True),
    b"BM25STD": Scorer(bm25_std),
    b"BM25STD.TANH": Scorer(bm25_std, curved=True),
    b"BM25STD.NORM": Scorer(bm25_std, by_best=True),
    b"DISMAX": Scorer(dismax),
    b"DOCSCORE": Scorer(docscore),
    b"HAMMING": Scorer(hamming),
}


def scorer_named(name: bytes) -> Scorer:
    """The scorer of that name; raises ReplyError."""
    try:
        return SCORERS[name]
    except KeyError:
        raise ReplyError(f"No such scorer {shown(name)}") from None
