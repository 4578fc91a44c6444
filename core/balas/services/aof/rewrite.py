"""Makes the log short again: a child writes what there is as a new base.

At the moment of the fork the log switches to a new increment. Only when the base is complete does
the manifest name it, and drop what it replaces, so that a crash at any moment leaves a log that
says everything. Each step is on disk before the next:

1. the old increment is written and synced, the new one made;
2. the manifest names both: from here on records go to the new one; the child begins;
3. the new base is in its place;
4. the manifest names it, with the new increment; what it replaces is history;
5. history is removed.

A log that is being switched on has no base that the new increment could follow, so the manifest
names nothing of it before step 4, and the increment has a name for the time being.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from balas.engine.dispatch import Engine
from balas.services.aof.encode import RecordEncoder
from balas.services.aof.manifest import BadManifest, Manifest
from balas.services.children import KILLED, Child, Children, Reporter, WorkFailed
from balas.services.config.store import Config
from balas.services.disk import remove_quietly, sync_folder
from balas.services.log import Log
from balas.services.snapshots import SYNC_BYTES, Progress, Snapshots, temporary_path
from balas.types.value import Value

if TYPE_CHECKING:
    from balas.services.aof.append import AppendOnlyFile

# After so many failures in a row, automatic rewrites wait a minute, then two, then four, and so on
# up to an hour, as in Redis.
FAILURES_FREE = 3
WAIT_MS = 60_000
WAIT_MS_MAX = 3_600_000
# Commands of a base are written in pieces of this size.
PIECE_BYTES = 1 << 20


class Rewriting:
    """The rewriting of one server's log.

    Attributes:
        scheduled: one is to be started as soon as there is no other child.
        base_size: bytes of the log after the last one.
        size_before: bytes of the log's files before the one that is appended to.
        last_ok, failures, rewrites: how the last one went, how many failed in a row, and how many
        were started.
        last_seconds, last_copied_bytes: of the last child.
        extras: give commands for what is kept beside the keys (functions).
    """

    def __init__(
        self,
        aof: AppendOnlyFile,
        engine: Engine,
        config: Config,
        log: Log,
        children: Children,
        snapshots: Snapshots,
    ) -> None:
        self._aof = aof
        self._engine = engine
        self._config = config
        self._log = log
        self._children = children
        self._snapshots = snapshots
        self._next_try_ms = 0
        self.extras: list[Callable[[], Iterable[Sequence[bytes]]]] = []
        self.scheduled = False
        self.base_size = 0
        self.size_before = 0
        self.last_ok = True
        self.failures = 0
        self.rewrites = 0
        self.last_seconds = -1
        self.last_copied_bytes = 0

    @property
    def in_progress(self) -> bool:
        """Whether a child is writing a new base."""
        child = self._children.current
        return child is not None and child.purpose == "aof"

    @property
    def extension(self) -> str:
        """What the name of a base ends with: rdb for a snapshot, aof for commands."""
        return "rdb" if self._config.get("aof-use-rdb-preamble") else "aof"

    # --- when ------------------------------------------------------------------------------------

    def start_scheduled(self) -> bool:
        """Start the one that is scheduled, if so; whether it was. Raises OSError."""
        if not self.scheduled or self._limited():
            return False
        self.start()
        return True

    def start_if_grown(self) -> bool:
        """Start one if the log has grown by so much; whether it has. Raises OSError."""
        percentage = self._config.get("auto-aof-rewrite-percentage")
        size = self._aof.size
        if self._aof.manifest is None or not percentage or self._limited():
            return False
        if size <= self._config.get("auto-aof-rewrite-min-size"):
            return False
        growth = size * 100 // max(self.base_size, 1) - 100
        if growth < percentage:
            return False
        self._log.notice(f"Starting automatic rewriting of AOF on {growth}% growth")
        self.start()
        return True

    def schedule(self) -> None:
        """Start one as soon as possible, however many have failed."""
        self.scheduled = True
        self.failures = 0

    def _limited(self) -> bool:
        return self.failures >= FAILURES_FREE and self._engine.clock.now_ms < self._next_try_ms

    # --- start -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Switch to a new increment and have a child write a new base. Raises OSError, which has
        been logged.
        """
        # Changes whose records are not in the log yet would be in the base and in the increment.
        self._engine.finish_unit()
        self.scheduled = False
        try:
            folder = self._make_folder()
            covered = self._begin_increment()
            self.rewrites += 1
            child = self._children.start(
                "aof", partial(self._work, folder), partial(self._done, folder, covered)
            )
        except (OSError, BadManifest) as error:
            self._log.warning(f"Can't rewrite append only file in background: {error}")
            self._failed()
            if isinstance(error, OSError):
                raise
            raise OSError(str(error)) from error
        self._log.notice(f"Background append only file rewriting started by pid {child.pid}")

    def _make_folder(self) -> Path:
        folder = self._aof.folder
        folder.mkdir(mode=0o755, exist_ok=True)
        return folder

    def _begin_increment(self) -> int:
        """Have records go to a new increment; returns how many others the base will cover."""
        aof = self._aof
        if aof.manifest is not None:
            return self._begin_listed_increment(aof.manifest)
        if aof.starting:
            path = Manifest(aof.folder, self._config.get("appendfilename")).temporary_increment
            self._log.notice(f"Creating AOF incr file {path.name} on background rewrite")
            aof.discard()  # of an attempt that failed: the new base has it all
            aof.begin_increment(aof.writer.prepare(path, fresh=True))
            aof.attach()
        return 0

    def _begin_listed_increment(self, old: Manifest) -> int:
        aof = self._aof
        aof.write_out()
        manifest = old.copy()
        increment = manifest.new_increment()
        self._log.notice(f"Creating AOF incr file {increment.name} on background rewrite")
        descriptor = aof.writer.prepare(manifest.path_of(increment), fresh=True)
        try:
            manifest.persist()
        except OSError:
            os.close(descriptor)
            old.give_up(manifest)
            raise
        self.size_before += aof.writer.size
        aof.begin_increment(descriptor)
        aof.manifest = manifest
        return len(old.increments)

    # --- the new base ----------------------------------------------------------------------------

    def _work(self, folder: Path, reporter: Reporter) -> None:
        """What the child does."""
        path = temporary_base(folder, os.getpid())
        try:
            self._write(str(path), reporter.keys)
        except WorkFailed as error:
            self._log.warning(str(error))
            raise
        self._log.notice(f"Successfully created the temporary AOF base file {path.name}")

    def _write(self, path: str, progress: Progress | None) -> None:
        """Write a base, as a snapshot or as commands. Raises WorkFailed."""
        if self.extension == "rdb":
            self._snapshots.write_file(
                path, progress, aof_base=True, incremental="aof-rewrite-incremental-fsync"
            )
            return
        try:
            self._write_commands(path, progress)
        except OSError as error:
            remove_quietly(path)
            raise WorkFailed(f"Failed writing {path}: {error.strerror}") from error
        except BaseException:
            remove_quietly(path)
            raise

    def _write_commands(self, path: str, progress: Progress | None) -> None:
        encoder = RecordEncoder()
        incremental = self._config.get("aof-rewrite-incremental-fsync")
        keys = unsynced = 0
        with open(path, "wb", buffering=0) as file:
            if self._config.get("aof-timestamp-enabled"):
                encoder.note(b"#TS:%d\r\n" % (self._engine.clock.now_ms // 1000))
            for extra in self.extras:
                for command in extra():
                    encoder.add([(0, tuple(command))])
            for db in self._engine.databases:
                for key in db.all_keys():
                    for command in rebuild(db.get(key), key, db.expire_at(key)):
                        encoder.add([(db.index, tuple(command))])
                    keys += 1
                    if encoder.size < PIECE_BYTES:
                        continue
                    unsynced += write_fully(file.fileno(), encoder.take())
                    if incremental and unsynced >= SYNC_BYTES:
                        os.fdatasync(file.fileno())
                        unsynced = 0
                    if progress is not None:
                        progress(keys)
            write_fully(file.fileno(), encoder.take())
            os.fsync(file.fileno())

    def write_first_base(self, manifest: Manifest) -> None:
        """Write a new log's base, now. Raises WorkFailed."""
        base = manifest.new_base(self.extension)
        self._log.notice(f"Creating AOF base file {base.name} on server start")
        temporary = temporary_base(manifest.folder, os.getpid())
        self._write(str(temporary), None)
        temporary.rename(manifest.path_of(base))
        sync_folder(str(manifest.folder))

    # --- the end of the child --------------------------------------------------------------------

    def _done(self, folder: Path, covered: int, child: Child) -> None:
        temporary = temporary_base(folder, child.pid)
        self.last_seconds = (self._engine.clock.now_ms - child.started_ms) // 1000
        self.last_copied_bytes = child.copied_peak_bytes
        if child.error:
            self._clean_up_after(folder, child)
            return
        self._log.notice("Background AOF rewrite terminated with success")
        try:
            self._adopt(temporary, covered)
        except (OSError, BadManifest) as error:
            remove_quietly(temporary)
            self._log.warning(f"Can't take over the rewritten append only file: {error}")
            self._failed()
            return
        self.failures = 0
        self.last_ok = True
        self._log.notice("Background AOF rewrite finished successfully")

    def _clean_up_after(self, folder: Path, child: Child) -> None:
        """Remove what a child that was killed could not, and see to a new attempt."""
        remove_quietly(temporary_base(folder, child.pid))
        remove_quietly(temporary_path(str(folder), child.pid))
        if child.error == KILLED:
            self._log.notice("Background AOF rewrite was stopped")
            self.scheduled = self.scheduled or self._aof.starting
        else:
            self._log.warning(f"Background AOF rewrite error: {child.error}")
            self._failed()

    def _adopt(self, temporary: Path, covered: int) -> None:
        """Put the child's base in force instead of the base and the increments that it covers."""
        aof = self._aof
        old = aof.manifest or aof.read_manifest()
        manifest = old.copy()
        base = manifest.new_base(self.extension)
        manifest.retire_increments(covered if aof.manifest else len(manifest.increments))
        try:
            temporary.rename(manifest.path_of(base))
            self._log.notice(
                f"Successfully renamed the temporary AOF base file {temporary.name} "
                f"into {base.name}"
            )
            if aof.starting:
                increment = manifest.new_increment()
                manifest.temporary_increment.rename(manifest.path_of(increment))
            manifest.persist()
        except OSError:
            old.give_up(manifest)
            raise
        if aof.starting or aof.manifest is not None:
            aof.manifest = manifest
            aof.starting = False
            self.count_sizes(manifest)
            self.base_size = aof.size
        self.remove_history(manifest)

    def _failed(self) -> None:
        self.last_ok = False
        self.failures += 1
        if self.failures >= FAILURES_FREE:
            wait_ms = min(WAIT_MS << min(self.failures - FAILURES_FREE, 10), WAIT_MS_MAX)
            self._next_try_ms = self._engine.clock.now_ms + wait_ms
        if self._aof.starting:
            self.scheduled = True

    def count_sizes(self, manifest: Manifest) -> None:
        """Take the sizes of the files in force."""
        base = manifest.path_of(manifest.base).stat().st_size if manifest.base else 0
        others = sum(manifest.path_of(file).stat().st_size for file in manifest.increments[:-1])
        self.base_size = base
        self.size_before = base + others

    # --- history ---------------------------------------------------------------------------------

    def remove_history(self, manifest: Manifest) -> None:
        """Remove the files that nobody needs any more. Their names go now, their bytes, which may
        take the system a while, later.
        """
        if not manifest.history or self._config.get("aof-disable-auto-gc"):
            return
        for path in manifest.take_history():
            self._log.notice(f"Removing the history file {path.name} in the background")
            try:
                descriptor = os.open(path, os.O_RDONLY)
                os.unlink(path)
            except OSError as error:
                self._log.warning(f"Can't remove the history file {path}: {error.strerror}")
            else:
                self._aof.thread.do(partial(os.close, descriptor))
        try:
            manifest.persist()
        except OSError as error:
            # The one in force names history that is gone, which does no harm.
            self._log.warning(f"Can't bring {manifest.path} up to date: {error.strerror}")

    # --- INFO ------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """The fields of INFO's section Persistence that tell of rewriting."""
        child = self._children.current
        running = child is not None and self.in_progress
        running_ms = self._engine.clock.now_ms - child.started_ms if child and running else -1
        return {
            "aof_rewrite_in_progress": int(running),
            "aof_rewrite_scheduled": int(self.scheduled),
            "aof_last_rewrite_time_sec": self.last_seconds,
            "aof_current_rewrite_time_sec": running_ms // 1000,
            "aof_last_bgrewrite_status": "ok" if self.last_ok else "err",
            "aof_rewrites": self.rewrites,
            "aof_rewrites_consecutive_failures": self.failures,
        }


def temporary_base(folder: Path, pid: int) -> Path:
    """Where a process writes a base until it is complete."""
    return folder / f"temp-rewriteaof-bg-{pid}.aof"


def rebuild(value: object, key: bytes, expire_at: int) -> list[Sequence[bytes]]:
    """The commands that make `key` what it is."""
    if isinstance(value, (bytes, bytearray)):
        commands: list[Sequence[bytes]] = [(b"SET", key, bytes(value))]
    else:
        assert isinstance(value, Value)
        commands = list(value.aof_rewrite(key))
    if expire_at >= 0:
        commands.append((b"PEXPIREAT", key, b"%d" % expire_at))
    return commands


def write_fully(descriptor: int, data: bytes) -> int:
    """Write all of `data`; returns its size. Raises OSError."""
    view = memoryview(data)
    written = 0
    while written < len(view):
        written += os.write(descriptor, view[written:])
    return written
