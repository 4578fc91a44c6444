"""What changes series: TS.CREATE, TS.ALTER, TS.ADD, TS.MADD, TS.INCRBY, TS.DECRBY, TS.DEL.

Replies, errors and their order are those of RedisTimeSeries 1.12.2, loaded into a real server. As
there, all commands have arity -1 and count their arguments themselves.

What is recorded does not depend on the clock or on settings: `*` becomes the time, and a series
that is made by adding to it is recorded as made with its settings, along with the rules that
policies give it, unless all settings are the usual ones.

Differs from Redis:

- TS.INCRBY and TS.DECRBY are recorded with their time.
- TIMESTAMP without a time is an error; there it is the end of the server.
- TS.CREATE, TS.ADD and so on also take COMPRESSED, as UNCOMPRESSED.
- With the setting ts-accept-nan, NaN is a value.
"""

from __future__ import annotations

import math

from balas.api import (
    ACCESS,
    DENYOOM,
    OK,
    RW,
    UPDATE,
    WRITE,
    Config,
    Context,
    Reply,
    ReplyError,
    command,
    key,
    keys,
    number,
)
from balas_timeseries._numbers import parse_time, parse_value
from balas_timeseries._samples import Samples
from balas_timeseries._series import added_at_end, appended, changed, written
from balas_timeseries.access import NOT_A_SERIES, WRONG_TYPE, changeable, registry_of
from balas_timeseries.compaction import Compaction
from balas_timeseries.options import (
    Settings,
    Words,
    parsed_policy,
    parsed_settings,
    span,
    wrong_number,
)
from balas_timeseries.policies import record_creation, rules_of_policies
from balas_timeseries.series import Series

WRITING = key(1, RW | ACCESS | UPDATE)
CHANGING = WRITE | DENYOOM
CATEGORIES = ("timeseries",)

EXISTS = "ERR TSDB: key already exists"
BLOCKED = (
    "ERR TSDB: Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK mode"
)
TOO_OLD = "ERR TSDB: Timestamp is older than retention"
BAD_STEP = "ERR TSDB: invalid increase/decrease value"
NOT_LATER = "TSDB: timestamp must be equal to or higher than the maximum existing timestamp"
BEYOND_RETENTION = (
    "ERR TSDB: When a series has compactions, deleting samples or compaction buckets beyond the "
    "series retention period is not possible"
)


@command("TS.CREATE", arity=-1, flags=CHANGING, keys=WRITING, group="module", categories=CATEGORIES)
def ts_create(ctx: Context, *arguments: bytes) -> Reply:
    """TS.CREATE key [RETENTION ms] [ENCODING COMPRESSED | UNCOMPRESSED] [CHUNK_SIZE bytes] \
[DUPLICATE_POLICY policy] [IGNORE ms difference] [LABELS label value ...]

    Make an empty series.
    """
    if not arguments:
        raise wrong_number("ts.create")
    name = arguments[0]
    settings = parsed_settings(arguments[1:], "ts.create")
    if ctx.there(name):
        raise ReplyError(EXISTS)
    create(ctx, name, settings)
    record_creation(ctx, name, settings)
    ctx.changed(name, "ts.create")
    return OK


def create(ctx: Context, name: bytes, settings: Settings) -> Series:
    """Store a new series, and tell the registry."""
    series = settings.create(ctx)
    ctx.store(name, series)
    registry_of(ctx).add(ctx.db.index, name, series)
    return series


@command("TS.ALTER", arity=-1, flags=CHANGING, keys=WRITING, group="module", categories=CATEGORIES)
def ts_alter(ctx: Context, *arguments: bytes) -> Reply:
    """TS.ALTER key [RETENTION ms] [CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] \
[IGNORE ms difference] [LABELS label value ...]

    Change settings of a series; LABELS replaces all labels.
    """
    if not arguments:
        raise wrong_number("ts.alter")
    settings = parsed_settings(arguments[1:], "ts.alter")
    series = changeable(ctx, arguments[0])
    settings.alter(series)
    if settings.labels is not None:
        registry_of(ctx).relabel(series, settings.labels)
    ctx.changed(arguments[0], "ts.alter")
    return OK


# --- adding --------------------------------------------------------------------------------------


