"""Nodes, edges, paths and points, which are values of expressions as they stand.

A node or an edge is equal to itself only. `deleted` is set when it has gone from its graph, so
that a row that still holds it can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from balas_graph.storage._store import Edge, Node

__all__ = ["Edge", "Node", "Path", "Point", "Vector"]


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


@dataclass(frozen=True, slots=True)
class Vector:
    """Numbers of 32 bits, for search by nearness."""

    type_name: ClassVar[str] = "Vectorf32"
    order_rank: ClassVar[float] = 5.7
    compact_type: ClassVar[int] = 12

    numbers: tuple[float, ...]

    @property
    def order_key(self) -> tuple[float, ...]:
        """What ORDER BY goes by."""
        return self.numbers

    def written(self) -> str:
        """As <1.000000, 2.500000>."""
        return "<" + ", ".join(f"{number:f}" for number in self.numbers) + ">"

    def compact(self) -> list[str]:
        """The numbers."""
        return [f"{number:.15g}" for number in self.numbers]
