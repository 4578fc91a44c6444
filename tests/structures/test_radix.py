"""The radix tree: a sorted dict answers the same, and the ids of a stream take little memory."""

import random
import sys
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from balas.structures.radix import RadixTree

keys = st.one_of(
    st.binary(max_size=3),
    st.text("ab", max_size=8).map(str.encode),
    st.integers(0, 70_000).map(lambda n: n.to_bytes(16, "big")),
    st.integers(0, 255).map(lambda n: b"wide" + bytes([n])),
    st.sampled_from([b"x" * 300, b"x" * 300 + b"y", b"x" * 299 + b"z"]),
)


class Machine(RuleBasedStateMachine):
    """A tree and a dict take the same changes."""

    def __init__(self) -> None:
        super().__init__()
        self.tree: RadixTree[int] = RadixTree()
        self.twin: dict[bytes, int] = {}

    @rule(key=keys, value=st.integers())
    def put(self, key: bytes, value: int) -> None:
        assert self.tree.set(key, value) == (key not in self.twin)
        self.twin[key] = value

    @rule(first=st.integers(0, 70_000), count=st.integers(1, 400))
    def put_many(self, first: int, count: int) -> None:
        for n in range(first, first + count):
            self.tree[n.to_bytes(16, "big")] = n
            self.twin[n.to_bytes(16, "big")] = n

    @rule(key=keys)
    def remove_perhaps(self, key: bytes) -> None:
        if key in self.twin:
            assert self.tree.pop(key) == self.twin.pop(key)
        else:
            with pytest.raises(KeyError):
                self.tree.pop(key)

    @rule(seed=st.integers(0, 2**32), share=st.floats(0, 1))
    def remove_some(self, seed: int, share: float) -> None:
        chance = random.Random(seed)
        for key in list(self.twin):
            if chance.random() < share:
                del self.tree[key], self.twin[key]

    @rule(key=keys)
    def seek(self, key: bytes) -> None:
        ordered = sorted(self.twin)
        left, right = bisect_left(ordered, key), bisect_right(ordered, key)

        def pair(place: int) -> tuple[bytes, int] | None:
            inside = 0 <= place < len(ordered)
            return (ordered[place], self.twin[ordered[place]]) if inside else None

        assert self.tree.at_least(key) == pair(left)
        assert self.tree.above(key) == pair(right)
        assert self.tree.at_most(key) == pair(right - 1)
        assert self.tree.below(key) == pair(left - 1)
        assert [k for k, _ in self.tree.items(key)] == ordered[left:]
        assert [k for k, _ in self.tree.items_back(key)] == ordered[:right][::-1]

    @rule(key=keys)
    def look(self, key: bytes) -> None:
        ordered = sorted(self.twin)
        assert (key in self.tree) == (key in self.twin)
        assert self.tree.get(key) == self.twin.get(key)
        below = [(k, self.twin[k]) for k in ordered if k.startswith(key)]
        assert list(self.tree.items_under(key)) == below
        prefixes = [(k, self.twin[k]) for k in ordered if key.startswith(k)]
        assert self.tree.prefixes_of(key) == prefixes

    @invariant()
    def same(self) -> None:
        ordered = sorted(self.twin.items())
        assert len(self.tree) == len(ordered)
        assert list(self.tree.items()) == ordered
        assert list(self.tree.items_back()) == ordered[::-1]
        assert self.tree.first() == (ordered[0] if ordered else None)
        assert self.tree.last() == (ordered[-1] if ordered else None)
        self.tree.check_invariants()


TestMachine = Machine.TestCase


def stream_ids(count: int) -> list[bytes]:
    chance = random.Random(2)
    ms = 1_700_000_000_000
    ids = []
    for n in range(count):
        ms += chance.randrange(3)
        ids.append(ms.to_bytes(8, "big") + (n if chance.random() < 0.3 else 0).to_bytes(8, "big"))
    return sorted(set(ids))


def test_stream_ids_take_little() -> None:
    tree: RadixTree[None] = RadixTree()
    ids = stream_ids(50_000)
    for key in ids:
        tree[key] = None
    tree.check_invariants()
    assert list(tree) == ids
    assert tree.memory <= 80 * len(ids)


def test_values_are_held_as_long_as_their_keys() -> None:
    value = object()
    before = sys.getrefcount(value)
    tree: RadixTree[object] = RadixTree()
    for n in range(100):
        tree[b"%d" % n] = value
        tree[b"%d" % n] = value
    assert sys.getrefcount(value) == before + 100
    for n in range(40):
        assert tree.pop(b"%d" % n) is value
    assert sys.getrefcount(value) == before + 60
    assert tree.free_step(20)
    assert sys.getrefcount(value) < before + 60
    del tree
    assert sys.getrefcount(value) == before


def test_a_big_tree_is_freed_in_slices() -> None:
    tree: RadixTree[int] = RadixTree()
    for n in range(5000):
        tree[b"%d" % n] = n
    tree[b""] = 1
    slices = 1
    while tree.free_step(100):
        slices += 1
    assert 50 <= slices <= 60
    assert len(tree) == 0
    tree.check_invariants()
    tree[b"a"] = 1
    assert list(tree.items()) == [(b"a", 1)]


def test_a_tree_may_change_under_a_walk() -> None:
    tree: RadixTree[int] = RadixTree()
    for n in range(1000):
        tree[b"%03d" % n] = n
    seen = []
    for key, n in tree.items():
        seen.append(n)
        del tree[key]
        tree.set(b"%03d" % (n // 2), -1) if n % 2 else tree.set(b"a%03d" % n, -1)
        if len(seen) == 900:
            break
    assert seen == list(range(900))


def test_a_missing_key_is_an_error() -> None:
    tree: RadixTree[int] = RadixTree()
    tree[b"ab"] = 1
    for key in (b"", b"a", b"abc", b"b"):
        with pytest.raises(KeyError):
            tree[key]
        with pytest.raises(KeyError):
            del tree[key]
