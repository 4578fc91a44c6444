"""What the operators between two values do."""

from __future__ import annotations

import math
import operator as operator_functions
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.guards import in_time
from balas_graph.evaluation.values import compare, equals, is_number, type_name

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
# What dates, times and durations may be asked for.
DURATIONS: dict[str, Callable[[Any, Any], object]] = {
    "+": operator_functions.add,
    "-": operator_functions.sub,
    "*": operator_functions.mul,
    "/": operator_functions.truediv,
}

# Longer strings and lists are not made: a few of them would fill the memory.
TEXT_MAX, ITEMS_MAX = 1 << 26, 5_000_000


def in_range(value: int) -> int:
    """The same integer; QueryError if 64 bits do not hold it."""
    if INTEGER_MIN <= value <= INTEGER_MAX:
        return value
    raise QueryError("Integer overflow")


def add(a: object, b: object) -> object:
    """Sum, or concatenation of strings and lists."""
    if isinstance(a, list):
        if isinstance(b, list):
            refuse_longer(len(a) + len(b), ITEMS_MAX)
            return [*a, *b]
        return [*a, b]
    if isinstance(b, list):
        return [a, *b]
    if a is None or b is None:
        return None
    if is_number(a) and is_number(b):
        result = a + b  # type: ignore[operator]
        return in_range(result) if isinstance(result, int) else result
    if isinstance(a, str) or isinstance(b, str):
        left, right = text(a), text(b)
        refuse_longer(len(left) + len(right), TEXT_MAX)
        return left + right
    found = temporal("+", a, b)
    if found is not None:
        return found
    raise type_mismatch("Integer, Float, String, List or Null", type_name(a))


def refuse_longer(length: int, most: int) -> None:
    """QueryError for a string or a list that would be too long: they can double step by step."""
    if length > most:
        raise QueryError("Query's mem consumption exceeded capacity")


def temporal(operator: str, a: object, b: object) -> object:
    """What an operator makes of dates, times and durations; None if it makes nothing."""
    if operator not in DURATIONS or not (hasattr(a, "order_rank") or hasattr(b, "order_rank")):
        return None
    try:
        return DURATIONS[operator](a, b)
    except TypeError:
        return None


def text(value: object) -> str:
    """A number, boolean or string as concatenation writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, int):
        return str(value)
    raise type_mismatch("Integer, Float, String, List or Null", type_name(value))


def float_text(value: float) -> str:
    """The fewest digits that tell a float: 2.5, 1.0E20 and 1.0E-7 where zeros would pile up."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    shown = repr(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return shown if "e" not in shown else f"{value:f}"
    digits, _, exponent = (
        f"{value:.{len(Decimal(shown).normalize().as_tuple().digits) - 1}e}".partition("e")
    )
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def arithmetic(operator: str, a: object, b: object) -> object:
    """Minus, times, divided by, modulo and power."""
    if a is None or b is None:
        return None
    for value in (a, b):
        if not is_number(value):
            found = temporal(operator, a, b)
            if found is not None:
                return found
            raise type_mismatch("Integer, Float, or Null", type_name(value))
    assert isinstance(a, (int, float))
    assert isinstance(b, (int, float))
    if operator == "^":
        try:
            return math.pow(a, b)
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf
    if operator in "/%":
        return divide(operator, a, b)
    result = a - b if operator == "-" else a * b
    return in_range(result) if isinstance(result, int) else result


def divide(operator: str, a: int | float, b: int | float) -> object:
    """Division and modulo, towards zero for integers."""
    if isinstance(a, int) and isinstance(b, int):
        if b == 0:
            raise QueryError("Division by zero")
        if operator == "%":
            return int(math.copysign(abs(a) % abs(b), a)) if a else 0
        quotient = abs(a) // abs(b)
        return in_range(quotient if (a < 0) == (b < 0) else -quotient)
    if b == 0:
        if operator == "%" or a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1, b)
    return math.fmod(a, b) if operator == "%" else a / b


def compared(operator: str, a: object, b: object) -> bool | None:
    """A comparison of two values."""
    if operator == "=":
        return equals(a, b)
    if operator == "<>":
        same = equals(a, b)
        return None if same is None else not same
    result = compare(a, b)
    if result is None:
        return None
    if result == 2:
        return False
    if operator == "<":
        return result < 0
    if operator == ">":
        return result > 0
    return result <= 0 if operator == "<=" else result >= 0


def contains(item: object, items: object) -> bool | None:
    """item IN items."""
    if items is None:
        return None
    if not isinstance(items, list):
        raise type_mismatch("List or Null", type_name(items))
    unknown = False
    for other in items:
        same = equals(item, other)
        if same:
            return True
        unknown = unknown or same is None
    return None if unknown else False


def string_test(operator: str, a: object, b: object) -> bool | None:
    """STARTS WITH, ENDS WITH, CONTAINS and =~; null unless both are strings."""
    if not isinstance(a, str) or not isinstance(b, str):
        return None
    if operator == "STARTS WITH":
        return a.startswith(b)
    if operator == "ENDS WITH":
        return a.endswith(b)
    if operator == "CONTAINS":
        return b in a
    try:
        return in_time(lambda: re.fullmatch(b, a), a) is not None
    except re.error as error:
        raise QueryError(f"Invalid regex: {error}") from error


def index(of: object, at: object) -> object:
    """of[at], of a list by number or of a map by key."""
    if of is None or at is None:
        return None
    if isinstance(of, list):
        if not isinstance(at, int) or isinstance(at, bool):
            raise type_mismatch("Integer", type_name(at))
        return of[at] if -len(of) <= at < len(of) else None
    if isinstance(of, dict):
        if not isinstance(at, str):
            raise type_mismatch("String", type_name(at))
        return of.get(at)
    raise type_mismatch("List, Map, Node, Edge, or Null", type_name(of))
