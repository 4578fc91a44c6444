"""Commands of the group *connection*, but for CLIENT's, which have a file of their own."""

from __future__ import annotations

from balas import REDIS_VERSION
from balas.engine import attention
from balas.engine.context import Context
from balas.errors import DB_INDEX_OUT_OF_RANGE, SYNTAX, ReplyError, printable
from balas.host.host import ModuleHost
from balas.host.report import listing
from balas.protocol.replies import OK, PONG, Pairs, Reply, Status
from balas.registry import Arguments, command, integer
from balas.registry.flags import ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE
from balas.services.acl.users import Acl
from balas.services.config.store import Config

ANYTIME = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY

INT_MIN = -(2**31)
INT_MAX = 2**31 - 1
NOT_AN_INT = f"ERR value is out of range, value must between {INT_MIN} and {INT_MAX}"

PROTOCOL_NOT_A_NUMBER = "ERR Protocol version is not an integer or out of range"
NO_PROTOCOL = "NOPROTO unsupported protocol version"
HELLO_NEEDS_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
    "protocol version at the same time"
)
NAME_CHARACTERS = "cannot contain spaces, newlines or special characters."
BAD_CLIENT_NAME = f"ERR Client names {NAME_CHARACTERS}"

RESET = Status("RESET")


@command("AUTH", arity=-2, flags=ANYTIME, group="connection", since="1.0.0")
def auth(ctx: Context, name: bytes, *rest: bytes) -> Reply:
    """AUTH [username] password

    Become a user; without a name, the default user.
    """
    users = ctx.service(Acl)
    if not rest:
        users.log_in_without_name(ctx.client, name)
    elif len(rest) == 1:
        users.log_in(ctx.client, name, rest[0])
    else:
        raise ReplyError(SYNTAX)
    return OK


@command("ECHO", arity=2, flags=LOADING | STALE | FAST, group="connection", since="1.0.0")
def echo(ctx: Context, message: bytes) -> Reply:
    """ECHO message

    Return the message.
    """
    return message


@command("HELLO", arity=-1, flags=ANYTIME, group="connection", since="6.0.0")
def hello(ctx: Context, *options: bytes) -> Reply:
    """HELLO [protover [AUTH username password] [SETNAME clientname]]

    Choose the version of the protocol, authenticate, and give the connection a name, all at once.
    Tells what the server is.
    """
    client = ctx.client
    users = ctx.service(Acl)
    args = Arguments(options)
    version = client.resp
    name: bytes | None = None
    credentials: tuple[bytes, bytes] | None = None
    if args.more:
        version = args.take_int(error=PROTOCOL_NOT_A_NUMBER)
        if version not in (2, 3):
            raise ReplyError(NO_PROTOCOL)
    while args.more:
        word = args.take()
        if word.upper() == b"AUTH" and args.left >= 2:
            credentials = args.take(), args.take()
        elif word.upper() == b"SETNAME" and args.more:
            name = args.take()
            if not is_plain(name):
                raise ReplyError(BAD_CLIENT_NAME)
        else:
            raise ReplyError(f"ERR Syntax error in HELLO option '{printable(word)}'")
    if credentials is not None:
        users.log_in(client, *credentials)
    if not client.authenticated:
        raise ReplyError(HELLO_NEEDS_AUTH)
    if name is not None:
        client.name = name
    client.resp = version
    return Pairs(
        [
            ("server", "redis"),
            ("version", REDIS_VERSION),
            ("proto", version),
            ("id", client.id),
            ("mode", "standalone"),
            ("role", "replica" if ctx.service(Config).get("replicaof") else "master"),
            ("modules", listing(ctx.service(ModuleHost))),
        ]
    )


@command("PING", arity=-1, flags=FAST, group="connection", since="1.0.0")
def ping(ctx: Context, *message: bytes) -> Reply:
    """PING [message]

    Answer PONG, or the message: to see that the server is there.
    """
    if len(message) > 1:
        raise ReplyError("ERR wrong number of arguments for 'ping' command")
    seen = ctx.client.attention  # nearly always 0, which is all that a PING should cost
    if seen and seen & attention.SUBSCRIBED:
        return [b"pong", message[0] if message else b""]
    return message[0] if message else PONG


@command("QUIT", arity=-1, flags=ANYTIME, group="connection", since="1.0.0")
def quit_(ctx: Context, *ignored: bytes) -> Reply:
    """QUIT

    End the connection, after all replies have been sent.
    """
    ctx.client.closing = True
    return OK


@command("RESET", arity=1, flags=ANYTIME, group="connection", since="6.2.0")
def reset(ctx: Context) -> Reply:
    """RESET

    Make the connection as it was when it was opened: database 0, RESP2, nobody authenticated, no
    transaction, no subscriptions, no name.
    """
    if ctx.client.kind != "normal":
        raise ReplyError("ERR can only reset normal client connections")
    ctx.engine.reset(ctx.client)
    return RESET


@command("SELECT", arity=2, flags=LOADING | STALE | FAST, group="connection", since="1.0.0")
def select(ctx: Context, index: bytes) -> Reply:
    """SELECT index

    Use another database from now on.
    """
    number = integer(index)
    if not INT_MIN <= number <= INT_MAX:
        raise ReplyError(NOT_AN_INT)
    if not 0 <= number < len(ctx.engine.databases):
        raise ReplyError(DB_INDEX_OUT_OF_RANGE)
    ctx.client.db = ctx.engine.databases[number]
    return OK


def is_plain(name: bytes) -> bool:
    """Whether a name shows well in CLIENT LIST: printable ASCII, without blanks."""
    return all(0x21 <= byte <= 0x7E for byte in name)
