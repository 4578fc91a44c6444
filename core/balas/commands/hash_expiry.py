"""Commands of the group *hash* about the expiry times of fields.

A time to live, however it is given, is kept and recorded as the moment it ends. A moment that has
passed removes the field at once, which is recorded as HDEL.
"""

from __future__ import annotations

from balas.commands.expiry import CONDITIONS, holds
from balas.commands.hash import lapse, reading_time, tell_removed
from balas.engine.context import Context
from balas.errors import ReplyError, printable
from balas.protocol.replies import Reply
from balas.registry import command, integer, key
from balas.registry.flags import (
    ACCESS,
    DELETE,
    DENYOOM,
    FAST,
    READONLY,
    RO,
    RW,
    UPDATE,
    WRITE,
)
from balas.types.hash import Hash

INT64_MAX = 2**63 - 1
# The latest moment that a field can be given: times are kept in 48 bits, and Redis leaves two of
# them unused.
MOMENT_MAX_MS = 2**46 - 1

# What the commands say of each field, beside 1 for what was done.
NO_FIELD = -2
NO_EXPIRY = -1
NOT_DONE = 0
DONE = 1
REMOVED = 2

NO_FIELDS_WORD = "ERR Mandatory argument FIELDS is missing or not at the right position"
FIELDS_DO_NOT_MATCH = "ERR The `numfields` parameter must match the number of arguments"
NO_POSITIVE_COUNT = "ERR Number of fields must be a positive integer"
NO_COUNT = "ERR Parameter `numFields` should be greater than 0"
NEGATIVE_MOMENT = "ERR invalid expire time, must be >= 0"

# Milliseconds in the unit of each option, and whether it counts from now.
EXPIRIES = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}


def moment(ctx: Context, name: str, given: bytes, unit_ms: int, from_now: bool) -> int:
    """The Unix time in ms that a number of units means, from now or from the epoch."""
    number = integer(given)
    if number < 0:
        raise ReplyError(NEGATIVE_MOMENT)
    at_ms = number * unit_ms + (ctx.now_ms if from_now else 0)
    if at_ms > MOMENT_MAX_MS:
        raise ReplyError(f"ERR invalid expire time in '{name}' command")
    return at_ms


def named_fields(words: tuple[bytes, ...], error: str) -> tuple[bytes, ...]:
    """The names behind `FIELDS count`; the error is for a count that is none.

    There are two words at least.
    """
    if words[0].upper() != b"FIELDS":
        raise ReplyError(NO_FIELDS_WORD)
    count = integer(words[1], 1, INT64_MAX, error)
    if count != len(words) - 2:
        raise ReplyError(FIELDS_DO_NOT_MATCH)
    return words[2:]


# --- giving expiry times --------------------------------------------------------------------------


@command(
    "HEXPIRE", arity=-6, flags=WRITE | FAST, keys=key(1, RW | UPDATE), group="hash", since="7.4.0"
)
def hexpire(ctx: Context, key: bytes, seconds: bytes, *words: bytes) -> Reply:
    """HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    Let fields of a hash expire after so many seconds. Return for each of them 1 if it will, 0 if
    the condition does not hold, 2 if it is removed at once, -2 if it is missing. NX asks that it
    has no expiry time, XX that it has one, GT and LT that the new one is later or earlier; never is
    later than all.
    """
    return change_expiry(ctx, "hexpire", key, seconds, 1000, True, words)


@command(
    "HPEXPIRE", arity=-6, flags=WRITE | FAST, keys=key(1, RW | UPDATE), group="hash", since="7.4.0"
)
def hpexpire(ctx: Context, key: bytes, milliseconds: bytes, *words: bytes) -> Reply:
    """HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    HEXPIRE in milliseconds.
    """
    return change_expiry(ctx, "hpexpire", key, milliseconds, 1, True, words)


@command(
    "HEXPIREAT",
    arity=-6,
    flags=WRITE | FAST,
    keys=key(1, RW | UPDATE),
    group="hash",
    since="7.4.0",
)
def hexpireat(ctx: Context, key: bytes, unix_time_seconds: bytes, *words: bytes) -> Reply:
    """HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    HEXPIRE with a moment instead of a duration.
    """
    return change_expiry(ctx, "hexpireat", key, unix_time_seconds, 1000, False, words)


