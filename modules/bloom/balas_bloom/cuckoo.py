"""The cuckoo filter as a value of the keyspace: how it is stored, dumped and measured.

Its slots are in `_cuckoo`; the commands are in `cuckoo_commands`. What is written here is read by
RedisBloom and the other way round: the value in RDB files ("MBbloomCF", version 4, and those
before) and the header and chunks of CF.SCANDUMP and CF.LOADCHUNK.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Self

from balas.api import BadData, Digest, LoadStream, NotUnderstood, SaveStream
from balas_bloom._cuckoo import Table, TableHolder

# Bytes of slots that one CF.SCANDUMP gives.
CHUNK_BYTES = 16 * 1024 * 1024
# The layout of a dumped header: items, buckets, removals, layers, bucket size, iterations,
# expansion.
HEADER = Struct("<QQQQHHH")
# What RedisBloom's own structures take beside the slots.
TABLE_BYTES = 40
LAYER_BYTES = 16
# Files before version 4 say nothing of these: bucket size, iterations, expansion.
BEFORE_VERSION_4 = (2, 20, 1)


def power_of_two(number: int) -> int:
    """The lowest power of two that is not below `number`; 0 for 0."""
    return 1 << (number - 1).bit_length() if number > 0 else 0


class CuckooFilter(TableHolder):
    """A set that answers "surely not" or "probably", and from which items can be removed."""

    __slots__ = ()

    type_name = "MBbloomCF"
    rdb_version = 4

    @classmethod
    def create(cls, capacity: int, bucket_size: int, iterations: int, expansion: int) -> Self:
        """An empty filter for about `capacity` items; MemoryError if that is too many."""
        buckets = power_of_two(capacity // bucket_size) or 1
        try:
            return cls(Table(buckets, bucket_size, iterations, power_of_two(expansion)))
        except ValueError:
            raise MemoryError from None

    @property
    def size(self) -> int:
        """Bytes, as CF.INFO counts them: those of RedisBloom's structures."""
        return TABLE_BYTES + LAYER_BYTES * self.table.count + self.table.length

    # --- dumps -----------------------------------------------------------------------------------

    def header(self) -> bytes:
        """What CF.SCANDUMP gives first: everything but the slots."""
        table = self.table
        return HEADER.pack(
            table.items,
            table.buckets,
            table.deletes,
            table.count,
            table.bucket_size,
            table.iterations,
            table.expansion,
        )

    @classmethod
    def from_header(cls, data: bytes) -> Self:
        """A filter with empty slots from what `header` gave.

        Raises BadData for a header that makes no sense, MemoryError for one that asks for more
        than can be had.
        """
        if len(data) != HEADER.size:
            raise BadData("header of a cuckoo filter has another length")
        items, buckets, deletes, layers, bucket_size, iterations, expansion = HEADER.unpack(data)
        try:
            table = Table(buckets, bucket_size, iterations, expansion, layers)
        except (ValueError, OverflowError) as error:
            raise BadData(f"cuckoo filter: {error}") from error
        return cls(with_counts(table, items, deletes))

    def find(self, offset: int) -> tuple[int, int] | None:
        """The layer that holds this byte, and the place in it; None past the end."""
        for layer in range(self.table.count):
            length = self.table.layer_length(layer)
            if offset < length:
                return layer, offset
            offset -= length
        return None

    def chunk(self, position: int) -> tuple[int, bytes | None]:
        """Some slots around `position`, which begins at 1, and the position after as many.

        Past the end, and of a filter without items, these are 0 and None.
        """
        found = self.find(position - 1) if self.table.items else None
        if found is None:
            return 0, None
        layer, offset = found
        data = self.table.read(layer, offset // CHUNK_BYTES * CHUNK_BYTES, CHUNK_BYTES)
        return position + len(data), data

    def load_chunk(self, position: int, data: bytes) -> None:
        """Load slots that end before `position`; BadData where there are none or not as many."""
        offset = position - 1 - len(data)
        found = self.find(offset) if data and offset >= 0 else None
        if found is None:
            raise BadData("chunk of a cuckoo filter has no place")
        try:
            self.table.write(*found, data)
        except IndexError:
            raise BadData("chunk of a cuckoo filter is too long") from None

    # --- the contract of a value -----------------------------------------------------------------

    def rdb_save(self, out: SaveStream) -> None:
        """Write the layout that RedisBloom writes."""
        table = self.table
        out.save_unsigned(table.count)
        out.save_unsigned(table.buckets)
        out.save_unsigned(table.items)
        out.save_unsigned(table.deletes)
        out.save_unsigned(table.bucket_size)
        out.save_unsigned(table.iterations)
        out.save_unsigned(table.expansion)
        for layer in range(table.count):
            out.save_unsigned(table.layer_buckets(layer))
            out.save_string(table.read(layer, 0, table.layer_length(layer)))

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read any version up to 4; BadData for numbers that contradict each other."""
        if version > cls.rdb_version:
            raise NotUnderstood(f"cuckoo filter of a version not known: {version}")
        layers, buckets, items = (source.load_unsigned() for _ in range(3))
        deletes, shape = 0, list(BEFORE_VERSION_4)
        if version == cls.rdb_version:
            deletes, *shape = (source.load_unsigned() for _ in range(4))
        if layers < 1:
            raise BadData("cuckoo filter without layers")
        # One layer after the other, as they are read: a number is not believed before.
        try:
            table = Table(buckets, *shape)
            for layer in range(layers):
                load_layer(source, table, layer)
        except (ValueError, OverflowError, MemoryError) as error:
            raise BadData(f"cuckoo filter: {error}") from error
        return cls(with_counts(table, items, deletes))

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One CF.LOADCHUNK for the header, and one for every chunk of slots."""
        yield b"CF.LOADCHUNK", key, b"1", self.header()
        position, data = self.chunk(1)
        while data is not None:
            yield b"CF.LOADCHUNK", key, b"%d" % position, data
            position, data = self.chunk(position)

    def copy(self) -> Self:
        """A filter with equal content that shares nothing."""
        return type(self)(self.table.copy())

    def digest(self, digest: Digest) -> None:
        """Everything a dump holds counts."""
        digest.add(self.header())
        for layer in range(self.table.count):
            digest.add(self.table.read(layer, 0, self.table.layer_length(layer)))


def load_layer(source: LoadStream, table: Table, layer: int) -> None:
    """Read one layer of a saved filter into `table`, which gets room for it."""
    buckets = source.load_unsigned()
    data = source.load_string()
    if layer == table.count:
        table.extend(len(data))
    if buckets != table.layer_buckets(layer) or len(data) != table.layer_length(layer):
        raise BadData("layer of a cuckoo filter has another size than follows from the first")
    table.write(layer, 0, data)


def with_counts(table: Table, items: int, deletes: int) -> Table:
    """The table, with these numbers; BadData if there cannot be as many items."""
    if items > table.length:
        raise BadData("cuckoo filter of more items than slots")
    table.set_counts(items, deletes)
    return table
