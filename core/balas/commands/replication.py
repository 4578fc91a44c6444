"""Commands of the group *server* with which servers follow each other."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import NO_REPLY, OK, Reply, Status
from balas.registry import Arguments, command, integer
from balas.registry.flags import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    STALE,
)
from balas.services.config.special import Primary
from balas.services.config.store import Config
from balas.services.replication.following import CONNECTED, Following
from balas.services.replication.replicas import Replicas

PORT_MAX = 65535
NO_MASTER_LINK = "NOMASTERLINK Can't SYNC while not connected with my master"
CANNOT_FAIL_OVER = "ERR FAILOVER is not supported: send REPLICAOF NO ONE to the replica instead"


@command(
    "SYNC",
    arity=1,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI,
    group="server",
    since="1.0.0",
)
def sync(ctx: Context) -> Reply:
    """SYNC

    Send the data set as an RDB file, then every change of it, to this client.
    """
    if ctx.client.kind == "normal":
        check_linked(ctx)
        ctx.service(Replicas).begin(ctx.client, partial=False)
    return NO_REPLY


def check_linked(ctx: Context) -> None:
    """Refuse to pass on what this server does not get itself."""
    following = ctx.service(Following)
    if following.primary is not None and following.state != CONNECTED:
        raise ReplyError(NO_MASTER_LINK)


@command(
    "PSYNC",
    arity=-3,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI,
    group="server",
    since="2.8.0",
)
def psync(ctx: Context, replicationid: bytes, offset: bytes, *failover: bytes) -> Reply:
    """PSYNC replicationid offset

    Go on to send every change from an offset on, or, where that is not possible, begin as SYNC
    does.
    """
    position = integer(offset)
    if ctx.client.kind != "normal":
        return NO_REPLY
    check_linked(ctx)
    replicas = ctx.service(Replicas)
    if not replicas.go_on(ctx.client, replicationid.decode("latin-1").lower(), position):
        replicas.begin(ctx.client, partial=True)
    return NO_REPLY


@command(
    "REPLCONF",
    arity=-1,
    flags=ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY,
    group="server",
    since="3.0.0",
)
def replconf(ctx: Context, *options: bytes) -> Reply:
    """REPLCONF

    A replica tells of itself: pairs of a name and a value.
    """
    if len(options) % 2:
        raise ReplyError(SYNTAX)
    replicas = ctx.service(Replicas)
    greeting = replicas.greeting(ctx.client)
    pairs = [(options[i].lower(), options[i + 1]) for i in range(0, len(options), 2)]
    for name, value in pairs:
        if name == b"listening-port":
            greeting.port = integer(value, 0, PORT_MAX)
        elif name == b"ip-address":
            greeting.address = value.decode("latin-1")
        elif name == b"capa":
            greeting.capabilities.add(value.lower())
        elif name == b"rdb-only":
            greeting.snapshot_only = bool(integer(value, 0, 1))
        elif name == b"version":
            continue
        elif name == b"ack":
            on_disk = dict(pairs).get(b"fack", b"0")
            replicas.acknowledge(ctx.client, integer(value), integer(on_disk))
            return NO_REPLY
        elif name == b"getack":
            if ctx.client.kind == "primary":
                ctx.service(Following).acknowledge()
            return NO_REPLY
        else:
            raise ReplyError(f"ERR Unrecognized REPLCONF option: {name.decode('latin-1')}")
    return OK


@command(
    "ROLE",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST,
    group="server",
    since="2.8.12",
    categories=("admin", "dangerous"),
)
def role(ctx: Context) -> Reply:
    """ROLE

    Tell whether this server is a primary, how far its stream of changes is and who follows it; or
    whom it follows, in what state the link is and how far this server has come.
    """
    following = ctx.service(Following)
    if following.primary is not None:
        return following.role()
    replicas = ctx.service(Replicas)
    followers = [
        [host.encode(), b"%d" % port, b"%d" % one.acknowledged]
        for one in replicas
        for host, port in (one.address,)
        if one.state == "online"
    ]
    return [b"master", replicas.offset, followers]


def follow(ctx: Context, host: bytes, port: bytes) -> Reply:
    """Follow another server, or be a primary."""
    following = ctx.service(Following)
    if ctx.service(Config).get("cluster-enabled"):
        raise ReplyError("ERR REPLICAOF not allowed in cluster mode.")
    if host.lower() == b"no" and port.lower() == b"one":
        if following.primary is not None:
            following.follow(None)
        return OK
    if ctx.client.kind == "replica":
        raise ReplyError("ERR Command is not valid when client is a replica.")
    primary = Primary(host.decode("latin-1"), integer(port, 0, PORT_MAX, "ERR Invalid master port"))
    if following.primary == primary:
        return Status("OK Already connected to specified master")
    following.follow(primary)
    return OK


@command(
    "REPLICAOF",
    arity=3,
    flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING,
    group="server",
    since="5.0.0",
)
def replicaof(ctx: Context, host: bytes, port: bytes) -> Reply:
    """REPLICAOF host port | NO ONE

    Have this server's data replaced by another server's, and follow all their changes; or with NO
    ONE stop that, and keep the data.
    """
    return follow(ctx, host, port)


@command(
    "SLAVEOF",
    arity=3,
    flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
)
def slaveof(ctx: Context, host: bytes, port: bytes) -> Reply:
    """SLAVEOF host port | NO ONE

    The old name of REPLICAOF.
    """
    return follow(ctx, host, port)


@command("FAILOVER", arity=-1, flags=ADMIN | NOSCRIPT | STALE, group="server", since="6.2.0")
def failover(ctx: Context, *options: bytes) -> Reply:
    """FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]

    Change places with a replica, which this server does not do by itself.
    """
    if ctx.service(Following).primary is not None:
        raise ReplyError("ERR FAILOVER is not valid when server is a replica.")
    cursor = Arguments(options)
    if len(options) == 1 and cursor.eat(b"ABORT"):
        raise ReplyError("ERR No failover in progress.")
    seen: set[bytes] = set()
    while cursor.more:
        word = cursor.take().upper()
        if word in seen:
            raise ReplyError(SYNTAX)
        seen.add(word)
        if word == b"TIMEOUT" and cursor.more:
            if cursor.take_int() <= 0:
                raise ReplyError("ERR FAILOVER timeout must be greater than 0")
        elif word == b"TO" and cursor.left >= 2:
            cursor.take()
            cursor.take_int()
        elif word != b"FORCE":
            raise ReplyError(SYNTAX)
    if not any(one.state == "online" for one in ctx.service(Replicas)):
        raise ReplyError("ERR FAILOVER requires connected replicas.")
    raise ReplyError(CANNOT_FAIL_OVER)
