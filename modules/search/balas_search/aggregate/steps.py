"""What the steps of FT.AGGREGATE do to rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas.api import ReplyError
from balas_search.aggregate.columns import (
    Check,
    Column,
    Numbers,
    Places,
    Repeated,
    Texts,
    Values,
    column_of,
    in_order,
    unlimited,
)
from balas_search.aggregate.expressions import Parsed
from balas_search.aggregate.kernels import factorize
from balas_search.aggregate.plan import (
    SORTED_DEFAULT,
    Apply,
    Arrange,
    GroupBy,
    Keep,
    Load,
    LoadAll,
    Step,
)
from balas_search.aggregate.reducers import Groups, reduced
from balas_search.aggregate.rows import SCORE, Rows
from balas_search.aggregate.values import ABSENT
from balas_search.index.index import Index
from balas_search.results.deadline import TimeUp
from balas_search.results.order import KEYS_AT_ONCE, by_keys, lowest, sorted_in_parts
from balas_search.schema.words import shown

# --- which names there are -----------------------------------------------------------------------


class Names:
    """The properties that steps may name; raises ReplyError for others."""

    def __init__(self, index: Index, known: list[bytes]) -> None:
        self.index = index
        self.known = set(known)
        self.of_documents = True
        self.whole = False

    def check(self, steps: list[Step]) -> None:
        """Check all steps, in their order."""
        for step in steps:
            if isinstance(step, Load):
                self.known.update(label for _, label in step.fields)
            elif isinstance(step, LoadAll):
                self.whole = True
            elif isinstance(step, Apply | Keep):
                self.expression(step.expression)
                if isinstance(step, Apply):
                    self.known.add(step.label)
            elif isinstance(step, Arrange):
                for name, _ in step.keys or ():
                    self.wanted(name, f"Property `{shown(name)}` not loaded nor in schema")
            else:
                self.group(step)

    def expression(self, expression: Parsed) -> None:
        """Those of an expression."""
        for name in expression.properties:
            spec = self.index.spec_of(name) if self.of_documents else None
            if name in self.known or (spec is not None and (spec.sortable or self.whole)):
                self.known.add(name)
                continue
            raise ReplyError(f"Property `{shown(name)}` not loaded nor in pipeline")

    def wanted(self, name: bytes, error: str) -> None:
        """One that is loaded if need be."""
        if name not in self.known and not (self.of_documents and name in self.index.fields):
            raise ReplyError(error)
        self.known.add(name)

    def group(self, step: GroupBy) -> None:
        """Those of a GROUPBY, and what is left behind it."""
        made: set[bytes] = set()
        for name in step.properties:
            self.wanted(name, f"No such property `{shown(name)}`")
        for reducer in step.reducers:
            for name in reducer.properties():
                error = f"Property `{shown(name)}` not present in document or pipeline"
                self.wanted(name, error)
        for label in [*step.properties, *(reducer.label for reducer in step.reducers)]:
            if label in made:
                raise ReplyError(f"Property `{shown(label)}` specified more than once")
            made.add(label)
        self.known, self.of_documents, self.whole = made, False, False


# --- the steps -----------------------------------------------------------------------------------


class Pipeline:
    """Puts rows through steps.

    `total` is how many rows there are before the last LIMIT; `arranged` tells that it is behind us.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.total = rows.size
        self.arranged = False
        # How many rows each step let through, for FT.PROFILE.
        self.counts: list[int] = []

    def run(self, steps: list[Step]) -> Rows:
        """All steps; raises ReplyError."""
        for step in steps:
            self.step(step)
            self.counts.append(self.rows.size)
        return self.rows

    def step(self, step: Step) -> None:
        """One step; raises ReplyError."""
        rows = self.rows
        if isinstance(step, Load):
            for path, label in step.fields:
                rows.add_load(path, label)
        elif isinstance(step, LoadAll):
            rows.whole = True
            rows.columns = {name: column for name, column in rows.columns.items() if name == SCORE}
        elif isinstance(step, Apply):
            for name in step.expression.properties:
                rows.use(name)
            rows.add_expression(step.label, step.expression.root)
        elif isinstance(step, Keep):
            self.filter(step.expression)
        elif isinstance(step, GroupBy):
            self.group(step)
        else:
            self.arrange(step)
        if isinstance(step, Arrange):
            self.arranged = True
        elif isinstance(step, GroupBy) or not self.arranged:
            self.arranged = False
            self.total = self.rows.size

    def filter(self, expression: Parsed) -> None:
        """FILTER."""
        rows = self.rows
        rows.settle()
        for name in expression.properties:
            rows.use(name)
        frame, values = rows.evaluated(expression.root)
        flags = values.truth()
        rows.stop_at(frame)
        rows.keep(np.flatnonzero(flags[: rows.size]))

    def complete(self) -> None:
        """Compute what is pending; raises ReplyError if a row has no value."""
        self.rows.settle()
        self.rows.trim()
        if self.rows.failure:
            raise ReplyError(self.rows.failure)

    def arrange(self, step: Arrange) -> None:
        """SORTBY and LIMIT."""
        rows = self.rows
        if step.keys is not None:
            self.sort(step)
            return
        self.total = rows.size
        if step.count == 0:
            self.complete()
            rows.cut(0)
        elif step.count is not None:
            end = step.offset + step.count
            if rows.size >= end:
                # Enough came through; what goes wrong behind them is not noticed.
                rows.cut(end)
                rows.failure = ""
            if step.offset:
                rows.settle()
                rows.keep(np.arange(min(step.offset, rows.size), rows.size))

    def sort(self, step: Arrange) -> None:
        """SORTBY, and the LIMIT that goes with it."""
        self.complete()
        rows = self.rows
        for name, _ in step.keys or ():
            rows.use(name)
        columns = [(rows.column(name), descending) for name, descending in step.keys or ()]
        if rows.read_until is not None:
            rows.trim()
            columns = [(rows.column(name), descending) for name, descending in step.keys or ()]
        self.total = rows.size
        count = step.count
        if count is None:
            count = step.most or SORTED_DEFAULT
        try:
            places = sorted_places(columns, rows.size, step.offset, count, rows.check_time)
        except TimeUp:
            rows.shorten()
            columns = [(rows.column(name), descending) for name, descending in step.keys or ()]
            places = sorted_places(columns, rows.size, step.offset, count)
        rows.keep(places)

    def group(self, step: GroupBy) -> None:
        """GROUPBY: from now on the rows are groups; of the first rows alone once time is over."""
        self.complete()
        try:
            self.group_all(step)
        except TimeUp:
            self.rows.shorten()
            self.group_all(step)

    def group_all(self, step: GroupBy) -> None:
        """The groups of all rows; raises TimeUp."""
        rows = self.rows
        named = list(
            dict.fromkeys(
                [
                    *step.properties,
                    *(name for reducer in step.reducers for name in reducer.properties()),
                ]
            )
        )
        for name in named:
            rows.column(name)
        rows.trim()
        if not rows.size:
            self.rows = Rows(rows.source, 0, names=dict.fromkeys(labels_of(step)))
            self.rows.timed_out = rows.timed_out
            return
        columns = {name: rows.column(name) for name in named}
        rows.check_time()
        places = expanded(columns, step.properties)
        size = rows.size if places is None else len(places)
        if places is not None:
            for name in named:
                if name not in step.properties:
                    columns[name] = columns[name].take(places)
        codes, firsts = group_codes(
            [columns[name] for name in step.properties], size, rows.check_time
        )
        groups = Groups(codes, len(firsts), columns.__getitem__, rows.check_time)
        made = Rows(rows.source, len(firsts))
        made.timed_out = rows.timed_out
        for name in step.properties:
            made.columns[name] = without_absent(columns[name].take(firsts))
        for reducer in step.reducers:
            made.columns[reducer.label] = reduced(groups, reducer)
        made.names = dict.fromkeys(labels_of(step))
        self.rows = made


