"""What is read: TS.GET, TS.RANGE, and over all series of some labels TS.MGET, TS.MRANGE and so on.

A query over labels sees the series of the client's database, and only if the client may read each
of them. Differs from Redis: there, TS.QUERYINDEX names series of all databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from balas.api import (
    ACCESS,
    READONLY,
    RW,
    UPDATE,
    Context,
    Pairs,
    Reply,
    ReplyError,
    SetReply,
    command,
    key,
)
from balas_timeseries._aggregation import NAMES, TooMany
from balas_timeseries._answers import last_of, latest_samples, ranges, series_of
from balas_timeseries._finding import Finder
from balas_timeseries._numbers import shown
from balas_timeseries.access import existing, may_read, registry_of
from balas_timeseries.options import Query, Words, parsed_query, wrong_number
from balas_timeseries.series import Series

# Readers too ask for the right to change the key, as in RedisTimeSeries.
READING = key(1, RW | ACCESS | UPDATE)
CATEGORIES = ("timeseries",)
NO_PERMISSION = (
    "NOPERM TSDB: current user doesn't have read permission to one or more keys that match the "
    "specified filter"
)
TOO_MANY = "ERR TSDB: too many buckets"
REDUCERS = frozenset(b"avg sum min max range count std.p std.s var.p var.s".split())
REDUCERS |= {b"countnan", b"countall"}


def latest_of(ctx: Context, name: bytes, series: Series) -> tuple[int, float] | None:
    """The open bucket of the rule that fills a series, as a sample."""
    if series.source is None:
        return None
    source = registry_of(ctx).series_at(ctx.db.index, series.source)
    rule = source.rule_to(name) if source is not None else None
    return rule.latest() if rule is not None else None


def last_sample(ctx: Context, name: bytes, series: Series, latest: bool) -> Reply:
    """The last sample, or the open bucket where that is asked for."""
    found = latest_of(ctx, name, series) if latest else None
    if found is None:
        if not series.samples.total:
            return []
        found = series.samples.last, series.samples.last_value
    return [found[0], found[1] if ctx.resp == 3 else shown(found[1])]


@command("TS.GET", arity=-1, flags=READONLY, keys=READING, group="module", categories=CATEGORIES)
def ts_get(ctx: Context, *arguments: bytes) -> Reply:
    """TS.GET key [LATEST]

    Return the latest sample. LATEST: for a series that a rule fills, what the rule's open bucket
    comes to so far.
    """
    if len(arguments) == 1:
        told = last_of(ctx, arguments[0], Series)
        if told is not None:
            return told
    if not 1 <= len(arguments) <= 2:
        raise wrong_number("ts.get")
    series = existing(ctx, arguments[0])
    if len(arguments) == 2 and arguments[1].upper() != b"LATEST":
        raise ReplyError("ERR TSDB: wrong 3rd argument")
    return last_sample(ctx, arguments[0], series, len(arguments) == 2)


def ranged(ctx: Context, arguments: tuple[bytes, ...], name: str, backwards: bool) -> Reply:
    """What TS.RANGE and TS.REVRANGE return."""
    if len(arguments) < 3:
        raise wrong_number(name)
    series = existing(ctx, arguments[0])
    query = parsed_query(arguments[1], arguments[2], arguments[3:], name)
    latest = latest_of(ctx, arguments[0], series) if query.latest else None
    try:
        return Finder(query, backwards).found(series, latest, ctx.resp, ctx.may_block)
    except TooMany:
        raise ReplyError(TOO_MANY) from None


@command("TS.RANGE", arity=-1, flags=READONLY, keys=READING, group="module", categories=CATEGORIES)
def ts_range(ctx: Context, *arguments: bytes) -> Reply:
    """TS.RANGE key from to [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] \
[COUNT count] [[ALIGN align] AGGREGATION aggregator bucket [BUCKETTIMESTAMP position] [EMPTY]]

    Return the samples of a span of time, or what they come to in buckets of time. Several
    aggregators, such as `avg,max`, give a value each.
    """
    return ranged(ctx, arguments, "ts.range", False)


@command(
    "TS.REVRANGE", arity=-1, flags=READONLY, keys=READING, group="module", categories=CATEGORIES
)
def ts_revrange(ctx: Context, *arguments: bytes) -> Reply:
    """TS.REVRANGE key from to [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] \
