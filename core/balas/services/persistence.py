"""Snapshots and log together: when which is written, what is said of them at start and in INFO."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from balas.engine.dispatch import Engine
from balas.errors import ReplyError
from balas.services.aof.append import AppendOnlyFile
from balas.services.children import Children
from balas.services.config.store import Config
from balas.services.disk import remove_quietly, why_not_writable
from balas.services.loading import Loading
from balas.services.log import Log
from balas.services.snapshots import Snapshots
from balas.services.system import StartRefused

CRON_MS = 100
# Files of a process that is gone are removed when nobody has written to them for so long.
LEFTOVER_AGE_MS = 60_000
LEFTOVER = re.compile(r"temp-(?:rewriteaof-bg-)?([0-9]{1,9})\.(?:rdb|aof|check)")
SYNC_WORDS = {"always": "before each reply", "everysec": "every second", "no": "by the system"}


class Persistence:
    """Drives what persists, and speaks for it."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        log: Log,
        children: Children,
        snapshots: Snapshots,
        aof: AppendOnlyFile,
        loading: Loading,
    ) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._children = children
        self._snapshots = snapshots
        self._aof = aof
        self._loading = loading
        engine.timers.every(CRON_MS, self._cron)
        config.on_change("dir", self._check_new_folder)

    @property
    def wanted(self) -> bool:
        """Whether anything is written without being asked for."""
        return bool(self._config.get("save") or self._config.get("appendonly"))

    # --- the start -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Say what is persisted, and see whether it can be. Raises StartRefused."""
        self._log.notice(self.describe())
        folder = self._config.get("dir")
        reason = why_not_writable(folder) if self.wanted else None
        if reason is not None:
            self._log.warning(
                f"Can't write to {folder} (dir, set by {self._config.where('dir')}), where data "
                f"are to be persisted: {reason}. Exiting."
            )
            raise StartRefused
        if self.wanted:
            self._remove_leftovers(Path(folder))

    def describe(self) -> str:
        """One line: what is persisted, where and how often."""
        parts = []
        if points := self._config.get("save"):
            times = [f"{s} s if {n} change{'s' * (n != 1)}" for s, n in points]
            parts.append(f"snapshots to {self._snapshots.path} after {', '.join(times)}")
        if self._config.get("appendonly"):
            sync = SYNC_WORDS[self._config.get("appendfsync")]
            parts.append(f"append-only file in {self._aof.folder}, forced to disk {sync}")
        return f"Persistence: {'; '.join(parts) or 'off, all data are lost at the end'}"

    def _remove_leftovers(self, folder: Path) -> None:
        """Remove unfinished files of servers that were killed while they wrote them."""
        found = [*folder.iterdir(), *(self._aof.folder.iterdir() if self._has_log_folder() else ())]
        for path in found:
            match = LEFTOVER.fullmatch(path.name)
            with suppress(FileNotFoundError):
                if match and self._is_left(path, int(match[1])):
                    self._log.notice(f"Removing {path}, which a server left unfinished")
                    remove_quietly(path)

    def _is_left(self, path: Path, pid: int) -> bool:
        """Whether nobody writes to a file of this process any more. Raises FileNotFoundError."""
        unused_ms = self._engine.clock.now_ms - path.stat().st_mtime * 1000
        return unused_ms > LEFTOVER_AGE_MS and not is_running(pid)

    def _has_log_folder(self) -> bool:
        return bool(self._config.get("appendonly")) and self._aof.folder.is_dir()

    def _check_new_folder(self, config: Config) -> None:
        """CONFIG SET dir. Raises ReplyError."""
        if self._aof.enabled:
            # Differs from Redis, which would scatter the log over two folders.
            raise ReplyError("ERR the append-only file is in use: switch it off first")
        reason = why_not_writable(config.get("dir")) if self.wanted else None
        if reason is not None:
            raise ReplyError(f"ERR {reason}")

    # --- by and by -------------------------------------------------------------------------------

    def _cron(self) -> None:
        """What is due. One child at a time: who was asked for goes first."""
        self._aof.tick()
        if self._children.current is not None or self._loading.active:
            return
        with suppress(OSError):  # logged, counted and told by who failed
            _ = (
                self._aof.rewriting.start_scheduled()
                or self._snapshots.start_at_save_point()
                or self._aof.rewriting.start_if_grown()
                or self._snapshots.start_scheduled()
            )

    # --- INFO ------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """INFO's section Persistence."""
        return {
            **self._loading.info(),
            **self._snapshots.info(),
            **self._loading.last_info(),
            **self._aof.info(),
            "module_fork_in_progress": 0,
            "module_fork_last_cow_size": 0,
            **self._aof.progress(),
            **self._loading.progress(),
        }


def is_running(pid: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