def add(
    ctx: Context, name: bytes, series: Series, at: int, value: float, on_duplicate: str | None
) -> bool:
    """Add a sample to a series; False if it is to be ignored. Raises ReplyError."""
    samples: Samples = series.samples
    if samples.total == 0 or at > samples.last:
        if samples.simple:
            samples.append(at, value)
            return True
        if series.ignore_time_ms and ignored(ctx, series, at, value, on_duplicate):
            return False
        samples.append(at, value)
        if series.rules:
            Compaction(ctx, registry_of(ctx), name, series).append(at, value)
        if series.retention_ms:
            samples.forget(series.edge)
        return True
    return add_late(ctx, name, series, at, value, on_duplicate)


def add_late(
    ctx: Context, name: bytes, series: Series, at: int, value: float, on_duplicate: str | None
) -> bool:
    """The same for a sample that is not later than all others."""
    if at < series.edge:
        raise ReplyError(TOO_OLD)
    if ignored(ctx, series, at, value, on_duplicate):
        return False
    samples: Samples = series.samples
    slot = samples.slot(at)
    if slot.there:
        value = merged(policy_of(ctx, series, on_duplicate), slot.value, value)
    samples.fill(slot, value)
    if series.rules:
        Compaction(ctx, registry_of(ctx), name, series).upsert(at)
    return True


def policy_of(ctx: Context, series: Series, on_duplicate: str | None) -> str:
    """What becomes of a second value for the same time."""
    policy: str = on_duplicate or series.policy or ctx.service(Config).get("ts-duplicate-policy")
    return policy


def ignored(ctx: Context, series: Series, at: int, value: float, on_duplicate: str | None) -> bool:
    """Whether a sample is so near to the latest that IGNORE says to pass over it."""
    samples: Samples = series.samples
    return (
        (series.ignore_time_ms > 0 or series.ignore_value > 0)
        and samples.total > 0
        and 0 <= at - samples.last <= series.ignore_time_ms
        and abs(value - samples.last_value) <= series.ignore_value
        and policy_of(ctx, series, on_duplicate) == "last"
    )


def merged(policy: str, old: float, new: float) -> float:
    """The value of a sample that was there already, by a duplicate policy; raises ReplyError."""
    if policy == "block":
        raise ReplyError(BLOCKED)
    if policy == "first":
        return old
    if policy == "min":
        return min(old, new)
    if policy == "max":
        return max(old, new)
    return old + new if policy == "sum" else new


def taken(ctx: Context, text: bytes) -> float:
    """A value; raises ReplyError."""
    try:
        return parse_value(text)
    except ReplyError:
        if text.lower() == b"nan" and accepts_nan(ctx):
            return math.nan
        raise


def accepts_nan(ctx: Context) -> bool:
    """Whether NaN is a value. What a log or a primary says was one when it was accepted."""
    if ctx.changes.loading or ctx.client.kind == "primary":
        return True
    return bool(ctx.service(Config).get("ts-accept-nan") == "yes")


@command("TS.ADD", arity=-1, flags=CHANGING, keys=WRITING, group="module", categories=CATEGORIES)
def ts_add(ctx: Context, *arguments: bytes) -> Reply:
    """TS.ADD key timestamp value [RETENTION ms] [ENCODING COMPRESSED | UNCOMPRESSED] \
[CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] [ON_DUPLICATE policy] [IGNORE ms difference] \
[LABELS label value ...]

    Add a sample to a series, which is made with these options if there is none.
    """
    if len(arguments) < 3:
        raise wrong_number("ts.add")
    if len(arguments) == 3:
        added = added_at_end(ctx, arguments, Series)
        if added is not None:
            return added
    name, stamp = arguments[0], arguments[1]
    value: float = taken(ctx, arguments[2])
    at: int = ctx.now_ms if stamp == b"*" else parse_time(stamp)
    series = series_to_fill(ctx, name)
    if series is not None:
        on_duplicate = parsed_policy_of(arguments[3:]) if len(arguments) > 3 else None
        last: int = series.samples.last
        if not add(ctx, name, series, at, value, on_duplicate):
            return last
        if at <= last or stamp == b"*":
            record_sample(ctx, series, arguments, at, late=at <= last)
    else:
        settings = parsed_settings(arguments[3:], "ts.add")
        series = create(ctx, name, settings)
        rules_of_policies(ctx, name, series)
        if record_creation(ctx, name, settings):
            ctx.record(b"TS.ADD", name, b"%d" % at, arguments[2])
        elif stamp == b"*":
            ctx.record(b"TS.ADD", name, b"%d" % at, *arguments[2:])
        add(ctx, name, series, at, value, None)
    ctx.changed(name, "ts.add")
    return at


