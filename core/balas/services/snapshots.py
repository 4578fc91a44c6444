"""Snapshots: the whole data set in one RDB file, written at once (SAVE), by a child (BGSAVE), or
when enough has changed.

A snapshot is written beside the last one and takes its place only when it is complete and on disk,
so a failed one leaves the last good one. After a child has failed, writes are refused
(stop-writes-on-bgsave-error) until a snapshot succeeds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Set
from functools import partial

from balas import REDIS_VERSION
from balas.engine.dispatch import Engine
from balas.services.children import KILLED, Child, Children, Reporter, WorkFailed
from balas.services.config.store import Config
from balas.services.disk import DiskTrouble, remove_quietly, sync_folder
from balas.services.log import Log
from balas.services.rdb.dataset import DatasetWriter
from balas.services.rdb.writer import RdbWriter

# After a failure the save points wait this long before they try again.
RETRY_MS = 5000
# With incremental syncing, a file is forced to disk whenever this much of it was written.
SYNC_BYTES = 4 << 20

# Parts of a server's content, by the names that REPLCONF rdb-filter-only gives them.
DATA = b"data"
FUNCTIONS = b"functions"
EVERYTHING = frozenset((DATA, FUNCTIONS))

MISCONF = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is configured "
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option)."
    " Please check the Redis logs for details about the RDB error."
)

# Writes something to the file beside the keys; called before (False) and after (True) them.
Extra = Callable[[RdbWriter, bool], None]
# Told from time to time how many keys are written.
Progress = Callable[[int], None]


class Snapshots:
    """Writes snapshots and knows how the last ones went.

    Attributes:
        last_save_ms: when the last one succeeded (or the server started), Unix ms.
        last_ok: whether the last child succeeded, or a later SAVE did.
        last_seconds: how long the last child took; -1 before the first.
        started: how many were begun.
        scheduled: one is to be made as soon as there is no other child.
        libraries, extras: write the functions, and what else is to be kept beside the keys.
        remarks: tell names and values that stand at the beginning of a snapshot of one's own.
    """

    def __init__(
        self, engine: Engine, config: Config, log: Log, children: Children, disk: DiskTrouble
    ) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._children = children
        self._disk = disk
        self.libraries: list[Extra] = []
        self.extras: list[Extra] = []
        self.remarks: list[Callable[[], Iterable[tuple[bytes, bytes]]]] = []
        self.last_save_ms = engine.clock.now_ms
        self.last_try_ms = 0
        self.last_ok = True
        self.last_seconds = -1
        self.last_copied_bytes = 0
        self.started = 0
        self.scheduled = False
        self._dirty_at_fork = 0
        config.on_change(
            ["stop-writes-on-bgsave-error", "save"], lambda config: self._tell_trouble()
        )

    @property
    def path(self) -> str:
        """Where the snapshot is."""
        return os.path.join(str(self._config.get("dir")), self._config.get("dbfilename"))

    @property
    def in_progress(self) -> bool:
        """Whether a child is writing one."""
        child = self._children.current
        return child is not None and child.purpose == "rdb"

    # --- writing ---------------------------------------------------------------------------------

    def write(
        self,
        descriptor: int,
        progress: Progress | None = None,
        *,
        aof_base: bool = False,
        sync_bytes: int = 0,
        parts: Set[bytes] = EVERYTHING,
    ) -> int:
        """Write these parts of the server's content to a file; returns the number of keys. Raises
        OSError, and what the value of a module raises.
        """
        config = self._config
        out = RdbWriter(
            descriptor,
            compress=config.get("rdbcompression"),
            checksum=config.get("rdbchecksum"),
            sync_bytes=sync_bytes,
        )
        keys = DatasetWriter(
            out,
            self._engine.access,
            config.text("maxmemory-policy").endswith(("-lru", "-lfu")),
            progress,
            config.get("rdb-key-save-delay"),
        )
        out.write_header()
        for name, value in self._remarks(aof_base):
            out.write_aux(name, value)
        extras = [
            *(self.libraries if FUNCTIONS in parts else ()),
            *(self.extras if DATA in parts else ()),
        ]
        for extra in extras:
            extra(out, False)
        if DATA in parts:
            for db in self._engine.databases:
                keys.write_database(db)
        for extra in extras:
            extra(out, True)
        out.write_end()
        return keys.keys

    def _remarks(self, aof_base: bool) -> Iterable[tuple[bytes, bytes]]:
        yield b"redis-ver", REDIS_VERSION.encode()
        yield b"redis-bits", b"64"
        yield b"ctime", b"%d" % (self._engine.clock.now_us() // 1_000_000)
        yield b"used-mem", b"%d" % self._engine.account.total
        if not aof_base:
            for remarks in self.remarks:
                yield from remarks()
        yield b"aof-base", b"%d" % aof_base

    def write_file(
        self,
        path: str,
        progress: Progress | None = None,
        *,
        aof_base: bool = False,
        incremental: str = "rdb-save-incremental-fsync",
        parts: Set[bytes] = EVERYTHING,
        confirm: Callable[[], None] = lambda: None,
    ) -> None:
        """Write the data set to `path`, through a file beside it that takes its place when it is
        whole and on disk. `incremental` names the option that says whether to sync on the way;
        `confirm` is called last, and raises WorkFailed if the file is not wanted any more.

        Raises WorkFailed.
        """
        folder = os.path.dirname(path)
        temporary = temporary_path(folder, os.getpid())
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                sync_bytes = SYNC_BYTES if self._config.get(incremental) else 0
                self.write(
                    descriptor, progress, aof_base=aof_base, sync_bytes=sync_bytes, parts=parts
                )
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            confirm()
            os.rename(temporary, path)
            sync_folder(folder)
        except OSError as error:
            remove_quietly(temporary)
            raise WorkFailed(f"Failed writing {path}: {error.strerror}") from error
        except BaseException:
            remove_quietly(temporary)
            raise

    # --- at once, and by a child -----------------------------------------------------------------

    def save(self) -> None:
        """Write a snapshot now; everybody waits. Raises WorkFailed, which has been logged."""
        self.started += 1
        try:
            self.write_file(self.path)
        except WorkFailed as error:
            self._log.warning(str(error))
            raise
        except Exception as error:
            self._log.exception(f"Failed writing {self.path}", error)
            raise WorkFailed(str(error)) from error
        self._log.notice("DB saved on disk")
        self._engine.changes.dirty = 0
        self._succeeded()

    def start(self) -> None:
        """Have a child write one. Raises OSError, which has been logged, if there can be none."""
        self.started += 1
        self.last_try_ms = self._engine.clock.now_ms
        self.scheduled = False
        self._dirty_at_fork = self._engine.changes.dirty
        path = self.path
        try:
            child = self._children.start(
                "rdb", partial(self._work, path), partial(self._done, path)
            )
        except OSError as error:
            self._log.warning(f"Can't save in background: fork: {error.strerror}")
            self._failed()
            raise
        self._log.notice(f"Background saving started by pid {child.pid}")

    def _work(self, path: str, reporter: Reporter) -> None:
        """What the child does."""
        try:
            self.write_file(path, reporter.keys, confirm=reporter.confirm)
        except WorkFailed as error:
            self._log.warning(str(error))
            raise
        self._log.notice("DB saved on disk")

    def stop(self) -> None:
        """End the child that writes one, if there is one."""
        if self.in_progress:
            self._children.kill()

    def _done(self, path: str, child: Child) -> None:
        self.last_seconds = (self._engine.clock.now_ms - child.started_ms) // 1000
        self.last_copied_bytes = child.copied_peak_bytes
        if not child.error:
            self._log.notice("Background saving terminated with success")
            self._engine.changes.dirty -= self._dirty_at_fork
            self._succeeded()
            return
        # A child that was killed could not do this itself.
        remove_quietly(temporary_path(os.path.dirname(path), child.pid))
        if child.error == KILLED:
            self._log.notice("Background saving was stopped")
        else:
            self._log.warning(f"Background saving error: {child.error}")
            self._failed()

    def _succeeded(self) -> None:
        self.last_ok = True
        self.last_save_ms = self._engine.clock.now_ms
        self._tell_trouble()

    def _failed(self) -> None:
        self.last_ok = False
        self._tell_trouble()

    # --- when it is time -------------------------------------------------------------------------

    def start_at_save_point(self) -> bool:
        """Have a child write one if a save point is reached; whether it was. Raises OSError."""
        if not self._may_try():
            return False
        dirty = self._engine.changes.dirty
        unsaved_ms = self._engine.clock.now_ms - self.last_save_ms
        for seconds, changes in self._config.get("save"):
            if dirty >= changes and unsaved_ms > seconds * 1000:
                self._log.notice(f"{changes} changes in {seconds} seconds. Saving...")
                self.start()
                return True
        return False

    def start_scheduled(self) -> bool:
        """Have a child write the one that is scheduled, if so; whether it was. Raises OSError."""
        if not self.scheduled or not self._may_try():
            return False
        self.start()
        return True

    def _may_try(self) -> bool:
        return self.last_ok or self._engine.clock.now_ms - self.last_try_ms > RETRY_MS

    def _tell_trouble(self) -> None:
        """Have writes refused after a failure, if the configuration says so."""
        config = self._config
        wanted = config.get("stop-writes-on-bgsave-error") and config.get("save")
        self._disk.report("snapshot", MISCONF if wanted and not self.last_ok else None)

    # --- INFO ------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """The fields of INFO's section Persistence that tell of snapshots and of the child."""
        child = self._children.current
        now_ms = self._engine.clock.now_ms
        fields: dict[str, object] = dict.fromkeys(
            ("current_cow_peak", "current_cow_size", "current_cow_size_age"), 0
        )
        if child is not None:
            age_ms = now_ms - child.copied_at_ms if child.copied_at_ms else 0
            fields["current_cow_peak"] = child.copied_peak_bytes
            fields["current_cow_size"] = child.copied_bytes
            fields["current_cow_size_age"] = age_ms // 1000
        keys, total = (child.keys, child.keys_total) if child is not None else (0, 0)
        writing_ms = now_ms - child.started_ms if child is not None and self.in_progress else -1
        return {
            **fields,
            "current_fork_perc": f"{100 * keys / max(total, 1):.2f}",
            "current_save_keys_processed": keys,
            "current_save_keys_total": total,
            "rdb_changes_since_last_save": self._engine.changes.dirty,
            "rdb_bgsave_in_progress": int(self.in_progress),
            "rdb_last_save_time": self.last_save_ms // 1000,
            "rdb_last_bgsave_status": "ok" if self.last_ok else "err",
            "rdb_last_bgsave_time_sec": self.last_seconds,
            "rdb_current_bgsave_time_sec": writing_ms // 1000,
            "rdb_saves": self.started,
            "rdb_last_cow_size": self.last_copied_bytes,
        }


def temporary_path(folder: str, pid: int) -> str:
    """Where a process writes a snapshot until it is complete."""
    return os.path.join(folder, f"temp-{pid}.rdb")
