"""XREAD and XREADGROUP: entries of several streams, which may be waited for.

What a log has to know of XREADGROUP is told by XCLAIM for each entry that is delivered, and by
XGROUP SETID for how far the group has come: see `record_delivered`.
"""

from __future__ import annotations

from typing import Any

from balas.commands.stream_options import INT64_MAX, strict_id, take_id
from balas.engine.context import Context
from balas.errors import SYNTAX, TIMEOUT_NEGATIVE, TIMEOUT_OUT_OF_RANGE, ReplyError, printable
from balas.protocol.replies import NULL_ARRAY, Pairs, Reply
from balas.registry import command, integer, keys
from balas.registry.flags import ACCESS, BLOCKING, MOVABLEKEYS, READONLY, RO, WRITE
from balas.types.stream import Stream
from balas.types.stream_groups import Consumer, Group
from balas.types.stream_ids import ID_MAX, format_id

MEANINGLESS = (
    "ERR The {0} ID is meaningless in the context of XREADGROUP: you want to read the history of "
    "this consumer by specifying a proper ID, or use the > ID to get new messages. The {0} ID "
    "would just return an empty result set."
)
NEW_WITHOUT_GROUP = (
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
    "option."
)


class Reading:
    """The arguments of XREAD and XREADGROUP.

    Attributes:
        timeout_ms: how long to wait, 0 for ever, -1 not at all. count: how many entries of each
        stream, 0 for all.
        group, consumer: names; group is None in XREAD.
        keys, ids: the streams, and after which ids to read, as they stand there.
    """

    __slots__ = ("consumer", "count", "group", "ids", "keys", "no_ack", "timeout_ms")

    def __init__(self) -> None:
        self.timeout_ms = -1
        self.count = 0
        self.no_ack = False
        self.group: bytes | None = None
        self.consumer = b""
        self.keys: tuple[bytes, ...] = ()
        self.ids: tuple[bytes, ...] = ()


def arguments(ctx: Context, words: tuple[bytes, ...], grouped: bool) -> Reading:
    """Read the arguments; `grouped` for XREADGROUP."""
    reading = Reading()
    i = 0
    while i < len(words):
        word = words[i].upper()
        left = len(words) - i - 1
        if word == b"BLOCK" and left:
            i += 1
            reading.timeout_ms = timeout(ctx, words[i])
        elif word == b"COUNT" and left:
            i += 1
            reading.count = max(integer(words[i]), 0)
        elif word == b"STREAMS" and left:
            streams(reading, words[i + 1 :], grouped)
            break
        elif word == b"GROUP" and left >= 2:
            only_grouped("GROUP", grouped)
            reading.group, reading.consumer = words[i + 1], words[i + 2]
            i += 2
        elif word == b"NOACK":
            only_grouped("NOACK", grouped)
            reading.no_ack = True
        else:
            raise ReplyError(SYNTAX)
        i += 1
    if not reading.keys:
        raise ReplyError(SYNTAX)
    if grouped and reading.group is None:
        raise ReplyError("ERR Missing GROUP option for XREADGROUP")
    return reading


def timeout(ctx: Context, text: bytes) -> int:
    """How long BLOCK waits, in ms."""
    found = integer(text, error="ERR timeout is not an integer or out of range")
    if found < 0:
        raise ReplyError(TIMEOUT_NEGATIVE)
    if found > INT64_MAX - ctx.now_ms:
        raise ReplyError(TIMEOUT_OUT_OF_RANGE)
    return found


def only_grouped(option: str, grouped: bool) -> None:
    """Refuse an option of XREADGROUP in XREAD."""
    if not grouped:
        raise ReplyError(
            f"ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
        )


