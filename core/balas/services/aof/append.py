"""Appends the records of every unit to the log, before their replies leave.

Records are encoded as they come and written once for each turn of the event loop; replies of that turn are held back until the
write (and with appendfsync always the fsync, one for all) is done. So what a client was told is in the log: of a killed process
under every policy, of a machine that lost power under always, but for the last second under everysec.

A rewrite switches to a new increment at the moment of the fork, while its child writes a new base; only when the base is
complete does the manifest name it, so that a crash at any moment leaves a log that says everything.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from balas.engine.records import Record
from balas.engine.dispatch import Engine
from balas.services.aof.encode import RecordEncoder
from balas.services.aof.manifest import LogFile, Manifest
from balas.services.children import Child, Children, Tell
from balas.services.config.store import Config
from balas.services.disk import DiskTrouble
from balas.services.log import Log
from balas.services.snapshots import Snapshots
from balas.types.value import Value

CRON_MS = 100
SYNC_PERIOD_MS = 1000
# A failed rewrite is tried again after a minute, then two, and so on up to an hour, as in Redis.
RETRY_MS_MAX = 3_600_000


class LogLost(Exception):
    """The log cannot be written and the policy allows no doubt: the server must end."""


class AppendOnlyFile:
    """The log of one server.

    Attributes:
        manifest: the files in force; None while the log is off.
        current_size, base_size: bytes of the log now and after the last rewrite.
        last_write_ok, last_rewrite_ok: how the last ones went.
    """

    def __init__(
        self, engine: Engine, config: Config, log: Log, children: Children, snapshots: Snapshots, disk: DiskTrouble
    ) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._children = children
        self._snapshots = snapshots
        self._disk = disk
        self._encoder = RecordEncoder()
        self._unwritten = b""
        self._descriptor = -1
        self._flush_due = False
        self._second = 0
        self._sync = BackgroundSync()
        self._synced_ms = 0
        self.manifest: Manifest | None = None
        self.current_size = 0
        self.base_size = 0
        self.last_write_ok = True
        self.last_rewrite_ok = True
        self.rewrite_scheduled = False
        self.rewrites = 0
        self.failures = 0
        self.last_rewrite_seconds = -1
        self.last_copied_bytes = 0
        self._next_try_ms = 0
        self._policy = config.get("appendfsync")
        self._cron = engine.timers.every(CRON_MS, self._tick)
        config.on_change("appendonly", self._switch)
        config.on_change("appendfsync", self._take_policy)

    @property
    def enabled(self) -> bool:
        """Whether writes are being logged."""
        return self._descriptor >= 0

    @property
    def rewriting(self) -> bool:
        """Whether a child is writing a new base."""
        return self._children.current is not None and self._children.current.purpose == "aof"

    @property
    def folder(self) -> Path:
        """Where the log's files are."""
        return Path(self._config.get("dir")) / self._config.get("appenddirname")

    # --- on and off --------------------------------------------------------------------------------------------

    def open(self, manifest: Manifest) -> None:
        """Begin to append, after the files of `manifest` have been loaded. Raises OSError."""
        changed = False
        if manifest.base is None and not manifest.increments:
            # A log always begins with a base, so that what was loaded from a snapshot is in it.
            self._write_base(manifest)
            changed = True
        if not manifest.increments:
            manifest.new_increment()
            changed = True
        self._open_file(manifest.folder / manifest.increments[-1].name)
        if changed:
            manifest.persist()
        self.manifest = manifest
        manifest.remove_history()
        self.current_size = self._size_of(manifest.files)
        self.base_size = self.current_size
        self._start_sink()

    def close(self) -> None:
        """Bring everything to disk and stop appending."""
        if not self.enabled:
            return
        self._engine.changes.remove_sink(self.take_records)
        self._engine.hold_replies = None
        self._flush()
        self._sync.wait()
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        self.manifest = None
        self._disk.report("log", None)
        self._engine.release_held()

    def _switch(self, config: Config) -> None:
        """CONFIG SET appendonly."""
        if config.get("appendonly") and not self.enabled:
            self.start_now()
        elif not config.get("appendonly") and self.enabled:
            if self.rewriting:
                self._children.kill()
            self.close()

    def start_now(self) -> None:
        """Switch the log on in a running server: what there is becomes its base. Raises OSError."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        prefix = self._config.get("appendfilename")
        old = Manifest.read(self.folder, prefix) or Manifest(self.folder, prefix)
        manifest = old.copy()
        self._write_base(manifest)
        manifest.retire_increments(len(manifest.increments))
        self.open(manifest)
        manifest.persist()
        manifest.remove_history()

    def _write_base(self, manifest: Manifest) -> None:
        extension = "rdb" if self._config.get("aof-use-rdb-preamble") else "aof"
        base = manifest.new_base(extension)
        self._write_dataset(str(manifest.folder / base.name), None)

    def _start_sink(self) -> None:
        self._encoder.database = -1
        self._synced_ms = self._engine.clock.now_ms
        self._engine.changes.add_sink(self.take_records)
        self._engine.hold_replies = self._holding

    def _open_file(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if self._descriptor >= 0:
            self._sync.wait()
            os.fsync(self._descriptor)
            os.close(self._descriptor)
        self._descriptor = descriptor

    def _size_of(self, files: list[LogFile]) -> int:
        return sum((self.folder / file.name).stat().st_size for file in files)

    # --- appending ---------------------------------------------------------------------------------------------

    def take_records(self, records: list[Record]) -> None:
        """The sink: encode a unit's records and see to it that they are written."""
        if self._config.get("aof-timestamp-enabled"):
            self._note_time()
        self._encoder.add(records)
        if self._engine.call_soon is None:
            self.flush()
        elif not self._flush_due:
            self._flush_due = True
            self._engine.call_soon(self.flush)

    def _note_time(self) -> None:
        second = self._engine.clock.now_ms // 1000
        if second != self._second:
            self._second = second
            self._encoder.note(b"#TS:%d\r\n" % second)

    def _holding(self) -> bool:
        return self._flush_due

    def flush(self) -> None:
        """Write what this turn of the loop has encoded, and let the replies go."""
        self._flush_due = False
        if self.enabled:
            self._flush()
        self._engine.release_held()

    def _flush(self) -> None:
        """Write everything, and with appendfsync always bring it to disk. Raises LogLost."""
        self._unwritten += self._encoder.take()
        if not self._unwritten:
            return
        always = self._policy == "always"
        try:
            self._write_all()
            if always:
                os.fsync(self._descriptor)
                self._synced_ms = self._engine.clock.now_ms
        except OSError as error:
            if always:
                self._log.warning(
                    f"Can't recover from AOF write error when the AOF fsync policy is 'always': {error.strerror}. Exiting..."
                )
                raise LogLost from error
            self._write_failed(error)
            return
        if not self.last_write_ok:
            self._log.warning("AOF write error looks solved. The server can write again.")
            self.last_write_ok = True
            self._disk.report("log", None)

    def _write_all(self) -> None:
        """Write `_unwritten`; what was written before an error is taken out of it, or back out of the file."""
        while self._unwritten:
            written = os.write(self._descriptor, self._unwritten)
            self._unwritten = self._unwritten[written:]
            self.current_size += written

    def _write_failed(self, error: OSError) -> None:
        if self.last_write_ok:
            self._log.warning(f"Error writing to the AOF file: {error.strerror}")
        self.last_write_ok = False
        self._disk.report("log", f"MISCONF Errors writing to the AOF file: {error.strerror}")

    def _take_policy(self, config: Config) -> None:
        self._policy = config.get("appendfsync")
        if self.enabled and self._policy == "always":
            self._sync.wait()
            os.fsync(self._descriptor)

    # --- by and by ---------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Sync every second, write again after an error, rewrite when the log has grown."""
        if not self.enabled:
            return
        now_ms = self._engine.clock.now_ms
        if not self.last_write_ok:
            self.flush()
        if self._policy == "everysec" and now_ms - self._synced_ms >= SYNC_PERIOD_MS and not self._sync_unwanted():
            self._synced_ms = now_ms
            self._sync.start(self._descriptor)
        if self._children.current is None and (self.rewrite_scheduled or self._grown(now_ms)):
            with suppress(OSError):  # logged and counted by start_rewrite
                self.start_rewrite()

    def _sync_unwanted(self) -> bool:
        return bool(self._config.get("no-appendfsync-on-rewrite")) and self._children.current is not None

    def _grown(self, now_ms: int) -> bool:
        percentage = self._config.get("auto-aof-rewrite-percentage")
        if not percentage or self.current_size < self._config.get("auto-aof-rewrite-min-size"):
            return False
        if now_ms < self._next_try_ms:
            return False
        growth = self.current_size * 100 // max(self.base_size, 1) - 100
        if growth >= percentage:
            self._log.notice(f"Starting automatic rewriting of AOF on {growth}% growth")
            return True
        return False

    # --- rewriting ---------------------------------------------------------------------------------------------

    def start_rewrite(self) -> None:
        """Switch to a new increment and have a child write a new base. Raises OSError."""
        self.rewrite_scheduled = False
        folder = self.folder
        folder.mkdir(mode=0o755, exist_ok=True)
        temporary = str(folder / "temp-rewriteaof-bg.aof")
        covered = 0
        try:
            if self.enabled and self.manifest is not None:
                self._flush()
                manifest = self.manifest.copy()
                covered = len(manifest.increments)
                increment = manifest.new_increment()
                self._open_file(folder / increment.name)
                manifest.persist()
                self.manifest = manifest
                self._encoder.database = -1
            child = self._children.start(
                "aof", lambda tell: self._write_dataset(temporary, tell), lambda child: self._rewritten(child, covered)
            )
        except OSError as error:
            self._log.warning(f"Can't rewrite append only file in background: {error.strerror}")
            self._rewrite_failed()
            raise
        self._log.notice(f"Background append only file rewriting started by pid {child.pid}")

    def _write_dataset(self, path: str, tell: Tell | None) -> None:
        """Write a base, as a snapshot or as commands. Raises OSError."""
        if self._config.get("aof-use-rdb-preamble"):
            self._snapshots.write_file(path, tell, aof_base=True)
            return
        encoder = RecordEncoder()
        with open(path, "wb") as file:
            for db in self._engine.databases:
                for key in db.all_keys():
                    for command in rebuild(db.get(key), key, db.expire_at(key)):
                        encoder.add([(db.index, command)])
                    if encoder.size > 1 << 20:
                        file.write(encoder.take())
            file.write(encoder.take())
            file.flush()
            os.fsync(file.fileno())

    def _rewritten(self, child: Child, covered: int) -> None:
        temporary = self.folder / "temp-rewriteaof-bg.aof"
        self.last_rewrite_seconds = (self._engine.clock.now_ms - child.started_ms) // 1000
        self.last_copied_bytes = child.copied_bytes
        if child.error:
            temporary.unlink(missing_ok=True)
            with suppress(OSError):
                os.unlink(self.folder / f"temp-{child.pid}.rdb")
            if child.error == "killed":
                self._log.notice("Background AOF rewrite was stopped")
            else:
                self._log.warning(f"Background AOF rewrite error: {child.error}")
                self._rewrite_failed()
            return
        self._log.notice("Background AOF rewrite terminated with success")
        try:
            self._adopt(temporary, covered)
        except OSError as error:
            self._log.warning(f"Error taking the rewritten append only file over: {error.strerror}")
            self._rewrite_failed()
            return
        self.failures = 0
        self._next_try_ms = 0
        self.last_rewrite_ok = True
        self.rewrites += 1
        self._log.notice("Background AOF rewrite finished successfully")

    def _adopt(self, temporary: Path, covered: int) -> None:
        """Put the child's base in force instead of the base and the increments that it covers."""
        old = self.manifest
        if old is None:
            prefix = self._config.get("appendfilename")
            old = Manifest.read(self.folder, prefix) or Manifest(self.folder, prefix)
            covered = len(old.increments)
        manifest = old.copy()
        base = manifest.new_base("rdb" if self._config.get("aof-use-rdb-preamble") else "aof")
        temporary.rename(self.folder / base.name)
        manifest.retire_increments(covered)
        manifest.persist()
        if self.enabled:
            self.manifest = manifest
            self.current_size = self.base_size = self._size_of(manifest.files)
        manifest.remove_history()

    def _rewrite_failed(self) -> None:
        self.last_rewrite_ok = False
        self.failures += 1
        wait_ms = min(60_000 * 2 ** max(self.failures - 3, 0), RETRY_MS_MAX) if self.failures >= 3 else 0
        self._next_try_ms = self._engine.clock.now_ms + wait_ms

    # --- INFO --------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """The fields of INFO's section Persistence that tell of the log."""
        child = self._children.current
        started_ms = child.started_ms if child is not None and child.purpose == "aof" else None
        fields: dict[str, object] = {
            "aof_enabled": int(self.enabled),
            "aof_rewrite_in_progress": int(self.rewriting),
            "aof_rewrite_scheduled": int(self.rewrite_scheduled),
            "aof_last_rewrite_time_sec": self.last_rewrite_seconds,
            "aof_current_rewrite_time_sec": (
                (self._engine.clock.now_ms - started_ms) // 1000 if started_ms is not None else -1
            ),
            "aof_last_bgrewrite_status": "ok" if self.last_rewrite_ok else "err",
            "aof_rewrites": self.rewrites,
            "aof_rewrites_consecutive_failures": self.failures,
            "aof_last_write_status": "ok" if self.last_write_ok else "err",
            "aof_last_cow_size": self.last_copied_bytes,
        }
        if self.enabled:
            fields |= {
                "aof_current_size": self.current_size,
                "aof_base_size": self.base_size,
                "aof_pending_rewrite": 0,
                "aof_buffer_length": self._encoder.size + len(self._unwritten),
                "aof_pending_bio_fsync": int(self._sync.busy),
                "aof_delayed_fsync": self._sync.delayed,
            }
        return fields


def rebuild(value: object, key: bytes, expire_at: int) -> list[tuple[bytes, ...]]:
    """The commands that make `key` what it is."""
    if isinstance(value, (bytes, bytearray)):
        commands: list[tuple[bytes, ...]] = [(b"SET", key, bytes(value))]
    else:
        assert isinstance(value, Value)
        commands = [tuple(command) for command in value.aof_rewrite(key)]
    if expire_at >= 0:
        commands.append((b"PEXPIREAT", key, b"%d" % expire_at))
    return commands


class BackgroundSync:
    """Brings a file to disk in a thread of its own, one at a time.

    Attributes:
        delayed: how often one was wanted while the one before was still under way.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self.delayed = 0

    @property
    def busy(self) -> bool:
        """Whether a sync is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, descriptor: int) -> None:
        """Begin one, unless the last is still under way: then it is counted as delayed."""
        if self.busy:
            self.delayed += 1
            return
        self._thread = threading.Thread(target=os.fdatasync, args=(descriptor,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the one under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
