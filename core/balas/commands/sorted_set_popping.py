"""Commands of the group *sorted-set* that take the first or last members out, or wait for them.

A command that waits is run again from the start when a sorted set it waits for is there, and then
does what its twin does that does not wait; so it is also recorded as that.
"""

from __future__ import annotations

from balas.commands.sorted_set import FLAT, PAIRS, tell_removed, with_scores
from balas.commands.timeouts import timeout_ms
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import NULL_ARRAY, Reply
from balas.registry import Arguments, command, integer, key, key_count, keys
from balas.registry.flags import ACCESS, BLOCKING, DELETE, FAST, RW, WRITE
from balas.types.sorted_set import SortedSet

INT64_MAX = 2**63 - 1


def pop_event(last: bool) -> str:
    """The event of taking members out."""
    return "zpopmax" if last else "zpopmin"


@command(
    "ZPOPMIN",
    arity=-2,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | DELETE),
    group="sorted-set",
    since="5.0.0",
)
def zpopmin(ctx: Context, key: bytes, *count: bytes) -> Reply:
    """ZPOPMIN key [count]

    Take the member with the lowest score out, or so many, and return them with their scores.
    """
    return pop(ctx, key, count, False)


@command(
    "ZPOPMAX",
    arity=-2,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | DELETE),
    group="sorted-set",
    since="5.0.0",
)
def zpopmax(ctx: Context, key: bytes, *count: bytes) -> Reply:
    """ZPOPMAX key [count]

    Take the member with the highest score out, or so many, and return them with their scores.
    """
    return pop(ctx, key, count, True)


def pop(ctx: Context, key: bytes, count: tuple[bytes, ...], last: bool) -> Reply:
    """What ZPOPMIN and ZPOPMAX do."""
    most = 1
    if count:
        if len(count) > 1:
            raise ReplyError(SYNTAX)
        most = integer(count[0], 0, INT64_MAX, "ERR value is out of range, must be positive")
    found: SortedSet | None = ctx.write(key, SortedSet)
    if found is None or most == 0:
        return []
    shape = with_scores(ctx) if count else FLAT
    length = found.length()
    popped = found.pop(most, last, shape)
    tell_removed(ctx, key, found, pop_event(last), min(most, length))
    return popped


@command(
    "ZMPOP",
    arity=-4,
    flags=WRITE,
    keys=key_count(1, RW | ACCESS | DELETE),
    group="sorted-set",
    since="7.0.0",
)
def zmpop(ctx: Context, numkeys: bytes, *rest: bytes) -> Reply:
    """ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]

    Take members out of the first of the sorted sets that is there: its key and an array of them.
    """
    names, last, count = several_options(numkeys, rest)
    found = pop_first(ctx, names, last, count)
    return NULL_ARRAY if found is None else found


@command(
    "BZMPOP",
    arity=-5,
    flags=WRITE | BLOCKING,
    keys=key_count(2, RW | ACCESS | DELETE),
    group="sorted-set",
    since="7.0.0",
)
def bzmpop(ctx: Context, timeout: bytes, numkeys: bytes, *rest: bytes) -> Reply:
    """BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]

    ZMPOP that waits until one of the sorted sets is there, up to so many seconds; 0 waits for ever.
    """
    names, last, count = several_options(numkeys, rest)
    wait_ms = timeout_ms(ctx, timeout)
    found = pop_first(ctx, names, last, count)
    return ctx.block(names, wait_ms, NULL_ARRAY, SortedSet) if found is None else found


def several_options(numkeys: bytes, rest: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], bool, int]:
    """What ZMPOP is told: the keys, whether the last members, and how many."""
    many = integer(numkeys, 1, INT64_MAX, "ERR numkeys should be greater than 0")
    if many >= len(rest):
        raise ReplyError(SYNTAX)
    arguments = Arguments(rest[many:])
    where = arguments.eat(b"MIN", b"MAX")
    if where is None:
        raise ReplyError(SYNTAX)
    count = 0
    while arguments.more:
        if count or arguments.eat(b"COUNT") is None or not arguments.more:
            raise ReplyError(SYNTAX)
        count = arguments.take_int(1, INT64_MAX, "ERR count should be greater than 0")
    return rest[:many], where == b"MAX", count or 1


def pop_first(ctx: Context, names: tuple[bytes, ...], last: bool, count: int) -> list[Reply] | None:
    """Take up to `count` members from the first sorted set that is there; None if none is."""
    for name in names:
        found: SortedSet | None = ctx.write(name, SortedSet)
        if found is None:
            continue
        popped = found.pop(count, last, PAIRS)
        tell_removed(ctx, name, found, pop_event(last), len(popped))
        ctx.record(b"ZPOPMAX" if last else b"ZPOPMIN", name, b"%d" % len(popped))
        return [name, popped]
    return None


@command(
    "BZPOPMIN",
    arity=-3,
    flags=WRITE | FAST | BLOCKING,
    keys=keys(1, -2, 1, RW | ACCESS | DELETE),
    group="sorted-set",
    since="5.0.0",
)
def bzpopmin(ctx: Context, *arguments: bytes) -> Reply:
    """BZPOPMIN key [key ...] timeout

    Take the member with the lowest score out of the first of the sorted sets that is there: its
    key, the member and the score. Wait for one up to so many seconds; 0 waits for ever.
    """
    return pop_or_wait(ctx, arguments, False)


@command(
    "BZPOPMAX",
    arity=-3,
    flags=WRITE | FAST | BLOCKING,
    keys=keys(1, -2, 1, RW | ACCESS | DELETE),
    group="sorted-set",
    since="5.0.0",
)
def bzpopmax(ctx: Context, *arguments: bytes) -> Reply:
    """BZPOPMAX key [key ...] timeout

    BZPOPMIN that takes the member with the highest score.
    """
    return pop_or_wait(ctx, arguments, True)


def pop_or_wait(ctx: Context, arguments: tuple[bytes, ...], last: bool) -> Reply:
    """What BZPOPMIN and BZPOPMAX do."""
    end = len(arguments) - 1  # compiled, an index of -1 would not do
    names = arguments[:end]
    wait_ms = timeout_ms(ctx, arguments[end])
    for name in names:
        found: SortedSet | None = ctx.write(name, SortedSet)
        if found is None:
            continue
        popped = found.pop(1, last, FLAT)
        tell_removed(ctx, name, found, pop_event(last), 1)
        ctx.record(b"ZPOPMAX" if last else b"ZPOPMIN", name)
        return [name, *popped]
    return ctx.block(names, wait_ms, NULL_ARRAY, SortedSet)
