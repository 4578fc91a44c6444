"""CLIENT: connections, seen and handled from a connection; part of the group *connection*."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from balas.commands.connection import BAD_CLIENT_NAME, NAME_CHARACTERS, is_plain
from balas.engine import attention
from balas.engine.client import Client
from balas.engine.context import Context
from balas.errors import SYNTAX, TIMEOUT_NEGATIVE, TIMEOUT_OUT_OF_RANGE, ReplyError, printable
from balas.protocol.replies import NO_REPLY, OK, Reply, Status, Verbatim
from balas.registry import Arguments, command, container, integer
from balas.registry.flags import ADMIN, LOADING, NOSCRIPT, STALE
from balas.services.acl.users import Acl
from balas.services.clients import CLASSES, Clients, class_of

CONTAINER = container(
    "CLIENT",
    group="connection",
    since="2.4.0",
    doc="""CLIENT subcommand [arg ...]

    A container for commands about connections.
    """,
)

OWN = NOSCRIPT | LOADING | STALE
ALL = ADMIN | OWN

INT64_MAX = 2**63 - 1
UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"

HELP = (
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "HELP",
    "    Print this help.",
)


@command("CLIENT ID", arity=2, flags=OWN, group="connection", since="5.0.0")
def client_id(ctx: Context) -> Reply:
    """CLIENT ID

    Return the number of this connection. A later connection has a higher one.
    """
    return ctx.client.id


@command("CLIENT SETNAME", arity=3, flags=OWN, group="connection", since="2.6.9")
def client_setname(ctx: Context, name: bytes) -> Reply:
    """CLIENT SETNAME connection-name

    Give this connection a name that CLIENT LIST shows; an empty one removes it.
    """
    if not is_plain(name):
        raise ReplyError(BAD_CLIENT_NAME)
    ctx.client.name = name
    return OK


@command("CLIENT GETNAME", arity=2, flags=OWN, group="connection", since="2.6.9")
def client_getname(ctx: Context) -> Reply:
    """CLIENT GETNAME

    Return the name of this connection.
    """
    return ctx.client.name or None


@command("CLIENT SETINFO", arity=4, flags=OWN, group="connection", since="7.2.0")
def client_setinfo(ctx: Context, attribute: bytes, value: bytes) -> Reply:
    """CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>

    Say which client library is speaking.
    """
    word = attribute.upper()
    if word not in (b"LIB-NAME", b"LIB-VER"):
        raise ReplyError(f"ERR Unrecognized option '{printable(attribute)}'")
    if not is_plain(value):
        raise ReplyError(f"ERR {printable(attribute)} {NAME_CHARACTERS}")
    if word == b"LIB-NAME":
        ctx.client.library_name = value
    else:
        ctx.client.library_version = value
    return OK


@command("CLIENT INFO", arity=2, flags=OWN, group="connection", since="6.2.0")
def client_info(ctx: Context) -> Reply:
    """CLIENT INFO

    Return this connection's line of CLIENT LIST.
    """
    return lines(ctx, [ctx.client])


@command("CLIENT LIST", arity=-2, flags=ALL, group="connection", since="2.4.0")
def client_list(ctx: Context, *options: bytes) -> Reply:
    """CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]

    Return a line for each connection, or for those of a type or with these numbers.
    """
    clients = ctx.engine.clients
    if not options:
        return lines(ctx, outside(clients.values()))
    word = options[0].upper()
    if word == b"TYPE" and len(options) == 2:
        wanted = client_class(options[1])
        return lines(ctx, [c for c in clients.values() if class_of(c) == wanted])
    if word == b"ID" and len(options) > 1:
        numbers = [integer(option, error="ERR Invalid client ID") for option in options[1:]]
        return lines(ctx, [clients[number] for number in numbers if number in clients])
    raise ReplyError(SYNTAX)


def outside(clients: Iterable[Client]) -> list[Client]:
    """Those that are no source inside the server."""
    return [client for client in clients if client.kind != "internal"]


def lines(ctx: Context, clients: Iterable[Client]) -> Verbatim:
    """The lines of CLIENT LIST."""
    describe = ctx.service(Clients).describe
    text = "".join(describe(client) + "\n" for client in clients)
    return Verbatim(text.encode("utf-8", "surrogateescape"))


def client_class(name: bytes) -> str:
    """The class of clients that TYPE names."""
    found = CLASSES.get(printable(name).lower())
    if found is None:
        raise ReplyError(f"ERR Unknown client type '{printable(name)}'")
    return found


@command("CLIENT KILL", arity=-3, flags=ALL, group="connection", since="2.4.0")
def client_kill(ctx: Context, first: bytes, *rest: bytes) -> Reply:
    """CLIENT KILL <ip:port | filter value [filter value ...]>

    Close the connection from an address, or all that fit every filter; returns how many. Filters
    are ID client-id, TYPE <NORMAL | MASTER | REPLICA | PUBSUB>, USER username, ADDR ip:port, LADDR
    ip:port and MAXAGE seconds; SKIPME NO includes this connection.
    """
    if not rest:
        if not kill(ctx, [address_is(first)], skip_me=False):
            raise ReplyError("ERR No such client")
        return OK
    filters: dict[bytes, Callable[[Client], bool]] = {}
    skip_me = True
    args = Arguments((first, *rest))
    while args.more:
        word = args.take().upper()
        value = args.take()
        if word == b"SKIPME":
            if value.upper() not in (b"YES", b"NO"):
                raise ReplyError(SYNTAX)
            skip_me = value.upper() == b"YES"
        else:
            filters[word] = kill_filter(ctx, word, value)
    return kill(ctx, filters.values(), skip_me)


def kill(ctx: Context, filters: Iterable[Callable[[Client], bool]], skip_me: bool) -> int:
    """Close what fits all filters; how many were closed. The caller itself goes after its reply."""
    wanted = list(filters)
    chosen = [
        client
        for client in outside(ctx.engine.clients.values())
        if not (skip_me and client is ctx.client) and all(fits(client) for fits in wanted)
    ]
    for client in chosen:
        if client is ctx.client:
            client.closing = True
        else:
            ctx.engine.close(client, at_once=True)
    return len(chosen)


def kill_filter(ctx: Context, word: bytes, value: bytes) -> Callable[[Client], bool]:
    """What a client has to be for one of KILL's options."""
    if word == b"ID":
        error = "ERR client-id should be greater than 0"
        number = integer(value, 1, error=error)
        return lambda client: client.id == number
    if word == b"ADDR":
        return address_is(value)
    if word == b"LADDR":
        return lambda client: client.local_address == printable(value)
    if word == b"TYPE":
        wanted = client_class(value)
        return lambda client: class_of(client) == wanted
    if word == b"USER":
        if not ctx.service(Acl).knows(value):
            raise ReplyError(f"ERR No such user '{printable(value)}'")
        return lambda client: client.authenticated and client.user == printable(value)
    if word == b"MAXAGE":
        age = integer(value, error="ERR maxage is not an integer or out of range")
        if age <= 0:
            raise ReplyError("ERR maxage should be greater than 0")
        now_ms = ctx.now_ms
        return lambda client: (now_ms - client.created_ms) // 1000 >= age
    raise ReplyError(SYNTAX)