def streams(reading: Reading, words: tuple[bytes, ...], grouped: bool) -> None:
    """Read keys and ids, as many of one as of the other."""
    if len(words) % 2:
        name, special = ("xreadgroup", " or '>'") if grouped else ("xread", ", '+', or '$'")
        raise ReplyError(
            f"ERR Unbalanced '{name}' list of streams: for each stream key an ID{special} "
            "must be specified."
        )
    half = len(words) // 2
    reading.keys, reading.ids = words[:half], words[half:]


# --- XREAD ----------------------------------------------------------------------------------------


@command(
    "XREAD",
    arity=-4,
    flags=READONLY | BLOCKING | MOVABLEKEYS,
    keys=keys(1, -1, 1, RO | ACCESS, limit=2).after("STREAMS", 1),
    group="stream",
    since="5.0.0",
)
def xread(ctx: Context, *words: bytes) -> Reply:
    """XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]

    Return the entries of streams that come after the ids given: `$` is the last id now, `+` stands
    for the last entry. With BLOCK, wait until there is one.
    """
    reading = arguments(ctx, words, False)
    names = reading.keys
    after = [start_of(ctx, names[i], reading.ids[i]) for i in range(len(names))]
    reply = []
    for i in range(len(names)):
        found: Stream | None = ctx.read(names[i], Stream)
        if found is not None and found.last_entry_id() > after[i]:
            entries = found.range(after[i] + 1, ID_MAX, reading.count or -1, False)
            reply.append([names[i], entries])
    if reply:
        return by_stream(ctx, reply)
    if reading.timeout_ms < 0:
        return NULL_ARRAY
    return wait(ctx, reading, Stream, [b"XREAD", *words[: -len(after)], *resolved(reading, after)])


def start_of(ctx: Context, key: bytes, text: bytes) -> int:
    """The id after which XREAD reads a stream."""
    found: Stream | None = ctx.read(key, Stream)
    if text == b"$":
        return found.last_id if found is not None else 0
    if text == b"+":
        return max(found.last_entry_id() - 1, 0) if found is not None else 0
    if text == b">":
        raise ReplyError(NEW_WITHOUT_GROUP)
    return strict_id(text)


def resolved(reading: Reading, after: list[int]) -> list[bytes]:
    """The ids as they are to be read again later: `$` is what was the last id when it came."""
    return [
        format_id(id) if text == b"$" else text for text, id in zip(reading.ids, after, strict=True)
    ]


def by_stream(ctx: Context, found: list[Any]) -> Reply:
    """Keys with their entries, as either protocol has them."""
    return Pairs([(key, entries) for key, entries in found]) if ctx.resp == 3 else found


def wait(ctx: Context, reading: Reading, kind: type[Stream] | None, argv: list[bytes]) -> Reply:
    """Wait for a change of the streams, and then run `argv`."""
    reply = ctx.block(reading.keys, reading.timeout_ms, NULL_ARRAY, kind)
    blocked = ctx.client.blocked
    if blocked is not None and not blocked.argv:
        blocked.argv = argv
    return reply


# --- XREADGROUP -----------------------------------------------------------------------------------


@command(
    "XREADGROUP",
    arity=-7,
    flags=WRITE | BLOCKING | MOVABLEKEYS,
    keys=keys(1, -1, 1, RO | ACCESS, limit=2).after("STREAMS", 4),
    group="stream",
    since="5.0.0",
)
def xreadgroup(ctx: Context, *words: bytes) -> Reply:
    """XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key \
[key ...] id [id ...]

    Return entries that no consumer of the group was given yet (`>`), and remember that this one was
    until it acknowledges them; or, after an id, those that it has not acknowledged. With BLOCK,
    wait until there is one.
    """
    reading = arguments(ctx, words, True)
    assert reading.group is not None
    names = reading.keys
    places = [place_of(ctx, reading.group, names[i], reading.ids[i]) for i in range(len(names))]
    ctx.no_record()  # what is to be known is told entry by entry
    reply = []
    for i in range(len(names)):
        group, after = places[i]
        found: Stream | None = ctx.read(names[i], Stream)
        if found is None:
            continue
        entries = read_group(ctx, reading, names[i], found, group, after)
        if entries is not None:
            reply.append([names[i], entries])
    if reply:
        return by_stream(ctx, reply)
    if reading.timeout_ms < 0:
        return NULL_ARRAY
    return wait(ctx, reading, None, [b"XREADGROUP", *words])


