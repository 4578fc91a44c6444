"""Commands of the group *hash*; hash_expiry.py has those about the expiry times of fields.

A field whose time has come is removed by the first command that asks for it by name (`lapse`), or
by the cycle; commands that give out all fields pass over it.
"""

from __future__ import annotations

from balas.commands.generic import SCAN_COUNT_MAX, scan_cursor
from balas.engine.context import Context
from balas.errors import (
    INCREMENT_OVERFLOW,
    NOT_A_FLOAT,
    OUT_OF_RANGE,
    SYNTAX,
    ReplyError,
)
from balas.protocol.replies import OK, Pairs, Reply
from balas.registry import Arguments, bounded, command, integer, key
from balas.registry.flags import (
    ACCESS,
    DELETE,
    DENYOOM,
    FAST,
    INSERT,
    READONLY,
    RO,
    RW,
    UPDATE,
    WRITE,
)
from balas.structures.glob import match
from balas.structures.numbers import (
    increment_float,
    is_finite_long_double,
    is_long_double,
)
from balas.types.hash import Hash

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

# A time before all others: who reads by it sees fields that are due as well.
ALWAYS = 0


# --- fields whose time has come -------------------------------------------------------------------


def reading_time(ctx: Context, found: Hash) -> int:
    """The time by which a command reads a hash: fields that were due before it are not seen.

    While data are loaded, and for what comes from a primary, all are seen: their end comes as a
    record of its own.
    """
    if found.next_expiry_ms < 0 or ctx.changes.loading or ctx.client.kind == "primary":
        return ALWAYS
    return ctx.now_ms


def lapse(
    ctx: Context, key: bytes, found: Hash, names: tuple[bytes, ...], keep_key: bool = False
) -> int:
    """Remove those of the named fields that are due, and the key if no field is left; return the
    time by which to read.

    A replica removes nothing by itself, but does not show what is due. `keep_key` is for who is
    about to add fields.
    """
    now_ms = reading_time(ctx, found)
    if not 0 <= found.next_expiry_ms < now_ms or not ctx.changes.expires_keys:
        return now_ms
    gone = [name for name in names if found.due(name, now_ms) and found.remove(name)]
    if gone:
        ctx.changes.expire_fields(ctx.db, key, found, gone, keep_key)
    return now_ms


def lapse_all(ctx: Context, key: bytes, found: Hash) -> int:
    """The same for all fields."""
    now_ms = reading_time(ctx, found)
    if 0 <= found.next_expiry_ms < now_ms and ctx.changes.expires_keys:
        gone = found.take_due(now_ms, INT64_MAX)
        ctx.changes.expire_fields(ctx.db, key, found, gone, False)
    return now_ms


# --- setting --------------------------------------------------------------------------------------


@command(
    "HSET",
    arity=-4,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | UPDATE),
    group="hash",
    since="2.0.0",
)
def hset(ctx: Context, key: bytes, *pairs: bytes) -> Reply:
    """HSET key field value [field value ...]

    Set fields of a hash, and return how many of them are new. Expiry times of fields are forgotten.
    """
    if len(pairs) % 2:
        raise ReplyError("ERR wrong number of arguments for 'hset' command")
    found: Hash | None = ctx.write(key, Hash)
    if found is None:
        found = Hash()
        new = found.put_pairs(pairs, ctx.limits)
        ctx.store(key, found)
    else:
        new = found.put_pairs(pairs, ctx.limits)
    if len(pairs) == 2:
        ctx.changed(key, "hset")
    else:
        ctx.changed_by(key, "hset", len(pairs) // 2)
    return new


@command(
    "HMSET",
    arity=-4,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | UPDATE),
    group="hash",
    since="2.0.0",
)
def hmset(ctx: Context, key: bytes, *pairs: bytes) -> Reply:
    """HMSET key field value [field value ...]

    HSET as it was: the reply is OK.
    """
    if len(pairs) % 2:
        raise ReplyError("ERR wrong number of arguments for 'hmset' command")
    hset(ctx, key, *pairs)
    return OK


@command(
    "HSETNX",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="hash",
    since="2.0.0",
)
def hsetnx(ctx: Context, key: bytes, field: bytes, value: bytes) -> Reply:
    """HSETNX key field value

    Set a field of a hash if it is missing: 1 if it was.
    """
    found: Hash | None = ctx.write(key, Hash)
    if found is not None and found.has(field, lapse(ctx, key, found, (field,))):
        return 0
    put_one(ctx, key, found, field, value, "hset")
    return 1


def put_one(
    ctx: Context, key: bytes, found: Hash | None, field: bytes, value: bytes, event: str
) -> None:
    """Set one field, which keeps its expiry time, and report it. A hash that has no fields is not
    at the key, or not any more.
    """
    if found is not None and found.length() > 0:
        found.put(field, value, True, ctx.limits)
    else:
        found = Hash()
        found.put(field, value, True, ctx.limits)
        ctx.store(key, found)
    ctx.changed(key, event)


