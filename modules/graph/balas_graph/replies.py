"""Results as clients read them: verbose, and compact with ids instead of names."""

from __future__ import annotations

from collections.abc import Sequence

from balas.api import Reply
from balas_graph.evaluation.run import Row, Run, Statistics
from balas_graph.execution.table import Table
from balas_graph.storage.entities import Edge, Node, Path, Point
from balas_graph.storage.graph import Graph

# Values that go into a reply as they are.
PLAIN = {int, str, type(None)}
# Each line of the statistics, in the order the lines stand.
LINES = (
    ("labels_added", "Labels added"),
    ("labels_removed", "Labels removed"),
    ("nodes_created", "Nodes created"),
    ("nodes_deleted", "Nodes deleted"),
    ("properties_set", "Properties set"),
    ("properties_removed", "Properties removed"),
    ("relationships_created", "Relationships created"),
    ("relationships_deleted", "Relationships deleted"),
    ("indices_created", "Indices created"),
    ("indices_deleted", "Indices deleted"),
)


def result(
    columns: list[str], rows: Sequence[Row], run: Run, compact: bool, cached: bool, spent_ms: float
) -> Reply:
    """The whole reply of a query."""
    lines: Reply = statistics(run.statistics, cached, spent_ms)
    if not columns:
        return [lines]
    graph = run.graph
    header: Reply = [[1, name] for name in columns] if compact else list(columns)
    if isinstance(rows, Table) and rows.names == columns:
        shown = [column_shown(column, run, compact) for column in rows.columns]
        return [header, list(map(list, zip(*shown, strict=True))), lines]
    show = compact_value if compact else verbose
    return [header, [[show(row[name], graph) for name in columns] for row in run.each(rows)], lines]


def column_shown(values: list[object], run: Run, compact: bool) -> list[Reply]:
    """The values of a column as they stand in a reply."""
    if not compact and set(map(type, values)) <= PLAIN:
        return values
    show, graph = compact_value if compact else verbose, run.graph
    found: list[Reply] = []
    for part in run.slices(len(values)):
        found += [show(value, graph) for value in values[part]]
    return found


def statistics(found: Statistics, cached: bool, spent_ms: float) -> list[str]:
    """What has changed, line by line."""
    lines = [f"{text}: {getattr(found, name)}" for name, text in LINES if getattr(found, name)]
    return [
        *lines,
        f"Cached execution: {int(cached)}",
        f"Query internal execution time: {spent_ms:.6f} milliseconds",
    ]


def verbose(value: object, graph: Graph) -> Reply:
    """A value as redis-cli shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return number(value)
    names = graph.attributes.names
    if isinstance(value, Node):
        return [
            ["id", value.id],
            ["labels", [graph.labels.names[label] for label in value.labels]],
            ["properties", [[names[k], verbose(v, graph)] for k, v in value.properties.items()]],
        ]
    if isinstance(value, Edge):
        return [
            ["id", value.id],
            ["type", graph.types.names[value.type]],
            ["src_node", value.source.id],
            ["dest_node", value.target.id],
            ["properties", [[names[k], verbose(v, graph)] for k, v in value.properties.items()]],
        ]
    return written(value)


def number(value: float) -> str:
    """A float by the rule of %.15g."""
    return f"{value:.15g}"


def written(value: object) -> str:
    """A value inside a list, a map or a path."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:f}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Node):
        return f"({value.id})"
    if isinstance(value, Edge):
        return f"[{value.id}]"
    if isinstance(value, Point):
        return f"point({{latitude:{value.latitude:f}, longitude:{value.longitude:f}}})"
    if isinstance(value, Path):
        parts = [written(value.nodes[0])]
        for edge, node in zip(value.edges, value.nodes[1:], strict=True):
            parts += [written(edge), written(node)]
        return "[" + ", ".join(parts) + "]"
    own = getattr(value, "written", None)
    return str(own() if own is not None else value)


def compact_value(value: object, graph: Graph) -> list[Reply]:
    """[type, value] with ids for names."""
    if value is None:
        return [1, None]
    if isinstance(value, bool):
        return [4, "true" if value else "false"]
    if isinstance(value, str):
        return [2, value]
    if isinstance(value, int):
        return [3, value]
    if isinstance(value, float):
        return [5, number(value)]
    if isinstance(value, list):
        return [6, [compact_value(item, graph) for item in value]]
    if isinstance(value, dict):
        flat: list[Reply] = []
        for key, item in value.items():
            flat += [key, compact_value(item, graph)]
        return [10, flat]
    if isinstance(value, Edge):
        ends: list[Reply] = [value.id, value.type, value.source.id, value.target.id]
        return [7, [*ends, compact_properties(value, graph)]]
    if isinstance(value, Node):
        return [8, [value.id, list(value.labels), compact_properties(value, graph)]]
    if isinstance(value, Path):
        nodes = compact_value(list(value.nodes), graph)
        return [9, [nodes, compact_value(list(value.edges), graph)]]
    if isinstance(value, Point):
        return [11, [number(value.latitude), number(value.longitude)]]
    kind = getattr(value, "compact_type", None)
    if kind is None:
        return [2, written(value)]
    return [kind, value.compact()]  # type: ignore[attr-defined]


def compact_properties(entity: Node | Edge, graph: Graph) -> list[Reply]:
    """[key id, type, value] of every property."""
    found: list[Reply] = []
    for key, value in entity.properties.items():
        kind, inner = compact_value(value, graph)
        found.append([key, kind, inner])
    return found
