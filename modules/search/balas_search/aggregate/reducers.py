"""REDUCE: one value for each group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas.api import ReplyError
from balas_search.aggregate import kernels
from balas_search.aggregate.columns import (
    Check,
    Column,
    Numbers,
    Places,
    Texts,
    Values,
    column_of,
    in_order,
    unlimited,
)
from balas_search.aggregate.quantiles import Quantiles
from balas_search.aggregate.values import ABSENT
from balas_search.results.order import sorted_in_parts
from balas_search.schema.words import Words, shown

SAMPLE_MAX = 1000
# So many values are added one by one before time is looked at again.
VALUES_AT_ONCE = 8192


@dataclass(slots=True)
class Reducer:
    """A reducer as it is asked for: its name in capitals, what it reads, and what it makes.

    `by` is the property that FIRST_VALUE goes by; `share` and `resolution` are QUANTILE's; `count`
    is RANDOM_SAMPLE's.
    """

    name: bytes
    label: bytes
    source: bytes | None = None
    by: bytes | None = None
    descending: bool = False
    share: float = 0.0
    resolution: int = 500
    count: int = 0

    def properties(self) -> list[bytes]:
        """What it reads."""
        return [name for name in (self.source, self.by) if name is not None]


@dataclass(slots=True)
class Groups:
    """Rows by their groups: for each row the number of its group, and how many groups there are.

    `column(name)` gives the values of a property, for the rows. `check_time()` raises TimeUp once
    the time is over; whatever goes over many rows asks it.
    """

    codes: Places
    count: int
    column: Callable[[bytes], Column]
    check_time: Check = unlimited
    _flags: dict[bytes, NDArray[np.uint8]] = field(default_factory=dict)

    def numbers(self, name: bytes) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """A property's numbers and which rows have one."""
        values, there = self.column(name).numbers(self.check_time)
        return np.ascontiguousarray(values), there.view(np.uint8)

    def there(self, name: bytes) -> NDArray[np.uint8]:
        """Which rows have a property."""
        absent = self.column(name).absent()
        if absent is None:
            return np.ones(len(self.codes), np.uint8)
        return (~absent).view(np.uint8)

    def distinct(self, name: bytes) -> tuple[Places, list[Any]]:
        """The groups of distinct values, and those values, a group's each once."""
        codes, values = self.column(name).distinct(self.check_time)
        pairs = (self.codes * len(values) + codes).view(np.uint64)
        _, firsts = kernels.factorize(pairs, 0, self.check_time)
        return self.codes[firsts], [values[code] for code in codes[firsts].tolist()]


# --- what they compute ---------------------------------------------------------------------------


def _count(groups: Groups, reducer: Reducer) -> Column:
    return Numbers(np.bincount(groups.codes, minlength=groups.count).astype(float))


def _sum(groups: Groups, reducer: Reducer) -> Column:
    return Numbers(
        kernels.totals(groups.codes, *groups.numbers(reducer.source or b""), groups.count)
    )


def _avg(groups: Groups, reducer: Reducer) -> Column:
    # Rows without a number count, as if they had 0.
    counts = np.bincount(groups.codes, minlength=groups.count)
    sums = kernels.totals(groups.codes, *groups.numbers(reducer.source or b""), groups.count)
    return Numbers(sums / counts)


def _extreme(sign: float) -> Callable[[Groups, Reducer], Column]:
    def reduce(groups: Groups, reducer: Reducer) -> Column:
        values, there = groups.numbers(reducer.source or b"")
        return Numbers(kernels.extremes(groups.codes, values, there, groups.count, sign))

    return reduce


def _stddev(groups: Groups, reducer: Reducer) -> Column:
    values, there = groups.numbers(reducer.source or b"")
    return Numbers(kernels.deviations(groups.codes, values, there, groups.count))


