"""Replays the log: what clients once asked for, through the same engine that serves them.

A file that ends in the middle of a unit is what a crash leaves. If it is the last one, it is cut
back to its last whole unit, with a warning (aof-load-truncated). Everything else stops the start: a
damaged log is for a person to look at.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.errors import BadData, ReplyError
from balas.services.aof.decode import RecordReader
from balas.services.log import Log


class BadLog(Exception):
    """A log that cannot be loaded; names the file and the offset."""


class LogReplay:
    """Replays one file of commands.

    Attributes:
        good_bytes: how far the file consists of whole units.
        truncated: whether it ends in the middle of one.
        refused: how many commands were answered with an error, which none was when it was logged.
    """

    def __init__(self, engine: Engine, log: Log, path: Path) -> None:
        self._engine = engine
        self._log = log
        self._path = path
        self.good_bytes = 0
        self.truncated = False
        self.refused = 0

    def steps(self, start: int = 0, step_bytes: int = 1 << 20) -> Iterator[int]:
        """Replay from this offset on: a generator that stops every so many bytes, at the offset
        reached. Raises BadLog, OSError.
        """
        self.good_bytes = start
        with self._path.open("rb") as file:
            if os.fstat(file.fileno()).st_size <= start:
                return  # Nothing cannot be mapped.
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                records = RecordReader(data, start)
                client = self._engine.connect(None, "internal")
                try:
                    yield from self._replay(client, records, step_bytes)
                finally:
                    records.close()
                    self._engine.disconnect(client)
        if self.refused:
            self._log.warning(
                f"{self.refused} commands of the append only file {self._path} were refused"
            )

    def _replay(self, client: Client, records: RecordReader, step_bytes: int) -> Iterator[int]:
        """Run the records; `good_bytes` follows behind the last unit that ended."""
        next_stop = records.position + step_bytes
        try:
            while (argv := records.next_record()) is not None:
                self._run(client, argv, records.start)
                if client.queue is None:
                    self.good_bytes = records.position
                if records.position >= next_stop:
                    yield records.position
                    next_stop = records.position + step_bytes
        except BadData as error:
            raise BadLog(
                f"Bad file format reading the append only file {self._path}: {error}. Make a "
                "backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>"
            ) from error
        if client.queue is not None:
            self._log.warning(
                f"Revert incomplete MULTI/EXEC transaction from AOF file {self._path}"
            )
        self.truncated = records.cut_off or client.queue is not None

    def _run(self, client: Client, argv: list[bytes], offset: int) -> None:
        """Run a command, or queue it inside MULTI. Raises BadData for what is none."""
        name = argv[0].lower()
        try:
            spec = self._engine.resolve_list(argv)
        except ReplyError as error:
            raise BadData(f"{error.text} at offset {offset}") from None
        if (name == b"exec") != (client.queue is not None) and name in (b"multi", b"exec"):
            raise BadData(f"{spec.name.upper()} out of place at offset {offset}")
        if client.queue is not None and name != b"exec":
            client.queue.append((spec, argv))
            return
        reply = self._engine.execute_for(client, argv)
        client.flush()  # EXEC writes its replies itself, and nobody reads them.
        if isinstance(reply, ReplyError):
            self._note_refusal(spec.name, offset, reply)

    def _note_refusal(self, name: str, offset: int, error: ReplyError) -> None:
        """Say of the first command that it was refused: data may be missing."""
        if not self.refused:
            self._log.warning(
                f"A command of the append only file {self._path} ('{name}', at offset {offset}) "
                f"was refused: {error.text}"
            )
        self.refused += 1


def truncate(path: Path, size: int, log: Log) -> None:
    """Cut a file back to its last whole unit. Raises OSError."""
    excess = path.stat().st_size - size
    log.warning(f"!!! Warning: short read while loading the AOF file {path.name}!!!")
    log.warning(f"AOF {path.name} loaded anyway because aof-load-truncated is enabled")
    log.warning(f"Truncating the AOF {path.name} at offset {size}: its last {excess} bytes go")
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
