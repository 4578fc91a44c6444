"""Functions of nodes, relationships and paths, and those of any value."""

from __future__ import annotations

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import type_name
from balas_graph.storage.entities import Edge, Node, Path


def alive(value: object) -> Node | Edge:
    """A node or an edge that is still in the graph."""
    if not isinstance(value, (Node, Edge)):
        raise type_mismatch("Node, Edge, or Null", type_name(value))
    if value.deleted:
        raise QueryError(f"{type_name(value)} {value.id} has been deleted in this query")
    return value


@function("id")
def identity(run: Run, value: object) -> object:
    """The id of a node or an edge."""
    if not isinstance(value, (Node, Edge)):
        raise type_mismatch("Node, Edge, or Null", type_name(value))
    return value.id


@function("elementId")
def element_id(run: Run, value: object) -> object:
    """The id of a node or an edge as text."""
    return str(identity(run, value))


@function("labels", "node")
def labels(run: Run, node: Node) -> object:
    """The labels of a node."""
    alive(node)
    return [run.graph.labels.names[label] for label in node.labels]


@function("type", "edge")
def edge_type(run: Run, edge: Edge) -> object:
    """The type of a relationship."""
    return run.graph.types.names[edge.type]


@function("properties")
def properties(run: Run, value: object) -> object:
    """Properties as a map; a map stays what it is."""
    if isinstance(value, dict):
        return value
    names = run.graph.attributes.names
    return {names[key]: kept for key, kept in alive(value).properties.items()}


@function("keys")
def keys(run: Run, value: object) -> object:
    """The names of properties, or the keys of a map."""
    found = properties(run, value)
    assert isinstance(found, dict)
    return list(found)


@function("startNode", "edge")
def start_node(run: Run, edge: Edge) -> object:
    """Where a relationship begins."""
    return edge.source


@function("endNode", "edge")
def end_node(run: Run, edge: Edge) -> object:
    """Where a relationship ends."""
    return edge.target


@function("nodes", "path")
def nodes(run: Run, path: Path) -> object:
    """The nodes of a path."""
    return list(path.nodes)


@function("relationships", "path")
def relationships(run: Run, path: Path) -> object:
    """The relationships of a path."""
    return list(path.edges)


@function("length", "path")
def length(run: Run, path: Path) -> object:
    """How many relationships a path has."""
    return len(path.edges)


@function("indegree", "node")
def indegree(run: Run, node: Node, *types: str) -> object:
    """How many relationships end at a node."""
    return degree(run, node.incoming, types)


@function("outdegree", "node")
def outdegree(run: Run, node: Node, *types: str) -> object:
    """How many relationships begin at a node."""
    return degree(run, node.outgoing, types)


def degree(run: Run, side: dict[int, dict[int, Edge]], types: tuple[str, ...]) -> int:
    """Relationships on one side of a node, of some types or of all."""
    kinds = [run.graph.types.get(name) for name in types] if types else list(side)
    return sum(len(side.get(kind, {})) for kind in kinds)


@function("coalesce", nulls=True)
def coalesce(run: Run, first: object, *others: object) -> object:
    """The first value that is not null."""
    return next((value for value in (first, *others) if value is not None), None)


@function("exists", nulls=True)
def exists(run: Run, value: object) -> object:
    """Whether a value is not null."""
    return value is not None


@function("typeOf", nulls=True)
def type_of(run: Run, value: object) -> object:
    """The name of a value's type."""
    return type_name(value)


@function("timestamp")
def timestamp(run: Run) -> object:
    """Milliseconds since 1970."""
    return run.now_ms


@function("rand")
def rand(run: Run) -> object:
    """A number from 0 up to 1."""
    return run.rng.random()


@function("size")
def size(run: Run, value: object) -> object:
    """How many items, or characters."""
    if not isinstance(value, (list, str)):
        raise type_mismatch("List, String or Null", type_name(value))
    return len(value)


@function("head", "list")
def head(run: Run, items: list[object]) -> object:
    """The first item."""
    return items[0] if items else None


@function("last", "list")
def last(run: Run, items: list[object]) -> object:
    """The last item."""
    return items[-1] if items else None


@function("tail", "list")
def tail(run: Run, items: list[object]) -> object:
    """All but the first item."""
    return items[1:]


@function("range", "integer", "integer", "integer")
def integers(run: Run, start: int, end: int, step: int = 1) -> object:
    """Integers from the first to the last, both included."""
    if step == 0:
        raise QueryError("ArgumentError: step argument to range() can't be 0")
    found = range(start, end + (1 if step > 0 else -1), step)
    run.heavy(len(found))
    return list(found)
