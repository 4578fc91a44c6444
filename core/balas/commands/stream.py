"""Commands of the group *stream* on entries.

stream_reading.py has those that wait for entries, stream_groups.py those on consumer groups, and
stream_info.py tells of both. A stream stays when its last entry goes.
"""

from __future__ import annotations

from balas.commands.stream_options import (
    AddOptions,
    add_options,
    interval,
    references_and_ids,
    strict_id,
)
from balas.engine.context import Context
from balas.errors import NO_SUCH_KEY, SYNTAX, ReplyError
from balas.protocol.replies import NULL_ARRAY, OK, Reply
from balas.registry import Arguments, command, key
from balas.registry.flags import ACCESS, DELETE, DENYOOM, FAST, READONLY, RO, RW, UPDATE, WRITE
from balas.types.stream import Stream
from balas.types.stream_ids import ID_MAX, SEQ_MAX, format_id

UPDATES = "UPDATE instead of INSERT because of the optional trimming feature"

EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items"
NOT_ABOVE = "ERR The ID specified in XADD is equal or smaller than the target stream top item"


# --- adding ---------------------------------------------------------------------------------------


@command(
    "XADD",
    arity=-5,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | UPDATE, notes=UPDATES),
    group="stream",
    since="5.0.0",
)
def xadd(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [<MAXLEN | MINID> [= | ~] threshold \
[LIMIT count]] <* | id> field value [field value ...]

    Add an entry at the end of a stream and return its id.
    """
    if words[0] == b"*" and len(words) & 1:
        # The common case in as few steps as can be; the clock is read where it stands.
        found: Stream | None = ctx.write(key, Stream)
        if found is not None:
            added = found.add_next(ctx.changes.clock.now_ms, words, 1, ctx.limits)
            if added is None:
                raise ReplyError(EXHAUSTED)
            ctx.changed(key, "xadd")
            if ctx.changes.recording:
                ctx.record(b"XADD", key, added, *words[1:])
            return added
    options = add_options(ctx, words, True)
    fields = len(words) - options.position
    if fields < 2 or fields & 1:
        raise ReplyError("ERR wrong number of arguments for 'xadd' command")
    if options.id == 0 and options.has_seq:
        raise ReplyError("ERR The ID specified in XADD must be greater than 0-0")
    return add(ctx, key, words, options, options.position)


def add(
    ctx: Context, key: bytes, words: tuple[bytes, ...], options: AddOptions | None, start: int
) -> bytes | None:
    """Add an entry of the words from `start` on; without options, under an id of its own."""
    found: Stream | None = ctx.write(key, Stream)
    if found is not None:
        added = add_to(ctx, found, words, options, start)
    elif options is not None and not options.make:
        return None
    else:
        found = Stream()
        added = add_to(ctx, found, words, options, start)
        ctx.store(key, found)
    ctx.changed(key, "xadd")
    if options is not None and options.threshold is not None:
        trim(ctx, key, found, options)
    if ctx.changes.recording:
        record_added(ctx, key, words, options, start, added, found)
    return added


def add_to(
    ctx: Context,
    found: Stream,
    words: tuple[bytes, ...],
    options: AddOptions | None,
    start: int,
) -> bytes:
    """Add an entry under an id that is made, given, or of which the time is given; its text."""
    if options is None or options.id is None:
        added = found.add_next(ctx.now_ms, words, start, ctx.limits)
        if added is None:
            raise ReplyError(EXHAUSTED)
        return added
    id = options.id
    if found.last_id == ID_MAX:
        raise ReplyError(EXHAUSTED)
    if not options.has_seq and found.last_id >> 64 == id >> 64:
        if found.last_id & SEQ_MAX == SEQ_MAX:
            raise ReplyError(NOT_ABOVE)
        id = found.last_id + 1
    if not found.add(id, words, start, ctx.limits):
        raise ReplyError(NOT_ABOVE)
    return format_id(id)


def trim(ctx: Context, key: bytes, found: Stream, options: AddOptions) -> None:
    """Trim as the options of XADD say, and tell of it if anything went."""
    if options.apply(found):
        ctx.notify(key, "xtrim")


def record_added(
    ctx: Context,
    key: bytes,
    words: tuple[bytes, ...],
    options: AddOptions | None,
    start: int,
    added: bytes,
    found: Stream,
) -> None:
    """Record XADD with the id that was made, and with what a limited trim has really done."""
    record = list(words)
    if options is None or options.id is None or not options.has_seq:
        record[start - 1] = added
    if options is not None and options.approximate:
        make_exact(record, found, options)
    ctx.record(b"XADD", key, *record)


def make_exact(record: list[bytes], found: Stream, options: AddOptions) -> None:
    """Replace an approximate threshold by the exact one that has the same effect."""
    record[options.threshold_at - 1] = b"="
    record[options.threshold_at] = (
        format_id(found.first_block_id()) if options.by_id else b"%d" % found.length
    )


@command("XTRIM", arity=-4, flags=WRITE, keys=key(1, RW | DELETE), group="stream", since="5.0.0")
def xtrim(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]

    Remove entries from the front of a stream and return how many.
    """
    options = add_options(ctx, words, False)
    found: Stream | None = ctx.write(key, Stream)
    if found is None:
        return 0
    removed = options.apply(found)
    if removed:
        if ctx.changes.recording and options.approximate:
            record = list(words)
            make_exact(record, found, options)
            ctx.record(b"XTRIM", key, *record)
        ctx.changed_by(key, "xtrim", removed)
    return removed


@command(
    "XSETID",
    arity=-3,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | UPDATE),
    group="stream",
    since="5.0.0",
)
def xsetid(ctx: Context, key: bytes, last_id: bytes, *words: bytes) -> Reply:
    """XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]

    Set the last id of a stream, and what it remembers of entries that have gone.
    """
    id = strict_id(last_id)
    entries_added, max_deleted = -1, 0
    arguments = Arguments(words)
    while arguments.more:
        if arguments.left >= 2 and arguments.eat(b"ENTRIESADDED"):
            entries_added = arguments.take_int()
            if entries_added < 0:
                raise ReplyError("ERR entries_added must be positive")
        elif arguments.left >= 2 and arguments.eat(b"MAXDELETEDID"):
            max_deleted = strict_id(arguments.take())
            if id < max_deleted:
                raise ReplyError(
                    "ERR The ID specified in XSETID is smaller than the provided "
                    "max_deleted_entry_id"
                )
        else:
            raise ReplyError(SYNTAX)
    found: Stream | None = ctx.write(key, Stream)
    if found is None:
        raise ReplyError(NO_SUCH_KEY)
    if id < found.max_deleted_id:
        raise ReplyError(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
        )
    if found.length > 0:
        if id < found.last_entry_id():
            raise ReplyError(
                "ERR The ID specified in XSETID is smaller than the target stream top item"
            )
        if 0 <= entries_added < found.length:
            raise ReplyError(
                "ERR The entries_added specified in XSETID is smaller than the target stream length"
            )
    found.set_ids(id, entries_added, max_deleted)
    ctx.changed(key, "xsetid")
    return OK


