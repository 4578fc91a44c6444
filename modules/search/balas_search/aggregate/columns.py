"""Columns: the values of one property for all rows, as arrays wherever they are of one kind."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.aggregate.kernels import coded, factorize
from balas_search.aggregate.values import (
    ABSENT,
    compare,
    number_text,
    number_texts,
    numbers_of,
    truth,
)
from balas_search.index.texts import TextTable

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
Doubles = NDArray[np.float64]

# The codes of texts that are not there.
NO_TEXT, NULL_TEXT = -1, -2
# So many values are looked at one by one before time is looked at again.
VALUES_AT_ONCE = 8192
Check = Callable[[], None]


def unlimited() -> None:
    """There is time for everything."""


class Column:
    """The values of so many rows."""

    size: int

    def take(self, places: Places) -> Column:
        """The values of some rows."""
        raise NotImplementedError

    def items(self) -> list[Any]:
        """The values one by one; `ABSENT` where a row has none."""
        raise NotImplementedError

    def absent(self) -> Flags | None:
        """Which rows have no value; None if all have one."""
        raise NotImplementedError

    def numbers(self, check_time: Check = unlimited) -> tuple[Doubles, Flags]:
        """The numbers that values are or stand for, NaN for others, and which rows have one."""
        raise NotImplementedError

    def truth(self) -> Flags:
        """What values are as conditions."""
        raise NotImplementedError

    def distinct(self, check_time: Check = unlimited) -> tuple[Places, list[Any]]:
        """For each row the place of its value in a list of distinct values; raises TimeUp."""
        raise NotImplementedError

    def replies(self) -> list[Any]:
        """The values as replies show them."""
        return [shown(value) for value in self.items()]


def shown(value: Any) -> Any:
    """A value as replies show it: numbers as texts."""
    if isinstance(value, float):
        return number_text(value)
    return [shown(inner) for inner in value] if isinstance(value, list) else value


class Repeated(Column):
    """The same value in each row."""

    def __init__(self, value: Any, size: int) -> None:
        self.value = value
        self.size = size

    def take(self, places: Places) -> Column:
        """The same value, in as many rows."""
        return Repeated(self.value, len(places))

    def items(self) -> list[Any]:
        """The value, as often as there are rows."""
        return [self.value] * self.size

    def absent(self) -> Flags | None:
        """All rows or none."""
        return np.ones(self.size, bool) if self.value is ABSENT else None

    def numbers(self, check_time: Check = unlimited) -> tuple[Doubles, Flags]:
        """The number everywhere."""
        (number,), (there,) = numbers_of([self.value])
        return np.full(self.size, number), np.full(self.size, there)

    def truth(self) -> Flags:
        """What the value is as a condition."""
        return np.full(self.size, self.value is not ABSENT and truth(self.value))

    def distinct(self, check_time: Check = unlimited) -> tuple[Places, list[Any]]:
        """One value."""
        return np.zeros(self.size, np.int64), [self.value]


class Numbers(Column):
    """Numbers. `nulls` and `absents` tell which rows have null, or nothing; None for no row."""

    def __init__(
        self, data: Doubles, nulls: Flags | None = None, absents: Flags | None = None
    ) -> None:
        self.data = data
        self.nulls = nulls if nulls is not None and nulls.any() else None
        self.absents = absents if absents is not None and absents.any() else None
        self.size = len(data)

    @property
    def plain(self) -> bool:
        """Whether every row has a number."""
        return self.nulls is None and self.absents is None

    def take(self, places: Places) -> Column:
        """The numbers of some rows."""
        return Numbers(
            self.data[places],
            None if self.nulls is None else self.nulls[places],
            None if self.absents is None else self.absents[places],
        )

    def _marked(self, found: list[Any]) -> list[Any]:
        """A list with null and nothing in their places."""
        if self.nulls is not None:
            for place in np.flatnonzero(self.nulls).tolist():
                found[place] = None
        if self.absents is not None:
            for place in np.flatnonzero(self.absents).tolist():
                found[place] = ABSENT
        return found

    def items(self) -> list[Any]:
        """The numbers as floats."""
        return self._marked(self.data.tolist())

    def replies(self) -> list[Any]:
        """The numbers as texts."""
        return self._marked(list(number_texts(self.data)))

    def absent(self) -> Flags | None:
        """Which rows have nothing."""
        return self.absents

    def there(self) -> Flags:
        """Which rows have a number."""
        found = np.ones(self.size, bool)
        for without in (self.nulls, self.absents):
            if without is not None:
                found &= ~without
        return found

    def numbers(self, check_time: Check = unlimited) -> tuple[Doubles, Flags]:
        """The numbers."""
        there = self.there()
        return (self.data if self.plain else np.where(there, self.data, np.nan)), there

    def truth(self) -> Flags:
        """All but nothing."""
        found: Flags = (self.data != 0) & self.there()
        return found

    def distinct(self, check_time: Check = unlimited) -> tuple[Places, list[Any]]:
        """The numbers that come up; those that differ in sign alone, too, are two."""
        bits = np.ascontiguousarray(self.data).view(np.uint64)
        codes, firsts = factorize(bits, 0, check_time)
        values: list[Any] = self.data[firsts].tolist()
        check_time()
        for without, value in ((self.nulls, None), (self.absents, ABSENT)):
            if without is not None:
                codes[without] = len(values)
                values.append(value)
        return codes, values


class Texts(Column):
    """Texts by their codes: places in `texts`, `NO_TEXT` for nothing, `NULL_TEXT` for null.

    `ranks()` gives for each code its place in the order of the texts, if that is known already.
    """

    def __init__(
        self, codes: Places, texts: Sequence[bytes], ranks: Callable[[], Places] | None = None
    ) -> None:
        self.codes = codes
        self.texts = texts
        self.ranks = ranks
        self.size = len(codes)

    def take(self, places: Places) -> Column:
        """The texts of some rows."""
        return type(self)(self.codes[places], self.texts, self.ranks)

    def items(self) -> list[Any]:
        """The texts."""
        texts = self.texts
        if not len(self.codes) or self.codes.min() >= 0:
            if isinstance(texts, TextTable):
                return texts.some(self.codes)
            return [texts[code] for code in self.codes.tolist()]
        other = (ABSENT, None)
        return [texts[code] if code >= 0 else other[-1 - code] for code in self.codes.tolist()]

    def replies(self) -> list[Any]:
        """The texts."""
        return self.items()

    def absent(self) -> Flags | None:
        """Which rows have nothing."""
        found = self.codes == NO_TEXT
        return found if found.any() else None

    def numbers(self, check_time: Check = unlimited) -> tuple[Doubles, Flags]:
        """The numbers that texts stand for."""
        codes, values = self.distinct(check_time)
        data, there = numbers_in_parts(values, check_time)
        return data[codes], there[codes]

    def truth(self) -> Flags:
        """All but empty ones."""
        codes, values = self.distinct()
        return np.array([isinstance(value, bytes) and len(value) > 0 for value in values], bool)[
            codes
        ]

    def distinct(self, check_time: Check = unlimited) -> tuple[Places, list[Any]]:
        """The texts that come up."""
        if len(self.texts) <= self.size:
            # As quick as can be: a table of the codes.
            used = np.zeros(len(self.texts) + 2, bool)
            used[self.codes] = True
            known = np.flatnonzero(used)
            place = np.cumsum(used) - 1
            codes = place[self.codes]
        else:
            shifted = np.where(self.codes < 0, self.codes + len(self.texts) + 2, self.codes)
            codes, firsts = factorize(shifted.view(np.uint64), 0, check_time)
            known = shifted[firsts]
        texts, total = self.texts, len(self.texts)
        # Negative codes count from the end of the table: the last but one is null.
        other = (None, ABSENT)
        values: list[Any] = []
        for begin in range(0, len(known), VALUES_AT_ONCE):
            check_time()
            part = known[begin : begin + VALUES_AT_ONCE].tolist()
            values += [texts[at] if at < total else other[at - total] for at in part]
        return codes, values


class Arrays(Texts):
    """JSON arrays as texts. As a number, an array counts as its first element."""

    def numbers(self, check_time: Check = unlimited) -> tuple[Doubles, Flags]:
        """The numbers that first elements are or stand for."""
        codes, values = self.distinct(check_time)
        data, there = numbers_of([first_element(value) for value in values])
        return data[codes], there[codes]


def first_element(value: Any) -> Any:
    """The first element of a JSON array, null if it has none; what is no array as it is."""
    if not isinstance(value, bytes) or not value.startswith(b"["):
        return value
    found = json.loads(value)
    first = found[0] if found else None
    if isinstance(first, str):
        return first.encode()
    if isinstance(first, bool) or not isinstance(first, int | float):
        return None
    return float(first)


class Values(Column):
    """Values of several kinds, or lists."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.size = len(values)

    def take(self, places: Places) -> Column:
        """The values of some rows."""
        return Values([self.values[place] for place in places.tolist()])

    def items(self) -> list[Any]:
        """The values."""
        return self.values

    def absent(self) -> Flags | None:
        """Which rows have nothing."""
        found = np.array([value is ABSENT for value in self.values], bool)
        return found if found.any() else None

    def numbers(self, check_time: Check = unlimited) -> tuple[Doubles, Flags]:
        """The numbers that values are or stand for."""
        return numbers_in_parts(self.values, check_time)

    def truth(self) -> Flags:
        """What they are as conditions."""
        return np.array([value is not ABSENT and truth(value) for value in self.values], bool)

    def distinct(self, check_time: Check = unlimited) -> tuple[Places, list[Any]]:
        """The values that come up."""
        code_of: dict[Any, int] = {}
        values: list[Any] = []
        codes = np.empty(self.size, np.int64)
        for place, value in enumerate(self.values):
            if place % VALUES_AT_ONCE == 0:
                check_time()
            known = hashable(value)
            if known not in code_of:
                code_of[known] = len(values)
                values.append(value)
            codes[place] = code_of[known]
        return codes, values


