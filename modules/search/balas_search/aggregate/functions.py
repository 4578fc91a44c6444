"""The functions of expressions, for single values.

Each takes values and gives one, or raises RowError. What columns have of them is in vectors.py, and
must be equal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from balas_search.aggregate import times
from balas_search.aggregate.errors import RowError
from balas_search.aggregate.values import number_of, text_of, truth
from balas_search.fields.geo import EARTH_RADIUS_M
from balas_search.schema.words import shown

ISO_TIME = b"%FT%TZ"
TOKENS_MAX = 1024
# What errors call the kinds of values.
KIND_NUMBERS = {float: 1, bytes: 3, type(None): 4, list: 6}
NOT_A_NUMBER = "Could not convert value to a number"
# The nan that the machine makes, as against the one that is written.
MADE_NAN = math.copysign(math.nan, -1)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of so many arguments; for other numbers of them there is `error`."""

    call: Callable[..., Any]
    least: int
    most: int
    error: str

    def check(self, count: int) -> None:
        """Raise RowError unless it takes so many arguments."""
        if not self.least <= count <= self.most:
            raise RowError(self.error)


def expect_text(value: Any, place: int, name: str) -> bytes:
    """A text, or RowError."""
    if isinstance(value, bytes):
        return value
    raise RowError(
        f"Invalid type ({KIND_NUMBERS[type(value)]}) for argument {place} in function '{name}'. "
        "VALIDATE_ARG__STRING(v, 0) was false."
    )


def expect(value: Any, kind: type, kind_name: str, place: int, name: str) -> None:
    """RowError unless a value is of a kind."""
    if not isinstance(value, kind):
        raise RowError(
            f"Invalid type ({KIND_NUMBERS[type(value)]}) for argument {place} in function "
            f"'{name}'. VALIDATE_ARG__TYPE(v, RSValue_{kind_name}) was false."
        )


# --- numbers -------------------------------------------------------------------------------------


def mathematical(compute: Callable[[float], float]) -> Callable[[Any], float]:
    """A function of a number; of what is no number it makes nan."""

    def call(value: Any) -> float:
        number = number_of(value)
        if number is None or math.isnan(number):
            return math.nan if number is None else number
        try:
            return float(compute(number))
        except OverflowError:
            return number if math.isinf(number) else math.inf
        except ValueError:
            return MADE_NAN

    return call


def logarithm(compute: Callable[[float], float]) -> Callable[[float], float]:
    """A logarithm that knows nothing's."""
    return lambda number: -math.inf if number == 0 else compute(number)


def whole(rounded: Callable[[float], int]) -> Callable[[float], float]:
    """A way of rounding that keeps infinities, and the sign of zero."""
    return lambda value: value if math.isinf(value) else math.copysign(float(rounded(value)), value)


def to_number(value: Any) -> float:
    """The number that a value is or stands for."""
    number = number_of(value)
    if number is None:
        text = value if isinstance(value, bytes) else b"(null)"
        raise RowError(f"to_number: cannot convert string '{shown(text)}'")
    return number


# --- texts ---------------------------------------------------------------------------------------


def upper(value: Any) -> bytes | None:
    """In capitals, of plain letters; null of what is no text."""
    return value.upper() if isinstance(value, bytes) else None


def lower(value: Any) -> bytes | None:
    """In small letters, of plain letters; null of what is no text."""
    return value.lower() if isinstance(value, bytes) else None


def substr(text: Any, offset: Any, count: Any) -> bytes:
    """A part of a text; what is negative counts from the end."""
    expect(offset, float, "Number", 1, "substr")
    expect(count, float, "Number", 2, "substr")
    if not isinstance(text, bytes):
        raise RowError("Invalid type for substr. Expected string")
    size = len(text)
    begin, length = clipped(offset), clipped(count)
    if begin < 0:
        begin += size
    if not 0 <= begin <= size:
        begin = size
    if length < 0:
        length = max(0, size - begin + length)
    return text[begin : begin + length]


def clipped(number: float) -> int:
    """A number as one of 32 bits."""
    return int(min(max(number, -(2.0**31)), 2.0**31 - 1)) if number == number else -(2**31)


def format_text(*values: Any) -> bytes:
    """A text in which each `%s` is replaced by the next value."""
    form = expect_text(values[0], 0, "format")
    parts = []
    taken, at = 1, 0
    while (sign := form.find(b"%", at)) >= 0:
        parts.append(form[at:sign])
        kind = form[sign + 1 : sign + 2]
        at = sign + 2
        if not kind:
            raise RowError("Bad format string!")
        if kind == b"%":
            parts.append(b"%")
            continue
        if kind != b"s":
            raise RowError("Unknown format specifier passed")
        if taken == len(values):
            raise RowError("Not enough arguments for format")
        parts.append(b"(null)" if values[taken] is None else text_of(values[taken]))
        taken += 1
    return b"".join([*parts, form[at:]])


