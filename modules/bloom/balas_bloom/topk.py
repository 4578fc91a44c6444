"""The list of the items counted most as a value of the keyspace; its kernel is `_topk`.

In RDB files it is RedisBloom's "TopK-TYPE", version 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from balas.api import BadData, Digest, LoadStream, NotUnderstood, SaveStream, dump_payload
from balas_bloom._topk import Top, TopHolder

COUNTER_BYTES = 8
ENTRY_BYTES = 24
# Where the chances of a value begin that comes from a file or a copy; any number but 0.
SEED = 0x9E3779B97F4A7C15


class TopK(TopHolder):
    """The items counted most, as far as can be told from few counters."""

    __slots__ = ()

    type_name = "TopK-TYPE"
    rdb_version = 0

    @classmethod
    def create(cls, k: int, width: int, depth: int, decay: float, seed: int = SEED) -> Self:
        """An empty list of `k`; MemoryError if there cannot be as many counters."""
        try:
            return cls(Top(k, width, depth, decay, seed))
        except (ValueError, OverflowError):
            raise MemoryError from None

    def rdb_save(self, out: SaveStream) -> None:
        """Write the layout that RedisBloom writes."""
        top = self.top
        out.save_unsigned(top.k)
        out.save_unsigned(top.width)
        out.save_unsigned(top.depth)
        out.save_double(top.decay)
        out.save_string(top.read_counters())
        out.save_string(top.read_entries())
        for name in top.names:
            out.save_string((name or b"") + b"\0")

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read what `rdb_save` writes; BadData for numbers that contradict each other."""
        if version > cls.rdb_version:
            raise NotUnderstood(f"TopK of a version not known: {version}")
        k, width, depth = (source.load_unsigned() for _ in range(3))
        decay = source.load_double()
        counters = source.load_string()
        entries = source.load_string()
        # Before anything is made: a number is not believed that the data do not bear out.
        if len(counters) != width * depth * COUNTER_BYTES or len(entries) != k * ENTRY_BYTES:
            raise BadData("TopK of another size than it says")
        names: list[bytes | None] = []
        for _ in range(k):
            text = source.load_string()
            names.append(text[:-1] if len(text) > 1 else None)
        try:
            top = Top(k, width, depth, decay, SEED)
            top.write(counters, entries, names)
        except (ValueError, OverflowError) as error:
            raise BadData(f"TopK: {error}") from error
        return cls(top)

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One RESTORE: no command sets the counters."""
        yield b"RESTORE", key, b"0", dump_payload(self)

    def copy(self) -> Self:
        """A list with equal content that shares nothing."""
        top = self.top
        made = Top(top.k, top.width, top.depth, top.decay, SEED)
        made.write(top.read_counters(), top.read_entries(), list(top.names))
        return type(self)(made)

    def digest(self, digest: Digest) -> None:
        """Everything counts but the state of the chances."""
        top = self.top
        digest.add(b"%d %d %d %r" % (top.k, top.width, top.depth, top.decay))
        digest.add(top.read_counters())
        digest.add(top.read_entries())
        for name in top.names:
            digest.add(name or b"")
