"""Commands of the group *server* about the server as a whole: what it is, what it holds, its end.

The rest of the group stands in files of its own: `config`, `persistence`, `command`, `debug`,
`slowlog`, `latency`, `memory`, `module`.
"""

from __future__ import annotations

from contextlib import suppress

from balas import REDIS_VERSION
from balas.engine.attention import LOADING as IS_LOADING
from balas.engine.context import Context
from balas.errors import DB_INDEX_OUT_OF_RANGE, SYNTAX, ReplyError
from balas.protocol.replies import NO_REPLY, OK, Reply, Verbatim
from balas.registry import command, integer
from balas.registry.flags import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_MULTI,
    NOSCRIPT,
    READONLY,
    STALE,
    WRITE,
)
from balas.services.children import WorkFailed
from balas.services.config import Config
from balas.services.info import Info
from balas.services.monitor import Monitor
from balas.services.shutdown import Shutdown, ShutdownFailed
from balas.services.snapshots import Snapshots

SHUTDOWN_WORDS = frozenset((b"nosave", b"save", b"now", b"force"))


@command(
    "INFO",
    arity=-1,
    flags=LOADING | STALE,
    group="server",
    since="1.0.0",
    categories=("dangerous",),
)
def info(ctx: Context, *sections: bytes) -> Reply:
    """INFO [section [section ...]]

    Return facts and figures about the server, by section; "all" and "everything" name many.
    """
    return Verbatim(ctx.service(Info).text(sections))


@command("TIME", arity=1, flags=LOADING | STALE | FAST, group="server", since="2.6.0")
def time(ctx: Context) -> Reply:
    """TIME

    Return the Unix time: seconds, and the microseconds of the current second.
    """
    now_us = ctx.engine.clock.now_us()
    return [b"%d" % (now_us // 1_000_000), b"%d" % (now_us % 1_000_000)]


@command(
    "DBSIZE",
    arity=1,
    flags=READONLY | FAST,
    group="server",
    since="1.0.0",
    categories=("keyspace",),
)
def dbsize(ctx: Context) -> Reply:
    """DBSIZE

    Return how many keys the database holds, those included that have expired unnoticed.
    """
    return len(ctx.db)


@command(
    "FLUSHDB",
    arity=-1,
    flags=WRITE,
    group="server",
    since="1.0.0",
    categories=("keyspace", "dangerous"),
)
def flushdb(ctx: Context, *options: bytes) -> Reply:
    """FLUSHDB [ASYNC | SYNC]

    Remove all keys of the database.
    """
    lazily = flushes_lazily(ctx, options)
    keys = ctx.db.flush(lazily)
    ctx.changed_all(ctx.db, keys)
    return OK


@command(
    "FLUSHALL",
    arity=-1,
    flags=WRITE,
    group="server",
    since="1.0.0",
    categories=("keyspace", "dangerous"),
)
def flushall(ctx: Context, *options: bytes) -> Reply:
    """FLUSHALL [ASYNC | SYNC]

    Remove all keys of all databases.
    """
    lazily = flushes_lazily(ctx, options)
    keys = 0
    for db in ctx.engine.databases:
        keys += db.flush(lazily)
        ctx.changes.touch_all(db)
    save_emptiness(ctx)
    ctx.changed_all(ctx.db, keys)
    return OK


def save_emptiness(ctx: Context) -> None:
    """Make the last snapshot an empty one, where there are save points: the keys are to be gone."""
    if not ctx.service(Config).get("save") or ctx.engine.attention & IS_LOADING:
        return
    snapshots = ctx.service(Snapshots)
    snapshots.stop()
    with suppress(WorkFailed):  # it was logged, and writes are refused until one succeeds
        snapshots.save()


def flushes_lazily(ctx: Context, options: tuple[bytes, ...]) -> bool:
    """Whether the keys are freed in slices: ASYNC, SYNC, or what lazyfree-lazy-user-flush says."""
    words = [option.lower() for option in options]
    if not words:
        lazily: bool = ctx.service(Config).get("lazyfree-lazy-user-flush")
        return lazily
    if words not in ([b"async"], [b"sync"]):
        raise ReplyError(SYNTAX)
    return words == [b"async"]


@command(
    "SWAPDB",
    arity=3,
    flags=WRITE | FAST,
    group="server",
    since="4.0.0",
    categories=("keyspace", "dangerous"),
)
def swapdb(ctx: Context, index1: bytes, index2: bytes) -> Reply:
    """SWAPDB index1 index2

    Exchange two databases: clients of one see the keys of the other from now on.
    """
    first = integer(index1, error="ERR invalid first DB index")
    second = integer(index2, error="ERR invalid second DB index")
    databases = ctx.engine.databases
    if not (0 <= first < len(databases) and 0 <= second < len(databases)):
        raise ReplyError(DB_INDEX_OUT_OF_RANGE)
    if first != second:
        databases[first].swap_contents(databases[second])
        ctx.changes.touch_all(databases[first])
        ctx.changed_all(databases[second], 1)
    return OK


@command(
    "SHUTDOWN",
    arity=-1,
    flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY,
    group="server",
    since="1.0.0",
)
def shutdown(ctx: Context, *options: bytes) -> Reply:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]

    Save what is to be saved and end the server. There is no reply but for a failure.
    """
    words = {option.lower() for option in options}
    if b"abort" in words:
        if words != {b"abort"}:
            raise ReplyError(SYNTAX)
        if not ctx.service(Shutdown).abort():
            raise ReplyError("ERR No shutdown in progress.")
        return OK
    if not words <= SHUTDOWN_WORDS or {b"save", b"nosave"} <= words:
        raise ReplyError(SYNTAX)
    if b"now" not in words and not ctx.may_block:
        raise ReplyError("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client")
    try:
        ctx.service(Shutdown).run(frozenset(word.decode() for word in words))
    except ShutdownFailed:
        raise ReplyError("ERR Errors trying to SHUTDOWN. Check logs.") from None
    return NO_REPLY


@command(
    "MONITOR", arity=1, flags=ADMIN | NOSCRIPT | LOADING | STALE, group="server", since="1.0.0"
)
def monitor(ctx: Context) -> Reply:
    """MONITOR

    Show this client every command that the server runs from now on.
    """
    if not ctx.may_block:
        raise ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    ctx.service(Monitor).join(ctx.client)
    return OK


@command("LOLWUT", arity=-1, flags=READONLY | FAST, group="server", since="5.0.0")
def lolwut(ctx: Context, *options: bytes) -> Reply:
    """LOLWUT [VERSION version]

    Return the version, and a word about the name.
    """
    if len(options) > 1 and options[0].upper() == b"VERSION":
        integer(options[1])
    text = (
        "A balas is a spinel, red as a ruby; for centuries nobody told them apart.\n"
        f"\nRedis ver. {REDIS_VERSION}\n"
    )
    return Verbatim(text)