def series_to_fill(ctx: Context, name: bytes) -> Series | None:
    """The series at a key, or None; raises ReplyError."""
    try:
        series = written(ctx, name, Series)
    except ReplyError:
        raise ReplyError(NOT_A_SERIES) from None
    if series is not None and series.place is None:
        registry_of(ctx).add(ctx.db.index, name, series)
    return series


def parsed_policy_of(options: tuple[bytes, ...]) -> str | None:
    """What ON_DUPLICATE says."""
    return parsed_policy(Words(options), b"ON_DUPLICATE")


def record_sample(
    ctx: Context, series: Series, arguments: tuple[bytes, ...], at: int, *, late: bool
) -> None:
    """Record TS.ADD to a series that was there, where it depends on the clock or on a setting."""
    name = arguments[0]
    policy = unusual_policy(ctx) if late and series.policy is None else None
    if policy is not None and (
        len(arguments) == 3 or not Words(arguments[3:]).has(b"ON_DUPLICATE")
    ):
        ctx.record(b"TS.ADD", name, b"%d" % at, arguments[2], b"ON_DUPLICATE", policy)
    elif arguments[1] == b"*":
        ctx.record(b"TS.ADD", name, b"%d" % at, *arguments[2:])


def unusual_policy(ctx: Context) -> bytes | None:
    """The setting ts-duplicate-policy, if it is not the usual one."""
    policy: str = ctx.service(Config).get("ts-duplicate-policy")
    return None if policy == "block" else policy.encode()


@command(
    "TS.MADD",
    arity=-1,
    flags=CHANGING,
    keys=keys(1, -1, 3, RW | ACCESS | UPDATE),
    group="module",
    categories=CATEGORIES,
)
def ts_madd(ctx: Context, *arguments: bytes) -> Reply:
    """TS.MADD key timestamp value [key timestamp value ...]

    Add samples to series; for each its timestamp or an error.
    """
    count = len(arguments)
    if count == 0 or count % 3:
        raise wrong_number("ts.madd")
    replies: list[Reply] = []
    filled: list[bytes] = []
    # What is recorded, once that is not what came.
    record: list[bytes] | None = None
    policy = unusual_policy(ctx)
    for place in range(0, count, 3):
        name, stamp, text = arguments[place], arguments[place + 1], arguments[place + 2]
        at = appended(ctx, name, stamp, text, Series)
        added = at is not None
        if at is not None:
            replies.append(at)
        else:
            try:
                at, added = added_anywhere(ctx, name, stamp, text)
                replies.append(at)
            except ReplyError as error:
                replies.append(error)
        if record is None and (not added or stamp == b"*" or policy is not None):
            record = list(arguments[:place])
        if added and at is not None:
            filled.append(name)
            if record is not None:
                record += (name, b"%d" % at, text)
    for name in filled:
        changed(ctx, name)
    if record is not None:
        record_samples(ctx, record, policy)
    return replies


def added_anywhere(ctx: Context, name: bytes, stamp: bytes, text: bytes) -> tuple[int, bool]:
    """Add one sample of TS.MADD: its time, and True; of one that is ignored, the time before it."""
    value: float = taken(ctx, text)
    at: int = ctx.now_ms if stamp == b"*" else parse_time(stamp)
    series = series_to_fill(ctx, name)
    if series is None:
        raise ReplyError(NOT_A_SERIES)
    if add(ctx, name, series, at, value, None):
        return at, True
    return series.samples.last, False


def record_samples(ctx: Context, record: list[bytes], policy: bytes | None) -> None:
    """Record samples of TS.MADD: as TS.ADD where what becomes of a duplicate is to be said."""
    if not record:
        ctx.no_record()
    elif policy is None:
        ctx.record(b"TS.MADD", *record)
    else:
        for place in range(0, len(record), 3):
            name = record[place]
            series = ctx.peek_any(name)
            own = series.policy if isinstance(series, Series) else None
            said = own.encode() if own is not None else policy
            ctx.record(b"TS.ADD", *record[place : place + 3], b"ON_DUPLICATE", said)


