"""The Bloom filter as a value of the keyspace: how it is stored, dumped and measured.

Its bits and how they are probed are in `_filter`; the commands are in `commands`. What is written
here is read by RedisBloom and the other way round: the value in RDB files ("MBbloom--", version 4;
versions 0 to 3 are read too) and the header and chunks of BF.SCANDUMP and BF.LOADCHUNK.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Self

from balas.api import BadData, Digest, LoadStream, NotUnderstood, SaveStream
from balas_bloom._filter import (
    ENTRIES_ARE_BITS,
    EXACT_BITS,
    FIXED,
    HASH_64,
    Chain,
    ChainHolder,
    Layer,
    new_chain,
)

# Bytes of bits that one BF.SCANDUMP gives and one BF.LOADCHUNK of a rewritten log carries.
CHUNK_BYTES = 16 * 1024 * 1024

# The layout of a dumped header: items, layers, options, growth; then for each layer bytes, bits,
# items, error rate, bits per entry, hashes, entries, logarithm of the number of addressed bits.
HEADER = Struct("<QIII")
LAYER = Struct("<QQQddIQB")


KNOWN_OPTIONS = EXACT_BITS | ENTRIES_ARE_BITS | HASH_64 | FIXED
# The error rate halves from layer to layer and is at least 2**-1074, so there are never more.
LAYERS_MAX = 1100
# The growth of filters saved before it became a setting.
GROWTH_BEFORE_VERSION_4 = 2

# What RedisBloom's own structures take beside the bits.
CHAIN_BYTES = 32
LAYER_BYTES = 64


class BloomFilter(ChainHolder):
    """A set that answers "surely not" or "probably": see `Chain` for the structure."""

    __slots__ = ()

    type_name = "MBbloom--"
    rdb_version = 4

    @classmethod
    def create(cls, capacity: int, error_rate: float, expansion: int, *, scaling: bool) -> Self:
        """An empty filter for `capacity` items.

        If `scaling`, it grows by layers each `expansion` times larger than the one before. Raises
        MemoryError if that many bits cannot be had.
        """
        options = EXACT_BITS | HASH_64 | (0 if scaling else FIXED)
        return cls(new_chain(capacity, error_rate, options, expansion))

    @property
    def scaling(self) -> bool:
        """Whether the filter grows."""
        return not self.chain.options & FIXED

    @property
    def size(self) -> int:
        """Bytes, as BF.INFO counts them: those of RedisBloom's structures."""
        return CHAIN_BYTES + LAYER_BYTES * len(self.chain.layers) + self.chain.length

    # --- dumps -----------------------------------------------------------------------------------

    def header(self) -> bytes:
        """What BF.SCANDUMP gives first: everything but the bits."""
        chain = self.chain
        start = HEADER.pack(chain.items, len(chain.layers), chain.options, chain.growth)
        return start + b"".join(
            LAYER.pack(
                layer.length,
                layer.bits,
                layer.size,
                layer.error,
                layer.bpe,
                layer.hashes,
                layer.entries,
                layer.n2,
            )
            for layer in chain.layers
        )

    @classmethod
    def from_header(cls, data: bytes) -> Self:
        """A filter without bits from what `header` gave.

        Raises BadData for a header that makes no sense, MemoryError for one that asks for more
        than can be had.
        """
        if len(data) < HEADER.size:
            raise BadData("header of a Bloom filter is too short")
        items, count, options, growth = HEADER.unpack_from(data)
        if not 0 < count <= LAYERS_MAX or len(data) != HEADER.size + LAYER.size * count:
            raise BadData("header of a Bloom filter has another length than it says")
        layers = []
        fields = LAYER.iter_unpack(data[HEADER.size :])
        for length, bits, size, error, bpe, hashes, entries, n2 in fields:
            # The bits are still to come: nobody gets more room than the entries could need.
            if bits != length * 8 or bits > 2 * (entries + 1) * bpe + 64:
                raise BadData("layer of a Bloom filter has another number of bits than it says")
            layers.append(make_layer(entries, error, bpe, hashes, bits, n2, size, length))
        return cls(make_chain(layers, options, growth, items))

    def chunk(self, position: int) -> tuple[int, bytes]:
        """Some bits from `position` on, which begins at 1, and the position after them.

        Past the end these are 0 and no bytes.
        """
        return self.chain.read(position, CHUNK_BYTES) if position > 0 else (0, b"")

    def dump(self) -> Iterator[tuple[int, bytes]]:
        """All that BF.LOADCHUNK must be given to rebuild the filter: positions and data."""
        yield 1, self.header()
        position, data = self.chunk(1)
        while position:
            yield position, data
            position, data = self.chunk(position)

    # --- the contract of a value -----------------------------------------------------------------

    def rdb_save(self, out: SaveStream) -> None:
        """Write the layout that RedisBloom writes."""
        chain = self.chain
        out.save_unsigned(chain.items)
        out.save_unsigned(len(chain.layers))
        out.save_unsigned(chain.options)
        out.save_unsigned(chain.growth)
        for layer in chain.layers:
            out.save_unsigned(layer.entries)
            out.save_double(layer.error)
            out.save_unsigned(layer.hashes)
            out.save_double(layer.bpe)
            out.save_unsigned(layer.bits)
            out.save_unsigned(layer.n2)
            out.save_string(memoryview(layer))
            out.save_unsigned(layer.size)

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read any version up to 4; BadData for numbers that contradict each other."""
        if version > cls.rdb_version:
            raise NotUnderstood(f"Bloom filter of a version not known: {version}")
        items = source.load_unsigned()
        count = source.load_unsigned()
        options = source.load_unsigned() if version >= 2 else 0
        growth = source.load_unsigned() if version >= 4 else GROWTH_BEFORE_VERSION_4
        if not 0 < count <= LAYERS_MAX:
            raise BadData(f"Bloom filter of {count} layers")
        layers = [load_layer(source, version) for _ in range(count)]
        return cls(make_chain(layers, options, growth, items))

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One BF.LOADCHUNK for the header, and one for every chunk of bits."""
        for position, data in self.dump():
            yield b"BF.LOADCHUNK", key, b"%d" % position, data

    def copy(self) -> Self:
        """A filter with equal content that shares nothing."""
        return type(self)(self.chain.copy())

    def digest(self, digest: Digest) -> None:
        """Everything a dump holds counts."""
        for _, data in self.dump():
            digest.add(data)


