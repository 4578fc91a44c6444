"""FT.SEARCH and what shows how a query is understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balas.api import Context, Reply, ReplyError, Status, command
from balas_search.commands.common import NAME, READING, search_module, wrong_number
from balas_search.index.index import Index
from balas_search.query.explain import explain
from balas_search.results.options import SearchOptions, parse_search
from balas_search.results.plans import Plan
from balas_search.results.query import tree_of
from balas_search.results.search import Searcher, Timing
from balas_search.schema.words import shown

if TYPE_CHECKING:
    from balas_search.module import QuerySettings, SearchBase


def query_index(ctx: Context, arguments: tuple[bytes, ...]) -> Index:
    """The index that a query names; raises ReplyError."""
    return search_module(ctx).indexes.for_query(arguments[0])


@command("FT.SEARCH", arity=-1, flags=READING, keys=NAME, group="search")
def ft_search(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SEARCH index query [options ...]

    The documents that a query matches, the best first, with what they hold.
    """
    if not arguments:
        raise wrong_number("FT.SEARCH")
    module = search_module(ctx)
    if len(arguments) < 2:
        raise ReplyError("No query string provided")
    settings = module.query_settings
    known = module.indexes.find(arguments[0])
    plan: Plan | None = None
    if known is not None:
        plan = known.plans.find_nearest(arguments, settings)
        if plan is None:
            plan = known.plans.find(arguments, settings)
    new = plan is None
    if plan is None:
        plan = Plan(options_of(known, arguments[2:], settings))
        if known is not None:
            known.plans.keep(arguments, settings, plan)
    index = module.indexes.for_query(arguments[0])
    searcher = Searcher(ctx, index, plan, settings.limits, settings.timing)
    reply = searcher.reply(arguments[1], short_ways=True)
    if new:
        index.plans.keep_nearest(arguments, settings, plan)
    return reply


def options_of(
    index: Index | None, words: tuple[bytes, ...], settings: QuerySettings
) -> SearchOptions:
    """What stands behind a query; raises ReplyError."""
    options = None if index is None else index.plans.find_options(words, settings)
    if options is None:
        options = parse_search(words, settings.dialect, settings.search_results_max)
        if index is not None:
            index.plans.keep_options(words, settings, options)
    return options


def timing_of(module: SearchBase) -> Timing:
    """How long queries may take."""
    return module.query_settings.timing


def explained(ctx: Context, arguments: tuple[bytes, ...]) -> str:
    """The tree of a query in words."""
    module = search_module(ctx)
    index = query_index(ctx, arguments)
    options = parse_search(
        arguments[2:],
        module.setting("search-default-dialect"),
        module.setting("search-max-search-results"),
    )
    tree = tree_of(index, arguments[1], options)
    return explain(tree, [shown(spec.name) for spec in index.text_specs()])


@command("FT.EXPLAIN", arity=-1, flags=READING, keys=NAME, group="search")
def ft_explain(ctx: Context, *arguments: bytes) -> Reply:
    """FT.EXPLAIN index query [DIALECT dialect]

    How a query is understood.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.EXPLAIN")
    return explained(ctx, arguments).encode("utf-8", "surrogateescape")


@command("FT.EXPLAINCLI", arity=-1, flags=READING, keys=NAME, group="search")
def ft_explain_cli(ctx: Context, *arguments: bytes) -> Reply:
    """FT.EXPLAINCLI index query [DIALECT dialect]

    How a query is understood, line by line.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.EXPLAINCLI")
    return [Status(line) for line in explained(ctx, arguments).split("\n")]
