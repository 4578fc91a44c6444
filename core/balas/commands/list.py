"""Commands of the group *list* on one list; list_moving.py has those that move elements or wait.

A list goes when its last element does. Each command counts as many changes as elements it has
added or removed.
"""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import INDEX_OUT_OF_RANGE, NO_SUCH_KEY, SYNTAX, ReplyError
from balas.protocol.replies import NULL_ARRAY, OK, Reply
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
from balas.types.list import List

INT64_MAX = 2**63 - 1

RANK_IS_ZERO = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)


# --- adding ---------------------------------------------------------------------------------------


@command(
    "LPUSH",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="list",
    since="1.0.0",
)
def lpush(ctx: Context, key: bytes, *elements: bytes) -> Reply:
    """LPUSH key element [element ...]

    Put elements before the first of a list, one after the other, and return its length. A list that
    is missing is made.
    """
    found: List | None = ctx.write(key, List)
    if found is None:
        return push_first(ctx, key, elements, True)
    length = found.push(elements, True, ctx.limits)
    ctx.changed_by(key, "lpush", len(elements))
    return length


@command(
    "RPUSH",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="list",
    since="1.0.0",
)
def rpush(ctx: Context, key: bytes, *elements: bytes) -> Reply:
    """RPUSH key element [element ...]

    Put elements behind the last of a list and return its length. A list that is missing is made.
    """
    found: List | None = ctx.write(key, List)
    if found is None:
        return push_first(ctx, key, elements, False)
    length = found.push(elements, False, ctx.limits)
    ctx.changed_by(key, "rpush", len(elements))
    return length


@command(
    "LPUSHX",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="list",
    since="2.2.0",
)
def lpushx(ctx: Context, key: bytes, *elements: bytes) -> Reply:
    """LPUSHX key element [element ...]

    LPUSH if the list is there; otherwise do nothing and return 0.
    """
    return lpush(ctx, key, *elements) if ctx.write(key, List) is not None else 0


@command(
    "RPUSHX",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="list",
    since="2.2.0",
)
def rpushx(ctx: Context, key: bytes, *elements: bytes) -> Reply:
    """RPUSHX key element [element ...]

    RPUSH if the list is there; otherwise do nothing and return 0.
    """
    return rpush(ctx, key, *elements) if ctx.write(key, List) is not None else 0


def push_first(ctx: Context, key: bytes, elements: tuple[bytes, ...], at_head: bool) -> int:
    """Make a list of these elements; its length."""
    made = List()
    length = made.push(elements, at_head, ctx.limits)
    ctx.store(key, made)
    ctx.changed_by(key, "lpush" if at_head else "rpush", length)
    return length


@command(
    "LINSERT",
    arity=5,
    flags=WRITE | DENYOOM,
    keys=key(1, RW | INSERT),
    group="list",
    since="2.2.0",
)
def linsert(ctx: Context, key: bytes, where: bytes, pivot: bytes, element: bytes) -> Reply:
    """LINSERT key <BEFORE | AFTER> pivot element

    Add an element before or after the first that equals the pivot, and return the length: -1 if
    there is no such element, 0 if there is no list.
    """
    where = where.upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise ReplyError(SYNTAX)
    found: List | None = ctx.write(key, List)
    if found is None:
        return 0
    if not found.insert(pivot, element, where == b"AFTER", ctx.limits):
        return -1
    ctx.changed(key, "linsert")
    return found.length()


@command(
    "LSET", arity=4, flags=WRITE | DENYOOM, keys=key(1, RW | UPDATE), group="list", since="1.0.0"
)
def lset(ctx: Context, key: bytes, index: bytes, element: bytes) -> Reply:
    """LSET key index element

    Put an element in the place of the one at an index; negative ones count from the end.
    """
    found: List | None = ctx.write(key, List)
    if found is None:
        raise ReplyError(NO_SUCH_KEY)
    if not found.replace(integer(index), element, ctx.limits):
        raise ReplyError(INDEX_OUT_OF_RANGE)
    ctx.changed(key, "lset")
    return OK


# --- removing -------------------------------------------------------------------------------------


@command(
    "LPOP",
    arity=-2,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | DELETE),
    group="list",
    since="1.0.0",
)
def lpop(ctx: Context, key: bytes, *count: bytes) -> Reply:
    """LPOP key [count]

    Take the first element of a list out and return it; with a count, an array of up to so many.
    """
    return pop(ctx, key, True) if not count else pop_some(ctx, key, count, True)


@command(
    "RPOP",
    arity=-2,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | DELETE),
    group="list",
    since="1.0.0",
)
def rpop(ctx: Context, key: bytes, *count: bytes) -> Reply:
    """RPOP key [count]

    Take the last element of a list out and return it; with a count, an array of up to so many.
    """
    return pop(ctx, key, False) if not count else pop_some(ctx, key, count, False)


def pop(ctx: Context, key: bytes, at_head: bool) -> bytes | None:
    """Take one element out; None if there is no list."""
    found: List | None = ctx.write(key, List)
    if found is None:
        return None
    element = found.pop(at_head, ctx.limits)
    tell_removed(ctx, key, found, "lpop" if at_head else "rpop", 1)
    return element


