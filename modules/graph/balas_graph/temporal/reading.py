"""Reads ISO 8601 texts: dates by month, week, quarter or day of the year; times; durations."""

from __future__ import annotations

import re
from fractions import Fraction

from balas_graph.errors import QueryError
from balas_graph.temporal import calendar
from balas_graph.temporal.durations import Duration
from balas_graph.temporal.zones import SECOND, Zone, offset_of, region

DATE = re.compile(
    r"""
    (?P<year>[+-]\d{1,9}|\d{4})
    (?: -?W(?P<week>\d\d)(?:-?(?P<week_day>\d))?
      | -?Q(?P<quarter>\d)(?:-?(?P<quarter_day>\d\d))?
      | -?(?P<ordinal>\d{3})
      | -(?P<month>\d\d)(?:-(?P<day>\d\d))?
      | (?P<short_month>\d\d)(?P<short_day>\d\d)?
    )?
    """,
    re.VERBOSE,
)
TIME = re.compile(
    r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"(?P<offset>[Zz]|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?(?:\[(?P<zone>[^\]]+)\])?"
)
NUMBER = r"([+-]?\d+(?:[.,]\d+)?)"
DURATION = re.compile(
    rf"(?P<sign>[+-]?)P(?:{NUMBER}Y)?(?:{NUMBER}M)?(?:{NUMBER}W)?(?:{NUMBER}D)?"
    rf"(?:T(?:{NUMBER}H)?(?:{NUMBER}M)?(?:{NUMBER}S)?)?"
)
DATED_DURATION = re.compile(r"P(\d{1,9})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d(?:[.,]\d+)?)")


def refuse(text: str, kind: str) -> QueryError:
    """The error for a text that is none."""
    return QueryError(f"Text cannot be parsed to a {kind}: '{text}'")


def read_date(text: str) -> int:
    """The day of a date."""
    match = DATE.fullmatch(text)
    if match is None:
        raise refuse(text, "Date")
    parts = {name: int(part) for name, part in match.groupdict().items() if part is not None}
    year = parts["year"]
    if "week" in parts:
        return calendar.day_of_week(year, parts["week"], parts.get("week_day", 1))
    if "quarter" in parts:
        return calendar.day_of_quarter(year, parts["quarter"], parts.get("quarter_day", 1))
    if "ordinal" in parts:
        return calendar.day_of_ordinal(year, parts["ordinal"])
    month = parts.get("month", parts.get("short_month", 1))
    return calendar.day_of(year, month, parts.get("day", parts.get("short_day", 1)))


def read_time(text: str) -> tuple[int, Zone | None]:
    """The nanoseconds of a time of day, and its zone if it tells one."""
    match = TIME.fullmatch(text)
    if match is None:
        raise refuse(text, "Time")
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise refuse(text, "Time")
    fraction = int((match.group(4) or "0").ljust(9, "0"))
    nanos = ((hour * 60 + minute) * 60 + second) * SECOND + fraction
    offset, name = match.group("offset"), match.group("zone")
    if name is not None:
        return nanos, Zone(0 if offset is None else offset_of(offset), region(name).key)
    return nanos, None if offset is None else Zone(offset_of(offset))


def read_moment(text: str) -> tuple[int, int, Zone | None, bool]:
    """Day, nanoseconds and zone of a date with a time; whether the text tells an offset.

    A date alone begins at midnight.
    """
    date, separator, time = text.partition("T")
    if not separator:
        return read_date(text), 0, None, False
    nanos, zone = read_time(time)
    told = zone is not None and re.search(r"[Zz+-]", time.partition("[")[0]) is not None
    return read_date(date), nanos, zone, told


def read_duration(text: str) -> Duration:
    """A duration; its last part, or any other, may have a fraction."""
    match = DATED_DURATION.fullmatch(text)
    if match is not None:
        years, months, days, hours, minutes = map(int, match.groups()[:5])
        seconds = Fraction(match.group(6).replace(",", "."))
        nanos = ((hours * 60 + minutes) * 60 + seconds) * SECOND
        return Duration.exact(years * 12 + months, days, nanos)
    match = DURATION.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise refuse(text, "Duration")
    sign = -1 if match.group("sign") == "-" else 1
    parts = [sign * Fraction((part or "0").replace(",", ".")) for part in match.groups()[1:]]
    years_part, months_part, weeks, days_part, hours_part, minutes_part, seconds_part = parts
    return Duration.exact(
        years_part * 12 + months_part,
        weeks * 7 + days_part,
        ((hours_part * 60 + minutes_part) * 60 + seconds_part) * SECOND,
    )
