"""MEMORY: what keys and the server cost, part of the group *server*."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import OK, Reply, Status, Verbatim
from balas.registry import Arguments, command, container, key
from balas.registry.flags import LOADING, READONLY, RO, STALE
from balas.services.collector import collect_all
from balas.services.memory import Memory
from balas.services.memory_report import diagnose, statistics
from balas.services.memory_watch import MemoryWatch
from balas.structures import allocator

CONTAINER = container(
    "MEMORY",
    group="server",
    since="4.0.0",
    doc="""MEMORY subcommand [arg ...]

    A container for commands about memory.
    """,
)

HELP = (
    "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
    "HELP",
    "    Print this help.",
)


@command("MEMORY USAGE", arity=-3, flags=READONLY, keys=key(2, RO), group="server", since="4.0.0")
def memory_usage(ctx: Context, name: bytes, *options: bytes) -> Reply:
    """MEMORY USAGE key [SAMPLES count]

    Return the bytes that a key and its value cost. SAMPLES has no effect: every value keeps its
    own account, and nothing is estimated.
    """
    arguments = Arguments(options)
    while arguments.more:
        if not arguments.eat(b"SAMPLES"):
            raise ReplyError(SYNTAX)
        if arguments.take_int() < 0:
            raise ReplyError(SYNTAX)
    return ctx.memory_of(name)


@command("MEMORY STATS", arity=2, group="server", since="4.0.0")
def memory_stats(ctx: Context) -> Reply:
    """MEMORY STATS

    Return where the memory of the server goes.
    """
    return statistics(ctx.engine, ctx.service(Memory))


@command("MEMORY DOCTOR", arity=2, group="server", since="4.0.0")
def memory_doctor(ctx: Context) -> Reply:
    """MEMORY DOCTOR

    Return what is remarkable about the memory of the server, and advice.
    """
    return Verbatim(diagnose(ctx.engine, ctx.service(Memory), ctx.service(MemoryWatch).consumers))


@command("MEMORY PURGE", arity=2, group="server", since="4.0.0")
def memory_purge(ctx: Context) -> Reply:
    """MEMORY PURGE

    Free what only refers to itself, and give memory that is free back to the system. Everybody
    waits meanwhile.
    """
    collect_all()
    allocator.trim()
    return OK


@command("MEMORY MALLOC-STATS", arity=2, group="server", since="4.0.0")
def memory_malloc_stats(ctx: Context) -> Reply:
    """MEMORY MALLOC-STATS

    Return what the allocator tells of itself.
    """
    return Verbatim(allocator.report())


@command("MEMORY HELP", arity=2, flags=LOADING | STALE, group="server", since="4.0.0")
def memory_help(ctx: Context) -> Reply:
    """MEMORY HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