def step(ctx: Context, arguments: tuple[bytes, ...], command: str, sign: int) -> Reply:
    """What TS.INCRBY and TS.DECRBY do."""
    if len(arguments) < 2:
        raise wrong_number(command)
    name = arguments[0]
    found = ctx.peek_any(name)
    if found is not None and not isinstance(found, Series):
        raise ReplyError(WRONG_TYPE)
    settings = parsed_settings(arguments[2:], command) if found is None else None
    change = sign * number(arguments[1], BAD_STEP)
    words = Words(arguments[2:])
    stamp = b"*"
    if words.has(b"TIMESTAMP"):
        stamp = words.after(b"TIMESTAMP") or b""
    at = ctx.now_ms if stamp == b"*" else parse_time(stamp)
    if settings is None:
        series = changeable(ctx, name)
        if series.samples.total and at < series.samples.last:
            raise ReplyError(NOT_LATER)
    else:
        series = create(ctx, name, settings)
        rules_of_policies(ctx, name, series)
    created = settings is not None and record_creation(ctx, name, settings)
    value = series.samples.last_value + change
    # Where the latest sample is, its value is replaced, whatever the series' own policy.
    if series.samples.total and at == series.samples.last:
        on_duplicate = series.policy if ignored(ctx, series, at, value, None) else "last"
    else:
        on_duplicate = None
    if not add(ctx, name, series, at, value, on_duplicate):
        ctx.no_record()
        return series.samples.last
    if created:
        ctx.record(command.upper().encode(), name, arguments[1], b"TIMESTAMP", b"%d" % at)
    elif stamp == b"*":
        rest = without_timestamp(arguments)
        ctx.record(command.upper().encode(), *rest[:2], b"TIMESTAMP", b"%d" % at, *rest[2:])
    ctx.changed(name, command)
    return at


def without_timestamp(arguments: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The arguments without `TIMESTAMP *`."""
    at = Words(arguments).find(b"TIMESTAMP", 2)
    return arguments if at is None else arguments[:at] + arguments[at + 2 :]


@command("TS.INCRBY", arity=-1, flags=CHANGING, keys=WRITING, group="module", categories=CATEGORIES)
def ts_incrby(ctx: Context, *arguments: bytes) -> Reply:
    """TS.INCRBY key addend [TIMESTAMP timestamp] [RETENTION ms] [UNCOMPRESSED] [CHUNK_SIZE bytes] \
[DUPLICATE_POLICY policy] [IGNORE ms difference] [LABELS label value ...]

    Add a sample whose value is that of the latest one and `addend`, or replace the latest.
    """
    return step(ctx, arguments, "ts.incrby", 1)


@command("TS.DECRBY", arity=-1, flags=CHANGING, keys=WRITING, group="module", categories=CATEGORIES)
def ts_decrby(ctx: Context, *arguments: bytes) -> Reply:
    """TS.DECRBY key subtrahend [TIMESTAMP timestamp] [RETENTION ms] [UNCOMPRESSED] \
[CHUNK_SIZE bytes] [DUPLICATE_POLICY policy] [IGNORE ms difference] [LABELS label value ...]

    The same with the value of the latest one less `subtrahend`.
    """
    return step(ctx, arguments, "ts.decrby", -1)


@command("TS.DEL", arity=-1, flags=WRITE, keys=WRITING, group="module", categories=CATEGORIES)
def ts_del(ctx: Context, *arguments: bytes) -> Reply:
    """TS.DEL key from to

    Delete the samples of a span of time; how many there were.
    """
    if len(arguments) != 3:
        raise wrong_number("ts.del")
    start, end = span(arguments[1], arguments[2])
    series = changeable(ctx, arguments[0])
    edge = series.edge
    if edge and any(max(rule.bucket(start), 0) < edge for rule in series.rules):
        raise ReplyError(BEYOND_RETENTION)
    removed = series.samples.remove(start, end) if start <= end else 0
    if removed:
        Compaction(ctx, registry_of(ctx), arguments[0], series).remove(start, end)
    ctx.changed(arguments[0], "ts.del")
    return removed
