"""Patterns matched in columns find what the plain search finds, row by row."""

import os
from random import Random

import pytest

from balas_graph.evaluation.compiler import Compiler
from balas_graph.evaluation.registry import Registry
from balas_graph.evaluation.run import Row, Run
from balas_graph.execution.batches import recipe
from balas_graph.execution.clauses import Executor, prepare
from balas_graph.language import tree
from balas_graph.language.parser import Parser
from balas_graph.storage.entities import Edge, Node, Path
from balas_graph.storage.graph import Graph

REGISTRY = Registry()
EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "24"))


class RowByRow(Executor):
    """An executor that knows no columns."""

    def part(self, clauses: tuple[tree.Clause, ...], rows: list[Row], run: Run) -> list[Row]:
        for clause in clauses:
            rows = getattr(self, "run_" + type(clause).__name__.lower())(clause, rows, run)
        return rows if isinstance(clauses[-1], tree.Projection) else []


def answer(graph: Graph, text: str, kind: type[Executor]) -> list[str]:
    """The rows of a query as text, sorted."""
    plan = prepare(Parser(text), REGISTRY)
    run = Run(graph, REGISTRY, plan.compiler, {"p": 2}, 0, Random(0))
    assert isinstance(plan.compiler, Compiler)
    rows = kind(plan).query(plan.query, [{}], run)
    found = sorted(repr([shown(row[name]) for name in plan.columns]) for row in rows)
    graph.keep()
    return found


def shown(value: object) -> object:
    """A value that can be compared across runs."""
    if isinstance(value, Path):
        return [shown(one) for one in (*value.nodes, *value.edges)]
    if isinstance(value, list):
        return list(map(shown, value))
    return (type(value).__name__, value.id) if isinstance(value, (Node, Edge)) else value


def random_graph(chance: Random) -> Graph:
    """Some nodes and edges, with loops, edges side by side, and values of all kinds."""
    graph = Graph()
    values = [1, 2, 2.0, 2.5, "two", "a longer text", True, None, [1, 2]]
    keys = [graph.attributes.intern(key) for key in "vw"]
    labels = [graph.label_id(name) for name in "AB"]
    types = [graph.types.intern(name) for name in "RS"]
    nodes = []
    for _ in range(chance.randrange(1, 7)):
        given = {key: value for key in keys if (value := chance.choice(values)) is not None}
        nodes.append(graph.create_node(chance.sample(labels, chance.randrange(3)), given))
    for _ in range(chance.randrange(0, 9)):
        given = {keys[0]: value} if (value := chance.choice(values)) is not None else {}
        ends = chance.choice(nodes), chance.choice(nodes)
        graph.create_edge(chance.choice(types), *ends, given)
    if chance.random() < 0.5:
        graph.create_index(False, labels[0], keys[0])
    graph.keep()
    return graph


def random_query(chance: Random) -> str:
    """One or two MATCH clauses, a test, and a RETURN."""
    names = ["a", "b", "c", "d"]

    def node(name: str) -> str:
        label = chance.choice(["", "", ":A", ":B", ":A:B", ":Nothing"])
        return f"({name}{label}{chance.choice(['', '', '', ' {v: 2}', ' {w: $p}'])})"

    def edge(name: str) -> str:
        inner = chance.choice(["", "", ":R", ":R|S", f"{name}:S {{v: 1}}", f"{name}"])
        left, right = chance.choice([("-", "->"), ("<-", "-"), ("-", "-")])
        return f"{left}[{inner}]{right}"

    if chance.random() < 0.3:
        length = chance.choice(["*", "*1..2", "*0..1", "*2..3", "*0.."])
        left, right = chance.choice([("-", "->"), ("<-", "-"), ("-", "-")])
        many = chance.choice(["", "r"])
        pattern = f"{node('a')}{left}[{many}{chance.choice(['', ':R'])}{length}]{right}{node('b')}"
        used = ["a", "b", *([many] if many else [])]
    else:
        used = names[: chance.randrange(1, 5)]
        pattern = node(used[0])
        for number, name in enumerate(used[1:]):
            pattern += edge(f"e{number}") + node(chance.choice([name, name, used[0]]))
        used = [name for name in used if f"({name}" in pattern]
        if chance.random() < 0.3:
            pattern += f", {node(chance.choice([*used, 'z']))}"
    path = ""
    if chance.random() < 0.3 and "," not in pattern.replace("{v", ""):
        path = "p = "
        used.append("p")
    where = chance.choice(
        ["", "", "WHERE a.v = 2", "WHERE a.v <> 2 AND a.w > 1", "WHERE a:A", "WHERE a.v < 'u'",
         "WHERE 2 <= a.w AND (a)-->()", "WHERE a.v = [1, 2] OR a.w = $p"]
    )  # fmt: skip
    last = [name for name in used if name not in "pr"][-1]
    result = chance.choice(
        [", ".join(used), f"count(DISTINCT {last})", f"DISTINCT {last}", "count(*)", "a.v, a.w",
         "a.v AS v, count(*) AS n, min(a.w), size(collect(a.v))", f"sum(1), count({last}.w)",
         f"a, count({last}), count(DISTINCT {last})", "DISTINCT a.v", used[-1],
         f"count({used[-1]})"]
    )  # fmt: skip
    again = f" MATCH {node(last)}{edge('e9')}{node('y')}" if chance.random() < 0.2 else ""
    return f"MATCH {path}{pattern} {where}{again} RETURN {result}"


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_columns_find_what_rows_find(seed: int) -> None:
    chance = Random(seed)
    for _ in range(4):
        graph = random_graph(chance)
        for _ in range(12):
            text = random_query(chance)
            assert answer(graph, text, Executor) == answer(graph, text, RowByRow), text


def test_plain_patterns_are_matched_in_columns() -> None:
    def steps(text: str) -> int:
        found = recipe(prepare(Parser(text), REGISTRY).query.parts[0])
        return 0 if found is None else len(found.steps)

    assert steps("MATCH (a:A {v: 1})-[:R]->(b) MATCH (b)-->(c) WHERE c.v > 1 RETURN a") == 2
    assert steps("MATCH (a)-[*1..3]->(b) RETURN count(b)") == 1
    assert steps("MATCH p = (a)-->(b) RETURN p") == 1
    assert steps("MATCH p = (a)-[r*]->(b) RETURN p, r") == 1
    assert steps("MATCH p = shortestPath((a)-[*]->(b)) RETURN p") == 0
    assert steps("OPTIONAL MATCH (a) RETURN a") == 0


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_ends_are_those_of_paths_without_an_edge_twice(hops: int) -> None:
    chance = Random(hops)
    for _ in range(80):
        graph = random_graph(chance)
        chain = "()".join(["-[:R]->"] * hops)
        text = f"MATCH (a {{v: 2}}){chain}(b) RETURN count(DISTINCT b)"
        assert answer(graph, text, Executor) == answer(graph, text, RowByRow)
