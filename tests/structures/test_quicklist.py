"""Quicklists: they agree with a list, and their nodes with those of the real server."""

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from balas.structures.quicklist import QuickList
from balas.testing.clients import Client
from balas.testing.real_server import RealRedis
from structures import listpacks

common = st.sampled_from([b"a", b"b", b"7", b"-300", b"007", b"x" * 20, b"y" * 39])
items = st.one_of(
    common,
    common,
    st.binary(max_size=12),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n),
    st.sampled_from([b"z" * 40, b"z" * 41, b"z" * 300, b"z" * 5000, b"z" * 9000]),
)
# Elements of 40 bytes on are plain where the last is 40.
LIMITS = [(1, 0), (2, 0), (3, 40), (5, 40), (-1, 0), (-1, 40), (-2, 0), (128, 0)]


class Machine(RuleBasedStateMachine):
    """A quicklist and a list take the same changes."""

    quicklist: QuickList
    twin: list[bytes]

    @initialize(limits=st.sampled_from(LIMITS), linked=st.booleans())
    def start(self, limits: tuple[int, int], linked: bool) -> None:
        self.settings = {"fill": limits[0], "plain_from": limits[1]}
        make = QuickList.from_nodes if linked else QuickList
        self.quicklist = make([], **self.settings)
        self.twin = []

    def grow(self, item: bytes) -> None:
        self.quicklist.grow(1, len(item))

    @rule(some=st.lists(items, min_size=1, max_size=8), at_head=st.booleans())
    def push(self, some: list[bytes], at_head: bool) -> None:
        self.quicklist.grow(len(some), sum(map(len, some)))
        for item in some:
            self.quicklist.push(item, at_head)
            self.twin.insert(0 if at_head else len(self.twin), item)

    @precondition(lambda self: self.twin)
    @rule(at_head=st.booleans())
    def pop(self, at_head: bool) -> None:
        assert self.quicklist.pop(at_head) == self.twin.pop(0 if at_head else -1)

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), item=items, after=st.booleans())
    def insert(self, data: st.DataObject, item: bytes, after: bool) -> None:
        index = self.draw_index(data)
        self.grow(item)
        self.quicklist.insert(index, item, after)
        self.twin.insert(index % len(self.twin) + after, item)

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), item=items)
    def replace(self, data: st.DataObject, item: bytes) -> None:
        index = self.draw_index(data)
        self.grow(item)
        self.quicklist.replace(index, item)
        self.twin[index] = item

    @rule(start=st.integers(0, 20), count=st.integers(0, 12))
    def delete(self, start: int, count: int) -> None:
        removed = len(self.twin[start : start + count])
        assert self.quicklist.delete(start, count) == removed
        del self.twin[start : start + count]

    @precondition(lambda self: len(self.twin) > 20)
    @rule(start=st.integers(0, 8), count=st.integers(10, 40))
    def trim(self, start: int, count: int) -> None:
        self.quicklist.trim(start, count)
        self.twin = self.twin[start : start + count]

    @rule(item=common, count=st.integers(1, 3), backwards=st.booleans())
    def remove(self, item: bytes, count: int, backwards: bool) -> None:
        places = [i for i, other in enumerate(self.twin) if other == item]
        places = places[-count:] if backwards else places[:count]
        assert self.quicklist.remove(item, count, backwards) == len(places)
        for place in reversed(places):
            del self.twin[place]

    @rule(shrinking=st.booleans())
    def shrink(self, shrinking: bool) -> None:
        before = self.quicklist.linked
        assert self.quicklist.shrink(shrinking) == (before and not self.quicklist.linked)

    @rule()
    def copy(self) -> None:
        other = self.quicklist.copy()
        assert other.nodes() == self.quicklist.nodes()
        assert other.linked == self.quicklist.linked
        self.quicklist.push(b"only here")
        self.quicklist.pop()
        self.quicklist = other

    @precondition(lambda self: self.quicklist.linked)
    @rule()
    def save_and_load(self) -> None:
        nodes = self.quicklist.nodes()
        self.quicklist = QuickList.from_nodes(nodes, **self.settings)
        assert self.quicklist.nodes() == nodes

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), item=common, backwards=st.booleans(), limit=st.integers(1, 30))
    def find(self, data: st.DataObject, item: bytes, backwards: bool, limit: int) -> None:
        start = self.draw_index(data)
        first = start % len(self.twin)
        step = -1 if backwards else 1
        stop = -1 if backwards else len(self.twin)
        places = list(range(first, stop, step))[:limit]
        expected = next((place for place in places if self.twin[place] == item), None)
        assert self.quicklist.find(item, start, backwards, limit) == expected

    @precondition(lambda self: self.twin)
    @rule(data=st.data(), count=st.integers(0, 30))
    def look(self, data: st.DataObject, count: int) -> None:
        index = self.draw_index(data)
        assert self.quicklist.get(index) == self.twin[index]
        start = index % len(self.twin)
        assert self.quicklist.range(start, count) == self.twin[start : start + count]
        assert self.quicklist.iterate(start) == self.twin[start:]
        assert self.quicklist.iterate(start, True) == self.twin[start::-1]

    @invariant()
    def same(self) -> None:
        assert list(self.quicklist) == self.twin
        assert len(self.quicklist) == len(self.twin)
        self.quicklist.check_invariants()

    def draw_index(self, data: st.DataObject) -> int:
        return data.draw(st.integers(-len(self.twin), len(self.twin) - 1))


