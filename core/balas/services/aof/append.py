"""The append-only file: the records of every unit are in it before their replies leave.

Records are encoded as they come and written once for each turn of the event loop; replies of that
turn are held back until the write (and with appendfsync always the sync, one for all) is done. So
what a client was told is in the log: of a killed process under every policy, of a machine that lost
power under always, but for the last second under everysec.

Differs from Redis: while a sync is under way, Redis puts writes off for up to two seconds, and so
loses acknowledged ones when it is killed. Here they are written, and the write may have to wait.

Here are the log's life (on, off, lost) and its policies. `rewrite` makes it short again, `writer`
knows the file, `manifest` the files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from balas.engine.dispatch import Engine
from balas.engine.records import Record
from balas.errors import ReplyError
from balas.services.aof.encode import RecordEncoder
from balas.services.aof.manifest import BadManifest, Manifest
from balas.services.aof.rewrite import Rewriting
from balas.services.aof.writer import DiskThread, LogWriter
from balas.services.children import Children
from balas.services.config.store import Config
from balas.services.disk import DiskTrouble, remove_quietly
from balas.services.log import Log
from balas.services.snapshots import Snapshots

SYNC_PERIOD_MS = 1000


class LogLost(Exception):
    """The log cannot be written and the policy allows no doubt: the server must end."""


class AppendOnlyFile:
    """The log of one server.

    Attributes:
        manifest: the files in force; None while the log is off, or has no base yet.
        starting: it was switched on, and its first base is not complete yet.
        rewriting: makes it short again.
        on_lost: called when a write of which the client must not be told otherwise is not in the
        log. No reply leaves any more: whoever drives the server ends it.
    """

    def __init__(
        self,
        engine: Engine,
        config: Config,
        log: Log,
        children: Children,
        snapshots: Snapshots,
        disk: DiskTrouble,
    ) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._disk = disk
        self._children = children
        self._encoder = RecordEncoder()
        self.thread = DiskThread()
        self.writer = LogWriter(self.thread)
        self.manifest: Manifest | None = None
        self.starting = False
        self.rewriting = Rewriting(self, engine, config, log, children, snapshots)
        self.on_lost: Callable[[], None] = self._raise_lost
        self.last_write_ok = True
        self._flush_due = False
        self._lost = False
        self._second = 0
        self._synced_ms = 0
        self._policy = config.get("appendfsync")
        self._notes_time = config.get("aof-timestamp-enabled")
        config.on_change("appendonly", self._switch)
        config.on_change(["appendfsync", "aof-timestamp-enabled"], self._take_options)

    @property
    def enabled(self) -> bool:
        """Whether the log is on, be it that its first base is still being made."""
        return self.starting or self.manifest is not None

    @property
    def folder(self) -> Path:
        """Where the log's files are."""
        return Path(self._config.get("dir"), self._config.get("appenddirname"))

    @property
    def size(self) -> int:
        """Bytes of all files of the log."""
        return self.rewriting.size_before + self.writer.size if self.writer.is_open else 0

    def read_manifest(self) -> Manifest:
        """The manifest on disk, or an empty one. Raises BadManifest, OSError."""
        prefix = self._config.get("appendfilename")
        return Manifest.read(self.folder, prefix) or Manifest(self.folder, prefix)

    # --- on and off ------------------------------------------------------------------------------

    def open(self, manifest: Manifest) -> None:
        """Begin to append, after the files of `manifest` have been loaded. Raises OSError, and
        WorkFailed if the base that a new log begins with cannot be written.
        """
        new = not manifest.files
        if new:
            # A log always begins with a base, so that what was loaded from a snapshot is in it.
            self.rewriting.write_first_base(manifest)
        fresh = not manifest.increments
        increment = manifest.new_increment() if fresh else manifest.increments[-1]
        verb = "Creating" if fresh else "Opening"
        self._log.notice(f"{verb} AOF incr file {increment.name} on server start")
        self.writer.switch(self.writer.prepare(manifest.path_of(increment), fresh=fresh))
        if fresh:
            manifest.persist()
        self.rewriting.remove_history(manifest)
        self.manifest = manifest
        self.rewriting.count_sizes(manifest)
        self.attach()

    def attach(self) -> None:
        """Take the records of every unit from now on."""
        self._encoder.database = -1
        self._synced_ms = self._engine.clock.now_ms
        self._engine.changes.remove_sink(self.take_records)
        self._engine.changes.add_sink(self.take_records)
        self._engine.hold_replies = self._holding

    def close(self) -> None:
        """Write what is left, bring it to disk, and stop appending. A failure is logged."""
        self._engine.changes.remove_sink(self.take_records)
        try:
            if self.writer.is_open and not self._lost:
                self._log.notice("Calling fsync() on the AOF file.")
                self.writer.write(self._encoder.take())
        except OSError as error:
            self._log.warning(
                f"Error writing to the AOF file: {error.strerror}. "
                f"{self.writer.pending} bytes of it are lost."
            )
        try:
            self.writer.close()
        except OSError as error:
            self._log.warning(f"Fail to fsync the AOF file: {error.strerror}")
        self.thread.close()
        self._end()

    def _end(self) -> None:
        if self.starting:
            prefix = self._config.get("appendfilename")
            remove_quietly(Manifest(self.folder, prefix).temporary_increment)
        self.manifest = None
        self.starting = False
        self.last_write_ok = True
        self.rewriting.scheduled = False
        self._encoder.take()
        self._disk.report("log", None)
        if not self._lost:
            self._engine.hold_replies = None
            self._flush_due = False
            self._engine.release_held()

    def _switch(self, config: Config) -> None:
        """CONFIG SET appendonly. Raises ReplyError."""
        try:
            if config.get("appendonly") and not self.enabled:
                self.switch_on()
            elif not config.get("appendonly") and self.enabled:
                self.switch_off()
        except (OSError, BadManifest) as error:
            self._log.warning(f"Can't switch the append-only file: {error}")
            raise ReplyError("ERR Unable to turn on AOF. Check server logs.") from error

    def switch_off(self) -> None:
        """Write what is left, and append no more."""
        if self.rewriting.in_progress:
            self._children.kill()
        self.close()

    def switch_on(self) -> None:
        """Have a child write what there is, as the base of a new log; what is changed meanwhile is
        collected. Raises OSError, BadManifest, and the log is off.
        """
        self.read_manifest()
        self.starting = True
        if self.rewriting.in_progress:
            self._log.notice("An AOF rewrite that has no log to go with it is started anew.")
            self._children.kill()
        if self._children.current is not None or not self._engine.context.may_block:
            self._log.notice("AOF was enabled; its first rewrite starts when it is possible.")
            self.rewriting.scheduled = True
            return
        try:
            self.rewriting.start()
        except OSError:
            self.close()
            raise

    # --- appending -------------------------------------------------------------------------------

    def take_records(self, records: list[Record]) -> None:
        """The sink: encode a unit's records and see to it that they are written."""
        if self._notes_time:
            self._note_time()
        self._encoder.add(records)
        if not self._flush_due:
            self._flush_due = True
            if self._engine.call_soon is None:
                self.flush()
            else:
                self._engine.call_soon(self.flush)

    def _note_time(self) -> None:
        second = self._engine.clock.now_ms // 1000
        if second != self._second:
            self._second = second
            self._encoder.note(b"#TS:%d\r\n" % second)

    def _holding(self) -> bool:
        """Whether replies have to wait, because the log is behind."""
        return self._flush_due

    def flush(self) -> None:
        """Write what this turn of the loop has encoded, and let the replies go."""
        if not self._flush_due or self._lost:
            return
        if self.writer.is_open and not self._write():
            self._lost = True
            self.on_lost()
            return
        self._flush_due = False
        self._engine.release_held()

    def _write(self) -> bool:
        """Write everything, and with appendfsync always bring it to disk; False if the log is lost.

        Under other policies a failure is told to clients that want to write, and tried again.
        """
        try:
            self.writer.write(self._encoder.take())
        except OSError as error:
            return self._write_failed("write", error)
        if self._policy == "always" and not self._sync_unwanted():
            try:
                self.writer.sync()
            except OSError as error:
                return self._write_failed("fsync", error)
            self._synced_ms = self._engine.clock.now_ms
        if not self.last_write_ok:
            self._log.warning("AOF write error looks solved. The server can write again.")
            self.last_write_ok = True
            self._tell_trouble()
        return True

    def _write_failed(self, what: str, error: OSError) -> bool:
        """Note the failure; whether the server can go on nevertheless."""
        if self._policy == "always":
            self._log.warning(
                f"Can't recover from AOF {what} error when the AOF fsync policy is 'always': "
                f"{error.strerror}. Exiting..."
            )
            return False
        if self.last_write_ok:
            self._log.warning(f"Error writing to the AOF file: {error.strerror}")
        self.last_write_ok = False
        self._tell_trouble(error)
        return True

    def write_out(self) -> None:
        """Have everything in the file that was encoded so far. Raises OSError if that cannot be.

        To be called between units: replies that are held back stay so until the next `flush`.
        """
        self.writer.write(self._encoder.take())
        if self._policy != "no":
            self.writer.sync()

    @property
    def on_disk(self) -> bool:
        """Whether the records of all units so far are on disk, or will be before a reply leaves."""
        if self._policy == "always":
            return self.enabled
        return self.enabled and not self._flush_due and self.writer.synced

    def bring_to_disk(self) -> bool:
        """Have the records of all units so far on disk now; False if that cannot be.

        Under appendfsync no nothing is done for it, as in Redis.
        """
        if self._policy == "everysec" and self.enabled and not self.on_disk:
            self.flush()
            try:
                self.writer.settle()
            except OSError as error:
                self._write_failed("fsync", error)
        return self.on_disk

    def discard(self) -> None:
        """Forget what was encoded and not written yet."""
        self._encoder.take()
        self.writer.discard()

    def begin_increment(self, descriptor: int) -> None:
        """Append to this file from now on."""
        self.writer.switch(descriptor)
        self._encoder.database = -1

    def _raise_lost(self) -> None:
        raise LogLost

    def _tell_trouble(self, error: OSError | None = None) -> None:
        """Have writes refused while there is trouble."""
        error = error or self.writer.sync_error
        if self.last_write_ok and error is None:
            self._disk.report("log", None)
        elif error is not None:
            text = f"MISCONF Errors writing to the AOF file: {error.strerror}"
            self._disk.report("log", text)

    def _take_options(self, config: Config) -> None:
        """CONFIG SET appendfsync, aof-timestamp-enabled."""
        self._notes_time = config.get("aof-timestamp-enabled")
        before, self._policy = self._policy, config.get("appendfsync")
        if self._policy == "always" and before != "always" and self.writer.is_open:
            self.flush_due()

    def flush_due(self) -> None:
        """Have a flush done in this turn, also when there is nothing to write: to sync."""
        if not self._flush_due:
            self._flush_due = True
            if self._engine.call_soon is None:
                self.flush()
            else:
                self._engine.call_soon(self.flush)

    # --- by and by -------------------------------------------------------------------------------

    def tick(self) -> None:
        """Sync every second, write again after an error. To be called ten times a second or so."""
        if not self.writer.is_open or self._lost:
            return
        if not self.last_write_ok:
            self.flush_due()
        self._note_sync()
        now_ms = self._engine.clock.now_ms
        if self._policy != "everysec" or self._sync_unwanted():
            return
        if now_ms - self._synced_ms >= SYNC_PERIOD_MS:
            self.writer.sync_in_background()
            self._synced_ms = now_ms

    def _note_sync(self) -> None:
        """See whether the last sync in the background went well."""
        failed_before = self.writer.sync_error is not None
        self.writer.note_sync()
        error = self.writer.sync_error
        if error is not None and not failed_before:
            self._log.warning(f"Fail to fsync the AOF file: {error.strerror}")
        if (error is not None) != failed_before:
            self._tell_trouble()

    def _sync_unwanted(self) -> bool:
        """no-appendfsync-on-rewrite: a child writes, and the disk is not to be troubled further."""
        return self._children.current is not None and bool(
            self._config.get("no-appendfsync-on-rewrite")
        )

    # --- INFO ------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """The fields of INFO's section Persistence that tell of the log."""
        return {
            "aof_enabled": int(self.enabled),
            **self.rewriting.info(),
            "aof_last_write_status": (
                "ok" if self.last_write_ok and self.writer.sync_error is None else "err"
            ),
            "aof_last_cow_size": self.rewriting.last_copied_bytes,
        }

    def progress(self) -> dict[str, object]:
        """More such fields, while the log is on."""
        if not self.enabled:
            return {}
        return {
            "aof_current_size": self.size,
            "aof_base_size": self.rewriting.base_size,
            "aof_pending_rewrite": 0,
            "aof_buffer_length": self._encoder.size + self.writer.pending,
            "aof_pending_bio_fsync": int(self.writer.syncing),
            "aof_delayed_fsync": self.writer.delayed,
        }
