"""Many series with rules, as a textbook has them: sorted samples, and what happens to a bucket told
event by event.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.modules.timeseries.timeseries_twin import KINDS, Samples, time_weighted

ALL_KINDS = [*KINDS, "twa", "countnan", "countall"]
SWAPPED = {"first": "last", "last": "first"}
FOREVER = 2**62


class Refused(Exception):
    """What the server answers with an error."""


def come_to(kind: str, values: Sequence[float]) -> float:
    """What samples come to; NaN counts for `countnan` and `countall` only."""
    numbers = [value for value in values if not math.isnan(value)]
    if kind == "countnan":
        return len(values) - len(numbers)
    if kind == "countall":
        return len(values)
    if not numbers:
        return 0.0 if kind in ("sum", "count") else math.nan
    return float(KINDS[kind](numbers))


def weighted(samples: Samples, begin: int, end: int, before: Samples, after: Samples) -> float:
    """The mean height of the line through samples of a bucket and its neighbours."""
    low = begin if before else samples[0][0]
    high = end if after else samples[-1][0]
    found = time_weighted([*before, *samples, *after], (low, high), end - begin, begin, True)
    return found[begin]


@dataclass(frozen=True)
class Question:
    """The options of TS.RANGE."""

    low: int
    high: int
    kinds: tuple[str, ...]
    width: int
    align: int
    empty: bool
    shift: int
    count: int | None
    backwards: bool
    values: tuple[float, float] | None
    times: tuple[int, ...] | None

    def words(self) -> list[object]:
        """As a client writes them."""
        words: list[object] = [self.low, self.high]
        if self.times is not None:
            words += ["FILTER_BY_TS", *self.times]
        if self.values is not None:
            words += ["FILTER_BY_VALUE", *self.values]
        if self.count is not None:
            words += ["COUNT", self.count]
        if self.kinds:
            words += ["ALIGN", self.align, "AGGREGATION", ",".join(self.kinds), self.width]
            words += ["BUCKETTIMESTAMP", {0: "-", self.width: "+"}.get(self.shift, "~")]
            words += ["EMPTY"] if self.empty else []
        return words

    def passes(self, sample: tuple[int, float]) -> bool:
        """Whether a sample is asked for."""
        at, value = sample
        return (
            self.low <= at <= self.high
            and (self.times is None or at in self.times)
            and (self.values is None or self.values[0] <= value <= self.values[1])
        )

    def answer(self, samples: Samples) -> list[list[float]]:
        """The reply, by all samples of a series in order."""
        chosen = [sample for sample in samples if self.passes(sample)]
        step = -1 if self.backwards else 1
        if not self.kinds:
            return [list(sample) for sample in chosen[::step][: self.count]]
        rows = self.rows(samples, chosen)
        shown = [[max(start, 0) + self.shift, *rows[start]] for start in sorted(rows)]
        return shown[::step][: self.count]

    def rows(self, samples: Samples, chosen: Samples) -> dict[int, list[float]]:
        """The values of each bucket."""
        held: dict[int, list[float]] = {}
        for at, value in chosen:
            held.setdefault((at - self.align) // self.width * self.width + self.align, []).append(
                value
            )
        averages = self.averages(samples, chosen) if "twa" in self.kinds else {}
        if self.kinds == ("twa",) and self.empty:
            return {start: [value] for start, value in averages.items()}
        kinds = [SWAPPED.get(kind, kind) if self.backwards else kind for kind in self.kinds]
        starts = sorted(held)
        if self.empty and starts:
            starts = list(range(starts[0], starts[-1] + 1, self.width))
        rows: dict[int, list[float]] = {}
        seen: list[float] = []
        for start in starts[:: -1 if self.backwards else 1]:
            row = [
                averages.get(start, math.nan)
                if kind == "twa"
                else come_to(kind, held[start])
                if start in held
                else seen[place]
                if self.kinds[place] == "last"
                else come_to(kind, [])
                for place, kind in enumerate(kinds)
            ]
            rows[start] = seen = row
        return rows

    def averages(self, samples: Samples, chosen: Samples) -> dict[int, float]:
        """Time-weighted averages by bucket; NaN is no point of the line."""
        before: Samples = []
        after: Samples = []
        if self.values is None and self.times is None:
            before = [sample for sample in samples if sample[0] < self.low][-1:]
            after = [sample for sample in samples if sample[0] > self.high][:1]
        line = [one for one in (*before, *chosen, *after) if not math.isnan(one[1])]
        inside = [sample for sample in line if sample in chosen]
        if not inside and not self.empty:
            return {}
        return time_weighted(line, (self.low, self.high), self.width, self.align, self.empty)


@dataclass(eq=False)
class Rule:
    """A rule: buckets before `open` are written; `before` is where the open one's line begins."""

    destination: Series
    kind: str
    width: int
    align: int
    open: int | None = None
    before: Samples = field(default_factory=list)

    def start(self, at: int) -> int:
        return (at - self.align) // self.width * self.width + self.align

    def value(self, samples: Samples, bucket: int, before: Samples, after: Samples) -> float:
        if self.kind == "twa":
            return weighted(samples, bucket, bucket + self.width, before, after)
        return come_to(self.kind, [value for _, value in samples])


