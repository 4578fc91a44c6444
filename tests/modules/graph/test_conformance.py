"""openCypher as its specification has it: rows, refusals, and what changes in a graph."""

import importlib.util
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from balas_graph.errors import QueryError
from balas_graph.evaluation.compiler import Compiler
from balas_graph.evaluation.registry import Registry
from balas_graph.evaluation.run import Run
from balas_graph.execution.clauses import Executor, prepare
from balas_graph.language.parser import Parser
from balas_graph.storage.entities import Edge, Node
from balas_graph.storage.entities import Path as GraphPath
from balas_graph.storage.graph import Graph


def beside(name: str) -> ModuleType:
    """A table of scenarios in the folder of this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(name + ".py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenarios, mistakes = beside("scenarios"), beside("mistakes")
REGISTRY = Registry()


def run(graph: Graph, text: str) -> tuple[list[str], Run]:
    """Run a query: its rows as the tables write them."""
    parser = Parser(text)
    compiler = Compiler(REGISTRY, Executor().embedded)
    made = Run(graph, REGISTRY, compiler, {}, 0, Random(0))
    made.parameters = {k: compiler.compile(v)({}, made) for k, v in parser.parameters().items()}
    plan = prepare(parser, REGISTRY)
    made.compiler = plan.compiler
    rows = Executor(plan).query(plan.query, [{}], made)
    return [" | ".join(show(row[name], graph) for name in plan.columns) for row in rows], made


def show(value: object, graph: Graph) -> str:
    """A value as the tables write it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, list):
        return "[" + ", ".join(show(item, graph) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {show(v, graph)}" for key, v in value.items()) + "}"
    if isinstance(value, GraphPath):
        return "<" + ", ".join(show(node, graph) for node in value.nodes) + ">"
    if hasattr(value, "written"):
        return str(value.written())
    if not isinstance(value, (Node, Edge)):
        return repr(value)
    names = graph.attributes.names
    kept = {names[key]: item for key, item in value.properties.items()}
    if isinstance(value, Edge):
        text = ":" + graph.types.names[value.type]
    else:
        text = "".join(":" + graph.labels.names[label] for label in value.labels)
    text += (" " if text and kept else "") + (show(kept, graph) if kept else "")
    return f"[{text}]" if isinstance(value, Edge) else f"({text})"


def filled(setup: str) -> Graph:
    """A graph after a query."""
    graph = Graph()
    if setup:
        run(graph, setup)
        graph.keep()
    return graph


@pytest.mark.parametrize(
    ("setup", "query", "expected"),
    scenarios.LITERALS + scenarios.VALUES + scenarios.READING + scenarios.WRITING,
)
def test_rows(setup: str, query: str, expected: str) -> None:
    found, _ = run(filled(setup), query)
    wanted = expected.split("; ") if expected else []
    if "ORDER BY" in query:
        assert found == wanted
    else:
        assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize(("setup", "query", "expected"), scenarios.EFFECTS)
def test_effects(setup: str, query: str, expected: str) -> None:
    graph = filled(setup)
    before = len(graph.nodes), len(graph.edges)
    _, made = run(graph, query)
    after = len(graph.nodes), len(graph.edges)
    found = [
        f"{new - old:+} {name}"
        for name, old, new in zip(("nodes", "relationships"), before, after, strict=True)
        if new != old
    ]
    if made.statistics.properties_set:
        found.append(f"{made.statistics.properties_set} properties")
    assert ", ".join(found) == expected


@pytest.mark.parametrize(("setup", "query"), mistakes.BEFORE + mistakes.RUNS)
def test_refusals(setup: str, query: str) -> None:
    graph = filled(setup)
    with pytest.raises(QueryError):
        run(graph, query)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("count( * )", "count( * )"),
        ("cOuNt(*)", "cOuNt(*)"),
        ("1  +  2", "1  +  2"),
        ("`a b`", "a b"),
        ("`a b`.x", "`a b`.x"),
        ("'x' AS y", "y"),
    ],
)
def test_a_column_is_called_by_its_text(text: str, name: str) -> None:
    plan = prepare(Parser(f"WITH null AS `a b` RETURN {text}"), REGISTRY)
    assert plan.columns == [name]
