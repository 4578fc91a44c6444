"""Work done by a forked child: it sees the data as they were at the fork, and the server goes on.

There is one child at a time, as two would fight for the disk. The child closes every socket it
inherited, does its work, tells the parent about it through a pipe, and ends without running
anything of the parent's clean-up. The parent looks for news from a timer. While a child lives,
tables do not grow and entries are not moved about, so that few pages have to be copied.
"""

from __future__ import annotations

import gc
import os
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from balas.engine.dispatch import Engine
from balas.engine.timers import Timer
from balas.services.collector import freeze_for_fork, thaw_after_fork
from balas.services.log import Log

POLL_MS = 50
# How often a child tells how far it is, and how much memory had to be copied.
NEWS_NS = 50_000_000
COPIED_NEWS_NS = 1_000_000_000
# A child that the server has no more use for is told so by this signal, as in Redis.
UNWANTED = signal.SIGUSR1

KILLED = "killed"

# What the work of each purpose is called in the log.
LABELS = {"rdb": "RDB", "sync": "RDB", "aof": "AOF rewrite"}


class WorkFailed(Exception):
    """What a child was to do has failed; the text is the reason for the log."""


@dataclass
class Child:
    """A child at work, or what became of it.

    Attributes:
        purpose: "rdb", "sync" (for replicas) or "aof".
        keys, keys_total: how far it is.
        copied_bytes: memory that had to be copied because parent or child changed it, as told at
        `copied_at_ms`; `copied_peak_bytes` is the most that was ever told.
        error: why it failed; empty while it runs and when it succeeded, "killed" when somebody
        told it that its work is not wanted any more.
    """

    purpose: str
    pid: int
    started_ms: int
    keys_total: int
    keys: int = 0
    copied_bytes: int = 0
    copied_peak_bytes: int = 0
    copied_at_ms: int = 0
    error: str = ""
    unread: bytes = field(default=b"", repr=False)


