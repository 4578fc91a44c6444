"""The language itself: what is parsed, printed and parsed again; what is too deep; what is quick.

The printer puts brackets round everything, the parser has to find the same tree; without the
brackets it has to find the tree that the binding strengths of openCypher give.
"""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balas.testing import Client
from balas_graph.language import tree
from balas_graph.language.parser import Parser
from balas_graph.language.tree import Expression

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "100"))

names = st.sampled_from(["a", "b1", "match", "x y", "été"])
texts = st.text(alphabet=st.sampled_from("ab'\"\\\n\té😀"), max_size=4)
literals = st.one_of(
    st.none(), st.booleans(), st.integers(0, 2**63 - 1), st.floats(0, 1e300), texts
).map(tree.Literal)
leaves = literals | names.map(tree.Variable) | names.map(tree.Parameter)
# Operators from the loosest to the tightest, each with the operators of its strength.
STRENGTHS = (
    ("OR",), ("XOR",), ("AND",), ("=", "<>", "<", ">", "<=", ">="),
    ("STARTS WITH", "ENDS WITH", "CONTAINS", "IN", "=~"), ("+", "-"), ("*", "/", "%"), ("^",),
)  # fmt: skip
BINARY = [operator for row in STRENGTHS for operator in row if row[0] != "="]


