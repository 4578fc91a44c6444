"""BF.MERGE and CF.MERGE, and the lifetime that BF.RESERVE and CF.RESERVE give a filter.

Differs from Redis: RedisBloom has none of this. A filter can be united with others of the same
shape only, that is of the same arguments of its RESERVE: an item is to be found where it would have
been added.
"""

from __future__ import annotations

from collections.abc import Sequence

from balas.api import (
    ACCESS,
    OK,
    RO,
    RW,
    UPDATE,
    Context,
    Reply,
    ReplyError,
    command,
    integer,
    key,
    keys,
)
from balas_bloom._door import changed
from balas_bloom._filter import Layer
from balas_bloom.common import WRITING
from balas_bloom.cuckoo import CuckooFilter
from balas_bloom.filter import BloomFilter, make_chain

KEYS = (key(1, RW | ACCESS | UPDATE), keys(2, -1, 1, RO | ACCESS))
NOT_FOUND = "ERR not found"
OTHER_SHAPE = "ERR filters of different capacity, error rate or options cannot be merged"
OVERFULL = "ERR together the filters hold more items than one of them was made for"
NO_MEMORY = "ERR Insufficient memory to create filter"
INT64_MAX = 2**63 - 1
# Options of a lifetime: the ms of a unit, and whether it counts from now.
LIFETIMES = {
    b"EX": (1000, True),
    b"PX": (1, True),
    b"EXAT": (1000, False),
    b"PXAT": (1, False),
}


@command("BF.MERGE", arity=-3, flags=WRITING, keys=KEYS, group="module", categories=("bloom",))
def bf_merge(ctx: Context, destination: bytes, *sources: bytes) -> Reply:
    """BF.MERGE destination source [source ...]

    Let one Bloom filter hold what several hold, itself included if it is there. All must have the
    same capacity, error rate and options, and together no more items than each layer was made for,
    so that the error rate stays what it is.
    """
    held = ctx.write(destination, BloomFilter)
    filters = [held] if held is not None else []
    for source in sources:
        one = ctx.read(source, BloomFilter)
        if one is None:
            raise ReplyError(NOT_FOUND)
        if one is not held:
            filters.append(one)
    store(ctx, destination, united(filters), new=held is None)
    return OK


def united(filters: Sequence[BloomFilter]) -> BloomFilter:
    """A new filter that holds what all of these hold. Raises ReplyError."""
    first = filters[0].chain
    layers: list[Layer] = [layer.copy() for layer in first.layers]
    for other in filters[1:]:
        chain = other.chain
        if chain.options != first.options or chain.growth != first.growth:
            raise ReplyError(OTHER_SHAPE)
        for place, layer in enumerate(chain.layers):
            if place == len(layers):
                layers.append(layer.copy())
                continue
            try:
                fits = layers[place].unite(layer)
            except ValueError:
                raise ReplyError(OTHER_SHAPE) from None
            if not fits:
                raise ReplyError(OVERFULL)
    items = sum(layer.size for layer in layers)
    return BloomFilter(make_chain(layers, first.options, first.growth, items))


@command("CF.MERGE", arity=-3, flags=WRITING, keys=KEYS, group="module", categories=("cuckoo",))
def cf_merge(ctx: Context, destination: bytes, *sources: bytes) -> Reply:
    """CF.MERGE destination source [source ...]

    Let one cuckoo filter hold what several hold, itself included if it is there; what several hold
    is held as many times. All must have the same capacity, size of buckets and expansion. With an
    expansion of 1 it grows as it must; else all has to fit into layers as large as those it comes
    from.
    """
    held = ctx.write(destination, CuckooFilter)
    filters = [held] if held is not None else []
    for source in sources:
        one = ctx.read(source, CuckooFilter)
        if one is None:
            raise ReplyError(NOT_FOUND)
        filters.append(one)
    table = filters[0].table.copy()
    try:
        for other in filters[1:]:
            table.absorb(other.table)
    except ValueError:
        raise ReplyError(OTHER_SHAPE) from None
    except OverflowError:
        raise ReplyError(OVERFULL) from None
    except MemoryError:
        raise ReplyError(NO_MEMORY) from None
    store(ctx, destination, CuckooFilter(table), new=held is None)
    return OK


def store(ctx: Context, name: bytes, made: BloomFilter | CuckooFilter, *, new: bool) -> None:
    """Put a merged filter in its place; the expiry time of the one before stays."""
    if new:
        ctx.store(name, made)
    else:
        ctx.update(name, made)
    changed(ctx, name)


# --- lifetimes -----------------------------------------------------------------------------------


def take_lifetime(
    ctx: Context, arguments: Sequence[bytes], first: int, name: str
) -> tuple[list[bytes], int]:
    """The arguments of a RESERVE without EX, PX, EXAT or PXAT, which may stand from `first` on, and
    the moment in Unix ms that it gives, or -1. Raises ReplyError.
    """
    words = list(arguments)
    for place in range(first, len(words) - 1):
        option = LIFETIMES.get(words[place].upper())
        if option is None:
            continue
        unit_ms, from_now = option
        given = integer(words[place + 1])
        moment = given * unit_ms + (ctx.now_ms if from_now else 0)
        if given <= 0 or moment > INT64_MAX:
            raise ReplyError(f"ERR invalid expire time in '{name}' command")
        del words[place : place + 2]
        return words, moment
    return words, -1


def limit_life(ctx: Context, words: Sequence[bytes], command_name: bytes, at_ms: int) -> None:
    """Let a filter that was just made expire, and have it in the log so that its time is fixed."""
    if at_ms < 0:
        return
    ctx.set_expire(words[0], at_ms)
    ctx.record(command_name, *words)
    ctx.record(b"PEXPIREAT", words[0], b"%d" % at_ms)
    ctx.changed_too(words[0], "expire")