class Reporter:
    """The child's end of the pipe: what the parent is to know while the work goes on."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._next_ns = self._next_copied_ns = 0
        self.copied_peak_bytes = 0

    def keys(self, count: int) -> None:
        """So many keys are done. May be called often. Raises OSError when the parent is gone."""
        now_ns = time.monotonic_ns()
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + NEWS_NS
        self._tell("keys", count)
        if now_ns >= self._next_copied_ns:
            self.copied()
            # Looking it up takes longer the more memory there is: spend one percent on it.
            spent_ns = time.monotonic_ns() - now_ns
            self._next_copied_ns = now_ns + max(COPIED_NEWS_NS, 100 * spent_ns)

    def copied(self) -> int:
        """Tell how much memory had to be copied; returns it, in bytes."""
        copied_bytes = private_dirty_bytes()
        self.copied_peak_bytes = max(self.copied_peak_bytes, copied_bytes)
        self._tell("copied", copied_bytes)
        return copied_bytes

    def confirm(self) -> None:
        """Raise WorkFailed if the parent is gone: its successor may have newer data by now."""
        try:
            self.copied()
        except OSError:
            raise WorkFailed("the server is gone") from None

    def failed(self, reason: str) -> None:
        """Tell why the work has failed."""
        self._tell("error", reason.replace("\n", " "))

    def _tell(self, name: str, value: object) -> None:
        os.write(self._pipe, f"{name} {value}\n".encode("utf-8", "replace"))


Work = Callable[[Reporter], None]


def private_dirty_bytes() -> int:
    """Memory that this process shares with nobody, from the kernel's account; 0 where there is
    none.
    """
    with suppress(OSError):
        for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    return 0


class Children:
    """The one child of a server. `start` forks; `done` is called in the parent when it has ended.

    Attributes:
        current: the child at work, or None.
        fork_count, last_fork_us: forks so far, and for how long the last one stopped the server.
    """

    def __init__(self, engine: Engine, log: Log) -> None:
        self._engine = engine
        self._log = log
        self._done: Callable[[Child], None] = lambda child: None
        self._timer: Timer | None = None
        self._pipe = -1
        self.current: Child | None = None
        self.fork_count = 0
        self.last_fork_us = 0

    def start(self, purpose: str, work: Work, done: Callable[[Child], None]) -> Child:
        """Fork, and run `work` in the child. OSError if there can be no child.

        What `work` raises becomes the child's `error`: a WorkFailed with its own text.
        """
        assert self.current is None, "one child at a time"
        reading, writing = os.pipe()
        started_ns = time.perf_counter_ns()
        try:
            pid = fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if pid == 0:
            self._be_child(purpose, work, writing)
        self.last_fork_us = (time.perf_counter_ns() - started_ns) // 1000
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

    def _be_child(self, purpose: str, work: Work, pipe: int) -> NoReturn:
        """The child's whole life."""
        status = 1
        try:
            take_over_signals()
            close_all_but(pipe, self._log.enter_child())
            reporter = Reporter(pipe)
            try:
                work(reporter)
                status = 0
            except WorkFailed as error:
                reporter.failed(str(error))
            except Exception as error:
                self._log.exception("A child process has failed", error)
                reporter.failed(f"{type(error).__name__}: {error}")
            copied_bytes = reporter.copied()
            copied, peak = copied_bytes >> 20, reporter.copied_peak_bytes >> 20
            label = LABELS[purpose]
            self._log.notice(f"Fork CoW for {label}: current {copied} MB, peak {peak} MB")
        finally:
            os._exit(status)

    def poll(self) -> None:
        """Read the child's news, and see whether it has ended."""
        child = self.current
        if child is None:
            return
        self._read_news(child)
        try:
            pid, status = os.waitpid(child.pid, os.WNOHANG)
        except ChildProcessError:
            self._lose(child)
            return
        if pid:
            self._finish(child, status)

    def wait(self) -> None:
        """Wait for the child to end; nothing happens if there is none."""
        child = self.current
        if child is None:
            return
        # Until the pipe is empty and closed: a child that cannot get rid of its news cannot end.
        os.set_blocking(self._pipe, True)
        self._read_news(child)
        try:
            _, status = os.waitpid(child.pid, 0)
        except ChildProcessError:
            self._lose(child)
            return
        self._finish(child, status)

    def kill(self) -> None:
        """End the child's work, which nobody wants any more."""
        if self.current is not None:
            os.kill(self.current.pid, UNWANTED)
            self.wait()

    def _read_news(self, child: Child) -> None:
        with suppress(BlockingIOError):
            while chunk := os.read(self._pipe, 65536):
                child.unread += chunk
        *lines, child.unread = child.unread.split(b"\n")
        for line in lines:
            name, _, value = line.decode().partition(" ")
            if name == "keys":
                child.keys = int(value)
            elif name == "copied":
                child.copied_bytes = int(value)
                child.copied_peak_bytes = max(child.copied_peak_bytes, child.copied_bytes)
                child.copied_at_ms = self._engine.clock.now_ms
            elif name == "error":
                child.error = value

    def _lose(self, child: Child) -> None:
        """Somebody else in this process has waited for the child: how it ended is not known."""
        child.error = child.error or "how the child process ended is not known"
        self._finish(child, 1 << 8)

    def _finish(self, child: Child, status: int) -> None:
        self._read_news(child)
        os.close(self._pipe)
        if self._timer is not None:
            self._timer.cancel()
        self.current = None
        thaw_after_fork()
        for db in self._engine.databases:
            db.allow_resize(True)
        if os.WIFSIGNALED(status):
            by = os.WTERMSIG(status)
            child.error = KILLED if by == UNWANTED else f"terminated by signal {by}"
        elif os.WEXITSTATUS(status) and not child.error:
            child.error = f"exit code {os.WEXITSTATUS(status)}"
        done, self._done = self._done, lambda child: None
        done(child)


def fork() -> int:
    """Fork with signals held back in the child, and with the collector blind to all that lives now.

    In either process the collector would touch, and so copy, every page of theirs; in the parent
    `thaw_after_fork` ends this.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, UNWANTED})
    freeze_for_fork()
    try:
        with warnings.catch_warnings():
            # Of threads that hold locks: ours (see `aof.writer`) only ever wait for the disk.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError:
        thaw_after_fork()
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        raise
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return pid


def take_over_signals() -> None:
    """In a child: let signals act on this process, instead of waking the parent's event loop."""
    gc.disable()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, UNWANTED):
        signal.signal(number, signal.SIG_DFL)
    # Ctrl-C goes to both: the parent decides what becomes of the child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def close_all_but(*kept: int) -> None:
    """Close every descriptor but the standard ones and those named: a client whose connection is
    closed must not wait for a child that holds it open.
    """
    start = 3
    for descriptor in sorted(d for d in kept if d >= start):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, max(os.sysconf("SC_OPEN_MAX"), start))
