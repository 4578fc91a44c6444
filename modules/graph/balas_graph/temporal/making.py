"""Makes values from maps, from texts, and from other values with some parts replaced."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.values import type_name
from balas_graph.temporal import calendar
from balas_graph.temporal.durations import Duration, number
from balas_graph.temporal.reading import read_date, read_duration, read_moment, read_time
from balas_graph.temporal.values import (
    Date,
    DateTime,
    LocalDateTime,
    LocalTime,
    Temporal,
    Time,
)
from balas_graph.temporal.zones import DAY, SECOND, Zone, zone_of

Fields = dict[str, Any]
DATE_FIELDS = (
    "year", "quarter", "month", "week", "day", "dayOfWeek", "dayOfQuarter", "ordinalDay",
)  # fmt: skip
TIME_FIELDS = ("hour", "minute", "second", "millisecond", "microsecond", "nanosecond")
FIELDS = {*DATE_FIELDS, *TIME_FIELDS, "timezone", "date", "time", "datetime", "epochSeconds",
          "epochMillis"}  # fmt: skip
DURATION_FIELDS = (
    "years", "quarters", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds",
    "microseconds", "nanoseconds",
)  # fmt: skip
WITH_DATE = ("date", "localdatetime", "datetime")
WITH_TIME = ("localtime", "time", "localdatetime", "datetime")
WITH_ZONE = ("time", "datetime")


def made(
    kind: str, day: int | None, nanos: int | None, zone: Zone | None, now_ms: int = 0
) -> Temporal:
    """A value of a kind from its parts; a time of a named zone has the offset it has today."""
    if kind in WITH_DATE and day is None:
        raise QueryError(f"Cannot make a {kind} of a value without a date")
    if kind in WITH_TIME and kind not in WITH_DATE and nanos is None:
        raise QueryError(f"Cannot make a {kind} of a value without a time")
    day, nanos, zone = day or 0, nanos or 0, zone or Zone()
    if not 0 <= nanos < DAY:
        raise QueryError("Invalid time of day")
    match kind:
        case "date":
            return Date(day)
        case "localtime":
            return LocalTime(nanos)
        case "localdatetime":
            return LocalDateTime(day, nanos)
        case "datetime":
            return DateTime.local(day, nanos, zone)
    if zone.name is not None:
        today, within = divmod(now_ms * 1_000_000, DAY)
        return Time(nanos, zone.at_instant(today, within)[2])
    return Time(nanos, zone.offset_s)


def from_text(kind: str, text: str) -> Temporal:
    """A value from its ISO text."""
    if kind == "date":
        return Date(read_date(text))
    if kind in ("localtime", "time"):
        nanos, zone = read_time(text)
        if kind == "localtime" and zone is not None:
            raise QueryError(f"Text cannot be parsed to a LocalTime: '{text}'")
        return made(kind, None, nanos, zone)
    day, nanos, zone, told = read_moment(text)
    if kind == "localdatetime" and zone is not None:
        raise QueryError(f"Text cannot be parsed to a LocalDateTime: '{text}'")
    if kind == "datetime" and zone is not None and zone.name is not None and told:
        # The offset tells which of two times is meant when clocks are set back.
        fixed = DateTime.local(day, nanos, Zone(zone.offset_s))
        return DateTime.instant(*fixed.utc, zone)
    return made(kind, day, nanos, zone)


def from_value(kind: str, value: Temporal, now_ms: int) -> Temporal:
    """A value of one kind from one of another, without the parts that it does not have."""
    day, nanos, zone = value.parts
    if kind == "time" and zone is not None:
        zone = Zone(zone.offset_s)
    return made(kind, day, nanos, zone, now_ms)


def integer(fields: Fields, key: str, default: int) -> int:
    """A field that has to be an integer."""
    value = fields.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise type_mismatch("Integer", type_name(value))
    return value


def day_from(fields: Fields, base: int | None) -> int:
    """The day that fields tell; what they leave out is that of the base, or the first."""
    if base is None and "year" not in fields:
        raise QueryError("year must be specified")
    if "week" in fields or "dayOfWeek" in fields:
        week_year, week = (0, 1) if base is None else calendar.week_of(base)
        year = integer(fields, "year", week_year)
        of_week = integer(fields, "dayOfWeek", 1 if base is None else calendar.week_day(base))
        return calendar.day_of_week(year, integer(fields, "week", week), of_week)
    old_year, old_month, old_day = (0, 1, 1) if base is None else calendar.date_of(base)
    year = integer(fields, "year", old_year)
    if "ordinalDay" in fields:
        return calendar.day_of_ordinal(year, integer(fields, "ordinalDay", 1))
    if "quarter" in fields or "dayOfQuarter" in fields:
        quarter, of_quarter = (1, 1) if base is None else calendar.quarter_of(base)
        return calendar.day_of_quarter(
            year,
            integer(fields, "quarter", quarter),
            integer(fields, "dayOfQuarter", of_quarter),
        )
    if base is None and "day" in fields and "month" not in fields:
        raise QueryError("month must be specified")
    month, day = integer(fields, "month", old_month), integer(fields, "day", old_day)
    return calendar.day_of(year, month, day)


def nanos_from(fields: Fields, base: int | None) -> int:
    """The nanoseconds of the day that fields tell, likewise."""
    if base is None:
        for larger, smaller in pairwise(("hour", "minute", "second")):
            if smaller in fields and larger not in fields:
                raise QueryError(f"{larger} must be specified")
    old, within = divmod(base or 0, SECOND)
    hour = bounded(fields, "hour", old // 3600, 24)
    minute = bounded(fields, "minute", old // 60 % 60, 60)
    second = bounded(fields, "second", old % 60, 60)
    given = [key for key in TIME_FIELDS[3:] if key in fields]
    if given:
        within = 0
        limit = 1000
        for key, size in zip(TIME_FIELDS[3:], (1_000_000, 1000, 1), strict=True):
            if key in fields:
                within += size * bounded(fields, key, 0, limit)
                limit = 1000
            else:
                limit *= 1000
    return ((hour * 60 + minute) * 60 + second) * SECOND + within


def bounded(fields: Fields, key: str, default: int, limit: int) -> int:
    """An integer from 0 up to a limit."""
    value = integer(fields, key, default)
    if not 0 <= value < limit:
        raise QueryError(f"Invalid value for {key}: {value}")
    return value


def part_of(fields: Fields, key: str) -> Temporal | None:
    """The value that a map gives to take parts from."""
    value = fields.get(key)
    if value is not None and not isinstance(value, Temporal):
        raise type_mismatch("Temporal", type_name(value))
    return value


def from_map(kind: str, fields: Fields, now_ms: int) -> Temporal:
    """A value from a map of fields, among which may be other values to take parts from."""
    unknown = [key for key in fields if key not in FIELDS]
    if unknown or not fields:
        raise QueryError(f"No such field: {unknown[0]}" if unknown else "fields must be specified")
    whole = part_of(fields, "datetime")
    date, time = part_of(fields, "date") or whole, part_of(fields, "time") or whole
    zone = None if "timezone" not in fields else zone_of(fields["timezone"])
    if kind == "datetime" and ("epochSeconds" in fields or "epochMillis" in fields):
        nanos = integer(fields, "epochSeconds", 0) * SECOND
        nanos += integer(fields, "epochMillis", 0) * 1_000_000 + integer(fields, "nanosecond", 0)
        return DateTime.instant(*divmod(nanos, DAY), zone or Zone())
    day = nanos_of_day = old_zone = None
    if kind in WITH_DATE:
        if date is not None and date.parts[0] is None:
            raise QueryError(f"Cannot take a date from a {date.type_name}")
        day = day_from(fields, None if date is None else date.parts[0])
    if kind in WITH_TIME:
        if time is None and kind not in WITH_DATE and "hour" not in fields:
            raise QueryError("hour must be specified")
        if time is not None and (time.parts[1] is None and time is not whole):
            raise QueryError(f"Cannot take a time from a {time.type_name}")
        nanos_of_day = nanos_from(fields, None if time is None else time.parts[1])
        old_zone = None if time is None else time.parts[2]
    if kind == "time" and old_zone is not None:
        old_zone = Zone(old_zone.offset_s)
    if zone is None or old_zone is None:
        return made(kind, day, nanos_of_day, zone or old_zone, now_ms)
    return moved(made(kind, day, nanos_of_day, old_zone, now_ms), zone, now_ms)


def moved(value: Temporal, zone: Zone, now_ms: int) -> Temporal:
    """The same instant in another zone; what has no zone stays."""
    if isinstance(value, DateTime):
        return DateTime.instant(*value.utc, zone)
    if isinstance(value, Time):
        there = made("time", None, 0, zone, now_ms)
        assert isinstance(there, Time)
        nanos = value.nanos + (there.offset_s - value.offset_s) * SECOND
        return Time(nanos % DAY, there.offset_s)
    return value


def from_any(kind: str, value: object, now_ms: int) -> Temporal:
    """A value of a kind from a text, a map or another value."""
    if isinstance(value, str):
        return from_text(kind, value)
    if isinstance(value, dict):
        return from_map(kind, value, now_ms)
    if isinstance(value, Temporal):
        return from_value(kind, value, now_ms)
    raise type_mismatch("Map, String, Temporal or Null", type_name(value))


def duration_from(value: object) -> Duration:
    """A duration from a text, a map or another one."""
    if isinstance(value, str):
        return read_duration(value)
    if isinstance(value, Duration):
        return value
    if not isinstance(value, dict):
        raise type_mismatch("Map, String, Duration or Null", type_name(value))
    unknown = [key for key in value if key not in DURATION_FIELDS]
    if unknown or not value:
        raise QueryError(f"No such field: {unknown[0]}" if unknown else "fields must be specified")
    parts = {key: number(value.get(key, 0)) for key in DURATION_FIELDS}
    seconds = (parts["hours"] * 60 + parts["minutes"]) * 60 + parts["seconds"]
    small = (parts["milliseconds"] * 1000 + parts["microseconds"]) * 1000 + parts["nanoseconds"]
    return Duration.exact(
        parts["years"] * 12 + parts["quarters"] * 3 + parts["months"],
        parts["weeks"] * 7 + parts["days"],
        seconds * SECOND + small,
    )
