"""Commands of the group *transactions*. Queueing itself is a gate (engine.gates)."""

from __future__ import annotations

from balas.engine import attention
from balas.engine.client import Client
from balas.engine.context import Context
from balas.errors import EXEC_ABORT, ReplyError
from balas.protocol.replies import NULL_ARRAY, OK, Reply
from balas.registry import command, keys
from balas.registry.flags import ALLOW_BUSY, FAST, LOADING, NO_MULTI, NOSCRIPT, RO, STALE

FREE = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY


def end_transaction(ctx: Context, client: Client) -> None:
    """Forget the queue and the watched keys."""
    client.queue = None
    client.queue_broken = False
    client.set_attention(attention.MULTI, False)
    ctx.engine.unwatch(client)


@command("MULTI", arity=1, flags=FREE, group="transactions", since="1.2.0")
def multi(ctx: Context) -> Reply:
    """MULTI

    Queue the commands that follow until EXEC runs them as one.
    """
    client = ctx.client
    if client.queue is not None:
        raise ReplyError("ERR MULTI calls can not be nested")
    client.queue = []
    client.queue_broken = False
    client.set_attention(attention.MULTI, True)
    return OK


@command("DISCARD", arity=1, flags=FREE, group="transactions", since="2.0.0")
def discard(ctx: Context) -> Reply:
    """DISCARD

    Forget the queued commands and the watched keys.
    """
    if ctx.client.queue is None:
        raise ReplyError("ERR DISCARD without MULTI")
    end_transaction(ctx, ctx.client)
    return OK


@command("EXEC", arity=1, flags=NOSCRIPT | LOADING | STALE, group="transactions", since="1.2.0")
def execute(ctx: Context) -> Reply:
    """EXEC

    Run the queued commands, with nothing of other clients between them. Null if a watched key was changed.
    """
    client = ctx.client
    if client.queue is None:
        raise ReplyError("ERR EXEC without MULTI")
    queue, broken = client.queue, client.queue_broken
    changed = client.watch_broken or watched_expired(ctx)
    end_transaction(ctx, client)
    if broken:
        raise ReplyError(EXEC_ABORT)
    if changed:
        return NULL_ARRAY
    replies: list[Reply] = []
    for spec, argv in queue:
        try:
            if spec.retired:
                spec = ctx.engine.resolve_list(argv)  # its module went, or came back, meanwhile
            replies.append(ctx.engine.execute(ctx, spec, argv))
        except ReplyError as error:
            replies.append(error)
    return replies


def watched_expired(ctx: Context) -> bool:
    """Whether a watched key that was there has expired and was not deleted yet."""
    for index, key in ctx.client.watching:
        expire_at = ctx.database(index).expire_at(key)
        if 0 <= expire_at < ctx.now_ms and (index, key) not in ctx.client.data.get(Watched, ()):
            return True
    return False


class Watched(set[tuple[int, bytes]]):
    """Keys that were expired already when the client began to watch them: their deletion is no change."""


@command("WATCH", arity=-2, flags=FREE | NO_MULTI, keys=keys(1, -1, 1, RO), group="transactions", since="2.2.0")
def watch(ctx: Context, *names: bytes) -> Reply:
    """WATCH key [key ...]

    Let the next EXEC do nothing if one of the keys is changed before.
    """
    client = ctx.client
    if client.queue is not None:
        raise ReplyError("ERR WATCH inside MULTI is not allowed")
    for key in names:
        place = (ctx.db.index, key)
        if place not in client.watching:
            client.watching[place] = None
            ctx.changes.watched.setdefault(place, {})[client] = None
            if 0 <= ctx.db.expire_at(key) < ctx.now_ms:
                client.data.setdefault(Watched, Watched()).add(place)
    ctx.changes.observe()
    return OK


@command("UNWATCH", arity=1, flags=FREE, group="transactions", since="2.2.0")
def unwatch(ctx: Context) -> Reply:
    """UNWATCH

    Forget all watched keys.
    """
    ctx.engine.unwatch(ctx.client)
    return OK