def place_of(ctx: Context, name: bytes, key: bytes, text: bytes) -> tuple[Group, int]:
    """The group of a stream, and the id after which to read its history; ID_MAX for new entries."""
    found: Stream | None = ctx.read(key, Stream)
    group = found.groups.get(name) if found is not None else None
    if group is None:
        raise ReplyError(
            f"NOGROUP No such key '{printable(key)}' or consumer group '{printable(name)}' in "
            "XREADGROUP with GROUP option"
        )
    if text in (b"$", b"+"):
        raise ReplyError(MEANINGLESS.format(printable(text)))
    if text == b">":
        return group, ID_MAX
    return group, strict_id(text)


def read_group(
    ctx: Context, reading: Reading, key: bytes, found: Stream, group: Group, after: int
) -> Reply:
    """What the consumer gets of one stream; None if there is nothing new."""
    consumer = group.consumers.get(reading.consumer)
    if consumer is None:
        consumer = group.add_consumer(reading.consumer, ctx.now_ms)
        ctx.changed(key, "xgroup-createconsumer")
        if reading.no_ack:
            record_consumer(ctx, key, group, consumer)
    consumer.seen_ms = ctx.now_ms
    count = reading.count or -1
    if after != ID_MAX:
        entries = found.redeliver(group, consumer, after + 1, count, ctx.now_ms)
        return [[id, NULL_ARRAY if items is None else items] for id, items in entries]
    last_id = group.last_id
    if found.length == 0 or found.last_entry_id() <= last_id:
        return None
    entries = found.deliver(group, consumer, last_id + 1, count, reading.no_ack, ctx.now_ms)
    if ctx.changes.recording:
        if not reading.no_ack:
            record_delivered(ctx, key, group, consumer, last_id, entries)
        record_progress(ctx, key, group)
    ctx.changed_by(key, "", 1)
    return entries


# --- records --------------------------------------------------------------------------------------


def record_consumer(ctx: Context, key: bytes, group: Group, consumer: Consumer) -> None:
    """Tell the log of a consumer that came into being by reading."""
    ctx.record(b"XGROUP", b"CREATECONSUMER", key, group.name, consumer.name)


def record_delivered(
    ctx: Context,
    key: bytes,
    group: Group,
    consumer: Consumer,
    last_id: int,
    entries: list[Any],
) -> None:
    """Tell the log that entries were given to a consumer now; the group had come to `last_id`."""
    for id, _ in entries:
        last_id = max(last_id, take_id(id))
        record_claim(ctx, key, group, id, consumer.name, ctx.now_ms, 1, format_id(last_id))


def record_claim(
    ctx: Context,
    key: bytes,
    group: Group,
    id: bytes,
    name: bytes,
    at_ms: int,
    deliveries: int,
    last_id: bytes,
) -> None:
    """Tell the log that an entry is pending to a consumer, since when, and how often it was given
    away, and how far the group had come; if the entry is no longer there, that it is pending no
    more.
    """
    ctx.record(
        b"XCLAIM",
        key,
        group.name,
        name,
        b"0",
        id,
        b"TIME",
        b"%d" % at_ms,
        b"RETRYCOUNT",
        b"%d" % deliveries,
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last_id,
    )


def record_progress(ctx: Context, key: bytes, group: Group) -> None:
    """Tell the log how far a group has come."""
    ctx.record(
        b"XGROUP",
        b"SETID",
        key,
        group.name,
        format_id(group.last_id),
        b"ENTRIESREAD",
        b"%d" % group.entries_read,
    )
