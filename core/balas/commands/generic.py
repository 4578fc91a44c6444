"""Commands of the group *generic*: what can be done with a key whatever it holds.

Expiry times are in expiry.py, OBJECT in object.py, WAIT in wait.py.
"""

from __future__ import annotations

import re

from balas.engine.context import Context
from balas.errors import (
    DB_INDEX_OUT_OF_RANGE,
    NO_SUCH_KEY,
    SAME_OBJECT,
    SYNTAX,
    ReplyError,
)
from balas.protocol.replies import OK, Reply, Status
from balas.registry import Arguments, bounded, command, key, keys
from balas.registry.flags import (
    ACCESS,
    DELETE,
    DENYOOM,
    FAST,
    INSERT,
    OW,
    READONLY,
    RM,
    RO,
    RW,
    UPDATE,
    WRITE,
)
from balas.services.config import Config
from balas.structures.glob import match
from balas.structures.numbers import parse_int

UINT64_MAX = 2**64 - 1
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
LOOSE_INTEGER = re.compile(rb"[ \t\n\v\f\r]*[+-]?[0-9]+")
# A step of SCAN never has to look at more keys than this: it would have all of them.
SCAN_COUNT_MAX = 2**48


# --- existence ------------------------------------------------------------------------------------


@command(
    "DEL", arity=-2, flags=WRITE, keys=keys(1, -1, 1, RM | DELETE), group="generic", since="1.0.0"
)
def del_(ctx: Context, *names: bytes) -> Reply:
    """DEL key [key ...]

    Delete keys, and return how many of them were there.
    """
    return delete_all(ctx, names, lazy=ctx.service(Config).get("lazyfree-lazy-user-del"))


@command(
    "UNLINK",
    arity=-2,
    flags=WRITE | FAST,
    keys=keys(1, -1, 1, RM | DELETE),
    group="generic",
    since="4.0.0",
)
def unlink(ctx: Context, *names: bytes) -> Reply:
    """UNLINK key [key ...]

    Delete keys as DEL does, but free large values afterwards, in slices.
    """
    return delete_all(ctx, names, lazy=True)


def delete_all(ctx: Context, names: tuple[bytes, ...], lazy: bool) -> int:
    """Delete keys, and return how many of them were there."""
    deleted = 0
    for name in names:
        if ctx.delete(name, lazy):
            ctx.changed(name, "del")
            deleted += 1
    return deleted


@command(
    "EXISTS",
    arity=-2,
    flags=READONLY | FAST,
    keys=keys(1, -1, 1, RO),
    group="generic",
    since="1.0.0",
)
def exists(ctx: Context, *names: bytes) -> Reply:
    """EXISTS key [key ...]

    Return how many of the keys are there; one that is named twice counts twice.
    """
    return sum(ctx.exists(key) for key in names)


@command(
    "TOUCH",
    arity=-2,
    flags=READONLY | FAST,
    keys=keys(1, -1, 1, RO),
    group="generic",
    since="3.2.1",
)
def touch(ctx: Context, *names: bytes) -> Reply:
    """TOUCH key [key ...]

    Note that the keys were used, and return how many of them are there.
    """
    return sum(ctx.touch(key) for key in names)


@command("TYPE", arity=2, flags=READONLY | FAST, keys=key(1, RO), group="generic", since="1.0.0")
def type_(ctx: Context, key: bytes) -> Reply:
    """TYPE key

    Return the name of the type of the value at key, "none" if the key is missing.
    """
    return Status(ctx.type_name(key) or "none") if ctx.exists(key) else Status("none")


# --- looking for keys -----------------------------------------------------------------------------


@command("KEYS", arity=2, flags=READONLY, group="generic", since="1.0.0", categories=("dangerous",))
def keys_(ctx: Context, pattern: bytes) -> Reply:
    """KEYS pattern

    Return all keys that match a glob pattern. Everybody else waits meanwhile: use SCAN.
    """
    found = ctx.all_keys()
    return found if pattern == b"*" else [key for key in found if match(pattern, key)]


@command("RANDOMKEY", arity=1, flags=READONLY, group="generic", since="1.0.0")
def randomkey(ctx: Context) -> Reply:
    """RANDOMKEY

    Return a key by chance, null if there is none.
    """
    return ctx.random_key()


