"""A Balas whose collections of garbage are written down: python -m bench.watched --port N ...

The file `collections.log` in the server's folder gets a line for every collection that took long:
the generation, how many microseconds of CPU it took, and how many objects were garbage.

With BALAS_WATCH_TURNS=1, `turns.log` gets one for every long turn of the event loop: microseconds
of CPU, and page faults. The event loop never sleeps then.
"""

import asyncio
import gc
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from balas import cli
from balas.network import Network
from balas.testing import BalasProcess

LOG = "collections.log"
TURNS_LOG = "turns.log"
WATCH_TURNS = "BALAS_WATCH_TURNS"
# What is shorter is not worth a line.
SHORTEST_US = 20
SHORTEST_TURN_US = 500


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


class Turn(NamedTuple):
    """One turn of the event loop: its CPU time, and the page faults in it."""

    cpu_us: int
    faults: int


class Turns:
    """Times the turns of an event loop by CPU time of its thread; each turn asks for the next."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._loop = loop
        self._faults = faults()
        self._began_ns = time.thread_time_ns()

    def turn(self) -> None:
        """One is over, and the next begins."""
        took_us = (time.thread_time_ns() - self._began_ns) // 1000
        now = faults()
        if took_us >= SHORTEST_TURN_US:
            os.write(self._file, f"{took_us} {now - self._faults}\n".encode())
        self._faults = now
        self._loop.call_soon(self.turn)
        self._began_ns = time.thread_time_ns()


def faults() -> int:
    """Page faults of this thread so far."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def watch_turns() -> None:
    """Have the turns of the event loop timed from its start."""
    start = Network.start

    async def start_watching(network: Network) -> None:
        Turns(os.path.abspath(TURNS_LOG), asyncio.get_running_loop()).turn()
        await start(network)

    setattr(Network, "start", start_watching)  # noqa: B010 (mypy: a method is assigned)


class WatchedBalas(BalasProcess):
    """A Balas that writes its collections down, and with `turns` those of its event loop."""

    def __init__(
        self, options: dict[str, Any] | None = None, *, turns: bool = False, **settings: Any
    ) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        inherited = os.environ.get("PYTHONPATH", "")
        environment = {"PYTHONPATH": f"{root}:{inherited}", WATCH_TURNS: str(int(turns))}
        super().__init__(options, environment=environment, **settings)
        self.command = [sys.executable, "-m", "bench.watched"]

    def collections(self) -> list[Collection]:
        """Those that took long, so far."""
        path = self.directory / LOG
        lines = path.read_text().splitlines() if path.exists() else []
        return [Collection(*map(int, line.split())) for line in lines]

    def turns(self) -> list[Turn]:
        """The turns of the event loop that took long, so far."""
        path = self.directory / TURNS_LOG
        lines = path.read_text().splitlines() if path.exists() else []
        return [Turn(*map(int, line.split())) for line in lines]


if __name__ == "__main__":
    gc.callbacks.append(Watch(os.path.abspath(LOG)).note)
    if os.environ.get(WATCH_TURNS) == "1":
        watch_turns()
    sys.exit(cli.main())
