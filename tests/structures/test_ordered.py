"""The ordered index: what a sorted list of scores and members does, in little memory."""

import random
from bisect import bisect_left
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from balas.structures.ordered import OrderedIndex

members = st.one_of(
    st.binary(max_size=3),
    st.integers(0, 300).map(b"member:%d".__mod__),
    st.sampled_from([b"same-8-b", b"same-8-b\0", b"same-8-bytes", b"\xff" * 9]),
)
scores = st.one_of(
    st.integers(-3, 3).map(float),
    st.sampled_from([-inf, inf, 0.0, -0.0, 5e-324]),
    st.floats(allow_nan=False),
)
chances = st.integers(0, 2**64 - 1)
Flat = list[bytes | float]


def flattened(pairs: list[tuple[float, bytes]]) -> Flat:
    return [part for score, member in pairs for part in (member, score)]


class Machine(RuleBasedStateMachine):
    """An ordered index and a dict take the same changes."""

    def __init__(self) -> None:
        super().__init__()
        self.index = OrderedIndex(7)
        self.twin: dict[bytes, float] = {}

    def put(self, member: bytes, score: float) -> None:
        assert self.index.set(member, score) == (member not in self.twin)
        if self.twin.get(member) != score:
            self.twin[member] = score

    @initialize(count=st.sampled_from([0, 60, 3000]))
    def begin(self, count: int) -> None:
        self.add_many(0, count, 1.0)

    @rule(first=st.integers(0, 3000), count=st.integers(1, 300), step=scores)
    def add_many(self, first: int, count: int, step: float) -> None:
        for n in range(first, first + count):
            score = n * step
            self.put(b"member:%d" % n, 0.0 if score != score else score)

    @rule(member=members, score=scores)
    def put_one(self, member: bytes, score: float) -> None:
        self.put(member, score)

    @rule(member=members)
    def discard(self, member: bytes) -> None:
        assert self.index.discard(member) == (self.twin.pop(member, None) is not None)

    @rule(seed=chances, share=st.floats(0, 1))
    def move_some(self, seed: int, share: float) -> None:
        chance = random.Random(seed)
        for member in sorted(self.twin):
            if chance.random() < share:
                self.put(member, self.twin[member] + chance.choice([-100, -1, 0.5, 30]))

    @rule(seed=chances, share=st.floats(0, 1))
    def discard_some(self, seed: int, share: float) -> None:
        chance = random.Random(seed)
        for member in sorted(self.twin):
            if chance.random() < share:
                assert self.index.discard(member)
                del self.twin[member]

    @rule(start=st.integers(-5, 400), count=st.integers(-5, 2000))
    def remove_slice(self, start: int, count: int) -> None:
        gone = self.ordered()[max(start, 0) : max(start + count, 0)]
        assert self.index.remove_slice(start, start + count) == len(gone)
        for _, member in gone:
            del self.twin[member]

    @rule(count=st.integers(0, 500), last=st.booleans())
    def pop(self, count: int, last: bool) -> None:
        ordered = self.ordered()
        gone = ordered[::-1][:count] if last else ordered[:count]
        assert self.index.pop(count, last) == flattened(gone)
        for _, member in gone:
            del self.twin[member]

    @rule(score=scores)
    def count_below(self, score: float) -> None:
        assert self.index.count_below(score) == sum(s < score for s in self.twin.values())
        assert self.index.count_below(score, True) == sum(s <= score for s in self.twin.values())

    @rule(start=st.integers(-5, 3000), count=st.integers(-5, 200), reverse=st.booleans())
    def read(self, start: int, count: int, reverse: bool) -> None:
        expected = self.ordered()[max(start, 0) : max(start + count, 0)]
        if reverse:
            expected.reverse()
        assert self.index.slice(start, start + count, reverse) == [m for _, m in expected]
        assert self.index.flat(start, start + count, reverse) == flattened(expected)

    @rule(rank=st.integers(-3, 3000))
    def walk(self, rank: int) -> None:
        ordered = [(member, score) for score, member in self.ordered()]
        inside = 0 <= rank < len(ordered)
        assert list(self.index.walk_from(rank)) == (ordered[rank:] if inside else [])
        backwards = ordered[rank::-1] if inside else []
        assert list(self.index.walk_from(rank, reverse=True)) == backwards

    @rule(chance=chances, count=st.integers(0, 500))
    def draw(self, chance: int, count: int) -> None:
        sample = self.index.sample(count, chance, True)
        assert len(sample) == 2 * min(count, len(self.twin))
        pairs = dict(zip(sample[::2], sample[1::2], strict=True))
        assert pairs.items() <= self.twin.items()
        assert set(self.index.randoms(count, chance)) <= self.twin.keys()
        if self.twin:
            assert self.index.random(chance) in self.twin

    @rule()
    def copy(self) -> None:
        self.index = self.index.copy()

    def ordered(self) -> list[tuple[float, bytes]]:
        return sorted((score, member) for member, score in self.twin.items())

    @invariant()
    def same(self) -> None:
        ordered = self.ordered()
        assert len(self.index) == len(ordered)
        assert self.index.flat(0, len(ordered)) == flattened(ordered)
        assert sorted(self.index) == sorted(self.twin)
        for rank, (score, member) in enumerate(ordered):
            assert self.index.rank(member) == rank
            assert str(self.index.score(member)) == str(score)
            assert self.index.at(rank) == (member, score)
        self.index.check_invariants()


