"""Commands of the group *connection*, but for CLIENT's, which have a file of their own."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import DB_INDEX_OUT_OF_RANGE, INVALID_DB_INDEX, ReplyError
from balas.protocol.replies import OK, PONG, Reply
from balas.registry import command, integer
from balas.registry.flags import FAST, LOADING, STALE


@command("PING", arity=-1, flags=FAST, group="connection", since="1.0.0")
def ping(ctx: Context, *message: bytes) -> Reply:
    """PING [message]

    Answer PONG, or the message: to see that the server is there.
    """
    if len(message) > 1:
        raise ReplyError("ERR wrong number of arguments for 'ping' command")
    if ctx.client.subscriptions and ctx.resp == 2:
        return [b"pong", message[0] if message else b""]
    return message[0] if message else PONG


@command("ECHO", arity=2, flags=LOADING | STALE | FAST, group="connection", since="1.0.0")
def echo(ctx: Context, message: bytes) -> Reply:
    """ECHO message

    Return the message.
    """
    return message


@command("SELECT", arity=2, flags=LOADING | STALE | FAST, group="connection", since="1.0.0")
def select(ctx: Context, index: bytes) -> Reply:
    """SELECT index

    Use another database from now on.
    """
    number = integer(index, error=INVALID_DB_INDEX)
    if not 0 <= number < len(ctx.engine.databases):
        raise ReplyError(DB_INDEX_OUT_OF_RANGE)
    ctx.client.db = ctx.engine.databases[number]
    return OK
