"""OBJECT, of the group *generic*: how a value is kept, and how it was used."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import Reply, Status
from balas.registry import command, container, key
from balas.registry.flags import LOADING, READONLY, RO, STALE

CONTAINER = container(
    "OBJECT",
    group="generic",
    since="2.2.3",
    categories=("-keyspace",),
    doc="""OBJECT subcommand [arg ...]

    A container for commands about how values are kept.
    """,
)

POLICY_CHANGES = (
    "Please note that when switching between policies at runtime LRU and LFU data will take some "
    "time to adjust."
)
IDLE_TIME_UNKNOWN = (
    f"ERR An LFU maxmemory policy is selected, idle time not tracked. {POLICY_CHANGES}"
)
FREQUENCY_UNKNOWN = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. " + POLICY_CHANGES
)

HELP = (
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Print this help.",
)


@command(
    "OBJECT ENCODING", arity=3, flags=READONLY, keys=key(2, RO), group="generic", since="2.2.3"
)
def object_encoding(ctx: Context, key: bytes) -> Reply:
    """OBJECT ENCODING key

    Return how the value at key is kept, such as "embstr" or "listpack"; null if it is missing.
    """
    return ctx.encoding(key) if ctx.known(key) else None


@command("OBJECT FREQ", arity=3, flags=READONLY, keys=key(2, RO), group="generic", since="4.0.0")
def object_freq(ctx: Context, key: bytes) -> Reply:
    """OBJECT FREQ key

    Return the counter of accesses that the LFU policies of eviction keep, which grows the slower
    the higher it is; null if the key is missing.
    """
    if not ctx.known(key):
        return None
    if not ctx.engine.access.lfu:
        raise ReplyError(FREQUENCY_UNKNOWN)
    return ctx.engine.access.frequency(ctx.access_bits(key) or 0)


@command(
    "OBJECT IDLETIME", arity=3, flags=READONLY, keys=key(2, RO), group="generic", since="2.2.3"
)
def object_idletime(ctx: Context, key: bytes) -> Reply:
    """OBJECT IDLETIME key

    Return the seconds since the key was last used; null if it is missing.
    """
    if not ctx.known(key):
        return None
    if ctx.engine.access.lfu:
        raise ReplyError(IDLE_TIME_UNKNOWN)
    return ctx.engine.access.idle_ms(ctx.access_bits(key) or 0) // 1000


@command(
    "OBJECT REFCOUNT", arity=3, flags=READONLY, keys=key(2, RO), group="generic", since="2.2.3"
)
def object_refcount(ctx: Context, key: bytes) -> Reply:
    """OBJECT REFCOUNT key

    Return how many keys share the value: always 1, since none do; null if the key is missing.
    """
    return 1 if ctx.known(key) else None


@command("OBJECT HELP", arity=2, flags=LOADING | STALE, group="generic", since="6.2.0")
def object_help(ctx: Context) -> Reply:
    """OBJECT HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
