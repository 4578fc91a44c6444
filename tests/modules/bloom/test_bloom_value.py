"""The Bloom filter as a value: dumps, RDB, copies, digests, and what damaged input does to it."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from balas.api import BadData, Digest, Value
from balas.services.rdb.format import ValueKind, dump_open, module_type_id
from balas.services.rdb.module_values import pack, unpack
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.testing import Client, RealRedis
from balas.types.registry import TypeRegistry
from balas_bloom._filter import EXACT_BITS, HASH_64, Layer, new_chain
from balas_bloom.filter import CHUNK_BYTES, BloomFilter

ITEMS = [b"%d" % i for i in range(40)]


@pytest.fixture
def types() -> TypeRegistry:
    registry = TypeRegistry()
    registry.register(BloomFilter, "bf")
    return registry


@pytest.fixture
def real(real_servers: Callable[..., RealRedis]) -> Iterator[Client]:
    with real_servers("bloom").client() as client:
        client("FLUSHALL")
        yield client


def some_filter(capacity: int = 5, items: list[bytes] = ITEMS, **shape: bool) -> BloomFilter:
    made = BloomFilter.create(capacity, 0.1, 2, scaling=shape.get("scaling", True))
    made.chain.add_all(items, None, None)
    return made


FILTERS = {
    "empty": some_filter(10, []),
    "one layer": some_filter(100),
    "four layers": some_filter(5),
    "fixed": some_filter(100, scaling=False),
    "first version": BloomFilter(new_chain(20, 0.05, 0, 2)),
}
each_filter = pytest.mark.parametrize("held", FILTERS.values(), ids=FILTERS.keys())


def digest_of(held: Value) -> str:
    digest = Digest()
    held.digest(digest)
    return digest.hex()


def rebuilt(held: BloomFilter) -> BloomFilter:
    """The filter from its own dump."""
    (_, header), *chunks = held.dump()
    made = BloomFilter.from_header(header)
    for position, data in chunks:
        made.chain.write(position - len(data), data)
    return made


# --- there and back -----------------------------------------------------------------------------


@each_filter
def test_comes_back_from_its_dump(held: BloomFilter) -> None:
    assert digest_of(rebuilt(held)) == digest_of(held)
    assert rebuilt(held).chain.contains_all(ITEMS) == held.chain.contains_all(ITEMS)


@each_filter
def test_comes_back_from_its_rdb_form(held: BloomFilter, types: TypeRegistry) -> None:
    loaded = unpack(pack(held), types)
    assert isinstance(loaded, BloomFilter)
    assert digest_of(loaded) == digest_of(held)
    assert loaded.chain.add(b"new") == held.copy().chain.add(b"new")


@each_filter
def test_a_copy_is_equal_and_goes_its_own_way(held: BloomFilter) -> None:
    before = digest_of(held)
    copy = held.copy()
    assert digest_of(copy) == before
    copy.chain.add_all([b"other:%d" % i for i in range(50)], None, None)
    assert digest_of(copy) != before
    assert digest_of(held) == before


def test_the_rewritten_log_has_the_header_and_every_chunk() -> None:
    held = some_filter()
    first, *rest = held.aof_rewrite(b"key")
    assert first == (b"BF.LOADCHUNK", b"key", b"1", held.header())
    assert [words[:2] for words in rest] == [(b"BF.LOADCHUNK", b"key")] * len(held.chain.layers)
    assert b"".join(words[3] for words in rest) == b"".join(map(bytes, held.chain.layers))


def test_large_layers_are_dumped_in_chunks() -> None:
    held = BloomFilter.create(30_000_000, 0.01, 2, scaling=False)
    positions = [position for position, _ in held.dump()]
    assert positions == [1, 1 + CHUNK_BYTES, 1 + 2 * CHUNK_BYTES, 1 + held.chain.length]


def test_size_counts_what_redisbloom_counts() -> None:
    assert BloomFilter.create(100, 0.01, 2, scaling=True).size == 240
    assert BloomFilter.create(100, 0.01, 2, scaling=False).size == 216


def test_memory_grows_with_the_layers() -> None:
    held = some_filter(5, [])
    before = held.memory_usage()
    assert before > held.chain.length
    held.chain.add_all(ITEMS, None, None)
    assert held.memory_usage() - before >= held.chain.length - held.chain.layers[0].length
    assert held.copy().memory_usage() == held.memory_usage()


def test_a_large_filter_is_freed_in_steps() -> None:
    small = some_filter(5)
    assert small.free_effort() == len(small.chain.layers)
    assert not small.free_step(64)
    large = BloomFilter.create(100_000, 0.01, 2, scaling=True)
    large.chain.add_all([b"%d" % i for i in range(1_000_000)], None, None)
    effort = large.free_effort()
    assert effort > 100
    steps = 1
    while large.free_step(64):
        steps += 1
    assert effort / 64 <= steps <= effort / 64 + len(large.chain.layers) + 1
    # The bits are gone, but for the ends of pages that others may be on; nothing else is harmed.
    for layer in large.chain.layers:
        assert not any(bytes(layer)[4096:-4096])
    assert large.chain.items == sum(layer.size for layer in large.chain.layers)


# --- older versions of the RDB form -------------------------------------------------------------


def saved_by_version(version: int) -> bytes:
    """A filter with 32-bit hashes, 64 bits and no items, as that version wrote it."""
    writer = RdbWriter()
    items = writer.begin_module_value(module_type_id("MBbloom--", version))
    items.save_unsigned(0)
    items.save_unsigned(1)
    if version >= 2:
        items.save_unsigned(EXACT_BITS)
    if version >= 4:
        items.save_unsigned(3)
    entries, bpe = 10, 6.235224229572683
    items.save_unsigned(entries)
    items.save_double(0.05)
    items.save_unsigned(5)
    items.save_double(bpe)
    if version >= 1:
        items.save_unsigned(64)
        items.save_unsigned(0)
    items.save_string(bytes(8))
    items.save_unsigned(0)
    items.end()
    return writer.take()


@pytest.mark.parametrize("version", range(5))
def test_reads_every_version(version: int) -> None:
    reader = RdbReader(saved_by_version(version))
    reader.read_length()
    items = reader.begin_module_value()
    held = BloomFilter.rdb_load(items, version)
    items.end()
    (layer,) = held.chain.layers
    assert (layer.entries, layer.hashes, layer.length) == (10, 5, 8)
    assert layer.bits == (64 if version else 62)
    assert held.chain.growth == (3 if version == 4 else 2)
    assert held.chain.add(b"a") is True


def test_a_version_to_come_is_bad_data() -> None:
    reader = RdbReader(saved_by_version(4))
    reader.read_length()
    with pytest.raises(BadData, match="version"):
        BloomFilter.rdb_load(reader.begin_module_value(), 5)


# --- damage -------------------------------------------------------------------------------------


def rdb_items(held: BloomFilter) -> bytes:
    """The items of the RDB form alone: without the checksum that would find any damage first."""
    payload = pack(held)
    return dump_open(payload)[10:]


def load_items(data: bytes) -> BloomFilter:
    items = RdbReader(data).begin_module_value()
    held = BloomFilter.rdb_load(items, 4)
    items.end()
    return held


def assert_harmless(held: BloomFilter) -> None:
    """Damage that makes another filter, and a sound one, is no fault."""
    assert sum(layer.size for layer in held.chain.layers) == held.chain.items
    held.chain.contains_all(ITEMS)
    held.chain.add_all([b"more:%d" % i for i in range(5)], None, None)
    assert held.copy().header() == held.header()


def test_every_truncated_header_is_bad_data() -> None:
    header = some_filter().header()
    for length in range(len(header)):
        with pytest.raises(BadData):
            BloomFilter.from_header(header[:length])
    with pytest.raises(BadData):
        BloomFilter.from_header(header + b"\0")


def test_no_flipped_bit_of_a_header_does_harm() -> None:
    header = some_filter(5, ITEMS[:10]).header()
    refused = 0
    for place in range(len(header) * 8):
        damaged = bytearray(header)
        damaged[place // 8] ^= 1 << place % 8
        try:
            held = BloomFilter.from_header(bytes(damaged))
        except (BadData, MemoryError):
            refused += 1
        else:
            # The bits are still to come, so a claim must not be much beyond the truth.
            assert held.chain.length < 10_000
            assert_harmless(held)
    # What passes is what could as well be true: growth, capacity, options, the last digits.
    assert refused > 0.6 * len(header) * 8


def test_every_truncated_rdb_form_is_bad_data() -> None:
    data = rdb_items(some_filter())
    for length in range(len(data)):
        with pytest.raises(BadData):
            load_items(data[:length])


def test_no_damage_of_the_rdb_form_does_harm() -> None:
    data = rdb_items(some_filter())
    rng = random.Random(11)
    for _ in range(3000):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 1, 2, 8])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            held = load_items(bytes(damaged))
        except BadData:
            continue
        assert_harmless(held)


# One layer as it should be; each case spoils one number.
GOOD: dict[str, Any] = {
    "entries": 10,
    "error": 0.05,
    "bpe": 6.235224229572683,
    "hashes": 5,
    "bits": 64,
    "n2": 0,
    "size": 0,
    "length": 8,
}
SPOILT = [
    {"error": 0.0},
    {"error": 1.0},
    {"error": -0.05},
    {"error": float("nan")},
    {"error": float("inf")},
    {"bpe": 0.0},
    {"bpe": float("nan")},
    {"bpe": float("inf")},
    {"bpe": 6.24},
    {"bpe": 1e9, "hashes": 693147181},
    {"hashes": 4},
    {"hashes": 2**32 - 1},
    {"hashes": 2**32 + 5},
    {"bits": 0},
    {"bits": 65},
    {"bits": 2**63},
    {"n2": 7},
    {"n2": 63},
    {"n2": 64},
    {"n2": 256},
    {"size": 11},
    {"size": 2**64},
    {"length": 7},
    {"length": 0},
    {"length": 2**61, "bits": 2**63},
    {"entries": -1},
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=str)
def test_a_layer_checks_its_numbers(spoilt: dict[str, Any]) -> None:
    Layer(**GOOD)
    with pytest.raises((ValueError, OverflowError)):
        Layer(**{**GOOD, **spoilt})


def test_a_layer_checks_the_length_of_its_content() -> None:
    assert bytes(Layer(**GOOD, data=b"12345678")) == b"12345678"
    for data in (b"", b"1234567", b"123456789"):
        with pytest.raises(ValueError, match="another length"):
            Layer(**GOOD, data=data)


@pytest.mark.parametrize("count", [0, 1101, 2**32, 2**64 - 1])
def test_a_number_of_layers_is_not_believed(count: int) -> None:
    writer = RdbWriter()
    items = writer.begin_module_value(module_type_id("MBbloom--", 4))
    for number in (0, count, EXACT_BITS | HASH_64, 2):
        items.save_unsigned(number)
    data = writer.take()
    with pytest.raises(BadData):
        load_items(data[9:])


# --- with the real module -----------------------------------------------------------------------


@each_filter
def test_the_real_module_loads_our_dump(held: BloomFilter, real: Client) -> None:
    for position, data in held.dump():
        real("BF.LOADCHUNK", "f", position, data)
    assert real("BF.SCANDUMP", "f", 0) == [1, held.header()]
    assert real("BF.MEXISTS", "f", *ITEMS) == held.chain.contains_all(ITEMS)
    assert real("BF.INFO", "f", "SIZE") == [held.size]


@each_filter
def test_the_real_module_restores_our_payload(
    held: BloomFilter, real: Client, types: TypeRegistry
) -> None:
    assert real("RESTORE", "f", 0, pack(held)) == b"OK"
    assert real("BF.SCANDUMP", "f", 0) == [1, held.header()]
    assert real("BF.MEXISTS", "f", *ITEMS) == held.chain.contains_all(ITEMS)
    assert digest_of(unpack(real("DUMP", "f"), types)) == digest_of(held)


MADE_BY = [
    ("BF.RESERVE", "f", "0.1", "5"),
    ("BF.RESERVE", "f", "0.001", "100", "NONSCALING"),
    ("BF.RESERVE", "f", "0.01", "3", "EXPANSION", "7"),
    ("BF.RESERVE", "f", "0.5", "1000000"),
    ("BF.ADD", "f", "item"),
]


@pytest.mark.parametrize("command", MADE_BY, ids=" ".join)
def test_we_load_what_the_real_module_dumps(
    command: tuple[str, ...], real: Client, types: TypeRegistry
) -> None:
    real(*command)
    found = real("BF.MADD", "f", *ITEMS)
    restored = unpack(real("DUMP", "f"), types)
    assert isinstance(restored, BloomFilter)
    position, header = real("BF.SCANDUMP", "f", 0)
    loaded = BloomFilter.from_header(header)
    while position:
        position, data = real("BF.SCANDUMP", "f", position)
        if position:
            loaded.chain.write(position - len(data), data)
    for held in (restored, loaded):
        assert held.header() == header
        assert all(held.chain.contains_all(ITEMS))
        assert digest_of(held) == digest_of(loaded)
        assert held.size == real("BF.INFO", "f", "SIZE")[0]
    more = [b"more:%d" % i for i in range(200)]
    outcomes = restored.chain.add_all(more, "full", "failed")
    expected = real("BF.MADD", "f", *more)
    assert outcomes == ["full" if isinstance(e, Exception) else bool(e) for e in expected]
    assert len(found) == len(ITEMS)


@each_filter
def test_the_payload_says_what_it_is(held: BloomFilter) -> None:
    body = RdbReader(dump_open(pack(held)))
    assert body.read_byte() == ValueKind.MODULE
    assert body.read_length() == module_type_id("MBbloom--", 4)
