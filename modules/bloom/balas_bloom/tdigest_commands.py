"""TDIGEST.*: the commands of the t-digest.

Replies, errors and their order are those of RedisBloom 2.8.2, loaded into a real server. As there,
all commands have arity -1 and count their arguments themselves, and what may change a digest is
recorded as it came. None has an event of its own for keyspace notifications. A digest of a single
value tells only its bounds.

Differs from Redis:

- A compression that asks for more than 2**31 centroids is refused at once.
- Equal values of different weight, once there are more than a few thousand of them at once, may be
  merged in another order.
- The quantile 0 is the lowest value; in RedisBloom it is NaN if that stands twice at the low end.
- TDIGEST.MERGE refuses every word it does not know; RedisBloom takes one behind OVERRIDE.
- COPY copies a digest; the real module refuses it.
- Commands are in the ACL category @tdigest, as in RedisBloom 8.2, and in those of their flags.
"""

from __future__ import annotations

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
from balas_bloom.common import KEY, WRITING, wrong_number
from balas_bloom.tdigest import TDigest

CATEGORIES = ("tdigest",)

PREFIX = "ERR T-Digest: "
MISSING = PREFIX + "key does not exist"
WRONG_WORD = PREFIX + "wrong keyword"
DEFAULT_COMPRESSION = 100


def read_compression(word: bytes) -> int:
    """What stands behind COMPRESSION."""
    value = integer(word, error=PREFIX + "error parsing compression parameter")
    if value < 1:
        raise ReplyError(PREFIX + "compression parameter needs to be a positive integer")
    return value


def create(compression: int) -> TDigest:
    """A new digest."""
    try:
        return TDigest.create(compression)
    except MemoryError:
        raise ReplyError(PREFIX + "allocation failed") from None


def read_value(word: bytes) -> float:
    """A value to add."""
    return number(word, PREFIX + "error parsing val parameter")


