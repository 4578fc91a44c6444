"""CLIENT TRACKING and its kin, of the group *connection*: caches in clients."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import OK, Pairs, Reply, SetReply
from balas.registry import Arguments, command
from balas.registry.flags import LOADING, NOSCRIPT, STALE
from balas.services.tracking import Tracked, Tracking

OWN = NOSCRIPT | LOADING | STALE
NO_SUCH_CLIENT = "ERR The client ID you want redirect to does not exist"


@command("CLIENT TRACKING", arity=-3, flags=OWN, group="connection", since="6.0.0")
def client_tracking(ctx: Context, status: bytes, *words: bytes) -> Reply:
    """CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST]
    [OPTIN] [OPTOUT] [NOLOOP]

    Tell this connection, or the one of REDIRECT, when keys change that it has read, or with BCAST
    keys with one of the prefixes.
    """
    wanted = tracking_options(ctx, words)
    tracking = ctx.service(Tracking)
    if status.lower() == b"off":
        tracking.stop(ctx.client)
        return OK
    if status.lower() != b"on":
        raise ReplyError(SYNTAX)
    if wanted.prefixes and not wanted.broadcast:
        raise ReplyError("ERR PREFIX option requires BCAST mode to be enabled")
    tracking.start(wanted)
    return OK


def tracking_options(ctx: Context, words: tuple[bytes, ...]) -> Tracked:
    """Read what follows ON or OFF."""
    wanted = Tracked(ctx.client)
    args = Arguments(words)
    while args.more:
        if args.left >= 2 and args.eat(b"REDIRECT"):
            if wanted.redirect:
                raise ReplyError("ERR A client can only redirect to a single other client")
            wanted.redirect = args.take_int()
            if wanted.redirect not in ctx.engine.clients:
                raise ReplyError(NO_SUCH_CLIENT)
        elif args.left >= 2 and args.eat(b"PREFIX"):
            wanted.prefixes.append(args.take())
        elif args.eat(b"BCAST"):
            wanted.broadcast = True
        elif args.eat(b"OPTIN"):
            wanted.opt_in = True
        elif args.eat(b"OPTOUT"):
            wanted.opt_out = True
        elif args.eat(b"NOLOOP"):
            wanted.no_loop = True
        else:
            raise ReplyError(SYNTAX)
    return wanted


@command("CLIENT CACHING", arity=3, flags=OWN, group="connection", since="6.0.0")
def client_caching(ctx: Context, mode: bytes) -> Reply:
    """CLIENT CACHING <YES | NO>

    Say whether what the next command reads is kept by this connection.
    """
    tracked = ctx.service(Tracking).of(ctx.client)
    if tracked is None:
        raise ReplyError(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN "
            "or OPTOUT mode enabled"
        )
    word = mode.upper()
    if word == b"YES" and not tracked.opt_in:
        raise ReplyError(
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
        )
    if word == b"NO" and not tracked.opt_out:
        raise ReplyError(
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
        )
    if word not in (b"YES", b"NO"):
        raise ReplyError(SYNTAX)
    tracked.caching = True
    return OK


@command("CLIENT GETREDIR", arity=2, flags=OWN, group="connection", since="6.0.0")
def client_getredir(ctx: Context) -> Reply:
    """CLIENT GETREDIR

    Return the id of the connection that is told for this one; 0 if none is, -1 without tracking.
    """
    return ctx.service(Tracking).redirect_of(ctx.client)


@command("CLIENT TRACKINGINFO", arity=2, flags=OWN, group="connection", since="6.2.0")
def client_trackinginfo(ctx: Context) -> Reply:
    """CLIENT TRACKINGINFO

    Return how this connection is told of changed keys.
    """
    tracked = ctx.service(Tracking).of(ctx.client)
    if tracked is None:
        flags, prefixes = [b"off"], list[bytes]()
    else:
        flags, prefixes = tracked.flags(), sorted(tracked.prefixes)
    return Pairs(
        [
            (b"flags", SetReply(flags)),
            (b"redirect", ctx.service(Tracking).redirect_of(ctx.client)),
            (b"prefixes", prefixes),
        ]
    )
