"""Commands of the group *list* that move elements to another list, take them from the first of
several lists, or wait for them.

A command that waits is run again from the start when a list it waits for has an element, and then
does what its twin does that does not wait; so it is also recorded as that.
"""

from __future__ import annotations

from balas.commands.list import pop, tell_removed
from balas.commands.timeouts import timeout_ms
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import NULL_ARRAY, Reply
from balas.registry import Arguments, command, integer, key, key_count, keys
from balas.registry.flags import ACCESS, BLOCKING, DELETE, DENYOOM, INSERT, RW, WRITE
from balas.types.list import List

INT64_MAX = 2**63 - 1

ENDS = (b"LEFT", b"RIGHT")


def at_left(word: bytes) -> bool:
    """Whether a word says LEFT; a syntax error unless it says LEFT or RIGHT."""
    end = word.upper()
    if end not in ENDS:
        raise ReplyError(SYNTAX)
    return end == b"LEFT"


# --- from one list to another ---------------------------------------------------------------------


@command(
    "LMOVE",
    arity=5,
    flags=WRITE | DENYOOM,
    keys=(key(1, RW | ACCESS | DELETE), key(2, RW | INSERT)),
    group="list",
    since="6.2.0",
)
def lmove(
    ctx: Context, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes
) -> Reply:
    """LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>

    Take an element out at an end of a list, put it at an end of another, and return it.
    """
    from_head, to_head = at_left(wherefrom), at_left(whereto)
    return move(ctx, source, destination, from_head, to_head)


@command(
    "RPOPLPUSH",
    arity=3,
    flags=WRITE | DENYOOM,
    keys=(key(1, RW | ACCESS | DELETE), key(2, RW | INSERT)),
    group="list",
    since="1.2.0",
)
def rpoplpush(ctx: Context, source: bytes, destination: bytes) -> Reply:
    """RPOPLPUSH source destination

    Take the last element out of a list, put it before the first of another, and return it.
    """
    return move(ctx, source, destination, False, True)


@command(
    "BLMOVE",
    arity=6,
    flags=WRITE | DENYOOM | BLOCKING,
    keys=(key(1, RW | ACCESS | DELETE), key(2, RW | INSERT)),
    group="list",
    since="6.2.0",
)
def blmove(
    ctx: Context,
    source: bytes,
    destination: bytes,
    wherefrom: bytes,
    whereto: bytes,
    timeout: bytes,
) -> Reply:
    """BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout

    LMOVE that waits for an element, up to so many seconds; 0 waits for ever.
    """
    from_head, to_head = at_left(wherefrom), at_left(whereto)
    wait_ms = timeout_ms(ctx, timeout)
    if ctx.write(source, List) is None:
        return wait_for(ctx, source, wait_ms)
    element = move(ctx, source, destination, from_head, to_head)
    ctx.record(b"LMOVE", source, destination, wherefrom, whereto)
    return element


@command(
    "BRPOPLPUSH",
    arity=4,
    flags=WRITE | DENYOOM | BLOCKING,
    keys=(key(1, RW | ACCESS | DELETE), key(2, RW | INSERT)),
    group="list",
    since="2.2.0",
)
def brpoplpush(ctx: Context, source: bytes, destination: bytes, timeout: bytes) -> Reply:
    """BRPOPLPUSH source destination timeout

    RPOPLPUSH that waits for an element, up to so many seconds; 0 waits for ever.
    """
    wait_ms = timeout_ms(ctx, timeout)
    if ctx.write(source, List) is None:
        return wait_for(ctx, source, wait_ms)
    element = move(ctx, source, destination, False, True)
    ctx.record(b"RPOPLPUSH", source, destination)
    return element


def wait_for(ctx: Context, source: bytes, wait_ms: int) -> Reply:
    """Wait for a list to move from. What tells that time is up is an array, though a missing source
    is not told by one where nobody may wait.
    """
    return ctx.block((source,), wait_ms, NULL_ARRAY, List) if ctx.may_block else None


def move(
    ctx: Context, source: bytes, destination: bytes, from_head: bool, to_head: bool
) -> bytes | None:
    """Move one element between two lists, which may be the same; None if there is no source."""
    giver: List | None = ctx.write(source, List)
    if giver is None:
        return None
    taker: List | None = ctx.write(destination, List)
    element = giver.pop(from_head, ctx.limits)
    assert element is not None, "an empty list at a key"
    if taker is None:
        taker = List()
        taker.push((element,), to_head, ctx.limits)
        ctx.store(destination, taker)
    else:
        taker.push((element,), to_head, ctx.limits)
    ctx.changed_by(destination, "lpush" if to_head else "rpush", 0)
    tell_removed(ctx, source, giver, "lpop" if from_head else "rpop", 1)
    return element


