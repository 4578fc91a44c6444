"""TS.INFO."""

from __future__ import annotations

import numpy as np

from balas.api import ACCESS, READONLY, RW, UPDATE, Context, Pairs, Reply, Status, command, key
from balas_timeseries.access import existing, registry_of
from balas_timeseries.options import wrong_number
from balas_timeseries.series import Series

READING = key(1, RW | ACCESS | UPDATE)


@command(
    "TS.INFO", arity=-1, flags=READONLY, keys=READING, group="module", categories=("timeseries",)
)
def ts_info(ctx: Context, *arguments: bytes) -> Reply:
    """TS.INFO key [DEBUG]

    Tell how many samples a series has, in what memory, and how it is set; with DEBUG, of each
    chunk, too.
    """
    if not 1 <= len(arguments) <= 2:
        raise wrong_number("ts.info")
    series = existing(ctx, arguments[0])
    pairs = fields(ctx, arguments[0], series)
    if len(arguments) == 2 and arguments[1].upper() == b"DEBUG":
        pairs.append((Status("keySelfName"), arguments[0]))
        pairs.append((Status("Chunks"), chunks(ctx, series)))
    return Pairs(pairs)


def fields(ctx: Context, name: bytes, series: Series) -> list[tuple[Status, Reply]]:
    """What TS.INFO shows of a series."""
    samples = series.samples
    labels: Reply = [list(pair) for pair in series.labels]
    rules: Reply = [
        [rule.destination, rule.width_ms, Status(rule.name), rule.align]
        for rule in living_rules(ctx, name, series)
    ]
    if ctx.resp == 3:
        labels = Pairs(series.labels)
        rules = Pairs([(row[0], row[1:]) for row in rules])
    total, first = kept(series)
    difference = series.ignore_value if ctx.resp == 3 else plain_text(series.ignore_value)
    return [
        (Status("totalSamples"), total),
        (Status("memoryUsage"), series.memory_usage()),
        (Status("firstTimestamp"), first),
        (Status("lastTimestamp"), samples.last),
        (Status("retentionTime"), series.retention_ms),
        (Status("chunkCount"), len(samples.chunks)),
        (Status("chunkSize"), samples.chunk_bytes),
        (Status("chunkType"), Status("uncompressed" if samples.plain else "compressed")),
        (Status("duplicatePolicy"), Status(series.policy) if series.policy else None),
        (Status("labels"), labels),
        (Status("sourceKey"), living_source(ctx, name, series)),
        (Status("rules"), rules),
        (Status("ignoreMaxTimeDiff"), series.ignore_time_ms),
        (Status("ignoreMaxValDiff"), difference),
    ]


def plain_text(value: float) -> bytes:
    """A number as a bulk string."""
    return repr(value).removesuffix(".0").encode()


def kept(series: Series) -> tuple[int, int]:
    """How many samples retention keeps, and the timestamp of the first."""
    samples = series.samples
    if not samples.total or samples.chunks[0].first >= series.edge:
        return samples.total, samples.chunks[0].first if samples.total else 0
    gone = 0
    for chunk in samples.chunks:
        if chunk.last >= series.edge:
            times, _ = chunk.decode()
            at = int(np.searchsorted(times, series.edge))
            return samples.total - gone - at, int(times[at])
        gone += chunk.count
    raise AssertionError("the last sample is older than itself")


def living_rules(ctx: Context, name: bytes, series: Series) -> list[Reply]:
    """The rules whose destination is still there."""
    registry = registry_of(ctx)
    return [
        rule
        for rule in series.rules
        if (other := registry.series_at(ctx.db.index, rule.destination)) and other.source == name
    ]


def living_source(ctx: Context, name: bytes, series: Series) -> bytes | None:
    """The source whose rule fills the series, if it is still there."""
    if series.source is None:
        return None
    other = registry_of(ctx).series_at(ctx.db.index, series.source)
    return series.source if other is not None and other.rule_to(name) is not None else None


def chunks(ctx: Context, series: Series) -> list[Reply]:
    """What TS.INFO DEBUG shows of each chunk."""
    found = []
    for chunk in series.samples.chunks:
        density = chunk.room_bytes / chunk.count if chunk.count else 0.0
        found.append(
            Pairs(
                [
                    (Status("startTimestamp"), chunk.first if chunk.count else -1),
                    (Status("endTimestamp"), chunk.last if chunk.count else -1),
                    (Status("samples"), chunk.count),
                    (Status("size"), chunk.room_bytes),
                    (Status("bytesPerSample"), density if ctx.resp == 3 else plain_text(density)),
                ]
            )
        )
    return found
