"""Nodes, edges, paths and points, which are values of expressions as they stand.

A node or an edge is equal to itself only. `deleted` is set when it has gone from its graph, so
that a row that still holds it can be told.
"""

from __future__ import annotations

from dataclasses import dataclass

from balas_graph.storage._store import Edge, Node

__all__ = ["Edge", "Node", "Path", "Point"]


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
