"""DUMP and RESTORE, of the group *generic*: a value as bytes, and back.

Differs from Redis: RESTORE takes values of modules that are not loaded; they wait for their module.
A payload whose content ends too early is refused even if its checksum is right.
"""

from __future__ import annotations

from dataclasses import dataclass

from balas.engine.context import Context
from balas.errors import BadData, ReplyError
from balas.protocol.replies import OK, Reply
from balas.registry import Arguments, command, integer, key
from balas.registry.flags import ACCESS, ASKING, DENYOOM, OW, READONLY, RO, UPDATE, WRITE
from balas.services.config.store import Config
from balas.services.rdb.dump import dump, restore
from balas.services.rdb.format import dump_open
from balas.types.registry import TypeRegistry

BUSY_KEY = "BUSYKEY Target key name already exists."
BAD_TTL = "ERR Invalid TTL value, must be >= 0"
BAD_IDLE = "ERR Invalid IDLETIME value, must be >= 0"
BAD_FREQUENCY = "ERR Invalid FREQ value, must be >= 0 and <= 255"
BAD_SEAL = "ERR DUMP payload version or checksum are wrong"
BAD_FORMAT = "ERR Bad data format"

FREQUENCY_MAX = 255
EXPIRE_MAX = 2**63 - 1
ACCESS_MASK = 2**32 - 1


@dataclass(slots=True)
class Options:
    """What follows the payload of RESTORE; -1 for what is not given."""

    replace: bool = False
    absolute: bool = False
    idle_s: int = -1
    frequency: int = -1


@command(
    "DUMP",
    arity=2,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="generic",
    since="2.6.0",
)
def dump_key(ctx: Context, key: bytes) -> Reply:
    """DUMP key

    Returns a serialized representation of the value stored at a key.
    """
    value = ctx.read_any(key)
    if value is None:
        return None
    return dump(value, compress=ctx.service(Config).get("rdbcompression"))


@command(
    "RESTORE",
    arity=-4,
    flags=WRITE | DENYOOM,
    keys=key(1, OW | UPDATE),
    group="generic",
    since="2.6.0",
    categories=("dangerous",),
)
def restore_key(ctx: Context, key: bytes, ttl: bytes, payload: bytes, *words: bytes) -> Reply:
    """RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]

    Creates a key from the serialized representation of a value.
    """
    options = restore_options(words)
    if not options.replace and ctx.there(key):
        raise ReplyError(BUSY_KEY)
    expire_at = expiry(ctx, integer(ttl), options.absolute)
    value = opened(ctx, payload)
    deleted = options.replace and ctx.delete(key)
    if expire_at >= 0 and ctx.is_past(expire_at):
        if deleted:
            ctx.record(b"DEL", key)
            ctx.changed(key, "del")
        return OK
    ctx.store(key, value, expire_at)
    set_access(ctx, key, options)
    if expire_at >= 0:
        # The log must not start the time anew.
        ctx.record(b"RESTORE", key, b"%d" % expire_at, payload, *flags_of(options))
    ctx.changed(key, "restore")
    return OK


@command(
    "RESTORE-ASKING",
    arity=-4,
    flags=WRITE | DENYOOM | ASKING,
    keys=key(1, OW | UPDATE),
    group="server",
    since="3.0.0",
    categories=("keyspace", "dangerous"),
)
def restore_asking(ctx: Context, key: bytes, ttl: bytes, payload: bytes, *words: bytes) -> Reply:
    """RESTORE-ASKING key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] \
    [FREQ frequency]

    Does what RESTORE does; nodes of a cluster use it where a slot is on its way.
    """
    return restore_key(ctx, key, ttl, payload, *words)


def restore_options(words: tuple[bytes, ...]) -> Options:
    """Read the options; IDLETIME and FREQ exclude each other."""
    options = Options()
    cursor = Arguments(words)
    while cursor.more:
        if cursor.eat(b"REPLACE"):
            options.replace = True
        elif cursor.eat(b"ABSTTL"):
            options.absolute = True
        elif cursor.left >= 2 and options.frequency < 0 and cursor.eat(b"IDLETIME"):
            options.idle_s = cursor.take_int()
            if options.idle_s < 0:
                raise ReplyError(BAD_IDLE)
        elif cursor.left >= 2 and options.idle_s < 0 and cursor.eat(b"FREQ"):
            options.frequency = cursor.take_int()
            if not 0 <= options.frequency <= FREQUENCY_MAX:
                raise ReplyError(BAD_FREQUENCY)
        else:
            cursor.end()
    return options


def expiry(ctx: Context, ttl: int, absolute: bool) -> int:
    """Unix ms at which the key is to expire, -1 for never; one beyond 64 bits has passed."""
    if ttl < 0:
        raise ReplyError(BAD_TTL)
    if not ttl:
        return -1
    expire_at = ttl if absolute else ctx.now_ms + ttl
    return expire_at if expire_at <= EXPIRE_MAX else 0


def opened(ctx: Context, payload: bytes) -> Reply:
    """The value in a payload."""
    try:
        body = dump_open(payload)
    except BadData:
        raise ReplyError(BAD_SEAL) from None
    try:
        return restore(body, ctx.service(TypeRegistry), ctx.limits, ctx.now_ms)
    except BadData:
        raise ReplyError(BAD_FORMAT) from None


def set_access(ctx: Context, key: bytes, options: Options) -> None:
    """Let the key be as idle, or as frequent, as is asked for, if the policy is of that kind."""
    clock = ctx.engine.access
    if options.frequency >= 0 and clock.lfu:
        ctx.db.set_access_bits(key, clock.now | options.frequency)
    elif options.idle_s >= 0 and not clock.lfu:
        ctx.db.set_access_bits(key, (clock.now - options.idle_s * 10) & ACCESS_MASK)


def flags_of(options: Options) -> list[bytes]:
    """The options for the log, where the expiry time is an absolute one."""
    words = [b"ABSTTL"]
    if options.replace:
        words.append(b"REPLACE")
    if options.idle_s >= 0:
        words += [b"IDLETIME", b"%d" % options.idle_s]
    if options.frequency >= 0:
        words += [b"FREQ", b"%d" % options.frequency]
    return words
