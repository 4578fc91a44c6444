"""Nodes, edges and paths, which are values of expressions as they stand.

A node or an edge is equal to itself only. `deleted` is set when it has gone from its graph, so
that a row that still holds it can be told.
"""

from __future__ import annotations

from dataclasses import dataclass


class Node:
    """A node: ids of labels, properties by id, and its edges by id of their type."""

    __slots__ = ("deleted", "id", "incoming", "labels", "outgoing", "properties")

    def __init__(self, id: int) -> None:
        self.id = id
        self.labels: list[int] = []
        self.properties: dict[int, object] = {}
        self.outgoing: dict[int, dict[int, Edge]] = {}
        self.incoming: dict[int, dict[int, Edge]] = {}
        self.deleted = False


class Edge:
    """An edge: the id of its type, the nodes it joins, properties by id."""

    __slots__ = ("deleted", "id", "properties", "source", "target", "type")

    def __init__(self, id: int, type: int, source: Node, target: Node) -> None:
        self.id = id
        self.type = type
        self.source = source
        self.target = target
        self.properties: dict[int, object] = {}
        self.deleted = False


@dataclass(frozen=True, slots=True)
class Path:
    """Nodes, and one edge fewer, in the order they are walked."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the earth, in degrees."""

    latitude: float
    longitude: float
