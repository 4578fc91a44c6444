"""A server inside the test: no socket, no process, and a clock that moves when it is told to.

A client's bytes go straight into the engine and its replies come back before `send` returns, so
nothing is ever waited for. Time stands still: `advance` moves the clock and does everything that
falls due on the way, in order. The event loop runs only while a command that is `async def` (or
other work a service has started) is under way.
"""

import asyncio
import gc
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from balas.engine.client import Client as EngineClient
from balas.engine.clock import FakeClock
from balas.server import Server
from balas.services.config import Config
from balas.services.config.grammar import quote
from balas.services.config.reader import Reader
from balas.services.log import Log
from balas.testing.clients import Client
from balas.testing.server_process import option_lines

# 14 November 2023: any moment will do, as long as it is the same in every run.
START_MS = 1_700_000_000_000


class InProcessServer:
    """A server, the loop for its coroutines, and connections to it; a context manager.

    `options` are as for `BalasProcess`: nothing is saved unless they say so. Files go to
    `directory` or, without one, to a temporary folder that is removed at the end. `seed` decides
    all chance. With `bundled=False` only the core is there. `clock` is in place of one that stands
    still but for `advance`.
    """

    def __init__(
        self,
        options: dict[str, Any] | None = None,
        *,
        directory: Path | None = None,
        bundled: bool = True,
        seed: int = 0,
        now_ms: int = START_MS,
        clock: FakeClock | None = None,
    ) -> None:
        self._temporary = None if directory else tempfile.mkdtemp(prefix="balas-test-")
        self.directory = directory or Path(str(self._temporary))
        self.options = {"save": "", **(options or {})}
        self.bundled = bundled
        self.seed = seed
        self.clock = clock or FakeClock(now_ms)
        self.loop = asyncio.new_event_loop()
        self._log = bytearray()
        self._tasks: set[asyncio.Task[Any]] = set()
        try:
            self.server = self._start()
        except BaseException:
            self._clean_up()
            raise
        self.engine = self.server.engine

    @property
    def log(self) -> str:
        """What the server has logged, over all its starts."""
        return self._log.decode("utf-8", "replace")

    def restart(self) -> None:
        """Drop the server, as a crash would, and start another on the same folder and clock.

        What was not saved is lost. Clients are disconnected.
        """
        self._stop()
        self.server = self._start()
        self.engine = self.server.engine

    def client(self, *, resp: int = 2, typed: bool = False, timeout_s: float = 10.0) -> Client:
        """A new connection; a reply that is not there at once is a TimeoutError."""
        return Client(MemoryTransport(self), resp=resp, typed=typed, timeout_s=timeout_s)

    def advance(self, ms: int) -> None:
        """Let time pass: every timer that falls due on the way is run at its own moment."""
        end_ms = self.clock.now_ms + ms
        while (due_ms := self.engine.timers.next_due_ms) is not None and due_ms <= end_ms:
            self.clock.advance(max(due_ms - self.clock.now_ms, 0))
            self.engine.timers.run_due()
            self.engine.finish_unit()
        self.clock.advance(end_ms - self.clock.now_ms)
        self.run_loop()

    def sleep_ms(self, duration_ms: int) -> None:
        """`advance`, under the name that servers in other processes have, too."""
        self.advance(duration_ms)

    def run_loop(self, until: Callable[[], bool] = lambda: False, timeout_s: float = 0.0) -> None:
        """Run the event loop until it has nothing to do at once.

        With a time limit, go on (in real time) while coroutines are under way and `until` is False.
        """
        deadline = time.monotonic() + timeout_s
        self.loop.run_until_complete(asyncio.sleep(0))
        while self._tasks and not until() and time.monotonic() < deadline:
            self.loop.run_until_complete(asyncio.sleep(0.0005))

    def close(self) -> None:
        """Drop all clients, end what is under way, and remove the temporary folder."""
        self._stop()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self._clean_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _clean_up(self) -> None:
        self.loop.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _start(self) -> Server:
        config = Config(directory=str(self.directory))
        lines = [" ".join([name, *map(quote, words)]) for name, words in option_lines(self.options)]
        Reader(config).read("\n".join(lines), "the test")
        log = Log(self._log.extend, lambda: self.clock.now_ms / 1000)
        server = Server(config, log, clock=self.clock, seed=self.seed, bundled=self.bundled)
        server.engine.spawn = self._spawn
        collects = gc.isenabled()
        gc.disable()  # what is made here stays
        try:
            server.start()
        finally:
            if collects:
                gc.enable()
        return server

    def _stop(self) -> None:
        for client in list(self.engine.clients.values()):
            self.engine.close(client, at_once=True)
        self.server.stop()
        for task in self._tasks:
            task.cancel()
        self.loop.run_until_complete(self._cancelled())

    async def _cancelled(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class MemoryTransport:
    """Both ends of a connection that has no socket.

    The engine's end is asyncio's transport interface (`write`, `close`, ...), the test's end that
    of `balas.testing.clients.Transport`. `reading = False` makes the test a client that does not
    read: what is written to it then counts as buffered.
    """

    def __init__(self, server: InProcessServer) -> None:
        self._server = server
        self._to_test = bytearray()
        self._to_engine = bytearray()
        self._reading_paused = False
        self.closed = False
        self.reading = True
        self.peer: EngineClient = server.engine.connect(self)
        self.peer.address = f"127.0.0.1:{40000 + self.peer.id}"
        self.peer.local_address = "127.0.0.1:6379"

    # The engine's end.

    def write(self, data: bytes) -> None:
        """Take what the server sends."""
        if not self.closed:
            self._to_test += data

    def writelines(self, parts: list[bytes]) -> None:
        """The same, in parts."""
        self.write(b"".join(parts))

    def close(self) -> None:
        """Hang up, from either end; what was sent can still be read."""
        if not self.closed:
            self.closed = True
            self._server.engine.disconnect(self.peer)

    def abort(self) -> None:
        """Hang up and lose what was not read."""
        self._to_test.clear()
        self.close()

    def pause_reading(self) -> None:
        """Take no more from this client for now."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Go on with what the client has sent meanwhile."""
        self._reading_paused = False
        if self._to_engine:
            self._server.loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        """Bytes the client has not read, if it is one that does not read."""
        return 0 if self.reading else len(self._to_test)

    # The test's end.

    @property
    def has_output(self) -> bool:
        """Whether the server has said something that was not received yet."""
        return bool(self._to_test)

    def send(self, data: bytes) -> None:
        """Hand bytes to the engine, which answers at once; ConnectionError once it has hung up."""
        if self.closed:
            raise ConnectionError("the server closed the connection")
        self._to_engine += data
        if not self._reading_paused:
            self._deliver()

    def receive(self, timeout_s: float) -> bytes:
        """What the server has sent; b"" if it has hung up; TimeoutError if nothing can come."""
        if not self._to_test and not self.closed:
            self._server.run_loop(lambda: bool(self._to_test) or self.closed, timeout_s)
        if not self._to_test and not self.closed:
            raise TimeoutError("the server has nothing to say, and time stands still")
        data = bytes(self._to_test)
        self._to_test.clear()
        return data

    def _deliver(self) -> None:
        if self._to_engine and not self.closed:
            data = bytes(self._to_engine)
            self._to_engine.clear()
            self._server.engine.receive(self.peer, data)