TestMachine = Machine.TestCase


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_nodes(seed: int) -> None:
    """The index grows to three levels and shrinks to nothing, in any order."""
    chance = random.Random(seed)
    quicklist = QuickList.from_nodes([], fill=1)
    twin: list[bytes] = []
    while len(twin) < 3000:
        item = b"%d" % chance.randrange(10**6)
        # Mostly in runs at one place, as lists are used, so that blocks fill up unevenly.
        index = chance.randrange(len(twin)) if twin else 0
        for _ in range(chance.choice([1, 1, 1, 40])):
            if twin and chance.random() < 0.8:
                quicklist.insert(index, item)
                twin.insert(index, item)
            else:
                quicklist.push(item)
                twin.append(item)
    quicklist.check_invariants()
    assert list(quicklist) == twin
    while twin:
        count = min(chance.choice([1, 1, 1, 60]), len(twin))
        start = chance.randrange(len(twin) - count + 1)
        quicklist.delete(start, count)
        del twin[start : start + count]
        if chance.random() < 0.1:
            index = chance.randrange(len(twin)) if twin else 0
            assert quicklist.range(index, 1) == twin[index : index + 1]
            quicklist.check_invariants()
    assert quicklist.node_count == 0


def test_pushing_at_one_end_fills_the_nodes() -> None:
    for at_head in (False, True):
        quicklist = QuickList()
        for number in range(100_000):
            quicklist.grow(1, 7)
            quicklist.push(1_000_000 + number, at_head)
        quicklist.check_invariants()
        assert quicklist.node_count == pytest.approx(100_000 * 5 / 8192, rel=0.02)
        assert quicklist.memory < 100_000 * 5 * 1.03


def test_a_queue_does_not_grow() -> None:
    for at_head in (False, True):
        quicklist = QuickList([b"some element of a queue"] * 50)
        before = quicklist.memory
        for _ in range(20_000):
            quicklist.push(b"some element of a queue", at_head)
            quicklist.pop(not at_head)
        quicklist.check_invariants()
        assert quicklist.memory <= before * 1.3


def test_pushing_at_both_ends_in_turn() -> None:
    quicklist = QuickList()
    for number in range(1, 1000):
        quicklist.push(number)
        quicklist.push(-number, at_head=True)
    quicklist.check_invariants()
    assert list(quicklist) == [b"%d" % n for n in range(-999, 1000) if n]


def test_a_list_of_ten_small_elements_takes_little() -> None:
    assert QuickList([b"elem%d" % i for i in range(10)]).memory <= 96


def test_an_emptied_list_gives_its_memory_back() -> None:
    quicklist = QuickList([b"x" * 100] * 10_000)
    quicklist.trim(5000, 3)
    assert quicklist.node_count == 1
    assert quicklist.memory < 1500
    assert quicklist.shrink()
    assert list(quicklist) == [b"x" * 100] * 3
    quicklist.check_invariants()


