"""Listpacks: the bytes are Redis's, every operation agrees with a list, and damage is refused."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from balas.structures.listpack import ListPack
from balas.testing.real_server import RealRedis
from structures import listpacks

EDGES = [0, 127, 128, 4095, 4096, -1, -4096, -4097, 2**15, 2**23, 2**31, 2**63]
numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([n + d for e in EDGES for n in (e, -e) for d in (-1, 0) if n + d < 2**63]),
).filter(lambda n: -(2**63) <= n < 2**63)
texts = st.one_of(
    st.binary(max_size=12),
    st.text("0123456789-", max_size=22).map(str.encode),
    st.sampled_from([0, 62, 63, 64, 65, 124, 125, 126, 127, 4090, 4095, 4096]).map(
        lambda n: b"x" * n
    ),
)
items = st.one_of(texts, numbers)
# Few different elements, so that searching finds something.
common = st.sampled_from([b"a", b"b", b"7", b"-7", b"007", b"300", b"field", b"99999999999"])


def text_of(item: bytes | int) -> bytes:
    return b"%d" % item if isinstance(item, int) else item


class Machine(RuleBasedStateMachine):
    """A pack and a list take the same changes."""

    def __init__(self) -> None:
        super().__init__()
        self.pack = ListPack()
        self.twin: list[bytes] = []

    @rule(item=items)
    def append(self, item: bytes | int) -> None:
        self.pack.append(item)
        self.twin.append(text_of(item))

    @rule(item=items)
    def prepend(self, item: bytes | int) -> None:
        self.pack.prepend(item)
        self.twin.insert(0, text_of(item))

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), item=items, after=st.booleans())
    def insert(self, data: st.DataObject, item: bytes | int, after: bool) -> None:
        index = self.draw_index(data)
        self.pack.insert(index, item, after)
        self.twin.insert(index % len(self.twin) + after, text_of(item))

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), item=items)
    def replace(self, data: st.DataObject, item: bytes | int) -> None:
        index = self.draw_index(data)
        self.pack.replace(index, item)
        self.twin[index] = text_of(item)

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), count=st.integers(0, 5))
    def delete(self, data: st.DataObject, count: int) -> None:
        index = self.draw_index(data)
        self.pack.delete(index, count)
        start = index % len(self.twin)
        del self.twin[start : start + count]

    @precondition(lambda self: len(self.twin) < 200)
    @rule(others=st.lists(items, max_size=5), before=st.booleans())
    def merge(self, others: list[bytes | int], before: bool) -> None:
        self.pack.merge(ListPack(others), before)
        more = [text_of(item) for item in others]
        self.twin = more + self.twin if before else self.twin + more

    @precondition(lambda self: len(self.twin) < 200)
    @rule()
    def double(self) -> None:
        self.pack.merge(self.pack)
        self.twin *= 2

    @precondition(lambda self: self.twin)
    @rule(data=st.data())
    def look_at_one(self, data: st.DataObject) -> None:
        index = self.draw_index(data)
        expected = self.twin[index]
        assert self.pack.get(index) == expected
        assert text_of(self.pack.stored(index)) == expected
        assert self.pack.equals(index, expected)
        assert not self.pack.equals(index, expected + b"0")

    @invariant()
    def same(self) -> None:
        assert self.pack.to_bytes() == listpacks.pack(self.twin)
        assert self.pack.items() == list(self.pack) == self.twin
        assert len(self.pack) == len(self.twin)
        assert self.pack.size <= self.pack.memory <= self.pack.size * 9 // 8 + 32
        self.pack.check_invariants()

    def draw_index(self, data: st.DataObject) -> int:
        return data.draw(st.integers(-len(self.twin), len(self.twin) - 1))


TestMachine = Machine.TestCase


@given(st.lists(common, max_size=30), common, st.integers(0, 31), st.integers(0, 3))
def test_find(twin: list[bytes], wanted: bytes, start: int, skip: int) -> None:
    places = range(start, len(twin), skip + 1)
    expected = next((place for place in places if twin[place] == wanted), None)
    assert ListPack(twin).find(wanted, start, skip) == expected


@pytest.mark.parametrize("number", [0, 127, -1, 4095, -4096, 2**15, -(2**23), 2**31, -(2**63)])
def test_numbers_are_stored_as_numbers(number: int) -> None:
    pack = ListPack([b"%d" % number, number])
    assert pack.stored(0) == pack.stored(1) == number
    assert ListPack([number]).size <= 17


@pytest.mark.parametrize("text", [b"007", b"+1", b"-0", b"1.0", b"", b"-", b"9223372036854775808"])
def test_texts_that_are_no_canonical_number_stay_texts(text: bytes) -> None:
    assert ListPack([text]).stored(0) == text


def test_an_element_others_stored_oddly_is_found() -> None:
    wide = b"\xf4" + (5).to_bytes(8, "little") + b"\x09"
    digits = b"\x8212\x03"
    body = wide + digits
    pack = ListPack.from_bytes(bytes([len(body) + 7, 0, 0, 0, 2, 0]) + body + b"\xff")
    assert pack.items() == [b"5", b"12"]
    assert pack.find(b"5") == 0
    assert pack.find(b"12") == 1


@pytest.mark.parametrize("size", [16370, 16376, 16377, 16378, 16380, 2097145, 2097146, 2097150])
def test_long_elements_are_walked_both_ways(size: int) -> None:
    twin = [b"a", b"x" * size, b"b"]
    pack = ListPack(twin)
    assert pack.to_bytes() == listpacks.pack(twin)
    assert list(reversed(pack)) == twin[::-1]


def test_more_elements_than_the_header_can_tell() -> None:
    pack = ListPack([1] * 65540)
    assert pack.to_bytes()[4:6] == b"\xff\xff"
    assert len(pack) == 65540
    assert pack.get(65539) == pack.get(-65540) == b"1"
    with pytest.raises(IndexError):
        pack.get(65540)
    pack.delete(0, 10)
    assert len(pack) == 65530
    # Counting has found that the number can be told again.
    assert pack.to_bytes() == listpacks.pack([b"1"] * 65530)
    pack.check_invariants()


ABSENT: list[Callable[[ListPack], Any]] = [
    lambda pack: pack.get(3),
    lambda pack: pack.get(-4),
    lambda pack: pack.stored(3),
    lambda pack: pack.insert(3, b"x"),
    lambda pack: pack.replace(-4, b"x"),
    lambda pack: pack.delete(3),
    lambda pack: pack.equals(3, b"x"),
    lambda pack: pack.get(2**62),
]


@pytest.mark.parametrize("act", ABSENT)
def test_an_index_beyond_the_ends(act: Callable[[ListPack], Any]) -> None:
    pack = ListPack([b"a", b"b", b"c"])
    with pytest.raises(IndexError):
        act(pack)
    assert pack.items() == [b"a", b"b", b"c"]


@pytest.mark.parametrize("item", ["text", 1.5, None, 2**63, -(2**63) - 1])
def test_only_bytes_and_small_ints_are_elements(item: Any) -> None:
    pack = ListPack([b"a"])
    with pytest.raises((TypeError, OverflowError)):
        pack.append(item)
    assert pack.items() == [b"a"]


def test_a_pack_stays_within_a_gigabyte() -> None:
    pack = ListPack()
    assert pack.safe_to_add(2**30 - 7)
    assert not pack.safe_to_add(2**30 - 6)


def test_a_pack_shrinks() -> None:
    pack = ListPack([b"x" * 100] * 1000)
    pack.delete(1, 999)
    assert pack.memory <= 128


# Damage

small_packs = st.lists(st.one_of(texts.filter(lambda t: len(t) < 200), numbers), max_size=8).map(
    lambda twin: listpacks.pack([text_of(item) for item in twin])
)


def check_load(data: bytes) -> None:
    """A pack is loaded exactly if the twin can read it, and then holds the same."""
    try:
        expected = listpacks.unpack(data)
    except listpacks.Unsound:
        with pytest.raises(ValueError, match="corrupt listpack"):
            ListPack.from_bytes(data)
        return
    pack = ListPack.from_bytes(data)
    assert pack.to_bytes() == data
    assert pack.items() == expected
    pack.check_invariants()


@given(small_packs)
def test_every_truncation_is_refused(data: bytes) -> None:
    for size in range(len(data)):
        with pytest.raises(ValueError, match="corrupt listpack"):
            ListPack.from_bytes(data[:size])
        # The sizes are made to agree, so that the elements themselves have to tell.
        if size >= 7:
            check_load(size.to_bytes(4, "little") + data[4 : size - 1] + b"\xff")


@given(small_packs, st.data())
def test_flipped_bits_are_refused_or_harmless(data: bytes, draw: st.DataObject) -> None:
    flips = draw.draw(st.lists(st.integers(0, len(data) * 8 - 1), min_size=1, max_size=3))
    damaged = bytearray(data)
    for bit in flips:
        damaged[bit // 8] ^= 1 << bit % 8
    check_load(bytes(damaged))


def test_every_flip_of_one_byte() -> None:
    data = listpacks.pack([b"abc", b"5", b"-300", b"70000", b"y" * 70, b"99999999999", b""])
    for place in range(len(data)):
        for value in range(256):
            check_load(data[:place] + bytes([value]) + data[place + 1 :])


@given(st.binary(max_size=60))
def test_any_bytes_between_header_and_end(body: bytes) -> None:
    check_load((len(body) + 7).to_bytes(4, "little") + b"\xff\xff" + body + b"\xff")


def test_bytes_too_few_for_a_header() -> None:
    for data in (b"", b"\xff", b"\x06\x00\x00\x00\x00\x00", bytes(6)):
        with pytest.raises(ValueError, match="corrupt listpack"):
            ListPack.from_bytes(data)


# The real server


def some_item(chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    if kind == 0:
        return b"%d" % chance.randint(-(2 ** chance.randint(1, 63)), 2 ** chance.randint(1, 63) - 1)
    if kind == 1:
        return chance.randbytes(chance.choice([0, 1, 5, 60, 63, 64, 126, 127, 200]))
    return chance.choice([b"007", b"-0", b"12345", b"value", b"x" * 4096, b"y" * 4091])


def test_hashes_of_redis_have_the_same_bytes(real_redis: RealRedis) -> None:
    chance = random.Random(11)
    with real_redis.client() as client:
        client("CONFIG", "SET", "rdbcompression", "no", "hash-max-listpack-value", 1 << 22)
        for size in (16376, 16377, 16378, 2097144, 2097145, 2097146):
            client("HSET", "long", "a", b"x" * size, "b", "1")
            dumped = listpacks.dumped_blob(client("DUMP", "long"))
            assert ListPack([b"a", b"x" * size, b"b", b"1"]).to_bytes() == dumped
        pack = ListPack()
        for _ in range(150):
            field, value = b"f%d" % chance.randrange(40), some_item(chance)
            place = pack.find(field, skip=1)
            if place is None:
                client("HSET", "h", field, value)
                pack.append(field)
                pack.append(value)
            elif chance.random() < 0.5:
                client("HDEL", "h", field)
                pack.delete(place, 2)
            else:
                client("HSET", "h", field, value)
                pack.replace(place + 1, value)
            if len(pack):
                assert pack.to_bytes() == listpacks.dumped_blob(client("DUMP", "h"))
