"""TS.*: the commands of time series.

Replies, errors and their order are those of RedisTimeSeries 1.12.2, loaded into a real server. As
there, all commands have arity -1 and count their arguments themselves.
"""

from __future__ import annotations

import math

from balas.api import (
    ACCESS,
    DENYOOM,
    OK,
    READONLY,
    RO,
    RW,
    UPDATE,
    WRITE,
    Arguments,
    Context,
    Pairs,
    Reply,
    ReplyError,
    Status,
    command,
    integer,
    key,
    keys,
    number,
)
from balas_timeseries.buckets import NAMES, aggregate
from balas_timeseries.series import TIME_MAX, Series

READING = key(1, RO | ACCESS)
WRITING = key(1, RW | ACCESS | UPDATE)
CHANGING = WRITE | DENYOOM
CATEGORIES = ("timeseries",)

MISSING = "ERR TSDB: the key does not exist"
BLOCKED = (
    "ERR TSDB: Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK mode"
)
BAD_TIME = "ERR TSDB: invalid timestamp"
POLICIES = {b"BLOCK", b"FIRST", b"LAST", b"MIN", b"MAX", b"SUM"}
CHUNK_SIZE = "ERR TSDB: CHUNK_SIZE value must be a multiple of 8 in the range [48 .. 1048576]"


def wrong_number(name: str) -> ReplyError:
    """The error for too few or too many arguments."""
    return ReplyError(f"ERR wrong number of arguments for '{name}' command")


def shown(ctx: Context, value: float) -> Reply:
    """A value as clients see it: a double in RESP3, a status such as 1E-10 in RESP2."""
    if ctx.resp == 3:
        return value
    if math.isnan(value):
        return Status("NaN")
    digits, _, exponent = f"{value!r}".partition("e")
    if not exponent and (abs(value) >= 1 or value == 0):
        return Status(digits.removesuffix(".0"))
    if exponent:
        return Status(f"{digits.removesuffix('.0')}E{int(exponent)}")
    sign, digits = ("-", digits[1:]) if value < 0 else ("", digits)
    fraction = digits[2:]
    significant = fraction.lstrip("0")
    power = len(significant) - len(fraction) - 1
    rest = f".{significant[1:]}" if significant[1:] else ""
    return Status(f"{sign}{significant[0]}{rest}E{power}")


def parsed_time(ctx: Context, text: bytes) -> int:
    """A timestamp in ms; `*` is now."""
    if text == b"*":
        return ctx.now_ms
    at = integer(text, -TIME_MAX, TIME_MAX, BAD_TIME)
    if at < 0:
        raise ReplyError("ERR TSDB: invalid timestamp, must be a nonnegative integer")
    return at


def parsed_value(text: bytes) -> float:
    """A finite number."""
    value = number(text, "ERR TSDB: invalid value")
    if not math.isfinite(value):
        raise ReplyError("ERR TSDB: invalid value")
    return value


def configure(series: Series, arguments: tuple[bytes, ...]) -> bytes | None:
    """Take the options of TS.CREATE, TS.ALTER and TS.ADD; what ON_DUPLICATE says."""
    args = Arguments(arguments)
    on_duplicate = None
    while args.more:
        if args.eat(b"RETENTION"):
            series.retention_ms = args.take_int(0, TIME_MAX, "TSDB: Couldn't parse RETENTION")
        elif args.eat(b"CHUNK_SIZE"):
            size = args.take_int(48, 2**20, CHUNK_SIZE)
            if size % 8:
                raise ReplyError(CHUNK_SIZE)
            series.chunk_bytes = size
        elif args.eat(b"DUPLICATE_POLICY"):
            policy = args.take().upper()
            if policy not in POLICIES:
                raise ReplyError("ERR TSDB: Unknown DUPLICATE_POLICY")
            series.policy = policy.decode().lower()
        elif args.eat(b"ON_DUPLICATE"):
            on_duplicate = args.take().upper()
            if on_duplicate not in POLICIES:
                raise ReplyError("ERR TSDB: Unknown ON_DUPLICATE")
        elif args.eat(b"LABELS"):
            rest = args.take_rest()
            series.labels = tuple(zip(rest[::2], rest[1::2], strict=False))
        else:
            raise ReplyError("ERR syntax error")
    return on_duplicate


