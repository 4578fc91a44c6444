"""A Balas whose collections of garbage are written down: python -m bench.watched --port N ...

The file `collections.log` in the server's folder gets a line for every collection that took long:
the generation, how many microseconds of CPU it took, and how many objects were garbage.
"""

import gc
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from balas import cli
from balas.testing import BalasProcess

LOG = "collections.log"
# What is shorter is not worth a line.
SHORTEST_US = 20


class Collection(NamedTuple):
    """One run of the collector: its generation, CPU time, and the objects that were garbage."""

    generation: int
    cpu_us: int
    garbage: int


class Watch:
    """Times collections and writes the long ones down."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._began_ns = 0

    def note(self, phase: str, info: dict[str, Any]) -> None:
        """What `gc.callbacks` calls."""
        if phase == "start":
            self._began_ns = time.thread_time_ns()
            return
        took_us = (time.thread_time_ns() - self._began_ns) // 1000
        if took_us >= SHORTEST_US:
            line = f"{info['generation']} {took_us} {info['collected']}\n"
            os.write(self._file, line.encode())


class WatchedBalas(BalasProcess):
    """A Balas that writes its collections down."""

    def __init__(self, options: dict[str, Any] | None = None, **settings: Any) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        inherited = os.environ.get("PYTHONPATH", "")
        super().__init__(options, environment={"PYTHONPATH": f"{root}:{inherited}"}, **settings)
        self.command = [sys.executable, "-m", "bench.watched"]

    def collections(self) -> list[Collection]:
        """Those that took long, so far."""
        path = self.directory / LOG
        lines = path.read_text().splitlines() if path.exists() else []
        return [Collection(*map(int, line.split())) for line in lines]


if __name__ == "__main__":
    gc.callbacks.append(Watch(os.path.abspath(LOG)).note)
    sys.exit(cli.main())
