"""Durations: months, days and nanoseconds, which do not turn into each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from balas_graph.errors import QueryError
from balas_graph.temporal.calendar import date_of, plus_months
from balas_graph.temporal.zones import DAY, DAY_S, SECOND

# The mean length of a month: what a part of one is turned into, and what ORDER BY goes by.
MONTH_DAYS = Fraction(30_436_875, 1_000_000)
# The years up to 9999, which clients know.
MONTHS_TOLD = (9999 - 1970) * 12
INTEGER_MAX = 2**63 - 1


def toward_zero(value: int, by: int) -> int:
    """A quotient without its fraction."""
    return value // by if value >= 0 else -(-value // by)


def rest(value: int, by: int) -> int:
    """What is left of that division, with the sign of the value."""
    return value - toward_zero(value, by) * by


# The components of a duration by their names.
COMPONENTS: dict[str, Callable[[Duration], int]] = {
    "years": lambda it: toward_zero(it.months, 12),
    "quarters": lambda it: toward_zero(it.months, 3),
    "months": lambda it: it.months,
    "weeks": lambda it: toward_zero(it.days, 7),
    "days": lambda it: it.days,
    "hours": lambda it: toward_zero(it.seconds, 3600),
    "minutes": lambda it: toward_zero(it.seconds, 60),
    "seconds": lambda it: it.seconds,
    "milliseconds": lambda it: it.nanos // 1_000_000,
    "microseconds": lambda it: it.nanos // 1000,
    "nanoseconds": lambda it: it.nanos,
    "quartersOfYear": lambda it: toward_zero(rest(it.months, 12), 3),
    "monthsOfQuarter": lambda it: rest(it.months, 3),
    "monthsOfYear": lambda it: rest(it.months, 12),
    "daysOfWeek": lambda it: rest(it.days, 7),
    "minutesOfHour": lambda it: toward_zero(rest(it.seconds, 3600), 60),
    "secondsOfMinute": lambda it: rest(it.seconds, 60),
    "millisecondsOfSecond": lambda it: it.nanos % SECOND // 1_000_000,
    "microsecondsOfSecond": lambda it: it.nanos % SECOND // 1000,
    "nanosecondsOfSecond": lambda it: it.nanos % SECOND,
}


@dataclass(frozen=True, slots=True)
class Duration:
    """A span; two are equal if all three parts are. They have no order but that of ORDER BY."""

    kind: ClassVar[str] = "duration"
    type_name: ClassVar[str] = "Duration"
    order_rank: ClassVar[float] = 5.6

    months: int
    days: int
    nanos: int

    @classmethod
    def exact(cls, months: Fraction | int, days: Fraction | int, nanos: Fraction | int) -> Duration:
        """Parts of months become days, parts of days time; QueryError beyond 64 bits."""
        whole_months = int(months)
        days += (months - whole_months) * MONTH_DAYS
        whole_days = int(days)
        whole_nanos = int(nanos + (days - whole_days) * DAY)
        if max(abs(whole_months), abs(whole_days), abs(whole_nanos // SECOND)) > INTEGER_MAX:
            raise QueryError("Invalid value for duration: overflow")
        return cls(whole_months, whole_days, whole_nanos)

    @property
    def seconds(self) -> int:
        """Whole seconds, rounded down."""
        return self.nanos // SECOND

    @property
    def order_key(self) -> tuple[Fraction, int, int]:
        """Where it stands in ORDER BY: by its mean length."""
        return (self.months * MONTH_DAYS + self.days) * DAY + self.nanos, self.months, self.days

    def component(self, key: str) -> int:
        """A component; QueryError if there is none of that name."""
        found = COMPONENTS.get(key)
        if found is None:
            raise QueryError(f"No such field: {key} of Duration")
        return found(self)

    def written(self) -> str:
        """As P1Y2M3DT4H5M6.7S; PT0S if there is nothing in it."""
        values = [(toward_zero(self.months, 12), "Y"), (rest(self.months, 12), "M")]
        text = "".join(f"{value}{unit}" for value, unit in [*values, (self.days, "D")] if value)
        size = abs(self.nanos)
        sign = "-" if self.nanos < 0 else ""
        seconds, nanos = divmod(size, SECOND)
        clock = "".join(
            f"{sign}{value}{unit}"
            for value, unit in ((seconds // 3600, "H"), (seconds // 60 % 60, "M"))
            if value
        )
        if seconds % 60 or nanos:
            fraction = f".{nanos:09}".rstrip("0") if nanos else ""
            clock += f"{sign}{seconds % 60}{fraction}S"
        if not text and not clock:
            return "PT0S"
        return "P" + text + ("T" + clock if clock else "")

    @property
    def told_by_seconds(self) -> bool:
        """Whether a client that counts from 1970 on finds the same years, months, days and time."""
        if self.nanos % SECOND or not (0 <= self.nanos < DAY and 0 <= self.months < MONTHS_TOLD):
            return False
        if not 0 <= self.days < 31:
            return False
        year, month, of_month = date_of(plus_months(0, self.months) + self.days)
        return (year - 1970) * 12 + month - 1 == self.months and of_month - 1 == self.days

    @property
    def compact_type(self) -> int:
        """The type of a cell in compact replies: text if seconds would tell another duration."""
        return 16 if self.told_by_seconds else 2

    def compact(self) -> int | str:
        """Seconds, counted from 1970, or the text."""
        if not self.told_by_seconds:
            return self.written()
        return (plus_months(0, self.months) + self.days) * DAY_S + self.seconds

    def __add__(self, other: object) -> Duration:
        if not isinstance(other, Duration):
            return NotImplemented
        return Duration.exact(
            self.months + other.months, self.days + other.days, self.nanos + other.nanos
        )

    def __sub__(self, other: object) -> Duration:
        if not isinstance(other, Duration):
            return NotImplemented
        return Duration.exact(
            self.months - other.months, self.days - other.days, self.nanos - other.nanos
        )

    def __mul__(self, other: object) -> Duration:
        if isinstance(other, bool) or not isinstance(other, (int, float)):
            return NotImplemented
        by = number(other)
        return Duration.exact(self.months * by, self.days * by, self.nanos * by)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Duration:
        if isinstance(other, bool) or not isinstance(other, (int, float)):
            return NotImplemented
        if not other:
            raise QueryError("Division by zero")
        by = number(other)
        return Duration.exact(self.months / by, self.days / by, self.nanos / by)


def number(value: object) -> Fraction:
    """A number as it is written, so that 0.1 is a tenth."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise QueryError("Type mismatch: expected Integer or Float in a duration")
    try:
        return Fraction(repr(value))
    except ValueError as error:
        raise QueryError(f"Invalid value for duration: {value}") from error
