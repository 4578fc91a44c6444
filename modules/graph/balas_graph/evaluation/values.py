"""What values are equal, in which order they stand, and what they are called.

`equals` and `less` know null: they return True, False or None. `group_key` and `order_key` do not:
there, null is equal to null, as DISTINCT and ORDER BY have it.
"""

from __future__ import annotations

import math
from functools import cmp_to_key

from balas_graph.storage.entities import Edge, Node, Path, Point

# openCypher's order of types; null is last.
RANKS: tuple[tuple[type, int], ...] = (
    (dict, 0), (Node, 1), (Edge, 2), (list, 3), (Path, 4), (Point, 5), (str, 6), (bool, 7),
    (int, 8), (float, 8),
)  # fmt: skip
TYPE_NAMES: dict[type, str] = {
    dict: "Map", Node: "Node", Edge: "Edge", list: "List", Path: "Path", Point: "Point",
    str: "String", bool: "Boolean", int: "Integer", float: "Float", type(None): "Null",
}  # fmt: skip


def type_name(value: object) -> str:
    """What messages and typeOf call the type of a value."""
    kind = type(value)
    return TYPE_NAMES.get(kind) or str(getattr(kind, "type_name", kind.__name__))


def is_number(value: object) -> bool:
    """Whether a value is an integer or a float; booleans are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equals(a: object, b: object) -> bool | None:
    """a = b."""
    if a is None or b is None:
        return None
    if is_number(a) and is_number(b):
        return a == b
    if isinstance(a, (Node, Edge)) or isinstance(b, (Node, Edge)):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return False
        return every(equals(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return False
        return every(equals(value, b[key]) for key, value in a.items())
    return type(a) is type(b) and a == b


def every(results: object) -> bool | None:
    """AND of many."""
    unknown = False
    for result in results:  # type: ignore[attr-defined]
        if result is False:
            return False
        unknown = unknown or result is None
    return None if unknown else True


def compare(a: object, b: object) -> int | None:
    """Negative, zero or positive; None if the values cannot be compared, 2 if one is NaN."""
    if is_number(a) and is_number(b):
        if math.isnan(a) or math.isnan(b):  # type: ignore[arg-type]
            return 2
        return (a > b) - (a < b)  # type: ignore[operator,no-any-return]
    if type(a) is not type(b):
        return None
    if isinstance(a, (str, bool)):
        return (a > b) - (a < b)  # type: ignore[operator]
    if isinstance(a, list) and isinstance(b, list):
        for x, y in zip(a, b, strict=False):
            result = compare(x, y)
            if result != 0:
                return result
        return (len(a) > len(b)) - (len(a) < len(b))
    if a is not None and hasattr(a, "__lt__") and not isinstance(a, (Node, Edge, Path, dict)):
        try:
            return (a > b) - (a < b)  # type: ignore[operator,no-any-return]
        except TypeError:
            return None
    return None


def group_key(value: object) -> object:
    """What DISTINCT, grouping and UNION know a value by."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, float) and math.isnan(value):
        return (float, "NaN")
    if isinstance(value, list):
        return (list, tuple(group_key(item) for item in value))
    if isinstance(value, dict):
        return (dict, tuple(sorted((key, group_key(item)) for key, item in value.items())))
    return value


def rank(value: object) -> float:
    """The place of a value's type among types; temporal ones know theirs, between 5 and 6."""
    if value is None:
        return 9
    if isinstance(value, bool):
        return 7
    for kind, place in RANKS:
        if isinstance(value, kind):
            return place
    return getattr(value, "order_rank", 5)


def order(a: object, b: object) -> int:
    """The order of ORDER BY, min and max: total over all values."""
    left, right = rank(a), rank(b)
    if left != right:
        return -1 if left < right else 1
    if isinstance(a, float) or isinstance(b, float):
        x, y = math.isnan(a), math.isnan(b)  # type: ignore[arg-type]
        if x or y:
            return x - y
    if isinstance(a, (Node, Edge)) and isinstance(b, (Node, Edge)):
        return (a.id > b.id) - (a.id < b.id)
    if isinstance(a, list) and isinstance(b, list):
        for x, y in zip(a, b, strict=False):
            result = order(x, y)
            if result:
                return result
        return (len(a) > len(b)) - (len(a) < len(b))
    if isinstance(a, dict) and isinstance(b, dict):
        left_pairs = [part for key in sorted(a) for part in (key, a[key])]
        right_pairs = [part for key in sorted(b) for part in (key, b[key])]
        return order(left_pairs, right_pairs)
    if isinstance(a, Path) and isinstance(b, Path):
        return order([node.id for node in a.nodes], [node.id for node in b.nodes])
    if a is None or isinstance(a, Point):
        return 0
    if hasattr(a, "order_key"):
        a, b = a.order_key, b.order_key  # type: ignore[attr-defined]
    return (a > b) - (a < b)  # type: ignore[operator,no-any-return]


order_key = cmp_to_key(order)