[COUNT count] [[ALIGN align] AGGREGATION aggregator bucket [BUCKETTIMESTAMP position] [EMPTY]]

    The same as TS.RANGE, the latest first.
    """
    return ranged(ctx, arguments, "ts.revrange", True)


# --- by labels -----------------------------------------------------------------------------------


def chosen(
    ctx: Context, filters: Sequence[bytes], check: bool = True
) -> list[tuple[bytes, Series]]:
    """The series that filters choose, by key in order; raises ReplyError."""
    registry = registry_of(ctx)
    labels = registry.labels(ctx.db.index)
    names = labels.select(labels.parse(filters))
    if check and not may_read(ctx, names):
        raise ReplyError(NO_PERMISSION)
    return series_of(ctx, registry, names)


class Shown:
    """Which labels a reply shows: none, all of a series, or some by name."""

    def __init__(self, words: Words) -> None:
        self.all = words.has(b"WITHLABELS")
        at = words.find(b"SELECTED_LABELS")
        self.names: list[bytes] | None = None
        if at is None:
            return
        if self.all:
            raise ReplyError("ERR TSDB: cannot accept WITHLABELS and SELECT_LABELS together")
        self.names = []
        for word in words.words[at + 1 :]:
            if word.upper() in OPTION_NAMES:
                break
            self.names.append(word)
        if not self.names:
            raise ReplyError("ERR TSDB: SELECT_LABELS should have at least 1 parameter")

    def of(self, ctx: Context, labels: Sequence[tuple[bytes, bytes]]) -> Reply:
        """The labels of a series that are to be shown."""
        pairs: list[tuple[bytes, bytes | None]] = []
        if self.all:
            pairs = list(labels)
        elif self.names is not None:
            known = dict(labels)
            pairs = [(name, known.get(name)) for name in self.names]
        return Pairs(pairs) if ctx.resp == 3 else [list(pair) for pair in pairs]


OPTION_NAMES = frozenset(
    b"WITHLABELS LATEST COUNT AGGREGATION ALIGN FILTER FILTER_BY_TS FILTER_BY_VALUE "
    b"BUCKETTIMESTAMP EMPTY GROUPBY REDUCE SELECTED_LABELS".split()
)


@command("TS.QUERYINDEX", arity=-1, flags=READONLY, group="module", categories=CATEGORIES)
def ts_queryindex(ctx: Context, *arguments: bytes) -> Reply:
    """TS.QUERYINDEX filter [filter ...]

    Return the keys of the series whose labels pass all filters.
    """
    if not arguments:
        raise wrong_number("ts.queryindex")
    names = [name for name, _ in chosen(ctx, arguments, check=False)]
    return SetReply(names) if ctx.resp == 3 else names


@command("TS.MGET", arity=-1, flags=READONLY, group="module", categories=CATEGORIES)
def ts_mget(ctx: Context, *arguments: bytes) -> Reply:
    """TS.MGET [LATEST] [WITHLABELS | SELECTED_LABELS label ...] FILTER filter [filter ...]

    Return the latest sample of each series whose labels pass all filters.
    """
    words = Words(arguments)
    at = words.find(b"FILTER")
    if at is None or at + 1 == len(arguments):
        raise wrong_number("ts.mget")
    options = Words(arguments[:at])
    show = Shown(options)
    latest = options.has(b"LATEST")
    series = chosen(ctx, arguments[at + 1 :])
    if ctx.may_block:
        return latest_samples(series, show, partial(latest_of, ctx) if latest else None, ctx.resp)
    found = [
        (name, [show.of(ctx, one.labels), last_sample(ctx, name, one, latest)])
        for name, one in series
    ]
    return Pairs(found) if ctx.resp == 3 else [[name, *parts] for name, parts in found]


def many_ranged(ctx: Context, arguments: tuple[bytes, ...], name: str, backwards: bool) -> Reply:
    """What TS.MRANGE and TS.MREVRANGE return."""
    if len(arguments) < 3:
        raise wrong_number(name)
    words = Words(arguments)
    at, group_at = words.find(b"FILTER"), words.find(b"GROUPBY")
    options = Words(arguments[2:at]) if at is not None and at >= 2 else Words(arguments[2:])
    query = parsed_query(arguments[0], arguments[1], options.words, name)
    if at is None:
        raise ReplyError("ERR TSDB: missing FILTER argument")
    if group_at is not None and group_at < at:
        raise ReplyError("ERR TSDB: GROUPBY should always come after filter")
    show = Shown(options)
    filters = arguments[at + 1 : group_at]
    if not filters:
        raise ReplyError("ERR TSDB: missing labels for filter argument")
    registry_of(ctx).labels(ctx.db.index).parse(filters)
    label, reducer = grouping(arguments[group_at:], name) if group_at is not None else (b"", b"")
    series = chosen(ctx, filters)
    try:
        if label:
            return grouped(ctx, series, query, show, label, reducer, backwards)
        return each_ranged(ctx, series, query, show, backwards)
    except TooMany:
        raise ReplyError(TOO_MANY) from None


def each_ranged(
    ctx: Context, series: list[tuple[bytes, Series]], query: Query, show: Shown, backwards: bool
) -> Reply:
    """The samples of each series."""
    kinds = list(query.aggregation.names) if query.aggregation is not None else []
    finder = Finder(query, backwards)
    latest = partial(latest_of, ctx) if query.latest else None
    if ctx.may_block:
        return ranges(finder, series, show, latest, kinds, ctx.resp)
    replies = []
    for name, one in series:
        found = finder.found(one, latest(name, one) if latest else None, ctx.resp, False)
        parts: list[Reply] = [show.of(ctx, one.labels), found]
        if ctx.resp == 3:
            parts.insert(1, {"aggregators": kinds})
        replies.append((name, parts))
    return Pairs(replies) if ctx.resp == 3 else [[name, *parts] for name, parts in replies]


def grouping(words: Sequence[bytes], name: str) -> tuple[bytes, bytes]:
    """The label and the reducer of GROUPBY label REDUCE reducer."""
    if len(words) != 4 or words[2].upper() != b"REDUCE":
        raise wrong_number(name)
    reducer = words[3].lower()
    if reducer not in REDUCERS:
        raise ReplyError("ERR TSDB: Invalid reducer type")
    return words[1], reducer


def grouped(
    ctx: Context,
    series: list[tuple[bytes, Series]],
    query: Query,
    show: Shown,
    label: bytes,
    reducer: bytes,
    backwards: bool,
) -> Reply:
    """Series that share the value of a label, reduced to one each, in the order of these values."""
    if query.aggregation is not None and len(query.aggregation.kinds) > 1:
        raise ReplyError("ERR TSDB: GROUPBY takes a single aggregator")
    groups: dict[bytes, list[tuple[bytes, Series]]] = {}
    for name, one in series:
        value = dict(reversed(one.labels)).get(label)
        if value is not None:
            groups.setdefault(value, []).append((name, one))
    finder = Finder(query)
    replies = []
    for value in sorted(groups):
        names = [name for name, _ in groups[value]]
        members = [
            (one, latest_of(ctx, name, one) if query.latest else None)
            for name, one in groups[value]
        ]
        reduced = finder.reduce(members, NAMES[reducer], backwards, ctx.resp, ctx.may_block)
        parts: list[Reply] = [reduced]
        labels: list[tuple[bytes, bytes]] = [(label, value)]
        if ctx.resp == 3:
            parts[:0] = [{"reducers": [reducer]}, {"sources": names}]
        elif show.all:
            labels += [(b"__reducer__", reducer), (b"__source__", b",".join(names))]
        replies.append((b"%b=%b" % (label, value), [show.of(ctx, labels), *parts]))
    return Pairs(replies) if ctx.resp == 3 else [[name, *parts] for name, parts in replies]


@command("TS.MRANGE", arity=-1, flags=READONLY, group="module", categories=CATEGORIES)
def ts_mrange(ctx: Context, *arguments: bytes) -> Reply:
    """TS.MRANGE from to [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] \
[WITHLABELS | SELECTED_LABELS label ...] [COUNT count] [[ALIGN align] AGGREGATION aggregator \
bucket [BUCKETTIMESTAMP position] [EMPTY]] FILTER filter [filter ...] [GROUPBY label REDUCE reducer]

    TS.RANGE of each series whose labels pass all filters; with GROUPBY, series that share a value
    of a label are reduced to one.
    """
    return many_ranged(ctx, arguments, "ts.mrange", False)


@command("TS.MREVRANGE", arity=-1, flags=READONLY, group="module", categories=CATEGORIES)
def ts_mrevrange(ctx: Context, *arguments: bytes) -> Reply:
    """TS.MREVRANGE from to [LATEST] [FILTER_BY_TS timestamp ...] [FILTER_BY_VALUE min max] \
[WITHLABELS | SELECTED_LABELS label ...] [COUNT count] [[ALIGN align] AGGREGATION aggregator \
bucket [BUCKETTIMESTAMP position] [EMPTY]] FILTER filter [filter ...] [GROUPBY label REDUCE reducer]

    The same as TS.MRANGE, the latest first.
    """
    return many_ranged(ctx, arguments, "ts.mrevrange", True)
