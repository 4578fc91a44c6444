"""What every command that searches does: from text and options to documents and scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from balas.api import ReplyError
from balas_search.evaluation.cursors import Cursor, Docs, SetCursor, VectorCursor
from balas_search.evaluation.evaluation import Evaluation, Limits
from balas_search.evaluation.ranking import ranking_of
from balas_search.evaluation.scorers import (
    SCORERS,
    Scorer,
    distances,
    has_distances,
    scorer_named,
)
from balas_search.fields.spec import VECTOR
from balas_search.index.index import Index
from balas_search.postings.ranking import best_of_equals
from balas_search.query.expansion import expand
from balas_search.query.parser import parse
from balas_search.query.tree import (
    ALL_FIELDS,
    Affix,
    Branch,
    Keys,
    Knn,
    Node,
    Pattern,
    Phrase,
    Tag,
    Token,
    VectorRange,
)
from balas_search.results.deadline import TimeUp
from balas_search.results.options import QueryOptions
from balas_search.results.order import by_score
from balas_search.schema.words import shown

DEFAULT_SCORER = b"TFIDF"
NO_EMPTY = "Use `INDEXEMPTY` in field creation in order to index and query for empty strings"


# So many documents have their distances measured at once, while the best are looked for.
DISTANCES_BATCH = 512
# Of so many documents the distances are measured before time is looked at again.
DISTANCES_AT_ONCE = 8192
# As many of the best the compiled ranking is asked for.
RANKED_MAX = 256
# So many documents are scored before time is looked at again.
SCORED_AT_ONCE = 65536
# Of so many documents there is something to show though the time is over.
LATE_DOCS = 1024


class Found:
    """What a query has found: documents by id, how they are scored, distances of vectors.

    `late` tells that the time is over: then distances of words are measured of no more documents.
    """

    def __init__(
        self,
        docs: Docs,
        index: Index,
        cursor: Cursor,
        tree: Node,
        scorer: Scorer,
        payload: bytes,
        yielded: dict[bytes, tuple[Docs, NDArray[np.float64]]],
        tanh_factor: int = 4,
    ) -> None:
        self.docs = docs
        self.index = index
        self.cursor = cursor
        self.tree = tree
        self.scorer = scorer
        self.payload = payload
        self.yielded = yielded
        self.tanh_factor = tanh_factor
        self.late: Callable[[], bool] = lambda: False
        # Whether documents were left out because the time is over.
        self.shortened = False

    def shorten(self, count: int = LATE_DOCS) -> None:
        """Keep the first documents alone: there is no time for more."""
        if count < len(self.docs):
            self.docs = self.docs[:count]
        self.shortened = True

    def check_time(self) -> None:
        """Raise TimeUp once the time is over, unless documents were left out for it."""
        if not self.shortened and self.late():
            raise TimeUp

    def scores(self, docs: Docs | None = None) -> NDArray[np.float64]:
        """The scores of all documents found, or of some of them; raises TimeUp for all."""
        wanted = self.docs if docs is None else docs
        if isinstance(self.cursor, VectorCursor):
            return np.zeros(len(wanted))
        if docs is None:
            scores = self.raw_scores(self.scorer, wanted)
        else:
            scores = self.scorer(self.index, self.cursor, wanted, self.payload)
        if self.scorer.curved:
            return np.tanh(scores / self.tanh_factor)
        if self.scorer.by_best and len(wanted):
            alone = docs is None or len(docs) == len(self.docs)
            others = scores if alone else self.scorer(self.index, self.cursor, self.docs, b"")
            return scores / (float(others.max()) or 1.0)
        return scores

    def raw_scores(
        self, score: Callable[[Index, Cursor, Docs, bytes], NDArray[np.float64]], docs: Docs
    ) -> NDArray[np.float64]:
        """Scores of many documents, some of them at a time; raises TimeUp."""
        if len(docs) <= SCORED_AT_ONCE:
            return score(self.index, self.cursor, docs, self.payload)
        parts = []
        for begin in range(0, len(docs), SCORED_AT_ONCE):
            self.check_time()
            part = docs[begin : begin + SCORED_AT_ONCE]
            parts.append(score(self.index, self.cursor, part, self.payload))
        return np.concatenate(parts)

    def best(self, offset: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The places of the best documents, in order, and their scores.

        A score is divided by the distance of the words, which takes time. So the undivided scores,
        which are no lower, tell whose distances are worth measuring: those above the last of the
        best found so far. Raises TimeUp.
        """
        wanted = offset + count
        if self.scorer is SCORERS[b"TFIDF"] and 0 < wanted <= RANKED_MAX and len(self.docs):
            documents = self.index.documents
            if type(self.cursor) is SetCursor:
                value = 1.0 if self.cursor.numeric else self.cursor.weight
                places, scores = best_of_equals(documents, self.docs, value, wanted)
                return places[offset:], scores[offset:]
            ranking = ranking_of(self.cursor)
            if ranking is not None:
                own, highest = documents.scores, documents.frequencies
                ranked = ranking.best(self.docs, own, highest, wanted, self.check_time)
                if ranked is not None:
                    return ranked[0][offset:], ranked[1][offset:]
        if not (self.scorer.by_distance and has_distances(self.cursor)):
            scores = self.scores()
            places = by_score(scores, offset, count, self.check_time)
            return places, scores[places]
        bounds = self.raw_scores(self.scorer.raw, self.docs)
        scores = np.full(len(bounds), -np.inf)
        order = None
        if wanted * 4 > len(bounds):
            order = by_score(bounds, 0, len(bounds), self.check_time)
        batch = max(DISTANCES_BATCH, 2 * wanted)
        measured = 0
        while measured < len(bounds):
            batch = min(batch, len(bounds) - measured)
            if order is None:
                chosen = by_score(bounds, 0, measured + batch)[measured:]
            else:
                chosen = order[measured : measured + batch]
            places = np.sort(chosen)
            late = False
            for begin in range(0, len(places), DISTANCES_AT_ONCE):
                late = begin > 0 and self.late()
                if late:
                    break
                part = places[begin : begin + DISTANCES_AT_ONCE]
                scores[part] = bounds[part] / distances(self.cursor, self.docs[part])
            if late:
                break
            measured += batch
            # The best of the rest is no better than the last that was looked at.
            limit = bounds[chosen[len(chosen) - 1]]
            if measured >= wanted:
                last = np.partition(-scores, wanted - 1)[wanted - 1]
                if -last > limit or self.late():
                    break
            batch *= 4
        places = by_score(scores, offset, count)
        return places, scores[places]


