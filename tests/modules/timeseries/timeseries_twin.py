"""Time series as a textbook has them: a dictionary of samples, and sums written out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Samples = list[tuple[int, float]]


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def variance(values: Sequence[float], sample: bool) -> float:
    if sample and len(values) == 1:
        return 0.0
    middle = mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - sample)


KINDS: dict[str, Callable[[Sequence[float]], float]] = {
    "avg": mean,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "min": min,
    "max": max,
    "sum": math.fsum,
    "range": lambda values: max(values) - min(values),
    "count": len,
    "std.p": lambda values: math.sqrt(variance(values, False)),
    "std.s": lambda values: math.sqrt(variance(values, True)),
    "var.p": lambda values: variance(values, False),
    "var.s": lambda values: variance(values, True),
}


def buckets(samples: Samples, kind: str, width: int, align: int = 0) -> dict[int, float]:
    """What each bucket that holds samples comes to, by its start, which may be below 0."""
    held: dict[int, list[float]] = {}
    for at, value in samples:
        held.setdefault((at - align) // width * width + align, []).append(value)
    return {start: KINDS[kind](values) for start, values in sorted(held.items())}


def with_empty(found: dict[int, float], kind: str, width: int) -> dict[int, float]:
    """The same, with the buckets in between."""
    if not found:
        return found
    filled: dict[int, float] = {}
    last = math.nan
    for start in range(min(found), max(found) + 1, width):
        if start in found:
            last = filled[start] = found[start]
        elif kind == "last":
            filled[start] = last
        else:
            filled[start] = 0.0 if kind in ("sum", "count") else math.nan
    return filled


def height(samples: Samples, at: float) -> float:
    """The line through the samples."""
    for (one, low), (two, high) in pairwise(samples):
        if one <= at <= two:
            return low + (high - low) * (at - one) / (two - one)
    return samples[0][1] if at <= samples[0][0] else samples[-1][1]


def time_weighted(
    samples: Samples, span: tuple[int, int], width: int, align: int, empty: bool
) -> dict[int, float]:
    """The mean height of the line in each bucket, added up between all its corners."""
    found: dict[int, float] = {}
    if not samples:
        return found
    first, last = max(samples[0][0], span[0]), min(samples[-1][0], span[1])
    start = (first - align) // width * width + align
    while start <= last and first <= last:
        low, high = max(start, first), min(start + width, last)
        held = [at for at, _ in samples if start <= at < start + width and span[0] <= at <= span[1]]
        if held or empty:
            corners = [low, *(at for at, _ in samples if low < at < high), high]
            area = math.fsum(
                (height(samples, one) + height(samples, two)) * (two - one) / 2
                for one, two in pairwise(corners)
            )
            found[start] = area / (high - low) if high > low else height(samples, low)
        start += width
    return found


@dataclass
class Rule:
    """A rule and how far it has come: buckets from `open` on are not written."""

    kind: str
    width: int
    align: int
    open: int | None = None

    def start(self, at: int) -> int:
        return (at - self.align) // self.width * self.width + self.align


@dataclass
class Twin:
    """A series with rules."""

    samples: dict[int, float] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)

    def add(self, at: int, value: float) -> None:
        last = max(self.samples, default=-1)
        self.samples[at] = value
        for rule in self.rules.values():
            start = rule.start(at)
            if at > last:
                rule.open = start if rule.open is None else max(rule.open, start)
            elif rule.open is None and start == rule.start(last):
                rule.open = start

    def remove(self, low: int, high: int) -> int:
        gone = [at for at in self.samples if low <= at <= high]
        for at in gone:
            del self.samples[at]
        return len(gone)

    def range(self, low: int, high: int) -> Samples:
        return [(at, value) for at, value in sorted(self.samples.items()) if low <= at <= high]

    def written(self, name: str, latest: bool = False) -> dict[int, float]:
        """What the destination of a rule holds, by timestamp."""
        rule = self.rules[name]
        found = buckets(self.range(0, 2**62), rule.kind, rule.width, rule.align)
        return {
            max(start, 0): value
            for start, value in found.items()
            if rule.open is not None and (start < rule.open or (latest and start == rule.open))
        }
