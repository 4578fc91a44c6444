"""The file that is appended to: brings encoded records into it, and to disk.

Nothing is known here of records, manifests and replies. Writing is done at once, in the thread of
the caller; forcing to disk (fdatasync) too where the caller wants to wait for it, else in a thread
of its own, one job at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path


class DiskThread:
    """Does slow work on files, one job after the other, while the server goes on."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._last: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is not done yet."""
        return self._last is not None and not self._last.done()

    def do(self, job: Callable[[], None]) -> Future[None]:
        """Have a job done after those before it; what it raises is in the future."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "balas-disk")
        self._last = self._executor.submit(job)
        return self._last

    def close(self) -> None:
        """Wait for all jobs, and end the thread; the next job starts another."""
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None


class LogWriter:
    """Appends to one file at a time.

    Attributes:
        size: bytes of the file.
        delayed: how often a sync was due while the one before was still under way.
        sync_error: why the last sync in the background failed; None if it did not.
    """

    def __init__(self, thread: DiskThread) -> None:
        self._thread = thread
        self._descriptor = -1
        self._unwritten = b""
        self._unsynced = False
        self._sync: Future[None] | None = None
        self.size = 0
        self.delayed = 0
        self.sync_error: OSError | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a file."""
        return self._descriptor >= 0

    @property
    def pending(self) -> int:
        """Bytes that could not be written yet."""
        return len(self._unwritten)

    @property
    def syncing(self) -> bool:
        """Whether a sync is under way."""
        return self._sync is not None and not self._sync.done()

    # --- files -----------------------------------------------------------------------------------

    @staticmethod
    def prepare(path: Path, *, fresh: bool) -> int:
        """Open a file to append to, emptied if it is to be `fresh`. Raises OSError."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | (os.O_TRUNC if fresh else 0)
        return os.open(path, flags, 0o644)

    def switch(self, descriptor: int) -> None:
        """Append to this file from now on. The one before must have been written and is closed."""
        assert not self._unwritten, "what belongs to one file must not go to another"
        if self.is_open:
            self._close_later(self._descriptor, sync=self._unsynced)
        self._descriptor = descriptor
        self._unsynced = False
        self.size = os.fstat(descriptor).st_size

    def close(self) -> None:
        """Bring what was written to disk, and close the file. Raises OSError; it is closed then,
        too.
        """
        if not self.is_open:
            return
        descriptor, self._descriptor = self._descriptor, -1
        unsynced, self._unsynced = self._unsynced, False
        self._thread.close()
        self._unwritten = b""
        self._sync = self.sync_error = None
        try:
            if unsynced:
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Forget what could not be written yet."""
        self._unwritten = b""

    def _close_later(self, descriptor: int, *, sync: bool) -> None:
        """Close a file without waiting for the disk; a failure counts as one of a sync."""

        def job() -> None:
            try:
                if sync:
                    os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

        self._sync = self._thread.do(job)

    # --- appending -------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Append `data` behind what is still to be written. Raises OSError: then all of it is kept,
        none of it is in the file, and the next call tries again.
        """
        if self._unwritten:
            data = self._unwritten + data
        if not data:
            return
        self._unwritten = data
        view = memoryview(data)
        written = 0
        try:
            while written < len(view):
                written += os.write(self._descriptor, view[written:])
        except OSError:
            self._take_back(written)
            raise
        self.size += written
        self._unwritten = b""
        self._unsynced = True

    def _take_back(self, written: int) -> None:
        """Undo a write that came to nothing half-way, or keep only the rest if that fails, too."""
        if not written:
            return
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self.size += written
            self._unwritten = self._unwritten[written:]
            self._unsynced = True

    @property
    def synced(self) -> bool:
        """Whether all that was written is on disk."""
        self.note_sync()
        return not self._unsynced and self._sync is None and not self._unwritten

    def settle(self) -> None:
        """Wait until all that was written is on disk, a sync under way included. Raises OSError."""
        if self._sync is not None:
            wait([self._sync])
            self.note_sync()
        self.sync()

    def sync(self) -> None:
        """Wait until all that was written is on disk. Raises OSError."""
        if self._unsynced:
            os.fdatasync(self._descriptor)
            self._unsynced = False

    def sync_in_background(self) -> bool:
        """Have all that was written brought to disk; False if that has to wait for the sync before,
        which is counted.
        """
        self.note_sync()
        if self._sync is not None:
            self.delayed += 1
            return False
        if self._unsynced or self.sync_error is not None:
            self._unsynced = False
            descriptor = self._descriptor
            self._sync = self._thread.do(lambda: os.fdatasync(descriptor))
        return True

    def note_sync(self) -> None:
        """See how the last sync in the background ended, if it has."""
        if self._sync is None or not self._sync.done():
            return
        error = self._sync.exception()
        self._sync = None
        if error is not None and not isinstance(error, OSError):
            raise error
        self.sync_error = error
        if error is not None:
            self._unsynced = True