def add(series: Series, at: int, value: float, policy: bytes) -> int:
    """Add a sample under a duplicate policy; its timestamp."""
    if not series.total or at > series.last:
        series.append(at, value)
        return at
    if series.retention_ms and at < series.last - series.retention_ms:
        raise ReplyError("ERR TSDB: Timestamp is older than retention")
    old = series.find(at)
    if old is not None:
        if policy == b"BLOCK":
            raise ReplyError(BLOCKED)
        value = {
            b"FIRST": old,
            b"LAST": value,
            b"MIN": min(old, value),
            b"MAX": max(old, value),
            b"SUM": old + value,
        }[policy]
    series.put(at, value)
    return at


def policy_of(series: Series, on_duplicate: bytes | None = None) -> bytes:
    """What becomes of a sample whose time is taken."""
    return on_duplicate or (series.policy or "block").upper().encode()


def to_read(ctx: Context, name: bytes) -> Series:
    """The series at a key; an error if there is none."""
    found: Series | None = ctx.read(name, Series)
    if found is None:
        raise ReplyError(MISSING)
    return found


def to_change(ctx: Context, name: bytes) -> Series:
    """The same, for changing it."""
    found: Series | None = ctx.write(name, Series)
    if found is None:
        raise ReplyError(MISSING)
    return found


@command("TS.CREATE", arity=-1, flags=CHANGING, keys=WRITING, group="module", categories=CATEGORIES)
def ts_create(ctx: Context, *arguments: bytes) -> Reply:
    """TS.CREATE key [RETENTION ms] [CHUNK_SIZE size] [DUPLICATE_POLICY policy] [LABELS label ...]

    Make an empty series.
    """
    if not arguments:
        raise wrong_number("ts.create")
    made = Series()
    configure(made, arguments[1:])
    if ctx.there(arguments[0]):
        raise ReplyError("ERR TSDB: key already exists")
    ctx.store(arguments[0], Series(made.retention_ms, made.chunk_bytes, made.policy, made.labels))
    ctx.changed(arguments[0], "ts.create")
    return OK


@command("TS.ADD", arity=-1, flags=CHANGING, keys=WRITING, group="module", categories=CATEGORIES)
def ts_add(ctx: Context, *arguments: bytes) -> Reply:
    """TS.ADD key timestamp value [ON_DUPLICATE policy] [option ...]

    Add a sample to a series, which is made with these options if there is none.
    """
    if len(arguments) < 3:
        raise wrong_number("ts.add")
    name = arguments[0]
    value = parsed_value(arguments[2])
    at = parsed_time(ctx, arguments[1])
    options = Series()
    on_duplicate = configure(options, arguments[3:]) if len(arguments) > 3 else None
    series = ctx.write(name, Series)
    if series is None:
        series = Series(options.retention_ms, options.chunk_bytes, options.policy, options.labels)
        ctx.store(name, series)
    add(series, at, value, policy_of(series, on_duplicate))
    if arguments[1] == b"*":
        ctx.record(b"TS.ADD", name, b"%d" % at, *arguments[2:])
    ctx.changed(name, "ts.add")
    return at


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
    if not arguments or len(arguments) % 3:
        raise wrong_number("ts.madd")
    replies: list[Reply] = []
    changed: dict[bytes, None] = {}
    record = [b"TS.MADD"]
    for name, stamp, text in zip(*[iter(arguments)] * 3, strict=True):
        try:
            if not isinstance(ctx.peek_any(name), Series):
                raise ReplyError("ERR TSDB: the key is not a TSDB key")
            series = to_change(ctx, name)
            at = parsed_time(ctx, stamp)
            replies.append(add(series, at, parsed_value(text), policy_of(series)))
        except ReplyError as error:
            replies.append(error)
        else:
            changed[name] = None
            record += (name, b"%d" % at, text)
    if changed:
        ctx.record(*record)
    for name in changed:
        ctx.changed(name, "ts.add")
    return replies


@command("TS.DEL", arity=-1, flags=WRITE, keys=WRITING, group="module", categories=CATEGORIES)
def ts_del(ctx: Context, *arguments: bytes) -> Reply:
    """TS.DEL key from to

    Delete the samples of a span of time; how many there were.
    """
    if len(arguments) != 3:
        raise wrong_number("ts.del")
    start, end = span(arguments[1], arguments[2])
    removed = to_change(ctx, arguments[0]).remove(start, end)
    if removed:
        ctx.changed(arguments[0], "ts.del")
    return removed