# --- from the first of several lists --------------------------------------------------------------


@command(
    "LMPOP",
    arity=-4,
    flags=WRITE,
    keys=key_count(1, RW | ACCESS | DELETE),
    group="list",
    since="7.0.0",
)
def lmpop(ctx: Context, numkeys: bytes, *rest: bytes) -> Reply:
    """LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]

    Take elements out of the first of the lists that is there: its key and an array of them.
    """
    names, at_head, count = several_options(numkeys, rest)
    found = pop_first(ctx, names, at_head, count)
    return NULL_ARRAY if found is None else found


@command(
    "BLMPOP",
    arity=-5,
    flags=WRITE | BLOCKING,
    keys=key_count(2, RW | ACCESS | DELETE),
    group="list",
    since="7.0.0",
)
def blmpop(ctx: Context, timeout: bytes, numkeys: bytes, *rest: bytes) -> Reply:
    """BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]

    LMPOP that waits until one of the lists is there, up to so many seconds; 0 waits for ever.
    """
    names, at_head, count = several_options(numkeys, rest)
    wait_ms = timeout_ms(ctx, timeout)
    found = pop_first(ctx, names, at_head, count)
    return ctx.block(names, wait_ms, NULL_ARRAY, List) if found is None else found


def several_options(numkeys: bytes, rest: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], bool, int]:
    """What LMPOP is told: the keys, whether at the head, and how many."""
    number = integer(numkeys, 1, INT64_MAX, "ERR numkeys should be greater than 0")
    if number >= len(rest):
        raise ReplyError(SYNTAX)
    arguments = Arguments(rest[number:])
    at_head = at_left(arguments.take())
    count = 0
    while arguments.more:
        if count or arguments.eat(b"COUNT") is None or not arguments.more:
            raise ReplyError(SYNTAX)
        count = arguments.take_int(1, INT64_MAX, "ERR count should be greater than 0")
    return rest[:number], at_head, count or 1


def pop_first(
    ctx: Context, names: tuple[bytes, ...], at_head: bool, count: int
) -> list[Reply] | None:
    """Take up to `count` elements from the first list that is there; None if none is."""
    for name in names:
        found: List | None = ctx.write(name, List)
        if found is None:
            continue
        popped = found.pop_many(at_head, count, ctx.limits)
        tell_removed(ctx, name, found, "lpop" if at_head else "rpop", len(popped))
        ctx.record(b"LPOP" if at_head else b"RPOP", name, b"%d" % len(popped))
        return [name, popped]
    return None


@command(
    "BLPOP",
    arity=-3,
    flags=WRITE | BLOCKING,
    keys=keys(1, -2, 1, RW | ACCESS | DELETE),
    group="list",
    since="2.0.0",
)
def blpop(ctx: Context, *arguments: bytes) -> Reply:
    """BLPOP key [key ...] timeout

    Take the first element out of the first of the lists that is there: its key and the element.
    Wait for one up to so many seconds; 0 waits for ever.
    """
    return pop_or_wait(ctx, arguments, True)


@command(
    "BRPOP",
    arity=-3,
    flags=WRITE | BLOCKING,
    keys=keys(1, -2, 1, RW | ACCESS | DELETE),
    group="list",
    since="2.0.0",
)
def brpop(ctx: Context, *arguments: bytes) -> Reply:
    """BRPOP key [key ...] timeout

    BLPOP that takes the last element.
    """
    return pop_or_wait(ctx, arguments, False)


def pop_or_wait(ctx: Context, arguments: tuple[bytes, ...], at_head: bool) -> Reply:
    """What BLPOP and BRPOP do."""
    last = len(arguments) - 1  # compiled, an index of -1 would not do
    names = arguments[:last]
    wait_ms = timeout_ms(ctx, arguments[last])
    for name in names:
        element = pop(ctx, name, at_head)
        if element is not None:
            ctx.record(b"LPOP" if at_head else b"RPOP", name)
            return [name, element]
    return ctx.block(names, wait_ms, NULL_ARRAY, List)
