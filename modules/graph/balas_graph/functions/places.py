"""Points on the earth, and the labels of nodes."""

from __future__ import annotations

import math

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import is_number, type_name
from balas_graph.functions.entities import alive
from balas_graph.storage.entities import Node, Point

# The radius of the sphere that distances are measured on, in metres.
EARTH_M = 6_378_140.0


@function("point", "map")
def point(run: Run, value: dict[str, object]) -> object:
    """A point by its latitude and longitude in degrees."""
    if value.keys() != {"latitude", "longitude"}:
        raise QueryError("A point map should have 2 elements, latitude and longitude")
    degrees = []
    for name, limit in (("latitude", 90), ("longitude", 180)):
        given = value[name]
        if not is_number(given):
            raise type_mismatch("Integer or Float", type_name(given))
        number = float(given)  # type: ignore[arg-type]
        if not -limit <= number <= limit:
            raise QueryError(f"{name} should be within the -{limit} to {limit} range")
        degrees.append(number)
    return Point(*degrees)


@function("distance")
def distance(run: Run, start: object, end: object) -> object:
    """Metres between two points, along a great circle."""
    for place in (start, end):
        if not isinstance(place, Point):
            raise type_mismatch("Point or Null", type_name(place))
    assert isinstance(start, Point)
    assert isinstance(end, Point)
    here, there = math.radians(start.latitude), math.radians(end.latitude)
    up = math.sin((there - here) / 2) ** 2
    across = math.sin(math.radians(end.longitude - start.longitude) / 2) ** 2
    share = up + math.cos(here) * math.cos(there) * across
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(share)))


@function("hasLabels", "node", "list")
def has_labels(run: Run, node: Node, labels: list[object]) -> object:
    """Whether a node has all labels of a list."""
    alive(node)
    for label in labels:
        if not isinstance(label, str):
            raise type_mismatch("String", type_name(label))
    return all(run.graph.labels.get(str(label)) in node.labels for label in labels)
