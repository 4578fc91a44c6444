"""Random expressions of truths, numbers and lists, told by Balas and by a twin of a few lines.

The twin keeps to the standard's words: null is what is not known, and a result is known only if
it is the same whatever stands for the nulls.
"""

import os
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balas.testing import Client

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "100"))
Made = tuple[str, object]

numbers = st.sampled_from([None, -2, 0, 1, 3]).map(lambda n: (shown(n), n))
truths = st.sampled_from([None, True, False]).map(lambda b: (shown(b), b))


def shown(value: object) -> str:
    """A value as a query writes it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def possible(holds: Callable[..., bool], *values: bool | None) -> bool | None:
    """A truth of truths: known if it is the same for all that the nulls could be."""
    ways = [()]
    for value in values:
        ways = [(*way, v) for way in ways for v in ((True, False) if value is None else (value,))]
    results = {holds(*way) for way in ways}
    return results.pop() if len(results) == 1 else None


LOGIC: dict[str, Callable[[bool, bool], bool]] = {
    "AND": lambda a, b: a and b,
    "OR": lambda a, b: a or b,
    "XOR": lambda a, b: a != b,
}
SUMS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
TESTS: dict[str, Callable[[int, int], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
}


def of_two(table: dict[str, Callable[..., object]], a: Made, sign: str, b: Made) -> Made:
    """An operator that knows nothing of nulls."""
    known = a[1] is not None and b[1] is not None
    return f"({a[0]} {sign} {b[0]})", table[sign](a[1], b[1]) if known else None


def logic(a: Made, sign: str, b: Made) -> Made:
    """AND, OR and XOR."""
    assert isinstance(a[1], bool | None)
    assert isinstance(b[1], bool | None)
    return f"({a[0]} {sign} {b[0]})", possible(LOGIC[sign], a[1], b[1])


def negated(a: Made) -> Made:
    """NOT."""
    return f"(NOT {a[0]})", None if a[1] is None else not a[1]


def unknown(a: Made) -> Made:
    """IS NULL."""
    return f"({a[0]} IS NULL)", a[1] is None


def within(a: Made, items: list[Made]) -> Made:
    """IN: OR over all items."""
    same = [None if a[1] is None or b is None else a[1] == b for _, b in items]
    found = possible(lambda *each: any(each), *same)
    return f"({a[0]} IN [{', '.join(text for text, _ in items)}])", found


def quantified(kind: str, items: list[Made], limit: Made) -> Made:
    """all, any, none and single of numbers that are less than a limit."""
    less = [None if n is None or limit[1] is None else n < limit[1] for _, n in items]
    holds = {"all": all, "any": any}.get(kind) or (
        lambda each: sum(each) == (0 if kind == "none" else 1)
    )
    listed = ", ".join(text for text, _ in items)
    return f"{kind}(x IN [{listed}] WHERE x < {limit[0]})", possible(lambda *e: holds(e), *less)


def chosen(test: Made, one: Made, other: Made) -> Made:
    """CASE: null is not true."""
    text = f"(CASE WHEN {test[0]} THEN {one[0]} ELSE {other[0]} END)"
    return text, one[1] if test[1] is True else other[1]


def counted(inner: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    """Numbers made of numbers."""
    return st.builds(lambda a, s, b: of_two(SUMS, a, s, b), inner, st.sampled_from("+-*"), inner)


sums = st.recursive(numbers, counted, max_leaves=3)
items = st.lists(sums, max_size=3)
asked = st.one_of(
    truths,
    st.builds(lambda a, s, b: of_two(TESTS, a, s, b), sums, st.sampled_from(list(TESTS)), sums),
    st.builds(within, sums, items),
    st.builds(unknown, sums),
    st.builds(quantified, st.sampled_from(["all", "any", "none", "single"]), items, sums),
)
logical = st.recursive(
    asked,
    lambda inner: st.one_of(
        st.builds(logic, inner, st.sampled_from(list(LOGIC)), inner),
        st.builds(negated, inner),
        st.builds(chosen, inner, inner, inner),
    ),
    max_leaves=5,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(made=st.lists(logical | sums, min_size=5, max_size=20))
def test_expressions_have_the_value_that_the_twin_tells(graph: Client, made: list[Made]) -> None:
    query = "RETURN " + ", ".join(f"{text} AS c{at}" for at, (text, _) in enumerate(made))
    found = graph("GRAPH.QUERY", "g", query)[1][0]
    for value, (text, expected) in zip(found, made, strict=True):
        wanted = shown(expected).encode() if isinstance(expected, bool) else expected
        assert value == wanted, text
