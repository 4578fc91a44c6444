"""Vectors, and how far apart two of them are."""

from __future__ import annotations

import math
from array import array
from operator import mul

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import is_number, type_name
from balas_graph.storage.entities import Vector


@function("vecf32", "list")
def vector(run: Run, items: list[object]) -> object:
    """A vector of numbers, each rounded to 32 bits."""
    if not all(map(is_number, items)):
        raise QueryError("vectorf32 expects an array of numbers")
    try:
        return Vector(tuple(array("f", items)))  # type: ignore[arg-type]
    except OverflowError as error:
        raise QueryError("vectorf32 expects an array of numbers") from error


def both(one: object, other: object) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The numbers of two vectors of the same length."""
    for value in (one, other):
        if not isinstance(value, Vector):
            raise type_mismatch("Null or Vectorf32", type_name(value))
    assert isinstance(one, Vector)
    assert isinstance(other, Vector)
    if len(one.numbers) != len(other.numbers):
        raise QueryError(
            f"Vector dimension mismatch, expected {len(one.numbers)} but got {len(other.numbers)}"
        )
    return one.numbers, other.numbers


@function("vec.euclideanDistance")
def euclidean(run: Run, one: object, other: object) -> object:
    """The length of the straight line between two vectors."""
    return math.dist(*both(one, other))


@function("vec.cosineDistance")
def cosine(run: Run, one: object, other: object) -> object:
    """One less the cosine of the angle between two vectors; NaN if one has no length."""
    a, b = both(one, other)
    size = math.hypot(*a) * math.hypot(*b)
    return 1 - math.fsum(map(mul, a, b)) / size if size else math.nan
