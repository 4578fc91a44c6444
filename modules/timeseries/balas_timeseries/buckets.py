"""Aggregation: samples put together in buckets of time, all at once on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from balas_timeseries._chunk import Times, Values

NAMES = frozenset(b"avg first last min max sum range count std.p std.s var.p var.s".split())


def aggregate(
    times: Times, values: Values, name: bytes, width_ms: int, align: int
) -> tuple[Times, Values]:
    """The start of each bucket that holds samples, at 0 or later, and what becomes of them."""
    if not len(times):
        return times, values
    numbers = (times - align) // width_ms
    starts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
    counts = np.diff(starts, append=len(times))
    stamps = np.maximum(numbers[starts] * width_ms + align, 0)
    return stamps, _reduced(values, name, starts, counts)


def _reduced(values: Values, name: bytes, starts: Times, counts: Times) -> Values:
    if name == b"count":
        return counts.astype(np.float64)
    if name == b"first":
        return values[starts]
    if name == b"last":
        ends: Values = values[starts + counts - 1]
        return ends
    if name == b"min":
        return np.minimum.reduceat(values, starts)
    if name == b"max":
        return np.maximum.reduceat(values, starts)
    if name == b"range":
        spread: Values = np.maximum.reduceat(values, starts) - np.minimum.reduceat(values, starts)
        return spread
    sums: Values = np.add.reduceat(values, starts)
    if name == b"sum":
        return sums
    means: Values = sums / counts
    if name == b"avg":
        return means
    squares = np.add.reduceat((values - np.repeat(means, counts)) ** 2, starts)
    divisors = counts if name.endswith(b"p") else np.maximum(counts - 1, 1)
    variances: Values = squares / divisors
    return variances if name.startswith(b"var") else np.sqrt(variances)
