"""DEBUG: tools for tests and for those who look inside, part of the group *server*.

Only what makes sense here is there. What Redis has beside it, which shows or changes structures
that only Redis is made of, is refused with a text that says so.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from balas.engine.context import Context
from balas.errors import NO_SUCH_KEY, ReplyError, printable
from balas.protocol.replies import (
    OK,
    BigNumber,
    Encoded,
    Pairs,
    Push,
    Replies,
    Reply,
    SetReply,
    Status,
    Verbatim,
)
from balas.registry import command, integer
from balas.registry.flags import ADMIN, LOADING, NOSCRIPT, PROTECTED, STALE
from balas.services.children import WorkFailed
from balas.services.config import Config
from balas.services.config.grammar import decode
from balas.services.cycles import Cycles
from balas.services.digest import dataset_digest, value_digest
from balas.services.identity import Identity
from balas.services.loading import LoadFailed, Loading
from balas.services.log import Log
from balas.services.rdb.dump import dump
from balas.services.scripting.scripts import SHA_DIGITS, Scripting
from balas.services.snapshots import Snapshots
from balas.structures.numbers import parse_float

NOT_ALLOWED = (
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to "
    '"local", you can run it from a local connection, otherwise you need to set this option in '
    "the configuration file, and then restart the server."
)
NOT_POSITIVE = "ERR value is out of range, must be positive"
BAD_RELOAD = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
LOAD_FAILED = "ERR Error trying to load the RDB dump, check server logs."
INT64_MAX = 2**63 - 1
# Of a dumped value: its type, the format's version and a checksum.
DUMP_FRAME_BYTES = 11
# Of a hash table, for one element.
SLOT_BYTES = 8
LRU_CLOCK_MASK = (1 << 24) - 1

# What else Redis 8.2 has.
FOREIGN = frozenset(
    (
        *(b"aof-flush-sleep", b"client-eviction", b"clusterlink", b"config-rewrite-force-all"),
        *(b"crash-and-recover", b"drop-cluster-packet-filter", b"htstats-key"),
        *(b"keysizes-hist-assert", b"leak", b"listpack", b"mallctl", b"mallctl-str"),
        *(b"mark-internal-client", b"pause-cron", b"quicklist", b"quicklist-packed-threshold"),
        *(b"repl-pause", b"replybuffer", b"restart", b"set-disable-deny-scripts"),
        *(b"set-skip-checksum-validation", b"stringmatch-test", b"structsize", b"ziplist"),
    )
)

HELP = (
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ASSERT",
    "    Crash with a core dump, as PANIC and OOM do.",
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "    Dangerous: should be used only for testing the replication subsystem.",
    "DICT-RESIZING <0|1>",
    "    Enable or disable the main dict and expire dict resizing.",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "HTSTATS <dbid> [full]",
    "    Return how full the hash tables of a database are.",
    "INTERNAL_SECRET",
    "    Return an error, since the server is not in cluster mode.",
    "LOADAOF",
    "    Flush the AOF buffers on disk and reload the AOF in memory.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "OOM",
    "    Crash with a core dump, as ASSERT and PANIC do.",
    "PANIC",
    "    Crash with a core dump, as ASSERT and OOM do.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix. These are not propagated to",
    "    replicas.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "RELOAD [option ...]",
    "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
    "    * MERGE: conflicting keys will be loaded from RDB.",
    "    * NOFLUSH: the existing database will not be removed before load.",
    "    * NOSAVE: the database will be loaded from an existing RDB file.",
    "REPLICATE <string>",
    "    Replicates the provided string to replicas, allowing data divergence.",
    "SCRIPT <LIST|<sha>>",
    "    Output SHA and content of all scripts or of a specific script with its SHA, to the",
    "    log.",
    "SDSLEN <key>",
    "    Show how long `key` and its string are, and how much memory they take.",
    "SEGFAULT",
    "    Crash the server with sigsegv.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys (and hash-fields) in background",
    "    when they are not accessed (otherwise the Redis behavior). Setting it",
    "    to 1 reenables back the default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "HELP",
    "    Print this help.",
)


class Subcommand(NamedTuple):
    """A function, and how many arguments it takes."""

    function: Callable[..., Reply]
    least: int = 0
    most: int | None = 0


@command(
    "DEBUG",
    arity=-2,
    flags=ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED,
    group="server",
    since="1.0.0",
)
def debug(ctx: Context, name: bytes, *arguments: bytes) -> Reply:
    """DEBUG subcommand [arg ...]

    Look inside, and do what only tests want. DEBUG HELP lists the subcommands.
    """
    if not ctx.service(Config).allows("enable-debug-command", ctx.client.address):
        raise ReplyError(NOT_ALLOWED)
    found = SUBCOMMANDS.get(name.lower())
    count = len(arguments)
    if name.lower() in FOREIGN:
        raise ReplyError(
            f"ERR DEBUG {printable(name).upper()} is about the inside of Redis, which this server "
            "is not made of"
        )
    if found is None or count < found.least or (found.most is not None and count > found.most):
        raise unknown(name)
    return found.function(ctx, *arguments)


def unknown(name: bytes) -> ReplyError:
    """The error for what there is not."""
    return ReplyError(
        "ERR unknown subcommand or wrong number of arguments for "
        f"'{printable(name[:128])}'. Try DEBUG HELP."
    )


def help_(ctx: Context) -> Reply:
    """What there is."""
    return [Status(line) for line in HELP]


# Time, log, errors.


def sleep(ctx: Context, seconds: bytes) -> Reply:
    """Let everybody wait."""
    ctx.engine.clock.sleep(max(parse_float(seconds) or 0.0, 0.0))
    return OK


def log(ctx: Context, message: bytes) -> Reply:
    """Write a warning."""
    ctx.service(Log).warning(f"DEBUG LOG: {decode(message)}")
    return OK


def error(ctx: Context, text: bytes) -> Reply:
    """Answer with an error."""
    raise ReplyError(printable(text).replace("\n", " ").replace("\r", " "))


# The data as a whole.


def digest(ctx: Context) -> Reply:
    """Sum up all data."""
    return Status(dataset_digest(ctx.engine))


def digest_value(ctx: Context, *keys: bytes) -> Reply:
    """Sum up single values."""
    return [Status(value_digest(ctx.peek_any(key), ctx.expire_at(key))) for key in keys]


def populate(ctx: Context, count: bytes, prefix: bytes = b"key", size: bytes = b"0") -> Reply:
    """Make keys where there are none, without a record of it."""
    keys = integer(count, low=0, error=NOT_POSITIVE)
    size_bytes = integer(size, low=0, error=NOT_POSITIVE)
    for number in range(keys):
        key, value = b"%s:%d" % (prefix, number), b"value:%d" % number
        if ctx.there(key):
            continue
        if size_bytes:
            value = value[:size_bytes].ljust(size_bytes, b"\0")
        ctx.store(key, value)
        ctx.changed(key, "")
    ctx.no_record()
    return OK


def reload(ctx: Context, *options: bytes) -> Reply:
    """Save the data and load them again."""
    words = {option.lower() for option in options}
    if words - {b"merge", b"noflush", b"nosave"}:
        raise ReplyError(BAD_RELOAD)
    if b"nosave" not in words:
        try:
            ctx.service(Snapshots).save()
        except WorkFailed:
            raise ReplyError("ERR") from None
    try:
        ctx.service(Loading).reload(flush=b"noflush" not in words, replace=b"merge" in words)
    except LoadFailed as failure:
        ctx.service(Log).warning(f"DEBUG RELOAD failed: {failure}")
        raise ReplyError(LOAD_FAILED) from None
    ctx.service(Log).warning("DB reloaded by DEBUG RELOAD")
    return OK


def load_aof(ctx: Context) -> Reply:
    """Replay the log."""
    try:
        ctx.service(Loading).reload_log()
    except LoadFailed as failure:
        ctx.service(Log).warning(f"DEBUG LOADAOF failed: {failure}")
        raise ReplyError("ERR Error trying to load the AOF files, check server logs.") from None
    return OK


# One key.


def object_(ctx: Context, key: bytes) -> Reply:
    """One line about a value."""
    value, encoding, bits = ctx.peek_any(key), ctx.encoding(key), ctx.access_bits(key)
    if value is None or bits is None:
        raise ReplyError(NO_SUCH_KEY)
    length = len(dump(value, compress=False)) - DUMP_FRAME_BYTES
    idle_s = ctx.engine.access.idle_ms(bits) // 1000
    clock = (ctx.now_ms // 1000 - idle_s) & LRU_CLOCK_MASK
    return Status(
        f"Value at:{id(value):#x} refcount:1 encoding:{encoding} serializedlength:{length} "
        f"lru:{clock} lru_seconds_idle:{idle_s}"
    )


def sds_len(ctx: Context, key: bytes) -> Reply:
    """How long a key and its string are. Keys have no room to spare; what a string has that was
    appended to is in its memory alone.
    """
    value = ctx.peek_any(key)
    if value is None:
        raise ReplyError(NO_SUCH_KEY)
    if not isinstance(value, bytes) or ctx.encoding(key) == "int":
        raise ReplyError("ERR Not an sds encoded string.")
    return Status(
        f"key_sds_len:{len(key)}, key_sds_avail:0, key_zmalloc: {len(key)}, "
        f"val_sds_len:{len(value)}, val_sds_avail:0, val_zmalloc: {ctx.db.memory_of(key)}"
    )


# Inside the server.


def table_stats(ctx: Context, index: bytes, full: bytes = b"") -> Reply:
    """How full the tables of a database are, as text. Lengths of chains are not told."""
    place = integer(index)
    if not 0 <= place < len(ctx.engine.databases):
        raise ReplyError("ERR Out of range database")
    db = ctx.engine.databases[place]
    sizes = (len(db), db.expires_count)
    text = ""
    for name, size, taken in zip(("Dictionary", "Expires"), sizes, db.table_memory, strict=True):
        text += f"[{name} HT]\n"
        if size:
            text += (
                "Hash table 0 stats (main hash table):\n"
                f" table size: {taken // SLOT_BYTES}\n number of elements: {size}\n"
            )
    return Verbatim(text)


def script(ctx: Context, name: bytes) -> Reply:
    """Write the scripts that are known to the log, or one of them."""
    scripting = ctx.service(Scripting)
    if name.lower() != b"list" and len(name) != SHA_DIGITS:
        raise unknown(b"script")
    chosen = scripting.scripts.values() if name.lower() == b"list" else [scripting.known(name)]
    for one in chosen:
        ctx.service(Log).warning(f"SCRIPT SHA: {one.name}\n{decode(one.text)}")
    return OK


def internal_secret(ctx: Context) -> Reply:
    """There is one in a cluster only."""
    raise ReplyError("ERR Internal secret is missing")


def segfault(ctx: Context) -> Reply:
    """End as if the memory had been misused."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return OK


