"""Commands of the group *transactions*. Queueing itself is a gate (engine.gates)."""

from __future__ import annotations

from balas.engine import attention
from balas.engine.context import Context
from balas.errors import EXEC_ABORT, ReplyError
from balas.protocol.replies import NO_REPLY, NULL_ARRAY, OK, Reply
from balas.registry import command, keys
from balas.registry.flags import ALLOW_BUSY, FAST, LOADING, NOSCRIPT, RO, SKIP_SLOWLOG, STALE
from balas.registry.spec import CommandSpec
from balas.services.acl.users import Acl
from balas.services.tracking import Tracking

RULES_CHANGED = (
    "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC "
    "call. This command is no longer allowed for the following reason: "
)
REASONS = {
    "command": "no permission to execute the command or subcommand",
    "key": "no permission to touch the specified keys",
    "channel": "no permission to access one of the channels used as argument to the command",
}
FREE = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY


@command("MULTI", arity=1, flags=FREE, group="transactions", since="1.2.0")
def multi(ctx: Context) -> Reply:
    """MULTI

    Queue the commands that follow until EXEC runs them as one.
    """
    client = ctx.client
    if client.queue is not None:
        raise ReplyError("ERR MULTI calls can not be nested")
    client.queue = []
    client.set_attention(attention.MULTI, True)
    return OK


@command("DISCARD", arity=1, flags=FREE, group="transactions", since="2.0.0")
def discard(ctx: Context) -> Reply:
    """DISCARD

    Forget the queued commands and the watched keys.
    """
    if ctx.client.queue is None:
        raise ReplyError("ERR DISCARD without MULTI")
    ctx.engine.discard(ctx.client)
    return OK


@command(
    "EXEC",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG,
    group="transactions",
    since="1.2.0",
)
def execute(ctx: Context) -> Reply:
    """EXEC

    Run the queued commands, with nothing of other clients between them. Null if a watched key was
    changed.
    """
    client = ctx.client
    if client.queue is None:
        raise ReplyError("ERR EXEC without MULTI")
    queue, broken = client.queue, client.queue_broken
    changed = client.watch_broken or ctx.changes.watched_expired(client)
    ctx.engine.discard(client)
    if broken:
        raise ReplyError(EXEC_ABORT)
    if changed:
        return NULL_ARRAY
    # Each reply is written before the next command runs: it may be part of a value that changes.
    client.writer.array(len(queue))
    for spec, argv in queue:
        try:
            if client.attention & attention.RESTRICTED:
                permit(ctx, spec, argv)
            if client.attention & attention.TRACKING:
                ctx.service(Tracking).ran_within(client, spec, argv)
            reply = ctx.engine.execute(ctx, spec, argv)
        except ReplyError as error:
            reply = error
        ctx.engine.write_reply(client, spec, reply)
    ctx.service(Tracking).transaction_over(client)
    return NO_REPLY


def permit(ctx: Context, spec: CommandSpec, argv: list[bytes]) -> None:
    """Refuse a queued command that the client's user may not run any more."""
    denial = ctx.service(Acl).permit(ctx.client, spec, argv, "multi")
    if denial is not None:
        raise ReplyError(RULES_CHANGED + REASONS[denial.reason])


@command(
    "WATCH", arity=-2, flags=FREE, keys=keys(1, -1, 1, RO), group="transactions", since="2.2.0"
)
def watch(ctx: Context, *names: bytes) -> Reply:
    """WATCH key [key ...]

    Let the next EXEC do nothing if one of the keys is changed before.
    """
    if ctx.client.queue is not None:
        raise ReplyError("ERR WATCH inside MULTI is not allowed")
    # A client that has lost already need not watch any further.
    if not ctx.client.watch_broken:
        for key in names:
            ctx.changes.watch(ctx.client, ctx.db, key)
    return OK


@command("UNWATCH", arity=1, flags=FREE, group="transactions", since="2.2.0")
def unwatch(ctx: Context) -> Reply:
    """UNWATCH

    Forget all watched keys.
    """
    ctx.engine.unwatch(ctx.client)
    return OK
