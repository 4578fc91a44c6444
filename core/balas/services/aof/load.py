"""Replays the log: the base, then every increment, through the same engine that serves clients.

A file that ends in the middle of a record is what a crash leaves. If it is the last one, it is cut back to its last whole unit,
with a warning (aof-load-truncated), and everything else stops the start: a damaged log is for a person to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.errors import ReplyError
from balas.protocol.parser import ParserSettings, RequestParser
from balas.services.log import Log

CHUNK_BYTES = 1 << 20


class BadLog(Exception):
    """A log that cannot be loaded; names the file and the offset."""


class LogReplay:
    """Replays one file of commands.

    Attributes:
        good_bytes: how far the file consists of whole units.
        truncated: whether it ends in the middle of one.
    """

    def __init__(self, engine: Engine, log: Log, path: Path) -> None:
        self._engine = engine
        self._log = log
        self._path = path
        self.good_bytes = 0
        self.truncated = False

    def steps(self, start: int = 0) -> Iterator[int]:
        """Replay from this offset on, a chunk at a time: a generator of the offset reached. Raises BadLog, OSError."""
        client = self._engine.connect(None, "internal")
        self.good_bytes = start
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                yield from self._replay(client, iter(lambda: file.read(CHUNK_BYTES), b""), start)
        finally:
            self._engine.disconnect(client)
        if client.queue is not None:
            self._log.warning("Revert incomplete MULTI/EXEC transaction from AOF file")
            self.truncated = True

    def _replay(self, client: Client, chunks: Iterator[bytes], start: int) -> Iterator[int]:
        """Parse and run; `good_bytes` follows behind the last unit that ended."""
        parser = RequestParser(ParserSettings(1 << 62))
        offset = position = start
        for chunk in chunks:
            for argv, size, inline in parser.split(chunk):
                if not inline:
                    self._run(client, argv, position)
                elif not argv[0].startswith(b"#"):  # a note, such as a timestamp
                    raise self._bad(position, f"unexpected line {argv[0][:32]!r}")
                position += size
                if client.queue is None:
                    self.good_bytes = position
            if parser.error:
                raise self._bad(position, parser.error)
            offset += len(chunk)
            yield offset
        self.truncated = parser.incomplete

    def _bad(self, offset: int, reason: str) -> BadLog:
        return BadLog(
            f"Bad file format reading the append only file {self._path} at offset {offset}: {reason}. Make a backup of your "
            "AOF file, then use ./redis-check-aof --fix <filename.manifest>"
        )

    def _run(self, client: Client, argv: list[bytes], offset: int) -> None:
        name = argv[0].lower()
        if client.queue is not None and name not in (b"exec", b"multi", b"discard"):
            try:
                client.queue.append((self._engine.resolve_list(argv), argv))
            except ReplyError as error:
                raise self._bad(offset, error.text) from None
            return
        reply = self._engine.execute_for(client, argv)
        if isinstance(reply, ReplyError) and reply.text.startswith("ERR unknown command"):
            raise self._bad(offset, reply.text)



def truncate(path: Path, size: int, log: Log) -> None:
    """Cut a file back to its last whole unit. Raises OSError."""
    log.warning(f"!!! Warning: short read while loading the AOF file {path.name}!!!")
    log.warning(f"AOF loaded anyway because aof-load-truncated is enabled; cut {path.stat().st_size - size} bytes at {size}")
    os.truncate(path, size)
