"""Two servers that are asked the same and must answer the same."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from balas.testing.transcript import Comparison, Server, Transcript, describe_difference
from balas.testing.wire import Typed, show, to_bytes


class Both:
    """Balas and a real server side by side: ``both("SET", "k", "v")`` fails where they differ.

    `ways` are those of `Comparison`, with blanks between: "sorted", "pairs", "error-code", ...
    """

    def __init__(self, balas: Server, real: Server, resp: int = 2) -> None:
        self.balas = balas
        self.real = real
        self._pair = [server.client(resp=resp, typed=True) for server in (balas, real)]

    def __call__(self, *argv: Any, ways: str = "", delta: float = 0.0) -> Typed:
        """Send a command to both, compare the replies, and return Balas's."""
        for client in self._pair:
            client.send(*argv)
        return self.read(*argv, ways=ways, delta=delta)

    def send(self, *argv: Any) -> None:
        """Send a command to both without reading the replies."""
        for client in self._pair:
            client.send(*argv)

    def read(self, *argv: Any, ways: str = "", delta: float = 0.0) -> Typed:
        """Compare the next reply of both; `argv` is for the message only."""
        ours, theirs = (client.read() for client in self._pair)
        if not Comparison(frozenset(ways.split()), delta).same(ours, theirs):
            asked = " ".join(show(Typed("$", to_bytes(word))) for word in argv)
            raise AssertionError(f"{asked}\n{describe_difference(theirs, ours)}")
        reply: Typed = ours
        return reply

    def raw(self, data: bytes, replies: int = 1) -> bytes:
        """Send bytes to both; the very bytes of the replies must be equal, and are returned."""
        ours, theirs = (client.raw(data, replies) for client in self._pair)
        if ours != theirs:
            raise AssertionError(f"{data!r}\n    real   {theirs!r}\n    balas  {ours!r}")
        return ours

    def transcript(self, path: Path) -> None:
        """Play a transcript to both."""
        Transcript.load(path).check(self.balas, self.real)

    def sleep_ms(self, duration_ms: int) -> None:
        """Let time pass on both."""
        self.balas.sleep_ms(duration_ms)
        self.real.sleep_ms(duration_ms)

    def close(self) -> None:
        """Hang up."""
        for client in self._pair:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
