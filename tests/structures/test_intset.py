"""Intsets: a sorted set of numbers in Redis's bytes, and damage is refused."""

import random
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from balas.structures.intset import IntSet
from balas.testing.real_server import RealRedis
from structures import listpacks

LETTERS = {2: "h", 4: "i", 8: "q"}
LIMITS = [-(2**63), -(2**31) - 1, -(2**31), -(2**15) - 1, -(2**15), 0]
LIMITS += [2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**63 - 1]
members = st.one_of(
    st.integers(-20, 20),
    st.integers(-(2**15), 2**15 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(LIMITS),
)


def width_of(member: int) -> int:
    return next(w for w in LETTERS if -(1 << 8 * w - 1) <= member < 1 << 8 * w - 1)


def naive_bytes(width: int, twin: set[int]) -> bytes:
    return struct.pack(f"<II{len(twin)}{LETTERS[width]}", width, len(twin), *sorted(twin))


class Machine(RuleBasedStateMachine):
    """An intset and a set take the same changes."""

    def __init__(self) -> None:
        super().__init__()
        self.intset = IntSet()
        self.twin: set[int] = set()
        self.width = 2

    @rule(member=members)
    def add(self, member: int) -> None:
        assert self.intset.add(member) == (member not in self.twin)
        self.twin.add(member)
        self.width = max(self.width, width_of(member))

    @rule(member=members)
    def remove_perhaps(self, member: int) -> None:
        assert self.intset.remove(member) == (member in self.twin)
        self.twin.discard(member)

    @precondition(lambda self: self.twin)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(sorted(self.twin)))
        assert self.intset.remove(member)
        self.twin.remove(member)

    @rule(member=members)
    def contains(self, member: int) -> None:
        assert (member in self.intset) == (member in self.twin)

    @precondition(lambda self: self.twin)
    @rule(chance=st.integers(0, 2**64 - 1))
    def look(self, chance: int) -> None:
        ordered = sorted(self.twin)
        assert self.intset.random(chance) in self.twin
        assert self.intset.min() == ordered[0]
        assert self.intset.max() == ordered[-1]
        assert self.intset.get(len(ordered) // 2) == ordered[len(ordered) // 2]

    @invariant()
    def same(self) -> None:
        assert self.intset.to_bytes() == naive_bytes(self.width, self.twin)
        assert list(self.intset) == sorted(self.twin)
        assert len(self.intset) == len(self.twin)
        assert self.intset.copy().to_bytes() == self.intset.to_bytes()
        self.intset.check_invariants()


TestMachine = Machine.TestCase


def test_ten_small_members_take_little() -> None:
    assert IntSet(range(10)).memory <= 32


def test_every_member_can_be_picked() -> None:
    chance = random.Random(5)
    intset = IntSet(range(10))
    assert {intset.random(chance.getrandbits(64)) for _ in range(400)} == set(range(10))


def test_an_empty_set_has_no_ends() -> None:
    for act in (IntSet().min, IntSet().max, lambda: IntSet().random(0), lambda: IntSet().get(0)):
        with pytest.raises(IndexError):
            act()


def test_members_have_64_bits() -> None:
    with pytest.raises(OverflowError):
        IntSet().add(2**63)


def naive_load(data: bytes) -> list[int] | None:
    if len(data) < 8:
        return None
    width, count = struct.unpack_from("<II", data)
    if width not in LETTERS or len(data) != 8 + width * count:
        return None
    found = list(struct.unpack_from(f"<{count}{LETTERS[width]}", data, 8))
    return found if all(a < b for a, b in pairwise(found)) else None


def check_load(data: bytes) -> None:
    expected = naive_load(data)
    if expected is None:
        with pytest.raises(ValueError, match="corrupt intset"):
            IntSet.from_bytes(data)
    else:
        assert list(IntSet.from_bytes(data)) == expected


@given(st.sets(members, max_size=8), st.data())
def test_damage_is_refused_or_harmless(twin: set[int], draw: st.DataObject) -> None:
    data = IntSet(twin).to_bytes()
    check_load(data)
    for size in range(len(data)):
        check_load(data[:size])
    for _ in range(10):
        place = draw.draw(st.integers(0, len(data) - 1))
        check_load(data[:place] + draw.draw(st.binary(min_size=1, max_size=2)) + data[place + 1 :])


@given(st.sampled_from([0, 1, 2, 4, 8, 2**31]), st.sampled_from([0, 1, 2, 2**29, 2**31, 2**32 - 1]))
def test_absurd_headers(width: int, count: int) -> None:
    check_load(struct.pack("<II", width, count) + bytes(8))


def test_sets_of_redis_have_the_same_bytes(real_redis: RealRedis) -> None:
    chance = random.Random(12)
    intset = IntSet()
    with real_redis.client() as client:
        client("CONFIG", "SET", "rdbcompression", "no")
        for step in range(300):
            bits = chance.randint(1, 15 if step < 100 else 31 if step < 200 else 63)
            member = chance.randint(-(2**bits), 2**bits - 1)
            assert client("SADD", "s", member) == intset.add(member)
            if chance.random() < 0.3:
                member = intset.random(chance.getrandbits(64))
                assert client("SREM", "s", member) == intset.remove(member)
            if len(intset):
                assert listpacks.dumped_blob(client("DUMP", "s")) == intset.to_bytes()
