"""This server as a replica: the primary it follows, and what that changes for its clients.

A replica that is told to follow connects, introduces itself and asks for the stream of changes from
where it is (PSYNC). It gets a snapshot first if it was never there, or has missed too much: the
snapshot takes the place of `dbfilename`, is loaded into emptied databases, and then the stream goes
through the same engine that serves clients, as the requests of a client of its own. No key's time
comes meanwhile and nothing is evicted, for that is in the stream; keys that are due are just not
shown.

Who follows this server meanwhile gets the very bytes of the primary's stream, as soon as they are
done here. So all servers of a history are at positions of one stream, and any of them can go on
with another when the primary has changed.

Differs from Redis: a snapshot is always received into a file, whatever `repl-diskless-load` says.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from balas.engine import attention, gates
from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.errors import ReplyError
from balas.protocol.replies import Reply
from balas.registry import flags
from balas.registry.spec import CommandSpec
from balas.services.aof.append import AppendOnlyFile
from balas.services.aof.manifest import BadManifest
from balas.services.children import Children
from balas.services.config.special import Primary
from balas.services.config.store import Config
from balas.services.disk import remove_quietly
from balas.services.identity import NO_ID, Identity
from balas.services.loading import LoadFailed, Loading, Remarks
from balas.services.log import Log
from balas.services.memory import Memory
from balas.services.replication.link import Introduction, Link, LinkBroken
from balas.services.replication.replicas import DATABASE, HISTORY, OFFSET, Replicas
from balas.services.replication.stream import Requests
from balas.services.snapshots import Snapshots
from balas.services.tls import BadTls, make_client_context

READ_ONLY = "READONLY You can't write against a read only replica."
LINK_DOWN = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
ROLE_CHANGED = (
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)
# Why no key's time comes; see `Pause.keep_keys`.
REASON = "replica"

# States of the link, as ROLE names them.
CONNECT = "connect"
CONNECTING = "connecting"
HANDSHAKE = "handshake"
SYNC = "sync"
CONNECTED = "connected"

# A script that spins may not meet the stream halfway; how often to look whether it has ended.
BUSY_WAIT_S = 0.01


class Following:
    """The primary that one server follows, if any.

    Attributes:
        state: of the link.
        known: whether what is here is a part of a history, so that its rest is enough.
        on_role: told "replica" or "primary" when that has changed.
        request: words that are said beside PSYNC, and `on_answer` is told whether it was accepted.
    """

    def __init__(
        self,
        engine: Engine,
        config: Config,
        log: Log,
        replicas: Replicas,
    ) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._replicas = replicas
        self._task: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._client: Client | None = None
        self.state = CONNECT
        self.known = False
        self.on_role: Callable[[str], None] = lambda role: None
        self.request: tuple[bytes, ...] = ()
        self.on_answer: Callable[[bool], None] = lambda accepted: None
        self._received = self._expected = 0
        self._attempts = self._attempts_ever = 0
        self._up_since_s = self._down_since_s = time.monotonic()
        self._down_total_s = 0.0
        engine.gates.add(gates.ORDER_READ_ONLY, attention.READ_ONLY, self._gate_writes)
        engine.gates.add(gates.ORDER_STALE, attention.STALE, self._gate_stale)
        config.on_change(
            ("replica-read-only", "replica-serve-stale-data", "replica-ignore-maxmemory"),
            lambda config: self._apply(),
        )
        engine.timers.every(1000, self._every_second)
        self._apply()

    @property
    def primary(self) -> Primary | None:
        """The server to follow."""
        primary: Primary | None = self._config.get("replicaof")
        return primary

    def _apply(self) -> None:
        """Have clients, expiry and eviction heed whether this is a replica."""
        engine, config = self._engine, self._config
        following = self.primary is not None
        stale = following and self.state != CONNECTED
        engine.set_attention(attention.READ_ONLY, following and config.get("replica-read-only"))
        engine.set_attention(attention.STALE, stale and not config.get("replica-serve-stale-data"))
        engine.pause.keep_keys(REASON, following)
        engine.services[Memory].may_evict = not (
            following and config.get("replica-ignore-maxmemory")
        )

    def _gate_writes(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """Only the primary may change what is here."""
        if gates.carried(client, spec) & flags.WRITE:
            self.refuse_writes(client)

    def _gate_stale(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """Rather no data than old ones."""
        if gates.lacking(client, spec) & flags.STALE:
            self.refuse_stale(client)

    def refuse_writes(self, client: Client) -> None:
        """Raise the ReplyError for what would write, or for a script that might."""
        if self._engine.attention & attention.READ_ONLY and client.kind != "primary":
            raise ReplyError(READ_ONLY)

    def refuse_stale(self, client: Client) -> None:
        """Raise the ReplyError for what makes no sense while the link is down."""
        if self._engine.attention & attention.STALE and client.kind != "primary":
            raise ReplyError(LINK_DOWN)

    # --- whom to follow --------------------------------------------------------------------------

    def follow(self, primary: Primary | None) -> None:
        """Follow this server from now on, or none (be a primary)."""
        was_replica = self.primary is not None
        self._hang_up()
        self._config.assign("replicaof", primary)
        self._log.role = "S" if primary is not None else "M"
        self._attempts = 0
        if primary is not None and not was_replica:
            self._become_replica()
        elif primary is None and was_replica:
            self.known = False
            self._replicas.lead()
            self.on_role("primary")
        self._apply()
        self._connect_soon()

    def _become_replica(self) -> None:
        """Whoever waits for keys or follows here must not rely on what this server was."""
        # As a primary it has written a part of the history that the other may have, too.
        self.known = self._replicas.backlog is not None
        self._replicas.dismiss()
        for client in list(self._engine.blocking.clients.values()):
            self._engine.blocking.unblock_with_error(client, ROLE_CHANGED)
        self._down_since_s = time.monotonic()
        self.on_role("replica")

    def _hang_up(self) -> None:
        """End the link, if there is one."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._closed()

    def _every_second(self) -> None:
        """Connect anew, tell how far this server is, and give a silent primary up."""
        if self.primary is None:
            return
        link = self._link
        if self._task is None:
            self._connect_soon()
        elif link is not None:
            if time.monotonic() - link.heard_s > self._config.get("repl-timeout"):
                self._log.warning("MASTER timeout: no data nor PING received...")
                link.close()
            elif self.state == CONNECTED:
                self.acknowledge()
            elif self._engine.services[Loading].active:
                link.keep_alive()

    def acknowledge(self) -> None:
        """Tell the primary how much of its stream is here."""
        if self._link is not None and self.state == CONNECTED:
            self._link.send(b"REPLCONF", b"ACK", b"%d" % self._replicas.offset)

    def resume(self, remarks: Remarks) -> None:
        """Be where the snapshot that was loaded at the start says that the server was."""
        history = remarks.get(HISTORY, b"").decode("latin-1")
        try:
            offset = int(remarks.get(OFFSET, b""))
        except ValueError:
            return
        if len(history) != len(NO_ID) or offset < 0:
            return
        if self.primary is None:
            self._replicas.resume(history, offset)
        else:
            self._replicas.pass_on(history, offset, database_of(remarks))
            self.known = True

    # --- the link --------------------------------------------------------------------------------

    def _connect_soon(self) -> None:
        """Begin to talk to the primary, as soon as the data of the start are here."""
        primary = self.primary
        ready = self._engine.spawn is not None and not self._engine.services[Loading].active
        if primary is not None and self._task is None and ready:
            self._task = asyncio.get_running_loop().create_task(self._stay_linked(primary))

    async def _stay_linked(self, primary: Primary) -> None:
        """One link, from connecting to its end."""
        task = asyncio.current_task()
        try:
            await self._talk(primary)
        except TimeoutError:
            self._log.warning("Timeout connecting to the MASTER...")
        except (LinkBroken, LoadFailed, BadTls, EOFError) as error:
            self._log.warning(str(error))
        except OSError as error:
            self._log.warning(f"Error condition on socket for SYNC: {error.strerror or error}")
        finally:
            if self._task is task:
                self._task = None
                self._closed()

    def _closed(self) -> None:
        """There is no link any more."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._client is not None:
            self._engine.disconnect(self._client)
            self._client = None
        if self.state == CONNECTED:
            self._down_since_s = time.monotonic()
        self.state = CONNECT
        self._expected = 0
        self._apply()

    async def _talk(self, primary: Primary) -> None:
        """Connect, synchronize, and take the stream until the link breaks."""
        config = self._config
        self._log.notice(f"Connecting to MASTER {primary.host}:{primary.port}")
        self.state = CONNECTING
        self._attempts += 1
        self._attempts_ever += 1
        encrypted = config.get("tls-replication")
        context = make_client_context(config) if encrypted else None
        link = self._link = await Link.open(*primary, context, config.get("repl-timeout"))
        self._log.notice("MASTER <-> REPLICA sync started")
        self.state = HANDSHAKE
        own_port = config.get("tls-port" if encrypted else "port")
        await link.introduce(
            Introduction(
                config.get("masteruser"),
                config.get("masterauth"),
                config.get("replica-announce-port") or own_port,
                config.get("replica-announce-ip"),
            ),
            self._log.notice,
        )
        await self._synchronize(link)
        await self._take_stream(link, primary)

    async def _synchronize(self, link: Link) -> None:
        """Get as far as the primary is, by the rest of its stream or by a snapshot."""
        identity, replicas = self._engine.services[Identity], self._replicas
        history, position = identity.replication_id, replicas.offset + 1
        if self.known:
            self._log.notice(f"Trying a partial resynchronization (request {history}:{position}).")
        else:
            self._log.notice("Partial resynchronization not possible (no cached master)")
            history, position = "?", -1
        try:
            answer = await link.synchronize(history, position, *self.request)
        except LinkBroken:
            self.on_answer(False)
            raise
        self.on_answer(True)
        if answer.full:
            self._log.notice(f"Full resync from master: {answer.history}:{answer.offset}")
            self.known = False
            remarks = await self._take_snapshot(link)
            replicas.dismiss()
            replicas.backlog = None
            replicas.pass_on(answer.history, answer.offset, database_of(remarks))
        else:
            self._log.notice("Successful partial resynchronization with master.")
            replicas.pass_on(answer.history, answer.offset, replicas.database)
        self.known = True

    async def _take_snapshot(self, link: Link) -> Remarks:
        """Have all data replaced by what the primary sends; the remarks of that."""
        self.state = SYNC
        folder = Path(self._config.get("dir"))
        path = folder / f"temp-{os.getpid()}.rdb"
        try:
            await link.fetch(path, self._note_progress)
            self._log.notice("MASTER <-> REPLICA sync: Flushing old data")
            path = self._keep(path)
            self._log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
            await self._load(path)
        finally:
            if path.name.startswith("temp-"):
                remove_quietly(path)
        self._log.notice("MASTER <-> REPLICA sync: Finished with success")
        remarks: Remarks = self._engine.services[Loading].remarks
        return remarks

    async def _load(self, path: Path) -> None:
        """Load a snapshot in place of all data; the log on disk begins anew with it."""
        log = self._engine.services[AppendOnlyFile]
        logged = log.enabled
        if logged:
            log.switch_off()
        try:
            for _ in self._engine.services[Loading].replace(path):
                await asyncio.sleep(0)
        finally:
            if logged:
                self._log_again(log)

    @staticmethod
    def _log_again(log: AppendOnlyFile) -> None:
        """Have a child write the log's first base. Raises LinkBroken, so that all is tried anew."""
        try:
            log.switch_on()
        except (OSError, BadManifest) as error:
            raise LinkBroken(f"Can't switch the append-only file on again: {error}") from error

    def _keep(self, path: Path) -> Path:
        """Make the snapshot that came this server's own, if it keeps one. Raises OSError."""
        children = self._engine.services[Children]
        if children.current is not None:
            self._log.notice("Killing the child that writes what is being replaced")
            children.kill()
        if not self._config.get("dbfilename"):
            return path
        return path.replace(self._engine.services[Snapshots].path)

    def _note_progress(self, received: int, total: int) -> None:
        if not received:
            self._log.notice(
                f"MASTER <-> REPLICA sync: receiving {total} bytes from master to disk"
            )
        self._received, self._expected = received, total

    async def _take_stream(self, link: Link, primary: Primary) -> None:
        """Do what the primary did, until the link breaks."""
        engine = self._engine
        client = self._client = engine.connect(link, "primary")
        client.set_attention(attention.MUTED, True)
        client.address, client.local_address = f"{primary.host}:{primary.port}", link.place
        now_s = self._up_since_s = time.monotonic()
        self._down_total_s += now_s - self._down_since_s
        self.state = CONNECTED
        self._expected = 0
        self._apply()
        self.acknowledge()
        client.db = engine.databases[self._replicas.database]
        coming = Requests()
        while True:
            piece = coming.add(await link.stream())
            if not piece:
                continue
            while engine.attention & attention.BUSY:
                await asyncio.sleep(BUSY_WAIT_S)
            refused = engine.stats.error_replies
            with self._replicas.moving():
                engine.receive(client, piece)
                if engine.stats.error_replies != refused:
                    self._log.warning("== CRITICAL == A command of the MASTER was refused here.")
                while client.suspended and not client.closed:
                    await asyncio.sleep(0)
            if not client.closed:
                self._replicas.relay(piece, client.db.index)

    # --- INFO and ROLE ---------------------------------------------------------------------------

    def role(self) -> Reply:
        """What ROLE says of a replica: whom it follows, how, and how far it is."""
        host, port = self.primary or ("", 0)
        offset = self._replicas.offset if self.state == CONNECTED else -1
        return [b"slave", host.encode(), port, self.state.encode(), offset]

    def info(self, failover: str) -> dict[str, object]:
        """INFO's section Replication, with this state of a change of places."""
        own = self._replicas.info(failover)
        if self.primary is None:
            return own
        return {
            "role": "slave",
            **self._link_info(self.primary),
            "slave_priority": self._config.get("replica-priority"),
            "slave_read_only": int(self._config.get("replica-read-only")),
            "replica_announced": int(self._config.get("replica-announced")),
            **{name: value for name, value in own.items() if name != "role"},
        }

    def _link_info(self, primary: Primary) -> dict[str, object]:
        """The fields that tell of the link."""
        now_s = time.monotonic()
        up = self.state == CONNECTED
        silent_s = int(now_s - self._link.heard_s) if self._link is not None else -1
        down_s = self._down_total_s + (0 if up else now_s - self._down_since_s)
        return {
            "master_host": primary.host,
            "master_port": primary.port,
            "master_link_status": "up" if up else "down",
            "master_last_io_seconds_ago": silent_s if up else -1,
            "master_sync_in_progress": int(self.state == SYNC),
            "slave_read_repl_offset": self._replicas.offset,
            "slave_repl_offset": self._replicas.offset,
            **(self._sync_info(silent_s) if self.state == SYNC else {}),
            **({} if up else {"master_link_down_since_seconds": int(now_s - self._down_since_s)}),
            "replica_full_sync_buffer_size": 0,
            "replica_full_sync_buffer_peak": 0,
            "master_current_sync_attempts": self._attempts,
            "master_total_sync_attempts": self._attempts_ever,
            **({"master_link_up_since_seconds": int(now_s - self._up_since_s)} if up else {}),
            "total_disconnect_time_sec": int(down_s),
        }

    def _sync_info(self, silent_s: int) -> dict[str, object]:
        """The fields that tell how much of a snapshot has come."""
        total, received = self._expected, self._received
        return {
            "master_sync_total_bytes": total,
            "master_sync_read_bytes": received,
            "master_sync_left_bytes": total - received,
            "master_sync_perc": f"{100 * received / max(total, 1):.2f}",
            "master_sync_last_io_seconds_ago": silent_s,
        }


def database_of(remarks: Remarks) -> int:
    """The database that the stream behind a snapshot begins in."""
    try:
        return max(int(remarks.get(DATABASE, b"0")), 0)
    except ValueError:
        return 0