@command(
    "HPEXPIREAT",
    arity=-6,
    flags=WRITE | FAST,
    keys=key(1, RW | UPDATE),
    group="hash",
    since="7.4.0",
)
def hpexpireat(ctx: Context, key: bytes, unix_time_milliseconds: bytes, *words: bytes) -> Reply:
    """HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]

    HEXPIREAT in milliseconds.
    """
    return change_expiry(ctx, "hpexpireat", key, unix_time_milliseconds, 1, False, words)


def change_expiry(
    ctx: Context,
    name: str,
    key: bytes,
    given: bytes,
    unit_ms: int,
    from_now: bool,
    words: tuple[bytes, ...],
) -> list[int]:
    """What HEXPIRE and its kin do. A field that is due, but not removed yet, is still there."""
    found: Hash | None = ctx.write(key, Hash)
    at_ms = moment(ctx, name, given, unit_ms, from_now)
    conditions = words[:1] if words[0].upper() in CONDITIONS else ()
    names = named_fields(words[len(conditions) :], NO_COUNT)
    if found is None:
        return [NO_FIELD] * len(names)
    found.expect_expiry()
    asked = {word.upper() for word in conditions}
    past = ctx.is_past(at_ms)
    results = [give_expiry(found, field, at_ms, asked, past) for field in names]
    if past:
        gone = [field for field, result in zip(names, results, strict=True) if result == REMOVED]
        tell_removed_at_once(ctx, key, found, gone, len(gone))
        return results
    done = [field for field, result in zip(names, results, strict=True) if result == DONE]
    if done:
        ctx.changed_by(key, "hexpire", len(done))
        count = b"%d" % len(done)
        ctx.record(b"HPEXPIREAT", key, b"%d" % at_ms, *conditions, b"FIELDS", count, *done)
    return results


def give_expiry(found: Hash, field: bytes, at_ms: int, conditions: set[bytes], past: bool) -> int:
    """Give a field an expiry time, or remove it because that has passed; the result."""
    now_at_ms = found.expire_at(field, 0)
    if now_at_ms == NO_FIELD:
        return NO_FIELD
    if conditions and not holds(conditions, now_at_ms, at_ms):
        return NOT_DONE
    if past:
        found.remove(field)
        return REMOVED
    found.set_expire(field, at_ms)
    return DONE


def tell_removed_at_once(
    ctx: Context, key: bytes, found: Hash, gone: list[bytes], changes: int
) -> None:
    """Report fields that got an expiry time that has passed."""
    ctx.changes.stats.expired_fields += len(gone)
    tell_removed(ctx, key, found, changes)
    for field in gone:
        ctx.record(b"HDEL", key, field)


