"""date(), localtime(), time(), localdatetime(), datetime(), duration(), and what belongs to them.

Without an argument a function gives the time at which the query began.
"""

from __future__ import annotations

from balas_graph.errors import type_mismatch
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import type_name
from balas_graph.temporal import spans
from balas_graph.temporal.durations import Duration
from balas_graph.temporal.making import duration_from, from_any, from_value
from balas_graph.temporal.values import DateTime, Temporal
from balas_graph.temporal.zones import DAY, SECOND, Zone, zone_of

# What stands for an argument that is not given; null is another matter.
NOW = "\0now"


def current(kind: str, run: Run, zone: object = NOW) -> Temporal:
    """The time at which the query began, in UTC or in a zone."""
    chosen = Zone() if zone == NOW else zone_of(zone)
    moment = DateTime.instant(*divmod(run.now_ms * 1_000_000, DAY), chosen)
    return from_value(kind, moment, run.now_ms)


def any_of(kind: str, run: Run, value: object) -> Temporal:
    """A value of a kind from its argument."""
    return current(kind, run) if value == NOW else from_any(kind, value, run.now_ms)


def cut(kind: str, run: Run, unit: str, value: object, fields: object) -> Temporal:
    """Check the arguments of truncate, which is called of a kind."""
    value = current(kind, run) if value == NOW else value
    if not isinstance(value, Temporal):
        raise type_mismatch("Temporal", type_name(value))
    fields = {} if fields is None else fields
    if not isinstance(fields, dict):
        raise type_mismatch("Map", type_name(fields))
    return spans.truncate(kind, unit, value, fields, run.now_ms)


@function("date")
def date(run: Run, value: object = NOW) -> object:
    """A date."""
    return any_of("date", run, value)


@function("localtime")
def local_time(run: Run, value: object = NOW) -> object:
    """A time of day without a zone."""
    return any_of("localtime", run, value)


@function("time")
def time(run: Run, value: object = NOW) -> object:
    """A time of day with an offset."""
    return any_of("time", run, value)


@function("localdatetime")
def local_date_time(run: Run, value: object = NOW) -> object:
    """A date and a time without a zone."""
    return any_of("localdatetime", run, value)


@function("datetime")
def date_time(run: Run, value: object = NOW) -> object:
    """A date and a time with a zone."""
    return any_of("datetime", run, value)


@function("duration")
def duration(run: Run, value: object) -> object:
    """A duration."""
    return duration_from(value)


@function("date.truncate", "string")
def date_truncate(run: Run, unit: str, value: object = NOW, fields: object = None) -> object:
    """A date cut off at a unit."""
    return cut("date", run, unit, value, fields)


@function("localtime.truncate", "string")
def local_time_truncate(run: Run, unit: str, value: object = NOW, fields: object = None) -> object:
    """A time of day without a zone cut off at a unit."""
    return cut("localtime", run, unit, value, fields)


@function("time.truncate", "string")
def time_truncate(run: Run, unit: str, value: object = NOW, fields: object = None) -> object:
    """A time of day with an offset cut off at a unit."""
    return cut("time", run, unit, value, fields)


@function("localdatetime.truncate", "string")
def local_date_time_truncate(
    run: Run, unit: str, value: object = NOW, fields: object = None
) -> object:
    """A date and time without a zone cut off at a unit."""
    return cut("localdatetime", run, unit, value, fields)


@function("datetime.truncate", "string")
def date_time_truncate(run: Run, unit: str, value: object = NOW, fields: object = None) -> object:
    """A date and time with a zone cut off at a unit."""
    return cut("datetime", run, unit, value, fields)


@function("date.transaction")
def date_transaction(run: Run, zone: object = NOW) -> object:
    """The date at which the query began."""
    return current("date", run, zone)


@function("date.statement")
def date_statement(run: Run, zone: object = NOW) -> object:
    """The date at which the query began."""
    return current("date", run, zone)