def numbers_in_parts(values: list[Any], check_time: Check) -> tuple[Doubles, Flags]:
    """What `numbers_of` tells, a part after the other; raises TimeUp."""
    if len(values) <= VALUES_AT_ONCE:
        return numbers_of(values)
    parts = []
    for begin in range(0, len(values), VALUES_AT_ONCE):
        check_time()
        parts.append(numbers_of(values[begin : begin + VALUES_AT_ONCE]))
    data, there = zip(*parts, strict=True)
    return np.concatenate(data), np.concatenate(there)


def hashable(value: Any) -> Any:
    """A value as the key of a dict: numbers by how they are shown, apart from texts."""
    if isinstance(value, list):
        return tuple(hashable(inner) for inner in value)
    return ("number", repr(value)) if isinstance(value, float) else value


def column_of(values: list[Any]) -> Column:
    """The column of these values, of the best kind."""
    kinds = {type(value) for value in values}
    if kinds <= {float, type(None), type(ABSENT)} and float in kinds:
        data, _ = numbers_of(values)
        nulls = np.array([value is None for value in values], bool)
        absents = np.array([value is ABSENT for value in values], bool)
        return Numbers(data, nulls, absents)
    if kinds <= {bytes, type(None), type(ABSENT)}:
        codes, texts = coded([value if isinstance(value, bytes) else None for value in values])
        for place, value in enumerate(values):
            if value is None:
                codes[place] = NULL_TEXT
        return Texts(codes, texts)
    return Values(values)


