"""Commands of the group *hyperloglog*: how many different elements were seen, in 12 KB at most.

A HyperLogLog is a string that any command for strings can read or write; so each command looks
first whether it is one.
"""

from __future__ import annotations

from balas.commands.in_place import editable, put_back
from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import OK, Reply, Status
from balas.registry import command, key, keys
from balas.registry.flags import ACCESS, ADMIN, DENYOOM, FAST, INSERT, READONLY, RO, RW, WRITE
from balas.structures import hyperloglog

NOT_VALID = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPT = "INVALIDOBJ Corrupted HLL object detected"

REGISTERS = 16384
# The sizes at which PFSELFTEST compares estimate and truth, and how many standard errors
# (1.04 / sqrt(16384) of the size) they may be apart.
TESTED_SIZES = (1, 10, 100, 1000, 10_000, 100_000)
ERRORS_MAX = 6


def check(text: bytes | bytearray) -> None:
    """Raise an error for a string that is no HyperLogLog."""
    if not hyperloglog.is_hyperloglog(text):
        raise ReplyError(NOT_VALID)


def own(ctx: Context, key: bytes) -> None:
    """Make the string "raw", as one that was changed in place is, though nothing has changed."""
    if ctx.encoding(key) != "raw":
        text = editable(ctx, key)
        if text is not None:
            put_back(ctx, key, text)


@command(
    "PFADD",
    arity=-2,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="hyperloglog",
    since="2.8.9",
)
def pfadd(ctx: Context, key: bytes, *elements: bytes) -> Reply:
    """PFADD key [element [element ...]]

    Let a HyperLogLog see elements: 1 if that has changed it, as it does if it was missing.
    """
    text = editable(ctx, key)
    changes = 0
    if text is None:
        text = hyperloglog.new()
        changes = 1
    else:
        check(text)
    most = ctx.limits.hll_sparse_bytes
    try:
        for element in elements:
            changes += hyperloglog.add(text, element, most)
    except ValueError:
        raise ReplyError(CORRUPT) from None
    if not changes:
        own(ctx, key)
        return 0
    hyperloglog.forget_cached(text)
    put_back(ctx, key, text)
    ctx.changed_by(key, "pfadd", changes)
    return 1


@command(
    "PFCOUNT",
    arity=-2,
    flags=READONLY,
    keys=keys(
        1,
        -1,
        1,
        RW | ACCESS,
        notes="RW because it may change the internal representation of the key, "
        "and propagate to replicas",
    ),
    group="hyperloglog",
    since="2.8.9",
)
def pfcount(ctx: Context, *names: bytes) -> Reply:
    """PFCOUNT key [key ...]

    Return about how many different elements a HyperLogLog has seen, or several of them together.
    The estimate of one is kept in it.
    """
    if len(names) > 1:
        return hyperloglog.count_registers(folded(ctx, names)[0])
    text = ctx.read_buffer(names[0])
    if text is None:
        return 0
    check(text)
    known = hyperloglog.cached(text)
    if known is not None:
        own(ctx, names[0])
        return known
    try:
        found = hyperloglog.count(text)
    except ValueError:
        raise ReplyError(CORRUPT) from None
    changed = editable(ctx, names[0])
    if changed is not None:
        hyperloglog.cache(changed, found)
        put_back(ctx, names[0], changed)
        ctx.changed(names[0], "")
    return found


def folded(ctx: Context, names: tuple[bytes, ...]) -> tuple[bytearray, bool]:
    """The registers of HyperLogLogs together, one a byte, and whether one of them is dense."""
    registers = bytearray(REGISTERS)
    dense = False
    for name in names:
        text = ctx.read_buffer(name)
        if text is None:
            continue
        check(text)
        dense = dense or hyperloglog.encoding(text) == "dense"
        try:
            hyperloglog.fold(text, registers)
        except ValueError:
            raise ReplyError(CORRUPT) from None
    return registers, dense


