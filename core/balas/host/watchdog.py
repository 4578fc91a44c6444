"""Names the module whose code holds the server up, while it still does.

A thread asks the event loop for a sign of life a few times a second. If none comes, it looks at
what the loop's thread is running, and logs the module's own line. Nothing is done on the way of a
request, and without a module from outside there is no thread. Code that keeps Python's lock (one
long call into C) keeps this thread waiting, too: it is told afterwards, by `Troubles.look_at`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from balas.services.log import Log

LOOK_S = 0.25
HELD_MAX_S = 1.0


class Watchdog:
    """The watch over one server's event loop.

    `owner(file)` gives the name of the module a source file belongs to, or an empty text.
    """

    def __init__(self, log: Log, owner: Callable[[str], str]) -> None:
        self._log = log
        self._owner = owner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = 0
        self._wanted = False
        self._thread: threading.Thread | None = None
        self._alive = threading.Event()
        self._stopped = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether there is a thread that watches."""
        return self._thread is not None

    def attend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch this loop, which runs in the calling thread, as soon as it is wanted."""
        self._loop, self._watched = loop, threading.get_ident()
        self._begin()

    def want(self) -> None:
        """There is a module to be watched."""
        self._wanted = True
        self._begin()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        thread, self._thread, self._loop = self._thread, None, None
        if thread is not None:
            self._stopped.set()
            self._alive.set()
            thread.join()

    def _begin(self) -> None:
        if self._wanted and self._loop is not None and self._thread is None:
            self._stopped.clear()
            name = "balas-watchdog"
            self._thread = threading.Thread(
                target=self._watch, args=(self._loop,), name=name, daemon=True
            )
            self._thread.start()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopped.wait(LOOK_S):
            self._alive.clear()
            try:
                loop.call_soon_threadsafe(self._alive.set)
            except RuntimeError:
                return  # The loop is closed.
            if not self._alive.wait(HELD_MAX_S) and not self._stopped.is_set():
                self._tell()
                self._alive.wait()

    def _tell(self) -> None:
        """Log which module's code is running, and where; nothing if it is none of theirs."""
        for frame in frames(sys._current_frames().get(self._watched)):
            if name := self._owner(frame.f_code.co_filename):
                place = f"{os.path.basename(frame.f_code.co_filename)}, line {frame.f_lineno}"
                self._log.warning(
                    f"Module '{name}' holds the server up: for more than {HELD_MAX_S:g} s nobody "
                    f"has been served; it runs {frame.f_code.co_qualname} ({place})"
                )
                return


def frames(innermost: FrameType | None) -> Iterator[FrameType]:
    """What a thread is running, the innermost first."""
    while innermost is not None:
        yield innermost
        innermost = innermost.f_back
