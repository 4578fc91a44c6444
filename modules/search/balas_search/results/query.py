"""What every command that searches does: from text and options to documents and scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from balas_search.evaluation.cursors import Cursor, Docs
from balas_search.evaluation.evaluation import Evaluation, Limits
from balas_search.evaluation.scorers import scorer_named
from balas_search.index.index import Index
from balas_search.query.expansion import expand
from balas_search.query.parser import parse
from balas_search.query.tree import Keys, Knn, Node, Phrase
from balas_search.results.options import QueryOptions

DEFAULT_SCORER = b"TFIDF"


@dataclass(slots=True)
class Found:
    """What a query has found: documents by id, their scores if they were asked for, distances."""

    docs: Docs
    scores: NDArray[np.float64] | None
    cursor: Cursor
    tree: Node
    yielded: dict[bytes, tuple[Docs, NDArray[np.float64]]] = field(default_factory=dict)


def tree_of(index: Index, query: bytes, options: QueryOptions) -> Node:
    """The tree of a query as it will be evaluated; raises ReplyError."""
    root = parse(
        query, options.dialect, index, options.parameters, not options.no_stop_words
    )
    if options.in_fields is not None:
        mask = 0
        for name in options.in_fields:
            mask |= index.mask_of(name)
        root.limit_to(mask)
    language = options.language or index.definition.language
    target = root.children[0] if isinstance(root, Knn) else root
    if not options.verbatim:
        target = expand(target, index, language, options.expander)
    for extra in options.filters:
        target = with_filter(target, extra)
    if options.in_keys is not None:
        target = with_filter(target, Keys(keys=tuple(options.in_keys)))
    if isinstance(root, Knn):
        root.children = [target]
        return root
    return target


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
    with_scores: bool,
    check_time: Callable[[], None] = lambda: None,
) -> Found:
    """Evaluate a query; raises ReplyError."""
    scorer = scorer_named(options.scorer or DEFAULT_SCORER)
    tree = tree_of(index, query, options)
    evaluation = Evaluation(
        index, limits, slop=options.slop, in_order=options.in_order, check_time=check_time
    )
    cursor = evaluation.cursor(tree)
    docs = evaluation.documents(cursor)
    check_time()
    scores = scorer(index, cursor, docs, options.payload) if with_scores else None
    return Found(docs, scores, cursor, tree, evaluation.yielded)
