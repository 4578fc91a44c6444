"""FT.AGGREGATE, once its arguments are read: find, put rows through steps, reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from balas.api import Context, Pairs, Reply, ReplyError, Status
from balas_search.aggregate.columns import Numbers
from balas_search.aggregate.expressions import described
from balas_search.aggregate.kernels import rows_of
from balas_search.aggregate.plan import (
    AggregateOptions,
    Apply,
    Arrange,
    GroupBy,
    Keep,
    Load,
    LoadAll,
    Step,
)
from balas_search.aggregate.rows import SCORE, Rows, Source
from balas_search.aggregate.steps import Names, Pipeline, labels_of
from balas_search.evaluation.evaluation import Limits
from balas_search.index.index import Index
from balas_search.results.deadline import TimeUp, late_check, until
from balas_search.results.loading import Loader
from balas_search.results.plans import AggregatePlan
from balas_search.results.query import Found, run
from balas_search.results.search import BEING_FILLED, TIME_IS_UP, Timing

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Outcome:
    """Rows that are ready to be shown, and what is said about them."""

    rows: Rows
    total: int
    options: AggregateOptions
    warnings: list[str] = field(default_factory=list)
    # The rows of the first reply of a cursor are no more than the last LIMIT says.
    limit: int | None = None
    # Whether it is an error that the time is over.
    fails_late: bool = False


class Aggregator:
    """One FT.AGGREGATE."""

    def __init__(
        self,
        ctx: Context,
        index: Index,
        plan: AggregatePlan,
        limits: Limits,
        timing: Timing,
    ) -> None:
        self.ctx = ctx
        self.index = index
        self.plan = plan
        self.options = plan.options
        self.limits = limits
        self.timing = timing
        self.found: Found | None = None
        self.pipeline: Pipeline | None = None
        given_ms = plan.options.timeout_ms
        timeout_ms = timing.timeout_ms if given_ms is None else given_ms
        self.check_time = until(timeout_ms)
        self.late = late_check(timeout_ms)

    def outcome(self, query: bytes) -> Outcome:
        """Everything but the reply; raises ReplyError."""
        options, index = self.options, self.index
        if options.expand_format:
            if self.ctx.resp != 3:
                raise ReplyError("EXPAND format is only supported with RESP3")
            if not index.definition.on_json:
                raise ReplyError("EXPAND format is only supported with JSON")
        index.dialects_used.add(options.dialect)
        warnings = [BEING_FILLED] if index.scanning else []
        try:
            found = run(index, query, options, self.limits, self.check_time, self.plan.tree)
        except TimeUp:
            if self.timing.fails:
                raise ReplyError(TIME_IS_UP) from None
            return Outcome(Rows(self.source(), 0), 0, options, [*warnings, TIME_IS_UP])
        self.found = found
        found.late = self.late
        self.plan.tree = found.tree
        rows = Rows(self.source(), len(found.docs), found.docs, found=found)
        for name in (*found.yielded, *([SCORE] if options.add_scores else [])):
            rows.use(name)
        if options.add_scores or options.with_scores:
            try:
                scores = found.scores()
            except TimeUp:
                rows.shorten()
                found.shorten(rows.size)
                scores = found.scores()
            rows.columns[SCORE] = Numbers(scores)
        known = [*found.yielded, *([SCORE] if options.add_scores else [])]
        Names(index, known).check(options.steps)
        self.pipeline = Pipeline(rows)
        rows = self.pipeline.run(options.steps)
        arranged = [step.count for step in options.steps if isinstance(step, Arrange)]
        limit = arranged[-1] if arranged else None
        return Outcome(rows, self.pipeline.total, options, warnings, limit, self.timing.fails)

    def source(self) -> Source:
        """Where documents are read."""
        return source_for(self.ctx, self.index, self.options, self.late)

    def reply(self, query: bytes) -> Reply:
        """The reply to a query without a cursor; raises ReplyError."""
        outcome = self.outcome(query)
        return page(outcome, outcome.rows, self.ctx.resp)

    def stages(self) -> list[tuple[str, int]]:
        """What was done, and how many rows each stage let through, as FT.PROFILE tells it."""
        options, pipeline = self.options, self.pipeline
        count = 0 if self.found is None else len(self.found.docs)
        made = [("Index", count)]
        if options.add_scores or options.with_scores:
            made.append(("Scorer", count))
        known = {spec.name for spec in self.index.specs if spec.sortable}
        for step, left in zip(options.steps, pipeline.counts if pipeline else (), strict=False):
            made += [(kind, left) for kind in stages_of(step, known)]
        return made


def stages_of(step: Step, known: set[bytes]) -> list[str]:
    """What one step is called. Names that are not `known` are loaded, and added."""
    if isinstance(step, Load):
        stages = loader_for([path for path, _ in step.fields], known)
        known.update(label for _, label in step.fields)
        return stages
    if isinstance(step, LoadAll):
        return ["Loader"]
    if isinstance(step, Apply):
        known.add(step.label)
        return [f"Projector - {described(step.expression.root)}"]
    if isinstance(step, Keep):
        return [f"Filter - {described(step.expression.root)}"]
    if isinstance(step, GroupBy):
        read = [name for reducer in step.reducers for name in reducer.properties()]
        stages = [*loader_for([*step.properties, *read], known), "Grouper"]
        known.update(labels_of(step))
        return stages
    if step.count == 0:
        return ["Counter"]
    made = []
    if step.keys is not None:
        made += [*loader_for([name for name, _ in step.keys], known), "Sorter"]
    if step.count is not None and (step.keys is None or step.offset):
        made.append("Pager/Limiter")
    return made


def loader_for(names: list[bytes], known: set[bytes]) -> list[str]:
    """A loader, if any of some fields is yet to be read."""
    if known.issuperset(names):
        return []
    known.update(names)
    return ["Loader"]


def source_for(
    ctx: Context, index: Index, options: AggregateOptions, late: Callable[[], bool]
) -> Source:
    """Where documents are read for a command."""
    loader = Loader(
        index, ctx.peek_any, ctx.read_fields, ctx.now_ms, options.dialect, options.expand_format
    )
    return Source(index, loader, ctx.read_fields, late)


def page(outcome: Outcome, rows: Rows, resp: int) -> Reply:
    """Some rows as a reply; raises ReplyError if the first of them has no value."""
    options = outcome.options
    scores = scores_of(rows, resp) if options.with_scores else None
    names: list[bytes] = []
    values: list[list[Any]] = []
    if options.no_content:
        rows.settle()
    else:
        names, values = rows.shown()
    if rows.timed_out and outcome.fails_late:
        raise ReplyError(TIME_IS_UP)
    if rows.failure and not rows.size:
        raise ReplyError(rows.failure)
    made = rows_of(names, values, rows.size, resp != 3)
    if resp == 3:
        return as_map(outcome, rows, made, scores)
    reply: list[Reply] = [outcome.total]
    if options.no_content:
        return reply
    if scores is None:
        reply += made
    else:
        for score, row in zip(scores, made, strict=False):
            reply += [score, row]
    return reply


def scores_of(rows: Rows, resp: int) -> list[Reply]:
    """The scores that WITHSCORES shows; null for groups."""
    column = rows.columns.get(SCORE)
    if column is None:
        return [None] * rows.size
    return list(column.items() if resp == 3 else column.replies())


def as_map(
    outcome: Outcome, rows: Rows, made: list[list[tuple[Reply, Reply]]], scores: list[Reply] | None
) -> Reply:
    """The reply in RESP3."""
    options = outcome.options
    results: list[Reply] = []
    for place, row in enumerate(made):
        parts: list[tuple[Reply, Reply]] = []
        if scores is not None:
            parts.append((Status("score"), scores[place]))
        if not options.no_content:
            parts.append((Status("extra_attributes"), Pairs(row)))
        parts.append((Status("values"), []))
        results.append(Pairs(parts))
    warnings = list(outcome.warnings)
    if rows.timed_out:
        warnings.append(TIME_IS_UP)
    if rows.failure:
        warnings.append(rows.failure)
    return {
        Status("attributes"): [],
        Status("total_results"): outcome.total,
        Status("format"): Status("EXPAND" if options.expand_format else "STRING"),
        Status("results"): results,
        Status("warning"): [Status(warning) for warning in warnings],
    }
