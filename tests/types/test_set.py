"""Sets in their three encodings, against a plain Python set."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from balas.errors import BadData
from balas.services.rdb.dump import dump
from balas.services.rdb.format import ValueKind, dump_open, dump_seal
from balas.services.rdb.writer import RdbWriter
from balas.testing import InProcessServer
from balas.testing.laws import check_laws, digest_of, loaded_as
from balas.types.limits import Limits
from balas.types.set import Set
from balas.types.set_algebra import (
    difference,
    intersection,
    intersection_size,
    stored_difference,
    stored_intersection,
    stored_union,
    union,
)
from persisting import flipped

SMALL = Limits()
SMALL.set_intset_entries, SMALL.set_entries, SMALL.set_value = 5, 4, 6

NUMBERS = st.integers(-3, 6).map(lambda n: b"%d" % n) | st.sampled_from(
    [b"70000", b"-9223372036854775808", b"9223372036854775807", b"123456789"]
)
WORDS = st.sampled_from([b"", b"a", b"b", b"cc", b"long word", b"007", b"9223372036854775808"])
MEMBERS = NUMBERS | WORDS

# Members that make a set of each encoding.
BODIES = {
    "intset": [b"%d" % (n * 1_000_000_007) for n in range(-250, 250)],
    "listpack": [b"1", b"word", b"", b"x" * 64, *(b"member %d" % n for n in range(100))],
    "hashtable": [b"%d" % n for n in range(400)] + [b"word" * 50],
}


class AgainstPython(RuleBasedStateMachine):
    """A set and its naive twin."""

    @initialize(members=st.lists(MEMBERS, min_size=1, max_size=8))
    def make(self, members: list[bytes]) -> None:
        self.value = Set.of(members, SMALL)
        self.twin = set(members)

    @rule(members=st.lists(MEMBERS, min_size=1, max_size=6))
    def add(self, members: list[bytes]) -> None:
        if not self.twin:
            self.value = Set()
        added = self.value.add_all(tuple(members), SMALL)
        assert added == len(set(members) - self.twin)
        self.twin.update(members)

    @rule(member=MEMBERS)
    def discard(self, member: bytes) -> None:
        assert self.value.discard(member) == (member in self.twin)
        self.twin.discard(member)

    @rule(chance=st.integers(0, 2**64 - 1))
    def pop(self, chance: int) -> None:
        if self.twin:
            self.twin.remove(self.value.pop(chance))

    @rule(chance=st.integers(0, 2**64 - 1), share=st.floats(0, 1, exclude_max=True))
    def pop_many(self, chance: int, share: float) -> None:
        if self.twin:
            count = int(share * len(self.twin))
            popped = self.value.pop_many(count, chance, SMALL)
            assert len(set(popped)) == len(popped) == count
            assert self.twin.issuperset(popped)
            self.twin.difference_update(popped)

    @rule(chance=st.integers(0, 2**64 - 1), count=st.integers(0, 9))
    def draw(self, chance: int, count: int) -> None:
        if self.twin:
            sample = self.value.sample(count, chance)
            assert len(sample) == len(set(sample)) == min(count, len(self.twin))
            drawn = self.value.randoms(count, chance)
            assert len(drawn) == count
            assert self.twin.issuperset([*sample, *drawn, self.value.random(chance)])

    @rule(member=MEMBERS)
    def ask(self, member: bytes) -> None:
        assert self.value.has(member) == (member in self.value) == (member in self.twin)

    @rule()
    def load(self) -> None:
        if self.twin:
            self.value = self.value.copy()
            loaded = loaded_as(dump(self.value), Set)
            assert digest_of(loaded) == digest_of(self.value)

    @invariant()
    def they_are_equal(self) -> None:
        self.value.check_invariants()
        assert set(self.value.members()) == set(self.value) == self.twin
        assert len(self.value) == self.value.cardinality() == len(self.twin)
        if self.value.encoding() == "intset":
            assert self.value.members() == [b"%d" % n for n in sorted(map(int, self.twin))]


TestAgainstPython = AgainstPython.TestCase


@pytest.mark.parametrize("members", BODIES.values(), ids=BODIES)
def test_sets_obey_the_laws(members: list[bytes], balas_server: InProcessServer) -> None:
    made = Set.of(members, Limits())
    assert made.encoding() == next(name for name, body in BODIES.items() if body is members)

    def change(value: Set) -> None:
        number = len(value)
        while value.discard(b"%d" % number):
            number += 1
        if not value.add(b"%d" % number, Limits()):
            value.discard(b"%d" % number)

    def step(value: Any) -> None:
        # Back and forth about the same size, always to other members.
        if len(value) > len(members) + 3:
            value.pop(7)
            value.pop(11)
        change(value)

    check_laws(balas_server, lambda: Set.of(members, Limits()), step)


SETS = st.lists(MEMBERS, min_size=1, max_size=9).map(lambda members: Set.of(members, SMALL))


@given(sets=st.lists(SETS, min_size=1, max_size=4), limit=st.integers(0, 4))
def test_algebra_is_python_s(sets: list[Set], limit: int) -> None:
    first, *others = (set(one.members()) for one in sets)
    met, joined, left = first.intersection(*others), first.union(*others), first.difference(*others)
    for found, expected in (
        (intersection(sets), met),
        (stored_intersection(sets, SMALL).members(), met),
        (union(sets, SMALL), joined),
        (stored_union(sets, SMALL).members(), joined),
        (difference(sets[0], sets[1:], SMALL), left),
        (stored_difference(sets[0], sets[1:], SMALL).members(), left),
    ):
        assert len(found) == len(expected)
        assert set(found) == expected
    assert intersection_size(sets, limit) == (min(limit, len(met)) if limit else len(met))


@given(one=SETS)
def test_a_set_with_itself(one: Set) -> None:
    assert set(intersection([one, one])) == set(one.members())
    assert difference(one, [one], SMALL) == []
    assert len(stored_difference(one, [one], SMALL)) == 0
    assert len(stored_union([one, one], SMALL)) == len(one)


def test_big_tables_meet() -> None:
    one = Set.of([b"%d" % n for n in range(30_000)], Limits())
    other = Set.of([b"%d" % n for n in range(20_000, 60_000)], Limits())
    assert intersection_size([one, other], 0) == 10_000
    assert intersection_size([one, other], 17) == 17
    assert len(union([one, other], Limits())) == 60_000
    assert set(difference(one, [other], Limits())) == {b"%d" % n for n in range(20_000)}
    assert len(stored_difference(other, [one] * 3, Limits())) == 30_000


def test_a_big_table_is_freed_in_slices() -> None:
    value = Set.of([b"%d" % n for n in range(5000)], Limits())
    assert value.free_effort() == 5000
    steps = 1
    while value.free_step(100):
        steps += 1
    assert 10 <= steps <= 60


def test_a_scan_gives_all_that_stays() -> None:
    value = Set.of([b"%d" % n for n in range(3000)], Limits())
    found: set[bytes] = set()
    cursor, number = 0, 3000
    while True:
        cursor, members = value.scan(cursor, 10)
        found.update(members)
        if cursor == 0:
            break
        for _ in range(20):
            value.add(b"%d" % number, Limits())
            number += 1
    assert found >= {b"%d" % n for n in range(3000)}


# --- payloads that make no sense ------------------------------------------------------------------


@pytest.mark.parametrize("members", BODIES.values(), ids=BODIES)
def test_flipped_bits_are_refused_or_harmless(members: list[bytes]) -> None:
    body = dump_open(dump(Set.of(members, Limits())))
    chance = random.Random(5)
    for _ in range(500):
        damaged = flipped(body[1:], chance)
        try:
            value = loaded_as(dump_seal(body[:1] + damaged), Set)
        except BadData:
            continue
        assert isinstance(value, Set)
        value.check_invariants()
        assert len(value) > 0


def strings(*members: bytes) -> bytes:
    writer = RdbWriter()
    writer.write_byte(ValueKind.SET)
    writer.write_length(len(members))
    for member in members:
        writer.write_string(member)
    return dump_seal(writer.take())


def packed(kind: int, data: bytes) -> bytes:
    writer = RdbWriter()
    writer.write_byte(kind)
    writer.write_string(data)
    return dump_seal(writer.take())


@pytest.mark.parametrize(
    "payload",
    [
        strings(),
        strings(b"a", b"a"),
        strings(b"1", b"1"),
        packed(20, b"\x07\0\0\0\0\0\xff"),
        packed(20, b"\x0b\0\0\0\x02\0\x01\x01\x01\x01\xff"),
        packed(20, b""),
        packed(11, b""),
        packed(11, b"\x02\0\0\0\0\0\0\0"),
        packed(11, b"\x02\0\0\0\x02\0\0\0\x02\0\x01\0"),
        packed(11, b"\x03\0\0\0\x01\0\0\0\x02\0\x01"),
    ],
)
def test_a_senseless_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(BadData):
        loaded_as(payload, Set)