def pop_some(ctx: Context, key: bytes, count: tuple[bytes, ...], at_head: bool) -> Reply:
    """LPOP and RPOP with a count."""
    if len(count) > 1:
        name = "lpop" if at_head else "rpop"
        raise ReplyError(f"ERR wrong number of arguments for '{name}' command")
    most = integer(count[0], 0, INT64_MAX, "ERR value is out of range, must be positive")
    found: List | None = ctx.write(key, List)
    if found is None:
        return NULL_ARRAY
    if most == 0:
        return []
    popped = found.pop_many(at_head, most, ctx.limits)
    tell_removed(ctx, key, found, "lpop" if at_head else "rpop", len(popped))
    return popped


def tell_removed(ctx: Context, key: bytes, found: List, event: str, count: int) -> None:
    """Report that elements have been removed from a list, and delete it if it is empty."""
    if found.length() == 0:
        # The event first: it is one of the list, though the list is gone when it is told.
        ctx.changed_by(key, event, count)
        ctx.delete(key)
        ctx.changed_too(key, "del")
    else:
        ctx.changed_by(key, event, count)


@command("LREM", arity=4, flags=WRITE, keys=key(1, RW | DELETE), group="list", since="1.0.0")
def lrem(ctx: Context, key: bytes, count: bytes, element: bytes) -> Reply:
    """LREM key count element

    Remove the first so many elements that equal this one, or the last if the count is negative, or
    all if it is 0; return how many there were.
    """
    most = bounded(count, -INT64_MAX, INT64_MAX)
    found: List | None = ctx.write(key, List)
    if found is None:
        return 0
    removed = found.remove(element, most, ctx.limits)
    if removed:
        tell_removed(ctx, key, found, "lrem", removed)
    return removed


@command("LTRIM", arity=4, flags=WRITE, keys=key(1, RW | DELETE), group="list", since="1.0.0")
def ltrim(ctx: Context, key: bytes, start: bytes, stop: bytes) -> Reply:
    """LTRIM key start stop

    Keep the elements from one index to another, both included, and remove all others.
    """
    first, last = integer(start), integer(stop)
    found: List | None = ctx.write(key, List)
    if found is None:
        return OK
    first, count = span(first, last, found.length())
    removed = found.trim(first, count, ctx.limits)
    tell_removed(ctx, key, found, "ltrim", removed)
    return OK


def span(start: int, stop: int, length: int) -> tuple[int, int]:
    """Where a range from `start` to `stop`, both included, begins and how many elements it has;
    negative indexes count from the end.
    """
    if start < 0:
        start = max(start + length, 0)
    if stop < 0:
        stop += length
    count = min(stop, length - 1) - start + 1
    return (start, count) if count > 0 else (length, 0)


# --- reading --------------------------------------------------------------------------------------


@command("LLEN", arity=2, flags=READONLY | FAST, keys=key(1, RO), group="list", since="1.0.0")
def llen(ctx: Context, key: bytes) -> Reply:
    """LLEN key

    Return the length of a list, 0 if it is missing.
    """
    found: List | None = ctx.read(key, List)
    return found.length() if found is not None else 0


@command("LINDEX", arity=3, flags=READONLY, keys=key(1, RO | ACCESS), group="list", since="1.0.0")
def lindex(ctx: Context, key: bytes, index: bytes) -> Reply:
    """LINDEX key index

    Return the element at an index; negative ones count from the end.
    """
    found: List | None = ctx.read(key, List)
    return found.get(integer(index)) if found is not None else None


@command("LRANGE", arity=4, flags=READONLY, keys=key(1, RO | ACCESS), group="list", since="1.0.0")
def lrange(ctx: Context, key: bytes, start: bytes, stop: bytes) -> Reply:
    """LRANGE key start stop

    Return the elements from one index to another, both included; negative ones count from the end.
    """
    first, last = integer(start), integer(stop)
    found: List | None = ctx.read(key, List)
    if found is None:
        return []
    first, count = span(first, last, found.length())
    return ctx.elements(found, first, count)


@command("LPOS", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS), group="list", since="6.0.6")
def lpos(ctx: Context, key: bytes, element: bytes, *options: bytes) -> Reply:
    """LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]

    Return the index of the first element that equals this one. RANK asks for the second and so on,
    or for one from the end if it is negative; COUNT for an array of so many, 0 for all; MAXLEN to
    look at no more than so many elements.
    """
    rank, count, length_max = position_options(options)
    found: List | None = ctx.read(key, List)
    if found is None:
        return None if count < 0 else []
    positions = found.positions(
        element, rank, 1 if count < 0 else count or INT64_MAX, length_max or INT64_MAX
    )
    if count >= 0:
        return positions
    return positions[0] if positions else None


def position_options(options: tuple[bytes, ...]) -> tuple[int, int, int]:
    """LPOS's options: the rank; how many, -1 if that is not given; how far to look."""
    arguments = Arguments(options)
    rank, count, length_max = 1, -1, 0
    while arguments.more:
        word = arguments.take().upper()
        if word == b"RANK" and arguments.more:
            rank = bounded(arguments.take(), -INT64_MAX, INT64_MAX)
            if rank == 0:
                raise ReplyError(RANK_IS_ZERO)
        elif word == b"COUNT" and arguments.more:
            count = arguments.take_int(0, INT64_MAX, "ERR COUNT can't be negative")
        elif word == b"MAXLEN" and arguments.more:
            length_max = arguments.take_int(0, INT64_MAX, "ERR MAXLEN can't be negative")
        else:
            raise ReplyError(SYNTAX)
    return rank, count, length_max
