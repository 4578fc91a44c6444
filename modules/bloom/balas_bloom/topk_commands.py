"""TOPK.*: the commands of the list of the items counted most.

Replies, errors and their order are those of RedisBloom 2.8.2, loaded into a real server. As there,
all commands have arity -1 and count their arguments themselves, and what may change a list is
recorded as it came. None has an event of its own for keyspace notifications.

Differs from Redis:

- What is too large for the memory is refused, and so is a list of more than 2**27. RedisBloom
  crashes.
- Chances differ, and so do counts that were worn down by other items.
- An item with a zero byte in it is listed and expelled as it is; RedisBloom cuts it off there.
- COPY copies a list; the real module refuses it.
- Commands are in the ACL category @topk, as in RedisBloom 8.2, and in those of their flags.
"""

from __future__ import annotations

from balas.api import (
    OK,
    READONLY,
    WRITE,
    Context,
    Pairs,
    Reply,
    ReplyError,
    Status,
    command,
    integer,
    number,
)
from balas_bloom._door import changed, to_change, to_read
from balas_bloom._topk import Top
from balas_bloom.common import KEY, WRITING, wrong_number
from balas_bloom.topk import TopK

CATEGORIES = ("topk",)

MISSING = "TopK: key does not exist"
# The blanks are RedisBloom's.
BAD_INCREMENT = (
    "TopK: increment must be an integer greater or equal to 0                            "
    "and smaller or equal to 100,000"
)
BAD_DECAY = "TopK: invalid decay value. must be '<= 1' & '> 0'"
# Width, depth and decay unless TOPK.RESERVE says otherwise.
DEFAULTS = (8, 7, 0.9)
COUNT_MAX = 2**32 - 1


@command("TOPK.RESERVE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def topk_reserve(ctx: Context, *arguments: bytes) -> Reply:
    """TOPK.RESERVE key topk [width depth decay]

    Make an empty list of the `topk` items counted most, with `depth` rows of `width` counters. An
    item wears down the counter of another that stands at n with the chance `decay` to the power n.
    """
    if len(arguments) not in (2, 5):
        raise wrong_number("topk.reserve")
    name = arguments[0]
    if ctx.there(name):
        raise ReplyError("TopK: key already exists")
    k = integer(arguments[1], 1, COUNT_MAX, "TopK: invalid k")
    width, depth, decay = DEFAULTS
    if len(arguments) == 5:
        width = integer(arguments[2], 1, COUNT_MAX, "TopK: invalid width")
        depth = integer(arguments[3], 1, COUNT_MAX, "TopK: invalid depth")
        decay = number(arguments[4], BAD_DECAY)
        if not 0 < decay <= 1:
            raise ReplyError(BAD_DECAY)
    try:
        made = TopK.create(k, width, depth, decay, ctx.rng.getrandbits(64) | 1)
    except MemoryError:
        raise ReplyError("TopK: Insufficient memory to create topk data structure") from None
    ctx.store(name, made)
    changed(ctx, name)
    return OK


@command("TOPK.ADD", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def topk_add(ctx: Context, *arguments: bytes) -> Reply:
    """TOPK.ADD key item [item ...]

    Count items; for each the item that left the list for it, or null.
    """
    if len(arguments) < 2:
        raise wrong_number("topk.add")
    top: Top = to_change(ctx, arguments[0], TopK, MISSING).top
    expelled = top.add_all(arguments)
    changed(ctx, arguments[0])
    return expelled


def refused() -> ReplyError:
    """What stands at an increment that cannot be used."""
    return ReplyError(BAD_INCREMENT)


@command("TOPK.INCRBY", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def topk_incrby(ctx: Context, *arguments: bytes) -> Reply:
    """TOPK.INCRBY key item increment [item increment ...]

    Count items so many times, 0 to 100000; for each the item that left the list for it, or null.
    """
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        raise wrong_number("topk.incrby")
    held = to_change(ctx, arguments[0], TopK, MISSING)
    expelled = held.top.increase_all(arguments, refused)
    changed(ctx, arguments[0])
    return expelled


@command("TOPK.QUERY", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def topk_query(ctx: Context, *arguments: bytes) -> Reply:
    """TOPK.QUERY key item [item ...]

    Whether items are in the list.
    """
    if len(arguments) < 2:
        raise wrong_number("topk.query")
    return to_read(ctx, arguments[0], TopK, MISSING).top.contains_all(arguments)


@command("TOPK.COUNT", arity=-1, flags=WRITE, keys=KEY, group="module", categories=CATEGORIES)
def topk_count(ctx: Context, *arguments: bytes) -> Reply:
    """TOPK.COUNT key item [item ...]

    How often items were counted; that or less. Nothing is changed, although it counts as a command
    that writes.
    """
    if len(arguments) < 2:
        raise wrong_number("topk.count")
    return to_read(ctx, arguments[0], TopK, MISSING).top.count_all(arguments)


@command("TOPK.LIST", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def topk_list(ctx: Context, *arguments: bytes) -> Reply:
    """TOPK.LIST key [WITHCOUNT]

    The items of the list, the one counted most first, and their counts.
    """
    if len(arguments) not in (1, 2):
        raise wrong_number("topk.list")
    held = to_read(ctx, arguments[0], TopK, MISSING)
    if len(arguments) == 1:
        return [item for item, _ in held.top.ranking()]
    if arguments[1].upper() != b"WITHCOUNT":
        raise ReplyError("WITHCOUNT keyword expected")
    return [part for entry in held.top.ranking() for part in entry]


@command("TOPK.INFO", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def topk_info(ctx: Context, *arguments: bytes) -> Reply:
    """TOPK.INFO key

    What a list was made of.
    """
    if len(arguments) != 1:
        raise wrong_number("topk.info")
    top = to_read(ctx, arguments[0], TopK, MISSING).top
    return Pairs(
        [
            (Status("k"), top.k),
            (Status("width"), top.width),
            (Status("depth"), top.depth),
            (Status("decay"), top.decay),
        ]
    )
