"""Commands of the group *bitmap*, which see strings as rows of bits; bitmap_fields.py has BITFIELD.

Bit 0 is the highest bit of the first byte. What is beyond the end of a string counts as zeros.
"""

from __future__ import annotations

from balas.commands.in_place import editable, put_back, stored_form
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import Reply
from balas.registry import command, integer, key, keys
from balas.registry.flags import ACCESS, DENYOOM, FAST, OW, READONLY, RO, RW, UPDATE, WRITE
from balas.structures.bits import combine, count, find

INT64_MAX = 2**63 - 1

BAD_OFFSET = "ERR bit offset is not an integer or out of range"
BAD_BIT = "ERR bit is not an integer or out of range"

OPERATIONS = ("AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE")
# Operations that set the first string against the others.
NEED_TWO = ("DIFF", "DIFF1", "ANDOR")


def bit_offset(ctx: Context, text: bytes) -> int:
    """The number of a bit, which must be in a string that is not too long."""
    return integer(text, 0, ctx.engine.parser_settings.max_bulk * 8 - 1, BAD_OFFSET)


@command(
    "SETBIT",
    arity=4,
    flags=WRITE | DENYOOM,
    keys=key(1, RW | ACCESS | UPDATE),
    group="bitmap",
    since="2.2.0",
)
def setbit(ctx: Context, key: bytes, offset: bytes, value: bytes) -> Reply:
    """SETBIT key offset value

    Set or clear a bit of the string at key, and return what it was. A string that is too short is
    filled up with zeros.
    """
    place = bit_offset(ctx, offset)
    wanted = integer(value, 0, 1, BAD_BIT)
    text = editable(ctx, key)
    if text is None:
        text = bytearray()
    index, shift = place >> 3, 7 - (place & 7)
    grown = index >= len(text)
    if grown:
        text.extend(bytes(index + 1 - len(text)))
    before = text[index] >> shift & 1
    if before != wanted:
        text[index] ^= 1 << shift
    put_back(ctx, key, text)
    if grown or before != wanted:
        ctx.changed(key, "setbit")
    return before


@command(
    "GETBIT",
    arity=3,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="bitmap",
    since="2.2.0",
)
def getbit(ctx: Context, key: bytes, offset: bytes) -> Reply:
    """GETBIT key offset

    Return a bit of the string at key.
    """
    place = bit_offset(ctx, offset)
    text = ctx.read_buffer(key) or b""
    index = place >> 3
    return text[index] >> (7 - (place & 7)) & 1 if index < len(text) else 0


# --- counting and finding -------------------------------------------------------------------------


@command(
    "BITCOUNT", arity=-2, flags=READONLY, keys=key(1, RO | ACCESS), group="bitmap", since="2.6.0"
)
def bitcount(ctx: Context, key: bytes, *span: bytes) -> Reply:
    """BITCOUNT key [start end [BYTE | BIT]]

    Return how many bits of the string are set, or of its bytes or bits from start to end, both
    included; negative ones count from its end.
    """
    if len(span) not in (0, 2, 3):
        raise ReplyError(SYNTAX)
    start, end, unit = 0, -1, 8
    if span:
        start, end = integer(span[0]), integer(span[1])
        unit = unit_of(span)
    text = ctx.read_buffer(key) or b""
    if start < 0 and end < 0 and start > end:
        return 0
    found = bit_range(len(text), start, end, unit)
    return count(text, *found) if found is not None else 0


@command(
    "BITPOS", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS), group="bitmap", since="2.8.7"
)
def bitpos(ctx: Context, key: bytes, bit: bytes, *span: bytes) -> Reply:
    """BITPOS key bit [start [end [BYTE | BIT]]]

    Return the place of the first bit that is set, or clear if bit is 0, perhaps between two bytes
    or bits; -1 if there is none. Where no end is given, zeros follow the string.
    """
    wanted = integer(bit)
    if wanted not in (0, 1):
        raise ReplyError("ERR The bit argument must be 1 or 0.")
    if len(span) > 3:
        raise ReplyError(SYNTAX)
    start = integer(span[0]) if span else 0
    unit = unit_of(span)
    end = integer(span[1]) if len(span) > 1 else -1
    text = ctx.read_buffer(key)
    if text is None:
        return -1 if wanted else 0
    searched = bit_range(len(text), start, end, unit)
    if searched is None:
        return -1
    found = find(text, bool(wanted), *searched)
    return len(text) * 8 if found < 0 and not wanted and len(span) < 2 else found


def unit_of(span: tuple[bytes, ...]) -> int:
    """How many bits the unit has that a range is told in, by its third word."""
    if len(span) < 3:
        return 8
    word = span[2].upper()
    if word not in (b"BYTE", b"BIT"):
        raise ReplyError(SYNTAX)
    return 8 if word == b"BYTE" else 1


def bit_range(length: int, start: int, end: int, unit: int) -> tuple[int, int] | None:
    """The first and the last bit of a range in a string of so many bytes, None if it is empty.

    `start` and `end` are in units of so many bits, both included, and count from the end if
    negative.
    """
    total = length * 8 // unit
    if start < 0:
        start = max(start + total, 0)
    if end < 0:
        end = max(end + total, 0)
    end = min(end, total - 1)
    return (start * unit, end * unit + unit - 1) if start <= end else None


# --- combining ------------------------------------------------------------------------------------


@command(
    "BITOP",
    arity=-4,
    flags=WRITE | DENYOOM,
    keys=(key(2, OW | UPDATE), keys(3, -1, 1, RO | ACCESS)),
    group="bitmap",
    since="2.6.0",
)
def bitop(ctx: Context, operation: bytes, destkey: bytes, *names: bytes) -> Reply:
    """BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]

    Combine strings bit by bit, store the result and return its length in bytes. Shorter ones count
    as if zeros followed. DIFF keeps the bits of the first that no other has, DIFF1 those of the
    others that the first has not, ANDOR those of the first that another has, ONE those that exactly
    one has.
    """
    name = operation.upper().decode("ascii", "replace")
    if name not in OPERATIONS:
        raise ReplyError(SYNTAX)
    if name == "NOT" and len(names) != 1:
        raise ReplyError("ERR BITOP NOT must be called with a single source key.")
    if name in NEED_TWO and len(names) < 2:
        raise ReplyError(f"ERR BITOP {name} must be called with at least two source keys.")
    result = combine(name, [ctx.read_buffer(source) or b"" for source in names])
    if result:
        ctx.store(destkey, stored_form(result), -1, False, True)
        ctx.changed(destkey, "set")
    elif ctx.discard(destkey):
        ctx.changed(destkey, "del")
    return len(result)
