"""Commands of the group *string* that deal with whole strings; string_parts.py has the others.

Every command that may give a key an expiry time is recorded with the moment itself, since the log
and the replicas read it later: SET k v EX 10 becomes SET k v PXAT ....
"""

from __future__ import annotations

from balas.commands.expiry import let_expire
from balas.engine.context import Context
from balas.errors import (
    INCREMENT_OVERFLOW,
    NOT_A_FLOAT,
    SYNTAX,
    ReplyError,
)
from balas.protocol.replies import OK, Reply
from balas.registry import Arguments, command, integer, key, keys
from balas.registry.flags import (
    ACCESS,
    DELETE,
    DENYOOM,
    FAST,
    INSERT,
    OW,
    READONLY,
    RO,
    RW,
    UPDATE,
    VARIABLE_FLAGS,
    WRITE,
)
from balas.structures.numbers import increment_float

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

EXPIRIES = (b"EX", b"PX", b"EXAT", b"PXAT")


# --- reading --------------------------------------------------------------------------------------


@command(
    "GET", arity=2, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="string", since="1.0.0"
)
def get(ctx: Context, key: bytes) -> Reply:
    """GET key

    Return the string stored at key.
    """
    return ctx.read_string(key)


@command(
    "MGET",
    arity=-2,
    flags=READONLY | FAST,
    keys=keys(1, -1, 1, RO | ACCESS),
    group="string",
    since="1.0.0",
)
def mget(ctx: Context, *names: bytes) -> Reply:
    """MGET key [key ...]

    Return the strings stored at the keys, null for a key that is missing or holds something else.
    """
    return [text_or_none(ctx.read_any(key)) for key in names]


def text_or_none(value: object) -> bytes | None:
    """A string value as bytes; None for what is no string."""
    if isinstance(value, bytes):
        return value
    return bytes(value) if isinstance(value, bytearray) else None


# --- SET and its family ---------------------------------------------------------------------------


@command(
    "SET",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=key(
        1,
        RW | ACCESS | UPDATE | VARIABLE_FLAGS,
        notes="RW and ACCESS due to the optional `GET` argument",
    ),
    group="string",
    since="1.0.0",
)
def set_(ctx: Context, key: bytes, value: bytes, *options: bytes) -> Reply:
    """SET key value [NX | XX] [GET] [EX seconds | PX ms | EXAT unix-time | PXAT unix-ms | KEEPTTL]

    Store a string at key, whatever was there before. With NX only if the key is missing, with XX
    only if it is there; with GET return the string that was there. An expiry time is forgotten
    unless KEEPTTL is given.
    """
    if options:
        return set_with_options(ctx, key, value, options)
    ctx.store(key, value)
    ctx.changed(key, "set")
    return OK


def set_with_options(ctx: Context, key: bytes, value: bytes, options: tuple[bytes, ...]) -> Reply:
    """SET as it is rarely used: see `set_`."""
    condition, get_old, keep_ttl, expiry, given = set_options(options)
    expire_at = expiry_moment(ctx, "set", expiry, given) if expiry else -1
    old = ctx.read_string(key) if get_old else None
    there = ctx.there(key)
    if (condition == b"NX" and there) or (condition == b"XX" and not there):
        return old
    if keep_ttl and there:
        ctx.tell_overwritten(key, ctx.type_name(key) == "string")
    ctx.store(key, value, expire_at, keep_ttl)
    ctx.changed(key, "set")
    if expiry:
        ctx.notify(key, "expire")
        if expiry != b"PXAT":
            ctx.record(b"SET", key, value, b"PXAT", b"%d" % expire_at)
    elif get_old:
        ctx.record(b"SET", key, value, *(word for word in options if word.upper() != b"GET"))
    return old if get_old else OK


def set_options(options: tuple[bytes, ...]) -> tuple[bytes, bool, bool, bytes, bytes]:
    """SET's options: NX, XX or nothing; whether GET and KEEPTTL; the kind of expiry, if any, and
    its number.
    """
    arguments = Arguments(options)
    condition = expiry = given = b""
    get_old = keep_ttl = False
    while arguments.more:
        word = arguments.take().upper()
        if word in (b"NX", b"XX") and condition in (b"", word):
            condition = word
        elif word == b"GET":
            get_old = True
        elif word == b"KEEPTTL" and not expiry:
            keep_ttl = True
        elif word in EXPIRIES and expiry in (b"", word) and not keep_ttl and arguments.more:
            expiry, given = word, arguments.take()
        else:
            raise ReplyError(SYNTAX)
    return condition, get_old, keep_ttl, expiry, given