def gathered(values: list[Any], codes: Places) -> Column:
    """The column that has in each row the value of its code."""
    return column_of(values).take(codes)


def in_order(column: Column, check_time: Check = unlimited) -> Doubles:
    """Numbers in the order of values, NaN for null and for nothing; of lists all alike.

    Raises TimeUp.
    """
    check_time()
    if isinstance(column, Numbers):
        return column.numbers()[0]
    if isinstance(column, Texts) and column.ranks is not None:
        if not len(column.texts):
            return np.full(column.size, np.nan)
        return np.where(column.codes < 0, np.nan, column.ranks()[column.codes])
    codes, values = column.distinct(check_time)
    if not any(isinstance(value, float | list) for value in values):
        rank = {
            text: float(place)
            for place, text in enumerate(
                sorted(value for value in values if isinstance(value, bytes))
            )
        }
        return np.array([rank.get(value, np.nan) for value in values])[codes]
    known = [value for value in values if isinstance(value, float | bytes | list)]
    known.sort(key=functools.cmp_to_key(lambda one, other: compare(one, other, False)))
    ranks: dict[Any, float] = {}
    for place, value in enumerate(known):
        alike = place and compare(known[place - 1], value, False) == 0
        ranks[hashable(value)] = ranks[hashable(known[place - 1])] if alike else float(place)
    return np.array([ranks.get(hashable(value), np.nan) for value in values])[codes]
