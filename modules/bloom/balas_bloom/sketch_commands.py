"""CMS.*: the commands of the count-min sketch.

Replies, errors and their order are those of RedisBloom 2.8.2, loaded into a real server. As there,
all commands have arity -1 and count their arguments themselves, and what may change a sketch is
recorded as it came. None has an event of its own for keyspace notifications.

Differs from Redis:

- COPY copies a sketch; the real module refuses it.
- Commands are in the ACL category @cms, as in RedisBloom 8.2, and in those of their flags.
"""

from __future__ import annotations

import math
from struct import pack, unpack

from balas.api import (
    OK,
    READONLY,
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
from balas_bloom._sketch import Sketch
from balas_bloom.common import KEY, WRITING, wrong_number
from balas_bloom.sketch import CountMinSketch

CATEGORIES = ("cms",)

MISSING = "CMS: key does not exist"


def float_32(value: float) -> float:
    """A number rounded to 32 bits, in which RedisBloom computes."""
    rounded: float = unpack("<f", pack("<f", value))[0]
    return rounded


def create(ctx: Context, key: bytes, width: int, depth: int) -> Reply:
    """Store a new sketch."""
    try:
        made = CountMinSketch.create(width, depth)
    except MemoryError:
        raise ReplyError("CMS: Insufficient memory to create the key") from None
    ctx.store(key, made)
    changed(ctx, key)
    return OK


def refuse_existing(ctx: Context, key: bytes) -> None:
    """An error if there is anything at `key`."""
    if ctx.there(key):
        raise ReplyError("CMS: key already exists")


@command("CMS.INITBYDIM", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cms_initbydim(ctx: Context, *arguments: bytes) -> Reply:
    """CMS.INITBYDIM key width depth

    Make an empty sketch of `depth` rows of `width` counters.
    """
    if len(arguments) != 3:
        raise wrong_number("cms.initbydim")
    refuse_existing(ctx, arguments[0])
    width = integer(arguments[1], low=1, error="CMS: invalid width")
    depth = integer(arguments[2], low=1, error="CMS: invalid depth")
    if width * depth * 4 >= 2**63:
        raise ReplyError("CMS: invalid init arguments")
    return create(ctx, arguments[0], width, depth)


@command("CMS.INITBYPROB", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cms_initbyprob(ctx: Context, *arguments: bytes) -> Reply:
    """CMS.INITBYPROB key error probability

    Make an empty sketch whose counts are too high by more than the share `error` of all counts
    only with this probability. Both are between 0 and 1.
    """
    if len(arguments) != 3:
        raise wrong_number("cms.initbyprob")
    refuse_existing(ctx, arguments[0])
    wrong_error = "CMS: invalid overestimation value"
    wrong_probability = "CMS: invalid prob value"
    error = number(arguments[1], wrong_error)
    if not 0 < error < 1:
        raise ReplyError(wrong_error)
    probability = number(arguments[2], wrong_probability)
    if not 0 < probability < 1:
        raise ReplyError(wrong_probability)
    wide = math.ceil(2 / error) if error > 2 / 2**63 else 2**63
    small = float_32(probability)
    logarithm = float_32(math.log10(small)) if small else -math.inf
    deep = logarithm / float_32(math.log10(0.5))
    if math.isinf(deep) or wide * math.ceil(deep) * 4 >= 2**63:
        raise ReplyError("CMS: invalid init arguments")
    return create(ctx, arguments[0], wide, math.ceil(float_32(deep)))


def overflow() -> ReplyError:
    """What stands in the place of a count that is too high."""
    return ReplyError("CMS: INCRBY overflow")


@command("CMS.INCRBY", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cms_incrby(ctx: Context, *arguments: bytes) -> Reply:
    """CMS.INCRBY key item increment [item increment ...]

    Count items so many times, not below 0; their counts then, or an error where one is too high.
    """
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        raise wrong_number("cms.incrby")
    name = arguments[0]
    sketch: Sketch = to_change(ctx, name, CountMinSketch, MISSING).sketch
    try:
        counts = sketch.increase_all(arguments, overflow)
    except TypeError:
        raise ReplyError("CMS: Cannot parse number") from None
    except ValueError:
        raise ReplyError("CMS: Number cannot be negative") from None
    changed(ctx, name)
    return counts


@command("CMS.QUERY", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def cms_query(ctx: Context, *arguments: bytes) -> Reply:
    """CMS.QUERY key item [item ...]

    How often items were counted.
    """
    if len(arguments) < 2:
        raise wrong_number("cms.query")
    return to_read(ctx, arguments[0], CountMinSketch, MISSING).sketch.query_all(arguments)


@command("CMS.MERGE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cms_merge(ctx: Context, *arguments: bytes) -> Reply:
    """CMS.MERGE destination numKeys source [source ...] [WEIGHTS weight [weight ...]]

    Make an existing sketch the sum of others of the same size, each times its weight. What it held
    goes, unless it is a source itself.
    """
    if len(arguments) < 3:
        raise wrong_number("cms.merge")
    name = arguments[0]
    held = to_change(ctx, name, CountMinSketch, MISSING)
    count = integer(arguments[1], error="CMS: invalid numkeys")
    if count < 1:
        raise ReplyError("CMS: Number of keys must be positive")
    names, weights = split_sources(arguments[2:], count)
    sources = []
    for one in names:
        source = to_read(ctx, one, CountMinSketch, MISSING).sketch
        if (source.width, source.depth) != (held.sketch.width, held.sketch.depth):
            raise ReplyError("CMS: width/depth is not equal")
        sources.append(source)
    try:
        held.sketch.merge(sources, weights)
    except OverflowError:
        raise ReplyError("CMS: MERGE overflow") from None
    changed(ctx, name)
    return OK


def split_sources(words: tuple[bytes, ...], count: int) -> tuple[tuple[bytes, ...], list[int]]:
    """The keys and weights of CMS.MERGE."""
    upper = [word.upper() for word in words]
    if b"WEIGHTS" not in upper:
        if len(words) != count:
            raise ReplyError("CMS: wrong number of keys")
        return words, [1] * count
    place = upper.index(b"WEIGHTS")
    if place != count or len(words) != 2 * count + 1:
        raise ReplyError("CMS: wrong number of keys/weights")
    weights = [integer(word, error="CMS: invalid weight value") for word in words[place + 1 :]]
    return words[:place], weights


@command("CMS.INFO", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def cms_info(ctx: Context, *arguments: bytes) -> Reply:
    """CMS.INFO key

    The width and depth of a sketch, and how often anything was counted.
    """
    if len(arguments) != 1:
        raise wrong_number("cms.info")
    sketch = to_read(ctx, arguments[0], CountMinSketch, MISSING).sketch
    total = sketch.total - 2**64 if sketch.total >= 2**63 else sketch.total
    return Pairs(
        [
            (Status("width"), sketch.width),
            (Status("depth"), sketch.depth),
            (Status("count"), total),
        ]
    )