def load_layer(source: LoadStream, version: int) -> Layer:
    """Read one layer of a saved filter."""
    entries = source.load_unsigned()
    error = source.load_double()
    hashes = source.load_unsigned()
    bpe = source.load_double()
    if version >= 1:
        bits = source.load_unsigned()
        n2 = source.load_unsigned()
    else:
        bits = whole(entries * bpe)
        n2 = 0
    data = source.load_string()
    size = source.load_unsigned()
    return make_layer(entries, error, bpe, hashes, bits, n2, size, len(data), data)


def whole(number: float) -> int:
    """A float without its fraction; BadData for infinities and NaN."""
    try:
        return int(number)
    except (OverflowError, ValueError) as error:
        raise BadData(f"Bloom filter: {error}") from error


def make_layer(
    entries: int,
    error_rate: float,
    bpe: float,
    hashes: int,
    bits: int,
    n2: int,
    size: int,
    length: int,
    data: bytes | None = None,
) -> Layer:
    """A layer from numbers that come from outside; BadData if they contradict each other."""
    try:
        return Layer(entries, error_rate, bpe, hashes, bits, n2, size, length, data)
    except (ValueError, OverflowError) as error:
        raise BadData(f"Bloom filter: {error}") from error


def make_chain(layers: list[Layer], options: int, growth: int, items: int) -> Chain:
    """A chain from numbers that come from outside; BadData if they contradict each other."""
    if options & ~KNOWN_OPTIONS:
        raise BadData(f"Bloom filter with options not known: {options}")
    if sum(layer.size for layer in layers) != items:
        raise BadData("Bloom filter's layers hold another number of items than it says")
    try:
        return Chain(layers, options, growth)
    except OverflowError as error:
        raise BadData(f"Bloom filter: {error}") from error
