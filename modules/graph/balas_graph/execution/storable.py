"""Which values a property can keep."""

from __future__ import annotations

from balas_graph.errors import QueryError
from balas_graph.storage.entities import Edge, Node, Path

PRIMITIVES = "Property values can only be of primitive types or arrays of primitive types"

# Values of these types can be kept as they are.
PLAIN = (str, int, float, bool)


def storable(value: object) -> object:
    """A value that a property can keep: no map, no entity, and no list that holds one or a null."""
    if isinstance(value, list):
        for item in value:
            if item is None:
                raise QueryError(PRIMITIVES)
            storable(item)
    elif isinstance(value, (dict, Node, Edge, Path)):
        raise QueryError(PRIMITIVES)
    return value