# --- removing -------------------------------------------------------------------------------------


@command(
    "XDEL", arity=-3, flags=WRITE | FAST, keys=key(1, RW | DELETE), group="stream", since="5.0.0"
)
def xdel(ctx: Context, key: bytes, *texts: bytes) -> Reply:
    """XDEL key id [id ...]

    Remove entries and return how many there were.
    """
    found: Stream | None = ctx.write(key, Stream)
    if found is None:
        return 0
    ids = [strict_id(text) for text in texts]
    removed = 0
    for id in ids:
        removed += found.remove(id)
    if removed:
        ctx.changed_by(key, "xdel", removed)
    return removed


@command(
    "XDELEX", arity=-5, flags=WRITE | FAST, keys=key(1, RW | DELETE), group="stream", since="8.2.0"
)
def xdelex(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]

    Remove entries, and do about groups they are pending to as is asked for. For each entry 1 if it
    was removed, -1 if there is none, 2 if some group still needs it.
    """
    found: Stream | None = ctx.write(key, Stream)
    references, texts = references_and_ids(words)
    if found is None:
        return [-1] * len(texts)
    ids = [strict_id(text) for text in texts]
    outcomes = [found.remove_with(id, references) for id in ids]
    removed = outcomes.count(1)
    if removed:
        ctx.changed_by(key, "xdel", removed)
    return outcomes


# --- reading --------------------------------------------------------------------------------------


@command("XLEN", arity=2, flags=READONLY | FAST, keys=key(1, RO), group="stream", since="5.0.0")
def xlen(ctx: Context, key: bytes) -> Reply:
    """XLEN key

    Return how many entries a stream has, 0 if it is missing.
    """
    found: Stream | None = ctx.read(key, Stream)
    return found.length if found is not None else 0


@command(
    "XRANGE", arity=-4, flags=READONLY, keys=key(1, RO | ACCESS), group="stream", since="5.0.0"
)
def xrange_(ctx: Context, key: bytes, start: bytes, end: bytes, *words: bytes) -> Reply:
    """XRANGE key start end [COUNT count]

    Return the entries from one id to another, both included unless they begin with "(".
    """
    first, last = interval(start, end)
    return entries(ctx, key, first, last, words, False)


@command(
    "XREVRANGE", arity=-4, flags=READONLY, keys=key(1, RO | ACCESS), group="stream", since="5.0.0"
)
def xrevrange(ctx: Context, key: bytes, end: bytes, start: bytes, *words: bytes) -> Reply:
    """XREVRANGE key end start [COUNT count]

    Return the entries from one id back to another, both included unless they begin with "(".
    """
    first, last = interval(start, end)
    return entries(ctx, key, first, last, words, True)


def entries(
    ctx: Context, key: bytes, first: int, last: int, words: tuple[bytes, ...], backwards: bool
) -> Reply:
    """The reply of XRANGE and XREVRANGE."""
    count = -1
    arguments = Arguments(words)
    while arguments.more:
        if arguments.left < 2 or not arguments.eat(b"COUNT"):
            raise ReplyError(SYNTAX)
        count = max(arguments.take_int(), 0)
    found: Stream | None = ctx.read(key, Stream)
    if found is None:
        return []
    if count == 0:
        return NULL_ARRAY
    return found.range(first, last, count, backwards)