def abort(ctx: Context) -> Reply:
    """End as if something had gone wrong beyond repair."""
    os.abort()


# Switches.


def set_active_expire(ctx: Context, on: bytes) -> Reply:
    """Let expired keys be found, or wait until they are asked for."""
    ctx.service(Cycles).expires_actively = is_on(on)
    return OK


def dict_resizing(ctx: Context, on: bytes) -> Reply:
    """Let tables grow and shrink, or keep their size."""
    for db in ctx.engine.databases:
        db.allow_resize(is_on(on))
    return OK


def is_on(word: bytes) -> bool:
    """Whether a word is a number other than zero, as C's atoi sees it."""
    return bool(parse_float(word))


def change_replication_id(ctx: Context) -> Reply:
    """Begin another history of the data."""
    ctx.service(Identity).change_replication_id()
    return OK


def replicate(ctx: Context, *words: bytes) -> Reply:
    """Record a command that was never run."""
    ctx.record(*words)
    return OK


# The protocol.


def protocol(ctx: Context, name: bytes) -> Reply:
    """Answer with a value of some kind."""
    wanted = name.lower()
    if wanted not in SAMPLES:
        raise ReplyError(
            "ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
        )
    if wanted == b"attrib" and ctx.client.resp == 3 and ctx.may_block:
        return Encoded(ATTRIBUTE)
    if wanted == b"push" and ctx.client.resp == 2:
        raise ReplyError("ERR RESP2 is not supported by this command")
    return SAMPLES[wanted]


