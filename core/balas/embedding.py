"""A server inside another program: in a thread of its own, or in the event loop that runs.

    with Server() as server:                      # a thread; any client can connect to server.url
        client = server.client()                  # or without a socket
        client("SET", "k", "v")

    async with Server() as server:                # the running event loop
        await server.async_client()("SET", "k", "v")

Nothing of the process is touched: no signals, no limits, no working folder. Several servers may run
in one program and never meet.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hiredis
import uvloop

from balas.errors import ReplyError
from balas.network import Network
from balas.server import Server as Parts
from balas.services.config.grammar import quote
from balas.services.config.reader import FatalConfigError, Reader
from balas.services.config.store import Config
from balas.services.log import Log
from balas.services.system import StartRefused

HOST = "127.0.0.1"
# A port that was free may be taken a moment later, by a test that runs beside this one.
ATTEMPTS_MAX = 20
STOPPING_MAX_S = 30.0
NOT_YET = object()


class Server:
    """A server that other code of this process starts and stops.

    Args:
        options: as in redis.conf, by name; a list gives an option several times. Nothing is saved
            unless they say so.
        modules: what to load, as MODULE LOAD takes it.
        directory: where its files are; without one, a temporary folder that is removed at the end.
        bundled: load the bundled modules, too.
        listen: open a port, the one of the option `port` or a free one. Without, only the clients
            that it makes itself can reach it.
    """

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        *,
        modules: Sequence[str] = (),
        directory: Path | str | None = None,
        bundled: bool = True,
        listen: bool = True,
    ) -> None:
        self.options = {"save": "", "bind": HOST, **(options or {})}
        self.modules = tuple(modules)
        self._temporary = None if directory else tempfile.mkdtemp(prefix="balas-")
        self.directory = Path(directory or str(self._temporary))
        self.bundled = bundled
        self.listen = listen
        self.port = 0
        self._log = bytearray()
        self._parts: Parts | None = None
        self._network: Network | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wires: list[Wire] = []

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.decode("utf-8", "replace")

    @property
    def url(self) -> str:
        """Where to connect, for clients that take an address: redis://127.0.0.1:46001."""
        return f"redis://{HOST}:{self.port}"

    # --- a thread --------------------------------------------------------------------------------

    def start(self) -> Self:
        """Run it in a thread; returns when it answers.

        Raises RuntimeError with the end of its log if it refuses to start.
        """
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="balas", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            self._clean_up()
            raise
        return self

    def stop(self) -> None:
        """End it and wait until it has ended; what was not saved is lost."""
        if self._thread is None:
            return
        if self._thread.is_alive() and self._loop is not None and self._network is not None:
            self._loop.call_soon_threadsafe(self._network.stop)
        self._thread.join(STOPPING_MAX_S)
        if self._thread.is_alive():
            raise RuntimeError("the server does not end: one of its commands is still running")
        self._thread = None
        self._clean_up()

    def _run(self, started: Future[None]) -> None:
        async def main() -> None:
            try:
                await self.open()
            except BaseException as error:
                started.set_exception(error)
                return
            started.set_result(None)
            assert self._network is not None
            await self._network.serve()
            await self.close()

        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- the running event loop ------------------------------------------------------------------

    async def open(self) -> Self:
        """Serve in the event loop that runs; end it by `close`."""
        self._loop = asyncio.get_running_loop()
        wants_free_port = self.listen and "port" not in self.options
        for attempt in range(ATTEMPTS_MAX):
            try:
                await self._open(free_port() if wants_free_port else self.options.get("port", 0))
                return self
            except (StartRefused, FatalConfigError) as error:
                taken = self._parts is not None and "Failed listening" in self.log
                if wants_free_port and taken and attempt + 1 < ATTEMPTS_MAX:
                    self._log.clear()
                    continue
                why = error.report() if isinstance(error, FatalConfigError) else self.log
                raise RuntimeError(f"the server did not start:\n{why[-2000:]}") from None
        raise AssertionError("unreachable")

    async def _open(self, port: int | str) -> None:
        config = Config(directory=str(self.directory))
        Reader(config).read("\n".join(self._lines(port)), "the program")
        self._parts = Parts(config, Log(self._log.extend), bundled=self.bundled)
        network = Network(self._parts)
        if self.listen:
            network.open()
        # The loop belongs to the program, and so do its unexpected errors.
        loop = asyncio.get_running_loop()
        handler = loop.get_exception_handler()
        await network.start()
        loop.set_exception_handler(handler)
        self._network, self.port = network, int(port) if self.listen else 0
        try:
            for _ in self._parts.start_steps():
                await asyncio.sleep(0)
        except BaseException:
            await self.close()
            raise
        self._parts.shutdown.stop = network.stop

    def _lines(self, port: int | str) -> list[str]:
        given = {**self.options, "port": port}
        lines = [
            " ".join([name, *(quote(str(word)) for word in words_of(one))])
            for name, value in given.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        return lines + [f"loadmodule {quote(module)}" for module in self.modules]

    async def close(self) -> None:
        """End it; what was not saved is lost."""
        for wire in self._wires:
            wire.close()
        self._wires.clear()
        if self._parts is not None:
            self._parts.stop()
        if self._network is not None:
            await self._network.close()
        self._parts = self._network = None
        if self._thread is None:
            self._clean_up()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # --- clients without sockets -----------------------------------------------------------------

    def client(self) -> LocalClient:
        """A client for other threads than the server's: `client("GET", "k")` waits and returns."""
        if self._thread is None:
            raise RuntimeError("the server runs in this event loop: use async_client()")
        return LocalClient(self._connect())

    def async_client(self) -> AsyncLocalClient:
        """A client for the server's own event loop: `await client("GET", "k")`."""
        return AsyncLocalClient(self._connect())

    def _connect(self) -> Wire:
        if self._parts is None or self._loop is None:
            raise RuntimeError("the server does not run")
        self._wires.append(Wire(self._parts, self._loop))
        return self._wires[-1]

    def _clean_up(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


class LocalClient:
    """Sends and waits. Any thread but the server's may use it; each call is one command."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __call__(self, *argv: Any, timeout_s: float | None = 60.0) -> Any:
        """The reply of one command. Raises its ReplyError, TimeoutError, ConnectionError."""
        answer: Future[Any] = Future()
        self._wire.loop.call_soon_threadsafe(self._wire.ask, argv, answer)
        return answer.result(timeout_s)

    @property
    def pushes(self) -> deque[Any]:
        """Messages out of band that have come, the oldest first."""
        return self._wire.pushes

    def close(self) -> None:
        """Hang up."""
        self._wire.loop.call_soon_threadsafe(self._wire.close)


class AsyncLocalClient:
    """The same for coroutines in the server's event loop."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def __call__(self, *argv: Any) -> Any:
        """The reply of one command. Raises its ReplyError, ConnectionError."""
        answer: Future[Any] = Future()
        self._wire.ask(argv, answer)
        return await asyncio.wrap_future(answer)

    @property
    def pushes(self) -> deque[Any]:
        """Messages out of band that have come, the oldest first."""
        return self._wire.pushes

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


class Wire:
    """A connection without a socket: the engine's transport, and who waits for which reply.

    All of it happens in the thread of the server's event loop.
    """

    def __init__(self, parts: Parts, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pushes: deque[Any] = deque()
        self._engine = parts.engine
        self._waiting: deque[Future[Any]] = deque()
        self._reader = hiredis.Reader(replyError=ReplyError, notEnoughData=NOT_YET)
        self._unsent = bytearray()
        self._paused = False
        self._closed = False
        self._peer: Any = None

    def ask(self, argv: Sequence[Any], answer: Future[Any]) -> None:
        """Send a command; its reply goes to `answer`."""
        if self._closed:
            answer.set_exception(ConnectionError("the connection is closed"))
            return
        if self._peer is None:
            self._peer = self._engine.connect(self)
            self._peer.address = self._peer.local_address = f"{HOST}:0"
        self._waiting.append(answer)
        self._unsent += hiredis.pack_command(tuple(argv))
        if not self._paused:
            self._deliver()

    def _deliver(self) -> None:
        if self._unsent and not self._closed:
            data = bytes(self._unsent)
            self._unsent.clear()
            self._engine.receive(self._peer, data)

    # What the engine calls.

    def write(self, data: bytes) -> None:
        """Hand replies to those who wait for them."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not NOT_YET:
            if isinstance(reply, hiredis.PushNotification):
                self.pushes.append(reply)
                continue
            answer = self._waiting.popleft()
            if answer.cancelled():
                continue
            if isinstance(reply, ReplyError):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    def close(self) -> None:
        """Hang up, from either end."""
        if self._closed:
            return
        self._closed = True
        if self._peer is not None:
            self._engine.disconnect(self._peer)
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(ConnectionError("the server closed the connection"))

    abort = close

    def pause_reading(self) -> None:
        """Take no more for now."""
        self._paused = True

    def resume_reading(self) -> None:
        """Go on with what has been sent meanwhile."""
        self._paused = False
        self.loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        """Nothing stays unread."""
        return 0


def words_of(value: Any) -> Sequence[Any]:
    """The words of an option's value."""
    return value if isinstance(value, tuple) else (value,)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
