"""Commands of the group *server* that manage users: ACL."""

from __future__ import annotations

import os

from balas.engine.context import Context
from balas.errors import ReplyError, printable
from balas.protocol.replies import OK, Pairs, Reply, SetReply, Status
from balas.registry import command, container, integer
from balas.registry.flags import ADMIN, CATEGORIES, LOADING, NOSCRIPT, STALE
from balas.services.acl.check import judge
from balas.services.acl.rules import Selector
from balas.services.acl.users import Acl

CONTAINER = container(
    "ACL",
    group="server",
    since="6.0.0",
    doc="""ACL subcommand [arg ...]

    A container for commands about users.
    """,
)

ANYTIME = NOSCRIPT | LOADING | STALE
MANAGING = ADMIN | ANYTIME
PASSWORD_BITS = 256
PASSWORD_BITS_MAX = 4096
LOG_ENTRIES = 10
BAD_BITS = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
    "number up to 4096"
)
HELP = (
    "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
    "HELP",
    "    Print this help.",
)


@command("ACL CAT", arity=-2, flags=ANYTIME, group="server", since="6.0.0")
def acl_cat(ctx: Context, *category: bytes) -> Reply:
    """ACL CAT [category]

    Return the names of all categories, or of all commands in one.
    """
    if len(category) > 1:
        raise ReplyError(wrong_count("cat"))
    commands = ctx.engine.commands
    if not category:
        others = {name for spec in commands.every() for name in spec.categories} - {*CATEGORIES}
        return [*CATEGORIES, *sorted(others)]
    wanted = printable(category[0]).lower()
    found = [spec.name for spec in commands.every() if wanted in spec.categories]
    if not found and wanted not in CATEGORIES:
        raise ReplyError(f"ERR Unknown category '{printable(category[0])}'")
    return found


@command("ACL DELUSER", arity=-3, flags=MANAGING, group="server", since="6.0.0")
def acl_deluser(ctx: Context, *names: bytes) -> Reply:
    """ACL DELUSER username [username ...]

    Delete users and disconnect their clients; return how many there were.
    """
    acl = ctx.service(Acl)
    return sum(acl.delete_user(name, ctx.client) for name in names)


@command("ACL DRYRUN", arity=-4, flags=MANAGING, group="server", since="7.0.0")
def acl_dryrun(ctx: Context, username: bytes, *argv: bytes) -> Reply:
    """ACL DRYRUN username command [arg [arg ...]]

    Tell whether a user could run a command, without running it.
    """
    user = ctx.service(Acl).users.get(username)
    if user is None:
        raise ReplyError(f"ERR User '{printable(username)}' not found")
    spec = ctx.engine.commands.resolve(argv)
    if spec is None or (spec.handler is None and len(argv) > 1):
        raise ReplyError(f"ERR Command '{printable(argv[0])}' not found")
    if len(argv) < abs(spec.arity) or 0 < spec.arity != len(argv):
        raise ReplyError(f"ERR wrong number of arguments for '{spec.name}' command")
    denial = judge(user, spec, argv)
    return OK if denial is None else denial.detail.encode("utf-8", "surrogateescape")


