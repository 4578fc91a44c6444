"""The compiled Bloom filter: its naive twin, bits that RedisBloom made, rates, limits."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas_bloom._filter import (
    ENTRIES_ARE_BITS,
    EXACT_BITS,
    FIXED,
    HASH_64,
    Chain,
    Full,
    Layer,
    new_chain,
    new_layer,
)

NEW = EXACT_BITS | HASH_64
M64 = 2**64 - 1
M32 = 2**32 - 1


def murmur_64a(data: bytes, seed: int) -> int:
    factor = 0xC6A4A7935BD1E995
    h = seed ^ (len(data) * factor & M64)
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        k = int.from_bytes(data[at : at + 8], "little") * factor & M64
        k = (k ^ k >> 47) * factor & M64
        h = (h ^ k) * factor & M64
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], "little")) * factor & M64
    h = (h ^ h >> 47) * factor & M64
    return h ^ h >> 47


def murmur_2(data: bytes, seed: int) -> int:
    factor = 0x5BD1E995
    h = seed ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * factor & M32
        k = (k ^ k >> 24) * factor & M32
        h = (h * factor & M32) ^ k
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], "little")) * factor & M32
    h = (h ^ h >> 13) * factor & M32
    return h ^ h >> 15


class NaiveLayer:
    def __init__(self, entries: int, error: float, options: int) -> None:
        self.error = error
        bpe = -math.log(error) / 0.480453013918201
        self.hashes = math.ceil(0.693147180559945 * bpe)
        if options & EXACT_BITS:
            self.modulus = -(-max(int(entries * bpe), 1) // 64) * 64
            self.length = self.modulus // 8
        else:
            power = max(math.floor(math.log2(entries * bpe)) + 1, 0)
            entries += int(int(2**power - entries * bpe) / bpe)
            self.length = max(2**power, 64) // 8
            self.modulus = 2**power if power else 64
        self.entries = entries
        self.set: set[int] = set()
        self.size = 0

    def places(self, pair: tuple[int, int]) -> set[int]:
        start, step = pair
        return {(start + i * step & M64) % self.modulus for i in range(self.hashes)}

    def content(self) -> bytes:
        bits = bytearray(self.length)
        for place in self.set:
            bits[place // 8] |= 1 << place % 8
        return bytes(bits)


class NaiveChain:
    def __init__(self, entries: int, error: float, options: int, growth: int) -> None:
        self.options = options
        self.growth = growth
        first = error if options & FIXED else error * 0.5
        self.layers = [NaiveLayer(entries, first, options)]

    def hashes(self, item: bytes) -> tuple[int, int]:
        if self.options & HASH_64:
            start = murmur_64a(item, 0xC6A4A7935BD1E995)
            return start, murmur_64a(item, start)
        start = murmur_2(item, 0x9747B28C)
        return start, murmur_2(item, start)

    def contains(self, item: bytes) -> bool:
        pair = self.hashes(item)
        return any(layer.places(pair) <= layer.set for layer in self.layers)

    def add(self, item: bytes) -> bool | None:
        """Whether the item is new; None if there is no room for it."""
        if self.contains(item):
            return False
        last = self.layers[-1]
        if last.size >= last.entries:
            if self.options & FIXED:
                return None
            last = NaiveLayer(last.entries * self.growth, last.error * 0.5, self.options)
            self.layers.append(last)
        last.set |= last.places(self.hashes(item))
        last.size += 1
        return True


items = st.lists(st.binary(max_size=20) | st.sampled_from([b"a", b"b", b"c"]), max_size=60)
shapes = st.tuples(
    st.integers(1, 40),
    st.floats(1e-15, 0.999),
    st.sampled_from([NEW, NEW | FIXED, EXACT_BITS, HASH_64, 0, FIXED]),
    st.integers(1, 4),
)


@given(shapes, items, items)
def test_equals_the_naive_filter_bit_for_bit(
    shape: tuple[int, float, int, int], added: list[bytes], asked: list[bytes]
) -> None:
    chain, twin = new_chain(*shape), NaiveChain(*shape)
    for item in added:
        expected = twin.add(item)
        if expected is None:
            with pytest.raises(Full):
                chain.add(item)
        else:
            assert chain.add(item) is expected
    assert chain.contains_all(asked) == [twin.contains(item) for item in asked]
    assert [chain.contains(item) for item in asked] == [twin.contains(item) for item in asked]
    assert [
        (layer.entries, layer.hashes, layer.size, layer.length, bytes(layer))
        for layer in chain.layers
    ] == [
        (layer.entries, layer.hashes, layer.size, layer.length, layer.content())
        for layer in twin.layers
    ]


@given(shapes, items)
def test_a_batch_does_what_its_items_do_one_by_one(
    shape: tuple[int, float, int, int], added: list[bytes]
) -> None:
    batch, single = new_chain(*shape), new_chain(*shape)
    expected: list[bool | str] = []
    for item in added:
        try:
            expected.append(single.add(item))
        except Full:
            expected.append("full")
            break
    assert batch.add_all(added, "full", "failed") == expected
    assert batch.items == single.items == sum(outcome is True for outcome in expected)
    assert list(map(bytes, batch.layers)) == list(map(bytes, single.layers))


def test_sets_the_bits_that_redisbloom_sets() -> None:
    # BF.RESERVE f 0.1 10; BF.MADD f "" a abc 12345678 "longer than two words"; BF.SCANDUMP f 1
    chain = new_chain(10, 0.1, NEW, 2)
    chain.add_all([b"", b"a", b"abc", b"12345678", b"longer than two words"], None, None)
    assert bytes(chain.layers[0]).hex() == "9a541048107f2138"


def test_sets_the_bits_that_the_first_redisbloom_set() -> None:
    # The same in a filter with 32-bit hashes and a power of two of bits, loaded by BF.LOADCHUNK.
    chain = new_chain(10, 0.1, 0, 2)
    chain.add_all([b"", b"a", b"abc", b"12345678", b"longer than two words"], None, None)
    assert bytes(chain.layers[0]).hex() == "a054012f91d02158"


def false_positive_rate(asked_rate: float, held: int, probes: int, **shape: int) -> float:
    chain = new_chain(shape.get("capacity", held), asked_rate, NEW, 2)
    for first in range(0, held, 1000):
        chain.add_all([b"held:%d" % i for i in range(first, first + 1000)], None, None)
    found = 0
    for first in range(0, probes, 1000):
        found += sum(chain.contains_all([b"not:%d" % i for i in range(first, first + 1000)]))
    return found / probes


# The rates of many layers add up to the one asked for, and each may miss its own a little: hashes
# are whole, and two hash values stand for all probes, which tells in small layers with a low rate.
# RedisBloom's filters are the same to the bit, and so are their misses.
GROWN = 1.05


@pytest.mark.parametrize("rate", [0.1, 0.01, 0.001])
def test_false_positives_are_no_more_than_asked_for(rate: float) -> None:
    assert false_positive_rate(rate, 50_000, 50_000) <= rate
    assert false_positive_rate(rate, 50_000, 50_000, capacity=1000) <= rate * GROWN


@pytest.mark.long
@pytest.mark.parametrize("rate", [0.01, 0.0001])
def test_false_positives_of_a_million_items(rate: float) -> None:
    assert false_positive_rate(rate, 1_000_000, 1_000_000) <= rate
    assert false_positive_rate(rate, 1_000_000, 1_000_000, capacity=100_000) <= rate * GROWN


def test_what_was_added_is_always_found() -> None:
    chain = new_chain(100, 0.01, NEW, 2)
    rng = random.Random(7)
    added = [rng.randbytes(rng.randrange(30)) for _ in range(5000)]
    chain.add_all(added, None, None)
    assert all(chain.contains_all(added))


@pytest.mark.parametrize("bits", [1, 2, 3, 63, 64, 65, 1000, 2**20 - 1, 2**32, 2**33 - 9])
def test_every_modulus_gives_the_true_remainder(bits: int) -> None:
    # The largest take a gigabyte of address space, and as many pages as bits are set.
    twin = NaiveLayer(10**9, 0.01, NEW)
    twin.modulus = bits
    bpe = -math.log(0.01) / 0.480453013918201
    layer = Layer(10**9, 0.01, bpe, twin.hashes, bits, 0, 0, (bits + 7) // 8)
    chain = Chain([layer], NEW | FIXED, 2)
    places = set()
    for item in (b"%d" % i for i in range(50)):
        chain.add(item)
        places |= twin.places(NaiveChain(1, 0.5, NEW, 2).hashes(item))
    view = memoryview(layer)
    assert all(view[place // 8] >> place % 8 & 1 for place in places)
    if bits < 2**21:
        assert sum(byte.bit_count() for byte in bytes(layer)) == len(places)


def test_a_filter_that_may_not_grow_takes_what_it_was_made_for() -> None:
    chain = new_chain(3, 0.001, NEW | FIXED, 2)
    assert chain.add_all([b"a", b"b", b"a", b"c", b"b"], "full", "failed") == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert chain.add_all([b"c", b"d", b"a"], "full", "failed") == [False, "full"]
    with pytest.raises(Full):
        chain.add(b"d")
    assert not chain.contains(b"d")
    assert chain.items == 3


@pytest.mark.parametrize("growth", [0, 2**32 - 1])
def test_a_layer_that_cannot_be_made_leaves_the_filter_as_it_is(growth: int) -> None:
    # 2**32 - 1 times 2**32 entries are more than memory holds; 0 times are none.
    layer = Layer(2**32, 0.5, 1.4426950408889634, 1, 64, 0, 2**32, 8)
    chain = Chain([layer], NEW, growth)
    assert chain.add_all([b"a", b"b"], "full", "failed") == ["failed", "failed"]
    with pytest.raises(MemoryError):
        chain.add(b"a")
    assert not chain.contains(b"a")
    assert (len(chain.layers), chain.items) == (1, 2**32)


@pytest.mark.parametrize(
    ("entries", "error", "options"),
    [
        (0, 0.1, NEW),
        (1, 0.0, NEW),
        (1, 1.0, NEW),
        (1, float("nan"), NEW),
        (63, 0.1, NEW | ENTRIES_ARE_BITS),
    ],
)
def test_impossible_layers_are_refused(entries: int, error: float, options: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the texts are for people
        new_layer(entries, error, options)


@pytest.mark.parametrize("entries", [2**60, 2**63 - 1, 2**64 - 1])
def test_layers_larger_than_any_memory_are_refused(entries: int) -> None:
    with pytest.raises(MemoryError):
        new_layer(entries, 0.01, NEW)


def test_items_that_are_no_bytes_are_refused() -> None:
    chain = new_chain(10, 0.1, NEW, 2)
    for wrong in ("text", 1, None, bytearray(b"x")):
        with pytest.raises(TypeError):
            chain.add(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            chain.add_all([wrong], None, None)  # type: ignore[list-item]
        with pytest.raises(TypeError):
            chain.contains_all((wrong,))  # type: ignore[arg-type]
    assert chain.items == 0


def test_reading_and_writing_stay_within_a_layer() -> None:
    chain = new_chain(1, 0.5, NEW, 1)
    chain.add_all([b"a", b"b", b"c"], None, None)
    assert [layer.length for layer in chain.layers] == [8, 8, 8]
    first, second, _ = map(bytes, chain.layers)
    assert chain.read(1, 100) == (9, first)
    assert chain.read(3, 4) == (7, first[2:6])
    assert chain.read(9, 100) == (17, second)
    assert chain.read(24, 100) == (25, bytes(chain.layers[2])[7:])
    assert chain.read(25, 100) == (0, b"")
    assert chain.read(2**64 - 1, 100) == (0, b"")
    assert chain.read(0, 100) == (0, b"")
    chain.write(8, b"X")
    chain.write(9, b"12345678")
    assert bytes(chain.layers[0]) == first[:7] + b"X"
    assert bytes(chain.layers[1]) == b"12345678"
    with pytest.raises(ValueError, match="left in the layer"):
        chain.write(8, b"XY")
    for position in (0, 25, 2**64 - 1):
        with pytest.raises(IndexError):
            chain.write(position, b"")


def test_a_copy_shares_nothing() -> None:
    chain = new_chain(2, 0.1, NEW, 2)
    chain.add_all([b"a", b"b", b"c"], None, None)
    other = chain.copy()
    before = list(map(bytes, chain.layers))
    other.add_all([b"%d" % i for i in range(100)], None, None)
    assert list(map(bytes, chain.layers)) == before
    assert (chain.items, other.items > 50) == (3, True)


def test_the_buffer_of_a_layer_outlives_the_chain() -> None:
    chain = new_chain(10, 0.1, NEW, 2)
    chain.add(b"a")
    view = memoryview(chain.layers[0])
    expected = bytes(view)
    del chain
    assert bytes(view) == expected
    assert view.readonly
