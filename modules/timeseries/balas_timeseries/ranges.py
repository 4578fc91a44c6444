"""What a query makes of the samples of one series: filtered, put into buckets, turned round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from balas.api import ReplyError
from balas_timeseries._aggregation import (
    NAMES,
    TWA,
    TooMany,
    aggregate,
    aggregate_chunks,
    fallback,
    swapped,
    time_weighted,
)
from balas_timeseries.options import Aggregation, Query

if TYPE_CHECKING:
    from balas_timeseries._chunk import Times, Values
    from balas_timeseries.series import Series

TOO_MANY = "ERR TSDB: too many buckets"
BUCKETS_MAX = 50_000_000
LAST = NAMES[b"last"]


@dataclass(slots=True)
class Found:
    """Timestamps, and one column of values; or several, one for each aggregation."""

    times: Times
    columns: list[Values]


def find(
    series: Series, query: Query, latest: tuple[int, float] | None, *, backwards: bool
) -> Found:
    """The samples of one series that a query asks for.

    `latest` is the open bucket of the rule that fills the series, where it is asked for.
    """
    try:
        if query.aggregation is not None:
            found = _aggregated(series, query, query.aggregation, latest, backwards)
        else:
            times, values = _filtered(series, query, latest, backwards)
            found = Found(times, [values])
    except TooMany:
        raise ReplyError(TOO_MANY) from None
    step, count = -1 if backwards else 1, query.count
    found.times = found.times[::step][:count]
    found.columns = [values[::step][:count] for values in found.columns]
    return found


def _filtered(
    series: Series, query: Query, latest: tuple[int, float] | None, backwards: bool = False
) -> tuple[Times, Values]:
    """The samples themselves, in order. Of those that COUNT cuts off not all are looked up."""
    count = -1
    if query.aggregation is None and query.times is None and query.values is None:
        count = query.count if query.count is not None else -1
    times, values = series.range(query.start, query.end, count, backwards)
    if latest is not None and query.start <= latest[0] <= query.end:
        place = int(np.searchsorted(times, latest[0]))
        taken = place < len(times) and times[place] == latest[0]
        times = np.insert(times[times != latest[0]] if taken else times, place, latest[0])
        values = np.insert(np.delete(values, place) if taken else values, place, latest[1])
    if query.times is not None:
        kept = np.isin(times, np.array(query.times, dtype=np.int64))
        times, values = times[kept], values[kept]
    if query.values is not None:
        kept = (values >= query.values[0]) & (values <= query.values[1])
        times, values = times[kept], values[kept]
    return times, values


def _aggregated(
    series: Series,
    query: Query,
    by: Aggregation,
    latest: tuple[int, float] | None,
    backwards: bool,
) -> Found:
    kinds = tuple(swapped(kind) for kind in by.kinds) if backwards else by.kinds
    plain = query.times is None and query.values is None and latest is None
    if plain and TWA not in kinds:
        start = max(query.start, series.edge)
        chunks = series.samples.within(start, query.end)
        starts, columns = aggregate_chunks(chunks, start, query.end, kinds, by.width_ms, by.align)
    else:
        times, values = _filtered(series, query, latest)
        starts, columns = aggregate(
            np.ascontiguousarray(times), np.ascontiguousarray(values), kinds, by.width_ms, by.align
        )
        for column in (at for at, kind in enumerate(kinds) if kind == TWA):
            weighted = _weighted(series, query, by, times, values)
            if by.empty and len(kinds) == 1:
                starts, columns = weighted[0], [weighted[1]]
                return Found(_stamps(starts, by), columns)
            columns[column] = weighted[1][np.isin(weighted[0], starts)]
    if by.empty and len(starts) > 1:
        starts, columns = _with_empty(starts, columns, kinds, by, query.count, backwards)
    return Found(_stamps(starts, by), columns)


def _stamps(starts: Times, by: Aggregation) -> Times:
    stamps: Times = np.maximum(starts, 0) + by.shift_ms
    return stamps


def _weighted(
    series: Series, query: Query, by: Aggregation, times: Times, values: Values
) -> tuple[Times, Values]:
    """Time-weighted averages. The line goes on to the samples beyond the ends of the query, unless
    a filter chooses samples.
    """
    before = after = None
    if query.times is None and query.values is None:
        before = series.samples.before(query.start, series.edge)
        after = series.samples.after(query.end)
    limits = (query.start, query.end)
    return time_weighted(times, values, by.width_ms, by.align, limits, before, after, by.empty)


def _with_empty(
    starts: Times,
    columns: list[Values],
    kinds: tuple[int, ...],
    by: Aggregation,
    count: int | None,
    backwards: bool,
) -> tuple[Times, list[Values]]:
    """The same with the buckets in between that hold no sample; no more than `count` asks for."""
    places = (starts - starts[0]) // by.width_ms
    total = int(places[-1]) + 1
    if count is not None and count < total:
        total = count
        kept = places[-1] - places < count if backwards else places < count
        places, starts = places[kept], starts[kept]
        columns = [values[kept] for values in columns]
        if backwards:
            places = places - (int(places[-1]) + 1 - count)
    if total > BUCKETS_MAX:
        raise TooMany
    first = int(starts[0]) - int(places[0]) * by.width_ms
    all_starts = first + np.arange(total, dtype=np.int64) * by.width_ms
    filled = []
    for kind, values in zip(kinds, columns, strict=True):
        column = np.full(total, fallback(kind))
        column[places] = values
        # Which is the last one there was, depends on the way one comes.
        if kind == (NAMES[b"first"] if backwards else LAST):
            column = _repeated(column, places, values, backwards)
        filled.append(column)
    return all_starts, filled


def _repeated(column: Values, places: Times, values: Values, backwards: bool) -> Values:
    """Empty buckets of `last` show the value of the bucket before."""
    every = np.arange(len(column))
    side = np.searchsorted(places, every, "left" if backwards else "right")
    index = np.clip(side if backwards else side - 1, 0, len(values) - 1)
    repeated: Values = values[index]
    return repeated
