"""FT.PROFILE: a query with how it was evaluated, and how long it took."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from balas.api import Context, Pairs, Reply, ReplyError, Status, command
from balas_search.aggregate.aggregation import Aggregator, page
from balas_search.commands.aggregate import aggregate_options
from balas_search.commands.common import NAME, READING, search_module, wrong_number
from balas_search.commands.search import timing_of
from balas_search.evaluation.cursors import (
    Cursor,
    IntersectionCursor,
    NotCursor,
    OptionalCursor,
    SetCursor,
    TermCursor,
    UnionCursor,
    VectorCursor,
)
from balas_search.query.tree import (
    Affix,
    Fuzzy,
    Geo,
    Keys,
    Missing,
    Node,
    Numeric,
    Pattern,
    Shape,
    Tag,
)
from balas_search.results.options import parse_search
from balas_search.results.plans import AggregatePlan, Plan
from balas_search.results.query import Found
from balas_search.results.search import TIME_IS_UP, Searcher
from balas_search.results.search import Timing as Limit
from balas_search.schema.words import shown

if TYPE_CHECKING:
    from balas_search.module import SearchBase

# What sets of documents are called by what was asked for, unless they have terms.
SET_KINDS: dict[type, str] = {Keys: "ID-LIST", Shape: "GEOSHAPE", Missing: "MISSING"}


@dataclass(slots=True)
class Timing:
    """How long each stage took, in ms, and whether it was longer than a query may take."""

    parsing_ms: float
    total_ms: float
    is_late: bool


@command("FT.PROFILE", arity=-1, flags=READING, keys=NAME, group="search")
def ft_profile(ctx: Context, *arguments: bytes) -> Reply:
    """FT.PROFILE index SEARCH|AGGREGATE [LIMITED] QUERY query [options ...]

    Run a query, and show how it was evaluated. With LIMITED long lists of terms are left out.
    """
    if len(arguments) < 4:
        raise wrong_number("FT.PROFILE")
    kind = arguments[1].upper()
    if kind not in (b"SEARCH", b"AGGREGATE"):
        raise ReplyError("No `SEARCH` or `AGGREGATE` provided")
    limited = arguments[2].upper() == b"LIMITED"
    rest = arguments[3:] if limited else arguments[2:]
    if not rest or rest[0].upper() != b"QUERY":
        raise ReplyError("The QUERY keyword is expected")
    if len(rest) < 2:
        raise wrong_number("FT.PROFILE")
    profile = profile_search if kind == b"SEARCH" else profile_aggregate
    return profile(ctx, arguments[0], rest[1], rest[2:], limited)


def profile_search(
    ctx: Context, name: bytes, query: bytes, arguments: tuple[bytes, ...], limited: bool
) -> Reply:
    """A search, and how it went."""
    started = time.perf_counter()
    module = search_module(ctx)
    options = parse_search(
        arguments,
        module.setting("search-default-dialect"),
        module.setting("search-max-search-results"),
    )
    index = module.indexes.for_query(name)
    parsing_ms = (time.perf_counter() - started) * 1000
    searcher = Searcher(ctx, index, Plan(options), module.limits(), lenient(module))
    reply = searcher.reply(query)
    late = TIME_IS_UP in searcher.warnings
    timing = Timing(parsing_ms, (time.perf_counter() - started) * 1000, late)
    count = 0 if searcher.found is None else len(searcher.found.docs)
    steps = steps_of(searcher, count)
    return reported(reply, searcher.found, steps, timing, limited, ctx.resp)


def steps_of(searcher: Searcher, count: int) -> list[tuple[str, int]]:
    """What was done with the documents found, and how many each stage let through."""
    options = searcher.options
    if not options.count:
        return [("Index", count), ("Counter", 1)]
    steps = [(kind, count) for kind in searcher.stages()]
    # The sorter lets through no more than the page, and what comes before it.
    sorter = steps.index(("Sorter", count))
    last = min(count, options.offset + options.count)
    done = [*steps[:sorter], ("Sorter", last)]
    if options.offset:
        last = max(last - options.offset, 0)
        done.append(("Pager/Limiter", last))
    return done + [(kind, last) for kind, _ in steps[sorter + 1 :]]


def lenient(module: SearchBase) -> Limit:
    """How long a query may take; none fails for it, so that there is something to report."""
    return replace(timing_of(module), fails=False)


def profile_aggregate(
    ctx: Context, name: bytes, query: bytes, arguments: tuple[bytes, ...], limited: bool
) -> Reply:
    """An aggregation, and how it went."""
    started = time.perf_counter()
    module = search_module(ctx)
    options = aggregate_options(module, arguments)
    if options.with_cursor:
        raise ReplyError("FT.PROFILE does not support cursor")
    index = module.indexes.for_query(name)
    parsing_ms = (time.perf_counter() - started) * 1000
    aggregator = Aggregator(ctx, index, AggregatePlan(options), module.limits(), lenient(module))
    outcome = aggregator.outcome(query)
    reply = page(outcome, outcome.rows, ctx.resp)
    late = outcome.rows.timed_out or TIME_IS_UP in outcome.warnings
    timing = Timing(parsing_ms, (time.perf_counter() - started) * 1000, late)
    steps = aggregator.stages()
    return reported(reply, aggregator.found, steps, timing, limited, ctx.resp)


def reported(
    reply: Reply,
    found: Found | None,
    steps: list[tuple[str, int]],
    timing: Timing,
    limited: bool,
    resp: int,
) -> Reply:
    """The reply to a query with the report on it."""
    report = _report(found, steps, timing, limited, resp)
    if resp == 3:
        assert isinstance(reply, dict)
        return {**reply, Status("profile"): report}
    return [reply, report]


def _report(
    found: Found | None, stages: list[tuple[str, int]], timing: Timing, limited: bool, resp: int
) -> Reply:
    """The report itself."""
    empty = Pairs(
        [(Status("Type"), Status("EMPTY")), (Status("Time"), 0.0), (Status("Counter"), 0)]
    )
    tree = empty if found is None else describe(found.cursor, limited, resp)
    steps = [processor(kind, count) for kind, count in stages]
    pairs: list[tuple[Reply, Reply]] = [
        (Status("Total profile time"), timing.total_ms),
        (Status("Parsing time"), timing.parsing_ms),
        (Status("Pipeline creation time"), 0.0),
    ]
    if resp == 3:
        return Pairs(
            [
                *pairs,
                (Status("Warning"), Status(TIME_IS_UP if timing.is_late else "None")),
                (Status("Iterators profile"), [tree]),
                (Status("Result processors profile"), steps),
            ]
        )
    return [
        *[list(pair) for pair in pairs],
        [Status("Warning"), *([Status(TIME_IS_UP)] if timing.is_late else [])],
        [Status("Iterators profile"), tree],
        [Status("Result processors profile"), *steps],
    ]


def processor(kind: str, count: int) -> Reply:
    """One stage after the evaluation."""
    return Pairs(
        [(Status("Type"), Status(kind)), (Status("Time"), 0.0), (Status("Counter"), count)]
    )


def describe(cursor: Cursor, limited: bool, resp: int) -> Reply:
    """A cursor and those below it."""
    count = len(cursor.docs)
    counted: list[tuple[Reply, Reply]] = [(Status("Time"), 0.0), (Status("Counter"), count)]
    if isinstance(cursor, TermCursor):
        kind = "TAG" if not cursor.posting.offsets_bytes() else "TEXT"
        return Pairs(
            [
                *head_of(kind, shown(cursor.posting.term)),
                *counted,
                (Status("Size"), len(cursor.posting)),
            ]
        )
    if isinstance(cursor, UnionCursor):
        if not cursor.children:
            return Pairs([*head_of("EMPTY"), *counted])
        head = [*head_of("UNION"), (Status("Query type"), Status(origin(cursor.node)))]
        if limited and cursor.node is not None:
            text = f"The number of iterators in the union is {len(cursor.children)}"
            return Pairs([*head, *counted, (Status("Child iterators"), Status(text))])
        return _with_children([*head, *counted], list(cursor.children), limited, resp)
    if isinstance(cursor, IntersectionCursor):
        head = [*head_of("INTERSECT"), *counted]
        return _with_children(head, list(cursor.children), limited, resp)
    if isinstance(cursor, OptionalCursor | NotCursor):
        kind = "OPTIONAL" if isinstance(cursor, OptionalCursor) else "NOT"
        child = describe(cursor.child, limited, resp)
        return Pairs([*head_of(kind), *counted, (Status("Child iterator"), child)])
    if isinstance(cursor, VectorCursor):
        kind = "METRIC - VECTOR DISTANCE" if cursor.is_range else "VECTOR"
        head = [*head_of(kind), *counted]
        if cursor.batches:
            head.append((Status("Batches number"), cursor.batches))
        if cursor.child is not None:
            head.append((Status("Child iterator"), describe(cursor.child, limited, resp)))
        return Pairs(head)
    assert isinstance(cursor, SetCursor)
    if not count:
        return Pairs([*head_of("EMPTY"), *counted])
    node = cursor.node
    if isinstance(node, Numeric):
        term = f"{node.low:g} - {node.high:g}"
        return Pairs([*head_of("NUMERIC", term), *counted, (Status("Size"), count)])
    if isinstance(node, Geo):
        place = f"{node.longitude:g},{node.latitude:g}"
        term = f"{place} - {node.radius:g} {shown(node.unit)}"
        return Pairs([*head_of("GEO", term), *counted, (Status("Size"), count)])
    return Pairs([*head_of(SET_KINDS.get(type(node), "WILDCARD")), *counted])


def head_of(kind: str, term: str | None = None) -> list[tuple[Reply, Reply]]:
    """What the description of a cursor begins with."""
    head: list[tuple[Reply, Reply]] = [(Status("Type"), Status(kind))]
    return head if term is None else [*head, (Status("Term"), Status(term))]


def origin(node: Node | None) -> str:
    """What a union stands for."""
    if isinstance(node, Affix):
        return f"PREFIX - {shown(node.text)}"
    if isinstance(node, Pattern):
        return f"WILDCARD - {shown(node.text)}"
    if isinstance(node, Fuzzy):
        return f"FUZZY - {shown(node.text)}"
    return "TAG" if isinstance(node, Tag) else "UNION"


def _with_children(
    head: list[tuple[Reply, Reply]], children: list[Cursor], limited: bool, resp: int
) -> Reply:
    below = [describe(child, limited, resp) for child in children]
    if resp == 3:
        return Pairs([*head, (Status("Child iterators"), below)])
    return [part for pair in head for part in pair] + [Status("Child iterators"), *below]
