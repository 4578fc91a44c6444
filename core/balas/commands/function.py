"""Commands of the group *scripting* about functions: FUNCTION, FCALL, FCALL_RO."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import OK, Pairs, Reply, SetReply, Status
from balas.registry import command, container, key_count
from balas.registry.flags import (
    ACCESS,
    ALLOW_BUSY,
    DENYOOM,
    LOADING,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    RO,
    RW,
    SKIP_MONITOR,
    STALE,
    UPDATE,
    WRITE,
)
from balas.services.scripting.functions import Functions, Library
from balas.services.scripting.scripts import BUSY_SCRIPT, Scripting
from balas.structures.glob import match

CONTAINER = container(
    "FUNCTION",
    group="scripting",
    since="7.0.0",
    categories=("-scripting",),
    doc="""FUNCTION subcommand [arg ...]

    A container for commands about libraries of functions.
    """,
)

RUNNING = NOSCRIPT | SKIP_MONITOR | NO_MANDATORY_KEYS | STALE
NOBODY_KNOWS = "We cannot tell how the keys will be used so we assume the worst, "
KEYS = key_count(2, RW | ACCESS | UPDATE, notes=f"{NOBODY_KNOWS}RW and UPDATE")
KEYS_RO = key_count(2, RO | ACCESS, notes=f"{NOBODY_KNOWS}RO and ACCESS")

HELP = (
    "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Create a new library with the given library name and code.",
    "DELETE <LIBRARY NAME>",
    "    Delete the given library.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries:",
    "    * Library name",
    "    * The engine used to run the Library",
    "    * Functions list",
    "    * Library code (if WITHCODE is given)",
    "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    "STATS",
    "    Return information about the current function running:",
    "    * Function name",
    "    * Command used to run the function",
    "    * Duration in MS that the function is running",
    "    If no function is running, return nil",
    "    In addition, returns a list of available engines.",
    "KILL",
    "    Kill the current running function.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the libraries.",
    "    * SYNC: Synchronously flush the libraries.",
    "DUMP",
    "    Return a serialized payload representing the current libraries, can be restored using "
    "FUNCTION RESTORE command",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Restore the libraries represented by the given payload, it is possible to give a restore "
    "policy to",
    "    control how to handle existing libraries (default APPEND):",
    "    * FLUSH: delete all existing libraries.",
    "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
    "    * REPLACE: appends the restored libraries to the existing libraries, On collision, "
    "replace the old",
    "      libraries with the new libraries (notice that even on this option there is a chance of "
    "failure",
    "      in case of functions name collision with another library).",
    "HELP",
    "    Print this help.",
)


def run(
    ctx: Context, name: bytes, numkeys: bytes, words: tuple[bytes, ...], *, read_only: bool
) -> Reply:
    """Run a function with the keys and arguments in `words`."""
    functions = ctx.service(Functions)
    function = functions.functions.get(name.lower())
    if function is None:
        raise ReplyError("ERR Function not found")
    if not numkeys.removeprefix(b"-").isdigit():
        raise ReplyError("ERR Bad number of keys provided")
    count = int(numkeys)
    if count > len(words):
        raise ReplyError("ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise ReplyError("ERR Number of keys can't be negative")
    return ctx.service(Scripting).call(
        ctx, function.script, words[:count], words[count:], read_only
    )


@command("FCALL", arity=-3, flags=RUNNING, keys=KEYS, group="scripting", since="7.0.0")
def fcall(ctx: Context, function: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """FCALL function numkeys [key [key ...]] [arg [arg ...]]

    Run a function of a library.
    """
    return run(ctx, function, numkeys, words, read_only=False)


@command(
    "FCALL_RO", arity=-3, flags=RUNNING | READONLY, keys=KEYS_RO, group="scripting", since="7.0.0"
)
def fcall_ro(ctx: Context, function: bytes, numkeys: bytes, *words: bytes) -> Reply:
    """FCALL_RO function numkeys [key [key ...]] [arg [arg ...]]

    Run a function of a library that does not change anything.
    """
    return run(ctx, function, numkeys, words, read_only=True)


@command(
    "FUNCTION LOAD",
    arity=-3,
    flags=NOSCRIPT | WRITE | DENYOOM,
    group="scripting",
    since="7.0.0",
)
def function_load(ctx: Context, *words: bytes) -> Reply:
    """FUNCTION LOAD [REPLACE] function-code

    Load a library; return its name.
    """
    *options, code = words
    for word in options:
        if word.lower() != b"replace":
            raise ReplyError(f"ERR Unknown option given: {word.decode('latin-1')}")
    name = ctx.service(Functions).load(code, replace=bool(options))
    ctx.changes.dirty += 1
    ctx.record(b"FUNCTION", b"LOAD", *words)
    return name


@command(
    "FUNCTION DELETE",
    arity=3,
    flags=NOSCRIPT | WRITE,
    group="scripting",
    since="7.0.0",
)
def function_delete(ctx: Context, name: bytes) -> Reply:
    """FUNCTION DELETE library-name

    Delete a library and its functions.
    """
    ctx.service(Functions).delete(name)
    ctx.changes.dirty += 1
    ctx.record(b"FUNCTION", b"DELETE", name)
    return OK


@command(
    "FUNCTION FLUSH",
    arity=-2,
    flags=NOSCRIPT | WRITE,
    group="scripting",
    since="7.0.0",
)
def function_flush(ctx: Context, *mode: bytes) -> Reply:
    """FUNCTION FLUSH [ASYNC | SYNC]

    Delete all libraries.
    """
    if len(mode) > 1:
        raise wrong_number("FLUSH")
    if mode and mode[0].lower() not in (b"async", b"sync"):
        raise ReplyError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    ctx.service(Functions).flush()
    ctx.changes.dirty += 1
    ctx.record(b"FUNCTION", b"FLUSH", *mode)
    return OK


@command(
    "FUNCTION LIST",
    arity=-2,
    flags=NOSCRIPT,
    group="scripting",
    since="7.0.0",
)
def function_list(ctx: Context, *options: bytes) -> Reply:
    """FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]

    Return what is known of the libraries.
    """
    pattern: bytes | None = None
    with_code = False
    words = iter(options)
    for word in words:
        if word.lower() == b"withcode" and not with_code:
            with_code = True
        elif word.lower() == b"libraryname" and pattern is None:
            pattern = next(words, None)
            if pattern is None:
                raise ReplyError("ERR library name argument was not given")
        else:
            raise ReplyError(f"ERR Unknown argument {word.decode('latin-1')}")
    return [
        describe(library, with_code)
        for library in ctx.service(Functions).libraries.values()
        if pattern is None or match(pattern, library.name)
    ]


def describe(library: Library, with_code: bool) -> Pairs:
    """A library as FUNCTION LIST shows it."""
    functions = [
        Pairs(
            [
                ("name", function.name),
                ("description", function.description),
                ("flags", SetReply([Status(flag.decode()) for flag in function.flags])),
            ]
        )
        for function in library.functions.values()
    ]
    pairs: list[tuple[str, Reply]] = [
        ("library_name", library.name),
        ("engine", "LUA"),
        ("functions", functions),
    ]
    if with_code:
        pairs.append(("library_code", library.code))
    return Pairs(pairs)


@command("FUNCTION DUMP", arity=2, flags=NOSCRIPT, group="scripting", since="7.0.0")
def function_dump(ctx: Context) -> Reply:
    """FUNCTION DUMP

    Return all libraries as a payload for FUNCTION RESTORE.
    """
    return ctx.service(Functions).dump()


@command(
    "FUNCTION RESTORE",
    arity=-3,
    flags=NOSCRIPT | WRITE | DENYOOM,
    group="scripting",
    since="7.0.0",
)
def function_restore(ctx: Context, payload: bytes, *policy: bytes) -> Reply:
    """FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]

    Load the libraries of a payload, all of them or none.
    """
    if len(policy) > 1:
        raise wrong_number("RESTORE")
    chosen = policy[0].lower() if policy else b"append"
    if chosen not in (b"flush", b"append", b"replace"):
        raise ReplyError(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
        )
    ctx.service(Functions).restore(payload, chosen)
    ctx.changes.dirty += 1
    ctx.record(b"FUNCTION", b"RESTORE", payload, *policy)
    return OK


@command(
    "FUNCTION STATS",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    group="scripting",
    since="7.0.0",
)
def function_stats(ctx: Context) -> Reply:
    """FUNCTION STATS

    Return which function runs, and how many there are.
    """
    functions, current = ctx.service(Functions), ctx.service(Scripting).current
    running = None
    if current is not None:
        if not current.script.is_function:
            raise ReplyError(BUSY_SCRIPT)
        name = current.script.name
        numkeys = b"%d" % len(current.keys)
        now_s = ctx.engine.clock.monotonic_ns() / 1e9
        running = Pairs(
            [
                ("name", name),
                ("command", [b"FCALL", name, numkeys, *current.keys, *current.arguments]),
                ("duration_ms", int((now_s - current.started_s) * 1000)),
            ]
        )
    counts = Pairs(
        [
            ("libraries_count", len(functions.libraries)),
            ("functions_count", len(functions.functions)),
        ]
    )
    return Pairs([("running_script", running), ("engines", Pairs([("LUA", counts)]))])


@command(
    "FUNCTION KILL",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    group="scripting",
    since="7.0.0",
)
def function_kill(ctx: Context) -> Reply:
    """FUNCTION KILL

    End the function that has been running for so long that the server is busy.
    """
    ctx.service(Scripting).kill(function=True)
    return OK


@command("FUNCTION HELP", arity=2, flags=LOADING | STALE, group="scripting", since="7.0.0")
def function_help(ctx: Context) -> Reply:
    """FUNCTION HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]


def wrong_number(name: str) -> ReplyError:
    """The error for too many words after a subcommand."""
    return ReplyError(
        f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try FUNCTION HELP."
    )