def expiry_moment(ctx: Context, name: str, expiry: bytes, given: bytes) -> int:
    """The Unix time in ms that an option of `EXPIRIES` and its number mean.

    Raises an error that names the command for a number that is not positive or too large.
    """
    number = integer(given)
    moment = number if expiry in (b"PX", b"PXAT") else number * 1000
    if expiry in (b"EX", b"PX"):
        moment += ctx.now_ms
    if number <= 0 or moment > INT64_MAX:
        raise ReplyError(f"ERR invalid expire time in '{name}' command")
    return moment


@command(
    "SETEX", arity=4, flags=WRITE | DENYOOM, keys=key(1, OW | UPDATE), group="string", since="2.0.0"
)
def setex(ctx: Context, key: bytes, seconds: bytes, value: bytes) -> Reply:
    """SETEX key seconds value

    Store a string at key and let it expire after so many seconds.
    """
    return set_expiring(ctx, key, value, expiry_moment(ctx, "setex", b"EX", seconds))


@command(
    "PSETEX",
    arity=4,
    flags=WRITE | DENYOOM,
    keys=key(1, OW | UPDATE),
    group="string",
    since="2.6.0",
)
def psetex(ctx: Context, key: bytes, milliseconds: bytes, value: bytes) -> Reply:
    """PSETEX key milliseconds value

    Store a string at key and let it expire after so many milliseconds.
    """
    return set_expiring(ctx, key, value, expiry_moment(ctx, "psetex", b"PX", milliseconds))


def set_expiring(ctx: Context, key: bytes, value: bytes, expire_at: int) -> Reply:
    """Store a string that expires at a Unix time in ms."""
    ctx.store(key, value, expire_at)
    ctx.changed(key, "set")
    ctx.notify(key, "expire")
    ctx.record(b"SET", key, value, b"PXAT", b"%d" % expire_at)
    return OK


@command(
    "SETNX",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, OW | INSERT),
    group="string",
    since="1.0.0",
)
def setnx(ctx: Context, key: bytes, value: bytes) -> Reply:
    """SETNX key value

    Store a string at key if the key is missing: 1 if it was.
    """
    if ctx.there(key):
        return 0
    ctx.store(key, value)
    ctx.changed(key, "set")
    return 1


@command(
    "MSET",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=keys(1, -1, 2, OW | UPDATE),
    group="string",
    since="1.0.1",
)
def mset(ctx: Context, *pairs: bytes) -> Reply:
    """MSET key value [key value ...]

    Store many strings as one.
    """
    if len(pairs) % 2:
        raise ReplyError("ERR wrong number of arguments for 'mset' command")
    for i in range(0, len(pairs), 2):
        ctx.store(pairs[i], pairs[i + 1])
        ctx.changed(pairs[i], "set")
    return OK


@command(
    "MSETNX",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=keys(1, -1, 2, OW | INSERT),
    group="string",
    since="1.0.1",
)
def msetnx(ctx: Context, *pairs: bytes) -> Reply:
    """MSETNX key value [key value ...]

    Store many strings as one if none of the keys is there: 1 if they were stored.
    """
    if len(pairs) % 2:
        raise ReplyError("ERR wrong number of arguments for 'msetnx' command")
    if any(ctx.there(key) for key in pairs[::2]):
        return 0
    mset(ctx, *pairs)
    return 1


@command(
    "GETSET",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="string",
    since="1.0.0",
)
def getset(ctx: Context, key: bytes, value: bytes) -> Reply:
    """GETSET key value

    Store a string at key and return the one that was there.
    """
    old = ctx.read_string(key)
    ctx.store(key, value)
    ctx.changed(key, "set")
    ctx.record(b"SET", key, value)
    return old


