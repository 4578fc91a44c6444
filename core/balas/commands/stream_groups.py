"""Commands of the group *stream* on consumer groups: making them, acknowledging, claiming."""

from __future__ import annotations

from balas.commands.stream_options import (
    INT64_MAX,
    exclusive,
    interval,
    references_and_ids,
    strict_id,
    take_id,
)
from balas.commands.stream_reading import record_claim, record_progress
from balas.engine.context import Context
from balas.errors import SYNTAX, WRONG_TYPE, ReplyError, printable
from balas.protocol.replies import NULL_ARRAY, OK, Reply, Status
from balas.registry import Arguments, command, container, integer, key
from balas.registry.flags import (
    ACCESS,
    DELETE,
    DENYOOM,
    FAST,
    INSERT,
    LOADING,
    READONLY,
    RO,
    RW,
    STALE,
    UPDATE,
    WRITE,
)
from balas.types.stream import Stream
from balas.types.stream_groups import Consumer, Group
from balas.types.stream_ids import ID_MAX, format_id, parse_id

KEY_MUST_EXIST = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
    "the MKSTREAM option to create an empty stream automatically."
)
# XAUTOCLAIM: as many ids as could be kept, each of 16 bytes.
COUNT_MAX = INT64_MAX // 16

HELP = (
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Print this help.",
)

XGROUP = container(
    "XGROUP",
    group="stream",
    since="5.0.0",
    doc="""XGROUP subcommand [arg ...]

    A container for commands about consumer groups.
    """,
)


# --- XGROUP ---------------------------------------------------------------------------------------


def group_options(subcommand: str, words: tuple[bytes, ...], creates: bool) -> tuple[bool, int]:
    """MKSTREAM, for CREATE, and ENTRIESREAD, -1 if it is not known."""
    arguments = Arguments(words)
    make, entries_read = False, -1
    while arguments.more:
        if creates and arguments.eat(b"MKSTREAM"):
            make = True
        elif arguments.left >= 2 and arguments.eat(b"ENTRIESREAD"):
            entries_read = arguments.take_int()
            if entries_read < -1:
                raise ReplyError("ERR value for ENTRIESREAD must be positive or -1")
        else:
            raise ReplyError(
                f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. "
                "Try XGROUP HELP."
            )
    return make, entries_read


def stream_at(ctx: Context, key: bytes) -> Stream:
    """The stream that a subcommand of XGROUP needs."""
    found: Stream | None = ctx.write(key, Stream)
    if found is None:
        raise ReplyError(KEY_MUST_EXIST)
    return found


def stream_and_group(ctx: Context, key: bytes, name: bytes) -> tuple[Stream, Group]:
    """The stream and the group that a subcommand of XGROUP needs."""
    found = stream_at(ctx, key)
    group = found.groups.get(name)
    if group is None:
        raise ReplyError(
            f"NOGROUP No such consumer group '{printable(name)}' for key name '{printable(key)}'"
        )
    return found, group


@command(
    "XGROUP CREATE",
    arity=-5,
    flags=WRITE | DENYOOM,
    keys=key(2, RW | INSERT),
    group="stream",
    since="5.0.0",
)
def xgroup_create(ctx: Context, key: bytes, name: bytes, id: bytes, *words: bytes) -> Reply:
    """XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]

    Make a consumer group that reads what comes after an id; with MKSTREAM, make the stream as well.
    """
    make, entries_read = group_options("CREATE", words, True)
    found: Stream | None = ctx.write(key, Stream) if make else stream_at(ctx, key)
    newest = found.last_id if found is not None else 0
    last_id = newest if id == b"$" else strict_id(id)
    if found is None:
        found = Stream()
        ctx.store(key, found)
    if name in found.groups:
        raise ReplyError("BUSYGROUP Consumer Group name already exists")
    found.add_group(name, last_id, min(entries_read, found.entries_added))
    ctx.changed(key, "xgroup-create")
    return OK


@command(
    "XGROUP SETID", arity=-5, flags=WRITE, keys=key(2, RW | UPDATE), group="stream", since="5.0.0"
)
def xgroup_setid(ctx: Context, key: bytes, name: bytes, id: bytes, *words: bytes) -> Reply:
    """XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]

    Let a group go on after another id.
    """
    _, entries_read = group_options("SETID", words, False)
    found, group = stream_and_group(ctx, key, name)
    group.last_id = found.last_id if id == b"$" else take_id(id)
    group.entries_read = min(entries_read, found.entries_added)
    ctx.changed(key, "xgroup-setid")
    return OK