def labels_of(step: GroupBy) -> list[bytes]:
    """The names that are there behind a GROUPBY."""
    return [*step.properties, *(reducer.label for reducer in step.reducers)]


def sorted_places(
    columns: list[tuple[Column, bool]],
    size: int,
    offset: int,
    count: int,
    check_time: Check = unlimited,
) -> Places:
    """The places of the wanted rows; raises TimeUp.

    Rows that have no value come last, in either direction; null is less than all. Rows that are
    equal stand as they stood, or the other way round if the last key is in descending order.
    """
    if len(columns) == 1:
        column, descending = columns[0]
        if (isinstance(column, Numbers) and column.nulls is None) or (
            isinstance(column, Texts) and column.ranks is not None
        ):
            return by_keys(in_order(column, check_time), descending, offset, count, check_time)
    wanted = offset + count
    places = np.arange(size)
    if columns:
        places = candidates(columns[0][0], columns[0][1], wanted, check_time)
    keys: list[NDArray[Any]] = [-places if columns and columns[-1][1] else places]
    for column, descending in reversed(columns):
        column = column.take(places)
        values = in_order(column, check_time)
        keys.append(-values if descending else values)
        kinds = np.where(np.isnan(values), 1 if descending else -1, 0)
        absent = column.absent()
        if absent is not None:
            kinds[absent] = 2
        keys.append(kinds)
    found: Places = places[in_order_of(keys, check_time)]
    return found[offset:wanted]


