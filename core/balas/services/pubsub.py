"""Messages from clients that publish to clients that subscribed: to channels, to patterns of their
names, and to shard channels.

A message is encoded once for each protocol, and all who get it are handed the same bytes. What a
client is subscribed to is kept twice, here by channel and in the client by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.protocol.replies import Push
from balas.protocol.writer import encode
from balas.structures.glob import match

Subscribers = dict[bytes, dict[Client, None]]


class PubSub:
    """The subscriptions of one server.

    Attributes:
        channels, patterns, shard_channels: who is subscribed, in order, by name.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.channels: Subscribers = {}
        self.patterns: Subscribers = {}
        self.shard_channels: Subscribers = {}
        engine.on_reset.append(self.leave)
        engine.on_disconnect.append(self.leave)

    @property
    def deaf(self) -> bool:
        """Whether nobody could hear a message."""
        return not self.channels and not self.patterns

    # Publishing.

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send to all who are subscribed to the channel or a pattern of it; how many there are."""
        receivers = 0
        if channel in self.channels:
            receivers = self._send(self.channels[channel], Push([b"message", channel, message]))
        for pattern, clients in self.patterns.items():
            if match(pattern, channel):
                receivers += self._send(clients, Push([b"pmessage", pattern, channel, message]))
        return receivers

    def publish_to_shard(self, channel: bytes, message: bytes) -> int:
        """Send to all who are subscribed to the shard channel; how many there are."""
        clients = self.shard_channels.get(channel)
        return self._send(clients, Push([b"smessage", channel, message])) if clients else 0

    def _send(self, clients: dict[Client, None], message: Push) -> int:
        client: Client
        old: bytes | None = None
        new: bytes | None = None
        receivers = len(clients)
        # A client that is cut off for reading too slowly leaves the dict.
        for client in list(clients):
            if client.writer.resp == 2:
                if old is None:
                    old = encode(message, 2)
                self._engine.push(client, old)
            else:
                if new is None:
                    new = encode(message, 3)
                self._engine.push(client, new)
        return receivers

    # Subscribing. Each gives the messages that confirm it, one for each name.

    def subscribe(self, client: Client, names: Iterable[bytes]) -> list[Push]:
        """Subscribe to channels."""
        return self._add(client, names, self.channels, client.channels, b"subscribe", plain_count)

    def subscribe_patterns(self, client: Client, names: Iterable[bytes]) -> list[Push]:
        """Subscribe to the channels whose names match patterns."""
        return self._add(client, names, self.patterns, client.patterns, b"psubscribe", plain_count)

    def subscribe_shards(self, client: Client, names: Iterable[bytes]) -> list[Push]:
        """Subscribe to shard channels."""
        own = client.shard_channels
        return self._add(client, names, self.shard_channels, own, b"ssubscribe", shard_count)

    def unsubscribe(self, client: Client, names: Iterable[bytes]) -> list[Push]:
        """End subscriptions to channels; without names, to all."""
        own = client.channels
        return self._remove(client, names, self.channels, own, b"unsubscribe", plain_count)

    def unsubscribe_patterns(self, client: Client, names: Iterable[bytes]) -> list[Push]:
        """End subscriptions to patterns; without names, to all."""
        own = client.patterns
        return self._remove(client, names, self.patterns, own, b"punsubscribe", plain_count)

    def unsubscribe_shards(self, client: Client, names: Iterable[bytes]) -> list[Push]:
        """End subscriptions to shard channels; without names, to all."""
        own = client.shard_channels
        return self._remove(client, names, self.shard_channels, own, b"sunsubscribe", shard_count)

    def leave(self, client: Client) -> None:
        """End all subscriptions of a client that goes, or is reset."""
        if client.subscriptions:
            self.unsubscribe(client, ())
            self.unsubscribe_patterns(client, ())
            self.unsubscribe_shards(client, ())

    def _add(
        self,
        client: Client,
        names: Iterable[bytes],
        subscribers: Subscribers,
        own: dict[bytes, None],
        kind: bytes,
        count: Callable[[Client], int],
    ) -> list[Push]:
        said = []
        for name in names:
            own[name] = None
            subscribers.setdefault(name, {})[client] = None
            said.append(Push([kind, name, count(client)]))
        client.note_subscriptions()
        return said

    def _remove(
        self,
        client: Client,
        names: Iterable[bytes],
        subscribers: Subscribers,
        own: dict[bytes, None],
        kind: bytes,
        count: Callable[[Client], int],
    ) -> list[Push]:
        said = []
        for name in names or list(own):
            if name in own:
                del own[name]
                clients = subscribers[name]
                del clients[client]
                if not clients:
                    del subscribers[name]
            said.append(Push([kind, name, count(client)]))
        client.note_subscriptions()
        return said or [Push([kind, None, count(client)])]


def plain_count(client: Client) -> int:
    """What confirmations say of a client's channels and patterns."""
    return len(client.channels) + len(client.patterns)


def shard_count(client: Client) -> int:
    """What confirmations say of a client's shard channels."""
    return len(client.shard_channels)
