"""CF.*: the commands of the cuckoo filter.

Replies, errors and their order are those of RedisBloom 2.8.2, loaded into a real server. As there,
all commands have arity -1 and count their arguments themselves, and what may change a filter is
recorded as it came. None has an event of its own for keyspace notifications.

Differs from Redis:

- CF.LOADCHUNK refuses a chunk that ends past the last layer, and headers with an expansion that is
  no power of two or with more items than slots. It is recorded; RedisBloom records none.
- COPY copies a filter; the real module refuses it.
- CF.RESERVE takes EX, PX, EXAT and PXAT; to the real module these are words that mean nothing.
- Commands are in the ACL category @cuckoo, as in RedisBloom 8.2, and in those of their flags.
"""

from __future__ import annotations

from balas.api import (
    FAST,
    OK,
    WRITE,
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
)
from balas_bloom._cuckoo import Table
from balas_bloom._door import changeable, changed, to_read
from balas_bloom.common import KEY, READING, WRITING, wrong_number
from balas_bloom.cuckoo import HEADER, CuckooFilter
from balas_bloom.merging import limit_life, take_lifetime

CATEGORIES = ("cuckoo",)

NOT_FOUND = "ERR not found"
EXISTS = "ERR item exists"
NO_MEMORY = "ERR Insufficient memory to create filter"
TOO_SMALL = "Capacity must be at least (BucketSize * 2)"
# The settings that stand for the options of CF.RESERVE, and what these may be.
SETTINGS = (
    (b"MAXITERATIONS", "cf-max-iterations", 1, 65535),
    (b"BUCKETSIZE", "cf-bucket-size", 1, 255),
    (b"EXPANSION", "cf-expansion-factor", 0, 32768),
)


def create(
    ctx: Context, key: bytes, capacity: int, iterations: int, bucket_size: int, expansion: int
) -> CuckooFilter:
    """Store a new filter."""
    try:
        made = CuckooFilter.create(capacity, bucket_size, iterations, expansion)
    except MemoryError:
        raise ReplyError(NO_MEMORY) from None
    ctx.store(key, made)
    return made


def default_filter(ctx: Context, key: bytes, capacity: int | None = None) -> CuckooFilter:
    """Store a new filter made of the settings, and of a capacity that is given."""
    config = ctx.service(Config)
    if capacity is None:
        capacity = config.get("cf-initial-size")
    iterations, bucket_size, expansion = [config.get(name) for _, name, _, _ in SETTINGS]
    return create(ctx, key, capacity, iterations, bucket_size, expansion)


# --- making and filling -------------------------------------------------------------------------


