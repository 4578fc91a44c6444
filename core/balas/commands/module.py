"""MODULE: extend the running server, part of the group *server*.

Differs from Redis:

- LOAD and LOADEX take a Python module: the name of an installed one, a dotted name, or a path. A
  refusal gives the reason.
- UNLOAD is refused only while there are keys of the module's types, and SETASIDE lets even those
  wait until the module is back.
- INFO, RELOAD, AVAILABLE and ORPHANS are not in Redis.
"""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.host.errors import ModuleError
from balas.host.host import ModuleHost
from balas.host.report import details, listing
from balas.protocol.replies import OK, Pairs, Reply, Status
from balas.registry import Arguments, command, container
from balas.registry.flags import (
    ADMIN,
    LOADING,
    NO_ASYNC_LOADING,
    NOSCRIPT,
    STALE,
)
from balas.services.config.grammar import decode
from balas.services.config.store import Config

CONTAINER = container(
    "MODULE",
    group="server",
    since="4.0.0",
    doc="""MODULE subcommand [arg ...]

    A container for module commands.
    """,
)

LOOKING = ADMIN | NOSCRIPT
CHANGING = ADMIN | NOSCRIPT | NO_ASYNC_LOADING

CANNOT_LOAD = "ERR Error loading the extension:"
NOT_ALLOWED = (
    "ERR MODULE command not allowed. If the enable-module-command option is set to "
    '"local", you can run it from a local connection, otherwise you need to set this option in '
    "the configuration file, and then restart the server."
)

HELP = (
    "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "AVAILABLE",
    "    Return the modules of installed packages that are not loaded.",
    "INFO <name>",
    "    Return the state of a module, its last error, its memory, and what its commands took.",
    "LIST",
    "    Return a list of loaded modules.",
    "LOAD <path> [<arg> ...]",
    "    Load a module library from <path>, passing to it any optional arguments.",
    "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
    "    Load a module library from <path>, while passing it module configurations and optional "
    "arguments.",
    "ORPHANS",
    "    Return the number of values that wait for a module, by their type.",
    "RELOAD <name>",
    "    Bring in the code of a module anew, with all keys kept.",
    "UNLOAD <name> [SETASIDE]",
    "    Unload a module. SETASIDE keeps its values until it is back.",
    "HELP",
    "    Print this help.",
)


def host_of(ctx: Context) -> ModuleHost:
    """The module host, for a client that may change what is loaded."""
    config: Config = ctx.service(Config)
    if not config.allows("enable-module-command", ctx.client.address):
        raise ReplyError(NOT_ALLOWED)
    host: ModuleHost = ctx.service(ModuleHost)
    return host


@command("MODULE LIST", arity=2, flags=LOOKING, group="server", since="4.0.0")
def module_list(ctx: Context) -> Reply:
    """MODULE LIST

    Returns all loaded modules.
    """
    return listing(ctx.service(ModuleHost))


@command("MODULE AVAILABLE", arity=2, flags=LOOKING, group="server", since="8.2.0")
def module_available(ctx: Context) -> Reply:
    """MODULE AVAILABLE

    Returns the modules of installed packages that are not loaded. MODULE LOAD takes their names.
    """
    available = ctx.service(ModuleHost).available()
    return [Pairs([("name", name), ("class", kind)]) for name, kind in sorted(available.items())]


@command("MODULE INFO", arity=3, flags=LOOKING, group="server", since="8.2.0")
def module_info(ctx: Context, name: bytes) -> Reply:
    """MODULE INFO name

    Returns the state of a module, its last error, its values and their memory, which takes a look
    at every key, and how often its commands ran and how long.
    """
    host = ctx.service(ModuleHost)
    loaded = host.find(decode(name))
    if loaded is None:
        raise ReplyError("ERR no such module with that name")
    return details(host, loaded)


@command("MODULE ORPHANS", arity=2, flags=LOOKING, group="server", since="8.2.0")
def module_orphans(ctx: Context) -> Reply:
    """MODULE ORPHANS

    Returns how many values wait for a module that is not loaded, by the name of their type.
    """
    return Pairs(ctx.service(ModuleHost).orphans().items())


@command("MODULE LOAD", arity=-3, flags=CHANGING, group="server", since="4.0.0")
def module_load(ctx: Context, path: bytes, *arguments: bytes) -> Reply:
    """MODULE LOAD path [arg [arg ...]]

    Loads a module: an installed one by its name, an importable one by its dotted name, a file or
    the folder of a package by its path.
    """
    return load(host_of(ctx), path, {}, arguments)


@command("MODULE LOADEX", arity=-3, flags=CHANGING, group="server", since="7.0.0")
def module_loadex(ctx: Context, path: bytes, *options: bytes) -> Reply:
    """MODULE LOADEX path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]

    Loads a module using extended parameters.
    """
    host = host_of(ctx)
    given: dict[str, str] = {}
    cursor = Arguments(options)
    while cursor.eat(b"CONFIG"):
        name = cursor.take(f"{CANNOT_LOAD} CONFIG specified without name value pair")
        value = cursor.take(f"{CANNOT_LOAD} CONFIG specified without name value pair")
        given[decode(name)] = decode(value)
    if cursor.more and not cursor.eat(b"ARGS"):
        word = decode(cursor.take())
        raise ReplyError(f"{CANNOT_LOAD} Syntax Error from arguments to loadex around {word}.")
    return load(host, path, given, cursor.take_rest())


def load(
    host: ModuleHost, path: bytes, options: dict[str, str], arguments: tuple[bytes, ...]
) -> Reply:
    """Load, with the reason as the error if that fails."""
    try:
        host.load(decode(path), arguments, options)
    except ModuleError as error:
        raise ReplyError(f"{CANNOT_LOAD} {error}") from None
    return OK


@command("MODULE UNLOAD", arity=-3, flags=CHANGING, group="server", since="4.0.0")
def module_unload(ctx: Context, name: bytes, *options: bytes) -> Reply:
    """MODULE UNLOAD name [SETASIDE]

    Unloads a module. With SETASIDE its values stay as they are, of no use to anybody, until the
    module is loaded again.
    """
    host = host_of(ctx)
    cursor = Arguments(options)
    set_aside = bool(cursor.eat(b"SETASIDE"))
    cursor.end()
    try:
        host.unload(decode(name), set_aside=set_aside)
    except ModuleError as error:
        raise ReplyError(f"ERR Error unloading module: {error}") from None
    return OK


@command("MODULE RELOAD", arity=3, flags=CHANGING, group="server", since="8.2.0")
def module_reload(ctx: Context, name: bytes) -> Reply:
    """MODULE RELOAD name

    Brings in the code of a module anew, with arguments, options and every key kept. If the new code
    is refused, the old one goes on.
    """
    try:
        host_of(ctx).reload(decode(name))
    except ModuleError as error:
        raise ReplyError(f"ERR Error reloading module: {error}") from None
    return OK


@command("MODULE HELP", arity=2, flags=LOADING | STALE, group="server", since="5.0.0")
def module_help(ctx: Context) -> Reply:
    """MODULE HELP

    Returns helpful text about the different subcommands.
    """
    return [Status(line) for line in HELP]
