"""Commands of the group *string* that read or change a part of one, or look inside."""

from __future__ import annotations

from balas.commands.string import text_or_none
from balas.engine.context import Context
from balas.errors import STRING_TOO_LONG, SYNTAX, ReplyError
from balas.protocol.replies import Reply
from balas.registry import Arguments, command, integer, key, keys
from balas.registry.flags import ACCESS, DENYOOM, FAST, INSERT, READONLY, RO, RW, UPDATE, WRITE
from balas.structures.lcs import common_runs, table_size

# Up to this length a string that is changed in part is stored anew; longer ones change in place.
SHORT = 256


@command("STRLEN", arity=2, flags=READONLY | FAST, keys=key(1, RO), group="string", since="2.2.0")
def strlen(ctx: Context, key: bytes) -> Reply:
    """STRLEN key

    Return the length of the string in bytes, 0 if the key is missing.
    """
    return len(ctx.read_buffer(key) or b"")


@command(
    "GETRANGE", arity=4, flags=READONLY, keys=key(1, RO | ACCESS), group="string", since="2.4.0"
)
def getrange(ctx: Context, key: bytes, start: bytes, end: bytes) -> Reply:
    """GETRANGE key start end

    Return the bytes of the string from start to end, both included; negative ones count from its
    end. What is out of range is left out.
    """
    first, last = integer(start), integer(end)
    text = ctx.read_buffer(key) or b""
    if first < 0 and last < 0 and first > last:
        return b""
    if first < 0:
        first = max(first + len(text), 0)
    if last < 0:
        last = max(last + len(text), 0)
    return bytes(text[first : last + 1])


@command("SUBSTR", arity=4, flags=READONLY, keys=key(1, RO | ACCESS), group="string", since="1.0.0")
def substr(ctx: Context, key: bytes, start: bytes, end: bytes) -> Reply:
    """SUBSTR key start end

    The old name of GETRANGE.
    """
    return getrange(ctx, key, start, end)


@command(
    "APPEND",
    arity=3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | INSERT),
    group="string",
    since="2.0.0",
)
def append(ctx: Context, key: bytes, value: bytes) -> Reply:
    """APPEND key value

    Add to the end of the string at key, empty if it is missing, and return its new length.
    """
    old = ctx.write_buffer(key)
    if old is None:
        ctx.store(key, value)
        length = len(value)
    else:
        length = write_at(ctx, key, old, len(old), value)
    ctx.changed(key, "append")
    return length


@command(
    "SETRANGE",
    arity=4,
    flags=WRITE | DENYOOM,
    keys=key(1, RW | UPDATE),
    group="string",
    since="2.2.0",
)
def setrange(ctx: Context, key: bytes, offset: bytes, value: bytes) -> Reply:
    """SETRANGE key offset value

    Overwrite a part of the string at key, beginning at offset, and return its new length. A gap
    before the offset is filled with zero bytes.
    """
    start = integer(offset)
    if start < 0:
        raise ReplyError("ERR offset is out of range")
    old = ctx.write_buffer(key) or b""
    if not value:
        return len(old)
    length = write_at(ctx, key, old, start, value)
    ctx.changed(key, "setrange")
    return length


def write_at(ctx: Context, key: bytes, old: bytes | bytearray, offset: int, value: bytes) -> int:
    """Write into the string at key, which is `old` now; returns the new length.

    Raises an error for a string longer than a request may hold.
    """
    end = offset + len(value)
    length = max(end, len(old))
    if end > ctx.engine.parser_settings.max_bulk:
        raise ReplyError(STRING_TOO_LONG)
    short = length <= SHORT
    text = bytearray(old) if short else ctx.mutable_string(key)
    if offset > len(text):
        text.extend(bytes(offset - len(text)))
    text[offset:end] = value
    if short:
        ctx.store(key, bytes(text), keep_ttl=True, raw=True)
    return length


@command(
    "LCS", arity=-3, flags=READONLY, keys=keys(1, 2, 1, RO | ACCESS), group="string", since="7.0.0"
)
def lcs(ctx: Context, key1: bytes, key2: bytes, *options: bytes) -> Reply:
    """LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]

    Return the longest common subsequence of two strings. With LEN its length alone; with IDX its
    length and where its unbroken runs stand in both strings, the last one first.
    """
    a, b = ctx.read_any(key1), ctx.read_any(key2)
    first = b"" if a is None else text_or_none(a)
    second = b"" if b is None else text_or_none(b)
    if first is None or second is None:
        raise ReplyError("ERR The specified keys must contain string values")
    length_only, indexes, shortest, with_length = lcs_options(options)
    if table_size(len(first), len(second)) > ctx.engine.parser_settings.max_bulk:
        raise ReplyError(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        )
    runs = common_runs(first, second)
    total = sum(length for _, _, length in runs)
    if length_only:
        return total
    if not indexes:
        return b"".join(first[start : start + length] for start, _, length in reversed(runs))
    matches = [run_reply(run, with_length) for run in runs if run[2] >= shortest]
    return {b"matches": matches, b"len": total}


def lcs_options(options: tuple[bytes, ...]) -> tuple[bool, bool, int, bool]:
    """LCS's options: whether LEN, whether IDX, the least length of a run, whether WITHMATCHLEN."""
    arguments = Arguments(options)
    length_only = indexes = with_length = False
    shortest = 0
    while arguments.more:
        word = arguments.take().upper()
        if word == b"IDX":
            indexes = True
        elif word == b"LEN":
            length_only = True
        elif word == b"WITHMATCHLEN":
            with_length = True
        elif word == b"MINMATCHLEN" and arguments.more:
            shortest = arguments.take_int()
        else:
            raise ReplyError(SYNTAX)
    if indexes and length_only:
        raise ReplyError("ERR If you want both the length and indexes, please just use IDX.")
    return length_only, indexes, shortest, with_length


def run_reply(run: tuple[int, int, int], with_length: bool) -> Reply:
    """A run as LCS IDX shows it: first and last index in each string, and its length if asked."""
    a, b, length = run
    ranges: list[Reply] = [[a, a + length - 1], [b, b + length - 1]]
    return [*ranges, length] if with_length else ranges
