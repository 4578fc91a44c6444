"""Numbers, strings and conversions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
    localcontext,
)

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.operators import TEXT_MAX, in_range, refuse_longer, text
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import is_number, type_name

ROUNDINGS = {
    "UP": ROUND_UP, "DOWN": ROUND_DOWN, "CEILING": ROUND_CEILING, "FLOOR": ROUND_FLOOR,
    "HALF_UP": ROUND_HALF_UP, "HALF_DOWN": ROUND_HALF_DOWN, "HALF_EVEN": ROUND_HALF_EVEN,
}  # fmt: skip
# No float has more digits behind the point; the largest has 309 before it.
DIGITS_MAX, PRECISION = 324, 700
# Longer numerals cannot be integers of 64 bits; they are read as floats.
INTEGER = re.compile(r"\s*[+-]?[0-9]{1,30}")


def real(of: Callable[..., float], *values: float) -> float:
    """A function of the reals; NaN where it is not defined."""
    try:
        return of(*map(float, values))
    except ValueError:
        return -math.inf if of in (math.log, math.log10) and values[0] == 0 else math.nan
    except OverflowError:
        return math.inf


@function("abs", "number")
def absolute(run: Run, value: float) -> object:
    """Without its sign."""
    return in_range(abs(value)) if isinstance(value, int) else abs(value)


@function("sign", "number")
def sign(run: Run, value: float) -> object:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)


@function("ceil", "number")
def ceiling(run: Run, value: float) -> object:
    """The next whole number above, a float."""
    return value if isinstance(value, int) or not math.isfinite(value) else float(math.ceil(value))


@function("floor", "number")
def floor(run: Run, value: float) -> object:
    """The next whole number below, a float."""
    return value if isinstance(value, int) or not math.isfinite(value) else float(math.floor(value))


@function("round", "number", "integer", "string")
def rounded(run: Run, value: float, digits: int | None = None, mode: str = "HALF_UP") -> object:
    """The nearest number of so many digits behind the point; halves go away from zero, or as the
    mode has it.
    """
    way = ROUNDINGS.get(mode.upper())
    if way is None:
        raise QueryError(f"Unknown rounding mode '{mode}'")
    if not math.isfinite(value) or (digits is None and isinstance(value, int)):
        return value
    places = digits or 0
    if not 0 <= places <= DIGITS_MAX:
        raise QueryError(f"round() takes 0 to {DIGITS_MAX} digits")
    with localcontext(prec=PRECISION):
        return float(Decimal(repr(value)).quantize(Decimal((0, (1,), -places)), way))


@function("sqrt", "number")
def root(run: Run, value: float) -> object:
    """The square root."""
    return real(math.sqrt, value)


@function("exp", "number")
def exponential(run: Run, value: float) -> object:
    """e to a power."""
    return real(math.exp, value)


@function("log", "number")
def logarithm(run: Run, value: float) -> object:
    """The natural logarithm."""
    return real(math.log, value)


@function("log10", "number")
def logarithm_ten(run: Run, value: float) -> object:
    """The logarithm to base ten."""
    return real(math.log10, value)


@function("e")
def euler(run: Run) -> object:
    """The base of natural logarithms."""
    return math.e


@function("pi")
def pi(run: Run) -> object:
    """Half the way round a circle of radius one."""
    return math.pi


@function("sin", "number")
def sine(run: Run, value: float) -> object:
    """The sine of an angle in radians."""
    return real(math.sin, value)


@function("cos", "number")
def cosine(run: Run, value: float) -> object:
    """The cosine of an angle in radians."""
    return real(math.cos, value)


@function("lower", "string")
@function("toLower", "string")
def lower(run: Run, value: str) -> object:
    """In small letters."""
    return value.lower()


@function("upper", "string")
@function("toUpper", "string")
def upper(run: Run, value: str) -> object:
    """In capitals."""
    return value.upper()


@function("character_length", "string")
@function("char_length", "string")
def text_length(run: Run, value: str) -> object:
    """How many characters."""
    return len(value)


@function("trim", "string")
def trim(run: Run, value: str) -> object:
    """Without spaces at both ends."""
    return value.strip()


@function("btrim", "string", "string")
def trim_of(run: Run, value: str, these: str | None = None) -> object:
    """Without spaces, or without certain characters, at both ends."""
    return value.strip(these)


@function("lTrim", "string")
def left_trim(run: Run, value: str) -> object:
    """Without spaces at the start."""
    return value.lstrip()


@function("rTrim", "string")
def right_trim(run: Run, value: str) -> object:
    """Without spaces at the end."""
    return value.rstrip()


@function("replace", "string", "string", "string")
def replaced(run: Run, value: str, old: str, new: str) -> object:
    """With every occurrence of one string replaced by another."""
    refuse_longer(len(value) + value.count(old) * (len(new) - len(old)), TEXT_MAX)
    return value.replace(old, new)


@function("split", "string", "string")
def split(run: Run, value: str, separator: str) -> object:
    """The pieces between separators, or all characters."""
    return value.split(separator) if separator else list(value)


@function("reverse")
def reverse(run: Run, value: object) -> object:
    """A string or a list from its end."""
    if not isinstance(value, (str, list)):
        raise type_mismatch("String, List or Null", type_name(value))
    return value[::-1]


@function("substring", "string", "integer", "integer")
def substring(run: Run, value: str, start: int, length: int | None = None) -> object:
    """A piece of a string."""
    if start < 0 or (length is not None and length < 0):
        raise QueryError("start and length must be positive integers")
    return value[start:] if length is None else value[start : start + length]


@function("left", "string", "integer")
def left(run: Run, value: str, length: int) -> object:
    """So many characters from the start."""
    return substring(run, value, 0, length)


@function("right", "string", "integer")
def right(run: Run, value: str, length: int) -> object:
    """So many characters from the end."""
    if length < 0:
        raise QueryError("length must be positive integer")
    return value[-length:] if length else ""


@function("toString")
def to_string(run: Run, value: object) -> object:
    """A value as text."""
    written = getattr(value, "written", None)
    return written() if written is not None else text(value)


@function("toInteger")
def to_integer(run: Run, value: object) -> object:
    """A number or a numeral as an integer; null if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and INTEGER.fullmatch(value):
        whole = int(value)
        return whole if -(2**63) <= whole < 2**63 else None
    number = to_float(run, value)
    if not isinstance(number, float) or not math.isfinite(number):
        return None
    return int(number) if abs(number) < 2**63 else None


@function("toFloat")
def to_float(run: Run, value: object) -> object:
    """A number or a numeral as a float; null if it is none."""
    if is_number(value):
        return float(value)  # type: ignore[arg-type]
    if not isinstance(value, str):
        raise type_mismatch("String, Integer, Float, or Null", type_name(value))
    try:
        number = float(value) if "_" not in value and value == value.rstrip() else None
    except ValueError:
        return None
    return None if number is None or math.isnan(number) else number


@function("toBoolean")
def to_boolean(run: Run, value: object) -> object:
    """true or false by its name; null for other text."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise type_mismatch("Boolean, String or Null", type_name(value))
    return {"true": True, "false": False}.get(value.lower())
