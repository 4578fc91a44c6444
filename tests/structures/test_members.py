"""Tables of members and fields: what sets and dicts do, SCAN's guarantee, expiry, little memory."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from balas.structures.members import EntryTable, FieldTable, MemberTable

keys = st.one_of(st.binary(max_size=2), st.integers(0, 300).map(b"key:%d".__mod__))
texts = st.one_of(st.binary(max_size=40), st.binary(min_size=500, max_size=600))
chances = st.integers(0, 2**64 - 1)


class MemberMachine(RuleBasedStateMachine):
    """A member table and a set take the same changes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = MemberTable(7)
        self.twin: set[bytes] = set()

    @rule(member=keys)
    def add(self, member: bytes) -> None:
        assert self.table.add(member) == (member not in self.twin)
        self.twin.add(member)

    @rule(first=st.integers(0, 10_000), count=st.integers(1, 400))
    def add_many(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.table.add(b"%d" % number)
            self.twin.add(b"%d" % number)

    @rule(member=keys)
    def discard_perhaps(self, member: bytes) -> None:
        assert self.table.discard(member) == (member in self.twin)
        self.twin.discard(member)

    @rule(chance=chances, share=st.floats(0, 1))
    def pop_many(self, chance: int, share: float) -> None:
        for step in range(int(len(self.twin) * share)):
            self.twin.remove(self.table.pop(chance + step & 2**64 - 1))

    @rule(chance=chances, count=st.integers(0, 500))
    def draw(self, chance: int, count: int) -> None:
        sample = self.table.sample(count, chance)
        assert len(sample) == len(set(sample)) == min(count, len(self.twin))
        assert set(sample) <= self.twin
        drawn = self.table.randoms(count, chance)
        assert len(drawn) == (count if self.twin else 0)
        assert set(drawn) <= self.twin

    @precondition(lambda self: self.twin)
    @rule(chance=chances)
    def look(self, chance: int) -> None:
        assert self.table.random(chance) in self.twin
        assert sorted(self.table) == sorted(self.twin)
        copy = self.table.copy()
        copy.check_invariants()
        assert sorted(copy.members()) == sorted(self.twin)

    @invariant()
    def same(self) -> None:
        assert len(self.table) == len(self.twin)
        assert sorted(self.table.members()) == sorted(self.twin)
        assert all(member in self.table for member in self.twin)
        self.table.check_invariants()


class FieldMachine(RuleBasedStateMachine):
    """A field table and two dicts take the same changes; time moves on in between."""

    def __init__(self) -> None:
        super().__init__()
        self.table = FieldTable(7)
        self.values: dict[bytes, bytes] = {}
        self.expiry: dict[bytes, int] = {}
        self.now_ms = 0
        self.table.now_ms = 0

    def live(self, field: bytes) -> bool:
        return field in self.values and self.expiry.get(field, 2**62) > self.now_ms

    @rule(field=keys, value=texts, keep=st.booleans())
    def set(self, field: bytes, value: bytes, keep: bool) -> None:
        assert self.table.set(field, value, keep) == (field not in self.values)
        self.values[field] = value
        if not keep:
            self.expiry.pop(field, None)

    @rule(first=st.integers(0, 1000), count=st.integers(1, 300), ttl=st.integers(-1, 50))
    def set_many(self, first: int, count: int, ttl: int) -> None:
        for number in range(first, first + count):
            field = b"%d" % number
            self.set(field, field * 2, False)
            if ttl > 0 and number % 3:
                self.set_expire(field, ttl + number % 7)

    @rule(field=keys, ttl=st.integers(1, 50))
    def set_expire(self, field: bytes, ttl: int) -> None:
        assert self.table.set_expire(field, self.now_ms + ttl) == self.live(field)
        if self.live(field):
            self.expiry[field] = self.now_ms + ttl

    @rule(field=keys)
    def persist(self, field: bytes) -> None:
        assert self.table.set_expire(field, -1) == self.live(field)
        if self.live(field):
            self.expiry.pop(field, None)

    @rule(field=keys)
    def discard(self, field: bytes) -> None:
        assert self.table.discard(field) == (field in self.values)
        self.values.pop(field, None)
        self.expiry.pop(field, None)

    @rule(ms=st.integers(1, 20))
    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.table.now_ms = self.now_ms

    @rule(limit=st.integers(0, 100))
    def expire(self, limit: int) -> None:
        due = sorted(at for at in self.expiry.values() if at <= self.now_ms)
        removed = self.table.expire_due(self.now_ms, limit)
        assert [self.expiry.pop(field) for field in removed] == due[:limit]
        for field in removed:
            del self.values[field]

    @rule(chance=chances, count=st.integers(0, 500))
    def draw(self, chance: int, count: int) -> None:
        visible = {field: value for field, value in self.values.items() if self.live(field)}
        sample = self.table.sample(count, chance, True)
        assert len(sample) == 2 * min(count, len(visible))
        assert dict(zip(sample[::2], sample[1::2], strict=True)).items() <= visible.items()
        assert set(self.table.randoms(count, chance)) <= visible.keys()

    @invariant()
    def same(self) -> None:
        visible = {field: value for field, value in self.values.items() if self.live(field)}
        assert len(self.table) == len(self.values)
        assert dict(zip(self.table.fields(), self.table.values(), strict=True)) == visible
        flat = self.table.flat()
        assert dict(zip(flat[::2], flat[1::2], strict=True)) == visible
        for field, value in self.values.items():
            assert (field in self.table) == (field in visible)
            assert self.table.get(field) == (value if field in visible else None)
            assert self.table.value_length(field) == (len(value) if field in visible else 0)
            expected = self.expiry.get(field, -1) if field in visible else -2
            assert self.table.expire_at(field) == expected
        assert self.table.next_expiry_ms == min(self.expiry.values(), default=-1)
        assert self.table.expiring == len(self.expiry)
        self.table.check_invariants()

    @rule()
    def copy(self) -> None:
        copy = self.table.copy()
        self.table.check_invariants()
        copy.check_invariants()
        self.table = copy


TestMembers = MemberMachine.TestCase
TestFields = FieldMachine.TestCase


@given(st.integers(0, 600), st.integers(0, 600), st.integers(1, 30), chances)
def test_a_scan_finds_what_stays_whatever_else_changes(
    stay: int, change: int, count: int, seed: int
) -> None:
    chance = random.Random(seed)
    table = MemberTable(3)
    staying = {b"stay:%d" % n for n in range(stay)}
    for member in staying:
        table.add(member)
    growing = chance.random() < 0.5
    for n in range(0 if growing else change * 5):
        table.add(b"go:%d" % n)
    found: Counter[bytes] = Counter()
    cursor, step = 0, 0
    while True:
        cursor, members = table.scan(cursor, count)
        found.update(members)
        if not cursor:
            break
        for _ in range(chance.randrange(30)):
            step += 1
            if growing and step < 3000:
                table.add(b"go:%d" % step)
            else:
                table.discard(b"go:%d" % step)
    assert staying <= found.keys()


def test_a_scan_of_a_set_at_rest_finds_everything_once() -> None:
    table = MemberTable(3)
    for n in range(5000):
        table.add(b"%d" % n)
    while table.rehash_step(100):
        pass
    cursor, members = table.scan(0, 10)
    while cursor:
        cursor, more = table.scan(cursor, 10)
        assert 10 <= len(more) <= 30 or not cursor
        members += more
    assert sorted(members) == sorted(table.members())


@pytest.mark.parametrize("make", [MemberTable, FieldTable])
def test_a_big_table_is_freed_in_slices(make: type[MemberTable] | type[FieldTable]) -> None:
    table = make(5)
    for n in range(3000):
        if isinstance(table, MemberTable):
            table.add(b"%d" % n)
        else:
            table.set(b"%d" % n, b"v")
            table.set_expire(b"%d" % n, n)
    slices = 1
    while table.free_step(100):
        slices += 1
    assert 20 <= slices <= 31
    assert len(table) == 0
    assert table.entry_bytes == 0
    table.check_invariants()


def test_a_table_may_be_dropped_half_freed() -> None:
    table = MemberTable(5)
    for n in range(3000):
        table.add(b"%d" % n)
    assert table.free_step(1000)
    del table


def test_every_member_can_be_drawn_and_none_is_preferred() -> None:
    table = MemberTable(11)
    for n in range(40):
        table.add(b"%d" % n)
    chance = random.Random(1)
    drawn = Counter(table.random(chance.getrandbits(64)) for _ in range(8000))
    assert set(drawn) == set(table.members())
    assert max(drawn.values()) < 3 * min(drawn.values())
    sampled = Counter(m for _ in range(800) for m in table.sample(10, chance.getrandbits(64)))
    assert set(sampled) == set(table.members())
    assert max(sampled.values()) < 3 * min(sampled.values())


def test_nothing_can_be_drawn_from_an_empty_table() -> None:
    for act in (MemberTable(1).random, MemberTable(1).pop, FieldTable(1).random):
        with pytest.raises(IndexError):
            act(0)
    assert MemberTable(1).sample(3, 0) == []
    assert FieldTable(1).randoms(3, 0) == []


def test_no_field_is_drawn_when_all_are_past() -> None:
    table = FieldTable(1)
    table.set(b"f", b"v")
    table.set_expire(b"f", 10)
    table.now_ms = 10
    assert table.randoms(3, 0) == []
    with pytest.raises(IndexError):
        table.random(0)


def filled(table: EntryTable) -> EntryTable:
    for n in range(100_000):
        if isinstance(table, MemberTable):
            table.add(b"member:%d" % n)
        elif isinstance(table, FieldTable):
            table.set(b"field:%d" % n, b"value:%d" % n)
    while table.rehash_step(1000):
        pass
    return table


def test_a_member_takes_at_most_49_bytes() -> None:
    assert filled(MemberTable(1)).memory <= 49 * 100_000


def test_a_field_takes_at_most_95_bytes_and_40_more_with_an_expiry_time() -> None:
    table = filled(FieldTable(1))
    assert isinstance(table, FieldTable)
    without = table.memory
    assert without <= 95 * 100_000
    for n in range(100_000):
        table.set_expire(b"field:%d" % n, n)
    assert table.memory <= without + 40 * 100_000
    for n in range(100_000):
        table.set_expire(b"field:%d" % n, -1)
    assert table.memory == without


def test_growing_waits_while_it_may_not_resize() -> None:
    table = MemberTable(1)
    table.add(b"first")
    table.may_resize = False
    for n in range(20):
        table.add(b"%d" % n)
    assert not table.rehashing
    assert not table.may_resize
    table.check_invariants()


def test_an_expected_size_needs_no_rehash() -> None:
    table = MemberTable(1)
    table.expect(1000)
    for n in range(1000):
        table.add(b"%d" % n)
        assert not table.rehashing
