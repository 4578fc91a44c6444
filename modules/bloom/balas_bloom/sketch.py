"""The count-min sketch as a value of the keyspace; its counters are in `_sketch`.

In RDB files it is RedisBloom's "CMSk-TYPE", version 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from balas.api import BadData, Digest, LoadStream, NotUnderstood, SaveStream, dump_payload
from balas_bloom._sketch import Sketch, SketchHolder


class CountMinSketch(SketchHolder):
    """How often items were counted: the count or more, never less."""

    __slots__ = ()

    type_name = "CMSk-TYPE"
    rdb_version = 0

    @classmethod
    def create(cls, width: int, depth: int) -> Self:
        """A sketch of `depth` rows; MemoryError if there cannot be as many counters."""
        try:
            return cls(Sketch(width, depth))
        except (ValueError, OverflowError):
            raise MemoryError from None

    def rdb_save(self, out: SaveStream) -> None:
        """Write the layout that RedisBloom writes."""
        out.save_unsigned(self.sketch.width)
        out.save_unsigned(self.sketch.depth)
        out.save_unsigned(self.sketch.total)
        out.save_string(self.sketch.read())

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read what `rdb_save` writes; BadData for numbers that contradict each other."""
        if version > cls.rdb_version:
            raise NotUnderstood(f"count-min sketch of a version not known: {version}")
        width, depth, total = (source.load_unsigned() for _ in range(3))
        data = source.load_string()
        if width * depth * 4 != len(data):
            raise BadData("count-min sketch of another size than it says")
        try:
            sketch = Sketch(width, depth)
            sketch.write(data, total)
        except (ValueError, OverflowError) as error:
            raise BadData(f"count-min sketch: {error}") from error
        return cls(sketch)

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One RESTORE: no command of a sketch sets its counters."""
        yield b"RESTORE", key, b"0", dump_payload(self)

    def copy(self) -> Self:
        """A sketch with equal content that shares nothing."""
        made = Sketch(self.sketch.width, self.sketch.depth)
        made.write(self.sketch.read(), self.sketch.total)
        return type(self)(made)

    def digest(self, digest: Digest) -> None:
        """Size, total and counters count."""
        sketch = self.sketch
        digest.add(b"%d %d %d" % (sketch.width, sketch.depth, sketch.total))
        digest.add(sketch.read())