def grown(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    """Expressions made of smaller ones."""
    some = st.lists(inner, max_size=3).map(tuple)
    maybe = st.none() | inner
    pairs = st.lists(st.tuples(st.sampled_from(STRENGTHS[3]), inner), min_size=1, max_size=2)
    return st.one_of(
        st.builds(tree.Binary, st.sampled_from(BINARY), inner, inner),
        st.builds(tree.Chain, inner, pairs.map(tuple)),
        st.builds(tree.Unary, st.sampled_from(["NOT", "-", "+"]), inner),
        st.builds(tree.IsNull, inner, st.booleans()),
        st.builds(tree.Property, inner, names),
        st.builds(tree.Index, inner, inner),
        st.builds(tree.Slice, inner, maybe, maybe),
        st.builds(tree.HasLabels, inner, st.lists(names, min_size=1, max_size=2).map(tuple)),
        st.builds(tree.ListOf, some),
        st.builds(tree.MapOf, st.lists(st.tuples(names, inner), max_size=2).map(tuple)),
        st.builds(tree.Call, st.sampled_from(["size", "date.truncate"]), some, st.booleans()),
        st.builds(tree.ListComprehension, names, inner, maybe, inner),
        st.builds(tree.Quantifier, st.sampled_from(["any", "all"]), names, inner, inner),
        st.builds(tree.Reduce, names, inner, names, inner, inner),
        st.builds(tree.Case, maybe, st.tuples(st.tuples(inner, inner)), maybe),
    )


def quoted(name: str) -> str:
    """A name that may be anything."""
    return "`" + name + "`"


def literal(value: object) -> str:
    """A literal as a query writes it."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{escaped}'"
    return (
        "null" if value is None else str(value).lower() if value in (True, False) else repr(value)
    )


def printed(node: Expression | None) -> str:
    """An expression in brackets; nothing for None."""
    return "" if node is None else f"({bare(node)})"


def bare(node: Expression) -> str:
    """An expression with brackets round its parts."""
    match node:
        case tree.Literal():
            return literal(node.value)
        case tree.Variable():
            return quoted(node.name)
        case tree.Parameter():
            return "$" + quoted(node.name)
        case tree.Binary():
            return f"{printed(node.left)} {node.operator} {printed(node.right)}"
        case tree.Chain():
            rest = "".join(f" {operator} {printed(other)}" for operator, other in node.rest)
            return printed(node.first) + rest
        case tree.Unary():
            return f"{node.operator} {printed(node.of)}"
        case tree.IsNull():
            return f"{printed(node.of)} IS {'NOT ' if node.negated else ''}NULL"
        case tree.Property():
            return f"{printed(node.of)}.{quoted(node.key)}"
        case tree.Index():
            return f"{printed(node.of)}[{printed(node.index)}]"
        case tree.Slice():
            return f"{printed(node.of)}[{printed(node.start)}..{printed(node.end)}]"
        case tree.HasLabels():
            return printed(node.of) + "".join(":" + quoted(label) for label in node.labels)
        case tree.ListOf():
            return "[" + ", ".join(map(printed, node.items)) + "]"
        case tree.MapOf():
            return "{" + ", ".join(f"{quoted(k)}: {printed(v)}" for k, v in node.pairs) + "}"
        case tree.Call():
            distinct = "DISTINCT " if node.distinct else ""
            return f"{node.name}({distinct}{', '.join(map(printed, node.arguments))})"
    return walked(node)


def walked(node: Expression) -> str:
    """The same for what has a variable of its own, and for CASE."""
    match node:
        case tree.ListComprehension():
            where = f" WHERE {printed(node.where)}" if node.where is not None else ""
            source = f"{quoted(node.variable)} IN {printed(node.source)}"
            return f"[{source}{where} | {printed(node.value)}]"
        case tree.Quantifier():
            source = f"{quoted(node.variable)} IN {printed(node.source)}"
            return f"{node.kind}({source} WHERE {printed(node.where)})"
        case tree.Reduce():
            source = f"{quoted(node.variable)} IN {printed(node.source)}"
            start = f"{quoted(node.total)} = {printed(node.start)}"
            return f"reduce({start}, {source} | {printed(node.value)})"
        case tree.Case():
            whens = "".join(f" WHEN {printed(w)} THEN {printed(t)}" for w, t in node.whens)
            default = f" ELSE {printed(node.default)}" if node.default is not None else ""
            return f"CASE {printed(node.subject)}{whens}{default} END"
    raise AssertionError(f"no text for {node}")


@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(st.recursive(leaves, grown, max_leaves=8))
def test_what_is_printed_is_parsed_as_it_was(node: Expression) -> None:
    text = bare(node)
    assert Parser(text).expression() == node, text


def joined(left: Expression, operator: str, right: Expression) -> Expression:
    """Two operands and what is between them."""
    if operator in STRENGTHS[3]:
        return tree.Chain(left, ((operator, right),))
    return tree.Binary(operator, left, right)


@pytest.mark.parametrize("loose", range(len(STRENGTHS)))
def test_tighter_operators_come_first(loose: int) -> None:
    a, b, c = map(tree.Variable, "abc")
    for one in STRENGTHS[loose]:
        for row in STRENGTHS[loose + 1 :]:
            for other in row:
                right = Parser(f"a {one} b {other} c").expression()
                assert right == joined(a, one, joined(b, other, c)), (one, other)
                left = Parser(f"a {other} b {one} c").expression()
                assert left == joined(joined(a, other, b), one, c), (other, one)


@pytest.mark.parametrize("row", [row for row in STRENGTHS if row[0] != "="])
def test_equal_operators_are_taken_from_the_left(row: tuple[str, ...]) -> None:
    a, b, c = map(tree.Variable, "abc")
    for one in row:
        for other in row:
            found = Parser(f"a {one} b {other} c").expression()
            assert found == tree.Binary(other, tree.Binary(one, a, b), c)


def nest(before: str, within: str, behind: str, times: int) -> str:
    """A text in itself, so many times."""
    return before * times + within + behind * times


TOO_DEEP = (
    "RETURN " + nest("[x IN ", "[1]", ", 2]", 40),
    "MATCH (n) RETURN " + nest("[(n {x: ", "1", "})--()]", 40),
    "MATCH (n) RETURN " + nest("(n {x: ", "1", "})-[1]", 40),
    "RETURN " + "+".join(["1"] * 5000),
    "RETURN " + " AND ".join(["true"] * 5000),
    "RETURN " + "-" * 5000 + "1",
    "WITH {a: 1} AS a RETURN a" + ".a" * 5000,
    "RETURN [1]" + "[0]" * 5000,
    "RETURN " + "(" * 5000 + "1",
    "RETURN " + nest("[", "1", "]", 500),
    "RETURN " + nest("{a: ", "1", "}", 500),
    "RETURN " + nest("abs(", "1", ")", 500),
    "RETURN " + nest("CASE WHEN true THEN ", "1", " END", 500),
    nest("FOREACH (x IN [1] | ", "CREATE ()", ")", 500),
    "RETURN " + nest("EXISTS { RETURN ", "1", "}", 500),
    nest("CALL { ", "RETURN 1 AS a", " }", 500) + " RETURN 1",
)


@pytest.mark.parametrize("query", TOO_DEEP, ids=lambda query: query[:24])
def test_what_is_too_deep_is_refused(graph: Client, query: str) -> None:
    assert "nested too deeply" in graph.error("GRAPH.QUERY", "g", query)
    assert graph("GRAPH.QUERY", "g", "RETURN 1")[1] == [[1]]


def test_reading_ends_when_time_is_used_up(graph: Client) -> None:
    query = "RETURN [" + ",".join(["1"] * 20_000) + "]"
    assert "timed out" in graph.error("GRAPH.QUERY", "g", query, "timeout", 1)


def test_long_is_not_deep(graph: Client) -> None:
    items = ",".join(["1", "'a'", "$p", "null"] * 2000)
    assert graph("GRAPH.QUERY", "g", f"CYPHER p=1 RETURN size([{items}])")[1] == [[8000]]
    assert graph("GRAPH.QUERY", "g", "RETURN " + "NOT " * 4000 + "true")[1] == [[b"true"]]
