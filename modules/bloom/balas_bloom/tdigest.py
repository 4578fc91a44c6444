"""The t-digest as a value of the keyspace; its centroids are in `_tdigest`.

In RDB files it is RedisBloom's "TDIS-TYPE", version 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from balas.api import BadData, LoadStream, NotUnderstood, SaveStream, dump_payload
from balas.api import Digest as KeyDigest
from balas_bloom._tdigest import Digest, DigestHolder

# What RedisBloom's own structures take: all but the centroids, and each of these.
HEAD_BYTES = 8
NODE_BYTES = 16


class TDigest(DigestHolder):
    """Quantiles of many values, from few."""

    __slots__ = ()

    type_name = "TDIS-TYPE"
    rdb_version = 0

    @classmethod
    def create(cls, compression: int) -> Self:
        """An empty digest; MemoryError if there cannot be as many centroids."""
        try:
            return cls(Digest(compression))
        except (ValueError, OverflowError):
            raise MemoryError from None

    def rdb_save(self, out: SaveStream) -> None:
        """Write the layout that RedisBloom writes; what is not merged yet is merged before."""
        held = self.centroids
        held.compress()
        out.save_double(held.compression)
        out.save_double(held.lowest)
        out.save_double(held.highest)
        out.save_unsigned(held.capacity)
        out.save_unsigned(held.merged)
        out.save_unsigned(held.unmerged)
        out.save_unsigned(held.compressions)
        out.save_double(held.merged_weight)
        out.save_double(held.unmerged_weight)
        nodes = held.nodes()
        for mean, _ in nodes:
            out.save_double(mean)
        for _, weight in nodes:
            out.save_double(weight)

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read what `rdb_save` writes; BadData for numbers that contradict each other."""
        if version > cls.rdb_version:
            raise NotUnderstood(f"t-digest of a version not known: {version}")
        compression, lowest, highest = (source.load_double() for _ in range(3))
        capacity, merged, unmerged, compressions = (source.load_unsigned() for _ in range(4))
        merged_weight, unmerged_weight = source.load_double(), source.load_double()
        if merged + unmerged > capacity:
            raise BadData("t-digest of more centroids than it has room for")
        means = [source.load_double() for _ in range(merged + unmerged)]
        try:
            made = Digest(int(compression), capacity)
            nodes = [(mean, int(source.load_double())) for mean in means]
            made.fill(lowest, highest, compressions, nodes, unmerged)
        except (ValueError, OverflowError, MemoryError) as error:
            raise BadData(f"t-digest: {error}") from error
        if made.merged_weight != merged_weight or made.unmerged_weight != unmerged_weight:
            raise BadData("t-digest of another weight than it says")
        return cls(made)

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One RESTORE: no command sets the centroids."""
        yield b"RESTORE", key, b"0", dump_payload(self)

    def copy(self) -> Self:
        """A digest with equal content that shares nothing."""
        return type(self)(self.centroids.copy())

    def digest(self, digest: KeyDigest) -> None:
        """What is saved counts: the merged centroids, bounds and numbers."""
        held = self.centroids.copy()
        held.compress()
        state = (held.compression, held.lowest, held.highest, held.compressions)
        digest.add(repr((state, held.nodes())).encode())

    @property
    def size(self) -> int:
        """Bytes, as TDIGEST.INFO counts them: those of RedisBloom's structures."""
        return HEAD_BYTES + NODE_BYTES * self.centroids.capacity
