"""EXPLAINSCORE: how a score came about, in RediSearch's words."""

from __future__ import annotations

import numpy as np

from balas.api import Reply
from balas_search.evaluation.cursors import (
    Cursor,
    Docs,
    GroupCursor,
    OptionalCursor,
    SetCursor,
    TermCursor,
    TermScorer,
    UnionCursor,
)
from balas_search.evaluation.scorers import (
    Bm25,
    Bm25Std,
    DisMax,
    TfIdf,
    distances,
    idf_of,
    smooth_idf_of,
)
from balas_search.index.index import Index
from balas_search.postings import sets


def explain_score(index: Index, cursor: Cursor, docs: Docs, scorer: bytes, value: float) -> Reply:
    """The explanation for the one document in `docs`."""
    doc = int(docs[0])
    own = float(index.documents.scores[doc])
    apart = int(np.ravel(distances(cursor, docs))[0])
    if scorer in (b"TFIDF", b"TFIDF.DOCNORM"):
        norm = (
            index.documents.frequencies[doc] if scorer == b"TFIDF" else index.documents.lengths[doc]
        )
        words = float(cursor.score(docs, TfIdf())[0])
        head = (
            f"Final TFIDF : words TFIDF {words:.2f} * document score {own:.2f} / norm {norm} "
            f"/ slop {apart}"
        )
        return [head, [_tfidf(cursor, docs)]]
    if scorer == b"BM25":
        model = Bm25(index)
        words = float(cursor.score(docs, model)[0])
        head = f"Final BM25 : words BM25 {words:.2f} * document score {own:.2f} / slop {apart}"
        return [head, [_bm25(cursor, docs, model, index)]]
    if scorer.startswith(b"BM25STD"):
        standard = Bm25Std(index)
        words = float(cursor.score(docs, standard)[0])
        head = f"Final BM25 : words BM25 {words:.2f} * document score {own:.2f}"
        if scorer != b"BM25STD":
            name = scorer.partition(b".")[2].decode()
            head = f"Final {name} : {value:.2f} of {words * own:.2f} : {head}"
        return [head, [_bm25_std(cursor, docs, standard, index)]]
    if scorer == b"DISMAX":
        return _dismax(cursor, docs)
    if scorer == b"HAMMING":
        return _hamming(index.documents.payloads.get(doc, b""), value)
    return f"Document's score is {own:.2f}"


def _hamming(payload: bytes, value: float) -> str:
    if not value:
        return "Payloads provided to scorer vary in length"
    return (
        f"String length is {len(payload)}. Bit count is {round(1 / value) - 1}. "
        f"Result is (1 / count + 1) = {value:.2f}"
    )


def _children(cursor: GroupCursor, docs: Docs) -> list[Cursor]:
    there = [child for child in cursor.children if child.present(docs)[0]]
    if isinstance(cursor, UnionCursor):
        alone = cursor.first_only or (
            cursor.alone is not None and bool(sets.contains(cursor.alone, docs)[0])
        )
        return there[:1] if alone else there
    return there


def _leaf(cursor: Cursor, docs: Docs) -> tuple[Cursor, float]:
    """What stands for a cursor without parts, and its weight."""
    if isinstance(cursor, OptionalCursor):
        if cursor.child.present(docs)[0]:
            return cursor.child, cursor.child.weight
        return SetCursor(docs, 0.0), 0.0
    return cursor, cursor.weight


def _value(cursor: Cursor, docs: Docs, scorer: TermScorer) -> float:
    return float(cursor.score(docs, scorer)[0])


def _tfidf(cursor: Cursor, docs: Docs) -> Reply:
    cursor, weight = _leaf(cursor, docs)
    value = _value(cursor, docs, TfIdf())
    if isinstance(cursor, TermCursor):
        count = int(cursor.frequencies(docs)[0])
        return f"(TFIDF {value:.2f} = Weight {weight:.2f} * TF {count} * IDF {idf_of(cursor):.2f})"
    if isinstance(cursor, GroupCursor):
        total = value / weight if weight else 0.0
        return [
            f"(Weight {weight:.2f} * total children TFIDF {total:.2f})",
            [_tfidf(child, docs) for child in _children(cursor, docs)],
        ]
    frequency = 0 if _is_negation(cursor) else 1
    weight = 1.0 if _is_negation(cursor) else weight
    return f"(TFIDF {value:.2f} = Weight {weight:.2f} * Frequency {frequency})"


def _is_negation(cursor: Cursor) -> bool:
    return type(cursor).__name__ == "NotCursor"


def _bm25(cursor: Cursor, docs: Docs, model: Bm25, index: Index) -> Reply:
    cursor, weight = _leaf(cursor, docs)
    value = _value(cursor, docs, model)
    length = index.average_length()
    if isinstance(cursor, TermCursor):
        count = int(cursor.frequencies(docs)[0])
        return (
            f"({value:.2f} = IDF {idf_of(cursor):.2f} * F {count} / (F {count} + k1 1.2 * "
            f"(1 - b 0.5 + b 0.5 * Average Len {length:.2f})))"
        )
    if isinstance(cursor, GroupCursor):
        return [
            f"(Weight {weight:.2f} * children BM25 {value / weight if weight else 0.0:.2f})",
            [_bm25(child, docs, model, index) for child in _children(cursor, docs)],
        ]
    if _is_negation(cursor):
        return "Frequency 0 -> value 0"
    return (
        f"({value:.2f} = Weight {weight:.2f} * F 1 / (F 1 + k1 1.2 * "
        f"(1 - b 0.5 + b 0.5 * Average Len {length:.2f})))"
    )


def _bm25_std(cursor: Cursor, docs: Docs, model: Bm25Std, index: Index) -> Reply:
    cursor, weight = _leaf(cursor, docs)
    value = _value(cursor, docs, model)
    length = int(index.documents.lengths[docs[0]])
    tail = (
        f"(1 - b 0.5 + b 0.5 * Doc Len {length} / Average Doc Len {index.average_length():.2f})))"
    )
    if isinstance(cursor, TermCursor):
        count = float(cursor.frequencies(docs)[0])
        term = cursor.posting.term.decode("utf-8", "replace")
        return (
            f"{term}: ({value:.2f} = IDF {smooth_idf_of(cursor):.2f} * (F {count:.2f} * "
            f"(k1 1.2 + 1)) / (F {count:.2f} + k1 1.2 * {tail}"
        )
    if isinstance(cursor, GroupCursor):
        return [
            f"(Weight {weight:.2f} * children BM25 {value / weight if weight else 0.0:.2f})",
            [_bm25_std(child, docs, model, index) for child in _children(cursor, docs)],
        ]
    if _is_negation(cursor) or not value:
        return "Irrelevant token -> score is 0"
    return f"*: ({value:.2f} = IDF 1.00 * (F 1.00 * (k1 1.2 + 1)) / (F 1.00 + k1 1.2 * {tail}"


def _dismax(cursor: Cursor, docs: Docs) -> Reply:
    cursor, weight = _leaf(cursor, docs)
    value = _value(cursor, docs, DisMax())
    if isinstance(cursor, GroupCursor):
        total = value / weight if weight else 0.0
        return [
            f"{value:.2f} = Weight {weight:.2f} * children DISMAX {total:.2f}",
            [_dismax(child, docs) for child in _children(cursor, docs)],
        ]
    count = int(cursor.frequencies(docs)[0]) if isinstance(cursor, TermCursor) else 1
    if _is_negation(cursor):
        count, weight = 0, 1.0
    return f"DISMAX {value:.2f} = Weight {weight:.2f} * Frequency {count}"
