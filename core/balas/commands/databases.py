"""Whole databases, part of the group *server*."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import DB_INDEX_OUT_OF_RANGE, ReplyError
from balas.protocol.replies import OK, Reply
from balas.registry import command, integer
from balas.registry.flags import FAST, WRITE


@command(
    "SWAPDB",
    arity=3,
    flags=WRITE | FAST,
    group="server",
    since="4.0.0",
    categories=("keyspace", "dangerous"),
)
def swapdb(ctx: Context, first: bytes, second: bytes) -> Reply:
    """SWAPDB index1 index2

    Exchange two databases: clients of the one see the keys of the other from now on.
    """
    one = integer(first, error="ERR invalid first DB index")
    other = integer(second, error="ERR invalid second DB index")
    databases = ctx.engine.databases
    if not (0 <= one < len(databases) and 0 <= other < len(databases)):
        raise ReplyError(DB_INDEX_OUT_OF_RANGE)
    if one != other:
        databases[one].swap_contents(databases[other])
        ctx.changes.touch_all(databases[other])
    ctx.changed_all(databases[one], 1)
    return OK