@command(
    "HPERSIST", arity=-5, flags=WRITE | FAST, keys=key(1, RW | UPDATE), group="hash", since="7.4.0"
)
def hpersist(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """HPERSIST key FIELDS numfields field [field ...]

    Let fields of a hash never expire. Return for each of them 1 if it would have, -1 if not, -2 if
    it is missing.
    """
    found: Hash | None = ctx.write(key, Hash)
    names = named_fields(words, NO_POSITIVE_COUNT)
    if found is None:
        return [NO_FIELD] * len(names)
    now_ms = reading_time(ctx, found)
    results = [take_expiry(found, field, now_ms) for field in names]
    if DONE in results:
        ctx.changed(key, "hpersist")
    return results


def take_expiry(found: Hash, field: bytes, now_ms: int) -> int:
    """Let a field never expire; the result."""
    at_ms = found.expire_at(field, now_ms)
    if at_ms < 0:
        return at_ms
    found.set_expire(field, -1)
    return DONE


# --- asking for expiry times ----------------------------------------------------------------------


@command(
    "HTTL", arity=-5, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="hash", since="7.4.0"
)
def httl(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """HTTL key FIELDS numfields field [field ...]

    Return the seconds until fields of a hash expire, rounded up; -1 for one that never does, -2 for
    one that is missing.
    """
    return [-(-left_ms // 1000) if left_ms > 0 else left_ms for left_ms in hpttl(ctx, key, *words)]


@command(
    "HPTTL", arity=-5, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="hash", since="7.4.0"
)
def hpttl(ctx: Context, key: bytes, *words: bytes) -> list[int]:
    """HPTTL key FIELDS numfields field [field ...]

    Return the milliseconds until fields of a hash expire; -1 for one that never does, -2 for one
    that is missing.
    """
    now_ms = ctx.now_ms
    return [
        max(at_ms - now_ms, 0) if at_ms >= 0 else at_ms for at_ms in hpexpiretime(ctx, key, *words)
    ]


@command(
    "HEXPIRETIME",
    arity=-5,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="hash",
    since="7.4.0",
)
def hexpiretime(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """HEXPIRETIME key FIELDS numfields field [field ...]

    Return the Unix time in seconds at which fields of a hash expire, rounded up; -1 for one that
    never does, -2 for one that is missing.
    """
    return [-(-at_ms // 1000) if at_ms > 0 else at_ms for at_ms in hpexpiretime(ctx, key, *words)]


@command(
    "HPEXPIRETIME",
    arity=-5,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="hash",
    since="7.4.0",
)
def hpexpiretime(ctx: Context, key: bytes, *words: bytes) -> list[int]:
    """HPEXPIRETIME key FIELDS numfields field [field ...]

    Return the Unix time in milliseconds at which fields of a hash expire; -1 for one that never
    does, -2 for one that is missing.
    """
    found: Hash | None = ctx.read(key, Hash)
    names = named_fields(words, NO_POSITIVE_COUNT)
    if found is None:
        return [NO_FIELD] * len(names)
    now_ms = reading_time(ctx, found)
    return [found.expire_at(field, now_ms) for field in names]


# --- reading and writing with expiry times --------------------------------------------------------


@command(
    "HGETEX",
    arity=-5,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | UPDATE, notes="RW and UPDATE because it changes the TTL"),
    group="hash",
    since="8.0.0",
)
def hgetex(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """HGETEX key [EX seconds | PX ms | EXAT unix-time | PXAT unix-ms | PERSIST] \
FIELDS numfields field [field ...]

    Return the values of fields of a hash, null for those that are missing, and give them an expiry
    time, or with PERSIST remove the one they have.
    """
    found: Hash | None = ctx.write(key, Hash)
    option = words[0].upper()
    at_ms = -1
    rest = words
    if option in EXPIRIES:
        at_ms = moment(ctx, "hgetex", words[1], *EXPIRIES[option])
        rest = words[2:]
    elif option == b"PERSIST":
        rest = words[1:]
    if len(rest) < 2:
        raise ReplyError("ERR wrong number of arguments for 'hgetex' command")
    names = named_fields(rest, NO_POSITIVE_COUNT)
    if found is None:
        return [None] * len(names)
    values = found.get_all(names, lapse(ctx, key, found, names))
    if found.length() == 0:
        return values
    if at_ms >= 0:
        let_expire(ctx, key, found, names, at_ms)
        if ctx.is_past(at_ms):
            # A field that is named twice is removed before it is read again.
            values = [None if name in names[:i] else values[i] for i, name in enumerate(names)]
    elif option == b"PERSIST":
        found.expect_expiry()
        done = sum([take_expiry(found, field, 0) == DONE for field in names])
        if done:
            ctx.changed_by(key, "hpersist", done)
            ctx.record(b"HPERSIST", key, *rest)
    return values


def let_expire(ctx: Context, key: bytes, found: Hash, names: tuple[bytes, ...], at_ms: int) -> None:
    """Let those of the fields that are there expire, or remove them if the moment has passed."""
    past = ctx.is_past(at_ms)
    found.expect_expiry()
    done = [field for field in names if give_expiry(found, field, at_ms, set(), past) > 0]
    if past:
        tell_removed_at_once(ctx, key, found, done, len(done))
    elif done:
        ctx.changed_by(key, "hexpire", len(done))
        count = b"%d" % len(names)
        ctx.record(b"HPEXPIREAT", key, b"%d" % at_ms, b"FIELDS", count, *names)


@command(
    "HGETDEL",
    arity=-5,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | DELETE),
    group="hash",
    since="8.0.0",
)
def hgetdel(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """HGETDEL key FIELDS numfields field [field ...]

    Return the values of fields of a hash, null for those that are missing, and remove them.
    """
    found: Hash | None = ctx.write(key, Hash)
    names = named_fields(words, NO_POSITIVE_COUNT)
    if found is None:
        return [None] * len(names)
    now_ms = lapse(ctx, key, found, names)
    values: list[bytes | None] = []
    for field in names:
        # One by one: a field that is named twice is there but once.
        values.append(found.get(field, now_ms))
        found.remove(field)
    removed = len(values) - values.count(None)
    if removed:
        tell_removed(ctx, key, found, removed)
        ctx.record(b"HDEL", key, *names)
    return values


@command(
    "HSETEX",
    arity=-6,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | UPDATE),
    group="hash",
    since="8.0.0",
)
def hsetex(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """HSETEX key [FNX | FXX] [EX seconds | PX ms | EXAT unix-time | PXAT unix-ms | KEEPTTL] \
FIELDS numfields field value [field value ...]

    Set fields of a hash and let them expire: 1 if they were set, else 0. With FNX only if none of
    them is there, with FXX only if all are. Expiry times are forgotten unless KEEPTTL is given.
    """
    condition, keep_ttl, at_ms, options, pairs = set_options(ctx, words)
    found: Hash | None = ctx.write(key, Hash)
    if found is None and condition == b"FXX":
        return 0
    if found is not None and condition and not allows(ctx, key, found, condition, pairs[::2]):
        return 0
    made = found is None
    if found is None:
        found = Hash()
    if keep_ttl:
        for i in range(0, len(pairs), 2):
            found.put(pairs[i], pairs[i + 1], True, ctx.limits)
    else:
        found.put_pairs(pairs, ctx.limits)
    if made:
        ctx.store(key, found)
    ctx.changed_by(key, "hset", len(pairs) // 2)
    if at_ms >= 0:
        expire_set(ctx, key, found, pairs, at_ms)
        if not ctx.is_past(at_ms):
            fields = (b"FIELDS", b"%d" % (len(pairs) // 2), *pairs)
            ctx.record(b"HSETEX", key, *options, *fields)
    return 1


def expire_set(ctx: Context, key: bytes, found: Hash, pairs: tuple[bytes, ...], at_ms: int) -> None:
    """Let fields that were just set expire, or remove them again if the moment has passed."""
    past = ctx.is_past(at_ms)
    found.expect_expiry()
    names = pairs[::2]
    for name in names:
        give_expiry(found, name, at_ms, set(), past)
    if not past:
        ctx.changed_too(key, "hexpire")
        return
    ctx.changes.stats.expired_fields += len(names)
    ctx.changed_too(key, "hdel")
    if found.length() == 0:
        ctx.delete(key)
        ctx.changed_too(key, "del")
    for field in names:
        ctx.record(b"HDEL", key, field)


def allows(
    ctx: Context, key: bytes, found: Hash, condition: bytes, names: tuple[bytes, ...]
) -> bool:
    """Whether FNX or FXX allow these fields to be set; looks no further than the first that is
    against it.
    """
    now_ms = reading_time(ctx, found)
    wanted = condition == b"FXX"
    looked_at = 0
    allowed = True
    while allowed and looked_at < len(names):
        allowed = found.has(names[looked_at], now_ms) == wanted
        looked_at += 1
    lapse(ctx, key, found, names[:looked_at], keep_key=allowed)
    return allowed


def set_options(
    ctx: Context, words: tuple[bytes, ...]
) -> tuple[bytes, bool, int, list[bytes], tuple[bytes, ...]]:
    """HSETEX's options: FNX, FXX or nothing; whether KEEPTTL; the moment in Unix ms or -1; the
    options as the log is to have them; fields and values.
    """
    condition = b""
    keep_ttl = False
    at_ms = -1
    options: list[bytes] = []
    i = 0
    while i < len(words):
        word = words[i].upper()
        if word == b"FIELDS":
            return condition, keep_ttl, at_ms, options, named_pairs(words[i + 1 :])
        if word in (b"FNX", b"FXX"):
            if condition:
                raise ReplyError("ERR Only one of FXX or FNX arguments can be specified")
            condition = word
            options.append(words[i])
        elif word == b"KEEPTTL" or (word in EXPIRIES and i + 1 < len(words)):
            if keep_ttl or at_ms >= 0:
                raise ReplyError(
                    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
                )
            if word == b"KEEPTTL":
                keep_ttl = True
                options.append(word)
            else:
                i += 1
                at_ms = moment(ctx, "hsetex", words[i], *EXPIRIES[word])
                options += [b"PXAT", b"%d" % at_ms]
        else:
            raise ReplyError(f"ERR unknown argument: {printable(words[i])}")
        i += 1
    raise ReplyError("ERR missing FIELDS argument")


def named_pairs(words: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The fields and values behind a count of fields."""
    count = integer(words[0], 1, INT64_MAX, "ERR invalid number of fields") if words else 0
    if 2 * count != len(words) - 1:
        raise ReplyError("ERR wrong number of arguments for 'hsetex' command")
    return words[1:]
