"""Which values a property can keep."""

from __future__ import annotations

from balas_graph.errors import QueryError
from balas_graph.storage.entities import Edge, Node, Path

PRIMITIVES = "Property values can only be of primitive types or arrays of primitive types"

# Values of these types can be kept as they are.
PLAIN = (str, int, float, bool)
# What no list in a property may hold; numbers may be mixed, other types not.
UNSTORABLE = (list, dict, Node, Edge, Path, type(None))


def storable(value: object) -> object:
    """A value that a property can keep."""
    if isinstance(value, list):
        kinds = {float if type(item) is int else type(item) for item in value}
        if len(kinds) > 1 or not kinds.isdisjoint(UNSTORABLE):
            raise QueryError(PRIMITIVES)
    elif isinstance(value, (dict, Node, Edge, Path)):
        raise QueryError(PRIMITIVES)
    return value
