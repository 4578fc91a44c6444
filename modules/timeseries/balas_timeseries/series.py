"""A series of samples as a value of the keyspace; its kernel is `_chunk`.

Chunks stand in rising order of time and do not overlap. A sample at the end is appended to the last
chunk; any other change decodes the one chunk it falls into, and encodes it anew into as many chunks
as that takes.

In RDB files a series has RedisTimeSeries' name, "TSDB-TYPE", and a version of our own: 100.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from balas.api import BadData, Digest, LoadStream, SaveStream, Value, dump_payload
from balas_timeseries._chunk import Chunk, decode_all, encode_all

if TYPE_CHECKING:
    from balas_timeseries._chunk import Times, Values

# What the objects of a series and of a chunk take beside the samples.
SERIES_BYTES = 512
CHUNK_BYTES = 128
TIME_MAX = 2**63 - 1


class Series(Value):
    """Samples with what is to be kept of them, and labels."""

    __slots__ = ("chunk_bytes", "chunks", "labels", "policy", "retention_ms", "total")

    type_name = "TSDB-TYPE"
    rdb_version = 100

    def __init__(
        self,
        retention_ms: int = 0,
        chunk_bytes: int = 4096,
        policy: str | None = None,
        labels: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.retention_ms = retention_ms
        self.chunk_bytes = chunk_bytes
        self.policy = policy
        self.labels = tuple(labels)
        self.chunks = [Chunk(chunk_bytes)]
        self.total = 0

    @property
    def first(self) -> int:
        """The timestamp of the first sample in ms; 0 if there is none."""
        return self.chunks[0].first if self.total else 0

    @property
    def last(self) -> int:
        """The timestamp of the last sample in ms; 0 if there is none."""
        return self.chunks[-1].last if self.total else 0

    @property
    def last_value(self) -> float:
        """The value of the last sample; 0.0 if there is none."""
        return self.chunks[-1].last_value if self.total else 0.0

    def append(self, timestamp: int, value: float) -> None:
        """Add a sample later than all others, and drop chunks that retention lets go."""
        if not self.chunks[-1].append(timestamp, value):
            self.chunks.append(Chunk(self.chunk_bytes))
            self.chunks[-1].append(timestamp, value)
        self.total += 1
        if self.retention_ms:
            while len(self.chunks) > 1 and self.chunks[0].last < timestamp - self.retention_ms:
                self.total -= self.chunks.pop(0).count

    def find(self, timestamp: int) -> float | None:
        """The value of the sample at this time."""
        times, values = self.chunks[self._place(timestamp)].decode()
        at = int(np.searchsorted(times, timestamp))
        return float(values[at]) if at < len(times) and times[at] == timestamp else None

    def put(self, timestamp: int, value: float) -> None:
        """Add a sample anywhere, or replace the one of this time."""
        place = self._place(timestamp)
        times, values = self.chunks[place].decode()
        at = int(np.searchsorted(times, timestamp))
        if at < len(times) and times[at] == timestamp:
            values[at] = value
        else:
            times, values = np.insert(times, at, timestamp), np.insert(values, at, value)
            self.total += 1
        self.chunks[place : place + 1] = encode_all(times, values, self.chunk_bytes)

    def remove(self, start: int, end: int) -> int:
        """Remove the samples from `start` to `end`, both included; how many there were."""
        kept: list[Chunk] = []
        for chunk in self.chunks:
            if chunk.last < start or chunk.first > end:
                kept.append(chunk)
            elif chunk.first < start or chunk.last > end:
                times, values = chunk.decode()
                outside = (times < start) | (times > end)
                kept += encode_all(times[outside], values[outside], self.chunk_bytes)
        kept = [chunk for chunk in kept if chunk.count]
        before, self.total = self.total, sum(chunk.count for chunk in kept)
        self.chunks = kept or [Chunk(self.chunk_bytes)]
        return before - self.total

    def range(self, start: int, end: int) -> tuple[Times, Values]:
        """The samples from `start` to `end`, both included, that retention has not let go."""
        if self.retention_ms:
            start = max(start, self.last - self.retention_ms)
        inside = [
            chunk
            for chunk in self.chunks
            if chunk.count and chunk.last >= start and chunk.first <= end
        ]
        times, values = decode_all(inside)
        low = int(np.searchsorted(times, start))
        high = int(np.searchsorted(times, end, "right"))
        return times[low:high], values[low:high]

    def _place(self, timestamp: int) -> int:
        """The index of the chunk that a sample of this time belongs to."""
        return max(0, bisect_right(self.chunks, timestamp, key=lambda chunk: chunk.first) - 1)

    # --- as a value ------------------------------------------------------------------------------

    def rdb_save(self, out: SaveStream) -> None:
        """Write the settings, the labels, and the samples as two arrays."""
        out.save_unsigned(self.retention_ms)
        out.save_unsigned(self.chunk_bytes)
        out.save_string((self.policy or "").encode())
        out.save_unsigned(len(self.labels))
        for name, value in self.labels:
            out.save_string(name)
            out.save_string(value)
        times, values = decode_all(self.chunks)
        out.save_string(times.astype("<i8").tobytes())
        out.save_string(values.astype("<f8").tobytes())

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read what `rdb_save` writes; BadData for anything else."""
        if version != cls.rdb_version:
            raise BadData(f"time series of a version not known: {version}")
        retention_ms, chunk_bytes = source.load_unsigned(), source.load_unsigned()
        policy = source.load_string().decode() or None
        count = source.load_unsigned()
        labels = [(source.load_string(), source.load_string()) for _ in range(count)]
        times, values = source.load_string(), source.load_string()
        if len(times) != len(values) or len(times) % 8 or not 48 <= chunk_bytes <= 2**20:
            raise BadData("time series of another size than it says")
        made = cls(retention_ms, chunk_bytes, policy, labels)
        made.total = len(times) // 8
        if made.total:
            stamps = np.frombuffer(times, "<i8").astype(np.int64)
            if stamps[0] < 0 or bool((np.diff(stamps) <= 0).any()):
                raise BadData("time series out of order")
            made.chunks = encode_all(
                stamps, np.frombuffer(values, "<f8").astype(np.float64), chunk_bytes
            )
        return made

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One RESTORE."""
        yield b"RESTORE", key, b"0", dump_payload(self)

    def copy(self) -> Self:
        """A series with equal content that shares nothing."""
        made = type(self)(self.retention_ms, self.chunk_bytes, self.policy, self.labels)
        if self.total:
            made.chunks = encode_all(*decode_all(self.chunks), self.chunk_bytes)
            made.total = self.total
        return made

    def digest(self, digest: Digest) -> None:
        """Settings, labels and samples; not how they are spread over chunks."""
        digest.add(b"%d %d %r" % (self.retention_ms, self.chunk_bytes, self.policy))
        for name, value in self.labels:
            digest.add(name)
            digest.add(value)
        times, values = decode_all(self.chunks)
        digest.add(times.tobytes())
        digest.add(values.tobytes())

    def memory_usage(self) -> int:
        """The chunks, full or not, and the objects around them."""
        return SERIES_BYTES + len(self.chunks) * (self.chunk_bytes + CHUNK_BYTES)

    def free_effort(self) -> int:
        """An allocation for each chunk."""
        return len(self.chunks)
