"""FT.HYBRID: one ranking out of a search for text and a search for vectors.

Differs from RediSearch 2.10, which does not have it: this follows the command as Redis 8.4 has it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas.api import Context, Pairs, Reply, ReplyError, Status, command
from balas_search.aggregate.aggregation import source_for
from balas_search.aggregate.columns import Numbers
from balas_search.aggregate.kernels import rows_of
from balas_search.aggregate.plan import AggregateOptions, Arrange, GroupBy, Load, parse_aggregate
from balas_search.aggregate.rows import KEY, SCORE, Rows
from balas_search.aggregate.steps import Names, Pipeline
from balas_search.commands.common import NAME, READING, search_module, wrong_number
from balas_search.commands.search import query_index, timing_of
from balas_search.evaluation.cursors import Docs, SetCursor
from balas_search.fields.vector import VectorIndex
from balas_search.index.index import Index
from balas_search.query.tree import Everything, Knn, Node, Options, Phrase, VectorRange
from balas_search.results.deadline import TimeUp, late_check, raising
from balas_search.results.order import by_score
from balas_search.results.query import Found, run, tree_of
from balas_search.results.search import BEING_FILLED, TIME_IS_UP
from balas_search.schema.words import Words, shown
from balas_search.vectors.attributes import L2

DIALECT = 2
NEIGHBOURS = 10
RESULTS = 10
DISTANCE = b"__hybrid_distance"
Scores = NDArray[np.float64]


@dataclass(slots=True)
class Combination:
    """COMBINE: how the two rankings are put together.

    RRF adds 1 / (constant + rank) of the first `window` of each; LINEAR adds alpha times the score
    of the text to beta times that of the vector.
    """

    linear: bool = False
    constant: float = 60.0
    window: int = 20
    alpha: float = 0.5
    beta: float = 0.5
    name: bytes = SCORE


@dataclass(slots=True)
class HybridQuery:
    """What FT.HYBRID is told before the steps that follow."""

    text: bytes = b""
    scorer: bytes = b"BM25STD"
    text_name: bytes | None = None
    field_name: bytes = b""
    vector: bytes = b""
    count: int = NEIGHBOURS
    radius: float | None = None
    options: Options = field(default_factory=Options)
    filter: bytes | None = None
    vector_name: bytes | None = None
    combination: Combination = field(default_factory=Combination)


@command("FT.HYBRID", arity=-1, flags=READING, keys=NAME, group="search", since="8.4.0")
def ft_hybrid(ctx: Context, *arguments: bytes) -> Reply:
    """FT.HYBRID index SEARCH query VSIM @field $vector [options ...]

    Search for text and for vectors, and put both rankings together.
    """
    if len(arguments) < 6:
        raise wrong_number("FT.HYBRID")
    started = time.perf_counter()
    module = search_module(ctx)
    words = Words(arguments)
    words.take()
    query = take_query(words)
    rest = [word for word in arguments[words.at :] if word.upper() != b"NOSORT"]
    sorts = len(rest) == words.left
    settings = module.query_settings
    options = parse_aggregate(rest, DIALECT, settings.aggregate_results_max, 0)
    if options.with_cursor:
        raise ReplyError("WITHCURSOR is not supported on FT.HYBRID")
    options.dialect = max(options.dialect, DIALECT)
    index = query_index(ctx, arguments)
    index.dialects_used.add(options.dialect)
    warnings = [BEING_FILLED] if index.scanning else []
    timing = timing_of(module)
    limit_ms = timing.timeout_ms if options.timeout_ms is None else options.timeout_ms
    late = late_check(limit_ms)
    try:
        found, scores = both(index, query, options, module.limits(), late)
    except TimeUp:
        if timing.fails:
            raise ReplyError(TIME_IS_UP) from None
        return replied(0, [], [*warnings, TIME_IS_UP], started)
    rows = Rows(
        source_for(ctx, index, options, late),
        len(found.docs),
        found.docs,
        found=found,
    )
    rows.columns[SCORE] = Numbers(scores)
    name = query.combination.name
    if name != SCORE:
        rows.columns[name] = Numbers(scores)
    arrange(rows, options, found, name, sorts)
    pipeline = Pipeline(rows)
    rows = pipeline.run(options.steps)
    names, values = rows.shown()
    if rows.timed_out:
        if timing.fails:
            raise ReplyError(TIME_IS_UP)
        warnings.append(TIME_IS_UP)
    if rows.failure and not rows.size:
        raise ReplyError(rows.failure)
    made = rows_of(names, values, rows.size, ctx.resp != 3)
    shown_rows = [Pairs(row) for row in made] if ctx.resp == 3 else list(made)
    total = pipeline.total
    return replied(total, shown_rows, warnings, started)


def replied(total: int, rows: list[Any], warnings: list[str], started: float) -> Reply:
    """The reply: a map, which RESP2 shows as a list."""
    taken_ms = (time.perf_counter() - started) * 1000
    return Pairs(
        [
            (Status("total_results"), total),
            (Status("results"), rows),
            (Status("warnings"), [*warnings]),
            (Status("execution_time"), taken_ms),
        ]
    )


def arrange(rows: Rows, options: AggregateOptions, found: Found, name: bytes, sorts: bool) -> None:
    """What is shown where nothing is said: key and score of the ten best."""
    loads = any(isinstance(step, Load) for step in options.steps)
    if not options.steps or all(isinstance(step, Arrange) for step in options.steps):
        rows.add_load(KEY, KEY)
    if not loads:
        rows.use(name)
    for extra in found.yielded:
        rows.use(extra)
    last = next((step for step in options.steps if isinstance(step, Arrange)), None)
    Names(rows.source.index, [*found.yielded, SCORE, name, KEY]).check(options.steps)
    if last is None:
        last = Arrange()
        options.steps.append(last)
    if last.keys is None and sorts and rows.docs is not None and name in rows.columns:
        grouped = any(isinstance(step, GroupBy) for step in options.steps)
        if not grouped:
            last.keys = [(name, True)]
    if last.count is None:
        last.count = RESULTS


# --- the two searches ----------------------------------------------------------------------------


def both(
    index: Index, query: HybridQuery, options: AggregateOptions, limits: Any, late: Any
) -> tuple[Found, Scores]:
    """The documents of both searches, sorted by id, and their combined scores; raises TimeUp."""
    check_time = raising(late)
    options.scorer = query.scorer
    text = run(index, query.text, options, limits, check_time)
    text.late = late
    text_scores = text.scores()
    tree = vector_tree(index, query, options)
    check_time()
    near = run(index, b"*", options, limits, check_time, tree)
    check_time()
    near_docs, distances = near.yielded.get(DISTANCE, (np.empty(0, np.uint32), np.empty(0)))
    near_scores = similarities(index, query.field_name, distances)
    combination = query.combination
    parts = []
    for docs, scores in ((text.docs, text_scores), (near_docs, near_scores)):
        places = by_score(scores, 0, combination.window)
        if combination.linear:
            parts.append((docs[places], scores[places]))
        else:
            ranks = np.arange(1, len(places) + 1)
            parts.append((docs[places], 1 / (combination.constant + ranks)))
    weights = (combination.alpha, combination.beta) if combination.linear else (1.0, 1.0)
    docs = np.union1d(parts[0][0], parts[1][0]).astype(np.uint32)
    combined = np.zeros(len(docs))
    for (own, values), weight in zip(parts, weights, strict=True):
        combined[np.searchsorted(docs, own)] += weight * values
    yielded: dict[bytes, tuple[Docs, Scores]] = {}
    if query.text_name is not None:
        yielded[query.text_name] = text.docs, text_scores
    if query.vector_name is not None:
        yielded[query.vector_name] = near_docs, near_scores
    return (
        Found(docs, index, SetCursor(docs), text.tree, text.scorer, options.payload, yielded),
        combined,
    )


def vector_tree(index: Index, query: HybridQuery, options: AggregateOptions) -> Node:
    """The tree of the search for vectors."""
    if not query.vector.startswith(b"$"):
        raise ReplyError("Invalid vector argument, expected a parameter")
    if query.vector[1:] not in options.parameters:
        raise ReplyError(f"No such parameter `{shown(query.vector[1:])}`")
    if not isinstance(index.fields.get(query.field_name), VectorIndex):
        raise ReplyError(f"Unknown field `{shown(query.field_name)}`")
    vector = options.parameters[query.vector[1:]]
    filtered = Everything() if query.filter is None else tree_of(index, query.filter, options)
    if query.radius is None:
        return Knn(
            children=[filtered],
            field_name=query.field_name,
            count=query.count,
            vector=vector,
            options=query.options,
            distance_name=DISTANCE,
        )
    within = VectorRange(
        field_name=query.field_name,
        radius=query.radius,
        vector=vector,
        options=query.options,
        distance_name=DISTANCE,
    )
    if query.filter is None:
        return within
    within.distance_name = None
    # Of the documents in the radius those that the filter leaves.
    return Knn(
        children=[Phrase(children=[filtered, within])],
        field_name=query.field_name,
        count=len(index.documents),
        vector=vector,
        distance_name=DISTANCE,
    )


def similarities(index: Index, name: bytes, distances: Scores) -> Scores:
    """Scores of distances: the nearer, the higher, 1 at most for equal vectors."""
    found = index.fields[name]
    assert isinstance(found, VectorIndex)
    return 1 / (1 + distances) if found.kind.metric == L2 else (2 - distances) / 2


# --- arguments -----------------------------------------------------------------------------------


def take_query(words: Words) -> HybridQuery:
    """SEARCH, VSIM and COMBINE; raises ReplyError."""
    made = HybridQuery()
    if not words.eat(b"SEARCH"):
        raise ReplyError("SEARCH argument is required")
    made.text = words.take("SEARCH")
    while words.more and words.peek() != b"VSIM":
        if words.eat(b"SCORER"):
            made.scorer = words.take("SCORER")
        elif words.eat(b"YIELD_SCORE_AS"):
            made.text_name = words.take("YIELD_SCORE_AS")
        else:
            raise ReplyError(f"Unknown argument `{shown(words.take())}` in SEARCH")
    if not words.eat(b"VSIM"):
        raise ReplyError("VSIM argument is required")
    name = words.take("VSIM")
    if not name.startswith(b"@"):
        raise ReplyError(f"Missing @ prefix for vector field name (got `{shown(name)}`)")
    made.field_name = name[1:]
    made.vector = words.take("VSIM")
    while words.more:
        if words.eat(b"KNN"):
            take_knn(made, words)
        elif words.eat(b"RANGE"):
            take_range(made, words)
        elif words.eat(b"FILTER"):
            made.filter = words.take("FILTER")
        elif words.eat(b"YIELD_SCORE_AS"):
            made.vector_name = words.take("YIELD_SCORE_AS")
        else:
            break
    if words.eat(b"COMBINE"):
        made.combination = take_combination(words)
    return made


def take_knn(made: HybridQuery, words: Words) -> None:
    """KNN n K k EF_RUNTIME e YIELD_SCORE_AS name."""
    given = Words(words.take_list("KNN"))
    while given.more:
        if given.eat(b"K"):
            made.count = given.take_count("K", 1)
        elif given.eat(b"EF_RUNTIME"):
            made.options[b"EF_RUNTIME"] = given.take("EF_RUNTIME")
        elif given.eat(b"YIELD_SCORE_AS"):
            made.vector_name = given.take("YIELD_SCORE_AS")
        else:
            raise ReplyError(f"Unknown argument `{shown(given.take())}` in KNN")


def take_range(made: HybridQuery, words: Words) -> None:
    """RANGE n RADIUS r EPSILON e YIELD_SCORE_AS name."""
    given = Words(words.take_list("RANGE"))
    while given.more:
        if given.eat(b"RADIUS"):
            made.radius = given.take_number("RADIUS")
        elif given.eat(b"EPSILON"):
            made.options[b"EPSILON"] = given.take("EPSILON")
        elif given.eat(b"YIELD_SCORE_AS"):
            made.vector_name = given.take("YIELD_SCORE_AS")
        else:
            raise ReplyError(f"Unknown argument `{shown(given.take())}` in RANGE")
    if made.radius is None:
        raise ReplyError("Missing required argument RADIUS")


def take_combination(words: Words) -> Combination:
    """COMBINE RRF n ... or COMBINE LINEAR n ..."""
    made = Combination()
    if words.eat(b"LINEAR"):
        made.linear = True
    elif not words.eat(b"RRF"):
        raise ReplyError(f"Unknown combination method `{shown(words.take('COMBINE'))}`")
    given = Words(words.take_list("COMBINE"))
    while given.more:
        if given.eat(b"WINDOW"):
            made.window = given.take_count("WINDOW", 1)
        elif not made.linear and given.eat(b"CONSTANT"):
            made.constant = given.take_number("CONSTANT")
        elif made.linear and given.eat(b"ALPHA"):
            made.alpha = given.take_number("ALPHA")
        elif made.linear and given.eat(b"BETA"):
            made.beta = given.take_number("BETA")
        elif given.eat(b"YIELD_SCORE_AS"):
            made.name = given.take("YIELD_SCORE_AS")
        else:
            raise ReplyError(f"Unknown argument `{shown(given.take())}` in COMBINE")
    return made
