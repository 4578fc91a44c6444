"""A graph as bytes: JSON of its names, nodes and edges, in the order of their ids.

Floats that JSON lacks, and points, are maps with the key "$".
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from balas.api import BadData
from balas_graph.storage.entities import Edge, Node, Point

if TYPE_CHECKING:
    from balas_graph.storage.graph import Graph


def encode(graph: Graph) -> bytes:
    """The bytes that `decode` reads."""
    return json.dumps(state(graph), separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def decode(graph: Graph, data: bytes) -> None:
    """Fill an empty graph."""
    try:
        restore(graph, json.loads(data.decode("utf-8", "surrogatepass")))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BadData(f"a graph that cannot be read: {error}") from error


def state(graph: Graph) -> dict[str, Any]:
    """The graph as lists and maps."""
    return {
        "labels": graph.labels.names,
        "types": graph.types.names,
        "attributes": graph.attributes.names,
        "nodes": [
            [node.id, sorted(node.labels), properties(node)]
            for _, node in sorted(graph.nodes.items())
        ],
        "edges": [
            [edge.id, edge.type, edge.source.id, edge.target.id, properties(edge)]
            for _, edge in sorted(graph.edges.items())
        ],
        "free": [graph.free_nodes, graph.free_edges],
        "indexes": sorted(graph.indexes),
    }


def restore(graph: Graph, state: dict[str, Any]) -> None:
    """Fill an empty graph from lists and maps."""
    for name in state["labels"]:
        graph.label_id(name)
    for name in state["types"]:
        graph.types.intern(name)
    for name in state["attributes"]:
        graph.attributes.intern(name)
    for id, labels, pairs in state["nodes"]:
        graph.free_nodes = [id]
        graph.create_node(labels, {key: unpack(value) for key, value in pairs})
    for id, type, source, target, pairs in state["edges"]:
        graph.free_edges = [id]
        values = {key: unpack(value) for key, value in pairs}
        graph.create_edge(type, graph.nodes[source], graph.nodes[target], values)
    graph.free_nodes, graph.free_edges = (list(ids) for ids in state["free"])
    for label, key in state["indexes"]:
        graph.create_index(label, key)
    graph.keep()


def properties(entity: Node | Edge) -> list[list[Any]]:
    """Properties by their ids, in order."""
    return [[key, pack(value)] for key, value in sorted(entity.properties.items())]


def pack(value: object) -> object:
    """A property as JSON can hold it."""
    if isinstance(value, list):
        return [pack(item) for item in value]
    if isinstance(value, Point):
        return {"$": "point", "at": [value.latitude, value.longitude]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": repr(value)}
    return value


def unpack(value: Any) -> object:
    """A property from JSON."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if isinstance(value, dict):
        return Point(*value["at"]) if value["$"] == "point" else float(value["$"])
    return value