@command(
    "XGROUP DESTROY", arity=4, flags=WRITE, keys=key(2, RW | DELETE), group="stream", since="5.0.0"
)
def xgroup_destroy(ctx: Context, key: bytes, name: bytes) -> Reply:
    """XGROUP DESTROY key group

    Remove a consumer group with all that is pending in it; return 1, or 0 if there was none.
    """
    found = stream_at(ctx, key)
    group = found.groups.get(name)
    if group is None:
        return 0
    found.drop_group(group)
    ctx.changed(key, "xgroup-destroy")
    return 1


@command(
    "XGROUP CREATECONSUMER",
    arity=5,
    flags=WRITE | DENYOOM,
    keys=key(2, RW | INSERT),
    group="stream",
    since="6.2.0",
)
def xgroup_createconsumer(ctx: Context, key: bytes, name: bytes, consumer: bytes) -> Reply:
    """XGROUP CREATECONSUMER key group consumer

    Make a consumer and return 1, or 0 if there was one of this name.
    """
    _, group = stream_and_group(ctx, key, name)
    if consumer in group.consumers:
        return 0
    group.add_consumer(consumer, ctx.now_ms)
    ctx.changed(key, "xgroup-createconsumer")
    return 1


@command(
    "XGROUP DELCONSUMER",
    arity=5,
    flags=WRITE,
    keys=key(2, RW | DELETE),
    group="stream",
    since="5.0.0",
)
def xgroup_delconsumer(ctx: Context, key: bytes, name: bytes, consumer: bytes) -> Reply:
    """XGROUP DELCONSUMER key group consumer

    Remove a consumer and return how many entries were pending to it: those are pending no more.
    """
    _, group = stream_and_group(ctx, key, name)
    found = group.consumers.get(consumer)
    if found is None:
        return 0
    pending = group.drop_consumer(found)
    ctx.changed(key, "xgroup-delconsumer")
    return pending


