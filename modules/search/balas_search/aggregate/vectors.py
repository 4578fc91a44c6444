"""Expressions for whole columns.

Operators and functions of numbers are computed on arrays. Others are computed once for each
distinct value, or combination of values, by the functions for single values.

What goes wrong in a row is noted with its place, by `Frame.fail`: only the first such row matters,
since neither it nor any row behind it is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from balas_search.aggregate import times
from balas_search.aggregate.columns import (
    Column,
    Doubles,
    Flags,
    Numbers,
    Places,
    Repeated,
    Texts,
    column_of,
    gathered,
)
from balas_search.aggregate.errors import RowError
from balas_search.aggregate.expressions import (
    BINDING,
    COMPARING,
    LOGICAL,
    Call,
    Expression,
    Literal,
    Negation,
    Operation,
    Property,
)
from balas_search.aggregate.functions import COMPARED, FUNCTIONS, NOT_A_NUMBER, arithmetic
from balas_search.aggregate.kernels import factorize
from balas_search.aggregate.scalar import missing
from balas_search.aggregate.values import ABSENT, compare, number_texts

DAY_S = 86400
# So many values are computed, one by one, before time is looked at again.
VALUES_AT_ONCE = 1024


class Rows(Protocol):
    """Where properties come from."""

    size: int

    def column(self, name: bytes) -> Column:
        """The values of a property."""

    def matched_terms(self, most: int) -> Column:
        """The terms of the query that each row has."""

    def check_time(self) -> None:
        """Raise TimeUp once the time is over."""


class Frame:
    """Some of the rows, for which an expression is evaluated.

    `places` are their places among all rows, None for all. `failure` is the place and the error of
    the first row that has no value.
    """

    def __init__(self, rows: Rows, places: Places | None = None, root: Frame | None = None) -> None:
        self.rows = rows
        self.places = places
        self.size = rows.size if places is None else len(places)
        self.root = self if root is None else root
        self.failure: tuple[int, str] | None = None

    def column(self, name: bytes) -> Column:
        """The values of a property."""
        found = self.rows.column(name)
        return found if self.places is None else found.take(self.places)

    def narrowed(self, flags: Flags) -> Frame:
        """Only those of the rows."""
        places = np.flatnonzero(flags)
        return Frame(self.rows, places if self.places is None else self.places[places], self.root)

    def fail(self, flags: Flags, error: str) -> None:
        """Note the first of these rows as one without a value."""
        place = int(np.argmax(flags)) if len(flags) else 0
        if len(flags) and flags[place]:
            at = place if self.places is None else int(self.places[place])
            root = self.root
            if root.failure is None or at < root.failure[0]:
                root.failure = at, error


def evaluate(root: Expression, frame: Frame) -> Column:
    """The values of an expression; raises TimeUp."""
    frame.rows.check_time()
    if isinstance(root, Literal):
        return Repeated(root.value, frame.size)
    if isinstance(root, Property):
        found = frame.column(root.name)
        absent = found.absent()
        if absent is not None:
            frame.fail(absent, missing(root.name))
        return found
    if isinstance(root, Negation):
        return booleans(~evaluate(root.operand, frame).truth())
    if isinstance(root, Operation):
        return _operation(root, frame)
    assert isinstance(root, Call)
    return _call(root, frame)


def booleans(flags: Flags) -> Column:
    """1 and 0."""
    return Numbers(flags.astype(float))


def _operation(root: Operation, frame: Frame) -> Column:
    left = evaluate(root.left, frame)
    binding = BINDING[root.operator]
    if binding == LOGICAL:
        found = left.truth()
        # Where the left operand decides, the right one is not even looked at.
        open_yet = found if root.operator == b"&&" else ~found
        if open_yet.any():
            inner = frame.narrowed(open_yet)
            found = found.copy()
            found[open_yet] = evaluate(root.right, inner).truth()
        return booleans(found)
    right = evaluate(root.right, frame)
    if binding == COMPARING:
        return compared(root.operator, left, right, frame)
    return computed(root.operator, left, right, frame)


# --- operators -----------------------------------------------------------------------------------


def computed(operator: bytes, left: Column, right: Column, frame: Frame) -> Column:
    """Arithmetic."""
    if isinstance(left, Repeated) and isinstance(right, Repeated):
        return mapped(lambda one, other: arithmetic(operator, one, other), [left, right], frame)
    check_time = frame.rows.check_time
    one, there = left.numbers(check_time)
    other, there_too = right.numbers(check_time)
    both = there & there_too
    if not both.all():
        frame.fail(~both, NOT_A_NUMBER)
    with np.errstate(all="ignore"):
        made = ARITHMETIC[operator](one, other)
        if operator in (b"+", b"-", b"*", b"^"):
            made = with_made_nans(made, np.isnan(one) | np.isnan(other))
    return Numbers(made)


def with_made_nans(made: Doubles, known: Flags) -> Doubles:
    """Numbers in which a nan that came out of numbers has the sign the machine gives it."""
    new = np.isnan(made) & ~known
    if new.any():
        made = np.where(new, np.copysign(np.nan, -1), made)
    return made


def _divided(left: Doubles, right: Doubles) -> Doubles:
    return np.where(right == 0, np.nan, left / right)


def _remainder(left: Doubles, right: Doubles) -> Doubles:
    one, other = whole_numbers(left), whole_numbers(right)
    safe = (other != 0) & (other != -1)
    found = np.fmod(one, np.where(safe, other, 1)).astype(float)
    return np.where(other == 0, np.nan, np.where(other == -1, 0.0, found))


def whole_numbers(numbers: Doubles) -> Places:
    """Numbers cut to those of 64 bits; what does not fit is the lowest."""
    fits = (numbers >= -(2.0**63)) & (numbers < 2.0**63)
    return np.where(fits, np.where(fits, numbers, 0).astype(np.int64), np.int64(-(2**63)))


ARITHMETIC: dict[bytes, Callable[[Doubles, Doubles], Doubles]] = {
    b"+": np.add,
    b"-": np.subtract,
    b"*": np.multiply,
    b"/": _divided,
    b"%": _remainder,
    b"^": np.power,
}
# Nothing is less or more than nan, and so nan equals everything.
COMPARED_NUMBERS: dict[bytes, Callable[[Doubles, Doubles], Flags]] = {
    b"==": lambda one, other: ~((one < other) | (one > other)),
    b"!=": lambda one, other: (one < other) | (one > other),
    b"<": lambda one, other: one < other,
    b"<=": lambda one, other: ~(one > other),
    b">": lambda one, other: one > other,
    b">=": lambda one, other: ~(one < other),
}


def compared(operator: bytes, left: Column, right: Column, frame: Frame) -> Column:
    """A comparison."""
    one, other = plain_numbers(left), plain_numbers(right)
    if one is not None and other is not None:
        return booleans(COMPARED_NUMBERS[operator](one, other))
    strict = operator not in (b"==", b"!=")
    decide = COMPARED[operator]
    return mapped(
        lambda one, other: float(decide(compare(one, other, strict))), [left, right], frame
    )


def plain_numbers(column: Column) -> Doubles | None:
    """The numbers of a column that has nothing else; None for others."""
    if isinstance(column, Numbers) and column.nulls is None:
        return column.data
    if isinstance(column, Repeated) and isinstance(column.value, float):
        return np.full(column.size, column.value)
    return None


# --- functions -----------------------------------------------------------------------------------


def _call(root: Call, frame: Frame) -> Column:
    arguments = root.arguments
    if root.name == b"exists" and len(arguments) == 1 and isinstance(arguments[0], Property):
        absent = frame.column(arguments[0].name).absent()
        return booleans(np.ones(frame.size, bool) if absent is None else ~absent)
    if root.name == b"case" and len(arguments) == 3:
        return _case(root, frame)
    values = [evaluate(argument, frame) for argument in arguments]
    function = FUNCTIONS[root.name]
    try:
        function.check(len(values))
    except RowError as error:
        frame.fail(np.ones(frame.size, bool), str(error))
        return Repeated(None, frame.size)
    if root.name == b"matched_terms":
        most = root.arguments[0] if arguments else None
        limit = most.value if isinstance(most, Literal) else None
        found = frame.rows.matched_terms(int(limit) if isinstance(limit, float) and limit else 100)
        return found if frame.places is None else found.take(frame.places)
    if not all(isinstance(value, Repeated) for value in values) and root.name in VECTORS:
        made = VECTORS[root.name](values)
        if made is not None:
            return made
    return mapped(function.call, values, frame)


def _case(root: Call, frame: Frame) -> Column:
    """One of two expressions for each row; the other is not looked at."""
    condition = evaluate(root.arguments[0], frame).truth()
    made: list[Any] = [None] * frame.size
    for flags, argument in ((condition, root.arguments[1]), (~condition, root.arguments[2])):
        if flags.all():
            return evaluate(argument, frame)
        found = evaluate(argument, frame.narrowed(flags)).items()
        for place, value in zip(np.flatnonzero(flags).tolist(), found, strict=True):
            made[place] = value
    return column_of(made)


def mapped(call: Callable[..., Any], columns: list[Column], frame: Frame) -> Column:
    """A function of single values, computed for each combination of values that comes up."""
    codes, combinations = combined(columns, frame)
    found: list[Any] = []
    wrong: list[tuple[int, str]] = []
    for at, values in enumerate(combinations):
        if at % VALUES_AT_ONCE == VALUES_AT_ONCE - 1:
            frame.rows.check_time()
        made: Any = None
        if ABSENT not in values:
            try:
                made = call(*values)
            except RowError as error:
                wrong.append((at, str(error)))
        found.append(made)
    if frame.size:
        for at, error_text in wrong:
            frame.fail(codes == at, error_text)
    if len(found) == 1:
        return Repeated(found[0], frame.size)
    return gathered(found, codes)


def combined(columns: list[Column], frame: Frame) -> tuple[Places, Iterable[list[Any]]]:
    """For each row the place of its values, taken together, among distinct ones; and those."""
    size, check_time = frame.size, frame.rows.check_time
    parts = {
        at: column.distinct(check_time)
        for at, column in enumerate(columns)
        if not isinstance(column, Repeated)
    }
    fixed = [column.value if isinstance(column, Repeated) else None for column in columns]
    if not parts:
        return np.zeros(size, np.int64), [fixed] if size else []
    codes, firsts = np.zeros(size, np.int64), np.zeros(0, np.int64)
    if len(parts) == 1:
        ((at, (codes, values)),) = parts.items()
        before, behind = fixed[:at], fixed[at + 1 :]
        return codes, ([*before, value, *behind] for value in values)
    for more, values in parts.values():
        codes, firsts = factorize((codes * len(values) + more).view(np.uint64), 0, check_time)
    check_time()
    picked = [(at, own[firsts].tolist(), values) for at, (own, values) in parts.items()]
    return codes, combinations_of(fixed, picked, len(firsts))


def combinations_of(
    fixed: list[Any], picked: list[tuple[int, list[int], list[Any]]], count: int
) -> Iterator[list[Any]]:
    """So many combinations: the fixed values, and in each place the values of its codes."""
    for number in range(count):
        row = list(fixed)
        for at, codes, values in picked:
            row[at] = values[codes[number]]
        yield row


# --- functions of columns ------------------------------------------------------------------------

Vector = Callable[[list[Column]], Column | None]


def of_numbers(compute: Callable[[Doubles], Doubles]) -> Vector:
    """A function of a number."""

    def vector(columns: list[Column]) -> Column:
        numbers, _ = columns[0].numbers()
        with np.errstate(all="ignore"):
            return Numbers(with_made_nans(compute(numbers), np.isnan(numbers)))

    return vector


def of_times(compute: Callable[[Places], Doubles]) -> Vector:
    """A function of whole seconds since 1970; null for what is no time."""

    def vector(columns: list[Column]) -> Column | None:
        numbers, there = columns[0].numbers()
        known = there & (numbers >= 0)
        times_s = np.where(known, numbers, 0)
        if (times_s >= LATEST_S).any():
            return None
        return Numbers(compute(times_s.astype(np.int64)), ~known)

    return vector


def began(step_s: int) -> Vector:
    """When the minute, hour or day began."""
    return of_times(lambda times_s: (times_s // step_s * step_s).astype(float))


def dated(part: int) -> Vector:
    """A part of the date."""
    return of_times(lambda times_s: times.calendar(times_s, part))


def _to_str(columns: list[Column]) -> Column | None:
    (column,) = columns
    if not isinstance(column, Numbers) or not column.plain:
        return None
    return Texts(np.arange(column.size), number_texts(column.data))


def _to_number(columns: list[Column]) -> Column | None:
    numbers, there = columns[0].numbers()
    return Numbers(numbers) if there.all() else None


# Behind this, years are not whole numbers of 32 bits any more.
LATEST_S = 1e15
VECTORS: dict[bytes, Vector] = {
    b"log": of_numbers(np.log),
    b"log2": of_numbers(np.log2),
    b"exp": of_numbers(np.exp),
    b"ceil": of_numbers(np.ceil),
    b"floor": of_numbers(np.floor),
    b"abs": of_numbers(np.abs),
    b"sqrt": of_numbers(np.sqrt),
    b"to_str": _to_str,
    b"to_number": _to_number,
    b"minute": began(60),
    b"hour": began(3600),
    b"day": began(DAY_S),
    b"month": dated(times.MONTH_BEGIN),
    b"monthofyear": dated(times.MONTH),
    b"year": dated(times.YEAR),
    b"dayofmonth": dated(times.MONTH_DAY),
    b"dayofweek": dated(times.WEEK_DAY),
    b"dayofyear": dated(times.YEAR_DAY),
}