@command(
    "GETDEL",
    arity=2,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | DELETE),
    group="string",
    since="6.2.0",
)
def getdel(ctx: Context, key: bytes) -> Reply:
    """GETDEL key

    Return the string stored at key and delete the key.
    """
    value = ctx.read_string(key)
    if value is not None:
        ctx.delete(key)
        ctx.changed(key, "del")
        ctx.record(b"DEL", key)
    return value


@command(
    "GETEX",
    arity=-2,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | UPDATE, notes="RW and UPDATE because it changes the TTL"),
    group="string",
    since="6.2.0",
)
def getex(ctx: Context, key: bytes, *options: bytes) -> Reply:
    """GETEX key [EX seconds | PX ms | EXAT unix-time | PXAT unix-ms | PERSIST]

    Return the string stored at key and give the key an expiry time, or with PERSIST remove the one
    it has.
    """
    persist, expiry, given = getex_options(options)
    value = ctx.read_string(key)
    if value is None:
        return None
    if expiry:
        let_expire(ctx, key, expiry_moment(ctx, "getex", expiry, given))
    elif persist and ctx.expire_at(key) >= 0:
        ctx.set_expire(key, -1)
        ctx.changed(key, "persist")
        ctx.record(b"PERSIST", key)
    return value


def getex_options(options: tuple[bytes, ...]) -> tuple[bool, bytes, bytes]:
    """GETEX's options: whether PERSIST; the kind of expiry, if any, and its number."""
    arguments = Arguments(options)
    expiry = given = b""
    persist = False
    while arguments.more:
        word = arguments.take().upper()
        if word == b"PERSIST" and not expiry:
            persist = True
        elif word in EXPIRIES and expiry in (b"", word) and not persist and arguments.more:
            expiry, given = word, arguments.take()
        else:
            raise ReplyError(SYNTAX)
    return persist, expiry, given


# --- numbers --------------------------------------------------------------------------------------


@command(
    "INCR",
    arity=2,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="string",
    since="1.0.0",
)
def incr(ctx: Context, key: bytes) -> Reply:
    """INCR key

    Add one to the integer at key, 0 if it is missing, and return the sum.
    """
    return add(ctx, key, 1)


@command(
    "DECR",
    arity=2,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="string",
    since="1.0.0",
)
def decr(ctx: Context, key: bytes) -> Reply:
    """DECR key

    Take one from the integer at key, 0 if it is missing, and return the difference.
    """
    return add(ctx, key, -1)


@command(
    "INCRBY",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="string",
    since="1.0.0",
)
def incrby(ctx: Context, key: bytes, increment: bytes) -> Reply:
    """INCRBY key increment

    Add to the integer at key, 0 if it is missing, and return the sum.
    """
    return add(ctx, key, integer(increment))


@command(
    "DECRBY",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="string",
    since="1.0.0",
)
def decrby(ctx: Context, key: bytes, decrement: bytes) -> Reply:
    """DECRBY key decrement

    Take from the integer at key, 0 if it is missing, and return the difference.
    """
    amount = integer(decrement)
    if amount == INT64_MIN:
        raise ReplyError("ERR decrement would overflow")
    return add(ctx, key, -amount)


def add(ctx: Context, key: bytes, amount: int) -> int:
    """Add to the integer at key, and return the sum."""
    number = (ctx.read_integer(key) or 0) + amount
    if not INT64_MIN <= number <= INT64_MAX:
        raise ReplyError(INCREMENT_OVERFLOW)
    ctx.update(key, number)
    ctx.changed(key, "incrby")
    return number


@command(
    "INCRBYFLOAT",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="string",
    since="2.6.0",
)
def incrbyfloat(ctx: Context, key: bytes, increment: bytes) -> Reply:
    """INCRBYFLOAT key increment

    Add to the number at key, 0 if it is missing, and return the sum. The log gets the sum, so that
    another machine's arithmetic cannot matter.
    """
    old = ctx.write_string(key)
    try:
        total = increment_float(b"0" if old is None else old, increment)
    except ValueError:
        raise ReplyError(NOT_A_FLOAT) from None
    except OverflowError:
        raise ReplyError("ERR increment would produce NaN or Infinity") from None
    ctx.update_text(key, total)
    ctx.changed(key, "incrbyfloat")
    ctx.record(b"SET", key, total, b"KEEPTTL")
    return total
