"""BITFIELD and BITFIELD_RO: integers of 1 to 64 bits anywhere in a string."""

from __future__ import annotations

from dataclasses import dataclass

from balas.commands.bitmap import BAD_OFFSET
from balas.commands.in_place import editable, put_back
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import Reply
from balas.registry import Arguments, command, integer, key
from balas.registry.flags import (
    ACCESS,
    DENYOOM,
    FAST,
    READONLY,
    RO,
    RW,
    UPDATE,
    VARIABLE_FLAGS,
    WRITE,
)
from balas.structures.bits import add_field, get_field, set_field
from balas.structures.numbers import parse_int

BAD_TYPE = (
    "ERR Invalid bitfield type. Use something like i16 u8. "
    "Note that u64 is not supported but i64 is."
)
INT64_MAX = 2**63 - 1
# The words behind each subcommand.
WORDS = {b"GET": 2, b"SET": 3, b"INCRBY": 3}


@dataclass(frozen=True, slots=True)
class Operation:
    """One subcommand: on `width` bits from a bit on; `value` is what is set or added."""

    name: bytes
    signed: bool
    width: int
    offset: int
    value: int
    overflow: str


@command(
    "BITFIELD",
    arity=-2,
    flags=WRITE | DENYOOM,
    keys=key(
        1,
        RW | ACCESS | UPDATE | VARIABLE_FLAGS,
        notes="This command allows both access and modification of the key",
    ),
    group="bitmap",
    since="3.2.0",
)
def bitfield(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """BITFIELD key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] \
<SET encoding offset value | INCRBY encoding offset increment> ...]

    Read and change integers inside the string at key, one subcommand after the other, and return an
    array of what each gives: GET the value, SET the one before, INCRBY the sum. An encoding is i or
    u and the number of bits; an offset counts bits, or fields if it begins with #. OVERFLOW says
    for those that follow whether what does not fit is wrapped, taken to the nearest that does, or
    left undone, which gives null.
    """
    operations = parse(ctx, words)
    if all(operation.name == b"GET" for operation in operations):
        return read_fields(ctx, key, operations)
    text = editable(ctx, key)
    if text is None:
        text = bytearray()
    end = max(one.offset + one.width for one in operations if one.name != b"GET")
    growth = (end + 7) // 8 - len(text)
    if growth > 0:
        text.extend(bytes(growth))
    replies: list[Reply] = []
    changes = 0
    for operation in operations:
        reply, changed = run(text, operation)
        replies.append(reply)
        changes += changed or (growth > 0 and reply is not None and operation.name != b"GET")
    put_back(ctx, key, text)
    if changes:
        ctx.changed_by(key, "setbit", changes)
    return replies


@command(
    "BITFIELD_RO",
    arity=-2,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="bitmap",
    since="6.0.0",
)
def bitfield_ro(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]

    Read integers inside the string at key, as BITFIELD does, which may not be sent to a replica.
    """
    operations = parse(ctx, words)
    if any(operation.name != b"GET" for operation in operations):
        raise ReplyError("ERR BITFIELD_RO only supports the GET subcommand")
    return read_fields(ctx, key, operations)


def read_fields(ctx: Context, key: bytes, operations: list[Operation]) -> list[Reply]:
    """The values of fields that are only read."""
    text = ctx.read_buffer(key) or b""
    return [get_field(text, one.offset, one.width, one.signed) for one in operations]


def run(text: bytearray, operation: Operation) -> tuple[int | None, bool]:
    """Do one subcommand on a string that is long enough; its reply, and whether a field changed."""
    place = operation.offset, operation.width
    old = get_field(text, *place, operation.signed)
    if operation.name == b"GET":
        return old, False
    adds = operation.name == b"INCRBY"
    start, increment = (old, operation.value) if adds else (settable(operation), 0)
    new, overflow = add_field(
        start, increment, operation.width, operation.signed, operation.overflow
    )
    if overflow and operation.overflow == "FAIL":
        return None, False
    set_field(text, *place, new)
    return new if adds else old, new != old


def settable(operation: Operation) -> int:
    """The value of SET. One so far below a field that the distance to its highest number has no 64
    bits is taken to that by SAT, as in Redis.
    """
    highest = (1 << (operation.width - 1)) - 1
    narrow = operation.signed and operation.width < 64
    if narrow and operation.overflow == "SAT" and highest - operation.value > INT64_MAX:
        return highest + 1
    return operation.value


def parse(ctx: Context, words: tuple[bytes, ...]) -> list[Operation]:
    """The subcommands that the words make up."""
    arguments = Arguments(words)
    overflow = "WRAP"
    operations = []
    while arguments.more:
        name = arguments.take().upper()
        if name == b"OVERFLOW" and arguments.more:
            chosen = arguments.eat(b"WRAP", b"SAT", b"FAIL")
            if chosen is None:
                raise ReplyError("ERR Invalid OVERFLOW type specified")
            overflow = chosen.decode()
            continue
        if arguments.left < WORDS.get(name, arguments.left + 1):
            raise ReplyError(SYNTAX)
        signed, width = encoding(arguments.take())
        offset = field_offset(ctx, arguments.take(), width)
        value = arguments.take_int() if name != b"GET" else 0
        operations.append(Operation(name, signed, width, offset, value, overflow))
    return operations


def encoding(text: bytes) -> tuple[bool, int]:
    """Whether a field has a sign, and how many bits: i5 is (True, 5)."""
    kind, width = text[:1], parse_int(text[1:])
    if kind not in (b"i", b"u") or width is None or not 1 <= width <= (64 if kind == b"i" else 63):
        raise ReplyError(BAD_TYPE)
    return kind == b"i", width


def field_offset(ctx: Context, text: bytes, width: int) -> int:
    """The first bit of a field: #3 is the fourth of fields of this width."""
    counts_fields = text.startswith(b"#")
    last = ctx.engine.parser_settings.max_bulk * 8 - 1
    offset = integer(text[1:] if counts_fields else text, 0, last, BAD_OFFSET)
    if counts_fields:
        offset *= width
    if offset > last:
        raise ReplyError(BAD_OFFSET)
    return offset
