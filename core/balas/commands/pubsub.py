"""Commands of the group *pubsub*."""

from __future__ import annotations

from balas.engine import attention
from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import NO_REPLY, Push, Replies, Reply, Status
from balas.protocol.writer import encode
from balas.registry import command, container, key, keys
from balas.registry.flags import FAST, LOADING, MAY_REPLICATE, NOSCRIPT, NOT_KEY, STALE
from balas.registry.flags import PUBSUB as PUBSUB_FLAG
from balas.services.pubsub import PubSub, Subscribers
from balas.structures.glob import match

CONTAINER = container(
    "PUBSUB",
    group="pubsub",
    since="2.8.0",
    doc="""PUBSUB subcommand [arg ...]

    A container for commands about channels.
    """,
)

SUBSCRIBING = PUBSUB_FLAG | NOSCRIPT | LOADING | STALE
PUBLISHING = PUBSUB_FLAG | LOADING | STALE | FAST | MAY_REPLICATE
LOOKING = PUBSUB_FLAG | LOADING | STALE

HELP = (
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
    "HELP",
    "    Print this help.",
)


def confirm(ctx: Context, said: list[Push]) -> Reply:
    """The reply of a command that changes subscriptions: one message for each name.

    These are messages, not replies: CLIENT REPLY does not keep them back.
    """
    client = ctx.client
    if not client.attention & attention.MUTED:
        return Replies(said)
    for push in said:
        ctx.engine.push(client, encode(push, client.resp))
    return NO_REPLY


@command("SUBSCRIBE", arity=-2, flags=SUBSCRIBING, group="pubsub", since="2.0.0")
def subscribe(ctx: Context, *channels: bytes) -> Reply:
    """SUBSCRIBE channel [channel ...]

    Have the messages that are published to channels sent to this connection.
    """
    return confirm(ctx, ctx.service(PubSub).subscribe(ctx.client, channels))


@command("UNSUBSCRIBE", arity=-1, flags=SUBSCRIBING, group="pubsub", since="2.0.0")
def unsubscribe(ctx: Context, *channels: bytes) -> Reply:
    """UNSUBSCRIBE [channel [channel ...]]

    End subscriptions to channels; without names, to all of them.
    """
    return confirm(ctx, ctx.service(PubSub).unsubscribe(ctx.client, channels))


@command("PSUBSCRIBE", arity=-2, flags=SUBSCRIBING, group="pubsub", since="2.0.0")
def psubscribe(ctx: Context, *patterns: bytes) -> Reply:
    """PSUBSCRIBE pattern [pattern ...]

    Have the messages that are published to channels whose names match a pattern sent to this
    connection.
    """
    return confirm(ctx, ctx.service(PubSub).subscribe_patterns(ctx.client, patterns))


@command("PUNSUBSCRIBE", arity=-1, flags=SUBSCRIBING, group="pubsub", since="2.0.0")
def punsubscribe(ctx: Context, *patterns: bytes) -> Reply:
    """PUNSUBSCRIBE [pattern [pattern ...]]

    End subscriptions to patterns; without any, to all of them.
    """
    return confirm(ctx, ctx.service(PubSub).unsubscribe_patterns(ctx.client, patterns))


@command(
    "SSUBSCRIBE",
    arity=-2,
    flags=SUBSCRIBING,
    keys=keys(1, -1, 1, NOT_KEY),
    group="pubsub",
    since="7.0.0",
)
def ssubscribe(ctx: Context, *channels: bytes) -> Reply:
    """SSUBSCRIBE shardchannel [shardchannel ...]

    Have the messages that are published to shard channels sent to this connection.
    """
    return confirm(ctx, ctx.service(PubSub).subscribe_shards(ctx.client, channels))


