"""COMMAND: what is known of the commands, part of the group *server*."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError, printable
from balas.protocol.replies import Pairs, Reply, Status
from balas.registry import CommandSpec, KeysNotFound, command
from balas.registry.describe import describe, document, documents, is_unknown, key_flags, statuses
from balas.registry.flags import LOADING, NO_MANDATORY_KEYS, NOT_KEY, STALE
from balas.registry.keys import exact_flags
from balas.services.config.grammar import decode
from balas.structures.glob import match

FLAGS = LOADING | STALE

NO_KEYS = "ERR The command has no key arguments"
BAD_COMMAND = "ERR Invalid command specified"
BAD_COUNT = "ERR Invalid number of arguments specified for command"
BAD_ARGUMENTS = "ERR Invalid arguments specified for command"

HELP = (
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
    "HELP",
    "    Print this help.",
)


@command(
    "COMMAND", arity=-1, flags=FLAGS, group="server", since="2.8.13", categories=("connection",)
)
def command_(ctx: Context, *words: bytes) -> Reply:
    """COMMAND

    Return what is known of all commands.
    """
    if words:
        raise ReplyError(f"ERR unknown subcommand '{printable(words[0][:128])}'. Try COMMAND HELP.")
    return [describe(spec) for spec in ctx.engine.commands]


@command(
    "COMMAND COUNT",
    arity=2,
    flags=FLAGS,
    group="server",
    since="2.8.13",
    categories=("connection",),
)
def command_count(ctx: Context) -> Reply:
    """COMMAND COUNT

    Return how many commands there are, subcommands not counted.
    """
    return len(ctx.engine.commands)


@command(
    "COMMAND LIST", arity=-2, flags=FLAGS, group="server", since="7.0.0", categories=("connection",)
)
def command_list(ctx: Context, *options: bytes) -> Reply:
    """COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]

    Return the names of all commands, or of those of a module, a category or a pattern; a filter
    looks at subcommands, too.
    """
    table = ctx.engine.commands
    if not options:
        return [spec.name for spec in table]
    if len(options) != 3 or options[0].lower() != b"filterby":
        raise ReplyError(SYNTAX)
    filters: dict[bytes, Callable[[CommandSpec], bool]] = {
        b"module": lambda spec: spec.owner.encode() == options[2],
        b"aclcat": lambda spec: options[2].lower().decode("latin-1") in spec.categories,
        b"pattern": lambda spec: match(options[2], spec.name.encode(), True),
    }
    chosen = filters.get(options[1].lower())
    if chosen is None:
        raise ReplyError(SYNTAX)
    return [spec.name for spec in table.every() if chosen(spec)]


@command(
    "COMMAND INFO",
    arity=-2,
    flags=FLAGS,
    group="server",
    since="2.8.13",
    categories=("connection",),
)
def command_info(ctx: Context, *names: bytes) -> Reply:
    """COMMAND INFO [command-name [command-name ...]]

    Return what is known of these commands, or of all; null for a name that no command has.
    """
    table = ctx.engine.commands
    if not names:
        return [describe(spec) for spec in table]
    found = [table.by_full_name(decode(name)) for name in names]
    return [describe(spec) if spec is not None else None for spec in found]


@command(
    "COMMAND DOCS", arity=-2, flags=FLAGS, group="server", since="7.0.0", categories=("connection",)
)
def command_docs(ctx: Context, *names: bytes) -> Reply:
    """COMMAND DOCS [command-name [command-name ...]]

    Return the documentation of these commands, or of all, for people and tools.
    """
    known = documents()
    return Pairs((spec.name, document(spec, known)) for spec in named(ctx, names))


def named(ctx: Context, names: tuple[bytes, ...]) -> Iterable[CommandSpec]:
    """The commands of these names, or all."""
    table = ctx.engine.commands
    if not names:
        return iter(table)
    found = [table.by_full_name(decode(name)) for name in names]
    return [spec for spec in found if spec is not None]


@command(
    "COMMAND GETKEYS",
    arity=-3,
    flags=FLAGS,
    group="server",
    since="2.8.13",
    categories=("connection",),
)
def command_getkeys(ctx: Context, *argv: bytes) -> Reply:
    """COMMAND GETKEYS command [arg [arg ...]]

    Return the keys in a whole command.
    """
    return [argv[place] for place in key_positions(ctx, argv)[1]]


@command(
    "COMMAND GETKEYSANDFLAGS",
    arity=-3,
    flags=FLAGS,
    group="server",
    since="7.0.0",
    categories=("connection",),
)
def command_getkeysandflags(ctx: Context, *argv: bytes) -> Reply:
    """COMMAND GETKEYSANDFLAGS command [arg [arg ...]]

    Return the keys in a whole command, each with what is done to it.
    """
    spec, places = key_positions(ctx, argv)
    flags = flags_by_place(spec, argv)
    return [[argv[place], flags.get(place, statuses(()))] for place in places]


def flags_by_place(spec: CommandSpec, argv: tuple[bytes, ...]) -> dict[int, Reply]:
    """The flags of each key by its index; keys that only a function finds have those of the last
    specification.
    """
    found: dict[int, Reply] = {}
    for keys in spec.key_specs:
        if not is_unknown(keys):
            exact = key_flags(exact_flags(spec.name, argv, keys.flags))
            found.update(dict.fromkeys(keys.positions(argv), exact))
    if spec.key_specs:
        for place in spec.key_positions(argv):
            found.setdefault(place, key_flags(spec.key_specs[-1].flags))
    return found


def key_positions(ctx: Context, argv: tuple[bytes, ...]) -> tuple[CommandSpec, list[int]]:
    """A whole command, and the indexes of its keys; raises ReplyError."""
    spec = ctx.engine.commands.resolve(argv)
    if spec is None or spec.handler is None:
        raise ReplyError(BAD_COMMAND)
    if spec.find_keys is None and all(keys.flags & NOT_KEY for keys in spec.key_specs):
        raise ReplyError(NO_KEYS)
    if len(argv) < abs(spec.arity) or (0 < spec.arity != len(argv)):
        raise ReplyError(BAD_COUNT)
    try:
        places = spec.key_positions(argv)
    except KeysNotFound:
        places = []
    if not places and not spec.flags & NO_MANDATORY_KEYS:
        raise ReplyError(BAD_ARGUMENTS)
    return spec, places


@command(
    "COMMAND HELP", arity=2, flags=FLAGS, group="server", since="5.0.0", categories=("connection",)
)
def command_help(ctx: Context) -> Reply:
    """COMMAND HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