def in_order_of(keys: list[NDArray[Any]], check_time: Check) -> Places:
    """The places in the order of the last key, then of those before it; raises TimeUp."""
    if len(keys[0]) <= KEYS_AT_ONCE:
        return np.lexsort(keys)
    order = sorted_in_parts(keys[0], check_time)
    for key in keys[1:]:
        check_time()
        values = key[order]
        if (values[1:] != values[:-1]).any():
            order = order[sorted_in_parts(values, check_time)]
    return order


def candidates(column: Column, descending: bool, wanted: int, check_time: Check) -> Places:
    """The places of rows that may be among the first, by their first key alone; raises TimeUp."""
    if wanted >= column.size // 2:
        return np.arange(column.size)
    values = in_order(column, check_time)
    values = -values if descending else values.copy()
    unknown = np.isnan(values)
    if unknown.any():
        absent = column.absent()
        values[unknown] = np.inf if descending else -np.inf
        if absent is not None:
            values[absent] = np.inf
    bound = lowest(values, max(wanted, 1), check_time)
    return np.flatnonzero(values <= bound)


def expanded(columns: dict[bytes, Column], names: list[bytes]) -> Places | None:
    """Rows whose property is a list stand for as many as the list has items; their places.

    The columns of the properties are replaced. None if there are no lists.
    """
    places: Places | None = None
    for name in names:
        column = columns[name] if places is None else columns[name].take(places)
        items = column.items() if isinstance(column, Values | Repeated) else []
        columns[name] = column
        if not any(isinstance(item, list) for item in items):
            continue
        rows: list[int] = []
        values: list[Any] = []
        for place, item in enumerate(items):
            parts = (item or [None]) if isinstance(item, list) else [item]
            values += parts
            rows += [place] * len(parts)
        again = np.array(rows, np.int64)
        for other in names[: names.index(name)]:
            columns[other] = columns[other].take(again)
        places = again if places is None else places[again]
        columns[name] = column_of(values)
    return places


def group_codes(columns: list[Column], size: int, check_time: Check) -> tuple[Places, Places]:
    """For each row the number of its group, and for each group its first row; raises TimeUp."""
    if not columns:
        return np.zeros(size, np.int64), np.zeros(1, np.int64)
    codes, bound = key_codes(columns[0], check_time)
    codes, firsts = factorize(codes.view(np.uint64), bound, check_time)
    for column in columns[1:]:
        own, bound = key_codes(column, check_time)
        known = len(firsts)
        pairs = (codes * bound + own).view(np.uint64)
        codes, firsts = factorize(pairs, known * bound, check_time)
    return codes, firsts


def key_codes(column: Column, check_time: Check) -> tuple[Places, int]:
    """Codes of values, null and nothing being the same; and more than the highest of them.

    Raises TimeUp.
    """
    if isinstance(column, Texts):
        codes = np.maximum(column.codes, -1)
        codes += 1
        return codes, len(column.texts) + 1
    codes, values = column.distinct(check_time)
    nothing = [at for at, value in enumerate(values) if value is None or value is ABSENT]
    if len(nothing) > 1:
        codes = np.where(codes == nothing[1], nothing[0], codes)
    return codes, len(values)


def without_absent(column: Column) -> Column:
    """The column of a group's property: null where the rows had nothing."""
    if column.absent() is None:
        return column
    return column_of([None if value is ABSENT else value for value in column.items()])
