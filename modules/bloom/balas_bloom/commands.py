"""BF.*: the commands of the Bloom filter.

Replies, errors and their order are those of RedisBloom 2.8.2, loaded into a real server. All
commands have arity -1 there, and count their arguments themselves, so that a wrong number inside
MULTI is found out at EXEC; it is the same here.

Every command that may change a filter is recorded as it came, even if nothing changed. None has
an event of its own for keyspace notifications.

RedisBloom 8.2 differs from 2.8 in a few things. Its settings are here (see `settings`), but the
commands keep to 2.8: they take an error rate above 0.25 as it is, a capacity above 2**30 and an
expansion above 32768; refuse an expansion of 0; and say "(0 < error rate range < 1)" where 8.2
gives the range.

Differs from Redis:

- A capacity that asks for more than 2**63 bits is refused as too much for the memory. RedisBloom's
  arithmetic overflows, and it makes a filter of 64 bits that soon says yes to everything.
- If a further layer is too much for the memory, each item that would need it gets the error. In
  RedisBloom the first one does; from then on it says that it holds every item.
- An EXPANSION above 2**32 - 1 is refused; RedisBloom cuts off its upper bits.
- BF.RESERVE looks for its options behind the capacity: a key may be named EXPANSION.
- BF.LOADCHUNK checks more of a header: that the number of hashes follows from the error rate, and
  the size from the capacity, that there is a layer, and that none holds more items than it was
  made for.
- EXPANSION in BF.RESERVE outweighs a bf-expansion-factor of 0.
- COPY copies a filter; the real module refuses it.
- BF.RESERVE takes EX, PX, EXAT and PXAT; to the real module these are words that mean nothing.
- Commands are in the ACL category @bloom, as in RedisBloom 8.2, and in those of their flags.
"""

from __future__ import annotations

from dataclasses import dataclass

from balas.api import (
    OK,
    Arguments,
    BadData,
    Config,
    Context,
    Pairs,
    Reply,
    ReplyError,
    Status,
    command,
    integer,
    number,
)
from balas_bloom._door import changeable, changed, to_read
from balas_bloom._filter import HASH_64, Chain, Full
from balas_bloom.common import KEY, READING, WRITING, wrong_number
from balas_bloom.filter import BloomFilter
from balas_bloom.merging import limit_life, take_lifetime

CATEGORIES = ("bloom",)

NOT_FOUND = "ERR not found"
EXISTS = "ERR item exists"
FULL = "ERR non scaling filter is full"
NO_LAYER = "ERR problem inserting into filter"
NO_MEMORY = "ERR Insufficient memory to create filter"
BAD_DATA = "ERR received bad data"

EXPANSION_MAX = 2**32 - 1
# Noted in a filter that does not grow; nothing depends on it.
GROWTH_OF_FIXED = 2
LABELS = {
    b"capacity": Status("Capacity"),
    b"size": Status("Size"),
    b"filters": Status("Number of filters"),
    b"items": Status("Number of items inserted"),
    b"expansion": Status("Expansion rate"),
}


@dataclass(slots=True)
class Shape:
    """What a new filter is made of."""

    capacity: int
    error_rate: float
    expansion: int
    scaling: bool

    def create(self, ctx: Context, key: bytes) -> BloomFilter:
        """Store a new filter."""
        try:
            made = BloomFilter.create(
                self.capacity, self.error_rate, self.expansion, scaling=self.scaling
            )
        except MemoryError:
            raise ReplyError(NO_MEMORY) from None
        ctx.store(key, made)
        return made


def default_shape(ctx: Context) -> Shape:
    """What a filter is made of that no BF.RESERVE has made: the settings."""
    config = ctx.service(Config)
    expansion = config.get("bf-expansion-factor")
    return Shape(
        config.get("bf-initial-size"),
        config.get("bf-error-rate"),
        expansion or GROWTH_OF_FIXED,
        expansion > 0,
    )


# --- making and filling -------------------------------------------------------------------------


