"""Rules: TS.CREATERULE and TS.DELETERULE."""

from __future__ import annotations

from balas.api import (
    ACCESS,
    DENYOOM,
    OK,
    RW,
    UPDATE,
    WRITE,
    Context,
    Reply,
    ReplyError,
    command,
    integer,
    key,
)
from balas_timeseries.access import changeable, registry_of
from balas_timeseries.compaction import Compaction
from balas_timeseries.options import parsed_kind, parsed_width, wrong_number
from balas_timeseries.rule import Rule
from balas_timeseries.series import TIME_MAX

WRITING = key(1, RW | ACCESS | UPDATE)
CATEGORIES = ("timeseries",)
NO_RULE = "ERR TSDB: compaction rule does not exist"


@command(
    "TS.CREATERULE",
    arity=-1,
    flags=WRITE | DENYOOM,
    keys=WRITING,
    group="module",
    categories=CATEGORIES,
)
def ts_createrule(ctx: Context, *arguments: bytes) -> Reply:
    """TS.CREATERULE source destination AGGREGATION aggregator bucket [align] [BACKFILL]

    From now on, write what the samples of a bucket of one series come to into another, as soon as
    the bucket is over. BACKFILL does so for the samples that are there already, too.
    """
    backfill = len(arguments) > 5 and arguments[-1].upper() == b"BACKFILL"
    words = arguments[:-1] if backfill else arguments
    if not 5 <= len(words) <= 6 or words[2].upper() != b"AGGREGATION":
        raise wrong_number("ts.createrule")
    kind, width_ms = parsed_kind(words[3]), parsed_width(words[4])
    align = 0
    if len(words) == 6:
        align = integer(words[5], 0, TIME_MAX, "ERR TSDB: Couldn't parse alignTimestamp")
    name, other = words[:2]
    if name == other:
        raise ReplyError("ERR TSDB: the source key and destination key should be different")
    source = changeable(ctx, name)
    if source.source is not None:
        raise ReplyError("ERR TSDB: the source key already has a source rule")
    destination = changeable(ctx, other)
    if destination.source is not None:
        raise ReplyError("ERR TSDB: the destination key already has a src rule")
    if destination.rules:
        raise ReplyError("ERR TSDB: the destination key already has a dst rule")
    rule = Rule(other, kind, width_ms, align)
    source.rules.append(rule)
    source.resize()
    destination.source = name
    if backfill:
        Compaction(ctx, registry_of(ctx), name, source).backfill(rule)
    ctx.changed(name, "ts.createrule:src")
    ctx.changed_too(other, "ts.createrule:dest")
    return OK


@command(
    "TS.DELETERULE", arity=-1, flags=WRITE, keys=WRITING, group="module", categories=CATEGORIES
)
def ts_deleterule(ctx: Context, *arguments: bytes) -> Reply:
    """TS.DELETERULE source destination

    End a rule; what it has written stays.
    """
    if len(arguments) != 2:
        raise wrong_number("ts.deleterule")
    name, other = arguments
    source = changeable(ctx, name)
    if source.rule_to(other) is None:
        raise ReplyError(NO_RULE)
    source.drop_rule(other)
    destination = registry_of(ctx).series_at(ctx.db.index, other)
    if destination is not None and destination.source == name:
        destination.source = None
    ctx.changed(name, "ts.deleterule:src")
    ctx.changed_too(other, "ts.deleterule:dest")
    return OK
