"""Columns against single values, and compiled loops against naive twins."""

import math
import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balas_search.aggregate import kernels, times
from balas_search.aggregate.columns import Column, column_of, in_order
from balas_search.aggregate.errors import RowError
from balas_search.aggregate.expressions import parse_expression
from balas_search.aggregate.quantiles import Quantiles
from balas_search.aggregate.scalar import value_of
from balas_search.aggregate.steps import sorted_places
from balas_search.aggregate.values import ABSENT, compare, number_text
from balas_search.aggregate.vectors import Frame, evaluate
from balas_search.index.texts import TextTable

NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 2.5, 7.0, 1e3, 1517417144.0, math.inf]),
    st.floats(-1e6, 1e6).map(lambda number: round(number, 3)),
)
TEXTS = st.sampled_from([b"", b"a", b"Abc", b"10", b"7.5", b" 3", b"x y,z", b"inf"])
VALUES = st.one_of(NUMBERS, TEXTS, st.none(), st.just(ABSENT))
COLUMNS = st.one_of(
    st.lists(NUMBERS, min_size=1, max_size=12),
    st.lists(st.one_of(TEXTS, st.just(ABSENT)), min_size=1, max_size=12),
    st.lists(VALUES, min_size=1, max_size=12),
)
LEAVES = st.sampled_from(["@p", "@q", "3", "'a'", "'7.5'", "NULL", "-0.5"])
MORE = (
    "({0}) + ({1})", "({0}) - ({1})", "({0}) * ({1})", "({0}) / ({1})", "({0}) % 7", "({0}) ^ 2",
    "({0}) < ({1})", "({0}) >= ({1})", "({0}) == ({1})", "({0}) != ({1})", "({0}) && ({1})",
    "({0}) || ({1})", "!({0})", "upper({0})", "strlen({0})", "floor({0})", "log({0})",
    "to_str({0})", "to_number({0})", "contains({0}, {1})", "split({0})", "exists(@p)",
    "substr({0}, 0, 2)", "format('%s-%s', {0}, {1})", "year({0})", "month({0})", "hour({0})",
    "dayofyear({0})", "timefmt({0})", "case({0}, {1}, 'other')",
)  # fmt: skip


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda form, *parts: form.format(*parts), st.sampled_from(MORE), inner, inner)


EXPRESSIONS = st.recursive(LEAVES, nested, max_leaves=5)


class TwoColumns:
    """Rows with the properties p and q."""

    def __init__(self, p: list[Any], q: list[Any]) -> None:
        self.size = len(p)
        self.columns = {b"p": column_of(p), b"q": column_of(q)}

    def column(self, name: bytes) -> Column:
        return self.columns[name]

    def matched_terms(self, most: int) -> Column:
        return column_of([None] * self.size)

    def check_time(self) -> None:
        """There is time for everything."""


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=1e-12) or number_text(one) in (
            number_text(other), b"-nan" if math.isnan(other) else b"", b"nan"
        )  # fmt: skip
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and one == other


@given(EXPRESSIONS, COLUMNS, COLUMNS)
@settings(max_examples=300, deadline=None)
def test_columns_are_what_single_values_are(text: str, p: list[Any], q: list[Any]) -> None:
    size = min(len(p), len(q))
    p, q = p[:size], q[:size]
    root = parse_expression(text.encode()).root
    frame = Frame(TwoColumns(p, q))
    made = evaluate(root, frame).items()
    for place in range(size):
        values = {b"p": p[place], b"q": q[place]}
        failed = ""
        try:
            expected = value_of(root, values.__getitem__)
        except RowError as error:
            failed = str(error)
        if failed:
            assert frame.failure == (place, failed)
            return
        assert alike(made[place], expected), (place, made[place], expected)
    assert frame.failure is None


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9)), st.booleans())
def test_codes(keys: list[int], small: bool) -> None:
    if small:
        keys = [key % 50 for key in keys]
    codes, firsts = kernels.factorize(np.array(keys, np.uint64), 50 if small else 0)
    known = list(dict.fromkeys(keys))
    assert [known[code] for code in codes.tolist()] == keys
    assert [keys[place] for place in firsts.tolist()] == known


