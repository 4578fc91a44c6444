"""FT.AGGREGATE and its cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from balas.api import OK, Context, Reply, ReplyError, command, integer
from balas_search.aggregate.aggregation import (
    Aggregator,
    Outcome,
    page,
    source_for,
)
from balas_search.aggregate.cursors import DROPPED
from balas_search.aggregate.plan import AggregateOptions, parse_aggregate
from balas_search.commands.common import NAME, READING, search_module, wrong_number
from balas_search.commands.search import query_index, timing_of
from balas_search.index.index import Index
from balas_search.results.deadline import late_check
from balas_search.results.plans import AggregatePlan

if TYPE_CHECKING:
    from balas_search.module import SearchBase


def aggregate_options(
    module: SearchBase, arguments: tuple[bytes, ...], index: Index | None = None
) -> AggregateOptions:
    """What stands behind the query, which the index may know from before; raises ReplyError."""
    settings = module.query_settings
    words = b"FT.AGGREGATE", *arguments
    options = None if index is None else index.plans.find_options(words, settings)
    if options is None:
        options = parse_aggregate(
            arguments, settings.dialect, settings.aggregate_results_max, settings.cursor_idle_max_ms
        )
        if index is not None:
            index.plans.keep_options(words, settings, options)
    return options


@command("FT.AGGREGATE", arity=-1, flags=READING, keys=NAME, group="search")
def ft_aggregate(ctx: Context, *arguments: bytes) -> Reply:
    """FT.AGGREGATE index query [options ...]

    Put the documents that a query matches through steps: load, group, apply, filter, sort, limit.
    """
    if not arguments:
        raise wrong_number("FT.AGGREGATE")
    if len(arguments) < 2:
        raise ReplyError("No query string provided")
    module = search_module(ctx)
    known = module.indexes.find(arguments[0])
    words, settings = (b"FT.AGGREGATE", *arguments), module.query_settings
    plan = None if known is None else known.plans.find(words, settings)
    if plan is None:
        plan = AggregatePlan(aggregate_options(module, arguments[2:], known))
        if known is not None:
            known.plans.keep(words, settings, plan)
    index = query_index(ctx, arguments)
    aggregator = Aggregator(ctx, index, plan, module.limits(), timing_of(module))
    if not plan.options.with_cursor:
        return aggregator.reply(arguments[1])
    module.cursors.check(index, ctx.now_ms)
    return with_cursor(ctx, module, index, aggregator.outcome(arguments[1]))


def with_cursor(ctx: Context, module: SearchBase, index: Index, outcome: Outcome) -> Reply:
    """The first page, and the number of the cursor, which is 0 if that was all."""
    options, rows = outcome.options, outcome.rows
    wanted = options.cursor_rows
    if outcome.limit is not None:
        wanted = min(wanted, outcome.limit)
    first = rows.picked(np.arange(min(wanted, rows.size)))
    if wanted >= rows.size:
        first.failure = rows.failure
    reply = page(outcome, first, ctx.resp)
    if rows.size < wanted or first.failure or not wanted:
        return [reply, 0]
    rows.detach()
    idle_ms = options.cursor_idle_ms or module.query_settings.cursor_idle_max_ms
    number = module.cursors.open(index, outcome, wanted, options.cursor_rows, idle_ms, ctx.now_ms)
    return [reply, number]


@command("FT.CURSOR", arity=-1, flags=READING, group="search")
def ft_cursor(ctx: Context, *arguments: bytes) -> Reply:
    """FT.CURSOR READ|DEL|GC index cursor [COUNT count]

    Fetch the next rows of an aggregation, give up the rest of them, or forget idle cursors.
    """
    if len(arguments) < 3:
        raise wrong_number("FT.CURSOR")
    action = arguments[0].upper()
    number = integer(arguments[2], error="Bad cursor ID")
    cursors = search_module(ctx).cursors
    if action == b"READ":
        return read_cursor(ctx, number, arguments[3:])
    if action == b"DEL":
        if not cursors.close(number):
            raise ReplyError("Cursor does not exist")
        return OK
    if action == b"GC":
        return cursors.collect(ctx.now_ms)
    raise ReplyError("Unknown subcommand")


def read_cursor(ctx: Context, number: int, words: tuple[bytes, ...]) -> Reply:
    """The next page."""
    count = 0
    if len(words) > 1 and words[0].upper() == b"COUNT":
        count = integer(words[1], error="Bad value for COUNT")
    module = search_module(ctx)
    cursor = module.cursors.find(number, ctx.now_ms)
    if module.indexes.by_name.get(cursor.index.name) is not cursor.index:
        module.cursors.close(number)
        raise ReplyError(DROPPED)
    wanted = count if count > 0 else cursor.rows_each
    rows = cursor.next_rows(wanted)
    options = cursor.outcome.options
    rows.source = source_for(ctx, cursor.index, options, late_check(timing_of(module).timeout_ms))
    if rows.size < wanted:
        rows.failure = cursor.outcome.rows.failure
    reply = page(cursor.outcome, rows, ctx.resp)
    if rows.size < wanted or rows.failure:
        module.cursors.close(number)
        return [reply, 0]
    return [reply, number]
