"""Work done by a forked child: it sees the data as they were at the fork, and the server goes on.

There is one child at a time, as two would fight for the disk. The child closes every socket it inherited, does its work,
tells the parent about it through a pipe, and ends without running anything of the parent's clean-up. The parent looks for news
from a timer. While a child lives, tables do not grow and entries are not moved about, so that few pages have to be copied.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from balas.engine.dispatch import Engine
from balas.engine.timers import Timer
from balas.services.log import Log

POLL_MS = 50

Tell = Callable[[str, object], None]
Work = Callable[[Tell], None]


@dataclass
class Child:
    """A child at work, or what became of it.

    Attributes:
        purpose: "rdb" or "aof".
        keys, keys_total: how far it is.
        copied_bytes: memory that had to be copied because parent or child changed it.
        error: why it failed; empty while it runs and when it succeeded. "killed" when the server ended it on purpose.
    """

    purpose: str
    pid: int
    started_ms: int
    keys_total: int
    keys: int = 0
    copied_bytes: int = 0
    error: str = ""
    unwanted: bool = False
    _unread: bytes = field(default=b"", repr=False)


def private_dirty_bytes() -> int:
    """Memory of this process that it shares with nobody, from the kernel's account; 0 where that is not to be had."""
    with suppress(OSError):
        for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    return 0


class Children:
    """The one child of a server. `start` forks; `done` is called in the parent when it has ended."""

    def __init__(self, engine: Engine, log: Log) -> None:
        self._engine = engine
        self._log = log
        self._done: Callable[[Child], None] | None = None
        self._timer: Timer | None = None
        self._pipe = -1
        self.current: Child | None = None
        self.fork_count = 0
        self.last_fork_us = 0
        self.copied_peak_bytes = 0

    def start(self, purpose: str, work: Work, done: Callable[[Child], None]) -> Child:
        """Fork, and run `work(tell)` in the child. OSError if there can be no child."""
        assert self.current is None, "one child at a time"
        reading, writing = os.pipe()
        # What lives now is not looked at by the collector of either process, so that it does not touch, and copy, pages.
        gc.freeze()
        started_ns = time.perf_counter_ns()
        try:
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            gc.unfreeze()
            raise
        if pid == 0:
            self._be_child(work, writing)
        self.last_fork_us = (time.perf_counter_ns() - started_ns) // 1000
        gc.unfreeze()
        os.close(writing)
        os.set_blocking(reading, False)
        self._pipe = reading
        self._done = done
        self.fork_count += 1
        keys = sum(len(db) for db in self._engine.databases)
        self.current = Child(purpose, pid, self._engine.clock.now_ms, keys)
        for db in self._engine.databases:
            db.allow_resize(False)
        self._timer = self._engine.timers.every(POLL_MS, self.poll)
        return self.current

    def _be_child(self, work: Work, pipe: int) -> None:
        """The child's whole life."""
        status = 1
        try:
            gc.disable()
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.closerange(3, pipe)
            os.closerange(pipe + 1, 1 << 20)

            def tell(name: str, value: object) -> None:
                os.write(pipe, f"{name} {value}\n".encode("utf-8", "replace"))

            try:
                work(tell)
                status = 0
            except BaseException as error:
                reason = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
                tell("error", str(reason).replace("\n", " "))
            tell("copied", private_dirty_bytes())
        finally:
            os._exit(status)

    def poll(self) -> None:
        """Read the child's news, and see whether it has ended."""
        child = self.current
        if child is None:
            return
        self._read_news(child)
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid:
            self._finish(child, status)

    def wait(self) -> None:
        """Wait for the child to end; nothing happens if there is none."""
        child = self.current
        if child is not None:
            _, status = os.waitpid(child.pid, 0)
            self._finish(child, status)

    def kill(self) -> None:
        """End the child's work, which nobody wants any more."""
        child = self.current
        if child is not None:
            child.unwanted = True
            os.kill(child.pid, signal.SIGUSR1)
            self.wait()

    def _read_news(self, child: Child) -> None:
        with suppress(BlockingIOError):
            while chunk := os.read(self._pipe, 65536):
                child._unread += chunk
        *lines, child._unread = child._unread.split(b"\n")
        for line in lines:
            name, _, value = line.decode().partition(" ")
            if name == "keys":
                child.keys = int(value)
            elif name == "copied":
                child.copied_bytes = int(value)
                self.copied_peak_bytes = max(self.copied_peak_bytes, child.copied_bytes)
            elif name == "error":
                child.error = value

    def _finish(self, child: Child, status: int) -> None:
        self._read_news(child)
        os.close(self._pipe)
        if self._timer is not None:
            self._timer.cancel()
        self.current = None
        for db in self._engine.databases:
            db.allow_resize(True)
        if child.unwanted:
            child.error = "killed"
        elif os.WIFSIGNALED(status):
            child.error = f"terminated by signal {os.WTERMSIG(status)}"
        elif os.WEXITSTATUS(status) and not child.error:
            child.error = f"exit code {os.WEXITSTATUS(status)}"
        done, self._done = self._done, None
        if done is not None:
            done(child)