def test_codes_of_many() -> None:
    keys = np.random.default_rng(3).integers(0, 40_000, 100_000).astype(np.uint64)
    codes, firsts = kernels.factorize(keys)
    assert np.array_equal(keys[firsts][codes], keys)
    assert len(firsts) == len(np.unique(keys))


@given(st.lists(st.tuples(st.integers(0, 3), NUMBERS.filter(math.isfinite), st.booleans())))
def test_reducing_loops(rows: list[tuple[int, float, bool]]) -> None:
    groups = np.array([row[0] for row in rows], np.int64)
    values = np.array([row[1] for row in rows])
    there = np.array([row[2] for row in rows], np.uint8)
    found = defaultdict(list)
    for group, value, is_there in rows:
        if is_there:
            found[group].append(value)
    arguments = (groups, values, there, 4)
    sums = kernels.totals(*arguments).tolist()
    least = kernels.extremes(*arguments, 1.0).tolist()
    most = kernels.extremes(*arguments, -1.0).tolist()
    spread = kernels.deviations(*arguments).tolist()
    for group in range(4):
        own = found[group]
        assert sums[group] == pytest.approx(sum(own))
        assert (least[group], most[group]) == (min(own, default=0), max(own, default=0))
        expected = np.std(own, ddof=1) if len(own) > 1 else 0
        assert spread[group] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=40), st.booleans(), st.booleans())
def test_sorting(rows: list[tuple[Any, Any]], first_down: bool, second_down: bool) -> None:
    columns = [column_of([row[0] for row in rows]), column_of([row[1] for row in rows])]
    keys = list(zip(columns, (first_down, second_down), strict=True))
    whole = sorted_places(keys, len(rows), 0, len(rows)).tolist()
    assert sorted(whole) == list(range(len(rows)))
    for offset, count in ((0, 3), (2, 5), (0, 1)):
        part = sorted_places(keys, len(rows), offset, count).tolist()
        assert part == whole[offset : offset + count]


@given(st.lists(VALUES.filter(lambda value: value is not ABSENT), min_size=2, max_size=12))
def test_order_of_values(values: list[Any]) -> None:
    """Values of one kind stand as they compare; null is no number."""
    order = in_order(column_of(values)).tolist()
    for one, first in zip(values, order, strict=True):
        assert math.isnan(first) == (one is None)
        for other, second in zip(values, order, strict=True):
            if type(one) is type(other) is not type(None):
                assert (first > second) - (first < second) == compare(one, other, False)


@given(st.lists(st.integers(0, 4_000_000_000), min_size=1))
def test_dates(seconds: list[int]) -> None:
    of_all = [times.calendar(np.array(seconds, np.int64), part).tolist() for part in range(6)]
    for place, second in enumerate(seconds):
        date = time.gmtime(second)
        parts = [column[place] for column in of_all]
        assert tuple(parts[:5]) == times.parts_of(second)
        assert parts[:3] == [date.tm_year, date.tm_mon - 1, date.tm_mday]
        begin = time.gmtime(int(parts[5]))
        assert begin[:6] == (date.tm_year, date.tm_mon, 1, 0, 0, 0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_quantiles_are_near(share: float) -> None:
    values = np.random.default_rng(5).normal(size=20_000)
    stream = Quantiles(share)
    stream.add(values)
    rank = np.searchsorted(np.sort(values), stream.find()) / len(values)
    assert abs(rank - share) <= 0.03


def test_estimates_are_those_of_the_original() -> None:
    """They can be far off: its hash does not spread texts that are nearly equal."""
    registers = kernels.Registers()
    numbers = kernels.Registers()
    for number in range(3000):
        registers.add(b"value %d" % number)
        numbers.add(number * 1.5)
    assert registers.estimate() == 42
    assert numbers.estimate() == 1058
    other = kernels.Registers()
    assert other.add_all(registers.text())
    assert other.estimate() == registers.estimate()
    assert not other.add_all(b"no registers")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=3).map(lambda tail: b"prefix" + tail) | st.binary(), unique=True)
)
def test_a_table_of_texts_knows_their_order(texts: list[bytes]) -> None:
    table = TextTable()
    assert [table.number_of(text) for text in texts] == list(range(len(texts)))
    assert [table.number_of(text) for text in texts] == list(range(len(texts)))
    assert list(table) == texts
    order = table.order()
    assert table.some(order) == sorted(texts)
    assert table.some(order[::-1]) == sorted(texts, reverse=True)
