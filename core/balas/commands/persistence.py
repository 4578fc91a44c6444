"""Commands of the group *server* that bring data to disk."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import OK, Reply, Status
from balas.registry import command
from balas.registry.flags import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE
from balas.services.aof.append import AppendOnlyFile
from balas.services.children import Children, WorkFailed
from balas.services.snapshots import Snapshots

IN_PROGRESS = "ERR Background save already in progress"
ANOTHER_CHILD = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in "
    "order to schedule a BGSAVE whenever possible."
)
REWRITE_IN_PROGRESS = "ERR Background append only file rewriting already in progress"
CANNOT_REWRITE = (
    "ERR Can't execute an AOF background rewriting. Please check the server logs for more "
    "information."
)
CHANGING = ADMIN | NOSCRIPT | NO_ASYNC_LOADING


@command("SAVE", arity=1, flags=CHANGING | NO_MULTI, group="server", since="1.0.0")
def save(ctx: Context) -> Reply:
    """SAVE

    Write a snapshot of all databases while everybody waits.
    """
    snapshots = ctx.service(Snapshots)
    if snapshots.in_progress:
        raise ReplyError(IN_PROGRESS)
    try:
        snapshots.save()
    except WorkFailed:
        raise ReplyError("ERR") from None
    return OK


@command("BGSAVE", arity=-1, flags=CHANGING, group="server", since="1.0.0")
def bgsave(ctx: Context, *options: bytes) -> Reply:
    """BGSAVE [SCHEDULE]

    Have a child process write a snapshot. With SCHEDULE it is made later if another child is at
    work.
    """
    snapshots = ctx.service(Snapshots)
    if options and (len(options) > 1 or options[0].lower() != b"schedule"):
        raise ReplyError(SYNTAX)
    if snapshots.in_progress:
        raise ReplyError(IN_PROGRESS)
    if ctx.service(Children).current is not None or not ctx.may_block:
        if not options and ctx.may_block:
            raise ReplyError(ANOTHER_CHILD)
        snapshots.scheduled = True
        return Status("Background saving scheduled")
    try:
        snapshots.start()
    except OSError:
        raise ReplyError("ERR") from None
    return Status("Background saving started")


@command("BGREWRITEAOF", arity=1, flags=CHANGING, group="server", since="1.0.0")
def bgrewriteaof(ctx: Context) -> Reply:
    """BGREWRITEAOF

    Have a child process write the append-only file anew, as short as it can be.
    """
    rewriting = ctx.service(AppendOnlyFile).rewriting
    if rewriting.in_progress:
        raise ReplyError(REWRITE_IN_PROGRESS)
    if ctx.service(Children).current is not None or not ctx.may_block:
        rewriting.schedule()
        return Status("Background append only file rewriting scheduled")
    try:
        rewriting.start()
    except OSError:
        raise ReplyError(CANNOT_REWRITE) from None
    return Status("Background append only file rewriting started")


@command(
    "LASTSAVE",
    arity=1,
    flags=LOADING | STALE | FAST,
    group="server",
    since="1.0.0",
    categories=("admin", "dangerous"),
)
def lastsave(ctx: Context) -> Reply:
    """LASTSAVE

    Return the Unix time in seconds of the last snapshot that succeeded.
    """
    return ctx.service(Snapshots).last_save_ms // 1000
