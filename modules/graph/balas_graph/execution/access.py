"""What indexes can be asked: the properties that a pattern and its WHERE want of a name.

A wish is answered with ids, ascending. All that fits is among them, and maybe more: the pattern
and WHERE are tested all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing

from balas_graph.errors import QueryError
from balas_graph.language import tree
from balas_graph.language.tree import Expression
from balas_graph.storage._index import RangeIndex
from balas_graph.storage.entities import Point
from balas_graph.storage.graph import Graph

Numbers = np.typing.NDArray[np.signedinteger[Any]]
Ids = np.typing.NDArray[np.int32]
# The key of a wish that asks for the id of an entity.
ID = "  id"
FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Wish:
    """name.key compared with a value: by =, <, <=, >, >=, IN or STARTS WITH, or `distance`."""

    name: str
    key: str
    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Either:
    """Several wishes of one name, one of which has to hold."""

    name: str
    choices: tuple[Wanted, ...]


Wanted = Wish | Either
Evaluate = Callable[[Expression], object]


def conjuncts(where: Expression | None) -> Iterator[Expression]:
    """The parts that AND joins."""
    if isinstance(where, tree.Binary) and where.operator == "AND":
        yield from conjuncts(where.left)
        yield from conjuncts(where.right)
    elif where is not None:
        yield where


def wanted(where: Expression | None) -> dict[str, tuple[Wanted, ...]]:
    """What indexes can be asked about each name."""
    found: dict[str, tuple[Wanted, ...]] = {}
    for part in conjuncts(where):
        for wish in wishes(part):
            found[wish.name] = (*found.get(wish.name, ()), wish)
    return found


def wishes(part: Expression) -> Iterator[Wanted]:
    """What one part of a WHERE wants."""
    if isinstance(part, tree.Chain):
        values = [part.first, *(value for _, value in part.rest)]
        for (operator, _), left, right in zip(part.rest, values, values[1:], strict=False):
            yield from compared(left, operator, right)
            if operator in FLIPPED:
                yield from compared(right, FLIPPED[operator], left)
    elif isinstance(part, tree.Binary) and part.operator in ("IN", "STARTS WITH"):
        yield from compared(part.left, part.operator, part.right)
    elif isinstance(part, tree.Binary) and part.operator == "OR":
        others = list(wishes(part.right))
        for one in wishes(part.left):
            other = next((other for other in others if other.name == one.name), None)
            if other is not None:
                yield Either(one.name, (one, other))


def compared(left: Expression, operator: str, right: Expression) -> Iterator[Wanted]:
    """What a comparison wants of a property on its left side."""
    if operator == "<>":
        return
    place = place_of(left)
    if place is not None:
        yield Wish(*place, operator, right)
    elif isinstance(left, tree.Call) and left.name == "distance" and operator in ("<", "<="):
        for one, other in (left.arguments, left.arguments[::-1]):
            if isinstance(one, tree.Property) and isinstance(one.of, tree.Variable):
                yield Wish(one.of.name, one.key, "distance", tree.ListOf((other, right)))


def place_of(value: Expression) -> tuple[str, str] | None:
    """The name and the key of name.key, or of id(name)."""
    if isinstance(value, tree.Property) and isinstance(value.of, tree.Variable):
        return value.of.name, value.key
    if isinstance(value, tree.Call) and value.name == "id" and len(value.arguments) == 1:
        of = value.arguments[0]
        return (of.name, ID) if isinstance(of, tree.Variable) else None
    return None


def constant(value: Expression | None) -> bool:
    """Whether a value is the same for all rows and takes no search."""
    if isinstance(value, tree.ListOf):
        return all(map(constant, value.items))
    if isinstance(value, tree.MapOf):
        return all(constant(item) for _, item in value.pairs)
    if isinstance(value, tree.Unary):
        return value.operator == "-" and constant(value.of)
    if isinstance(value, tree.Call):
        return value.name == "point" and all(map(constant, value.arguments))
    return isinstance(value, (tree.Literal, tree.Parameter))


def settled(wish: Wanted) -> bool:
    """Whether a wish can be put before a row is there."""
    if isinstance(wish, Either):
        return all(map(settled, wish.choices))
    return constant(wish.value)


def of_map(name: str, properties: Expression | None) -> tuple[Wanted, ...]:
    """What the map of a pattern wants."""
    if not isinstance(properties, tree.MapOf):
        return ()
    return tuple(Wish(name, key, "=", value) for key, value in properties.pairs)


def distinct(numbers: Numbers) -> Numbers:
    """Numbers in order, each once: as `np.unique` gives them, which takes ten times as long."""
    found = np.sort(numbers)
    new = found[1:] != found[:-1]
    return found if new.all() else np.concatenate((found[:1], found[1:][new]))


def answer(graph: Graph, edges: bool, label: int, wish: Wanted, evaluate: Evaluate) -> Ids | None:
    """The ids an index has for a wish; None if there is no index, or it cannot know."""
    if isinstance(wish, Either):
        parts = [answer(graph, edges, label, choice, evaluate) for choice in wish.choices]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return distinct(np.concatenate(known))
    index = None
    if wish.key != ID:
        index = graph.store.index_of(edges, label, graph.attributes.get(wish.key))
        if index is None:
            return None
    try:
        value = evaluate(wish.value)
    except (KeyError, QueryError):
        # It needs a name that another part of the pattern binds, or it is an error, which comes
        # up again if there is a row to test.
        return None
    if index is None:
        return with_id(graph, edges, wish.operator, value)
    return asked(index, wish.operator, value)


def with_id(graph: Graph, edges: bool, operator: str, value: object) -> Ids | None:
    """The ids that compare so with a value."""
    store = graph.store
    there, limit = (
        (store.has_edge, store.edge_limit) if edges else (store.has_node, store.node_limit)
    )
    if operator in ("=", "IN"):
        wanted = [value] if operator == "=" else value
        if not isinstance(wanted, list) or not all(type(one) is int for one in wanted):
            return None
        return np.array(sorted({one for one in wanted if there(one)}), np.int32)
    if type(value) is not int:
        return None
    bound = max(-1, min(value, limit))
    ids = store.edges_of(-1) if edges else store.nodes_with(-1)
    if operator in ("<", "<="):
        return ids[: np.searchsorted(ids, bound, "right")]
    return ids[np.searchsorted(ids, bound, "left") :]


def asked(index: RangeIndex, operator: str, value: object) -> Ids | None:
    """The ids of an index for an operator and a value; None if it cannot know."""
    if operator == "=":
        return np.array(index.find(value), np.int32) if findable(value) else None
    if operator == "IN":
        if not isinstance(value, list) or not all(map(findable, value)):
            return None
        found = sorted({id for item in value for id in index.find(item)})
        return np.array(found, np.int32)
    if operator == "STARTS WITH":
        return index.starting(value) if isinstance(value, str) else None
    if operator == "distance":
        point, metres = value if isinstance(value, list) else (None, None)
        if not isinstance(point, Point) or not isinstance(metres, (int, float)):
            return None
        return index.near(point.latitude, float(metres))
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or value != value:
        return None
    return index.between(None, value) if operator in ("<", "<=") else index.between(value, None)


def findable(value: object) -> bool:
    """Whether equal values are found by a look into the dict of an index."""
    return isinstance(value, (str, int, float)) and value == value


def has_index(graph: Graph, edges: bool, label: int, wish: Wanted) -> bool:
    """Whether there are indexes that a wish can be put to."""
    if isinstance(wish, Either):
        return all(has_index(graph, edges, label, choice) for choice in wish.choices)
    return wish.key == ID or (
        graph.store.index_of(edges, label, graph.attributes.get(wish.key)) is not None
    )