@command(
    "PFMERGE",
    arity=-2,
    flags=WRITE | DENYOOM,
    keys=(key(1, RW | ACCESS | INSERT), keys(2, -1, 1, RO | ACCESS)),
    group="hyperloglog",
    since="2.8.9",
)
def pfmerge(ctx: Context, destkey: bytes, *sources: bytes) -> Reply:
    """PFMERGE destkey [sourcekey [sourcekey ...]]

    Let one HyperLogLog have seen what several have seen, itself included if it is there.
    """
    registers, dense = folded(ctx, (destkey, *sources))
    text = editable(ctx, destkey)
    if text is None:
        text = hyperloglog.new()
    try:
        if dense:
            hyperloglog.to_dense(text)
        hyperloglog.raise_registers(text, registers, ctx.limits.hll_sparse_bytes)
    except ValueError:
        raise ReplyError(CORRUPT) from None
    hyperloglog.forget_cached(text)
    put_back(ctx, destkey, text)
    ctx.changed(destkey, "pfadd")
    return OK


# --- for tests ------------------------------------------------------------------------------------


@command(
    "PFDEBUG",
    arity=3,
    flags=WRITE | DENYOOM | ADMIN,
    keys=key(2, RW | ACCESS),
    group="hyperloglog",
    since="2.8.9",
)
def pfdebug(ctx: Context, subcommand: bytes, key: bytes) -> Reply:
    """PFDEBUG subcommand key

    Look inside a HyperLogLog: GETREG returns its registers and makes it dense, DECODE the runs of a
    sparse one, ENCODING says which it is, TODENSE makes it dense. SIMD ON and SIMD OFF are
    understood, but there is only one way to count here.
    """
    word = subcommand.upper()
    if word == b"SIMD":
        return simd(key)
    text = editable(ctx, key)
    if text is None:
        raise ReplyError("ERR The specified key does not exist")
    check(text)
    try:
        if word == b"GETREG":
            make_dense(ctx, key, text)
            return list(hyperloglog.registers(text))
        if word == b"DECODE":
            if hyperloglog.encoding(text) != "sparse":
                raise ReplyError("ERR HLL encoding is not sparse")
            return hyperloglog.decode(text)
        if word == b"TODENSE":
            return int(make_dense(ctx, key, text))
    except ValueError:
        raise ReplyError(CORRUPT) from None
    if word == b"ENCODING":
        return Status(hyperloglog.encoding(text))
    name = subcommand.decode("utf-8", "surrogateescape")
    raise ReplyError(f"ERR Unknown PFDEBUG subcommand '{name}'")


def simd(setting: bytes) -> Reply:
    """PFDEBUG SIMD: as Redis answers on a machine that has it."""
    word = setting.upper()
    if word not in (b"ON", b"OFF"):
        raise ReplyError("ERR Argument must be ON or OFF")
    return Status("enabled" if word == b"ON" else "disabled")


def make_dense(ctx: Context, key: bytes, text: bytearray) -> bool:
    """Give the HyperLogLog at key the dense encoding; whether it was sparse."""
    if not hyperloglog.to_dense(text):
        return False
    put_back(ctx, key, text)
    ctx.changed(key, "")
    return True


@command("PFSELFTEST", arity=1, flags=ADMIN, group="hyperloglog", since="2.8.9")
def pfselftest(ctx: Context) -> Reply:
    """PFSELFTEST

    Count sets of known sizes with a sparse and a dense HyperLogLog, and compare.
    """
    sparse, dense = hyperloglog.new(), hyperloglog.new()
    hyperloglog.to_dense(dense)
    seen = 0
    for size in TESTED_SIZES:
        for number in range(seen, size):
            element = b"%d" % number
            hyperloglog.add(sparse, element, ctx.limits.hll_sparse_bytes)
            hyperloglog.add(dense, element, ctx.limits.hll_sparse_bytes)
        seen = size
        if hyperloglog.registers(sparse) != hyperloglog.registers(dense):
            raise ReplyError(f"TESTFAILED sparse and dense differ after {size} elements")
        estimate = hyperloglog.count(dense)
        if abs(estimate - size) > max(1, ERRORS_MAX * size * 1.04 / REGISTERS**0.5):
            raise ReplyError(f"TESTFAILED {size} elements are taken for {estimate}")
    return OK
