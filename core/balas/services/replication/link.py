"""The connection to a primary: says who follows, and has the data set sent, or its rest.

Only the conversation is here; what becomes of the data is `following`'s business. RESP's lines and
the snapshot that stands between them are read with asyncio's streams.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext

from balas.services.targets import as_request

READ_BYTES = 256 * 1024
# Of the stream: what came at once is done at once.
STREAM_BYTES = 32 * 1024
LINE_BYTES = 64 * 1024
# What the primary must understand, for else nothing of this can work.
CAPABILITIES = (b"capa", b"psync2")


class LinkBroken(Exception):
    """The primary refuses, or says what cannot be understood; the reason is Redis's line of log."""


@dataclass(frozen=True)
class Introduction:
    """What a replica says of itself. `user` and `password` are empty where none is needed."""

    user: str
    password: str
    port: int
    address: str


@dataclass(frozen=True)
class Answer:
    """What a primary says to PSYNC.

    Attributes:
        full: a snapshot comes first; else the stream goes on where it was.
        history: the identifier of the data's history; empty if it is the one that was asked for.
        offset: how much of the stream the snapshot holds, or the server had already.
    """

    full: bool
    history: str
    offset: int


class Link:
    """One connection to a primary. Every method may raise LinkBroken, OSError or EOFError.

    Attributes:
        heard_s: when something came last, by `time.monotonic`.
        place: the address of this end, as CLIENT LIST shows it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.heard_s = time.monotonic()
        host, port = writer.get_extra_info("sockname")[:2]
        self.place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @classmethod
    async def open(cls, host: str, port: int, context: SSLContext | None, timeout_s: float) -> Link:
        """Connect, through TLS if there is a context."""
        opening = asyncio.open_connection(host, port, ssl=context, limit=LINE_BYTES)
        return cls(*await asyncio.wait_for(opening, timeout_s))

    def close(self) -> None:
        """Hang up at once; who waits for something gets an error."""
        self._writer.transport.abort()

    abort = close

    def write(self, data: bytes) -> None:
        """Nothing: to the client that stands for the primary in the engine this is the transport,
        and a stream of commands gets no replies.
        """

    def pause_reading(self) -> None:
        """Nothing: the stream is read when what came before it is done."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        """How many bytes wait for the primary to read them."""
        return int(self._writer.transport.get_write_buffer_size())

    def send(self, *words: bytes) -> None:
        """Send a command without waiting for an answer."""
        self._writer.write(as_request(words))

    def keep_alive(self) -> None:
        """A sign of life for a primary that waits for a replica which is busy loading."""
        self._writer.write(b"\n")

    async def ask(self, *words: bytes) -> str:
        """Send a command; the line that answers it."""
        self.send(*words)
        return await self._line()

    async def _line(self) -> str:
        """The next line that is not empty: empty ones are signs of life."""
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                raise LinkBroken("The answer of the MASTER is too long") from error
            self.heard_s = time.monotonic()
            if text := line.strip().decode("latin-1"):
                return text

    async def introduce(self, who: Introduction, note: Callable[[str], None]) -> None:
        """PING, AUTH and REPLCONF. `note` gets what a primary did not understand, and need not."""
        answer = await self.ask(b"PING")
        if not answer.startswith(("+", "-NOAUTH", "-NOPERM", "-ERR operation not permitted")):
            raise LinkBroken(f"Error reply to PING from master: '{answer}'")
        if who.password:
            words = [word.encode() for word in (who.user, who.password) if word]
            answer = await self.ask(b"AUTH", *words)
            if answer.startswith("-"):
                raise LinkBroken(f"Unable to AUTH to MASTER: {answer}")
        told: list[Sequence[bytes]] = [(b"listening-port", b"%d" % who.port)]
        if who.address:
            told.append((b"ip-address", who.address.encode()))
        told.append(CAPABILITIES)
        for pair in told:
            answer = await self.ask(b"REPLCONF", *pair)
            if answer.startswith("-"):
                name = pair[0].decode()
                note(f"(Non critical) Master does not understand REPLCONF {name}: {answer}")

    async def synchronize(self, history: str, position: int, *more: bytes) -> Answer:
        """PSYNC: ask for a history from a position on, or with ("?", -1) for everything; and say
        what `more` there is to say.
        """
        line = await self.ask(b"PSYNC", history.encode(), b"%d" % position, *more)
        words = line.split()
        if words[0] == "+FULLRESYNC" and len(words) == 3:
            return Answer(True, words[1], int(words[2]))
        if words[0] == "+CONTINUE":
            return Answer(False, words[1] if len(words) > 1 else history, position - 1)
        if words[0] in ("-NOMASTERLINK", "-LOADING"):
            raise LinkBroken(
                f"Master is currently unable to PSYNC but should be in the future: {line}"
            )
        raise LinkBroken(f"Unexpected reply to PSYNC from master: {line}")

    async def fetch(self, path: Path, progress: Callable[[int, int], None]) -> None:
        """Write the snapshot that comes now to a file.

        `progress(received, total)` is told from time to time, in bytes.
        """
        line = await self._line()
        if line.startswith("-"):
            raise LinkBroken(f"MASTER aborted replication with an error: {line[1:]}")
        if not line.startswith("$") or not line[1:].isdigit():
            raise LinkBroken(
                f"Bad protocol from MASTER, the first byte is not '$' (we received '{line}'), are "
                "you sure the host and port are right?"
            )
        total, received = int(line[1:]), 0
        progress(received, total)
        with path.open("wb", buffering=0) as file:
            while received < total:
                data = await self._read(min(READ_BYTES, total - received))
                file.write(data)
                received += len(data)
                progress(received, total)
            await asyncio.to_thread(os.fsync, file.fileno())

    async def stream(self) -> bytes:
        """What has come of the stream of commands, as soon as there is something."""
        return await self._read(STREAM_BYTES)

    async def _read(self, size: int) -> bytes:
        data = await self._reader.read(size)
        if not data:
            raise EOFError("Connection with master lost.")
        self.heard_s = time.monotonic()
        return data