@command(
    "HINCRBY",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="hash",
    since="2.0.0",
)
def hincrby(ctx: Context, key: bytes, field: bytes, increment: bytes) -> Reply:
    """HINCRBY key field increment

    Add to the integer in a field, 0 if it is missing, and return the sum.
    """
    amount = integer(increment)
    found: Hash | None = ctx.write(key, Hash)
    value = found.get(field, lapse(ctx, key, found, (field,))) if found is not None else None
    total = amount
    if value is not None:
        total += integer(value, error="ERR hash value is not an integer")
    if not INT64_MIN <= total <= INT64_MAX:
        raise ReplyError(INCREMENT_OVERFLOW)
    put_one(ctx, key, found, field, b"%d" % total, "hincrby")
    return total


@command(
    "HINCRBYFLOAT",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="hash",
    since="2.6.0",
)
def hincrbyfloat(ctx: Context, key: bytes, field: bytes, increment: bytes) -> Reply:
    """HINCRBYFLOAT key field increment

    Add to the number in a field, 0 if it is missing, and return the sum. The log gets the sum, so
    that another machine's arithmetic cannot matter.
    """
    if not is_long_double(increment):
        raise ReplyError(NOT_A_FLOAT)
    if not is_finite_long_double(increment):
        raise ReplyError("ERR value is NaN or Infinity")
    found: Hash | None = ctx.write(key, Hash)
    value = found.get(field, lapse(ctx, key, found, (field,))) if found is not None else None
    if value is not None and not is_long_double(value):
        raise ReplyError("ERR hash value is not a float")
    try:
        total = increment_float(b"0" if value is None else value, increment)
    except OverflowError:
        raise ReplyError("ERR increment would produce NaN or Infinity") from None
    put_one(ctx, key, found, field, total, "hincrbyfloat")
    ctx.record(b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, total)
    return total


# --- removing -------------------------------------------------------------------------------------


@command(
    "HDEL", arity=-3, flags=WRITE | FAST, keys=key(1, RW | DELETE), group="hash", since="2.0.0"
)
def hdel(ctx: Context, key: bytes, *names: bytes) -> Reply:
    """HDEL key field [field ...]

    Remove fields of a hash, and return how many of them were there. A hash without fields is no
    more.
    """
    found: Hash | None = ctx.write(key, Hash)
    if found is None:
        return 0
    removed = 0
    for name in names:
        removed += found.remove(name)
    tell_removed(ctx, key, found, removed)
    return removed


def tell_removed(ctx: Context, key: bytes, found: Hash, changes: int) -> None:
    """Report that fields were removed from a hash, and delete it if none is left."""
    if changes == 0:
        return
    ctx.changed_by(key, "hdel", changes)
    if found.length() == 0:
        ctx.delete(key)
        ctx.changed_too(key, "del")


# --- reading by name ------------------------------------------------------------------------------


@command(
    "HGET", arity=3, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="hash", since="2.0.0"
)
def hget(ctx: Context, key: bytes, field: bytes) -> Reply:
    """HGET key field

    Return the value of a field of a hash.
    """
    found: Hash | None = ctx.read(key, Hash)
    if found is None:
        return None
    if found.next_expiry_ms < 0:
        return found.get(field, ALWAYS)
    return found.get(field, lapse(ctx, key, found, (field,)))


@command(
    "HMGET", arity=-3, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="hash", since="2.0.0"
)
def hmget(ctx: Context, key: bytes, *names: bytes) -> Reply:
    """HMGET key field [field ...]

    Return the values of fields of a hash, null for those that are missing.
    """
    found: Hash | None = ctx.read(key, Hash)
    if found is None:
        return [None] * len(names)
    return found.get_all(names, lapse(ctx, key, found, names))


@command("HEXISTS", arity=3, flags=READONLY | FAST, keys=key(1, RO), group="hash", since="2.0.0")
def hexists(ctx: Context, key: bytes, field: bytes) -> Reply:
    """HEXISTS key field

    Return 1 if a hash has a field, else 0.
    """
    found: Hash | None = ctx.read(key, Hash)
    if found is None:
        return 0
    return 1 if found.has(field, lapse(ctx, key, found, (field,))) else 0


@command("HSTRLEN", arity=3, flags=READONLY | FAST, keys=key(1, RO), group="hash", since="3.2.0")
def hstrlen(ctx: Context, key: bytes, field: bytes) -> Reply:
    """HSTRLEN key field

    Return the length of the value of a field in bytes, 0 if it is missing.
    """
    found: Hash | None = ctx.read(key, Hash)
    if found is None:
        return 0
    return found.value_length(field, lapse(ctx, key, found, (field,)))


# --- reading all ----------------------------------------------------------------------------------


