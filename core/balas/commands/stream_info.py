"""XINFO: what there is to know about a stream, its groups and their consumers."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import NO_SUCH_KEY, ReplyError, printable
from balas.protocol.replies import Pairs, Reply, Status
from balas.registry import Arguments, command, container, key
from balas.registry.flags import ACCESS, LOADING, READONLY, RO, STALE
from balas.types.stream import Stream
from balas.types.stream_groups import Consumer, Group
from balas.types.stream_ids import ID_MAX, format_id

INT64_MAX = 2**63 - 1
# How many entries, and pending ones of each group and consumer, FULL shows.
FULL_COUNT = 10

HELP = (
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Print this help.",
)

XINFO = container(
    "XINFO",
    group="stream",
    since="5.0.0",
    doc="""XINFO subcommand [arg ...]

    A container for commands that look into streams.
    """,
)


def stream_at(ctx: Context, key: bytes) -> Stream:
    """The stream, which must be there."""
    found: Stream | None = ctx.read(key, Stream)
    if found is None:
        raise ReplyError(NO_SUCH_KEY)
    return found


@command(
    "XINFO STREAM",
    arity=-3,
    flags=READONLY,
    keys=key(2, RO | ACCESS),
    group="stream",
    since="5.0.0",
)
def xinfo_stream(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """XINFO STREAM key [FULL [COUNT count]]

    Tell about a stream; FULL shows entries, groups and what is pending as well, of each up to COUNT
    (10), 0 for all.
    """
    found = stream_at(ctx, key)
    count = full_count(words)
    head = [
        (b"length", found.length),
        (b"radix-tree-keys", found.block_count()),
        (b"radix-tree-nodes", found.tree_nodes()),
        (b"last-generated-id", format_id(found.last_id)),
        (b"max-deleted-entry-id", format_id(found.max_deleted_id)),
        (b"entries-added", found.entries_added),
        (b"recorded-first-entry-id", format_id(found.first_id)),
    ]
    if words:
        entries = found.range(0, ID_MAX, count or -1, False)
        groups = [group_in_full(found, group, count) for group in found.groups_in_order()]
        return Pairs([*head, (b"entries", entries), (b"groups", groups)])
    first, last = found.range(0, ID_MAX, 1, False), found.range(0, ID_MAX, 1, True)
    return Pairs(
        [
            *head,
            (b"groups", len(found.groups)),
            (b"first-entry", first[0] if first else None),
            (b"last-entry", last[0] if last else None),
        ]
    )


def full_count(words: tuple[bytes, ...]) -> int:
    """How much FULL shows; there may be no words at all."""
    arguments = Arguments(words)
    count = FULL_COUNT
    if arguments.more:
        if not arguments.eat(b"FULL") or arguments.left not in (0, 2):
            raise_usage("STREAM")
        if arguments.more:
            if not arguments.eat(b"COUNT"):
                raise_usage("STREAM")
            count = arguments.take_int()
    return count if count >= 0 else FULL_COUNT


def raise_usage(subcommand: str) -> None:
    """Refuse arguments that no form of a subcommand has."""
    raise ReplyError(
        f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try XINFO HELP."
    )


def group_in_full(found: Stream, group: Group, count: int) -> Reply:
    """A group with what is pending in it, and its consumers."""
    pending = group.pending_entries(0, ID_MAX, count or INT64_MAX)
    return Pairs(
        [
            (b"name", group.name),
            (b"last-delivered-id", format_id(group.last_id)),
            (b"entries-read", group.entries_read if group.entries_read != -1 else None),
            (b"lag", found.lag(group)),
            (b"pel-count", group.pending_count),
            (
                b"pending",
                [[format_id(id), holder, at_ms, times] for id, holder, at_ms, times in pending],
            ),
            (
                b"consumers",
                [consumer_in_full(group, consumer, count) for consumer in group.in_order()],
            ),
        ]
    )


def consumer_in_full(group: Group, consumer: Consumer, count: int) -> Reply:
    """A consumer with what is pending to it; times are Unix ms."""
    pending = group.pending_entries(0, ID_MAX, count or INT64_MAX, consumer)
    return Pairs(
        [
            (b"name", consumer.name),
            (b"seen-time", consumer.seen_ms),
            (b"active-time", consumer.active_ms),
            (b"pel-count", consumer.pending_count),
            (b"pending", [[format_id(id), at_ms, times] for id, _, at_ms, times in pending]),
        ]
    )


@command(
    "XINFO GROUPS", arity=3, flags=READONLY, keys=key(2, RO | ACCESS), group="stream", since="5.0.0"
)
def xinfo_groups(ctx: Context, key: bytes) -> Reply:
    """XINFO GROUPS key

    Tell about the consumer groups of a stream.
    """
    found = stream_at(ctx, key)
    return [
        Pairs(
            [
                (b"name", group.name),
                (b"consumers", len(group.consumers)),
                (b"pending", group.pending_count),
                (b"last-delivered-id", format_id(group.last_id)),
                (b"entries-read", group.entries_read if group.entries_read != -1 else None),
                (b"lag", found.lag(group)),
            ]
        )
        for group in found.groups_in_order()
    ]


@command(
    "XINFO CONSUMERS",
    arity=4,
    flags=READONLY,
    keys=key(2, RO | ACCESS),
    group="stream",
    since="5.0.0",
)
def xinfo_consumers(ctx: Context, key: bytes, name: bytes) -> Reply:
    """XINFO CONSUMERS key group

    Tell about the consumers of a group: how much is pending to each, how long ago in ms it last
    tried to read, and how long ago it last got something.
    """
    found = stream_at(ctx, key)
    group = found.groups.get(name)
    if group is None:
        raise ReplyError(
            f"NOGROUP No such consumer group '{printable(name)}' for key name '{printable(key)}'"
        )
    return [
        Pairs(
            [
                (b"name", consumer.name),
                (b"pending", consumer.pending_count),
                (b"idle", max(ctx.now_ms - consumer.seen_ms, 0)),
                (
                    b"inactive",
                    max(ctx.now_ms - consumer.active_ms, 0) if consumer.active_ms != -1 else -1,
                ),
            ]
        )
        for consumer in group.in_order()
    ]


@command("XINFO HELP", arity=2, flags=LOADING | STALE, group="stream", since="5.0.0")
def xinfo_help(ctx: Context) -> Reply:
    """XINFO HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
