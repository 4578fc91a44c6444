"""Snapshots: the whole data set in one RDB file, written at once (SAVE), by a child (BGSAVE), or when enough has changed.

A snapshot is written beside the last one and takes its place only when it is complete and on disk, so a failed one leaves the
last good one. After a failure writes are refused (stop-writes-on-bgsave-error) until one succeeds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from balas import REDIS_VERSION
from balas.engine.dispatch import Engine
from balas.services.children import Child, Children, Tell
from balas.services.config.store import Config
from balas.services.disk import DiskTrouble
from balas.services.log import Log
from balas.services.rdb.dataset import DatasetWriter
from balas.services.rdb.writer import RdbWriter

CRON_MS = 100
# After a failure the save points wait this long before they try again.
RETRY_MS = 5000
SYNC_BYTES = 4 << 20

MISCONF = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may "
    "modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting "
    "fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
)

# Writes something to the file beside the keys; called before (False) and after (True) them.
Extra = Callable[[RdbWriter, bool], None]


class Snapshots:
    """Writes snapshots and knows how the last ones went.

    Attributes:
        last_save_ms: when the last one succeeded (or the server started), Unix ms.
        last_ok: whether the last one succeeded.
        last_seconds: how long the last child took; -1 before the first.
        saves: how many succeeded.
        scheduled: one is to be made as soon as there is no other child.
        extras: write what is to be kept beside the keys (modules, functions).
    """

    def __init__(self, engine: Engine, config: Config, log: Log, children: Children, disk: DiskTrouble) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._children = children
        self._disk = disk
        self.extras: list[Extra] = []
        self.last_save_ms = engine.clock.now_ms
        self.last_try_ms = 0
        self.last_ok = True
        self.last_seconds = -1
        self.last_copied_bytes = 0
        self.saves = 0
        self.scheduled = False
        self._dirty_at_fork = 0
        engine.timers.every(CRON_MS, self._cron)
        config.on_change(["stop-writes-on-bgsave-error", "save"], lambda _: self._tell_trouble())

    @property
    def path(self) -> str:
        """Where the snapshot is."""
        return self._config.path("dbfilename")

    @property
    def in_progress(self) -> bool:
        """Whether a child is writing one."""
        return self._children.current is not None and self._children.current.purpose == "rdb"

    # --- writing -----------------------------------------------------------------------------------------------

    def write(self, descriptor: int, tell: Tell | None = None, *, aof_base: bool = False) -> int:
        """Write the data set to a file; returns the number of keys. Raises OSError."""
        out = RdbWriter(
            descriptor,
            compress=self._config.get("rdbcompression"),
            checksum=self._config.get("rdbchecksum"),
            sync_bytes=SYNC_BYTES if self._config.get("rdb-save-incremental-fsync") else 0,
        )
        engine = self._engine
        policy = self._config.text("maxmemory-policy")
        keys = DatasetWriter(
            out,
            engine.access,
            policy.endswith(("-lru", "-lfu")),
            None if tell is None else lambda count: tell("keys", count),
        )
        out.write_header()
        for name, value in self._remarks(aof_base):
            out.write_aux(name, value)
        for extra in self.extras:
            extra(out, False)
        for db in engine.databases:
            keys.write_database(db)
        for extra in self.extras:
            extra(out, True)
        out.write_end()
        out.flush()
        return keys.keys

    def _remarks(self, aof_base: bool) -> Iterable[tuple[bytes, bytes]]:
        yield b"redis-ver", REDIS_VERSION.encode()
        yield b"redis-bits", b"64"
        yield b"ctime", b"%d" % (self._engine.clock.now_us() // 1_000_000)
        yield b"used-mem", b"%d" % self._engine.account.total
        yield b"aof-base", b"%d" % aof_base

    def write_file(self, path: str, tell: Tell | None = None, *, aof_base: bool = False) -> None:
        """Write the data set to `path`, through a file beside it that takes its place when it is whole. Raises OSError."""
        folder = os.path.dirname(path)
        temporary = os.path.join(folder, f"temp-{os.getpid()}.rdb")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                self.write(descriptor, tell, aof_base=aof_base)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, path)
            sync_folder(folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    # --- by and by ---------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a snapshot now; everybody waits. Raises OSError."""
        try:
            self.write_file(self.path)
        except OSError as error:
            self._log.warning(f"Failed saving the DB: {error.strerror}")
            self._failed()
            raise
        self._log.notice("DB saved on disk")
        self._engine.changes.dirty = 0
        self._succeeded()

    def start(self) -> None:
        """Have a child write one. Raises OSError if there can be no child."""
        self.last_try_ms = self._engine.clock.now_ms
        self.scheduled = False
        self._dirty_at_fork = self._engine.changes.dirty
        path = self.path
        try:
            child = self._children.start("rdb", lambda tell: self.write_file(path, tell), self._done)
        except OSError as error:
            self._log.warning(f"Can't save in background: fork: {error.strerror}")
            self._failed()
            raise
        self._log.notice(f"Background saving started by pid {child.pid}")

    def stop(self) -> None:
        """End the child that writes one, if there is one."""
        if self.in_progress:
            self._children.kill()

    def _done(self, child: Child) -> None:
        self.last_seconds = (self._engine.clock.now_ms - child.started_ms) // 1000
        self.last_copied_bytes = child.copied_bytes
        if child.error == "killed":
            self._remove_leftover(child.pid)
            self._log.notice("Background saving was stopped")
            return
        if child.error:
            self._remove_leftover(child.pid)
            self._log.warning(f"Background saving error: {child.error}")
            self._failed()
            return
        self._log.notice(f"Fork CoW for RDB: {child.copied_bytes >> 20} MB")
        self._log.notice("Background saving terminated with success")
        self._engine.changes.dirty -= self._dirty_at_fork
        self._succeeded()

    def _remove_leftover(self, pid: int) -> None:
        """Remove what a child that was killed could not."""
        with suppress(OSError):
            os.unlink(os.path.join(os.path.dirname(self.path), f"temp-{pid}.rdb"))

    def _succeeded(self) -> None:
        self.last_ok = True
        self.saves += 1
        self.last_save_ms = self._engine.clock.now_ms
        self._tell_trouble()

    def _failed(self) -> None:
        self.last_ok = False
        self._tell_trouble()

    def _cron(self) -> None:
        """Make a snapshot if one is scheduled or a save point is reached."""
        if self._children.current is not None:
            return
        now_ms = self._engine.clock.now_ms
        with suppress(OSError):  # logged, counted and told by _failed
            if self.scheduled:
                self.start()
                return
            if not self.last_ok and now_ms - self.last_try_ms < RETRY_MS:
                return
            for seconds, changes in self._config.get("save"):
                if self._engine.changes.dirty >= changes and now_ms - self.last_save_ms > seconds * 1000:
                    self._log.notice(f"{changes} changes in {seconds} seconds. Saving...")
                    self.start()
                    return

    def _tell_trouble(self) -> None:
        """Have writes refused after a failure, if the configuration says so."""
        refuse = not self.last_ok and self._config.get("stop-writes-on-bgsave-error") and self._config.get("save")
        self._disk.report("snapshot", MISCONF if refuse else None)

    # --- INFO --------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """The fields of INFO's section Persistence that tell of snapshots."""
        child = self._children.current
        writing = child if child is not None and child.purpose == "rdb" else None
        now_ms = self._engine.clock.now_ms
        return {
            "current_cow_peak": self._children.copied_peak_bytes if child else 0,
            "current_cow_size": child.copied_bytes if child else 0,
            "current_cow_size_age": 0,
            "current_fork_perc": f"{100 * child.keys / max(child.keys_total, 1) if child else 0:.2f}",
            "current_save_keys_processed": child.keys if child else 0,
            "current_save_keys_total": child.keys_total if child else 0,
            "rdb_changes_since_last_save": self._engine.changes.dirty,
            "rdb_bgsave_in_progress": int(writing is not None),
            "rdb_last_save_time": self.last_save_ms // 1000,
            "rdb_last_bgsave_status": "ok" if self.last_ok else "err",
            "rdb_last_bgsave_time_sec": self.last_seconds,
            "rdb_current_bgsave_time_sec": (now_ms - writing.started_ms) // 1000 if writing else -1,
            "rdb_saves": self.saves,
            "rdb_last_cow_size": self.last_copied_bytes,
        }


def sync_folder(folder: str) -> None:
    """Bring a rename to disk: the folder's own content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
