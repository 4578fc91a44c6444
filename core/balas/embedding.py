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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
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
        self._wires: set[Wire] = set()

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
        for wire in list(self._wires):
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

    def client(self, *, resp: int = 2) -> LocalClient:
        """A client for other threads than the server's: `client("GET", "k")` waits and returns.

        `resp` is the protocol it speaks, 2 or 3: in the latter maps come as dicts, and so on.
        """
        if self._thread is None:
            raise RuntimeError("the server runs in this event loop: use async_client()")
        return LocalClient(self._connect(resp))

    def async_client(self, *, resp: int = 2) -> AsyncLocalClient:
        """A client for the server's own event loop: `await client("GET", "k")`."""
        return AsyncLocalClient(self._connect(resp))

    def _connect(self, resp: int) -> Wire:
        if self._parts is None or self._loop is None:
            raise RuntimeError("the server does not run")
        wire = Wire(self._parts, self._loop, self._wires.discard)
        self._wires.add(wire)
        if resp != 2:
            self._loop.call_soon_threadsafe(wire.ask, ("HELLO", resp), Future())
        return wire

    def _clean_up(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


class LocalClient:
    """Sends and waits. Any thread but the server's may use it; each call is one command.

    Messages of subscriptions and other pushes are kept in `pushes` until `next_push` takes them.
    The reply of SUBSCRIBE and its kin is a list with the confirmation of each channel.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __call__(self, *argv: Any, timeout_s: float | None = 60.0) -> Any:
        """The reply of one command. Raises its ReplyError, TimeoutError, ConnectionError."""
        answer: Future[Any] = Future()
        self._wire.loop.call_soon_threadsafe(self._wire.ask, argv, answer)
        return answer.result(timeout_s)

    def pipeline(self, *commands: Sequence[Any], timeout_s: float | None = 60.0) -> list[Any]:
        """The replies of several commands that are sent at once; an error is one of them."""
        answers: list[Future[Any]] = [Future() for _ in commands]
        self._wire.loop.call_soon_threadsafe(self._wire.ask_all, commands, answers)
        return [answer.exception(timeout_s) or answer.result() for answer in answers]

    def next_push(self, timeout_s: float | None = 60.0) -> Any:
        """The oldest message out of band, as a list; waits for one. Raises TimeoutError."""
        answer: Future[Any] = Future()
        self._wire.loop.call_soon_threadsafe(self._wire.take_push, answer)
        try:
            return answer.result(timeout_s)
        except TimeoutError:
            if answer.cancel():
                raise
            return answer.result()  # It has come this very moment.

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

    async def pipeline(self, *commands: Sequence[Any]) -> list[Any]:
        """The replies of several commands that are sent at once; an error is one of them."""
        answers: list[Future[Any]] = [Future() for _ in commands]
        self._wire.ask_all(commands, answers)
        waiting = [asyncio.wrap_future(answer) for answer in answers]
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    async def next_push(self) -> Any:
        """The oldest message out of band, as a list; waits for one."""
        answer: Future[Any] = Future()
        self._wire.take_push(answer)
        return await asyncio.wrap_future(answer)

    @property
    def pushes(self) -> deque[Any]:
        """Messages out of band that have come, the oldest first."""
        return self._wire.pushes

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


# Commands with a confirmation for each channel, which RESP3 sends out of band; and what else of the
# kind comes in RESP2 among the replies.
CONFIRMED = {
    f"{many}{verb}".encode() for many in ("", "p", "s") for verb in ("subscribe", "unsubscribe")
}
MESSAGES = {b"message", b"pmessage", b"smessage"}


@dataclass(slots=True)
class Asked:
    """Who waits for a reply: where it goes, and for SUBSCRIBE and its kin what is missing."""

    answer: Future[Any]
    verb: bytes = b""
    missing: int = 1
    confirmations: list[Any] = field(default_factory=list)


class Wire:
    """A connection without a socket: the engine's transport, and who waits for which reply.

    All of it happens in the thread of the server's event loop.
    """

    def __init__(
        self, parts: Parts, loop: asyncio.AbstractEventLoop, on_close: Callable[[Wire], object]
    ) -> None:
        self.loop = loop
        self.pushes: deque[Any] = deque()
        self._engine = parts.engine
        self._on_close = on_close
        self._waiting: deque[Asked] = deque()
        self._wanting: deque[Future[Any]] = deque()
        # What is subscribed to, by the verb that ends it.
        self._channels: dict[bytes, set[bytes]] = {}
        self._reader = hiredis.Reader(replyError=ReplyError, notEnoughData=NOT_YET)
        self._unsent = bytearray()
        self._paused = False
        self._closed = False
        self._peer: Any = None

    # The client's end.

    def ask(self, argv: Sequence[Any], answer: Future[Any]) -> None:
        """Send a command; its reply goes to `answer`."""
        self.ask_all([argv], [answer])

    def ask_all(self, commands: Sequence[Sequence[Any]], answers: Sequence[Future[Any]]) -> None:
        """Send commands at once; the reply of each goes to its answer."""
        if self._closed:
            for answer in answers:
                answer.set_exception(ConnectionError("the connection is closed"))
            return
        if self._peer is None:
            self._peer = self._engine.connect(self)
            self._peer.address = self._peer.local_address = f"{HOST}:0"
        for argv, answer in zip(commands, answers, strict=True):
            try:
                self._unsent += hiredis.pack_command(tuple(argv))
            except Exception as error:  # An argument that cannot be sent.
                answer.set_exception(error)
                continue
            self._waiting.append(self._asked(argv, answer))
        if not self._paused:
            self._deliver()

    def _asked(self, argv: Sequence[Any], answer: Future[Any]) -> Asked:
        verb = word(argv[0]).lower()
        if verb not in CONFIRMED:
            return Asked(answer)
        missing = len(argv) - 1
        if not missing and verb.endswith(b"unsubscribe"):
            missing = max(1, len(self._channels.get(verb, ())))
        return Asked(answer, verb, missing)

    def take_push(self, answer: Future[Any]) -> None:
        """Give the oldest message to `answer`, or the next that comes."""
        if self.pushes:
            answer.set_result(self.pushes.popleft())
        elif self._closed:
            answer.set_exception(ConnectionError("the connection is closed"))
        else:
            self._wanting.append(answer)

    def _deliver(self) -> None:
        if self._unsent and not self._closed:
            data = bytes(self._unsent)
            self._unsent.clear()
            self._engine.receive(self._peer, data)

    # The engine's end.

    def write(self, data: bytes) -> None:
        """Hand replies to those who wait for them."""
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not NOT_YET:
            if isinstance(reply, list) and self._is_confirmation(reply):
                continue
            if isinstance(reply, hiredis.PushNotification) or self._is_message(reply):
                self._pushed(list(reply))
                continue
            answer = self._waiting.popleft().answer
            if answer.cancelled():
                continue
            if isinstance(reply, ReplyError):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    def writelines(self, parts: list[bytes]) -> None:
        """The same, in parts."""
        self.write(b"".join(parts))

    def _is_confirmation(self, reply: list[Any]) -> bool:
        """Take what confirms a subscription, or its end, to the command that asked for it."""
        asked = self._waiting[0] if self._waiting else None
        if asked is None or not asked.verb or not reply or reply[0] != asked.verb:
            return False
        kind, channel = reply[:2]
        end = kind if b"un" in kind else kind.replace(b"sub", b"unsub")
        channels = self._channels.setdefault(end, set())
        (channels.discard if end == kind else channels.add)(channel)
        asked.confirmations.append(list(reply))
        asked.missing -= 1
        if asked.missing == 0:
            self._waiting.popleft()
            if not asked.answer.cancelled():
                asked.answer.set_result(asked.confirmations)
        return True

    def _is_message(self, reply: Any) -> bool:
        """Whether this is a message that RESP2 sends among the replies."""
        return (
            isinstance(reply, list)
            and any(self._channels.values())
            and bool(reply)
            and reply[0] in MESSAGES
        )

    def _pushed(self, message: list[Any]) -> None:
        while self._wanting:
            answer = self._wanting.popleft()
            if answer.set_running_or_notify_cancel():
                answer.set_result(message)
                return
        self.pushes.append(message)

    def close(self) -> None:
        """Hang up, from either end."""
        if self._closed:
            return
        self._closed = True
        self._on_close(self)
        if self._peer is not None:
            self._engine.disconnect(self._peer)
        for answer in (*(asked.answer for asked in self._waiting), *self._wanting):
            if not answer.done():
                answer.set_exception(ConnectionError("the server closed the connection"))
        self._waiting.clear()
        self._wanting.clear()

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


def word(value: Any) -> bytes:
    """The first argument as bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


def words_of(value: Any) -> Sequence[Any]:
    """The words of an option's value."""
    return value if isinstance(value, tuple) else (value,)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