def split(text: Any, separators: Any = b",", stripped: Any = b" ") -> list[Any]:
    """The pieces of a text, without what is stripped off them; empty ones are left out."""
    for place, value in enumerate((text, separators, stripped)):
        expect_text(value, place, "split")
    cut = re.split(b"[" + re.escape(separators) + b"]", text) if separators else [text]
    pieces = [piece.strip(stripped) if stripped else piece for piece in cut]
    return [piece for piece in pieces if piece][:TOKENS_MAX]


def strlen(text: Any) -> float:
    """How many bytes a text has."""
    return float(len(expect_text(text, 0, "strlen")))


def startswith(text: Any, part: Any) -> float:
    """1 if a text begins with another, else 0."""
    text, part = expect_text(text, 0, "startswith"), expect_text(part, 1, "startswith")
    return float(text.startswith(part))


def contains(text: Any, part: Any) -> float:
    """At how many places a text has another."""
    text, part = expect_text(text, 0, "contains"), expect_text(part, 1, "contains")
    if not part:
        return float(len(text) + 1)
    found, at = 0, text.find(part)
    while at >= 0:
        found += 1
        at = text.find(part, at + 1)
    return float(found)


def to_str(value: Any) -> bytes:
    """A value as text."""
    return text_of(value)


# --- times ---------------------------------------------------------------------------------------


def timefmt(value: Any, form: Any = ISO_TIME) -> bytes | None:
    """A time, in s since 1970, as text; null if it is none."""
    expect(form, bytes, "String", 1, "time")
    number = number_of(value)
    return None if number is None else times.written(number, form)


def parsetime(text: Any, form: Any) -> float | None:
    """The time that a text says; null if it is not in that form."""
    text, form = expect_text(text, 0, "parsetime"), expect_text(form, 1, "parsetime")
    return times.read(text, form)


