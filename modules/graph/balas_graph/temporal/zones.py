"""Time zones: offsets from UTC in seconds, and names of the zones of the world."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from balas_graph.errors import QueryError
from balas_graph.temporal.calendar import date_of

SECOND = 1_000_000_000
DAY_S = 86_400
DAY = DAY_S * SECOND
OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?")
# An offset is at most so many hours, as java.time and its followers have it.
OFFSET_HOURS_MAX = 18


@dataclass(frozen=True, slots=True)
class Zone:
    """A fixed offset, in seconds east of UTC, or a name whose offset the date tells."""

    offset_s: int = 0
    name: str | None = None

    def at_local(self, day: int, nanos: int) -> tuple[int, int, int]:
        """Day and nanoseconds of a local time as it exists, with its offset.

        In a gap of the clock the time is moved on by the gap; of a time that is there twice, the
        first is meant.
        """
        if self.name is None:
            return day, nanos, self.offset_s
        moment = safe(day, nanos).replace(tzinfo=region(self.name))
        return self.at_instant(*shifted(day, nanos, -seconds(moment.utcoffset())))

    def at_instant(self, day: int, nanos: int) -> tuple[int, int, int]:
        """Day and nanoseconds here of a time that is told in UTC, with the offset."""
        offset_s = self.offset_s
        if self.name is not None:
            moment = safe(day, nanos).replace(tzinfo=UTC).astimezone(region(self.name))
            offset_s = seconds(moment.utcoffset())
        return *shifted(day, nanos, offset_s), offset_s


def seconds(offset: timedelta | None) -> int:
    """An offset in seconds."""
    return 0 if offset is None else int(offset.total_seconds())


def safe(day: int, nanos: int) -> datetime:
    """A time for the tables of zones, with a year they know in place of one they do not."""
    year, month, of_month = date_of(day)
    if not 2 <= year <= 9997:
        year = 4 if year < 2 else 9996
    return datetime(year, month, of_month) + timedelta(seconds=nanos // SECOND)


def shifted(day: int, nanos: int, offset_s: int) -> tuple[int, int]:
    """Day and nanoseconds so many seconds later."""
    more, nanos = divmod(nanos + offset_s * SECOND, DAY)
    return day + more, nanos


@lru_cache(maxsize=64)
def region(name: str) -> ZoneInfo:
    """The tables of a zone; QueryError if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise QueryError(f"Invalid value for timezone: '{name}'") from error


def offset_of(text: str) -> int:
    """The seconds of Z, +01, +0130, +01:30 or +01:30:15; QueryError for any other text."""
    if text in ("Z", "z"):
        return 0
    match = OFFSET.fullmatch(text)
    if match is None:
        raise QueryError(f"Invalid value for timezone: '{text}'")
    hours, minutes, rest = (int(part or 0) for part in match.groups()[1:])
    if minutes > 59 or rest > 59 or hours * 3600 + minutes * 60 + rest > OFFSET_HOURS_MAX * 3600:
        raise QueryError(f"Invalid value for timezone: '{text}'")
    return (hours * 3600 + minutes * 60 + rest) * (-1 if match.group(1) == "-" else 1)


def zone_of(text: object) -> Zone:
    """A zone by its offset or its name."""
    if not isinstance(text, str):
        raise QueryError("timezone must be a string")
    if text[:1] in ("+", "-", "Z", "z") and text.lower() != "zulu":
        return Zone(offset_of(text))
    return Zone(0, region(text).key)


def written_offset(offset_s: int) -> str:
    """Z, +01:00 or +01:00:15."""
    if not offset_s:
        return "Z"
    minutes, rest = divmod(abs(offset_s), 60)
    text = f"{'-' if offset_s < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
    return text + f":{rest:02}" if rest else text
