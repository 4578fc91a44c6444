"""SLOWLOG: the commands that took long, part of the group *server*."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import OK, Reply, Status
from balas.registry import command, container, integer
from balas.registry.flags import ADMIN, LOADING, STALE
from balas.services.slowlog import SlowLog

CONTAINER = container(
    "SLOWLOG",
    group="server",
    since="2.2.12",
    doc="""SLOWLOG subcommand [arg ...]

    A container for commands about the slow log.
    """,
)

FLAGS = ADMIN | LOADING | STALE
SHOWN_BY_DEFAULT = 10
BAD_COUNT = "ERR count should be greater than or equal to -1"

HELP = (
    "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
    "HELP",
    "    Print this help.",
)


@command("SLOWLOG GET", arity=-2, flags=FLAGS, group="server", since="2.2.12")
def slowlog_get(ctx: Context, *counts: bytes) -> Reply:
    """SLOWLOG GET [count]

    Return the latest slow commands: ten, `count`, or (-1) all.
    """
    if len(counts) > 1:
        raise ReplyError(
            "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP."
        )
    count = integer(counts[0], low=-1, error=BAD_COUNT) if counts else SHOWN_BY_DEFAULT
    entries = list(ctx.service(SlowLog).entries)
    return [
        [
            entry.number,
            entry.at_s,
            entry.duration_us,
            list(entry.argv),
            entry.address,
            entry.name,
        ]
        for entry in (entries if count < 0 else entries[:count])
    ]


@command("SLOWLOG LEN", arity=2, flags=FLAGS, group="server", since="2.2.12")
def slowlog_len(ctx: Context) -> Reply:
    """SLOWLOG LEN

    Return how many commands the slow log holds.
    """
    return len(ctx.service(SlowLog).entries)


@command("SLOWLOG RESET", arity=2, flags=FLAGS, group="server", since="2.2.12")
def slowlog_reset(ctx: Context) -> Reply:
    """SLOWLOG RESET

    Empty the slow log.
    """
    ctx.service(SlowLog).entries.clear()
    return OK


@command("SLOWLOG HELP", arity=2, flags=LOADING | STALE, group="server", since="6.2.0")
def slowlog_help(ctx: Context) -> Reply:
    """SLOWLOG HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
