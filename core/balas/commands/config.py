"""CONFIG: the options of the running server, part of the group *server*."""

from __future__ import annotations

from balas.engine.attention import LOADING as IS_LOADING
from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import OK, Reply, Status
from balas.registry import command, container
from balas.registry.flags import ADMIN, LOADING, NOSCRIPT, STALE
from balas.services.config.grammar import decode, encode
from balas.services.config.rewrite import NO_FILE, rewrite
from balas.services.config.store import Config, pairs_of
from balas.services.log import Log

CONTAINER = container(
    "CONFIG",
    group="server",
    since="2.0.0",
    doc="""CONFIG subcommand [arg ...]

    A container for commands about the configuration.
    """,
)

CHANGING = ADMIN | NOSCRIPT | LOADING | STALE

HELP = (
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
    "HELP",
    "    Print this help.",
)


@command("CONFIG GET", arity=-3, flags=CHANGING, group="server", since="2.0.0")
def config_get(ctx: Context, *patterns: bytes) -> Reply:
    """CONFIG GET parameter [parameter ...]

    Return names and values of the options that match the glob patterns, in any case.
    """
    found = ctx.service(Config).matching(map(decode, patterns))
    return {encode(name): encode(text) for name, text in found.items()}


@command("CONFIG SET", arity=-4, flags=CHANGING, group="server", since="2.0.0")
def config_set(ctx: Context, *words: bytes) -> Reply:
    """CONFIG SET parameter value [parameter value ...]

    Set options, all of them or none.
    """
    pairs = pairs_of(words)
    ctx.service(Config).set_many(
        pairs, address=ctx.client.address, loading=bool(ctx.engine.attention & IS_LOADING)
    )
    return OK


@command("CONFIG REWRITE", arity=2, flags=CHANGING, group="server", since="2.8.0")
def config_rewrite(ctx: Context) -> Reply:
    """CONFIG REWRITE

    Bring the configuration file up to date with the values in use, leaving the rest of it alone.
    """
    log = ctx.service(Log)
    try:
        rewrite(ctx.service(Config))
    except ReplyError as error:
        if error.text != NO_FILE:
            log.warning(f"CONFIG REWRITE failed: {error.text.rpartition(': ')[2]}")
        raise
    log.notice("CONFIG REWRITE executed with success.")
    return OK


@command("CONFIG RESETSTAT", arity=2, flags=CHANGING, group="server", since="2.0.0")
def config_resetstat(ctx: Context) -> Reply:
    """CONFIG RESETSTAT

    Set the statistics that INFO reports back to zero.
    """
    ctx.engine.reset_stats()
    return OK


@command("CONFIG HELP", arity=2, flags=LOADING | STALE, group="server", since="5.0.0")
def config_help(ctx: Context) -> Reply:
    """CONFIG HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