@dataclass(eq=False)
class Series:
    """One series. Its rules write to others at once, so all follow from the events in order."""

    policy: str = "block"
    ignore: tuple[int, float] = (0, 0.0)
    retention: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    samples: dict[int, float] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    source: Series | None = None

    @property
    def last(self) -> int:
        return max(self.samples, default=0)

    @property
    def edge(self) -> int:
        return max(0, self.last - self.retention) if self.retention else 0

    def range(self, low: int = 0, high: int = FOREVER) -> Samples:
        return [(at, value) for at, value in sorted(self.samples.items()) if low <= at <= high]

    def copy(self) -> Series:
        return Series(
            self.policy, self.ignore, self.retention, dict(self.labels), dict(self.samples)
        )

    # --- changes ---------------------------------------------------------------------------------

    def ignores(self, at: int, value: float, policy: str) -> bool:
        return (
            any(self.ignore)
            and bool(self.samples)
            and 0 <= at - self.last <= self.ignore[0]
            and abs(value - self.samples[self.last]) <= self.ignore[1]
            and policy == "last"
        )

    def add(self, at: int, value: float, on_duplicate: str | None = None) -> int:
        """TS.ADD: the timestamp, or the one before of a sample that is ignored."""
        policy = on_duplicate or self.policy
        if at < self.edge:
            raise Refused
        if self.ignores(at, value, policy):
            return self.last
        if not self.samples or at > self.last:
            self.samples[at] = value
            for rule in self.rules:
                self.in_order(rule, at, value)
            for old in [one for one in self.samples if one < self.edge]:
                del self.samples[old]
            return at
        if at in self.samples:
            value = merged(policy, self.samples[at], value)
        self.samples[at] = value
        for rule in self.rules:
            if rule.start(at) == rule.open:
                rule.before = self.just_before(rule.open)
            else:
                self.recompute(rule, rule.start(at))
        return at

    def step(self, at: int, change: float) -> int:
        """TS.INCRBY."""
        if self.samples and at < self.last:
            raise Refused
        value = self.samples.get(self.last, 0.0) + change
        if self.ignores(at, value, self.policy):
            return self.last
        return self.add(at, value, "last" if at == self.last and self.samples else None)

    def remove(self, low: int, high: int) -> int:
        """TS.DEL."""
        if self.edge and any(max(rule.start(low), 0) < self.edge for rule in self.rules):
            raise Refused
        gone = [at for at, _ in self.range(low, high)]
        for at in gone:
            del self.samples[at]
        for rule in self.rules if gone else ():
            first, last = rule.start(low), rule.start(high)
            closed = rule.start(self.last) if rule.open is None else rule.open
            if rule.open is not None and low < rule.open + rule.width and high >= rule.open:
                rule.before = self.just_before(rule.open)
            for at, _ in rule.destination.range(first + rule.width, min(last, closed) - 1):
                del rule.destination.samples[at]
            for bucket in {first, last}:
                if bucket < closed:
                    self.recompute(rule, bucket)
        return len(gone)

    # --- rules -----------------------------------------------------------------------------------

    def just_before(self, at: int) -> Samples:
        return self.range(high=at - 1)[-1:]

    def bucket(self, rule: Rule, start: int) -> Samples:
        return self.range(max(start, 0), start + rule.width - 1)

    def in_order(self, rule: Rule, at: int, value: float) -> None:
        bucket = rule.start(at)
        if rule.open is None:
            rule.open = bucket
        elif bucket < rule.open:
            self.recompute(rule, bucket)
        elif bucket > rule.open:
            held = self.bucket(rule, rule.open)
            if held:
                closed = rule.value(held, rule.open, rule.before, [(at, value)])
                rule.destination.samples[max(rule.open, 0)] = closed
            rule.before = held[-1:] or self.just_before(at)
            rule.open = bucket

    def recompute(self, rule: Rule, bucket: int) -> None:
        stamp = max(bucket, 0)
        held = self.bucket(rule, bucket)
        if held:
            after = self.range(low=bucket + rule.width)[:1]
            value = rule.value(held, bucket, self.just_before(bucket), after)
            rule.destination.samples[stamp] = value
        else:
            rule.destination.samples.pop(stamp, None)

    def backfill(self, rule: Rule) -> None:
        """Give a new rule what was there before it."""
        if not self.samples:
            return
        rule.open = rule.start(self.last)
        rule.before = self.just_before(rule.open)
        if rule.kind == "twa":
            span = 0, FOREVER
            found = time_weighted(self.range(), span, rule.width, rule.align, False)
        else:
            starts = sorted({rule.start(at) for at in self.samples})
            found = {start: rule.value(self.bucket(rule, start), start, [], []) for start in starts}
        for start, value in found.items():
            if start < rule.open:
                rule.destination.samples[max(start, 0)] = value

    def latest(self) -> Samples:
        """The open bucket of the rule that fills this series, as a sample."""
        if self.source is None:
            return []
        for rule in self.source.rules:
            if rule.destination is self and rule.open is not None:
                held = self.source.bucket(rule, rule.open)
                if held:
                    return [(max(rule.open, 0), rule.value(held, rule.open, rule.before, []))]
        return []

    def shown(self, latest: bool = False) -> Samples:
        """All samples, with the open bucket of the rule in its place."""
        return sorted((dict(self.range()) | dict(self.latest() if latest else [])).items())

    def unlink(self) -> None:
        """The series is gone: so are all rules from and to it."""
        for rule in self.rules:
            rule.destination.source = None
        if self.source is not None:
            self.source.rules = [one for one in self.source.rules if one.destination is not self]
        self.rules, self.source = [], None


def merged(policy: str, old: float, new: float) -> float:
    """The value of two samples at one time."""
    if policy == "block":
        raise Refused
    choices = {"first": old, "last": new, "min": min(old, new), "max": max(old, new)}
    return choices.get(policy, old + new)


def same(reply: Iterable[Sequence[float]], expected: Iterable[Sequence[float]]) -> bool:
    """Whether rows are the same but for what rounding does."""
    left, right = list(reply), list(expected)
    return len(left) == len(right) and all(
        one[0] == other[0] and len(one) == len(other) and all(map(near, one[1:], other[1:]))
        for one, other in zip(left, right, strict=True)
    )


def near(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=1e-7, abs_tol=1e-5)