@command("HLEN", arity=2, flags=READONLY | FAST, keys=key(1, RO), group="hash", since="2.0.0")
def hlen(ctx: Context, key: bytes) -> Reply:
    """HLEN key

    Return how many fields a hash has, those included that are due but not removed yet.
    """
    found: Hash | None = ctx.read(key, Hash)
    return found.length() if found is not None else 0


@command("HGETALL", arity=2, flags=READONLY, keys=key(1, RO | ACCESS), group="hash", since="2.0.0")
def hgetall(ctx: Context, key: bytes) -> Reply:
    """HGETALL key

    Return all fields of a hash and their values.
    """
    found: Hash | None = ctx.read(key, Hash)
    flat = found.flat(reading_time(ctx, found)) if found is not None else []
    return flat if ctx.resp == 2 else Pairs(list(zip(flat[::2], flat[1::2], strict=True)))


@command("HKEYS", arity=2, flags=READONLY, keys=key(1, RO | ACCESS), group="hash", since="2.0.0")
def hkeys(ctx: Context, key: bytes) -> Reply:
    """HKEYS key

    Return all fields of a hash.
    """
    found: Hash | None = ctx.read(key, Hash)
    return found.fields(reading_time(ctx, found)) if found is not None else []


@command("HVALS", arity=2, flags=READONLY, keys=key(1, RO | ACCESS), group="hash", since="2.0.0")
def hvals(ctx: Context, key: bytes) -> Reply:
    """HVALS key

    Return the values of all fields of a hash.
    """
    found: Hash | None = ctx.read(key, Hash)
    return found.values(reading_time(ctx, found)) if found is not None else []


@command("HSCAN", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS), group="hash", since="2.8.0")
def hscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> Reply:
    """HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]

    Return the next cursor, 0 at the end, and some fields of a hash with their values. Who begins
    with cursor 0 and goes on to the end gets every field that is there all the while, some perhaps
    more than once.
    """
    position = scan_cursor(cursor)
    found: Hash | None = ctx.read(key, Hash)
    if found is None:
        return [b"0", []]
    pattern, count, values = scan_options(options)
    following, flat = found.scan(
        position, min(count, SCAN_COUNT_MAX), reading_time(ctx, found), values
    )
    if pattern is not None:
        step = 2 if values else 1
        flat = [
            item
            for i in range(0, len(flat), step)
            if match(pattern, flat[i])
            for item in flat[i : i + step]
        ]
    return [b"%d" % following, flat]


def scan_options(options: tuple[bytes, ...]) -> tuple[bytes | None, int, bool]:
    """The pattern, the count, and whether values are wanted, that HSCAN is given."""
    arguments = Arguments(options)
    pattern = None
    count = 10
    values = True
    while arguments.more:
        word = arguments.take().upper()
        if word == b"COUNT" and arguments.more:
            count = arguments.take_int()
            if count < 1:
                raise ReplyError(SYNTAX)
        elif word == b"MATCH" and arguments.more:
            pattern = arguments.take()
        elif word == b"NOVALUES":
            values = False
        else:
            raise ReplyError(SYNTAX)
    return pattern, count, values


# --- chance ---------------------------------------------------------------------------------------


@command(
    "HRANDFIELD", arity=-2, flags=READONLY, keys=key(1, RO | ACCESS), group="hash", since="6.2.0"
)
def hrandfield(ctx: Context, key: bytes, *options: bytes) -> Reply:
    """HRANDFIELD key [count [WITHVALUES]]

    Return a field by chance; with a count, so many different ones or all there are, and with a
    negative count so many that are each drawn from all. WITHVALUES adds their values.
    """
    count, values = random_options(options) if options else (1, False)
    found: Hash | None = ctx.read(key, Hash)
    if found is None or count == 0:
        return [] if options else None
    now_ms = lapse_all(ctx, key, found)
    chance = ctx.rng.getrandbits(64)
    if not options:
        drawn = found.randoms(1, chance, now_ms, False)
        return drawn[0] if drawn else None
    if count < 0:
        drawn = found.randoms(-count, chance, now_ms, values)
    elif count >= found.length():
        drawn = found.flat(now_ms) if values else found.fields(now_ms)
    else:
        drawn = found.sample(count, chance, now_ms, values)
    if values and ctx.resp == 3:
        return [list(pair) for pair in zip(drawn[::2], drawn[1::2], strict=True)]
    return drawn


def random_options(options: tuple[bytes, ...]) -> tuple[int, bool]:
    """HRANDFIELD's count, and whether values are wanted."""
    count = bounded(options[0], -INT64_MAX, INT64_MAX)
    if len(options) == 1:
        return count, False
    if len(options) > 2 or options[1].upper() != b"WITHVALUES":
        raise ReplyError(SYNTAX)
    if abs(count) > INT64_MAX // 2:
        raise ReplyError(OUT_OF_RANGE)
    return count, True