@command("BF.RESERVE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def bf_reserve(ctx: Context, *arguments: bytes) -> Reply:
    """BF.RESERVE key error_rate capacity [EXPANSION expansion] [NONSCALING] \
        [EX seconds | PX ms | EXAT unix-time | PXAT unix-ms]

    Make an empty filter. With `capacity` items in it, at most `error_rate` (above 0, below 1) of
    all other items are taken for held. A filter that is full grows by a layer `expansion` times
    as large as the one before, unless it is NONSCALING.
    """
    words, expire_at_ms = take_lifetime(ctx, arguments, 3, "bf.reserve")
    if not 3 <= len(words) <= 6:
        raise wrong_number("bf.reserve")
    name = words[0]
    error_rate = number(words[1], "ERR bad error rate")
    if not 0 < error_rate < 1:
        raise ReplyError("ERR (0 < error rate range < 1) ")
    capacity = integer(words[2], error="ERR bad capacity")
    if capacity <= 0:
        raise ReplyError("ERR (capacity should be larger than 0)")
    shape = default_shape(ctx)
    shape.error_rate = error_rate
    shape.capacity = capacity
    read_growth(shape, [word.upper() for word in words[3:]])
    if ctx.write(name, BloomFilter) is not None:
        raise ReplyError(EXISTS)
    shape.create(ctx, name)
    changed(ctx, name)
    limit_life(ctx, words, b"BF.RESERVE", expire_at_ms)
    return OK


def read_growth(shape: Shape, words: list[bytes]) -> None:
    """Read NONSCALING and EXPANSION, in upper case; other words do not count."""
    fixed = b"NONSCALING" in words
    if fixed:
        shape.scaling = False
    if b"EXPANSION" not in words:
        return
    place = words.index(b"EXPANSION") + 1
    if place == len(words):
        raise ReplyError("ERR no expansion")
    if fixed:
        raise ReplyError("Nonscaling filters cannot expand")
    shape.expansion = integer(words[place], error="ERR bad expansion")
    if shape.expansion < 1:
        raise ReplyError("ERR expansion should be greater or equal to 1")
    if shape.expansion > EXPANSION_MAX:
        raise ReplyError("ERR bad expansion")
    shape.scaling = True


@command("BF.ADD", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def bf_add(ctx: Context, *arguments: bytes) -> Reply:
    """BF.ADD key item

    Add an item to a filter; a missing filter is made with the default settings. The reply is true
    if the item is new, false if it is held already, or seems to be.
    """
    if len(arguments) != 2:
        raise wrong_number("bf.add")
    name, item = arguments
    held = changeable(ctx, name, BloomFilter)
    if held is None:
        held = default_shape(ctx).create(ctx, name)
    chain: Chain = held.chain
    try:
        return chain.add(item)
    except Full:
        raise ReplyError(FULL) from None
    except MemoryError:
        raise ReplyError(NO_LAYER) from None
    finally:
        changed(ctx, name)


@command("BF.MADD", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def bf_madd(ctx: Context, *arguments: bytes) -> Reply:
    """BF.MADD key item [item ...]

    Add items to a filter, as BF.ADD does; a reply for each. Where a NONSCALING filter is full, an
    error is the last of them.
    """
    if len(arguments) < 2:
        raise wrong_number("bf.madd")
    held = changeable(ctx, arguments[0], BloomFilter)
    if held is None:
        held = default_shape(ctx).create(ctx, arguments[0])
    return add_all(ctx, arguments[0], held, arguments[1:])


def add_all(ctx: Context, key: bytes, held: BloomFilter, items: tuple[bytes, ...]) -> Reply:
    """Add items to the filter at `key`: whether each is new, or the error it met."""
    outcomes = held.chain.add_all(items, ReplyError(FULL), ReplyError(NO_LAYER))
    changed(ctx, key)
    return outcomes


@command("BF.INSERT", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def bf_insert(ctx: Context, *arguments: bytes) -> Reply:
    """BF.INSERT key [CAPACITY c] [ERROR e] [EXPANSION x] [NOCREATE] [NONSCALING] ITEMS item ...

    Add items to a filter as BF.MADD does. The options say what a missing filter is made of (see
    BF.RESERVE); with NOCREATE it is an error if the filter is missing. Of an option the first
    letters count: C, ER, E, N and I, and of NOCREATE also the third.
    """
    if len(arguments) < 3:
        raise wrong_number("bf.insert")
    name = arguments[0]
    shape = default_shape(ctx)
    items, may_create = read_insertion(shape, Arguments(arguments[1:]))
    if not 0 < shape.error_rate < 1 or shape.capacity < 1 or shape.expansion < 1:
        raise ReplyError("Bad argument received")
    held = changeable(ctx, name, BloomFilter)
    if held is None:
        if not may_create:
            raise ReplyError(NOT_FOUND)
        held = shape.create(ctx, name)
    return add_all(ctx, name, held, items)


def read_insertion(shape: Shape, options: Arguments) -> tuple[tuple[bytes, ...], bool]:
    """Read the options of BF.INSERT into `shape`: the items, and whether to make the filter."""
    missing = wrong_number("bf.insert").text
    may_create = True
    while options.more:
        word = options.take().lower()
        if word.startswith(b"i"):
            items = options.take_rest()
            if not items:
                break
            return items, may_create
        if word.startswith(b"er"):
            shape.error_rate = number(options.take(missing), "Bad error rate")
        elif word.startswith(b"e"):
            shape.expansion = integer(
                options.take(missing), high=EXPANSION_MAX, error="Bad expansion"
            )
        elif word.startswith(b"c"):
            shape.capacity = integer(options.take(missing), error="Bad capacity")
        elif word.startswith(b"n"):
            if word[2:3] == b"c":
                may_create = False
            else:
                shape.scaling = False
        else:
            raise ReplyError("Unknown argument received")
    raise ReplyError(missing)


# --- asking -------------------------------------------------------------------------------------


@command("BF.EXISTS", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def bf_exists(ctx: Context, *arguments: bytes) -> Reply:
    """BF.EXISTS key item

    Whether a filter holds an item: false is certain, true is probable. A missing key holds
    nothing, and neither does a value of another type.
    """
    if len(arguments) != 2:
        raise wrong_number("bf.exists")
    held = ctx.read_any(arguments[0])
    if not isinstance(held, BloomFilter):
        return False
    chain: Chain = held.chain
    return chain.contains(arguments[1])


@command("BF.MEXISTS", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def bf_mexists(ctx: Context, *arguments: bytes) -> Reply:
    """BF.MEXISTS key item [item ...]

    Whether a filter holds each of the items, as BF.EXISTS says it.
    """
    if len(arguments) < 2:
        raise wrong_number("bf.mexists")
    held = ctx.read_any(arguments[0])
    if isinstance(held, BloomFilter):
        return held.chain.contains_all(arguments[1:])
    return [False] * (len(arguments) - 1)


@command("BF.CARD", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def bf_card(ctx: Context, *arguments: bytes) -> Reply:
    """BF.CARD key

    The number of items that were new when they were added; 0 for a missing key.
    """
    if len(arguments) != 1:
        raise wrong_number("bf.card")
    held: BloomFilter | None = ctx.read(arguments[0], BloomFilter)
    return held.chain.items if held is not None else 0


@command("BF.INFO", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def bf_info(ctx: Context, *arguments: bytes) -> Reply:
    """BF.INFO key [CAPACITY | SIZE | FILTERS | ITEMS | EXPANSION]

    What a filter is made of: items it is made for, bytes, layers, items, growth (null for one that
    does not grow). Asked for one of them, RESP2 gets the bare number in an array.
    """
    if not 1 <= len(arguments) <= 2:
        raise wrong_number("bf.info")
    held = to_read(ctx, arguments[0], BloomFilter, NOT_FOUND)
    chain = held.chain
    facts = {
        b"capacity": chain.capacity,
        b"size": held.size,
        b"filters": len(chain.layers),
        b"items": chain.items,
        b"expansion": chain.growth if held.scaling else None,
    }
    if len(arguments) == 1:
        return Pairs((LABELS[fact], value) for fact, value in facts.items())
    fact = arguments[1].lower()
    if fact not in facts:
        raise ReplyError("Invalid information value")
    return Pairs([(LABELS[fact], facts[fact])]) if ctx.resp == 3 else [facts[fact]]


@command("BF.DEBUG", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def bf_debug(ctx: Context, *arguments: bytes) -> Reply:
    """BF.DEBUG key

    A line with the number of items, and one for each layer.
    """
    if len(arguments) != 1:
        raise wrong_number("bf.debug")
    chain = to_read(ctx, arguments[0], BloomFilter, NOT_FOUND).chain
    width = 64 if chain.options & HASH_64 else 32
    return [f"size:{chain.items}"] + [
        f"bytes:{layer.length} bits:{layer.bits} hashes:{layer.hashes} hashwidth:{width} "
        f"capacity:{layer.entries} size:{layer.size} ratio:{layer.error:g}"
        for layer in chain.layers
    ]


# --- dumping ------------------------------------------------------------------------------------


@command("BF.SCANDUMP", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def bf_scandump(ctx: Context, *arguments: bytes) -> Reply:
    """BF.SCANDUMP key iterator

    A piece of a filter for BF.LOADCHUNK, and the iterator to load it with and to ask for the next
    piece with. Begins at 0; 0 in the reply is the end.
    """
    if len(arguments) != 2:
        raise wrong_number("bf.scandump")
    held = to_read(ctx, arguments[0], BloomFilter, NOT_FOUND)
    iterator = integer(arguments[1], error="Second argument must be numeric")
    return list(held.chunk(iterator)) if iterator else [1, held.header()]


@command("BF.LOADCHUNK", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def bf_loadchunk(ctx: Context, *arguments: bytes) -> Reply:
    """BF.LOADCHUNK key iterator data

    Rebuild a filter from the pieces that BF.SCANDUMP gave, in their order. The first makes the
    key, which must not be there.
    """
    if len(arguments) != 3:
        raise wrong_number("bf.loadchunk")
    name, _, data = arguments
    iterator = integer(arguments[1], error="ERR Second argument must be numeric")
    held = changeable(ctx, name, BloomFilter)
    if held is not None:
        load_chunk(held, iterator, data)
    elif iterator == 1:
        ctx.store(name, load_header(data))
    else:
        raise ReplyError(NOT_FOUND)
    changed(ctx, name)
    return OK


def load_header(data: bytes) -> BloomFilter:
    """A filter without bits from the first piece."""
    try:
        return BloomFilter.from_header(data)
    except BadData:
        raise ReplyError(BAD_DATA) from None
    except MemoryError:
        raise ReplyError(NO_MEMORY) from None


def load_chunk(held: BloomFilter, iterator: int, data: bytes) -> None:
    """Load a piece that ends before `iterator`."""
    if iterator <= 0 or iterator < len(data):
        raise ReplyError(BAD_DATA)
    try:
        held.chain.write(iterator - len(data), data)
    except IndexError:
        raise ReplyError("ERR invalid offset - no link found") from None
    except ValueError:
        raise ReplyError("ERR invalid chunk - Too big for current filter") from None