@command("CF.RESERVE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cf_reserve(ctx: Context, *arguments: bytes) -> Reply:
    """CF.RESERVE key capacity [BUCKETSIZE bucketsize] [MAXITERATIONS n] [EXPANSION expansion] \
        [EX seconds | PX ms | EXAT unix-time | PXAT unix-ms]

    Make an empty filter for about `capacity` items, in buckets of 1 to 255. Where one has no room
    after `n` moves (1 to 65535), it grows by a layer `expansion` times as large as the one before
    (rounded up to a power of two); not at all if that is 0.
    """
    given, expire_at_ms = take_lifetime(ctx, arguments, 2, "cf.reserve")
    if len(given) < 2 or len(given) % 2:
        raise wrong_number("cf.reserve")
    name = given[0]
    capacity = integer(given[1], error="Bad capacity")
    words = [word.upper() for word in given]
    config = ctx.service(Config)
    shape = [
        read_option(words, word, config.get(setting), low, high)
        for word, setting, low, high in SETTINGS
    ]
    iterations, bucket_size, expansion = shape
    if capacity < bucket_size * 2:
        raise ReplyError(TOO_SMALL)
    if ctx.write(name, CuckooFilter) is not None:
        raise ReplyError(EXISTS)
    create(ctx, name, capacity, iterations, bucket_size, expansion)
    changed(ctx, name)
    limit_life(ctx, given, b"CF.RESERVE", expire_at_ms)
    return OK


def read_option(words: list[bytes], word: bytes, default: int, low: int, high: int) -> int:
    """The number after `word`, which may stand anywhere behind the capacity."""
    if word not in words[2:]:
        return default
    place = words.index(word, 2) + 1
    shown = word.decode()
    unread = f"Couldn't parse {shown}"
    if place == len(words):
        raise ReplyError(unread)
    value = integer(words[place], error=unread)
    if not low <= value <= high:
        raise ReplyError(f"{shown}: value must be an integer between {low} and {high}, inclusive.")
    return value


@command("CF.ADD", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cf_add(ctx: Context, *arguments: bytes) -> Reply:
    """CF.ADD key item

    Add an item to a filter, even if it is held already; a missing filter is made with the default
    settings.
    """
    if len(arguments) != 2:
        raise wrong_number("cf.add")
    return add_one(ctx, arguments[0], arguments[1], False)


@command("CF.ADDNX", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cf_addnx(ctx: Context, *arguments: bytes) -> Reply:
    """CF.ADDNX key item

    Add an item to a filter as CF.ADD does, unless it is held already, or seems to be; the reply is
    false then.
    """
    if len(arguments) != 2:
        raise wrong_number("cf.addnx")
    return add_one(ctx, arguments[0], arguments[1], True)


def add_one(ctx: Context, key: bytes, item: bytes, unique: bool) -> Reply:
    """Add one item to the filter at `key`."""
    held = changeable(ctx, key, CuckooFilter)
    if held is None:
        held = default_filter(ctx, key)
    table: Table = held.table
    try:
        added = table.add(item, unique)
    except OverflowError:
        raise ReplyError("Filter is full") from None
    except MemoryError:
        raise ReplyError("Memory allocation failure") from None
    changed(ctx, key)
    return added


@command("CF.INSERT", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cf_insert(ctx: Context, *arguments: bytes) -> Reply:
    """CF.INSERT key [CAPACITY capacity] [NOCREATE] ITEMS item [item ...]

    Add items to a filter as CF.ADD does: a reply for each, -1 (in protocol 3 false) where there
    is no room. CAPACITY
    is that of a missing filter; with NOCREATE it is an error if the filter is missing. Of an
    option the first letter counts.
    """
    return insert(ctx, "cf.insert", arguments, False)


@command("CF.INSERTNX", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cf_insertnx(ctx: Context, *arguments: bytes) -> Reply:
    """CF.INSERTNX key [CAPACITY capacity] [NOCREATE] ITEMS item [item ...]

    Add items to a filter as CF.INSERT does, but none that is held already, or seems to be.
    """
    return insert(ctx, "cf.insertnx", arguments, True)


def insert(ctx: Context, command_name: str, arguments: tuple[bytes, ...], unique: bool) -> Reply:
    """CF.INSERT and CF.INSERTNX."""
    missing = wrong_number(command_name)
    if len(arguments) < 3:
        raise missing
    name = arguments[0]
    capacity = None
    may_create = True
    options = Arguments(arguments[1:])
    while True:
        if not options.more:
            raise missing
        word = options.take().lower()
        if word.startswith(b"i"):
            break
        if word.startswith(b"n"):
            may_create = False
        elif word.startswith(b"c"):
            capacity = integer(options.take(missing.text), error="Bad capacity")
        else:
            raise ReplyError("Unknown argument received")
    items = options.take_rest()
    if not items:
        raise missing
    if capacity is not None and capacity < 2 * ctx.service(Config).get("cf-bucket-size"):
        raise ReplyError(TOO_SMALL)
    held = changeable(ctx, name, CuckooFilter)
    if held is None:
        if not may_create:
            raise ReplyError(NOT_FOUND)
        held = default_filter(ctx, name, capacity)
    # In protocol 3 the replies of CF.INSERT are booleans, but those of CF.INSERTNX are not.
    full = False if ctx.resp == 3 and not unique else -1
    outcomes = held.table.add_all(items, unique, full)
    changed(ctx, name)
    return outcomes


@command("CF.DEL", arity=-1, flags=WRITE | FAST, keys=KEY, group="module", categories=CATEGORIES)
def cf_del(ctx: Context, *arguments: bytes) -> Reply:
    """CF.DEL key item

    Remove an item once; false if it is not held. Only what was added may be removed: else another
    item that looks the same is lost.
    """
    if len(arguments) != 2:
        raise wrong_number("cf.del")
    name, item = arguments
    held = ctx.read_any(name)
    if not isinstance(held, CuckooFilter):
        raise ReplyError("Not found")
    removed = held.table.remove(item)
    changed(ctx, name)
    return removed


@command("CF.COMPACT", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def cf_compact(ctx: Context, *arguments: bytes) -> Reply:
    """CF.COMPACT key

    Move items to older layers where there is room, and give back the layers that are empty then.
    """
    if len(arguments) != 1:
        raise wrong_number("cf.compact")
    held = ctx.read_any(arguments[0])
    if not isinstance(held, CuckooFilter):
        raise ReplyError("Cuckoo filter was not found")
    held.table.compact(True)
    changed(ctx, arguments[0])
    return OK


# --- asking -------------------------------------------------------------------------------------


@command("CF.EXISTS", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def cf_exists(ctx: Context, *arguments: bytes) -> Reply:
    """CF.EXISTS key item

    Whether a filter holds an item: false is certain, true is probable. A missing key holds
    nothing, and neither does a value of another type.
    """
    if len(arguments) != 2:
        raise wrong_number("cf.exists")
    held = ctx.read_any(arguments[0])
    if not isinstance(held, CuckooFilter):
        return False
    table: Table = held.table
    return table.contains(arguments[1])


@command("CF.MEXISTS", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def cf_mexists(ctx: Context, *arguments: bytes) -> Reply:
    """CF.MEXISTS key item [item ...]

    Whether a filter holds each of the items, as CF.EXISTS says it.
    """
    if len(arguments) < 2:
        raise wrong_number("cf.mexists")
    held = ctx.read_any(arguments[0])
    if isinstance(held, CuckooFilter):
        return held.table.contains_all(arguments[1:])
    return [False] * (len(arguments) - 1)


@command("CF.COUNT", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def cf_count(ctx: Context, *arguments: bytes) -> Reply:
    """CF.COUNT key item

    How often an item was added, and not removed; may be too high, never too low.
    """
    if len(arguments) != 2:
        raise wrong_number("cf.count")
    held = ctx.read_any(arguments[0])
    return held.table.count_of(arguments[1]) if isinstance(held, CuckooFilter) else 0


@command("CF.INFO", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def cf_info(ctx: Context, *arguments: bytes) -> Reply:
    """CF.INFO key

    The size of a filter in bytes, its buckets and layers, its items, and what it was made of.
    """
    if len(arguments) != 1:
        raise wrong_number("cf.info")
    held = to_read(ctx, arguments[0], CuckooFilter, NOT_FOUND)
    table = held.table
    return Pairs(
        [
            (Status("Size"), held.size),
            (Status("Number of buckets"), table.buckets),
            (Status("Number of filters"), table.count),
            (Status("Number of items inserted"), table.items),
            (Status("Number of items deleted"), table.deletes),
            (Status("Bucket size"), table.bucket_size),
            (Status("Expansion rate"), table.expansion),
            (Status("Max iterations"), table.iterations),
        ]
    )


@command("CF.DEBUG", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def cf_debug(ctx: Context, *arguments: bytes) -> Reply:
    """CF.DEBUG key

    What CF.INFO says, in one line.
    """
    if len(arguments) != 1:
        raise wrong_number("cf.debug")
    table = to_read(ctx, arguments[0], CuckooFilter, NOT_FOUND).table
    return (
        f"bktsize:{table.bucket_size} buckets:{table.buckets} items:{table.items} "
        f"deletes:{table.deletes} filters:{table.count} max_iterations:{table.iterations} "
        f"expansion:{table.expansion}"
    )


# --- dumping ------------------------------------------------------------------------------------


@command("CF.SCANDUMP", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def cf_scandump(ctx: Context, *arguments: bytes) -> Reply:
    """CF.SCANDUMP key iterator

    A piece of a filter, and the iterator for the next; begin with 0, end when it is 0 again.
    """
    if len(arguments) != 2:
        raise wrong_number("cf.scandump")
    iterator = integer(arguments[1], low=0, error="Invalid position")
    held = to_read(ctx, arguments[0], CuckooFilter, NOT_FOUND)
    # Of a filter without items there is nothing to dump, as in RedisBloom.
    if iterator == 0 and held.table.items:
        return [1, held.header()]
    return list(held.chunk(iterator))


@command("CF.LOADCHUNK", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def cf_loadchunk(ctx: Context, *arguments: bytes) -> Reply:
    """CF.LOADCHUNK key iterator data

    Rebuild a filter from the pieces that CF.SCANDUMP gave, in their order. The first makes the
    key, which must not be there.
    """
    if len(arguments) != 3:
        raise wrong_number("cf.loadchunk")
    name, _, data = arguments
    iterator = integer(arguments[1], error="Invalid position")
    if iterator == 0:
        raise ReplyError("Invalid position")
    held = changeable(ctx, name, CuckooFilter)
    if iterator == 1:
        if held is not None:
            raise ReplyError(EXISTS)
        ctx.store(name, load_header(data))
    elif held is None:
        raise ReplyError(NOT_FOUND)
    else:
        try:
            held.load_chunk(iterator, data)
        except BadData:
            raise ReplyError("Couldn't load chunk!") from None
    changed(ctx, name)
    return OK


def load_header(data: bytes) -> CuckooFilter:
    """A filter with empty slots from the first piece."""
    try:
        return CuckooFilter.from_header(data)
    except (BadData, MemoryError):
        text = "Couldn't create filter!" if len(data) == HEADER.size else "Invalid header"
        raise ReplyError(text) from None
