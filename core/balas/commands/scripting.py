"""Commands of the group *scripting* that run scripts: EVAL, EVALSHA, SCRIPT."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import OK, Reply, Status
from balas.registry import command, container, integer, key_count
from balas.registry.flags import (
    ACCESS,
    ALLOW_BUSY,
    LOADING,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    RO,
    RW,
    SKIP_MONITOR,
    STALE,
    UPDATE,
)
from balas.services.scripting.scripts import NO_SCRIPT, SHA_DIGITS, Script, Scripting

CONTAINER = container(
    "SCRIPT",
    group="scripting",
    since="2.6.0",
    categories=("-scripting",),
    doc="""SCRIPT subcommand [arg ...]

    A container for commands about scripts.
    """,
)

RUNNING = NOSCRIPT | SKIP_MONITOR | MAY_REPLICATE | NO_MANDATORY_KEYS | STALE
NOBODY_KNOWS = "We cannot tell how the keys will be used so we assume the worst, "
KEYS = key_count(2, RW | ACCESS | UPDATE, notes=f"{NOBODY_KNOWS}RW and UPDATE")
EVALSHA_KEYS = key_count(2, RW | ACCESS | UPDATE)
EVALSHA_KEYS_RO = key_count(2, RO | ACCESS)
KEYS_RO = key_count(2, RO | ACCESS, notes=f"{NOBODY_KNOWS}RO and ACCESS")

HELP = (
    "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DEBUG (YES|SYNC|NO)",
    "    Set the debug mode for subsequent scripts executed.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache. Very dangerous on replicas.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the scripts cache.",
    "    * SYNC: Synchronously flush the scripts cache.",
    "KILL",
    "    Kill the currently executing Lua script.",
    "LOAD <script>",
    "    Load a script into the scripts cache without executing it.",
    "HELP",
    "    Print this help.",
)


def run(ctx: Context, script: Script, count: int, words: tuple[bytes, ...], only: bool) -> Reply:
    """Run a script with `count` keys and the arguments in `words`; `only` to read."""
    scripting = ctx.service(Scripting)
    return scripting.call(ctx, script, words[:count], words[count:], only)


def key_total(numkeys: bytes, words: tuple[bytes, ...]) -> int:
    """How many keys there are. Complains before the script is even looked at."""
    count = integer(numkeys)
    if count > len(words):
        raise ReplyError("ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise ReplyError("ERR Number of keys can't be negative")
    return count


@command("EVAL", arity=-3, flags=RUNNING, keys=KEYS, group="scripting", since="2.6.0")
def eval_(ctx: Context, script: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """EVAL script numkeys [key [key ...]] [arg [arg ...]]

    Run a script in Lua, with its keys in KEYS and its arguments in ARGV.
    """
    count = key_total(numkeys, words)
    return run(ctx, ctx.service(Scripting).load(script), count, words, False)


@command(
    "EVAL_RO", arity=-3, flags=RUNNING | READONLY, keys=KEYS_RO, group="scripting", since="7.0.0"
)
def eval_ro(ctx: Context, script: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]

    Run a script that may not change anything.
    """
    count = key_total(numkeys, words)
    return run(ctx, ctx.service(Scripting).load(script), count, words, True)


@command("EVALSHA", arity=-3, flags=RUNNING, keys=EVALSHA_KEYS, group="scripting", since="2.6.0")
def evalsha(ctx: Context, sha1: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]

    Run a script that is known already, by the SHA-1 of its text.
    """
    if len(sha1) != SHA_DIGITS:
        raise ReplyError(NO_SCRIPT)
    count = key_total(numkeys, words)
    return run(ctx, ctx.service(Scripting).known(sha1), count, words, False)


@command(
    "EVALSHA_RO",
    arity=-3,
    flags=RUNNING | READONLY,
    keys=EVALSHA_KEYS_RO,
    group="scripting",
    since="7.0.0",
)
def evalsha_ro(ctx: Context, sha1: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """EVALSHA_RO sha1 numkeys [key [key ...]] [arg [arg ...]]

    Run a script that is known already, and that may not change anything.
    """
    if len(sha1) != SHA_DIGITS:
        raise ReplyError(NO_SCRIPT)
    count = key_total(numkeys, words)
    return run(ctx, ctx.service(Scripting).known(sha1), count, words, True)


@command("SCRIPT LOAD", arity=3, flags=NOSCRIPT | STALE, group="scripting", since="2.6.0")
def script_load(ctx: Context, script: bytes) -> Reply:
    """SCRIPT LOAD script

    Make a script known without running it; return the SHA-1 of its text.
    """
    return ctx.service(Scripting).load(script, keep=True).name


@command("SCRIPT EXISTS", arity=-3, flags=NOSCRIPT, group="scripting", since="2.6.0")
def script_exists(ctx: Context, *sha1s: bytes) -> Reply:
    """SCRIPT EXISTS sha1 [sha1 ...]

    Return for each SHA-1 whether a script is known by it.
    """
    scripts = ctx.service(Scripting).scripts
    return [int(sha1.lower() in scripts) for sha1 in sha1s]


@command("SCRIPT FLUSH", arity=-2, flags=NOSCRIPT, group="scripting", since="2.6.0")
def script_flush(ctx: Context, *mode: bytes) -> Reply:
    """SCRIPT FLUSH [ASYNC | SYNC]

    Forget all scripts.
    """
    if len(mode) > 1 or (mode and mode[0].lower() not in (b"async", b"sync")):
        raise ReplyError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    ctx.service(Scripting).flush()
    return OK


@command("SCRIPT KILL", arity=2, flags=NOSCRIPT | ALLOW_BUSY, group="scripting", since="2.6.0")
def script_kill(ctx: Context) -> Reply:
    """SCRIPT KILL

    End the script that has been running for so long that the server is busy.
    """
    ctx.service(Scripting).kill(function=False)
    return OK


@command("SCRIPT DEBUG", arity=3, flags=NOSCRIPT, group="scripting", since="3.2.0")
def script_debug(ctx: Context, mode: bytes) -> Reply:
    """SCRIPT DEBUG <YES | SYNC | NO>

    There is no debugger: only NO is accepted.
    """
    if mode.lower() in (b"yes", b"sync"):
        raise ReplyError("ERR this server has no debugger for scripts")
    if mode.lower() != b"no":
        raise ReplyError("ERR Use SCRIPT DEBUG YES/SYNC/NO")
    return OK


@command("SCRIPT HELP", arity=2, flags=LOADING | STALE, group="scripting", since="5.0.0")
def script_help(ctx: Context) -> Reply:
    """SCRIPT HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
