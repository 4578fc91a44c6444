"""Commands of the group *generic* about expiry times.

A time to live, however it is given, is kept and recorded as the moment it ends: the log and the
replicas read it later.
"""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.registry import command, integer, key
from balas.registry.flags import ACCESS, FAST, READONLY, RO, RW, UPDATE, WRITE

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

CONDITIONS = (b"NX", b"XX", b"GT", b"LT")


def let_expire(ctx: Context, key: bytes, expire_at: int, *options: bytes) -> None:
    """Let a key that is there expire at a Unix time in ms; if that has passed, delete it.

    `options` go into the record. While a log is loaded, and on a replica, nothing is deleted that
    way: the deletion comes as a record of its own.
    """
    if expire_at <= ctx.now_ms and ctx.changes.expires_keys:
        lazy = ctx.changes.lazy_expire
        ctx.delete(key, lazy)
        ctx.changed(key, "del")
        ctx.record(b"UNLINK" if lazy else b"DEL", key)
    else:
        ctx.set_expire(key, max(expire_at, 0))
        ctx.changed(key, "expire")
        ctx.record(b"PEXPIREAT", key, b"%d" % expire_at, *options)


@command(
    "EXPIRE", arity=-3, flags=WRITE | FAST, keys=key(1, RW | UPDATE), group="generic", since="1.0.0"
)
def expire(ctx: Context, key: bytes, seconds: bytes, *options: bytes) -> Reply:
    """EXPIRE key seconds [NX | XX | GT | LT]

    Let a key expire after so many seconds: 1 if it will, 0 if it is missing or the condition does
    not hold. NX asks that it has no expiry time, XX that it has one, GT and LT that the new one is
    later or earlier; never is later than all.
    """
    return change_expiry(ctx, "expire", key, seconds, 1000, ctx.now_ms, options)


@command(
    "PEXPIRE",
    arity=-3,
    flags=WRITE | FAST,
    keys=key(1, RW | UPDATE),
    group="generic",
    since="2.6.0",
)
def pexpire(ctx: Context, key: bytes, milliseconds: bytes, *options: bytes) -> Reply:
    """PEXPIRE key milliseconds [NX | XX | GT | LT]

    EXPIRE in milliseconds.
    """
    return change_expiry(ctx, "pexpire", key, milliseconds, 1, ctx.now_ms, options)


@command(
    "EXPIREAT",
    arity=-3,
    flags=WRITE | FAST,
    keys=key(1, RW | UPDATE),
    group="generic",
    since="1.2.0",
)
def expireat(ctx: Context, key: bytes, unix_time_seconds: bytes, *options: bytes) -> Reply:
    """EXPIREAT key unix-time-seconds [NX | XX | GT | LT]

    EXPIRE with a moment instead of a duration.
    """
    return change_expiry(ctx, "expireat", key, unix_time_seconds, 1000, 0, options)


@command(
    "PEXPIREAT",
    arity=-3,
    flags=WRITE | FAST,
    keys=key(1, RW | UPDATE),
    group="generic",
    since="2.6.0",
)
def pexpireat(ctx: Context, key: bytes, unix_time_milliseconds: bytes, *options: bytes) -> Reply:
    """PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]

    EXPIREAT in milliseconds.
    """
    return change_expiry(ctx, "pexpireat", key, unix_time_milliseconds, 1, 0, options)


def change_expiry(
    ctx: Context,
    name: str,
    key: bytes,
    given: bytes,
    unit_ms: int,
    base_ms: int,
    options: tuple[bytes, ...],
) -> int:
    """What EXPIRE and its kin do; the number counts `unit_ms` each from the Unix time `base_ms`."""
    conditions = check_conditions(options) if options else ()
    expire_at = integer(given) * unit_ms
    if INT64_MIN <= expire_at <= INT64_MAX:
        expire_at += base_ms
    if not INT64_MIN <= expire_at <= INT64_MAX:
        raise ReplyError(f"ERR invalid expire time in '{name}' command")
    if not ctx.there(key):
        return 0
    if conditions and not holds(conditions, ctx.expire_at(key), expire_at):
        return 0
    let_expire(ctx, key, expire_at, *options)
    return 1


def check_conditions(options: tuple[bytes, ...]) -> set[bytes]:
    """The conditions as upper-case words; raises an error for others, and for contradictions."""
    found = set()
    for option in options:
        if option.upper() not in CONDITIONS:
            shown = option.partition(b"\0")[0].decode("utf-8", "surrogateescape")
            raise ReplyError(f"ERR Unsupported option {shown}")
        found.add(option.upper())
    if b"NX" in found and len(found) > 1:
        raise ReplyError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if b"GT" in found and b"LT" in found:
        raise ReplyError("ERR GT and LT options at the same time are not compatible")
    return found


def holds(conditions: set[bytes], now_at: int, then_at: int) -> bool:
    """Whether a key that expires at `now_at` (-1: never) may be made to expire at `then_at`."""
    if b"NX" in conditions and now_at >= 0:
        return False
    if b"XX" in conditions and now_at < 0:
        return False
    if b"GT" in conditions and (now_at < 0 or then_at <= now_at):
        return False
    return not (b"LT" in conditions and 0 <= now_at <= then_at)


@command(
    "PERSIST", arity=2, flags=WRITE | FAST, keys=key(1, RW | UPDATE), group="generic", since="2.2.0"
)
def persist(ctx: Context, key: bytes) -> Reply:
    """PERSIST key

    Let a key never expire: 1 if it would have, else 0.
    """
    if not ctx.there(key) or ctx.expire_at(key) < 0:
        return 0
    ctx.set_expire(key, -1)
    ctx.changed(key, "persist")
    return 1


@command(
    "TTL", arity=2, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="generic", since="1.0.0"
)
def ttl(ctx: Context, key: bytes) -> Reply:
    """TTL key

    Return the seconds until a key expires, rounded; -1 if it never does, -2 if it is missing.
    """
    left_ms = pttl(ctx, key)
    return (left_ms + 500) // 1000 if left_ms >= 0 else left_ms


@command(
    "PTTL", arity=2, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="generic", since="2.6.0"
)
def pttl(ctx: Context, key: bytes) -> Reply:
    """PTTL key

    Return the milliseconds until a key expires; -1 if it never does, -2 if it is missing.
    """
    expire_at = pexpiretime(ctx, key)
    return max(expire_at - ctx.now_ms, 0) if expire_at >= 0 else expire_at


@command(
    "EXPIRETIME",
    arity=2,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="generic",
    since="7.0.0",
)
def expiretime(ctx: Context, key: bytes) -> Reply:
    """EXPIRETIME key

    Return the Unix time in seconds at which a key expires, rounded; -1 if it never does, -2 if it
    is missing.
    """
    expire_at = pexpiretime(ctx, key)
    return (expire_at + 500) // 1000 if expire_at >= 0 else expire_at


@command(
    "PEXPIRETIME",
    arity=2,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="generic",
    since="7.0.0",
)
def pexpiretime(ctx: Context, key: bytes) -> Reply:
    """PEXPIRETIME key

    Return the Unix time in milliseconds at which a key expires; -1 if it never does, -2 if it is
    missing.
    """
    return ctx.expire_at(key) if ctx.exists(key) else -2