SAMPLES: Mapping[bytes, Reply] = MappingProxyType(
    {
        b"string": b"Hello World",
        b"integer": 12345,
        b"double": 3.141,
        b"bignum": BigNumber(1234567999999999999999999999999999999),
        b"null": None,
        b"array": (0, 1, 2),
        b"set": SetReply([0, 1, 2]),
        b"map": Pairs([(0, False), (1, True), (2, False)]),
        b"verbatim": Verbatim("This is a verbatim\nstring"),
        b"true": True,
        b"false": False,
        b"attrib": b"Some real reply following the attribute",
        b"push": Replies(
            [b"Some real reply following the push reply", Push([b"server-cpu-usage", 42])]
        ),
    }
)
# What RESP3 has before a reply, for clients that want to see how they read it.
ATTRIBUTE = (
    b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
    b"$39\r\nSome real reply following the attribute\r\n"
)
SUBCOMMANDS: Mapping[bytes, Subcommand] = MappingProxyType(
    {
        b"assert": Subcommand(abort),
        b"change-repl-id": Subcommand(change_replication_id),
        b"dict-resizing": Subcommand(dict_resizing, 1, 1),
        b"digest": Subcommand(digest),
        b"digest-value": Subcommand(digest_value, 0, None),
        b"error": Subcommand(error, 1, 1),
        b"help": Subcommand(help_),
        b"htstats": Subcommand(table_stats, 1, 2),
        b"internal_secret": Subcommand(internal_secret),
        b"loadaof": Subcommand(load_aof),
        b"log": Subcommand(log, 1, 1),
        b"object": Subcommand(object_, 1, 1),
        b"oom": Subcommand(abort),
        b"panic": Subcommand(abort),
        b"populate": Subcommand(populate, 1, 3),
        b"protocol": Subcommand(protocol, 1, 1),
        b"reload": Subcommand(reload, 0, None),
        b"replicate": Subcommand(replicate, 1, None),
        b"script": Subcommand(script, 1, 1),
        b"sdslen": Subcommand(sds_len, 1, 1),
        b"segfault": Subcommand(segfault),
        b"set-active-expire": Subcommand(set_active_expire, 1, 1),
        b"sleep": Subcommand(sleep, 1, 1),
    }
)