def _quantile(groups: Groups, reducer: Reducer) -> Column:
    values, there = groups.numbers(reducer.source or b"")
    order = sorted_in_parts(groups.codes, groups.check_time)
    order = order[there[order] != 0]
    ends = np.searchsorted(groups.codes[order], np.arange(groups.count + 1))
    sorted_values = values[order]
    found = []
    for begin, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        stream = Quantiles(reducer.share, reducer.resolution)
        # In whole runs, so that the summary does not depend on where time is looked at.
        step = max(VALUES_AT_ONCE // reducer.resolution, 1) * reducer.resolution
        for first in range(begin, end, step):
            groups.check_time()
            stream.add(sorted_values[first : min(first + step, end)])
        found.append(stream.find())
    return Numbers(np.array(found))


def _tolist(groups: Groups, reducer: Reducer) -> Column:
    codes, values = groups.distinct(reducer.source or b"")
    return Values(kernels.listed(codes, values, groups.count, groups.check_time))


def _count_distinct(groups: Groups, reducer: Reducer) -> Column:
    codes, values = groups.distinct(reducer.source or b"")
    there = np.array([value is not ABSENT and value is not None for value in values], bool)
    return Numbers(np.bincount(codes[there], minlength=groups.count).astype(float))


def _registers(groups: Groups, reducer: Reducer) -> list[kernels.Registers]:
    codes, values = groups.distinct(reducer.source or b"")
    found = [kernels.Registers() for _ in range(groups.count)]
    for at, (code, value) in enumerate(zip(codes.tolist(), values, strict=True)):
        if at % VALUES_AT_ONCE == 0:
            groups.check_time()
        if value is not ABSENT and value is not None:
            found[code].add(value)
    return found


def _count_distinctish(groups: Groups, reducer: Reducer) -> Column:
    found = [registers.estimate() for registers in _registers(groups, reducer)]
    return Numbers(np.array(found, float))


def _hll(groups: Groups, reducer: Reducer) -> Column:
    texts = [registers.text() for registers in _registers(groups, reducer)]
    return Texts(np.arange(groups.count), texts)


def _hll_sum(groups: Groups, reducer: Reducer) -> Column:
    codes, values = groups.distinct(reducer.source or b"")
    found = [kernels.Registers() for _ in range(groups.count)]
    for at, (code, value) in enumerate(zip(codes.tolist(), values, strict=True)):
        if at % VALUES_AT_ONCE == 0:
            groups.check_time()
        if isinstance(value, bytes):
            found[code].add_all(value)
    return Numbers(np.array([registers.estimate() for registers in found], float))


def _first_value(groups: Groups, reducer: Reducer) -> Column:
    source = reducer.source or b""
    there = groups.there(source)
    if reducer.by is None:
        places = kernels.first_places(groups.codes, there, groups.count)
    else:
        keys = np.ascontiguousarray(in_order(groups.column(reducer.by), groups.check_time))
        places = kernels.best_places(groups.codes, there, keys, reducer.descending, groups.count)
    found = groups.column(source).take(places).items()
    return column_of(
        [value if at >= 0 else None for at, value in zip(places.tolist(), found, strict=True)]
    )


def _random_sample(groups: Groups, reducer: Reducer) -> Column:
    source = reducer.source or b""
    there = np.flatnonzero(groups.there(source))
    chance = np.random.default_rng().random(len(there))
    order = there[sorted_in_parts(chance, groups.check_time)]
    order = order[sorted_in_parts(groups.codes[order], groups.check_time)]
    codes = groups.codes[order]
    begins = np.searchsorted(codes, np.arange(groups.count))
    taken = order[np.arange(len(order)) - begins[codes] < reducer.count]
    values = groups.column(source).take(taken).items()
    return Values(kernels.listed(groups.codes[taken], values, groups.count))


REDUCERS: dict[bytes, Callable[[Groups, Reducer], Column]] = {
    b"COUNT": _count,
    b"SUM": _sum,
    b"AVG": _avg,
    b"MIN": _extreme(1.0),
    b"MAX": _extreme(-1.0),
    b"STDDEV": _stddev,
    b"QUANTILE": _quantile,
    b"TOLIST": _tolist,
    b"COUNT_DISTINCT": _count_distinct,
    b"COUNT_DISTINCTISH": _count_distinctish,
    b"HLL": _hll,
    b"HLL_SUM": _hll_sum,
    b"FIRST_VALUE": _first_value,
    b"RANDOM_SAMPLE": _random_sample,
}


def reduced(groups: Groups, reducer: Reducer) -> Column:
    """The values of a reducer, one for each group; raises TimeUp."""
    groups.check_time()
    return REDUCERS[reducer.name](groups, reducer)


# --- arguments -----------------------------------------------------------------------------------


def parse_reducer(words: Words) -> Reducer:
    """What stands behind REDUCE; raises ReplyError."""
    if not words.more:
        raise ReplyError("Bad arguments for REDUCE: SUCCESS")
    said = words.take()
    given = words.take_list(shown(said))
    made = Reducer(said.upper(), generated_label(said, given))
    if words.eat(b"AS"):
        made.label = words.take("AS")
    if made.name not in REDUCERS:
        raise ReplyError(f"No such reducer: {shown(said)}")
    if made.name == b"COUNT":
        if given:
            raise ReplyError("Count accepts 0 values only")
        return made
    name = shown(made.name)
    if not given:
        raise ReplyError(f"Missing arguments for {name}")
    made.source = given[0].removeprefix(b"@")
    _more(made, Words(given), name)
    return made


def generated_label(name: bytes, given: list[bytes]) -> bytes:
    """What a reducer's values are called where AS does not say it."""
    parts = b",".join(word.removeprefix(b"@") for word in given)
    return b"__generated_alias" + name.lower() + parts.lower()


def _more(made: Reducer, words: Words, name: str) -> None:
    """The arguments behind the property."""
    words.take()
    if made.name == b"QUANTILE":
        made.share = words.take_number(name)
        if not 0 <= made.share <= 1:
            raise ReplyError("Percentage must be between 0.0 and 1.0")
        if words.more:
            made.resolution = words.take_count("<resolution>", 1)
    elif made.name == b"RANDOM_SAMPLE":
        made.count = words.take_count("<sample size>")
        if made.count > SAMPLE_MAX:
            raise ReplyError("Sample size too large")
        return
    elif made.name == b"FIRST_VALUE":
        if words.eat(b"BY"):
            if not words.more:
                raise ReplyError(f"Missing arguments for {name}")
            made.by = words.take().removeprefix(b"@")
            made.descending = words.eat(b"DESC")
            if not made.descending:
                words.eat(b"ASC")
    else:
        return
    if words.more:
        word = shown(words.words[words.at])
        raise ReplyError(f"Unknown argument `{word}` at position {words.at} for {name}")
