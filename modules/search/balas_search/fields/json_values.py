"""What kinds of JSON a kind of field takes."""

from __future__ import annotations

from typing import Any

from balas_search.fields.base import BadField
from balas_search.fields.spec import GEO, GEOSHAPE, NUMERIC, TAG, TEXT, VECTOR

STRINGS = (TEXT, TAG, GEO, GEOSHAPE)


def json_items(selected: list[Any], kind: str) -> list[Any]:
    """The items of what a path has selected, nulls left out; raises BadField.

    Several matches, and the items of an array, are the several values of one field. A vector is one
    array of numbers, and its field judges it.
    """
    if len(selected) == 1:
        (only,) = selected
        if only is None:
            return []
        if not isinstance(only, list):
            check_scalar(only, kind)
            return [only]
        if kind == VECTOR:
            return [only]
        selected = only
    elif kind == VECTOR:
        return selected
    found = [item for item in selected if item is not None]
    if kind == NUMERIC:
        if not all(is_number(item) for item in found):
            raise BadField("NUMERIC fields can only contain numeric or nulls")
    elif not all(isinstance(item, bytes) for item in found):
        raise BadField(
            "TEXT/TAG fields can only contain strings or nulls"
            if kind in (TEXT, TAG)
            else "GEO fields can only contain strings or nulls"
        )
    return found


def is_number(item: Any) -> bool:
    """Whether it is a number, which true and false are not."""
    return isinstance(item, int | float) and not isinstance(item, bool)


def check_scalar(item: Any, kind: str) -> None:
    """Raise BadField unless a field of this kind takes such a value."""
    if isinstance(item, bytes):
        if kind not in STRINGS:
            raise BadField(
                "Invalid JSON type: String type can represent only TEXT, TAG, GEO or GEOMETRY field"
            )
    elif isinstance(item, bool):
        if kind != TAG:
            raise BadField("Invalid JSON type: Boolean type can be represent only TAG field")
    elif isinstance(item, int | float):
        if kind != NUMERIC:
            raise BadField("Invalid JSON type: Numeric type can represent only NUMERIC field")
    else:
        raise BadField("Invalid JSON type: Object type can represent only GEOMETRY fields")