@command("SCAN", arity=-2, flags=READONLY, group="generic", since="2.8.0")
def scan(ctx: Context, cursor: bytes, *options: bytes) -> Reply:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]

    Return the next cursor, 0 at the end, and some keys. Who begins with cursor 0 and goes on to the
    end gets every key that is there all the while, some perhaps more than once.
    """
    position = scan_cursor(cursor)
    pattern, count, type_name = scan_options(options)
    following, found = ctx.scan(position, min(count, SCAN_COUNT_MAX))
    if pattern is not None:
        found = [key for key in found if match(pattern, key)]
    if type_name is not None:
        found = [key for key in found if (ctx.type_name(key) or "").lower().encode() == type_name]
    return [b"%d" % following, found]


def scan_cursor(text: bytes) -> int:
    """A cursor of SCAN and its kin; raises an error unless it is an unsigned 64-bit number.

    What C's strtoull takes for one is one, too, as in Redis: " -1" is 2**64 - 1, but "-1" is not.
    """
    text = text.partition(b"\0")[0]
    position = parse_int(text)
    if position is None and LOOSE_INTEGER.fullmatch(text) and abs(int(text)) <= UINT64_MAX:
        position = int(text) & UINT64_MAX
    if position is None or position < 0:
        raise ReplyError("ERR invalid cursor")
    return position


def scan_options(options: tuple[bytes, ...]) -> tuple[bytes | None, int, bytes | None]:
    """The pattern, the count and the lower-case name of the type that SCAN is given."""
    arguments = Arguments(options)
    pattern = type_name = None
    count = 10
    while arguments.more:
        word = arguments.take().upper()
        if word == b"COUNT" and arguments.more:
            count = arguments.take_int()
            if count < 1:
                raise ReplyError(SYNTAX)
        elif word == b"MATCH" and arguments.more:
            pattern = arguments.take()
        elif word == b"TYPE" and arguments.more:
            type_name = arguments.take().lower()
        elif word == b"NOVALUES":
            raise ReplyError("ERR NOVALUES option can only be used in HSCAN")
        else:
            raise ReplyError(SYNTAX)
    return pattern, count, type_name


# --- moving keys ----------------------------------------------------------------------------------


@command(
    "RENAME",
    arity=3,
    flags=WRITE,
    keys=(key(1, RW | ACCESS | DELETE), key(2, OW | UPDATE)),
    group="generic",
    since="1.0.0",
)
def rename(ctx: Context, key: bytes, new_key: bytes) -> Reply:
    """RENAME key newkey

    Give a key another name; a key that has that name already goes.
    """
    rename_to(ctx, key, new_key, overwrite=True)
    return OK


@command(
    "RENAMENX",
    arity=3,
    flags=WRITE | FAST,
    keys=(key(1, RW | ACCESS | DELETE), key(2, OW | INSERT)),
    group="generic",
    since="1.0.0",
)
def renamenx(ctx: Context, key: bytes, new_key: bytes) -> Reply:
    """RENAMENX key newkey

    Give a key another name unless a key has that name already: 1 if it was done.
    """
    return int(rename_to(ctx, key, new_key, overwrite=False))


def rename_to(ctx: Context, key: bytes, new_key: bytes, overwrite: bool) -> bool:
    """Rename a key, which must be there; False if the other one is there and may not be lost."""
    if not ctx.there(key):
        raise ReplyError(NO_SUCH_KEY)
    if key == new_key:
        return False
    replaced = ctx.type_name(new_key) if ctx.there(new_key) else None
    if replaced is not None and not overwrite:
        return False
    ctx.move_to(key, ctx, new_key)
    ctx.changed_too(key, "rename_from")
    ctx.changed(new_key, "rename_to")
    if replaced is not None:
        ctx.tell_overwritten(new_key, replaced == ctx.type_name(new_key))
    return True


@command(
    "MOVE",
    arity=3,
    flags=WRITE | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="generic",
    since="1.0.0",
)
def move(ctx: Context, key: bytes, db: bytes) -> Reply:
    """MOVE key db

    Move a key to another database unless it is there already: 1 if it was moved.
    """
    target = ctx.in_database(database_index(ctx, db))
    if target.db is ctx.db:
        raise ReplyError(SAME_OBJECT)
    if not ctx.there(key) or target.there(key):
        return 0
    ctx.move_to(key, target, key)
    ctx.changed_too(key, "move_from")
    ctx.changed_in(target.db, key, "move_to")
    return 1


@command(
    "COPY",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key(1, RO | ACCESS), key(2, OW | UPDATE)),
    group="generic",
    since="6.2.0",
)
def copy(ctx: Context, source: bytes, destination: bytes, *options: bytes) -> Reply:
    """COPY source destination [DB destination-db] [REPLACE]

    Copy a key, its value and its expiry time: 1 if it was done, 0 if the source is missing or the
    destination is there and REPLACE is not given.
    """
    index, replace = copy_options(ctx, options)
    target = ctx if index == ctx.db.index else ctx.in_database(index)
    if target is ctx and source == destination:
        raise ReplyError(SAME_OBJECT)
    if ctx.read_any(source) is None:
        return 0
    replaced = target.type_name(destination) if target.there(destination) else None
    if replaced is not None and not replace:
        return 0
    ctx.copy_to(source, target, destination)
    ctx.changed_in(target.db, destination, "copy_to")
    if replaced is not None:
        target.tell_overwritten(destination, replaced == target.type_name(destination))
    return 1


def copy_options(ctx: Context, options: tuple[bytes, ...]) -> tuple[int, bool]:
    """The database that COPY is to copy to, and whether it may overwrite."""
    arguments = Arguments(options)
    index, replace = ctx.db.index, False
    while arguments.more:
        word = arguments.take().upper()
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and arguments.more:
            index = database_index(ctx, arguments.take())
        else:
            raise ReplyError(SYNTAX)
    return index, replace


def database_index(ctx: Context, text: bytes) -> int:
    """The index of a database that there is; an error otherwise."""
    index = bounded(text, INT32_MIN, INT32_MAX)
    if not 0 <= index < len(ctx.engine.databases):
        raise ReplyError(DB_INDEX_OUT_OF_RANGE)
    return index