def span(start: bytes, end: bytes) -> tuple[int, int]:
    """From and to in ms; `-` and `+` are the ends of time."""
    low = 0 if start == b"-" else integer(start, 0, TIME_MAX, "ERR TSDB: wrong fromTimestamp")
    high = TIME_MAX if end == b"+" else integer(end, 0, TIME_MAX, "ERR TSDB: wrong toTimestamp")
    return low, high


@command("TS.GET", arity=-1, flags=READONLY, keys=READING, group="module", categories=CATEGORIES)
def ts_get(ctx: Context, *arguments: bytes) -> Reply:
    """TS.GET key

    Return the latest sample.
    """
    if len(arguments) != 1:
        raise wrong_number("ts.get")
    series = to_read(ctx, arguments[0])
    return [series.last, shown(ctx, series.last_value)] if series.total else []


def ranged(ctx: Context, arguments: tuple[bytes, ...], name: str, backwards: bool) -> Reply:
    """What TS.RANGE and TS.REVRANGE return."""
    if len(arguments) < 3:
        raise wrong_number(name)
    start, end = span(arguments[1], arguments[2])
    args = Arguments(arguments[3:])
    count, aggregator, width_ms = None, None, 0
    while args.more:
        if args.eat(b"COUNT"):
            count = args.take_int(0, TIME_MAX, "ERR TSDB: Invalid COUNT value")
        elif args.eat(b"AGGREGATION"):
            aggregator = args.take("ERR TSDB: Couldn't parse AGGREGATION").lower()
            if aggregator not in NAMES:
                raise ReplyError("ERR TSDB: Unknown aggregation type")
            width_ms = args.take_int(
                1, TIME_MAX, "ERR TSDB: bucketDuration must be greater than zero"
            )
        else:
            raise ReplyError("ERR syntax error")
    times, values = to_read(ctx, arguments[0]).range(start, end)
    if aggregator is not None:
        times, values = aggregate(times, values, aggregator, width_ms, 0)
    if backwards:
        times, values = times[::-1], values[::-1]
    found = zip(times[:count].tolist(), values[:count].tolist(), strict=True)
    return [[at, shown(ctx, value)] for at, value in found]


@command("TS.RANGE", arity=-1, flags=READONLY, keys=READING, group="module", categories=CATEGORIES)
def ts_range(ctx: Context, *arguments: bytes) -> Reply:
    """TS.RANGE key from to [COUNT count] [AGGREGATION aggregator bucket]

    Return the samples of a span of time, or what they add up to in buckets of time.
    """
    return ranged(ctx, arguments, "ts.range", False)


@command(
    "TS.REVRANGE", arity=-1, flags=READONLY, keys=READING, group="module", categories=CATEGORIES
)
def ts_revrange(ctx: Context, *arguments: bytes) -> Reply:
    """TS.REVRANGE key from to [COUNT count] [AGGREGATION aggregator bucket]

    The same as TS.RANGE, the latest first.
    """
    return ranged(ctx, arguments, "ts.revrange", True)


@command("TS.INFO", arity=-1, flags=READONLY, keys=READING, group="module", categories=CATEGORIES)
def ts_info(ctx: Context, *arguments: bytes) -> Reply:
    """TS.INFO key

    Tell how many samples a series has, in what memory, and how it is set.
    """
    if len(arguments) != 1:
        raise wrong_number("ts.info")
    series = to_read(ctx, arguments[0])
    labels = Pairs(series.labels) if ctx.resp == 3 else [list(pair) for pair in series.labels]
    return Pairs(
        [
            (Status("totalSamples"), series.total),
            (Status("memoryUsage"), series.memory_usage()),
            (Status("firstTimestamp"), series.first),
            (Status("lastTimestamp"), series.last),
            (Status("retentionTime"), series.retention_ms),
            (Status("chunkCount"), len(series.chunks)),
            (Status("chunkSize"), series.chunk_bytes),
            (Status("chunkType"), Status("compressed")),
            (Status("duplicatePolicy"), Status(series.policy) if series.policy else None),
            (Status("labels"), labels),
        ]
    )
