"""Commands of the group *string*."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import INCREMENT_OVERFLOW, ReplyError
from balas.protocol.replies import OK, Reply
from balas.registry import command, key, keys
from balas.registry.flags import (
    ACCESS, DENYOOM, FAST, OW, READONLY, RO, RW, UPDATE, VARIABLE_FLAGS, WRITE,
)

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


@command("GET", arity=2, flags=READONLY | FAST, keys=key(1, RO | ACCESS), group="string", since="1.0.0")
def get(ctx: Context, key: bytes) -> Reply:
    """GET key

    Return the string stored at key.
    """
    return ctx.read_string(key)


@command("SET", arity=-3, flags=WRITE | DENYOOM, keys=key(1, RW | ACCESS | UPDATE | VARIABLE_FLAGS),
         group="string", since="1.0.0")
def set_(ctx: Context, key: bytes, value: bytes, *options: bytes) -> Reply:
    """SET key value

    Store a string at key, whatever was there before.
    """
    ctx.store(key, value)
    ctx.changed(key, "set")
    return OK


@command("INCR", arity=2, flags=WRITE | DENYOOM | FAST, keys=key(1, RW | ACCESS | UPDATE), group="string", since="1.0.0")
def incr(ctx: Context, key: bytes) -> Reply:
    """INCR key

    Add one to the integer at key, 0 if it is missing.
    """
    return add(ctx, key, 1)


def add(ctx: Context, key: bytes, amount: int) -> int:
    """Add to the integer at key."""
    number = (ctx.read_integer(key) or 0) + amount
    if not INT64_MIN <= number <= INT64_MAX:
        raise ReplyError(INCREMENT_OVERFLOW)
    ctx.store(key, number, keep_ttl=True)
    ctx.changed(key, "incrby")
    return number


@command("MSET", arity=-3, flags=WRITE | DENYOOM, keys=keys(1, -1, 2, OW | UPDATE), group="string", since="1.0.1")
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