def tree_of(index: Index, query: bytes, options: QueryOptions) -> Node:
    """The tree of a query as it will be evaluated; raises ReplyError."""
    root = parse(query, options.dialect, index, options.parameters, not options.no_stop_words)
    if b"''" in query or b'""' in query:
        check_empty(root, index)
    language = options.language or index.definition.language
    target = root.children[0] if isinstance(root, Knn) else root
    # The original leaves the words of a KNN's filter as they are.
    if not options.verbatim and not isinstance(root, Knn):
        target = expand(target, index, language, options.expander)
    for extra in options.filters:
        target = with_filter(target, extra)
    if options.in_keys is not None:
        target = with_filter(target, Keys(keys=tuple(options.in_keys)))
    if index.unordered_mask:
        check_order(target, index, options)
    if index.suffix_mask:
        check_suffixes(target, index.suffix_mask)
    if options.in_fields is not None:
        target.limit_to(sum({index.mask_of(name) for name in options.in_fields}))
    if isinstance(root, Knn):
        root.children = [target]
        return root
    return target


def check_order(node: Node, index: Index, options: QueryOptions) -> None:
    """Raise ReplyError if places in a field of several values are to be compared."""
    if not isinstance(node, Branch):
        return
    said = node.slop >= 0 or node.in_order is not None or options.slop >= 0 or options.in_order
    several = isinstance(node, Phrase) and not node.exact and len(node.children) > 1
    mask = node.mask & index.unordered_mask
    if said and several and mask:
        name = next(spec.name for spec in index.text_specs() if spec.mask & mask)
        raise ReplyError(
            f"slop/inorder are not supported for field `{shown(name)}` since it has undefined "
            "ordering"
        )
    for child in node.children:
        check_order(child, index, options)


def check_empty(node: Node, index: Index) -> None:
    """Raise ReplyError if fields that do not index empty texts are asked for one."""
    if isinstance(node, Tag):
        spec = index.spec_of(node.field_name)
        asked = any(isinstance(child, Token) and not child.text for child in node.children)
        if asked and spec is not None and not spec.index_empty:
            raise ReplyError(NO_EMPTY)
    elif isinstance(node, Branch):
        for child in node.children:
            check_empty(child, index)
    elif isinstance(node, Token) and not node.text and node.mask != ALL_FIELDS:
        specs = [spec for spec in index.text_specs() if spec.mask & node.mask]
        if not any(spec.index_empty for spec in specs):
            raise ReplyError(NO_EMPTY)


def check_suffixes(node: Node, mask: int) -> None:
    """Raise ReplyError if words are looked for inside where some fields alone are made for it."""
    if isinstance(node, Pattern) or (isinstance(node, Affix) and node.suffix):
        if node.mask != ALL_FIELDS and node.mask & ~mask:
            raise ReplyError("Contains query on fields without WITHSUFFIXTRIE support")
    elif isinstance(node, Branch) and not isinstance(node, Tag):
        for child in node.children:
            check_suffixes(child, mask)


def with_filter(root: Node, extra: Node) -> Node:
    """The tree with a condition beside it."""
    if isinstance(root, Phrase):
        root.children.insert(0, extra)
        return root
    return Phrase(children=[extra, root])


def run(
    index: Index,
    query: bytes,
    options: QueryOptions,
    limits: Limits,
    check_time: Callable[[], None] = lambda: None,
    tree: Node | None = None,
) -> Found:
    """Evaluate a query, whose tree may be known already; raises ReplyError."""
    scorer = scorer_named(options.scorer or DEFAULT_SCORER)
    if tree is None:
        tree = tree_of(index, query, options)
    evaluation = Evaluation(
        index, limits, slop=options.slop, in_order=options.in_order, check_time=check_time
    )
    cursor = evaluation.cursor(tree)
    docs = evaluation.documents(cursor)
    yielded = evaluation.yielded
    if index.has_vectors:
        nowhere = np.empty(0, np.uint32), np.empty(0)
        for name in distance_names(tree, index):
            yielded.setdefault(name, nowhere)
    return Found(docs, index, cursor, tree, scorer, options.payload, yielded, limits.tanh_factor)


def distance_names(node: Node, index: Index) -> list[bytes]:
    """The names under which a query tells distances, were there any."""
    if isinstance(node, Knn | VectorRange):
        spec = index.spec_of(node.field_name)
        default = b"__" + node.field_name + b"_score" if isinstance(node, Knn) else None
        name = node.distance_name or default
        found = [name] if name and spec is not None and spec.kind == VECTOR else []
    else:
        found = []
    if isinstance(node, Branch):
        for child in node.children:
            found += distance_names(child, index)
    return found