@command(
    "SUNSUBSCRIBE",
    arity=-1,
    flags=SUBSCRIBING,
    keys=keys(1, -1, 1, NOT_KEY),
    group="pubsub",
    since="7.0.0",
)
def sunsubscribe(ctx: Context, *channels: bytes) -> Reply:
    """SUNSUBSCRIBE [shardchannel [shardchannel ...]]

    End subscriptions to shard channels; without names, to all of them.
    """
    return confirm(ctx, ctx.service(PubSub).unsubscribe_shards(ctx.client, channels))


@command("PUBLISH", arity=3, flags=PUBLISHING, group="pubsub", since="2.0.0")
def publish(ctx: Context, channel: bytes, message: bytes) -> Reply:
    """PUBLISH channel message

    Send a message to all who are subscribed to the channel; returns how many that are here.
    """
    return ctx.service(PubSub).publish(channel, message)


@command(
    "SPUBLISH",
    arity=3,
    flags=PUBLISHING,
    keys=key(1, NOT_KEY),
    group="pubsub",
    since="7.0.0",
)
def spublish(ctx: Context, channel: bytes, message: bytes) -> Reply:
    """SPUBLISH shardchannel message

    Send a message to all who are subscribed to the shard channel; returns how many that are.
    """
    return ctx.service(PubSub).publish_to_shard(channel, message)


@command("PUBSUB CHANNELS", arity=-2, flags=LOOKING, group="pubsub", since="2.8.0")
def pubsub_channels(ctx: Context, *pattern: bytes) -> Reply:
    """PUBSUB CHANNELS [pattern]

    Return the channels that somebody is subscribed to.
    """
    return matching(ctx.service(PubSub).channels, pattern, "CHANNELS")


@command("PUBSUB NUMPAT", arity=2, flags=LOOKING, group="pubsub", since="2.8.0")
def pubsub_numpat(ctx: Context) -> Reply:
    """PUBSUB NUMPAT

    Return the number of patterns that somebody is subscribed to.
    """
    return len(ctx.service(PubSub).patterns)


@command("PUBSUB NUMSUB", arity=-2, flags=LOOKING, group="pubsub", since="2.8.0")
def pubsub_numsub(ctx: Context, *channels: bytes) -> Reply:
    """PUBSUB NUMSUB [channel [channel ...]]

    Return the channels, each with the number of its subscribers.
    """
    return counts(ctx.service(PubSub).channels, channels)


@command("PUBSUB SHARDCHANNELS", arity=-2, flags=LOOKING, group="pubsub", since="7.0.0")
def pubsub_shardchannels(ctx: Context, *pattern: bytes) -> Reply:
    """PUBSUB SHARDCHANNELS [pattern]

    Return the shard channels that somebody is subscribed to.
    """
    return matching(ctx.service(PubSub).shard_channels, pattern, "SHARDCHANNELS")


@command("PUBSUB SHARDNUMSUB", arity=-2, flags=LOOKING, group="pubsub", since="7.0.0")
def pubsub_shardnumsub(ctx: Context, *channels: bytes) -> Reply:
    """PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]

    Return the shard channels, each with the number of its subscribers.
    """
    return counts(ctx.service(PubSub).shard_channels, channels)


@command("PUBSUB HELP", arity=2, flags=LOADING | STALE, group="pubsub", since="6.2.0")
def pubsub_help(ctx: Context) -> Reply:
    """PUBSUB HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]


def matching(subscribers: Subscribers, pattern: tuple[bytes, ...], subcommand: str) -> list[bytes]:
    """Names of channels that match a pattern, if there is one."""
    if len(pattern) > 1:
        raise ReplyError(
            f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. "
            "Try PUBSUB HELP."
        )
    return [name for name in subscribers if not pattern or match(pattern[0], name)]


def counts(subscribers: Subscribers, channels: tuple[bytes, ...]) -> list[bytes | int]:
    """Names and numbers in turn; a flat array in both protocols."""
    found: list[bytes | int] = []
    for channel in channels:
        found += (channel, len(subscribers.get(channel, ())))
    return found
