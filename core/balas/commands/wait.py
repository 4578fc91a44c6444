"""WAIT and WAITAOF, of the group *generic*: how far what a client wrote has got."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import TIMEOUT_NEGATIVE, ReplyError
from balas.protocol.replies import Reply
from balas.registry import bounded, command, integer
from balas.registry.flags import BLOCKING
from balas.services.aof.append import AppendOnlyFile
from balas.services.replication.following import Following
from balas.services.replication.replicas import Replicas

INT64_MAX = 2**63 - 1
POSITIVE = "ERR value is out of range, must be positive"
WAIT_ON_REPLICA = (
    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a "
    "replica is configured to be writable (which is not the default) writes to replicas are just "
    "local and are not propagated."
)
WAITAOF_ON_REPLICA = (
    "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas "
    "are just local and are not propagated."
)
TIMEOUT_NOT_AN_INTEGER = "ERR timeout is not an integer or out of range"


@command(
    "WAIT",
    arity=3,
    flags=BLOCKING,
    group="generic",
    since="3.0.0",
    categories=("connection", "-keyspace"),
)
def wait(ctx: Context, numreplicas: bytes, timeout: bytes) -> Reply:
    """WAIT numreplicas timeout

    Wait until as many replicas have what this client wrote, or so many milliseconds are over (0:
    for ever); return how many have it.
    """
    wanted = integer(numreplicas)
    timeout_ms = wait_timeout(ctx, timeout)
    check_primary(ctx, WAIT_ON_REPLICA)
    return ctx.service(Replicas).wait(ctx, wanted, timeout_ms, lambda count: count)


@command(
    "WAITAOF",
    arity=4,
    flags=BLOCKING,
    group="generic",
    since="7.2.0",
    categories=("connection", "-keyspace"),
)
def waitaof(ctx: Context, numlocal: bytes, numreplicas: bytes, timeout: bytes) -> Reply:
    """WAITAOF numlocal numreplicas timeout

    Wait until what this client wrote is on disk here (numlocal 1) and at as many replicas, or so
    many milliseconds are over (0: for ever); return both numbers.
    """
    local = bounded(numlocal, 0, 1)
    replicas = integer(numreplicas, 0, INT64_MAX, POSITIVE)
    timeout_ms = wait_timeout(ctx, timeout)
    check_primary(ctx, WAITAOF_ON_REPLICA)
    log = ctx.service(AppendOnlyFile)
    if local and not log.enabled:
        raise ReplyError(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
        )
    # The disk is waited for here and now, whatever the timeout: it is the faster way.
    on_disk = int(log.bring_to_disk() if local else log.on_disk)
    if on_disk >= local and replicas == 0:
        return [on_disk, 0]
    if on_disk < local:
        return ctx.block((), timeout_ms, [on_disk, 0])
    return ctx.service(Replicas).wait(
        ctx, replicas, timeout_ms, lambda count: [on_disk, count], on_disk=True
    )


def check_primary(ctx: Context, refusal: str) -> None:
    """Refuse to wait for replicas on one."""
    if ctx.service(Following).primary is not None:
        raise ReplyError(refusal)


def wait_timeout(ctx: Context, text: bytes) -> int:
    """A timeout in ms, 0 for none; raises an error for what is no number, negative or too late."""
    timeout_ms = integer(text, error=TIMEOUT_NOT_AN_INTEGER)
    if timeout_ms < 0:
        raise ReplyError(TIMEOUT_NEGATIVE)
    if timeout_ms > INT64_MAX - ctx.now_ms:
        raise ReplyError("ERR timeout is out of range")
    return timeout_ms