def address_is(address: bytes) -> Callable[[Client], bool]:
    """Whether a client comes from this address."""
    text = printable(address)
    return lambda client: client.address == text


@command("CLIENT NO-EVICT", arity=3, flags=ALL, group="connection", since="7.0.0")
def client_no_evict(ctx: Context, mode: bytes) -> Reply:
    """CLIENT NO-EVICT <ON | OFF>

    Spare this connection when connections are closed to free memory.
    """
    ctx.client.no_evict = is_on(mode)
    return OK


@command("CLIENT NO-TOUCH", arity=3, flags=OWN, group="connection", since="7.2.0")
def client_no_touch(ctx: Context, mode: bytes) -> Reply:
    """CLIENT NO-TOUCH <ON | OFF>

    Let the commands of this connection leave no trace in the access clocks of keys.
    """
    ctx.client.no_touch = is_on(mode)
    return OK


def is_on(mode: bytes) -> bool:
    """Read ON or OFF."""
    word = mode.upper()
    if word not in (b"ON", b"OFF"):
        raise ReplyError(SYNTAX)
    return word == b"ON"


@command("CLIENT REPLY", arity=3, flags=OWN, group="connection", since="3.2.0")
def client_reply(ctx: Context, mode: bytes) -> Reply:
    """CLIENT REPLY <ON | OFF | SKIP>

    Send replies to this connection, or none, or none to the next command.
    """
    client = ctx.client
    word = mode.upper()
    muted = client.attention & attention.MUTED and not client.muted_once
    if word == b"ON":
        client.muted_once = False
        client.set_attention(attention.MUTED, False)
        return OK
    if word == b"OFF":
        client.muted_once = False
    elif word == b"SKIP":
        client.muted_once = not muted
    else:
        raise ReplyError(SYNTAX)
    client.set_attention(attention.MUTED, True)
    return NO_REPLY