@command("TDIGEST.CREATE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_create(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.CREATE key [COMPRESSION compression]

    Make an empty digest. The higher the compression (100), the more it tells and takes.
    """
    if len(arguments) not in (1, 3):
        raise wrong_number("tdigest.create")
    name = arguments[0]
    if ctx.write(name, TDigest) is not None:
        raise ReplyError(PREFIX + "key already exists")
    compression = DEFAULT_COMPRESSION
    if len(arguments) == 3:
        if arguments[1].upper() != b"COMPRESSION":
            raise ReplyError(WRONG_WORD)
        compression = read_compression(arguments[2])
    ctx.store(name, create(compression))
    changed(ctx, name)
    return OK


@command("TDIGEST.RESET", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_reset(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.RESET key

    Forget all values.
    """
    if len(arguments) != 1:
        raise wrong_number("tdigest.reset")
    to_change(ctx, arguments[0], TDigest, MISSING).centroids.reset()
    changed(ctx, arguments[0])
    return OK


@command("TDIGEST.ADD", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_add(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.ADD key value [value ...]

    Add finite numbers.
    """
    if len(arguments) < 2:
        raise wrong_number("tdigest.add")
    held = to_change(ctx, arguments[0], TDigest, MISSING)
    try:
        held.centroids.add_all(arguments, read_value)
    except ValueError:
        raise ReplyError(PREFIX + "val parameter needs to be a finite number") from None
    except OverflowError:
        raise ReplyError(PREFIX + "overflow detected") from None
    changed(ctx, arguments[0])
    return OK


@command("TDIGEST.MERGE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_merge(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.MERGE destination numkeys source [source ...] [COMPRESSION compression] [OVERRIDE]

    Add the values of digests to another, or with OVERRIDE replace those it has. Its compression is
    then as given, or the highest of all.
    """
    if len(arguments) < 3:
        raise wrong_number("tdigest.merge")
    name = arguments[0]
    held: TDigest | None = ctx.write(name, TDigest)
    count = integer(arguments[1], error=PREFIX + "error parsing numkeys")
    if count < 1:
        raise ReplyError(PREFIX + "numkeys needs to be a positive integer")
    if count > len(arguments) - 2:
        raise wrong_number("tdigest.merge")
    compression, override = read_merge_options(arguments[2 + count :])
    sources = [to_read(ctx, one, TDigest, MISSING).centroids for one in arguments[2 : 2 + count]]
    if held is not None and not override:
        sources.insert(0, held.centroids)
    if not compression:
        compression = max([source.compression for source in sources])
    made = create(compression)
    try:
        for source in sources:
            made.centroids.merge(source)
    except OverflowError:
        raise ReplyError(PREFIX + "overflow detected") from None
    if held is None:
        ctx.store(name, made)
    else:
        ctx.update(name, made)
    changed(ctx, name)
    return OK


def read_merge_options(words: tuple[bytes, ...]) -> tuple[int, bool]:
    """COMPRESSION, 0 if it is not there, and whether OVERRIDE is."""
    compression = 0
    override = False
    place = 0
    while place < len(words):
        word = words[place].upper()
        if word == b"OVERRIDE":
            override = True
        elif word == b"COMPRESSION":
            place += 1
            if place == len(words):
                raise wrong_number("tdigest.merge")
            compression = read_compression(words[place])
        else:
            raise ReplyError(WRONG_WORD)
        place += 1
    return compression, override


# --- asking -------------------------------------------------------------------------------------


@command("TDIGEST.MIN", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_min(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.MIN key

    The lowest value; NaN if there is none.
    """
    if len(arguments) != 1:
        raise wrong_number("tdigest.min")
    held = to_read(ctx, arguments[0], TDigest, MISSING).centroids
    return held.lowest if held.total else float("nan")


@command("TDIGEST.MAX", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_max(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.MAX key

    The highest value; NaN if there is none.
    """
    if len(arguments) != 1:
        raise wrong_number("tdigest.max")
    held = to_read(ctx, arguments[0], TDigest, MISSING).centroids
    return held.highest if held.total else float("nan")


@command(
    "TDIGEST.QUANTILE", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES
)
def tdigest_quantile(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.QUANTILE key quantile [quantile ...]

    For each share from 0 to 1 the value below which as much of all values lies, about.
    """
    if len(arguments) < 2:
        raise wrong_number("tdigest.quantile")
    held = to_read(ctx, arguments[0], TDigest, MISSING).centroids
    shares = []
    for word in arguments[1:]:
        share = number(word, PREFIX + "error parsing quantile")
        if not 0 <= share <= 1:
            raise ReplyError(PREFIX + "quantile should be in [0,1]")
        shares.append(share)
    return [held.quantile(share) for share in shares]


@command("TDIGEST.CDF", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_cdf(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.CDF key value [value ...]

    For each number the share of values that are lower, and half of those that are equal, about.
    """
    if len(arguments) < 2:
        raise wrong_number("tdigest.cdf")
    held = to_read(ctx, arguments[0], TDigest, MISSING).centroids
    values = [number(word, PREFIX + "error parsing cdf") for word in arguments[1:]]
    return [held.cdf(value) for value in values]


@command("TDIGEST.RANK", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_rank(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.RANK key value [value ...]

    For each number how many values are lower, and half of those that are equal, about. -1 if all
    are higher, -2 if there are none.
    """
    if len(arguments) < 2:
        raise wrong_number("tdigest.rank")
    return ranks(ctx, arguments, reverse=False)


@command(
    "TDIGEST.REVRANK", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES
)
def tdigest_revrank(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.REVRANK key value [value ...]

    For each number how many values are higher, and half of those that are equal, about. -1 if all
    are lower, -2 if there are none.
    """
    if len(arguments) < 2:
        raise wrong_number("tdigest.revrank")
    return ranks(ctx, arguments, reverse=True)


def ranks(ctx: Context, arguments: tuple[bytes, ...], reverse: bool) -> Reply:
    """TDIGEST.RANK and TDIGEST.REVRANK."""
    held = to_read(ctx, arguments[0], TDigest, MISSING).centroids
    values = [number(word, PREFIX + "error parsing value") for word in arguments[1:]]
    return [held.rank(value, reverse) for value in values]


@command(
    "TDIGEST.BYRANK", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES
)
def tdigest_byrank(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.BYRANK key rank [rank ...]

    The value at each rank, about; 0 is the lowest. Infinite where there are not as many.
    """
    if len(arguments) < 2:
        raise wrong_number("tdigest.byrank")
    return by_ranks(ctx, arguments, reverse=False)


@command(
    "TDIGEST.BYREVRANK", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES
)
def tdigest_byrevrank(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.BYREVRANK key reverse_rank [reverse_rank ...]

    The value at each rank, about; 0 is the highest. Negatively infinite where there are not as
    many.
    """
    if len(arguments) < 2:
        raise wrong_number("tdigest.byrevrank")
    return by_ranks(ctx, arguments, reverse=True)


def by_ranks(ctx: Context, arguments: tuple[bytes, ...], reverse: bool) -> Reply:
    """TDIGEST.BYRANK and TDIGEST.BYREVRANK."""
    held = to_read(ctx, arguments[0], TDigest, MISSING).centroids
    wanted = []
    for word in arguments[1:]:
        rank = integer(word, error=PREFIX + "error parsing rank")
        if rank < 0:
            raise ReplyError(PREFIX + "rank needs to be non negative")
        wanted.append(rank)
    return [held.by_rank(rank, reverse) for rank in wanted]


@command(
    "TDIGEST.TRIMMED_MEAN",
    arity=-1,
    flags=READONLY,
    keys=KEY,
    group="module",
    categories=CATEGORIES,
)
def tdigest_trimmed_mean(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.TRIMMED_MEAN key low_cut_quantile high_cut_quantile

    The mean of the values between two quantiles, about.
    """
    if len(arguments) != 3:
        raise wrong_number("tdigest.trimmed_mean")
    held = to_read(ctx, arguments[0], TDigest, MISSING).centroids
    low = number(arguments[1], PREFIX + "error parsing low_cut_percentile")
    high = number(arguments[2], PREFIX + "error parsing high_cut_percentile")
    if not (0 <= low <= 1 and 0 <= high <= 1):
        raise ReplyError(PREFIX + "low_cut_percentile and high_cut_percentile should be in [0,1]")
    if low >= high:
        raise ReplyError(PREFIX + "low_cut_percentile should be lower than high_cut_percentile")
    return held.trimmed_mean(low, high)


@command("TDIGEST.INFO", arity=-1, flags=READONLY, keys=KEY, group="module", categories=CATEGORIES)
def tdigest_info(ctx: Context, *arguments: bytes) -> Reply:
    """TDIGEST.INFO key

    The compression of a digest, its centroids, values, and size in bytes.
    """
    if len(arguments) != 1:
        raise wrong_number("tdigest.info")
    value = to_read(ctx, arguments[0], TDigest, MISSING)
    held = value.centroids
    return Pairs(
        [
            (Status("Compression"), held.compression),
            (Status("Capacity"), held.capacity),
            (Status("Merged nodes"), held.merged),
            (Status("Unmerged nodes"), held.unmerged),
            (Status("Merged weight"), held.merged_weight),
            (Status("Unmerged weight"), held.unmerged_weight),
            (Status("Observations"), held.total),
            (Status("Total compressions"), held.compressions),
            (Status("Memory usage"), value.size),
        ]
    )
