"""What is known and watched of all clients: their lines in CLIENT LIST, and when one costs too
much.

A client is disconnected when it has been idle for longer than `timeout`, when it leaves more of its
output unread than `client-output-buffer-limit` allows for its class, or when it has sent more that
waits than `client-query-buffer-limit`. Once a second all clients are looked at, some at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from balas.engine.client import Client, Suspended
from balas.engine.dispatch import Engine
from balas.services.config.grammar import decode, quote
from balas.services.config.store import Config
from balas.services.log import VERBOSE, Log

if TYPE_CHECKING:
    from balas.services.config.special import OutputLimit, OutputLimits

LOOK_EVERY_MS = 1000
# More are looked at in parts, one every few ms, so that nobody waits for it.
LOOK_AT_ONCE = 500
LOOK_PAUSE_MS = 10
# A client that sent nothing for this long does not need its buffers.
SHRINK_AFTER_MS = 2000
# Attacks come in floods; one line in this time tells enough.
ATTACK_LOG_MS = 60_000
NO_LIMIT = 2**63 - 1
QUERY_SHOWN_MAX = 64

# What a client waits for that CLIENT LIST calls blocked.
WAITING = Suspended.BLOCKED | Suspended.AWAITING | Suspended.PAUSED

# The classes of clients that TYPE knows, by all their names.
CLASSES = {
    "normal": "normal",
    "slave": "replica",
    "replica": "replica",
    "pubsub": "pubsub",
    "master": "primary",
}

ATTACK = (
    "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands "
    "to Balas. This is likely due to an attacker attempting to use Cross Protocol Scripting to "
    "compromise your Balas instance. Connection from {} aborted."
)


class Clients:
    """Keeps the clients of one server within limits.

    `tracking_letters` and `redirect_of` are set by who caches for clients, for CLIENT LIST.
    """

    def __init__(self, engine: Engine, config: Config, log: Log) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._attack_logged_ms = 0
        self.tracking_letters: Callable[[Client], str] = lambda client: ""
        self.redirect_of: Callable[[Client], int] = lambda client: -1
        self.follow(config)
        config.on_change(
            ("client-query-buffer-limit", "proto-max-bulk-len", "client-output-buffer-limit"),
            self.follow,
        )
        engine.on_protocol_error = self._protocol_error
        engine.on_query_limit = self._query_limit
        engine.on_attack = self._attack
        engine.over_output_limit = self.over_output_limit
        engine.timers.every(LOOK_EVERY_MS, self._look_at_all)

    def follow(self, config: Config) -> None:
        """Take the limits from the configuration."""
        engine = self._engine
        engine.query_buffer_limit = config.get("client-query-buffer-limit")
        engine.parser_settings.max_bulk = config.get("proto-max-bulk-len")
        limits: OutputLimits = config.get("client-output-buffer-limit")
        self._output_limits: dict[str, OutputLimit] = limits._asdict()
        sizes = [size for limit in limits for size in (limit.hard_bytes, limit.soft_bytes) if size]
        engine.output_limit_least = min(sizes, default=NO_LIMIT)

    # Numbers for INFO.

    @property
    def connected(self) -> int:
        """Clients from outside that are neither replicas nor primaries."""
        return sum(client.kind == "normal" for client in self._engine.clients.values())

    @property
    def subscribed(self) -> int:
        """Clients with subscriptions."""
        return sum(client.subscriptions > 0 for client in self._engine.clients.values())

    @property
    def watching(self) -> int:
        """Clients that watch keys."""
        return sum(bool(client.watching) for client in self._engine.clients.values())

    @property
    def waiting_with_timeout(self) -> int:
        """Clients that wait for keys, but not for ever."""
        waiting = self._engine.blocking.clients.values()
        return sum(client.blocked.timer is not None for client in waiting)

    # Limits.

    def over_output_limit(self, client: Client, unread: int) -> bool:
        """Whether a client with so many bytes of unread output is to be cut off; logs it."""
        limit = self._output_limits.get(class_of(client))
        if limit is None or not self._exceeds(client, unread, limit):
            return False
        self._log.warning(
            f"Client {self.describe(client)} scheduled to be closed ASAP for overcoming of output "
            "buffer limits."
        )
        return True

    def _exceeds(self, client: Client, unread: int, limit: OutputLimit) -> bool:
        """Above the hard limit, or above the soft one for longer than it allows."""
        if limit.hard_bytes and unread >= limit.hard_bytes:
            return True
        if not limit.soft_bytes or unread < limit.soft_bytes:
            client.soft_limit_since_ms = 0
            return False
        now_ms = self._engine.clock.now_ms
        client.soft_limit_since_ms = client.soft_limit_since_ms or now_ms
        return now_ms - client.soft_limit_since_ms > limit.soft_seconds * 1000

    def _look_at_all(self) -> None:
        """Begin the round of this second."""
        if self._engine.clients:
            self._look_at_some(iter(list(self._engine.clients.values())))

    def _look_at_some(self, clients: Iterator[Client]) -> None:
        """Look at the next clients, and at the others a little later."""
        now_ms = self._engine.clock.now_ms
        idle_max_ms = self._config.get("timeout") * 1000
        looked_at = 0
        for client in itertools.islice(clients, LOOK_AT_ONCE):
            looked_at += 1
            if not client.closed:
                self._look_at(client, now_ms - client.active_ms, idle_max_ms)
        if looked_at == LOOK_AT_ONCE:
            self._engine.timers.at(now_ms + LOOK_PAUSE_MS, lambda: self._look_at_some(clients))

    def _look_at(self, client: Client, idle_ms: int, idle_max_ms: int) -> None:
        if idle_max_ms and idle_ms > idle_max_ms and may_time_out(client):
            self._log.verbose("Closing idle client")
            self._engine.close(client, at_once=True)
        elif client.suspended & Suspended.CONGESTED:
            self._engine.check_output(client)
        elif idle_ms > SHRINK_AFTER_MS:
            client.shrink()

    # Log lines.

    def _protocol_error(self, client: Client, reason: str) -> None:
        if self._log.wants(VERBOSE):
            self._log.verbose(f"Protocol error ({reason}) from client: {self.describe(client)}.")

    def _query_limit(self, client: Client) -> None:
        beginning = quote(decode(client.parser.peek(QUERY_SHOWN_MAX)))
        self._log.warning(
            f"Closing client that reached max query buffer length: {self.describe(client)} "
            f"(qbuf initial bytes: {beginning})"
        )

    def _attack(self, client: Client) -> None:
        now_ms = self._engine.clock.now_ms
        if now_ms - self._attack_logged_ms > ATTACK_LOG_MS:
            self._attack_logged_ms = now_ms
            self._log.warning(ATTACK.format(client.address))

    # CLIENT LIST.

    def describe(self, client: Client) -> str:
        """The client's line in CLIENT LIST, without the line's end."""
        now_ms = self._engine.clock.now_ms
        transport = client.transport
        unsent = transport.get_write_buffer_size() if transport is not None else 0
        fields = {
            "id": client.id,
            "addr": client.address,
            "laddr": client.local_address,
            "fd": client.descriptor,
            "name": decode(client.name),
            "age": max(now_ms - client.created_ms, 0) // 1000,
            "idle": max(now_ms - client.active_ms, 0) // 1000,
            "flags": flags_of(client, self.tracking_letters(client)),
            "db": client.db.index,
            "sub": len(client.channels),
            "psub": len(client.patterns),
            "ssub": len(client.shard_channels),
            "multi": -1 if client.queue is None else len(client.queue),
            "watch": len(client.watching),
            "qbuf": client.parser.buffered + client.backlog_size,
            "qbuf-free": client.parser.memory,
            "argv-mem": 0,
            "multi-mem": client.queue_bytes,
            "rbs": client.writer.capacity,
            "rbp": client.writer.capacity,
            "obl": client.writer.size,
            "oll": 1 if unsent else 0,
            "omem": unsent,
            "tot-mem": client.memory,
            "events": "" if transport is None else "rw" if unsent else "r",
            "cmd": client.last_command.name if client.last_command else "NULL",
            "user": client.user,
            "redir": self.redirect_of(client),
            "resp": client.resp,
            "lib-name": decode(client.library_name),
            "lib-ver": decode(client.library_version),
            "io-thread": 0,
            "tot-net-in": client.input_bytes,
            "tot-net-out": client.output_bytes,
            "tot-cmds": client.commands,
        }
        return " ".join(f"{name}={value}" for name, value in fields.items())


def class_of(client: Client) -> str:
    """The class that limits and TYPE go by: normal, replica, pubsub, primary, or internal."""
    if client.kind == "normal" and client.subscriptions:
        return "pubsub"
    return client.kind


def may_time_out(client: Client) -> bool:
    """Whether silence of this client means that nobody is there."""
    return class_of(client) == "normal" and client.blocked is None


def flags_of(client: Client, tracking: str) -> str:
    """The letters of CLIENT LIST; N if there are none. `tracking` are those of client caching."""
    letters = (
        ("S", client.kind == "replica"),
        ("M", client.kind == "primary"),
        ("P", client.subscriptions),
        ("x", client.queue is not None),
        ("b", client.suspended & WAITING),
        (tracking, tracking),
        ("d", client.watch_broken),
        ("c", client.closing),
        ("A", client.closed),
        ("U", client.address.startswith("/")),
        ("e", client.no_evict),
        ("T", client.no_touch),
    )
    return "".join(letter for letter, holds in letters if holds) or "N"