def test_a_list_nobody_needs_is_freed_in_parts() -> None:
    quicklist = QuickList([b"x" * 1000] * 1000)
    parts = 1
    while quicklist.free_some(10):
        parts += 1
    assert parts == pytest.approx(1000 / 8 / 10, abs=1)


def traced_here() -> int:
    """Bytes that this file asked for; others, as plugins and threads, ask for some at any time."""
    filters = [tracemalloc.Filter(True, __file__), tracemalloc.Filter(True, random.__file__)]
    snapshot = tracemalloc.take_snapshot().filter_traces(filters)
    return sum(trace.size for trace in snapshot.traces)


@pytest.mark.parametrize("limits", LIMITS)
def test_the_memory_account_is_true(limits: tuple[int, int]) -> None:
    chance = random.Random(4)
    tracemalloc.start()
    try:
        quicklist = QuickList(fill=limits[0], plain_from=limits[1])
        for _ in range(3000):
            item = chance.randbytes(chance.choice([3, 30, 100]))
            quicklist.grow(1, len(item))
            quicklist.push(item, chance.random() < 0.5)
            quicklist.insert(chance.randrange(len(quicklist)), item)
            quicklist.delete(chance.randrange(len(quicklist)), 1)
        traced = traced_here()
        # The account knows the steps and headers of the allocator, which tracing does not.
        assert traced <= quicklist.memory <= traced + 24 * quicklist.node_count + 1000
        del item, quicklist
        assert traced_here() < 1000
    finally:
        tracemalloc.stop()


def test_an_index_beyond_the_ends() -> None:
    for quicklist in (QuickList([b"a", b"b"]), QuickList([b"a", b"b"] * 10, fill=1)):
        for index in (len(quicklist), -len(quicklist) - 1, 2**62):
            with pytest.raises(IndexError):
                quicklist.get(index)
            with pytest.raises(IndexError):
                quicklist.replace(index, b"x")
            with pytest.raises(IndexError):
                quicklist.insert(index, b"x")
        assert quicklist.range(len(quicklist), 5) == []
        assert quicklist.delete(len(quicklist), 1) == 0
        assert quicklist.delete(-1, 1) == 0


def test_an_empty_list() -> None:
    for quicklist in (QuickList(), QuickList.from_nodes([])):
        assert quicklist.pop() is quicklist.pop(at_head=True) is None
        assert quicklist.range() == quicklist.iterate(0) == []
        assert quicklist.find(b"a") is None
        assert quicklist.remove(b"a") == 0


@pytest.mark.parametrize("item", ["text", 1.5, None])
def test_only_bytes_and_ints_are_elements(item: Any) -> None:
    quicklist = QuickList()
    with pytest.raises(TypeError):
        quicklist.push(item)


@given(st.lists(st.one_of(items, st.integers(0, 3)), max_size=6), st.data())
def test_damaged_packs_are_refused(twin: list[Any], draw: st.DataObject) -> None:
    good = listpacks.pack([b"%d" % item if isinstance(item, int) else item for item in twin])
    place = draw.draw(st.integers(0, len(good) - 1))
    damaged = good[:place] + draw.draw(st.binary(max_size=2)) + good[place + 1 :]
    try:
        expected = listpacks.unpack(damaged)
    except listpacks.Unsound:
        with pytest.raises(ValueError, match="corrupt listpack"):
            QuickList.from_nodes([(False, good), (False, damaged)])
    else:
        assert list(QuickList.from_nodes([(True, b"plain"), (False, damaged)])) == [
            b"plain",
            *expected,
        ]


# The real server


