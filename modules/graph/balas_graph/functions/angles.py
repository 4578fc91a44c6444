"""Angles and powers, tests for emptiness, and conversions that never raise."""

from __future__ import annotations

import math

from balas_graph.errors import type_mismatch
from balas_graph.evaluation.operators import arithmetic
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import equals, is_number, type_name
from balas_graph.functions.scalars import real, to_boolean, to_float, to_integer, to_string


@function("tan", "number")
def tangent(run: Run, value: float) -> object:
    """The tangent of an angle in radians."""
    return real(math.tan, value)


@function("cot", "number")
def cotangent(run: Run, value: float) -> object:
    """The cotangent of an angle in radians, infinite at zero."""
    slope = real(math.tan, value)
    return 1 / slope if slope else math.inf


@function("asin", "number")
def arc_sine(run: Run, value: float) -> object:
    """The angle in radians that has a sine."""
    return real(math.asin, value)


@function("acos", "number")
def arc_cosine(run: Run, value: float) -> object:
    """The angle in radians that has a cosine."""
    return real(math.acos, value)


@function("atan", "number")
def arc_tangent(run: Run, value: float) -> object:
    """The angle in radians that has a tangent."""
    return real(math.atan, value)


@function("atan2", "number", "number")
def arc_tangent_of(run: Run, y: float, x: float) -> object:
    """The angle in radians of a place, seen from the origin."""
    return real(math.atan2, y, x)


@function("degrees", "number")
def degrees(run: Run, value: float) -> object:
    """Radians in degrees."""
    return real(math.degrees, value)


@function("radians", "number")
def radians(run: Run, value: float) -> object:
    """Degrees in radians."""
    return real(math.radians, value)


@function("haversin", "number")
def haversine(run: Run, value: float) -> object:
    """Half of one less the cosine of an angle in radians."""
    return (1 - real(math.cos, value)) / 2


@function("pow", "number", "number")
def power(run: Run, base: float, exponent: float) -> object:
    """What the operator ^ gives."""
    return arithmetic("^", base, exponent)


@function("sinh", "number")
def hyperbolic_sine(run: Run, value: float) -> object:
    """The hyperbolic sine."""
    return real(math.sinh, value)


@function("cosh", "number")
def hyperbolic_cosine(run: Run, value: float) -> object:
    """The hyperbolic cosine."""
    return real(math.cosh, value)


@function("tanh", "number")
def hyperbolic_tangent(run: Run, value: float) -> object:
    """The hyperbolic tangent."""
    return real(math.tanh, value)


@function("isNaN", "number")
def is_nan(run: Run, value: float) -> object:
    """Whether a number is none."""
    return math.isnan(value)


@function("nullIf", nulls=True)
def null_if(run: Run, value: object, other: object) -> object:
    """Null if both are equal, else the first."""
    return None if equals(value, other) else value


@function("isEmpty")
def is_empty(run: Run, value: object) -> object:
    """Whether a list, a map or a string has nothing in it."""
    if not isinstance(value, (list, dict, str)):
        raise type_mismatch("List, Map, String or Null", type_name(value))
    return not value


@function("toIntegerOrNull")
def to_integer_or_null(run: Run, value: object) -> object:
    """An integer, or null of what cannot be one."""
    if isinstance(value, bool):
        return int(value)
    return to_integer(run, value) if is_number(value) or isinstance(value, str) else None


@function("toFloatOrNull")
def to_float_or_null(run: Run, value: object) -> object:
    """A float, or null of what cannot be one."""
    return to_float(run, value) if is_number(value) or isinstance(value, str) else None


@function("toBooleanOrNull")
def to_boolean_or_null(run: Run, value: object) -> object:
    """A boolean, or null of what cannot be one."""
    if isinstance(value, int):
        return value != 0
    return to_boolean(run, value) if isinstance(value, str) else None


@function("toStringOrNull")
def to_string_or_null(run: Run, value: object) -> object:
    """Text, or null of what has none."""
    fits = is_number(value) or isinstance(value, (bool, str)) or hasattr(value, "written")
    return to_string(run, value) if fits else None
