"""Commands of the group *set* that combine sets: intersection, union, difference.

A key that is missing is an empty set. All keys are looked up before anything is done, so that one
of another type is an error in any case.
"""

from __future__ import annotations

from balas.commands.set import as_set
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import Reply
from balas.registry import Arguments, command, integer, key, key_count, keys
from balas.registry.flags import ACCESS, DENYOOM, OW, READONLY, RO, UPDATE, WRITE
from balas.types.set import Set
from balas.types.set_algebra import (
    difference,
    intersection,
    intersection_size,
    stored_difference,
    stored_intersection,
    stored_union,
    union,
)

INT64_MAX = 2**63 - 1


def look_up(ctx: Context, names: tuple[bytes, ...]) -> list[Set | None]:
    """The sets at these keys, None for one that is missing."""
    return [ctx.read(name, Set) for name in names]


def that_exist(ctx: Context, names: tuple[bytes, ...]) -> list[Set]:
    """The sets at these keys, those that are missing left out."""
    return [found for found in look_up(ctx, names) if found is not None]


def store_result(ctx: Context, destination: bytes, result: Set | None, event: str) -> int:
    """Store a set, or delete the key if it is empty; the number of its members."""
    if result is None or result.length() == 0:
        if ctx.discard(destination):
            ctx.changed(destination, "del")
        return 0
    ctx.store(destination, result)
    ctx.changed(destination, event)
    return result.length()


# --- intersection ---------------------------------------------------------------------------------


@command(
    "SINTER", arity=-2, flags=READONLY, keys=keys(1, -1, 1, RO | ACCESS), group="set", since="1.0.0"
)
def sinter(ctx: Context, *names: bytes) -> Reply:
    """SINTER key [key ...]

    Return the members that all the sets have.
    """
    sets = that_exist(ctx, names)
    return as_set(ctx, intersection(sets) if len(sets) == len(names) else [])


@command(
    "SINTERSTORE",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key(1, OW | UPDATE), keys(2, -1, 1, RO | ACCESS)),
    group="set",
    since="1.0.0",
)
def sinterstore(ctx: Context, destination: bytes, *names: bytes) -> Reply:
    """SINTERSTORE destination key [key ...]

    Store the members that all the sets have, and return how many there are.
    """
    sets = that_exist(ctx, names)
    result = stored_intersection(sets, ctx.limits) if len(sets) == len(names) else None
    return store_result(ctx, destination, result, "sinterstore")


@command(
    "SINTERCARD",
    arity=-3,
    flags=READONLY,
    keys=key_count(1, RO | ACCESS),
    group="set",
    since="7.0.0",
)
def sintercard(ctx: Context, numkeys: bytes, *rest: bytes) -> Reply:
    """SINTERCARD numkeys key [key ...] [LIMIT limit]

    Return how many members all the sets have, counting no further than the limit, if it is not 0.
    """
    count = integer(numkeys, 1, INT64_MAX, "ERR numkeys should be greater than 0")
    if count > len(rest):
        raise ReplyError("ERR Number of keys can't be greater than number of args")
    arguments = Arguments(rest[count:])
    limit = 0
    while arguments.more:
        if not arguments.eat(b"LIMIT") or not arguments.more:
            raise ReplyError(SYNTAX)
        limit = arguments.take_int(0, INT64_MAX, "ERR LIMIT can't be negative")
    sets = that_exist(ctx, rest[:count])
    return intersection_size(sets, limit) if len(sets) == count else 0


# --- union ----------------------------------------------------------------------------------------


@command(
    "SUNION", arity=-2, flags=READONLY, keys=keys(1, -1, 1, RO | ACCESS), group="set", since="1.0.0"
)
def sunion(ctx: Context, *names: bytes) -> Reply:
    """SUNION key [key ...]

    Return the members that any of the sets has.
    """
    sets = that_exist(ctx, names)
    return as_set(ctx, union(sets, ctx.limits) if sets else [])


@command(
    "SUNIONSTORE",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key(1, OW | UPDATE), keys(2, -1, 1, RO | ACCESS)),
    group="set",
    since="1.0.0",
)
def sunionstore(ctx: Context, destination: bytes, *names: bytes) -> Reply:
    """SUNIONSTORE destination key [key ...]

    Store the members that any of the sets has, and return how many there are.
    """
    result = stored_union(that_exist(ctx, names), ctx.limits)
    return store_result(ctx, destination, result, "sunionstore")


# --- difference -----------------------------------------------------------------------------------


@command(
    "SDIFF", arity=-2, flags=READONLY, keys=keys(1, -1, 1, RO | ACCESS), group="set", since="1.0.0"
)
def sdiff(ctx: Context, *names: bytes) -> Reply:
    """SDIFF key [key ...]

    Return the members of the first set that none of the others has.
    """
    first, *others = look_up(ctx, names)
    if first is None:
        return as_set(ctx, [])
    existing = [other for other in others if other is not None]
    return as_set(ctx, difference(first, existing, ctx.limits))


@command(
    "SDIFFSTORE",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key(1, OW | UPDATE), keys(2, -1, 1, RO | ACCESS)),
    group="set",
    since="1.0.0",
)
def sdiffstore(ctx: Context, destination: bytes, *names: bytes) -> Reply:
    """SDIFFSTORE destination key [key ...]

    Store the members of the first set that none of the others has, and return how many there are.
    """
    first, *others = look_up(ctx, names)
    result = None
    if first is not None:
        existing = [other for other in others if other is not None]
        result = stored_difference(first, existing, ctx.limits)
    return store_result(ctx, destination, result, "sdiffstore")
