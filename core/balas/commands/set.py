"""Commands of the group *set* on one set; set_operations.py has those on many.

A set goes when its last member does. What chance decides is recorded as what came of it: SPOP goes
into the log as SREM or DEL.
"""

from __future__ import annotations

from balas.commands.generic import scan_cursor
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import Reply, SetReply
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
    WRITE,
)
from balas.services.config import Config
from balas.structures.glob import match
from balas.types.set import Set

INT64_MAX = 2**63 - 1
# Members that one record of SPOP names.
RECORDED_AT_ONCE = 1024
# A step of SSCAN never has to look at more members than this: it would have all of them.
SCAN_COUNT_MAX = 2**48


def as_set(ctx: Context, members: list[bytes]) -> Reply:
    """A reply that is a set where the protocol knows sets."""
    return members if ctx.resp == 2 else SetReply(members)


# --- adding and removing --------------------------------------------------------------------------


@command(
    "SADD",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="set",
    since="1.0.0",
)
def sadd(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """SADD key member [member ...]

    Add members to a set, and return how many were not there before. A set that is missing is made.
    """
    found: Set | None = ctx.write(key, Set)
    if found is None:
        found = Set()
        added = found.add_all(members, ctx.limits)
        ctx.store(key, found)
    else:
        added = found.add_all(members, ctx.limits)
    if added:
        ctx.changed_by(key, "sadd", added)
    return added


@command(
    "SREM",
    arity=-3,
    flags=WRITE | FAST,
    keys=key(1, RW | DELETE),
    group="set",
    since="1.0.0",
)
def srem(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """SREM key member [member ...]

    Remove members from a set, and return how many were there.
    """
    found: Set | None = ctx.write(key, Set)
    if found is None:
        return 0
    removed = 0
    for member in members:
        if found.discard(member):
            removed += 1
            if found.length() == 0:
                break
    if removed:
        tell_removed(ctx, key, found, "srem", removed)
    return removed


def tell_removed(ctx: Context, key: bytes, found: Set, event: str, count: int) -> None:
    """Report that members have been removed from a set, and delete it if it is empty."""
    ctx.changed_by(key, event, count)
    if found.length() == 0:
        ctx.delete(key)
        ctx.changed_too(key, "del")


@command(
    "SMOVE",
    arity=4,
    flags=WRITE | FAST,
    keys=(key(1, RW | ACCESS | DELETE), key(2, RW | INSERT)),
    group="set",
    since="1.0.0",
)
def smove(ctx: Context, source: bytes, destination: bytes, member: bytes) -> Reply:
    """SMOVE source destination member

    Take a member out of one set and add it to another: 1 if it was there.
    """
    # Both are looked up before anything else: a key whose time has come goes in any case.
    ctx.there(source)
    ctx.there(destination)
    giving: Set | None = ctx.write(source, Set)
    # The type of the other key only matters if there is a set to take from.
    if giving is None:
        return 0
    taking: Set | None = ctx.write(destination, Set)
    if giving is taking:
        return int(giving.has(member))
    if not giving.discard(member):
        return 0
    tell_removed(ctx, source, giving, "srem", 1)
    if taking is None:
        taking = Set()
        taking.add_all((member,), ctx.limits)
        ctx.store(destination, taking)
    elif not taking.add(member, ctx.limits):
        return 1
    ctx.changed(destination, "sadd")
    return 1


# --- reading --------------------------------------------------------------------------------------


@command("SISMEMBER", arity=3, flags=READONLY | FAST, keys=key(1, RO), group="set", since="1.0.0")
def sismember(ctx: Context, key: bytes, member: bytes) -> Reply:
    """SISMEMBER key member

    Return 1 if this is a member of the set, 0 otherwise.
    """
    found: Set | None = ctx.read(key, Set)
    return 1 if found is not None and found.has(member) else 0


@command(
    "SMISMEMBER",
    arity=-3,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="set",
    since="6.2.0",
)
def smismember(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """SMISMEMBER key member [member ...]

    Return 1 or 0 for each of these, as SISMEMBER does for one.
    """
    found: Set | None = ctx.read(key, Set)
    if found is None:
        return [0] * len(members)
    return [1 if found.has(member) else 0 for member in members]


@command("SCARD", arity=2, flags=READONLY | FAST, keys=key(1, RO), group="set", since="1.0.0")
def scard(ctx: Context, key: bytes) -> Reply:
    """SCARD key

    Return how many members a set has, 0 if it is missing.
    """
    found: Set | None = ctx.read(key, Set)
    return found.length() if found is not None else 0


@command("SMEMBERS", arity=2, flags=READONLY, keys=key(1, RO | ACCESS), group="set", since="1.0.0")
def smembers(ctx: Context, key: bytes) -> Reply:
    """SMEMBERS key

    Return all members of a set.
    """
    found: Set | None = ctx.read(key, Set)
    return as_set(ctx, found.members() if found is not None else [])


@command("SSCAN", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS), group="set", since="2.8.0")
def sscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> Reply:
    """SSCAN key cursor [MATCH pattern] [COUNT count]

    Return the next cursor, 0 at the end, and some members. Who begins with cursor 0 and goes on to
    the end gets every member that is there all the while, some perhaps more than once.
    """
    position = scan_cursor(cursor)
    found: Set | None = ctx.read(key, Set)
    if found is None:
        return [b"0", []]
    pattern, count = scan_options(options)
    following, members = found.scan(position, min(count, SCAN_COUNT_MAX))
    if pattern is not None:
        members = [member for member in members if match(pattern, member)]
    return [b"%d" % following, members]


def scan_options(options: tuple[bytes, ...]) -> tuple[bytes | None, int]:
    """The pattern and the count that SSCAN is given."""
    arguments = Arguments(options)
    pattern = None
    count = 10
    while arguments.more:
        word = arguments.take().upper()
        if word == b"COUNT" and arguments.more:
            count = arguments.take_int()
            if count < 1:
                raise ReplyError(SYNTAX)
        elif word == b"MATCH" and arguments.more:
            pattern = arguments.take()
        elif word == b"NOVALUES":
            raise ReplyError("ERR NOVALUES option can only be used in HSCAN")
        else:
            raise ReplyError(SYNTAX)
    return pattern, count


# --- chance ---------------------------------------------------------------------------------------


@command(
    "SPOP",
    arity=-2,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | DELETE),
    group="set",
    since="1.0.0",
)
def spop(ctx: Context, key: bytes, *count: bytes) -> Reply:
    """SPOP key [count]

    Take a member out by chance and return it; with a count, a set of up to so many.
    """
    if count:
        return pop_some(ctx, key, count)
    found: Set | None = ctx.write(key, Set)
    if found is None:
        return None
    member = found.pop(ctx.rng.getrandbits(64))
    tell_removed(ctx, key, found, "spop", 1)
    if ctx.changes.recording:
        ctx.record(b"SREM", key, member)
    return member


def pop_some(ctx: Context, key: bytes, count: tuple[bytes, ...]) -> Reply:
    """SPOP with a count."""
    if len(count) > 1:
        raise ReplyError(SYNTAX)
    most = integer(count[0], 0, INT64_MAX, "ERR value is out of range, must be positive")
    found: Set | None = ctx.write(key, Set)
    if found is None or most == 0:
        return as_set(ctx, [])
    length = found.length()
    if most >= length:
        popped = found.members()
        ctx.changed_by(key, "spop", length)
        lazy = ctx.service(Config).get("lazyfree-lazy-server-del")
        ctx.delete(key, lazy)
        ctx.changed_too(key, "del")
        ctx.record(b"UNLINK" if lazy else b"DEL", key)
        return as_set(ctx, popped)
    popped = found.pop_many(most, ctx.rng.getrandbits(64), ctx.limits)
    ctx.changed_by(key, "spop", most)
    for i in range(0, most, RECORDED_AT_ONCE):
        ctx.record(b"SREM", key, *popped[i : i + RECORDED_AT_ONCE])
    return as_set(ctx, popped)


@command(
    "SRANDMEMBER", arity=-2, flags=READONLY, keys=key(1, RO | ACCESS), group="set", since="1.0.0"
)
def srandmember(ctx: Context, key: bytes, *count: bytes) -> Reply:
    """SRANDMEMBER key [count]

    Return a member by chance; with a count, up to so many different ones, or with a negative one
    exactly so many of which some may be the same.
    """
    if len(count) > 1:
        raise ReplyError(SYNTAX)
    wanted = bounded(count[0], -INT64_MAX, INT64_MAX) if count else 1
    found: Set | None = ctx.read(key, Set)
    if found is None:
        return [] if count else None
    chance = ctx.rng.getrandbits(64)
    if not count:
        return found.random(chance)
    return found.sample(wanted, chance) if wanted >= 0 else found.randoms(-wanted, chance)
