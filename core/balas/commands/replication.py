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
from balas.services.identity import Identity
from balas.services.replication.failover import NONE, Failover
from balas.services.replication.following import CONNECTED, Following
from balas.services.replication.replicas import ONLINE, Replicas
from balas.services.snapshots import FUNCTIONS

PORT_MAX = 65535
NO_MASTER_LINK = "NOMASTERLINK Can't SYNC while not connected with my master"


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
    if failover and failover[0].upper() == b"FAILOVER":
        take_over(ctx, replicationid.decode("latin-1").lower())
    check_linked(ctx)
    replicas = ctx.service(Replicas)
    if not replicas.go_on(ctx.client, replicationid.decode("latin-1").lower(), position):
        replicas.begin(ctx.client, partial=True)
    return NO_REPLY


def take_over(ctx: Context, history: str) -> None:
    """The primary asks this replica to be the primary in its place."""
    following = ctx.service(Following)
    if following.primary is None:
        raise ReplyError("ERR PSYNC FAILOVER can't be sent to a master.")
    if history != ctx.service(Identity).replication_id:
        raise ReplyError("ERR PSYNC FAILOVER replid must match my replid.")
    following.follow(None)


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
        elif name == b"rdb-filter-only":
            greeting.parts = wanted_parts(value)
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


def wanted_parts(words: bytes) -> frozenset[bytes]:
    """What a client wants of the content: of all that could be named, functions alone."""
    parts = frozenset(word.lower() for word in words.split())
    for part in parts - {FUNCTIONS}:
        shown = part.decode("latin-1")
        raise ReplyError(f"ERR Unsupported rdb-filter-only option: {shown}")
    return parts


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

    Change places with a replica as soon as it has everything; writes wait meanwhile.
    """
    if ctx.service(Config).get("cluster-enabled"):
        raise ReplyError("ERR FAILOVER not allowed in cluster mode.")
    change = ctx.service(Failover)
    cursor = Arguments(options)
    if len(options) == 1 and cursor.eat(b"ABORT"):
        if change.state == NONE:
            raise ReplyError("ERR No failover in progress.")
        change.abort("Failover manually aborted")
        return OK
    target, timeout_ms, forced = None, 0, False
    while cursor.more:
        word = cursor.take().upper()
        if word == b"TIMEOUT" and cursor.more and not timeout_ms:
            timeout_ms = cursor.take_int()
            if timeout_ms <= 0:
                raise ReplyError("ERR FAILOVER timeout must be greater than 0")
        elif word == b"TO" and cursor.left >= 2 and target is None:
            target = Primary(cursor.take().decode("latin-1"), cursor.take_int())
        elif word == b"FORCE" and not forced:
            forced = True
        else:
            raise ReplyError(SYNTAX)
    check_failover(ctx, target, complete=bool(timeout_ms and target) or not forced)
    change.start(target, timeout_ms, forced=forced)
    return OK


def check_failover(ctx: Context, target: Primary | None, *, complete: bool) -> None:
    """Refuse what cannot begin, or is not said completely."""
    if ctx.service(Failover).state != NONE:
        raise ReplyError("ERR FAILOVER already in progress.")
    if ctx.service(Following).primary is not None:
        raise ReplyError("ERR FAILOVER is not valid when server is a replica.")
    if not len(ctx.service(Replicas)):
        raise ReplyError("ERR FAILOVER requires connected replicas.")
    if not complete:
        raise ReplyError(
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
        )
    if target is not None:
        replica = ctx.service(Failover).replica_at(target)
        if replica is None:
            raise ReplyError("ERR FAILOVER target HOST and PORT is not a replica.")
        if replica.state != ONLINE:
            raise ReplyError("ERR FAILOVER target replica is not online.")