TestMachine = Machine.TestCase


@given(st.sets(members, max_size=300), members, st.booleans())
def test_members_of_one_score_are_counted_by_their_bytes(
    twin: set[bytes], bound: bytes, inclusive: bool
) -> None:
    index = OrderedIndex(1)
    for member in twin | {b"filler:%d" % n for n in range(200)}:
        index.set(member, 5.0)
    ordered = sorted(index)
    expected = bisect_left(ordered, bound) + (inclusive and bound in index)
    assert index.count_before(bound, inclusive) == expected


def test_negative_zero_is_zero() -> None:
    index = OrderedIndex(1)
    index.set(b"b", 0.0)
    index.set(b"a", -0.0)
    index.set(b"c", -0.0)
    assert index.slice(0, 3) == [b"a", b"b", b"c"]
    assert index.count_below(0.0) == index.count_below(-0.0) == 0
    index.set(b"b", -0.0)
    assert str(index.score(b"b")) == "0.0"
    assert str(index.score(b"a")) == "-0.0"


def test_nan_is_refused_and_changes_nothing() -> None:
    index = OrderedIndex(1)
    index.set(b"a", 1.0)
    for member in (b"a", b"b"):
        with pytest.raises(ValueError, match="number"):
            index.set(member, nan)
    assert index.flat(0, 9) == [b"a", 1.0]
    index.check_invariants()


def test_an_empty_index_answers() -> None:
    index = OrderedIndex(1)
    assert index.rank(b"a") is None
    assert index.score(b"a") is None
    assert b"a" not in index
    assert index.count_below(inf, True) == index.count_before(b"a") == 0
    assert index.slice(0, 10) == index.pop(3) == index.sample(2, 1) == []
    with pytest.raises(IndexError):
        index.at(0)
    with pytest.raises(IndexError):
        index.random(0)


def numbered(count: int, order: str) -> list[tuple[bytes, float]]:
    pairs = [(b"member:%07d" % n, float(n)) for n in range(count)]
    if order == "random":
        random.Random(4).shuffle(pairs)
    return pairs if order != "descending" else pairs[::-1]


@pytest.mark.parametrize(
    ("order", "bytes_max"), [("ascending", 72), ("descending", 72), ("random", 84)]
)
def test_a_member_takes_little(order: str, bytes_max: int) -> None:
    index = OrderedIndex(1)
    index.expect(100_000)
    index.extend(numbered(100_000, order))
    while index.rehash_step(1000):
        pass
    assert index.memory <= bytes_max * 100_000
    index.check_invariants()


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_memory_goes_back_when_members_go(order: str) -> None:
    index = OrderedIndex(1)
    index.extend(numbered(20_000, "random"))
    for member, _ in numbered(20_000, order)[:-20]:
        index.discard(member)
    while index.rehash_step(1000):
        pass
    index.check_invariants()
    assert index.memory <= 20_000


def test_a_big_index_is_freed_in_slices() -> None:
    index = OrderedIndex(1)
    index.extend(numbered(5000, "random"))
    slices = 1
    while index.free_step(200):
        slices += 1
    assert 30 <= slices <= 80
    assert len(index) == 0
    index.check_invariants()


def test_an_index_may_be_dropped_half_freed() -> None:
    index = OrderedIndex(1)
    index.extend(numbered(5000, "random"))
    for _ in range(3):
        assert index.free_step(500)
    del index


def test_a_queue_stays_in_order_while_it_moves_on() -> None:
    index = OrderedIndex(1)
    for n in range(5000):
        index.set(b"%d" % n, n)
        if n >= 100:
            assert index.pop(1) == [b"%d" % (n - 100), float(n - 100)]
    index.check_invariants()
    assert len(index) == 100
