"""`balas --dev PATH`: load a module, and reload it whenever one of its files is saved.

Keys stay. What is refused is told in the terminal with the author's own lines, and the old code
goes on. A module that cannot be loaded at the start is tried again at its next change. While a
module's code runs for too long, the terminal shows where it is.
"""

from __future__ import annotations

import faulthandler
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from balas.host.errors import ModuleError, own_frames
from balas.host.loader import package_in
from balas.server import Server

LOOK_MS = 200
# How long the event loop may stand still before the terminal shows what it does.
STUCK_S = 2.0
# A file's time and size: either says that it was saved.
Stamp = tuple[int, int]


def report(text: str) -> None:
    """Say something in the terminal."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Watcher:
    """Keeps one module of one server as its files are. `say` gets what the author should read."""

    def __init__(self, server: Server, target: str, say: Callable[[str], None] = report) -> None:
        self._server = server
        self._say = say
        self._target = str(Path(target).absolute())
        path = Path(self._target.partition(".py:")[0] + (".py" if ".py:" in self._target else ""))
        self._path = Path(package_in(str(path)))
        self._name = ""
        self._stamps: dict[Path, Stamp] = {}
        self._started = False

    def start(self) -> None:
        """Load the module and look at its files from now on; a second call has no effect."""
        if self._started:
            return
        self._started = True
        self._stamps = self._look()
        self._bring_in()
        self._server.engine.timers.every(LOOK_MS, self.tick)

    def show_where_it_is_stuck(self) -> None:
        """Have the terminal show what runs while the event loop stands still."""
        self._server.engine.timers.every(
            LOOK_MS, lambda: faulthandler.dump_traceback_later(STUCK_S, file=sys.stderr)
        )

    def tick(self) -> None:
        """Reload if a file was saved, has come or gone."""
        stamps = self._look()
        if stamps != self._stamps:
            self._stamps = stamps
            self._bring_in()

    def _look(self) -> dict[Path, Stamp]:
        files = self._path.rglob("*.py") if self._path.is_dir() else [self._path]
        stamps = {}
        for file in files:
            try:
                status = file.stat()
            except FileNotFoundError:
                continue  # An editor is just about to put the new one there.
            stamps[file] = (status.st_mtime_ns, status.st_size)
        return stamps

    def _bring_in(self) -> None:
        host = self._server.modules
        try:
            if host.find(self._name) is None:
                self._name = host.load(self._target).name
                self._say(f"[dev] {self._name} is loaded; save a file, and it is reloaded")
            else:
                host.reload(self._name)
                self._say(f"[dev] {self._name} is reloaded, with all its keys")
        except ModuleError as error:
            old = "the old code goes on" if host.find(self._name) else "nothing is loaded"
            self._say(f"[dev] {error}\n{own_lines(error)}[dev] {old}")


def own_lines(error: BaseException) -> str:
    """The part of a traceback that is in the author's code, with its lines."""
    cause: BaseException | None = error
    while cause is not None:
        frames = own_frames(cause)
        if isinstance(cause, SyntaxError):
            return "".join(traceback.format_exception_only(cause))
        if frames:
            return "".join(traceback.format_list(frames))
        cause = cause.__cause__
    return ""