@command("XGROUP HELP", arity=2, flags=LOADING | STALE, group="stream", since="5.0.0")
def xgroup_help(ctx: Context) -> Reply:
    """XGROUP HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]


# --- acknowledging --------------------------------------------------------------------------------


@command(
    "XACK", arity=-4, flags=WRITE | FAST, keys=key(1, RW | UPDATE), group="stream", since="5.0.0"
)
def xack(ctx: Context, key: bytes, name: bytes, *texts: bytes) -> Reply:
    """XACK key group id [id ...]

    Let entries be pending no more; return how many were.
    """
    found: Stream | None = ctx.read(key, Stream)
    group = found.groups.get(name) if found is not None else None
    if group is None:
        return 0
    ids = [strict_id(text) for text in texts]
    acknowledged = sum(group.acknowledge(id) for id in ids)
    if acknowledged:
        ctx.changed_by(key, "", acknowledged)
    return acknowledged


@command(
    "XACKDEL",
    arity=-6,
    flags=WRITE | FAST,
    keys=key(1, RW | UPDATE | DELETE),
    group="stream",
    since="8.2.0",
)
def xackdel(ctx: Context, key: bytes, name: bytes, *words: bytes) -> Reply:
    """XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]

    Acknowledge entries and remove them, and do about other groups as is asked for. For each entry 1
    if it was removed, -1 if it was not pending, 2 if another group still needs it.
    """
    found: Stream | None = ctx.read(key, Stream)
    references, texts = references_and_ids(words)
    group = found.groups.get(name) if found is not None else None
    if found is None or group is None:
        return [-1] * len(texts)
    ids = [strict_id(text) for text in texts]
    outcomes, removed, acknowledged = [], 0, 0
    for id in ids:
        if not group.acknowledge(id):
            outcomes.append(-1)
            continue
        acknowledged += 1
        outcome = found.remove_with(id, references)
        removed += outcome == 1
        outcomes.append(2 if outcome == 2 else 1)
    if removed:
        ctx.changed_by(key, "xdel", acknowledged)
    elif acknowledged:
        ctx.changed_by(key, "", acknowledged)
    return outcomes


# --- claiming -------------------------------------------------------------------------------------


def needed_group(found: Stream | None, key: bytes, name: bytes) -> tuple[Stream, Group]:
    """The stream and its group, where a command cannot do without."""
    group = found.groups.get(name) if found is not None else None
    if found is None or group is None:
        raise ReplyError(
            f"NOGROUP No such key '{printable(key)}' or consumer group '{printable(name)}'"
        )
    return found, group


def as_stream(value: object) -> Stream | None:
    """What was found at a key, if it is a stream or nothing; raises WRONGTYPE otherwise."""
    if value is None or isinstance(value, Stream):
        return value
    raise ReplyError(WRONG_TYPE)


def consumer_of(ctx: Context, key: bytes, group: Group, name: bytes) -> Consumer:
    """The consumer, made if it is missing, and seen now."""
    consumer = group.consumers.get(name)
    if consumer is None:
        consumer = group.add_consumer(name, ctx.now_ms)
        ctx.changed(key, "xgroup-createconsumer")
    consumer.seen_ms = ctx.now_ms
    return consumer


class ClaimOptions:
    """Ids and options of XCLAIM; -1 and 0 are what is not given.

    Attributes:
        ids: each also as it stands there.
        delivered_ms: the time that is noted as that of the delivery, deliveries: their number.
        last_id: how far the group has come at least.
    """

    __slots__ = ("delivered_ms", "deliveries", "force", "ids", "just_id", "last_id")

    def __init__(self) -> None:
        self.ids: list[tuple[int, bytes]] = []
        self.delivered_ms = -1
        self.deliveries = -1
        self.last_id = 0
        self.force = False
        self.just_id = False


def claim_options(ctx: Context, words: tuple[bytes, ...]) -> ClaimOptions:
    """Ids, as far as there are any, and then options."""
    options = ClaimOptions()
    arguments = Arguments(words)
    while arguments.more:
        text = arguments.peek() or b""
        id = None if text in (b"-", b"+") else parse_id(text, 0)
        if id is None:
            break
        options.ids.append((id, arguments.take()))
    while arguments.more:
        if arguments.eat(b"FORCE"):
            options.force = True
        elif arguments.eat(b"JUSTID"):
            options.just_id = True
        elif arguments.left < 2:
            unrecognized(arguments.take())
        elif arguments.eat(b"IDLE"):
            options.delivered_ms = ctx.now_ms - claim_number(arguments, "IDLE")
        elif arguments.eat(b"TIME"):
            options.delivered_ms = claim_number(arguments, "TIME")
        elif arguments.eat(b"RETRYCOUNT"):
            options.deliveries = claim_number(arguments, "RETRYCOUNT")
        elif arguments.eat(b"LASTID"):
            options.last_id = strict_id(arguments.take())
        else:
            unrecognized(arguments.take())
    if not 0 <= options.delivered_ms <= ctx.now_ms:
        options.delivered_ms = ctx.now_ms
    return options


def unrecognized(option: bytes) -> None:
    """Refuse an option of XCLAIM."""
    raise ReplyError(f"ERR Unrecognized XCLAIM option '{printable(option)}'")


def claim_number(arguments: Arguments, option: str) -> int:
    """The number that follows an option of XCLAIM."""
    return arguments.take_int(error=f"ERR Invalid {option} option argument for XCLAIM")


@command(
    "XCLAIM", arity=-6, flags=WRITE | FAST, keys=key(1, RW | UPDATE), group="stream", since="5.0.0"
)
def xclaim(
    ctx: Context, key: bytes, name: bytes, consumer: bytes, idle: bytes, *words: bytes
) -> Reply:
    """XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] \
[RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]

    Make entries that have been pending for long enough pending to this consumer, and return them.
    """
    found, group = needed_group(ctx.read(key, Stream), key, name)
    idle_ms = max(integer(idle, error="ERR Invalid min-idle-time argument for XCLAIM"), 0)
    options = claim_options(ctx, words)
    progress = options.last_id > group.last_id
    if progress:
        group.last_id = options.last_id
    owner = consumer_of(ctx, key, group, consumer)
    ctx.no_record()
    reply, changes = [], 0
    for id, text in options.ids:
        outcome = found.claim(
            group,
            owner,
            id,
            idle_ms,
            ctx.now_ms,
            options.delivered_ms,
            options.deliveries,
            options.just_id,
            options.force,
        )
        if outcome is None:
            continue
        claimed, (_, holder, at_ms, deliveries) = outcome
        if ctx.changes.recording:
            last_id = format_id(group.last_id)
            record_claim(ctx, key, group, text, holder, at_ms, deliveries, last_id)
        progress = False  # every record of a claim tells of it
        changes += 1
        if claimed:
            reply.append(format_id(id) if options.just_id else found.range(id, id, 1, False)[0])
    if progress:
        record_progress(ctx, key, group)
        changes += 1
    if changes:
        ctx.changed_by(key, "", changes)
    return reply


@command(
    "XAUTOCLAIM",
    arity=-6,
    flags=WRITE | FAST,
    keys=key(1, RW | DELETE),
    group="stream",
    since="6.2.0",
)
def xautoclaim(
    ctx: Context,
    key: bytes,
    name: bytes,
    consumer: bytes,
    idle: bytes,
    start: bytes,
    *words: bytes,
) -> Reply:
    """XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]

    Claim entries from an id on that have been pending for long enough. Return the id to go on from,
    the entries, and the ids of those that are no longer in the stream.
    """
    value = ctx.read_any(key)  # of what type it is counts only after the options
    idle_ms = max(integer(idle, error="ERR Invalid min-idle-time argument for XAUTOCLAIM"), 0)
    first = take_id(start[1:]) if (opened := exclusive(start)) else take_id(start)
    if opened:
        if first == ID_MAX:
            raise ReplyError("ERR invalid start ID for the interval")
        first += 1
    count, just_id = 100, False
    arguments = Arguments(words)
    while arguments.more:
        if arguments.left >= 2 and arguments.eat(b"COUNT"):
            count = arguments.take_int(1, COUNT_MAX, "ERR COUNT must be > 0")
        elif arguments.eat(b"JUSTID"):
            just_id = True
        else:
            raise ReplyError(SYNTAX)
    found, group = needed_group(as_stream(value), key, name)
    owner = consumer_of(ctx, key, group, consumer)
    ctx.no_record()
    cursor, claimed, gone, deliveries = found.claim_idle(
        group, owner, first, idle_ms, count, ctx.now_ms, just_id
    )
    if ctx.changes.recording:
        last_id = format_id(group.last_id)
        for id, holder, at_ms, times in deliveries:
            record_claim(ctx, key, group, format_id(id), holder, at_ms, times, last_id)
    if deliveries:
        ctx.changed_by(key, "", len(deliveries))
    entries: list[Reply] = [
        format_id(id) if just_id else found.range(id, id, 1, False)[0] for id in claimed
    ]
    return [format_id(cursor), entries, [format_id(id) for id in gone]]


# --- what is pending ------------------------------------------------------------------------------


@command(
    "XPENDING", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS), group="stream", since="5.0.0"
)
def xpending(ctx: Context, key: bytes, name: bytes, *words: bytes) -> Reply:
    """XPENDING key group [[IDLE min-idle-time] start end count [consumer]]

    Tell what was delivered and not acknowledged: how much, between which ids and to whom; or, of a
    range of ids, each entry with its consumer, its idle time in ms and how often it was delivered.
    """
    if not words:
        _, group = needed_group(ctx.read(key, Stream), key, name)
        return pending_summary(group)
    if not 3 <= len(words) <= 6:
        raise ReplyError(SYNTAX)
    idle_ms = 0
    if words[0].upper() == b"IDLE":
        idle_ms = integer(words[1])
        if len(words) < 5:
            raise ReplyError(SYNTAX)
        words = words[2:]
    count = max(integer(words[2]), 0)
    first, last = interval(words[0], words[1])
    _, group = needed_group(ctx.read(key, Stream), key, name)
    consumer = None
    if len(words) > 3:
        consumer = group.consumers.get(words[3])
        if consumer is None:
            return []
    now_ms = ctx.now_ms
    entries = group.pending_entries(
        first, last, count, consumer, now_ms - idle_ms if idle_ms else INT64_MAX
    )
    return [
        [format_id(id), holder, max(now_ms - at_ms, 0), deliveries]
        for id, holder, at_ms, deliveries in entries
    ]


def pending_summary(group: Group) -> Reply:
    """How many entries are pending, the first and the last, and how many to which consumer."""
    if not group.pending_count:
        return [0, None, None, NULL_ARRAY]
    first, last = group.pending_bounds()
    consumers = [
        [consumer.name, b"%d" % consumer.pending_count]
        for consumer in group.in_order()
        if consumer.pending_count
    ]
    return [group.pending_count, format_id(first), format_id(last), consumers]
