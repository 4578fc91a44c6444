"""A small blocking client: `client("SET", "k", "v")` sends, waits, returns the reply.

It does what a test wants and no more: requests in any spelling, raw bytes both ways, pipelines,
pushes, a time limit on every wait. The bytes travel over a `Transport`; `SocketTransport` is TCP
or a unix socket, and the in-process server has one without a socket.
"""

import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import hiredis

from balas.errors import ReplyError
from balas.testing.wire import NOT_YET, Typed, TypedReader, encode


class Transport(Protocol):
    """Bytes to a server and back."""

    def send(self, data: bytes) -> None:
        """Send all of data."""

    def receive(self, timeout_s: float) -> bytes:
        """Some bytes, or b"" once the server has closed; TimeoutError when none came in time."""

    def close(self) -> None:
        """Hang up."""


class SocketTransport:
    """A TCP connection, or a unix socket when `path` is given."""

    def __init__(self, host: str = "127.0.0.1", port: int = 6379, path: str | None = None) -> None:
        if path is None:
            self.socket = socket.create_connection((host, port), timeout=10)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(path)

    def send(self, data: bytes) -> None:
        """Send all of data; waits while the server is slow to read."""
        self.socket.settimeout(60)
        self.socket.sendall(data)

    def receive(self, timeout_s: float) -> bytes:
        """Some bytes, b"" at the end; a connection the server reset counts as closed."""
        self.socket.settimeout(max(timeout_s, 0.0001))
        try:
            return self.socket.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Reader(Protocol):
    """What `hiredis.Reader` and `TypedReader` share."""

    def feed(self, data: bytes) -> None:
        """Take in what the server sent."""

    def gets(self) -> Any:
        """The next reply, or `NOT_YET` while it is incomplete."""

    def has_data(self) -> bool:
        """Whether bytes wait that no complete reply has used up."""


class Client:
    """One connection to a server.

    Replies are bytes, int, float, bool, None, list, dict; with `typed` they are `Typed`, which
    keeps the RESP type of each element. `resp` 3 says HELLO 3 at once. Every wait ends after
    `timeout_s` with TimeoutError.
    """

    def __init__(
        self, transport: Transport, *, resp: int = 2, typed: bool = False, timeout_s: float = 10.0
    ) -> None:
        self.transport = transport
        self.timeout_s = timeout_s
        self.typed = typed
        # Out-of-band messages (RESP3) that came while a reply was waited for.
        self.pushes: deque[Any] = deque()
        self._reader = self._new_reader()
        if resp == 3:
            self.send("HELLO", "3")
            reply = self.read()
            if isinstance(reply, ReplyError):
                raise reply
            if isinstance(reply, Typed) and reply.is_error:
                raise ReplyError(reply.value.decode("latin-1"))

    def __call__(self, *argv: Any) -> Any:
        """Send one command and return its reply; an error reply is raised as `ReplyError`."""
        self.send(*argv)
        reply = self.read()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def error(self, *argv: Any) -> str:
        """Send one command that must be refused, and return the text of the refusal."""
        self.send(*argv)
        reply = self.read()
        if isinstance(reply, Typed) and reply.is_error:
            return str(reply.value.decode("latin-1"))
        if not isinstance(reply, ReplyError):
            raise AssertionError(f"{argv!r} was to be refused but replied {reply!r}")
        return reply.text

    def pipeline(self, *commands: Sequence[Any]) -> list[Any]:
        """Send the commands in one write and return their replies; errors stand in the list."""
        self.send_raw(b"".join(encode(*argv) for argv in commands))
        return [self.read() for _ in commands]

    def send(self, *argv: Any) -> None:
        """Send one command without waiting for its reply."""
        self.send_raw(encode(*argv))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.transport.send(data)

    def read(self, timeout_s: float | None = None) -> Any:
        """The next reply; pushes that come first are set aside in `pushes`."""
        for message in self._messages(timeout_s):
            if not is_push(message):
                return message
            self.pushes.append(message)
        raise AssertionError("unreachable")

    def push(self, timeout_s: float | None = None) -> Any:
        """The next out-of-band message (RESP3); AssertionError if a reply comes instead."""
        if self.pushes:
            return self.pushes.popleft()
        message = next(self._messages(timeout_s))
        if not is_push(message):
            raise AssertionError(f"a push was awaited, a reply came: {message!r}")
        return message

    def raw(self, data: bytes, replies: int = 1, timeout_s: float | None = None) -> bytes:
        """Send bytes and return the very bytes of the next replies (pushes count)."""
        if self._reader.has_data() or self.pushes:
            raise AssertionError("replies are waiting that were not read")
        self.send_raw(data)
        reader = TypedReader()
        taken = bytearray()
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        for _ in range(replies):
            while (reply := reader.gets_raw()) is None:
                reader.feed(self._receive(deadline))
            taken += reply[1]
        if reader.has_data():
            raise AssertionError(f"more than {replies} replies came after {bytes(taken)!r}")
        return bytes(taken)

    def read_to_end(self, timeout_s: float | None = None) -> bytes:
        """All bytes up to the server's hanging up; TimeoutError if it does not."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        taken = bytearray()
        while data := self.transport.receive(deadline - time.monotonic()):
            taken += data
            if time.monotonic() > deadline:
                raise TimeoutError("the server did not close the connection")
        return bytes(taken)

    def close(self) -> None:
        """Hang up."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _new_reader(self) -> Reader:
        if self.typed:
            return TypedReader()
        reader: Reader = hiredis.Reader(replyError=ReplyError, notEnoughData=NOT_YET)
        return reader

    def _messages(self, timeout_s: float | None) -> Iterator[Any]:
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while True:
            while (message := self._reader.gets()) is NOT_YET:
                self._reader.feed(self._receive(deadline))
            yield message

    def _receive(self, deadline: float) -> bytes:
        data = self.transport.receive(deadline - time.monotonic())
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


def is_push(message: Any) -> bool:
    """Whether a message from either reader is out of band."""
    if isinstance(message, Typed):
        return message.kind == ">"
    return isinstance(message, hiredis.PushNotification)