@function("date.realtime")
def date_realtime(run: Run, zone: object = NOW) -> object:
    """The date at which the query began."""
    return current("date", run, zone)


@function("localtime.transaction")
def local_time_transaction(run: Run, zone: object = NOW) -> object:
    """The time of day without a zone at which the query began."""
    return current("localtime", run, zone)


@function("localtime.statement")
def local_time_statement(run: Run, zone: object = NOW) -> object:
    """The time of day without a zone at which the query began."""
    return current("localtime", run, zone)


@function("localtime.realtime")
def local_time_realtime(run: Run, zone: object = NOW) -> object:
    """The time of day without a zone at which the query began."""
    return current("localtime", run, zone)


@function("time.transaction")
def time_transaction(run: Run, zone: object = NOW) -> object:
    """The time of day with an offset at which the query began."""
    return current("time", run, zone)


@function("time.statement")
def time_statement(run: Run, zone: object = NOW) -> object:
    """The time of day with an offset at which the query began."""
    return current("time", run, zone)


@function("time.realtime")
def time_realtime(run: Run, zone: object = NOW) -> object:
    """The time of day with an offset at which the query began."""
    return current("time", run, zone)


@function("localdatetime.transaction")
def local_date_time_transaction(run: Run, zone: object = NOW) -> object:
    """The date and time without a zone at which the query began."""
    return current("localdatetime", run, zone)


@function("localdatetime.statement")
def local_date_time_statement(run: Run, zone: object = NOW) -> object:
    """The date and time without a zone at which the query began."""
    return current("localdatetime", run, zone)


@function("localdatetime.realtime")
def local_date_time_realtime(run: Run, zone: object = NOW) -> object:
    """The date and time without a zone at which the query began."""
    return current("localdatetime", run, zone)


@function("datetime.transaction")
def date_time_transaction(run: Run, zone: object = NOW) -> object:
    """The date and time with a zone at which the query began."""
    return current("datetime", run, zone)


@function("datetime.statement")
def date_time_statement(run: Run, zone: object = NOW) -> object:
    """The date and time with a zone at which the query began."""
    return current("datetime", run, zone)


@function("datetime.realtime")
def date_time_realtime(run: Run, zone: object = NOW) -> object:
    """The date and time with a zone at which the query began."""
    return current("datetime", run, zone)


@function("datetime.fromEpoch", "integer", "integer")
def from_epoch(run: Run, seconds: int, nanoseconds: int = 0) -> object:
    """A date and time by its seconds since 1970."""
    return DateTime.instant(*divmod(seconds * SECOND + nanoseconds, DAY), Zone())


@function("datetime.fromEpochMillis", "integer")
def from_epoch_ms(run: Run, milliseconds: int) -> object:
    """A date and time by its milliseconds since 1970."""
    return DateTime.instant(*divmod(milliseconds * 1_000_000, DAY), Zone())


def ends(start: object, end: object) -> tuple[Temporal, Temporal]:
    """Both ends of a span."""
    for value in (start, end):
        if not isinstance(value, Temporal):
            raise type_mismatch("Temporal", type_name(value))
    assert isinstance(start, Temporal)
    assert isinstance(end, Temporal)
    return start, end


@function("duration.between")
def duration_between(run: Run, start: object, end: object) -> Duration:
    """Months, days and time from one value to another."""
    return spans.between(*ends(start, end))


@function("duration.inMonths")
def duration_in_months(run: Run, start: object, end: object) -> Duration:
    """Whole months from one value to another."""
    return spans.in_months(*ends(start, end))


@function("duration.inDays")
def duration_in_days(run: Run, start: object, end: object) -> Duration:
    """Whole days from one value to another."""
    return spans.in_days(*ends(start, end))


@function("duration.inSeconds")
def duration_in_seconds(run: Run, start: object, end: object) -> Duration:
    """Time from one value to another."""
    return spans.in_seconds(*ends(start, end))
