"""list.*, and conversions of whole lists."""

from __future__ import annotations

from collections.abc import Callable

from balas_graph.errors import type_mismatch
from balas_graph.evaluation.operators import TEXT_MAX, refuse_longer
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import group_key, order_key, type_name
from balas_graph.functions.angles import (
    to_boolean_or_null,
    to_float_or_null,
    to_integer_or_null,
    to_string_or_null,
)

Items = list[object]


def each(run: Run, items: Items, convert: Callable[[Run, object], object]) -> Items:
    """Every item converted; null stays null."""
    return [None if item is None else convert(run, item) for item in items]


@function("toIntegerList", "list")
def to_integers(run: Run, items: Items) -> object:
    """Integers, or null for what cannot be one."""
    return each(run, items, to_integer_or_null)


@function("toFloatList", "list")
def to_floats(run: Run, items: Items) -> object:
    """Floats, or null for what cannot be one."""
    return each(run, items, to_float_or_null)


@function("toBooleanList", "list")
def to_booleans(run: Run, items: Items) -> object:
    """Booleans, or null for what cannot be one."""
    return each(run, items, to_boolean_or_null)


@function("toStringList", "list")
def to_strings(run: Run, items: Items) -> object:
    """Texts, or null for what has none."""
    return each(run, items, to_string_or_null)


@function("list.dedup", "list")
def dedup(run: Run, items: Items) -> object:
    """Every value once, where it stands first."""
    found: dict[object, object] = {}
    for item in items:
        found.setdefault(group_key(item), item)
    return list(found.values())


def place_in(items: Items, at: int, extra: int) -> int | None:
    """An index from the start or, if it is negative, from the end; None if it is outside."""
    at = at + len(items) + extra if at < 0 else at
    return at if 0 <= at < len(items) + extra else None


def without(items: Items, known: Items, repeat: bool) -> Items:
    """The items, or those that are not known yet."""
    if repeat:
        return items
    keys = set(map(group_key, known))
    return [item for item in items if group_key(item) not in keys]


@function("list.insert", "list", "integer", "any", "boolean", nulls=True)
def insert(run: Run, items: Items | None, at: int, item: object, repeat: bool = True) -> object:
    """A list with one more item; without repeats one that is there already is not put in."""
    if items is None or at is None:
        return None
    return items if item is None else insert_all(run, items, [item], at, repeat)


@function("list.insertListElements", "list", "list", "integer", "boolean")
def insert_all(run: Run, items: Items, more: Items, at: int, repeat: bool = True) -> object:
    """A list with the items of another one at an index; as it is if that is outside."""
    place = place_in(items, at, 1)
    if place is None:
        return items
    return [*items[:place], *without(more, items, repeat), *items[place:]]


@function("list.remove", "list", "integer", "integer")
def remove(run: Run, items: Items, at: int, count: int = 1) -> object:
    """A list without so many items from an index on."""
    place = place_in(items, at, 0)
    if place is None or count <= 0:
        return items
    return items[:place] + items[place + count :]


@function("list.sort", "list", "boolean")
def sort(run: Run, items: Items, ascending: bool = True) -> object:
    """In the order of ORDER BY, or the other way round."""
    return sorted(items, key=order_key, reverse=not ascending)


@function("string.join", "list", "string")
def join(run: Run, items: Items, separator: str = "") -> object:
    """Strings with a separator between them."""
    for item in items:
        if not isinstance(item, str):
            raise type_mismatch("String", type_name(item))
    refuse_longer(sum(map(len, map(str, items))) + len(separator) * len(items), TEXT_MAX)
    return separator.join(map(str, items))
