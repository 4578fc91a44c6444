"""Those who follow this server: each gets a snapshot, then every record in the order of events.

A replica that asks (SYNC, PSYNC) is put off until a child has written a snapshot of the moment of
the fork; the records that come meanwhile are kept for it. Then the file is sent as fast as it is
read, then what was kept, then records as they come. One that was here before and missed no more
than the backlog holds just goes on (PSYNC with the offset it has reached).

Differs from Redis: a snapshot for replicas always goes through a file, `repl-diskless-sync` or not,
and nobody waits for further replicas before it is begun.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from balas.engine import attention, gates
from balas.engine.client import Client
from balas.engine.context import Context
from balas.engine.dispatch import Engine
from balas.engine.records import Record
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.registry.flags import WRITE
from balas.registry.spec import CommandSpec
from balas.services.aof.encode import RecordEncoder
from balas.services.children import Child, Children, Reporter, WorkFailed
from balas.services.config.store import Config
from balas.services.disk import remove_quietly
from balas.services.identity import Identity
from balas.services.log import Log
from balas.services.replication.backlog import Backlog
from balas.services.snapshots import EVERYTHING, Snapshots

# How often the file goes on, and how much of it may wait for the replica to read.
FEED_EVERY_MS = 5
FEED_BYTES = 256 * 1024
UNREAD_MAX = 1 << 20
TOO_FEW = "NOREPLICAS Not enough good replicas to write."
PING = b"*1\r\n$4\r\nPING\r\n"
GETACK = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"

# Where in which stream the data of a snapshot are, by Redis's names.
DATABASE, HISTORY, OFFSET = b"repl-stream-db", b"repl-id", b"repl-offset"

# States of a replica, as INFO names them.
WAITING = "wait_bgsave"
SENDING = "send_bulk"
ONLINE = "online"


@dataclass
class Greeting:
    """What a client has said of itself with REPLCONF, before or after it asked for the data."""

    port: int = 0
    address: str = ""
    capabilities: set[bytes] = field(default_factory=set)
    snapshot_only: bool = False
    parts: frozenset[bytes] = EVERYTHING


@dataclass(eq=False)
class Replica:
    """One that follows.

    Attributes:
        partial: it speaks PSYNC, and so is told where it is.
        kept: records that came since the fork, until the file is sent.
        file: descriptor of the file that is being sent.
        acknowledged, on_disk: the offsets it says it has reached in memory and on its disk, and
        `acknowledged_ms` when it last said so.
    """

    client: Client
    greeting: Greeting
    partial: bool
    state: str = WAITING
    kept: list[bytes] = field(default_factory=list)
    file: int | None = None
    acknowledged: int = 0
    on_disk: int = 0
    acknowledged_ms: int = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it can be reached, as far as it has said."""
        host = self.client.address.rpartition(":")[0]
        return self.greeting.address or host, self.greeting.port


@dataclass(frozen=True)
class Waiter:
    """A client that waits until so many replicas have reached an offset.

    `reply` makes its reply of how many have.
    """

    offset: int
    wanted: int
    on_disk: bool
    reply: Callable[[int], Reply]