@command("CLIENT PAUSE", arity=-3, flags=ALL, group="connection", since="3.0.0")
def client_pause(ctx: Context, timeout: bytes, *mode: bytes) -> Reply:
    """CLIENT PAUSE timeout [WRITE | ALL]

    Let all commands, or those that write, wait for a time in milliseconds.
    """
    if len(mode) > 1:
        raise wrong_arguments("PAUSE")
    word = mode[0].upper() if mode else b"ALL"
    if word not in (b"WRITE", b"ALL"):
        raise ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    duration_ms = integer(timeout, error="ERR timeout is not an integer or out of range")
    if duration_ms < 0:
        raise ReplyError(TIMEOUT_NEGATIVE)
    if duration_ms > INT64_MAX - ctx.now_ms:
        raise ReplyError(TIMEOUT_OUT_OF_RANGE)
    ctx.engine.pause.start(duration_ms, word == b"WRITE")
    return OK


@command("CLIENT UNPAUSE", arity=2, flags=ALL, group="connection", since="6.2.0")
def client_unpause(ctx: Context) -> Reply:
    """CLIENT UNPAUSE

    End the pause that CLIENT PAUSE began.
    """
    ctx.engine.pause.end()
    return OK


@command("CLIENT UNBLOCK", arity=-3, flags=ALL, group="connection", since="5.0.0")
def client_unblock(ctx: Context, number: bytes, *reason: bytes) -> Reply:
    """CLIENT UNBLOCK client-id [TIMEOUT | ERROR]

    End the wait of a connection as if its time were up, or with an error; 1 if it waited.
    """
    if len(reason) > 1:
        raise wrong_arguments("UNBLOCK")
    word = reason[0].upper() if reason else b"TIMEOUT"
    if word not in (b"TIMEOUT", b"ERROR"):
        raise ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    blocking = ctx.engine.blocking
    client = blocking.clients.get(integer(number))
    if client is None:
        return 0
    if word == b"ERROR":
        blocking.unblock_with_error(client, UNBLOCKED)
    else:
        blocking.time_up(client)
    return 1


@command("CLIENT HELP", arity=2, flags=LOADING | STALE, group="connection", since="5.0.0")
def client_help(ctx: Context) -> Reply:
    """CLIENT HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]


def wrong_arguments(subcommand: str) -> ReplyError:
    """The error for a subcommand that is known, with arguments that are not."""
    return ReplyError(
        f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try CLIENT HELP."
    )