def rounded_to(step_s: int) -> Callable[[Any], float | None]:
    """When the minute, hour or day of a time began; null for what is no time since 1970."""

    def call(value: Any) -> float | None:
        number = number_of(value)
        if number is None or not 0 <= number < 2**63:
            return None
        return float(int(number) // step_s * step_s)

    return call


def part_of_time(place: int) -> Callable[[Any], float | None]:
    """A part of a time, as `times.parts_of` has it."""

    def call(value: Any) -> float | None:
        number = number_of(value)
        parts = None if number is None else times.parts_of(number)
        return None if parts is None else parts[place]

    return call


def month(value: Any) -> float | None:
    """When the month of a time began; null for what is no time since 1970."""
    number = number_of(value)
    parts = None if number is None else times.parts_of(number)
    if number is None or parts is None:
        return None
    return float((int(number) // 86400 - int(parts[2]) + 1) * 86400)


# --- places on earth -----------------------------------------------------------------------------


def place_of(text: bytes) -> tuple[float, float]:
    """Longitude and latitude in degrees."""
    parts = re.split(rb"[, ]", text, maxsplit=1)
    numbers = [number_of(part.strip()) if part.strip() else None for part in parts]
    if len(parts) == 1 and numbers[0] is not None:
        return math.nan, math.nan
    longitude, latitude = [*numbers, None][:2]
    if longitude is None or latitude is None:
        raise RowError("Invalid geo string")
    return longitude, latitude


def places_of(values: tuple[Any, ...]) -> tuple[float, float, float, float]:
    """Two places, each given as one text or as two numbers."""
    numbers: list[float] = []
    for value in values:
        if isinstance(value, bytes):
            numbers += place_of(value)
        else:
            numbers.append(value if isinstance(value, float) else math.nan)
    if len(numbers) < 4:
        return math.nan, math.nan, math.nan, math.nan
    first, second, third, fourth = numbers[:4]
    return first, second, third, fourth


def geodistance(*values: Any) -> float:
    """The distance of two places in m, to the cm."""
    longitude, latitude, other_longitude, other_latitude = map(math.radians, places_of(values))
    up = math.sin((other_latitude - latitude) / 2)
    along = math.sin((other_longitude - longitude) / 2)
    share = up * up + math.cos(latitude) * math.cos(other_latitude) * along * along
    distance_m = 2 * EARTH_RADIUS_M * math.asin(math.sqrt(share))
    return distance_m if math.isnan(distance_m) else math.floor(distance_m * 100 + 0.5) / 100


# --- the list ------------------------------------------------------------------------------------


def exists(value: Any) -> float:
    """1; where the property is missing, expressions say 0 without asking."""
    return 1.0


def case(condition: Any, one: Any, other: Any) -> Any:
    """One of two values."""
    return one if truth(condition) else other


def matched_terms(*limits: Any) -> None:
    """The terms of the query that a document has: only rows of documents have any."""
    return


def plain(name: str, call: Callable[..., Any], least: int, most: int | None = None) -> Function:
    """A function with the usual error."""
    error = f"Invalid arguments for function '{name}'"
    return Function(call, least, least if most is None else most, error)


def numeric(name: str, compute: Callable[[float], float]) -> Function:
    """A function of one number."""
    return Function(mathematical(compute), 1, 1, f"Invalid number of arguments for {name}")


FUNCTIONS: dict[bytes, Function] = {
    b"log": numeric("log", logarithm(math.log)),
    b"log2": numeric("log2", logarithm(math.log2)),
    b"exp": numeric("exp", math.exp),
    b"ceil": numeric("ceil", whole(math.ceil)),
    b"floor": numeric("floor", whole(math.floor)),
    b"abs": numeric("abs", math.fabs),
    b"sqrt": numeric("sqrt", math.sqrt),
    b"upper": plain("upper", upper, 1),
    b"lower": plain("lower", lower, 1),
    b"substr": plain("substr", substr, 3),
    b"format": Function(format_text, 1, 2**31, "Need at least one argument for format"),
    b"split": Function(split, 1, 3, "Invalid number of arguments for split"),
    b"strlen": plain("strlen", strlen, 1),
    b"startswith": plain("startswith", startswith, 2),
    b"contains": plain("contains", contains, 2),
    b"to_number": plain("to_number", to_number, 1),
    b"to_str": plain("to_str", to_str, 1),
    b"matched_terms": plain("matched_terms", matched_terms, 0, 2**31),
    b"exists": plain("exists", exists, 1),
    b"case": plain("case", case, 3),
    b"timefmt": plain("time", timefmt, 1, 2),
    b"time": plain("time", timefmt, 1, 2),
    b"parsetime": plain("parsetime", parsetime, 2),
    b"parse_time": plain("parsetime", parsetime, 2),
    b"minute": plain("minute", rounded_to(60), 1),
    b"hour": plain("hour", rounded_to(3600), 1),
    b"day": plain("day", rounded_to(86400), 1),
    b"month": plain("month", month, 1),
    b"monthofyear": plain("monthofyear", part_of_time(1), 1),
    b"year": plain("year", part_of_time(0), 1),
    b"dayofmonth": plain("dayofmonth", part_of_time(2), 1),
    b"dayofweek": plain("dayofweek", part_of_time(3), 1),
    b"dayofyear": plain("dayofyear", part_of_time(4), 1),
    b"geodistance": plain("geodistance", geodistance, 2, 4),
}


# --- operators -----------------------------------------------------------------------------------


def arithmetic(operator: bytes, one: Any, other: Any) -> float:
    """Two numbers, or what stands for numbers, and an operator between them."""
    left, right = number_of(one), number_of(other)
    if left is None or right is None:
        raise RowError(NOT_A_NUMBER)
    made = ARITHMETIC[operator](left, right)
    is_made = math.isnan(made) and not (math.isnan(left) or math.isnan(right))
    return MADE_NAN if is_made and operator not in (b"/", b"%") else made


def divided(left: float, right: float) -> float:
    """A quotient; nan where something is divided by nothing."""
    return left / right if right else math.nan


def whole_number(number: float) -> int:
    """A number cut to one of 64 bits; what does not fit is the lowest."""
    return int(number) if -(2.0**63) <= number < 2.0**63 else -(2**63)


def remainder(left: float, right: float) -> float:
    """What is left of dividing whole numbers, with the sign of the first; nan for nothing."""
    one, other = whole_number(left), whole_number(right)
    return math.copysign(float(abs(one) % abs(other)), one) + 0.0 if other else math.nan


def power(left: float, right: float) -> float:
    """A power."""
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0 and right % 2 == 1 else math.inf
    except ValueError:
        if left == 0:
            odd = right % 2 == 1
            return math.copysign(math.inf, left) if odd else math.inf
        return MADE_NAN


ARITHMETIC: dict[bytes, Callable[[float, float], float]] = {
    b"+": lambda left, right: left + right,
    b"-": lambda left, right: left - right,
    b"*": lambda left, right: left * right,
    b"/": divided,
    b"%": remainder,
    b"^": power,
}
COMPARED: dict[bytes, Callable[[int], bool]] = {
    b"==": lambda order: order == 0,
    b"!=": lambda order: order != 0,
    b"<": lambda order: order < 0,
    b"<=": lambda order: order <= 0,
    b">": lambda order: order > 0,
    b">=": lambda order: order >= 0,
}
