"""Durations between two values, and values cut off at a unit."""

from __future__ import annotations

from balas_graph.errors import QueryError
from balas_graph.temporal import calendar
from balas_graph.temporal.durations import Duration, toward_zero
from balas_graph.temporal.making import Fields, day_from, made, nanos_from
from balas_graph.temporal.values import DateTime, Temporal
from balas_graph.temporal.zones import DAY, SECOND, Zone, zone_of

YEARS = {"millennium": 1000, "century": 100, "decade": 10, "year": 1}
DATE_UNITS = (*YEARS, "weekYear", "quarter", "month", "week", "day")
CLOCK_UNITS = {
    "hour": 3600 * SECOND,
    "minute": 60 * SECOND,
    "second": SECOND,
    "millisecond": 1_000_000,
    "microsecond": 1000,
}


class Moment:
    """One end of a span: what it lacks is taken from the other end."""

    def __init__(self, value: Temporal, other: Temporal) -> None:
        day, nanos, zone = value.parts
        other_day, _, other_zone = other.parts
        self.dated = day is not None
        self.nanos = nanos or 0
        self.day = day if day is not None else other_day or 0
        self.zone = zone or other_zone
        if self.zone is not None:
            there = DateTime.local(self.day, self.nanos, self.zone)
            if isinstance(value, DateTime):
                there = value
            self.day, self.nanos, self.offset_s = there.day, there.nanos, there.offset_s
        else:
            self.offset_s = 0

    @property
    def instant(self) -> int:
        """Nanoseconds since 1970 in UTC, or as if there were no zones."""
        return self.day * DAY + self.nanos - self.offset_s * SECOND

    def seen_from(self, zone: Zone | None) -> tuple[int, int]:
        """Day and nanoseconds in a zone."""
        if zone is None:
            return self.day, self.nanos
        return zone.at_instant(*divmod(self.instant, DAY))[:2]


def months_between(start: tuple[int, int], end: tuple[int, int]) -> int:
    """Whole months from one day with its nanoseconds to another."""
    day = whole_days_end(start, end)
    year, month, of_month = calendar.date_of(start[0])
    other_year, other_month, other_day = calendar.date_of(day)
    packed = (year * 12 + month) * 32 + of_month
    return toward_zero((other_year * 12 + other_month) * 32 + other_day - packed, 32)


def whole_days_end(start: tuple[int, int], end: tuple[int, int]) -> int:
    """The last day that whole days from the start lead to."""
    if end[0] > start[0] and end[1] < start[1]:
        return end[0] - 1
    if end[0] < start[0] and end[1] > start[1]:
        return end[0] + 1
    return end[0]


def between(start: Temporal, end: Temporal) -> Duration:
    """Whole months, then whole days, then the rest."""
    first, last = Moment(start, end), Moment(end, start)
    months = days = 0
    instant = first.instant
    if first.dated and last.dated:
        begin, goal = (first.day, first.nanos), last.seen_from(first.zone)
        months = months_between(begin, goal)
        begin = calendar.plus_months(begin[0], months), begin[1]
        days = whole_days_end(begin, goal) - begin[0]
        begin = begin[0] + days, begin[1]
        instant = begin[0] * DAY + begin[1] - first.offset_s * SECOND
        if first.zone is not None:
            moved = DateTime.local(*begin, first.zone)
            instant = moved.utc[0] * DAY + moved.utc[1]
    return Duration.exact(months, days, last.instant - instant)


def in_months(start: Temporal, end: Temporal) -> Duration:
    """Whole months alone."""
    first, last = Moment(start, end), Moment(end, start)
    if not first.dated and not last.dated:
        return Duration(0, 0, 0)
    return Duration(months_between((first.day, first.nanos), last.seen_from(first.zone)), 0, 0)


def in_days(start: Temporal, end: Temporal) -> Duration:
    """Whole days alone."""
    first, last = Moment(start, end), Moment(end, start)
    if not first.dated and not last.dated:
        return Duration(0, 0, 0)
    begin = first.day, first.nanos
    return Duration(0, whole_days_end(begin, last.seen_from(first.zone)) - begin[0], 0)


def in_seconds(start: Temporal, end: Temporal) -> Duration:
    """Time alone."""
    return Duration.exact(0, 0, Moment(end, start).instant - Moment(start, end).instant)


def cut_day(unit: str, day: int) -> int:
    """The first day of the unit that a day is in."""
    year, month, _ = calendar.date_of(day)
    if unit in YEARS:
        return calendar.day_of(year - year % YEARS[unit], 1, 1)
    match unit:
        case "weekYear":
            return calendar.day_of_week(calendar.week_of(day)[0], 1, 1)
        case "quarter":
            return calendar.day_of_quarter(year, calendar.quarter_of(day)[0], 1)
        case "month":
            return calendar.day_of(year, month, 1)
        case "week":
            return day - calendar.week_day(day) + 1
    return day


def truncate(kind: str, unit: str, value: Temporal, fields: Fields, now_ms: int) -> Temporal:
    """A value of a kind cut off at a unit, with some parts below the unit set by fields."""
    day, nanos, zone = value.parts
    fields = dict(fields)
    if unit in CLOCK_UNITS:
        if kind == "date" or nanos is None:
            raise QueryError(f"Cannot truncate a {value.type_name} to {unit}")
        nanos -= nanos % CLOCK_UNITS[unit]
    elif unit in DATE_UNITS:
        if day is None and unit != "day":
            raise QueryError(f"Cannot truncate a {value.type_name} to {unit}")
        day, nanos = None if day is None else cut_day(unit, day), 0
    else:
        raise QueryError(f"Unsupported unit: {unit}")
    if "timezone" in fields:
        zone = zone_of(fields.pop("timezone"))
    elif kind == "time" and zone is not None:
        zone = Zone(zone.offset_s)
    below = fields.pop("nanosecond", 0) if unit in ("millisecond", "microsecond") else 0
    if not isinstance(below, int) or not 0 <= below < CLOCK_UNITS.get(unit, 1):
        raise QueryError(f"Invalid value for nanosecond: {below}")
    if day is not None and kind in ("date", "localdatetime", "datetime"):
        day = day_from(fields, day)
    nanos = nanos_from(fields, nanos) + below
    return made(kind, day, nanos, zone, now_ms)