@command("ACL GENPASS", arity=-2, flags=ANYTIME, group="server", since="6.0.0")
def acl_genpass(ctx: Context, *bits: bytes) -> Reply:
    """ACL GENPASS [bits]

    Return a password of so many random bits, 256 if not given, as hexadecimal digits.
    """
    if len(bits) > 1:
        raise ReplyError(wrong_count("genpass"))
    wanted = integer(bits[0]) if bits else PASSWORD_BITS
    if not 0 < wanted <= PASSWORD_BITS_MAX:
        raise ReplyError(BAD_BITS)
    digits = (wanted + 3) // 4
    # Chance of the system, not of the server: a seed must not tell passwords.
    return os.urandom((digits + 1) // 2).hex()[:digits]


@command("ACL GETUSER", arity=3, flags=MANAGING, group="server", since="6.0.0")
def acl_getuser(ctx: Context, username: bytes) -> Reply:
    """ACL GETUSER username

    Return the rules of a user, null if there is none of this name.
    """
    user = ctx.service(Acl).users.get(username)
    if user is None:
        return None
    return Pairs(
        [
            (b"flags", SetReply(user.flags())),
            (b"passwords", list(user.passwords)),
            *selector_pairs(user.root),
            (b"selectors", [Pairs(selector_pairs(one)) for one in user.selectors]),
        ]
    )


def selector_pairs(selector: Selector) -> list[tuple[bytes, bytes]]:
    """What a selector allows, for GETUSER."""
    return [
        (b"commands", selector.describe_commands()),
        (b"keys", selector.describe_keys()),
        (b"channels", selector.describe_channels()),
    ]


@command("ACL HELP", arity=2, flags=LOADING | STALE, group="server", since="6.0.0")
def acl_help(ctx: Context) -> Reply:
    """ACL HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]


@command("ACL LIST", arity=2, flags=MANAGING, group="server", since="6.0.0")
def acl_list(ctx: Context) -> Reply:
    """ACL LIST

    Return the rules of all users, in the form of a configuration file.
    """
    return list(ctx.service(Acl).lines())


@command("ACL LOAD", arity=2, flags=MANAGING, group="server", since="6.0.0")
def acl_load(ctx: Context) -> Reply:
    """ACL LOAD

    Take the users of the ACL file, in place of those there are.
    """
    ctx.service(Acl).load(ctx.client)
    return OK


@command("ACL LOG", arity=-2, flags=MANAGING, group="server", since="6.0.0")
def acl_log(ctx: Context, *option: bytes) -> Reply:
    """ACL LOG [count | RESET]

    Return what was refused lately, or forget it.
    """
    if len(option) > 1:
        raise ReplyError(wrong_count("log"))
    log = ctx.service(Acl).log
    if option and option[0].lower() == b"reset":
        log.clear()
        return OK
    count = max(integer(option[0]), 0) if option else LOG_ENTRIES
    return [
        Pairs(
            [
                (b"count", entry.count),
                (b"reason", entry.reason),
                (b"context", entry.context),
                (b"object", entry.subject),
                (b"username", entry.user),
                (b"age-seconds", (ctx.now_ms - entry.created_ms) / 1000),
                (b"client-info", entry.client),
                (b"entry-id", entry.number),
                (b"timestamp-created", entry.created_ms),
                (b"timestamp-last-updated", entry.updated_ms),
            ]
        )
        for entry in [*log][:count]
    ]


@command("ACL SAVE", arity=2, flags=MANAGING, group="server", since="6.0.0")
def acl_save(ctx: Context) -> Reply:
    """ACL SAVE

    Write all users to the ACL file.
    """
    ctx.service(Acl).save()
    return OK


@command("ACL SETUSER", arity=-3, flags=MANAGING, group="server", since="6.0.0")
def acl_setuser(ctx: Context, username: bytes, *rules: bytes) -> Reply:
    """ACL SETUSER username [rule [rule ...]]

    Create a user, or change one, by rules that all hold or none.
    """
    ctx.service(Acl).set_user(username, rules, ctx.client)
    return OK


@command("ACL USERS", arity=2, flags=MANAGING, group="server", since="6.0.0")
def acl_users(ctx: Context) -> Reply:
    """ACL USERS

    Return the names of all users.
    """
    return sorted(ctx.service(Acl).users)


@command("ACL WHOAMI", arity=2, flags=ANYTIME, group="server", since="6.0.0")
def acl_whoami(ctx: Context) -> Reply:
    """ACL WHOAMI

    Return the name of the user this connection is.
    """
    return ctx.client.user


def wrong_count(subcommand: str) -> str:
    """The error for too many words after a subcommand."""
    name = subcommand.upper()
    return f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try ACL HELP."
