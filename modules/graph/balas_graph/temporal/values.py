"""Date, LocalTime, Time, LocalDateTime, DateTime and Duration.

`day` counts days since 1970-01-01, `nanos` nanoseconds since midnight, both as the clock on the
wall there shows them. Each has `written()`, its ISO text; `component(key)`; `compact_type` and
`compact()` for compact replies, which hold whole seconds: what has a fraction goes as its text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import total_ordering
from typing import ClassVar, Self

from balas_graph.errors import QueryError
from balas_graph.temporal.calendar import (
    date_of,
    ordinal_day,
    plus_months,
    quarter_of,
    week_day,
    week_of,
)
from balas_graph.temporal.durations import Duration, toward_zero
from balas_graph.temporal.zones import DAY, DAY_S, SECOND, Zone, shifted, written_offset

STRING_TYPE = 2
# Compact replies tell times of day as seconds of the first day of 1900, as FalkorDB does.
DAY_OF_TIMES = -25_567
# The first and the last day that the calendars of clients know: of the years 1 and 9999.
FIRST_DAY, LAST_DAY = -719_162, 2_932_896


def date_text(day: int) -> str:
    """A date as ISO 8601 writes it."""
    year, month, of_month = date_of(day)
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04}-{month:02}-{of_month:02}"


def time_text(nanos: int) -> str:
    """A time of day, as short as it can be: 12:00, 12:00:01, 12:00:01.500."""
    seconds, nanos = divmod(nanos, SECOND)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    if seconds % 60 or nanos:
        text += f":{seconds % 60:02}"
    if nanos:
        digits = f"{nanos:09}"
        while digits.endswith("000"):
            digits = digits[:-3]
        text += "." + digits
    return text


def date_component(day: int, key: str) -> int | None:
    """A component of a date; None if it has none of that name."""
    year, month, of_month = date_of(day)
    match key:
        case "year":
            return year
        case "month":
            return month
        case "day":
            return of_month
        case "quarter":
            return quarter_of(day)[0]
        case "dayOfQuarter":
            return quarter_of(day)[1]
        case "weekYear":
            return week_of(day)[0]
        case "week":
            return week_of(day)[1]
        case "weekDay" | "dayOfWeek":
            return week_day(day)
        case "ordinalDay" | "dayOfYear":
            return ordinal_day(day)
    return None


# How a component of a time of day is cut out of its nanoseconds: divided, and the rest by this.
TIME_COMPONENTS = {
    "hour": (3600 * SECOND, 24),
    "minute": (60 * SECOND, 60),
    "second": (SECOND, 60),
    "millisecond": (1_000_000, 1000),
    "microsecond": (1000, 1_000_000),
    "nanosecond": (1, SECOND),
}


def time_component(nanos: int, key: str) -> int | None:
    """A component of a time of day; None if it has none of that name."""
    found = TIME_COMPONENTS.get(key)
    return None if found is None else nanos // found[0] % found[1]


def zone_component(offset_s: int, name: str | None, key: str) -> object:
    """A component of a time zone; None if it has none of that name."""
    match key:
        case "timezone":
            return name or written_offset(offset_s)
        case "offset":
            return written_offset(offset_s)
        case "offsetMinutes":
            return toward_zero(offset_s, 60)
        case "offsetSeconds":
            return offset_s
    return None


class Temporal:
    """What all have in common. Parts that a value does not have are None."""

    __slots__ = ()
    kind: ClassVar[str]
    type_name: ClassVar[str]
    # The place among the types in ORDER BY: `values.rank` puts all of them before strings.
    order_rank: ClassVar[float]
    whole_type: ClassVar[int] = STRING_TYPE

    @property
    def parts(self) -> tuple[int | None, int | None, Zone | None]:
        """The day, the nanoseconds of it, and the zone."""
        raise NotImplementedError

    def written(self) -> str:
        """The ISO text."""
        raise NotImplementedError

    def plus(self, duration: Duration, sign: int) -> Self:
        """The value a duration later, or earlier if the sign is -1."""
        raise NotImplementedError

    def of(self, key: str) -> object:
        """A component, or None."""
        raise NotImplementedError

    def component(self, key: str) -> object:
        """A component; QueryError if there is none of that name."""
        found = self.of(key)
        if found is None:
            raise QueryError(f"No such field: {key} of {self.type_name}")
        return found

    @property
    def compact_type(self) -> int:
        """The type of a cell in compact replies: text where clients have no such seconds."""
        day, nanos, _ = self.parts
        if (nanos and nanos % SECOND) or (day and not FIRST_DAY <= day <= LAST_DAY):
            return STRING_TYPE
        return self.whole_type

    def compact(self) -> int | str:
        """The cell: seconds since 1970, or the text."""
        if self.compact_type == STRING_TYPE:
            return self.written()
        day, nanos, _ = self.parts
        day = DAY_OF_TIMES if day is None else day
        return day * DAY_S + (nanos or 0) // SECOND

    def __add__(self, other: object) -> Self:
        return self.plus(other, 1) if isinstance(other, Duration) else NotImplemented

    def __radd__(self, other: object) -> Self:
        return self.plus(other, 1) if isinstance(other, Duration) else NotImplemented

    def __sub__(self, other: object) -> Self:
        return self.plus(other, -1) if isinstance(other, Duration) else NotImplemented


@dataclass(frozen=True, slots=True, order=True)
class Date(Temporal):
    """A day."""

    kind: ClassVar[str] = "date"
    type_name: ClassVar[str] = "Date"
    order_rank: ClassVar[float] = 5.3
    whole_type: ClassVar[int] = 14

    day: int

    @property
    def parts(self) -> tuple[int | None, int | None, Zone | None]:
        """The day alone."""
        return self.day, None, None

    def written(self) -> str:
        """As 2015-07-21."""
        return date_text(self.day)

    def of(self, key: str) -> object:
        """A component of the date."""
        return date_component(self.day, key)

    def plus(self, duration: Duration, sign: int) -> Date:
        """Only whole days of the time in a duration count."""
        day = plus_months(self.day, sign * duration.months) + sign * duration.days
        return Date(day + toward_zero(sign * duration.nanos, DAY))


@dataclass(frozen=True, slots=True, order=True)
class LocalTime(Temporal):
    """A time of day, wherever."""

    kind: ClassVar[str] = "localtime"
    type_name: ClassVar[str] = "Time"
    order_rank: ClassVar[float] = 5.5
    whole_type: ClassVar[int] = 15

    nanos: int

    @property
    def parts(self) -> tuple[int | None, int | None, Zone | None]:
        """The nanoseconds alone."""
        return None, self.nanos, None

    def written(self) -> str:
        """As 21:40:32.142."""
        return time_text(self.nanos)

    def of(self, key: str) -> object:
        """A component of the time."""
        return time_component(self.nanos, key)

    def plus(self, duration: Duration, sign: int) -> LocalTime:
        """Round the clock; days do not count."""
        return LocalTime((self.nanos + sign * duration.nanos) % DAY)


@total_ordering
@dataclass(frozen=True, slots=True)
class Time(Temporal):
    """A time of day at an offset from UTC."""

    kind: ClassVar[str] = "time"
    type_name: ClassVar[str] = "ZonedTime"
    order_rank: ClassVar[float] = 5.4

    nanos: int
    offset_s: int

    @property
    def parts(self) -> tuple[int | None, int | None, Zone | None]:
        """Nanoseconds and offset."""
        return None, self.nanos, Zone(self.offset_s)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Time):
            return NotImplemented
        return self.key < other.key

    @property
    def key(self) -> tuple[int, int]:
        """Times are ordered by their instant, then by their offset."""
        return self.nanos - self.offset_s * SECOND, self.offset_s

    def written(self) -> str:
        """As 21:40:32.142+01:00."""
        return time_text(self.nanos) + written_offset(self.offset_s)

    def of(self, key: str) -> object:
        """A component of the time or of the offset."""
        found = time_component(self.nanos, key)
        return zone_component(self.offset_s, None, key) if found is None else found

    def plus(self, duration: Duration, sign: int) -> Time:
        """Round the clock; days do not count."""
        return Time((self.nanos + sign * duration.nanos) % DAY, self.offset_s)


@dataclass(frozen=True, slots=True, order=True)
class LocalDateTime(Temporal):
    """A day and a time of it, wherever."""

    kind: ClassVar[str] = "localdatetime"
    type_name: ClassVar[str] = "Datetime"
    order_rank: ClassVar[float] = 5.2
    whole_type: ClassVar[int] = 13

    day: int
    nanos: int

    @property
    def parts(self) -> tuple[int | None, int | None, Zone | None]:
        """Day and nanoseconds."""
        return self.day, self.nanos, None

    def written(self) -> str:
        """As 2015-07-21T21:40:32.142."""
        return f"{date_text(self.day)}T{time_text(self.nanos)}"

    def of(self, key: str) -> object:
        """A component of the date or of the time."""
        found = date_component(self.day, key)
        return time_component(self.nanos, key) if found is None else found

    def plus(self, duration: Duration, sign: int) -> LocalDateTime:
        """Months, then days, then time."""
        day = plus_months(self.day, sign * duration.months) + sign * duration.days
        more, nanos = divmod(self.nanos + sign * duration.nanos, DAY)
        return LocalDateTime(day + more, nanos)


@total_ordering
@dataclass(frozen=True, slots=True)
class DateTime(Temporal):
    """A day and a time of it, at an offset from UTC that a named zone may tell."""

    kind: ClassVar[str] = "datetime"
    type_name: ClassVar[str] = "ZonedDatetime"
    order_rank: ClassVar[float] = 5.1

    day: int
    nanos: int
    offset_s: int
    zone: str | None = None

    @classmethod
    def local(cls, day: int, nanos: int, zone: Zone) -> DateTime:
        """What the clock shows in a zone."""
        return cls(*zone.at_local(day, nanos), zone.name)

    @classmethod
    def instant(cls, day: int, nanos: int, zone: Zone) -> DateTime:
        """A time in UTC, as a zone tells it."""
        return cls(*zone.at_instant(day, nanos), zone.name)

    @property
    def utc(self) -> tuple[int, int]:
        """Day and nanoseconds in UTC."""
        return shifted(self.day, self.nanos, -self.offset_s)

    @property
    def parts(self) -> tuple[int | None, int | None, Zone | None]:
        """Day, nanoseconds and zone."""
        return self.day, self.nanos, Zone(self.offset_s, self.zone)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, DateTime):
            return NotImplemented
        return self.key < other.key

    @property
    def key(self) -> tuple[int, int, int, str]:
        """They are ordered by their instant, then by their zone."""
        return *self.utc, self.offset_s, self.zone or ""

    def written(self) -> str:
        """As 2015-07-21T21:40:32.142+02:00[Europe/Stockholm]."""
        text = f"{date_text(self.day)}T{time_text(self.nanos)}{written_offset(self.offset_s)}"
        return f"{text}[{self.zone}]" if self.zone else text

    def of(self, key: str) -> object:
        """A component of the date, the time or the zone, or seconds since 1970."""
        if key in ("epochSeconds", "epochMillis"):
            day, nanos = self.utc
            return (day * DAY + nanos) // (SECOND if key == "epochSeconds" else 1_000_000)
        found = date_component(self.day, key)
        found = time_component(self.nanos, key) if found is None else found
        return zone_component(self.offset_s, self.zone, key) if found is None else found

    def plus(self, duration: Duration, sign: int) -> DateTime:
        """Months and days by the calendar of the zone, then time by the clock of UTC."""
        day = plus_months(self.day, sign * duration.months) + sign * duration.days
        zone = Zone(self.offset_s, self.zone)
        moved = self if day == self.day else DateTime.local(day, self.nanos, zone)
        day, nanos = moved.utc
        more, nanos = divmod(nanos + sign * duration.nanos, DAY)
        return DateTime.instant(day + more, nanos, zone)