class Pair:
    """The same commands for a list of ours and one of Redis; replies and nodes are compared."""

    def __init__(self, client: Client, fill: int, plain_from: int) -> None:
        self.client = client
        self.settings = {"fill": fill, "plain_from": plain_from}
        self.ours = QuickList(**self.settings)
        client("CONFIG", "SET", "list-max-listpack-size", fill, "rdbcompression", "no")
        client("DEBUG", "QUICKLIST-PACKED-THRESHOLD", f"{plain_from}b")
        client("DEL", "l")

    def push(self, at_head: bool, *elements: bytes) -> None:
        self.client("LPUSH" if at_head else "RPUSH", "l", *elements)
        self.ours.grow(len(elements), sum(map(len, elements)))
        for element in elements:
            self.ours.push(element, at_head)

    def pop(self, at_head: bool) -> None:
        assert self.client("LPOP" if at_head else "RPOP", "l") == self.ours.pop(at_head)
        self.removed()

    def removed(self) -> None:
        if len(self.ours):
            self.ours.shrink()
        else:
            self.ours = QuickList(**self.settings)

    def replace(self, index: int, element: bytes) -> None:
        self.client("LSET", "l", index, element)
        self.ours.grow(1, len(element))
        self.ours.replace(index, element)
        self.ours.shrink()

    def insert(self, index: int, element: bytes, after: bool) -> None:
        pivot = self.ours.get(index)
        self.client("LINSERT", "l", "AFTER" if after else "BEFORE", pivot, element)
        self.ours.grow(1, len(element))
        place = self.ours.find(pivot)
        assert place is not None
        self.ours.insert(place, element, after)

    def remove(self, element: bytes, count: int) -> None:
        removed = self.ours.remove(element, abs(count), count < 0)
        assert self.client("LREM", "l", count, element) == removed
        if removed:
            self.removed()

    def trim(self, start: int, count: int) -> None:
        self.client("LTRIM", "l", start, start + count - 1)
        self.ours.trim(start, count)
        self.removed()

    def compare(self) -> None:
        if not len(self.ours):
            assert self.client("EXISTS", "l") == 0
            return
        assert self.client("LLEN", "l") == len(self.ours)
        encoding = "quicklist" if self.ours.linked else "listpack"
        assert self.client("OBJECT", "ENCODING", "l") == encoding.encode()
        assert listpacks.dumped_list(self.client("DUMP", "l")) == self.ours.nodes()
        self.ours.check_invariants()


def run(pair: Pair, chance: random.Random, elements: list[bytes], steps: int) -> None:
    for _ in range(steps):
        length = len(pair.ours)
        act = chance.choices(range(6), [8, 5, 6, 8, 2, 0.3])[0] if length else 0
        element = chance.choice(elements)
        if act == 0:
            pair.push(chance.random() < 0.5, *chance.choices(elements, k=chance.choice([1, 1, 6])))
        elif act == 1:
            pair.pop(chance.random() < 0.5)
        elif act == 2:
            pair.replace(chance.randrange(length), element)
        elif act == 3:
            pair.insert(chance.randrange(length), element, chance.random() < 0.5)
        elif act == 4:
            pair.remove(element, chance.choice([1, 2, -1, -3]))
        else:
            start = chance.randrange(length)
            pair.trim(start, chance.randrange(1, length + 1))
        pair.compare()


SMALL = [b"%d" % n for n in range(0, 2000, 100)] + [b"element%d" % n for n in range(20)]
MIXED = [*SMALL, *(b"x" * n for n in (30, 49, 50, 51, 200, 1000))]
HUGE = [*MIXED, *(b"y" * n for n in (2000, 3900, 4080, 4081, 4096, 4097, 8185, 8192, 8193, 20000))]


@pytest.mark.parametrize(
    ("fill", "plain_from", "elements"),
    [
        (1, 0, SMALL),
        (0, 0, SMALL),
        (2, 0, MIXED),
        (4, 50, MIXED),
        (128, 50, MIXED),
        (3, 0, HUGE),
        (-1, 0, HUGE),
        (-2, 0, HUGE),
        (-5, 0, HUGE),
        (-1, 200, MIXED),
    ],
)
def test_nodes_are_those_of_redis(
    real_redis: RealRedis, fill: int, plain_from: int, elements: list[bytes]
) -> None:
    chance = random.Random(f"{fill} {plain_from}")
    with real_redis.client() as client:
        pair = Pair(client, fill, plain_from)
        try:
            run(pair, chance, elements, 250)
        finally:
            client("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0b")