class Replicas:
    """The replicas of one server, and the stream that they get.

    Attributes:
        backlog: the end of the stream; None as long as nobody ever asked for it.
        relaying: the stream is that of another server, which this one follows.
        quiet: nothing is put into the stream but what is written.
    """

    def __init__(
        self,
        engine: Engine,
        config: Config,
        log: Log,
        children: Children,
        snapshots: Snapshots,
        identity: Identity,
    ) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._children = children
        self._snapshots = snapshots
        self._identity = identity
        self._encoder = RecordEncoder()
        self._replicas: dict[Client, Replica] = {}
        self._left_ms = 0
        self._waiters: dict[Client, Waiter] = {}
        self.backlog: Backlog | None = None
        self.relaying = False
        self.quiet = False
        self._relayed_database = 0
        self._moving = False
        snapshots.remarks.append(self._remarks)
        self._feeder = engine.timers.every(FEED_EVERY_MS, self._feed)
        self._feeder.cancel()
        engine.timers.every(1000, self._every_second)
        engine.on_disconnect.append(self._leave)
        config.on_change("repl-backlog-size", self._resize)
        engine.gates.add(gates.ORDER_REPLICAS, attention.LONELY, self._gate_writes)
        config.on_change(
            ("min-replicas-to-write", "min-replicas-max-lag"), lambda config: self._look_around()
        )
        self._look_around()

    def __iter__(self) -> Iterator[Replica]:
        """In the order in which they came."""
        return iter(self._replicas.values())

    def __len__(self) -> int:
        return len(self._replicas)

    @property
    def offset(self) -> int:
        """How many bytes of records were ever sent; 0 as long as nobody asked for them."""
        return self.backlog.offset if self.backlog is not None else 0

    @property
    def database(self) -> int:
        """Which one the stream is about where it ends."""
        return self._relayed_database if self.relaying else max(self._encoder.database, 0)

    def greeting(self, client: Client) -> Greeting:
        """What the client has said of itself."""
        greeting: Greeting = client.data.setdefault(Greeting, Greeting())
        return greeting

    # --- asking ----------------------------------------------------------------------------------

    def go_on(self, client: Client, replication_id: str, position: int) -> bool:
        """Have a client get the stream from `position` on; False if it must begin anew."""
        backlog = self.backlog
        known = self._identity.shares(replication_id, position)
        if backlog is None or not known or not backlog.holds(position):
            return False
        replica = self._join(client, partial=True)
        replica.state = ONLINE
        replica.acknowledged = position - 1
        answer = f"+CONTINUE {self._identity.replication_id}\r\n".encode()
        self._engine.push(client, answer + backlog.since(position))
        self._log.notice(
            f"Partial resynchronization request from {client.address} accepted. Sending "
            f"{self.offset - position + 1} bytes of backlog."
        )
        return True

    def begin(self, client: Client, *, partial: bool) -> None:
        """Have a client get a snapshot, and all records since."""
        if self.backlog is None:
            # Who has seen data of this server before there was a stream cannot go on from there.
            self._identity.change_replication_id()
            self._begin_stream(0)
            self._engine.changes.add_sink(self._take_records)
        self._join(client, partial=partial)
        self._log.notice(f"Replica {client.address} asks for synchronization")
        self._start_snapshot()

    def _join(self, client: Client, *, partial: bool) -> Replica:
        client.kind = "replica"
        replica = Replica(client, self.greeting(client), partial)
        replica.acknowledged_ms = self._engine.clock.now_ms
        self._replicas[client] = replica
        return replica

    def _leave(self, client: Client) -> None:
        self._waiters.pop(client, None)
        replica = self._replicas.pop(client, None)
        if replica is None:
            return
        self._log.notice(f"Connection with replica {client.address} lost.")
        self._left_ms = self._engine.clock.now_ms
        if replica.file is not None:
            os.close(replica.file)
        self._look_around()

    # --- waiting for them ------------------------------------------------------------------------

    def wait(
        self,
        ctx: Context,
        wanted: int,
        timeout_ms: int,
        reply: Callable[[int], Reply],
        *,
        on_disk: bool = False,
    ) -> Reply:
        """Let the client of `ctx` wait until so many replicas have all that was written so far.

        On a timeout (0: never) it is told how many have, too.
        """
        waiter = Waiter(self.offset, wanted, on_disk, reply)
        count = self._reached(waiter)
        if count >= wanted or not ctx.may_block:
            return reply(count)
        value = ctx.block((), timeout_ms, reply(count))
        self._waiters[ctx.client] = waiter
        if self._replicas and not self.relaying and not self.quiet:
            self._send(GETACK)
        return value

    def _reached(self, waiter: Waiter) -> int:
        return sum(
            (one.on_disk if waiter.on_disk else one.acknowledged) >= waiter.offset
            for one in self
            if one.state == ONLINE
        )

    def _tell_waiters(self) -> None:
        """A replica has got further."""
        for client, waiter in list(self._waiters.items()):
            if client.blocked is None:
                del self._waiters[client]
                continue
            count = self._reached(waiter)
            client.blocked.on_timeout = waiter.reply(count)
            if count >= waiter.wanted:
                del self._waiters[client]
                self._engine.blocking.time_up(client)

    # --- the snapshot ----------------------------------------------------------------------------

    def _start_snapshot(self) -> None:
        """Fork, unless there is a child: then when it has ended.

        Those that want other parts of the content than the first have a child of their own.
        """
        waiting = [one for one in self if one.state == WAITING]
        if not waiting or self._children.current is not None:
            return
        parts = waiting[0].greeting.parts
        waiting = [one for one in waiting if one.greeting.parts == parts]
        self._log.notice("Starting BGSAVE for SYNC with target: disk")
        path = os.path.join(str(self._config.get("dir")), f"temp-sync-{os.getpid()}.rdb")
        try:
            child = self._children.start(
                "sync", partial(self._write, path, parts), partial(self._written, path, waiting)
            )
        except OSError as error:
            self._log.warning(f"BGSAVE for replication failed: fork: {error.strerror}")
            self._give_up(waiting)
            return
        self._log.notice(f"Background saving started by pid {child.pid}")
        self._encoder.database = -1
        for replica in waiting:
            replica.state = SENDING
            if replica.partial:
                answer = f"+FULLRESYNC {self._identity.replication_id} {self.offset}\r\n"
                self._engine.push(replica.client, answer.encode())

    def _write(self, path: str, parts: frozenset[bytes], reporter: Reporter) -> None:
        """What the child does."""
        try:
            self._snapshots.write_file(path, reporter.keys, parts=parts, confirm=reporter.confirm)
        except WorkFailed as error:
            self._log.warning(str(error))
            raise

    def _written(self, path: str, replicas: list[Replica], child: Child) -> None:
        """The file is there: begin to send it."""
        present = [one for one in replicas if one.client in self._replicas]
        if child.error:
            self._log.warning(f"SYNC failed. BGSAVE child returned an error: {child.error}")
            remove_quietly(path)
            self._give_up(present)
        else:
            size = os.path.getsize(path)
            for replica in present:
                replica.file = os.open(path, os.O_RDONLY)
                self._engine.push(replica.client, b"$%d\r\n" % size)
            os.unlink(path)
            self._feed()
        self._start_snapshot()

    def _give_up(self, replicas: list[Replica]) -> None:
        for replica in replicas:
            self._engine.close(replica.client, at_once=True)

    def _feed(self) -> None:
        """Send more of the files, as far as the replicas read."""
        self._feeder.cancel()
        for replica in list(self):
            if replica.file is not None:
                self._feed_one(replica, replica.file)
        if any(replica.file is not None for replica in self):
            self._feeder = self._engine.timers.every(FEED_EVERY_MS, self._feed)

    def _feed_one(self, replica: Replica, file: int) -> None:
        while replica.client.output_pending < UNREAD_MAX:
            chunk = os.read(file, FEED_BYTES)
            if not chunk:
                self._go_online(replica)
                return
            self._engine.push(replica.client, chunk)

    def _go_online(self, replica: Replica) -> None:
        """The file is sent: now what came since the fork."""
        if replica.file is not None:
            os.close(replica.file)
            replica.file = None
        replica.state = ONLINE
        replica.acknowledged_ms = self._engine.clock.now_ms
        kept, replica.kept = replica.kept, []
        if replica.greeting.snapshot_only:
            self._engine.close(replica.client, at_once=False)
            return
        self._engine.push(replica.client, b"".join(kept))
        self._log.notice(f"Synchronization with replica {replica.client.address} succeeded")

    # --- the stream ------------------------------------------------------------------------------

    def _take_records(self, records: list[Record]) -> None:
        self._encoder.add(records)
        self._send(self._encoder.take())

    def _send(self, data: bytes) -> None:
        """Give the next bytes of the stream to the backlog and to everybody."""
        if self.backlog is not None:
            self.backlog.append(data)
        limit = self._config.get("client-output-buffer-limit").replica.hard_bytes
        for replica in list(self):
            if replica.state == ONLINE:
                self._engine.push(replica.client, data)
            elif replica.state == SENDING:
                replica.kept.append(data)
                if limit and sum(map(len, replica.kept)) > limit:
                    self._give_up([replica])

    def acknowledge(self, client: Client, offset: int, on_disk: int) -> None:
        """A replica says how far it is, in memory and, unless that is 0, on disk."""
        replica = self._replicas.get(client)
        if replica is not None:
            replica.acknowledged = max(replica.acknowledged, offset)
            replica.on_disk = max(replica.on_disk, on_disk)
            replica.acknowledged_ms = self._engine.clock.now_ms
            self._tell_waiters()
            if self._engine.attention & attention.LONELY:
                self._look_around()

    def _every_second(self) -> None:
        """Let replicas know that this server lives, and drop those that do not."""
        now_ms = self._engine.clock.now_ms
        self._look_around()
        if not self._replicas:
            self._forget(now_ms)
            return
        self._start_snapshot()
        silent = self.relaying or self.quiet
        if not silent and now_ms // 1000 % self._config.get("repl-ping-replica-period") == 0:
            self._send(PING)
        timeout_ms = self._config.get("repl-timeout") * 1000
        for replica in list(self):
            silent_ms = now_ms - replica.acknowledged_ms
            if replica.state != ONLINE and replica.file is None:
                self._engine.push(replica.client, b"\n")
            elif replica.state == ONLINE and replica.partial and silent_ms > timeout_ms:
                self._log.warning(f"Disconnecting timedout replica: {replica.client.address}")
                self._give_up([replica])

    def _forget(self, now_ms: int) -> None:
        """Nobody follows: after some time nobody will come back, either."""
        keep_ms = self._config.get("repl-backlog-ttl") * 1000
        lonely_ms = now_ms - self._left_ms
        if self.backlog is not None and not self.relaying and keep_ms and lonely_ms > keep_ms:
            self._end_stream()

    def _begin_stream(self, offset: int) -> None:
        self.backlog = Backlog(self._config.get("repl-backlog-size"), offset)

    def _end_stream(self) -> None:
        self.backlog = None
        self._engine.changes.remove_sink(self._take_records)

    # --- a stream that is another's --------------------------------------------------------------

    def dismiss(self) -> None:
        """Have whoever follows ask anew."""
        self._give_up(list(self))

    def pass_on(self, history: str, offset: int, database: int) -> None:
        """Have a stream of another server's bytes (`relay`) from now on, instead of one's own.

        What is here is the data of a history up to an offset of its stream, which is about this
        database there. Who follows asks anew, unless he has got just that until now.
        """
        self.relaying = True
        self._relayed_database = database
        self._engine.changes.remove_sink(self._take_records)
        identity = self._identity
        if self.backlog is None or self.backlog.offset != offset:
            self._begin_stream(offset)
            identity.take_history(history)
            self.dismiss()
        elif identity.replication_id != history:
            identity.part_ways(offset + 1, history)
            self.dismiss()

    def relay(self, data: bytes, database: int) -> None:
        """The next bytes of the other server's stream, and the database that they end in; what they
        say is done here already.
        """
        self._relayed_database = database
        self._send(data)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """While the data here are ahead of the stream, for what is to be relayed is being done."""
        self._moving = True
        try:
            yield
        finally:
            self._moving = False

    def resume(self, history: str, offset: int) -> None:
        """Have who knows a history up to an offset of its stream go on here: these are the data."""
        self._identity.take_history(history)
        self._identity.part_ways(offset + 1)
        self._begin_stream(offset)
        self._left_ms = self._engine.clock.now_ms
        self._engine.changes.add_sink(self._take_records)

    def _remarks(self) -> Iterable[tuple[bytes, bytes]]:
        """What a snapshot says of the history and the place in it, so that one can go on there."""
        if self.backlog is not None and not self._moving:
            yield DATABASE, b"%d" % self.database
            yield HISTORY, self._identity.replication_id.encode()
            yield OFFSET, b"%d" % self.offset

    def lead(self) -> None:
        """Go on with a stream of one's own, from where the other's ended."""
        self.relaying = False
        if self.backlog is not None:
            self._identity.part_ways(self.offset + 1)
            self.dismiss()
            self._encoder.database = -1
            self._engine.changes.add_sink(self._take_records)

    def _resize(self, config: Config) -> None:
        if self.backlog is not None:
            self.backlog.size = config.get("repl-backlog-size")

    # --- safety in numbers -----------------------------------------------------------------------

    @property
    def _wants_some(self) -> bool:
        """Whether writes need replicas that are near."""
        return bool(
            self._config.get("min-replicas-to-write") and self._config.get("min-replicas-max-lag")
        )

    @property
    def _near(self) -> int:
        """How many replicas have answered lately."""
        lag_ms: int = self._config.get("min-replicas-max-lag") * 1000
        oldest_ms = self._engine.clock.now_ms - lag_ms
        return sum(one.state == ONLINE and one.acknowledged_ms >= oldest_ms for one in self)

    def _look_around(self) -> None:
        """Have writes refused while too few are near."""
        lonely = self._wants_some and self._near < self._config.get("min-replicas-to-write")
        self._engine.set_attention(attention.LONELY, lonely)

    def _gate_writes(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        if gates.carried(client, spec) & WRITE:
            self.refuse_writes(client)

    def refuse_writes(self, client: Client) -> None:
        """Raise the ReplyError for what would write, or for a script that might."""
        if self._engine.attention & attention.LONELY and client.kind == "normal":
            raise ReplyError(TOO_FEW)

    # --- INFO and ROLE ---------------------------------------------------------------------------

    def info(self, failover: str) -> dict[str, object]:
        """The section Replication, with this state of a change of places."""
        identity, backlog = self._identity, self.backlog
        now_ms = self._engine.clock.now_ms
        lines = {}
        for number, one in enumerate(self):
            host, port = one.address
            lag_s = (now_ms - one.acknowledged_ms) // 1000 if one.state == ONLINE else 0
            lines[f"slave{number}"] = (
                f"ip={host},port={port},state={one.state},offset={one.acknowledged},lag={lag_s},"
                "type=replica"
            )
        return {
            "role": "master",
            "connected_slaves": len(self),
            **({"min_slaves_good_slaves": self._near} if self._wants_some else {}),
            **lines,
            "master_failover_state": failover,
            "master_replid": identity.replication_id,
            "master_replid2": identity.replication_id_2,
            "master_repl_offset": self.offset,
            "second_repl_offset": identity.shared_until,
            "repl_backlog_active": int(backlog is not None),
            "repl_backlog_size": self._config.get("repl-backlog-size"),
            "repl_backlog_first_byte_offset": backlog.first if backlog is not None else 0,
            "repl_backlog_histlen": backlog.length if backlog is not None else 0,
        }
