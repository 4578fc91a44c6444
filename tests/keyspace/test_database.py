"""Databases against a naive twin: a dict of values and a dict of expiry times for each."""

import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from balas.keyspace.access import AccessClock
from balas.keyspace.database import Account, Database
from balas.types.value import Value

KEYS = st.one_of(
    st.integers(0, 60).map(lambda n: b"key:%d" % n),
    st.binary(max_size=12),
    st.sampled_from([b"", b"k" * 300]),
)


class Blob(Value):
    """A value of a module: its size is what it is told."""

    type_name = "testblob-"

    def __init__(self, size: int) -> None:
        self.size = size
        self.effort = 1

    def memory_usage(self) -> int:
        return self.size

    def free_effort(self) -> int:
        return self.effort

    def free_step(self, effort: int) -> bool:
        self.effort -= effort
        return self.effort > 0


VALUES = st.one_of(
    st.binary(max_size=300),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-1000, 1000).map(lambda n: b"%d" % n),
    st.binary(max_size=40).map(bytearray),
    st.integers(1, 5000).map(Blob),
)
EXPIRIES = st.one_of(st.just(-1), st.integers(0, 2**43))


def as_read(value: object) -> object:
    """What `get` gives back for what was set: an integer is a string to everybody."""
    return b"%d" % value if isinstance(value, int) else value


def make(account: Account, index: int = 0, seed: int = 7) -> Database:
    return Database(index, account, AccessClock(1), seed)


class Twins(RuleBasedStateMachine):
    """Two databases that share an account, with everything that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.databases = [make(self.account, i) for i in range(2)]
        self.values: list[dict[bytes, object]] = [{}, {}]
        self.expiries: list[dict[bytes, int]] = [{}, {}]

    @initialize(count=st.integers(0, 400))
    def fill(self, count: int) -> None:
        """Start at any size, so that growing and shrinking are met on the way."""
        for n in range(count):
            self.put(0, b"filled:%d" % n, b"%d" % n, n % 3 - 1)

    @rule(at=st.integers(0, 1), key=KEYS, value=VALUES, expiry=EXPIRIES)
    def put(self, at: int, key: bytes, value: object, expiry: int) -> None:
        self.databases[at].set(key, value, expiry)
        self.values[at][key] = as_read(value)
        self.expiries[at].pop(key, None)
        if expiry >= 0:
            self.expiries[at][key] = expiry

    @rule(at=st.integers(0, 1), count=st.integers(1, 200), data=st.data())
    def set_many(self, at: int, count: int, data: st.DataObject) -> None:
        first = data.draw(st.integers(0, 1000))
        for n in range(first, first + count):
            self.put(at, b"many:%d" % n, b"v" * (n % 50), n if n % 2 else -1)

    @rule(at=st.integers(0, 1), key=KEYS, lazy=st.booleans())
    def delete(self, at: int, key: bytes, lazy: bool) -> None:
        assert self.databases[at].delete(key, lazy) == (key in self.values[at])
        self.values[at].pop(key, None)
        self.expiries[at].pop(key, None)

    @rule(at=st.integers(0, 1), share=st.integers(2, 20))
    def delete_most(self, at: int, share: int) -> None:
        for n, key in enumerate(list(self.values[at])):
            if n % share:
                self.delete(at, key, False)

    @rule(at=st.integers(0, 1), lazy=st.booleans())
    def flush(self, at: int, lazy: bool) -> None:
        assert self.databases[at].flush(lazy) == len(self.values[at])
        self.values[at] = {}
        self.expiries[at] = {}

    @rule()
    def swap(self) -> None:
        self.databases[0].swap_contents(self.databases[1])
        self.values.reverse()
        self.expiries.reverse()

    @rule(at=st.integers(0, 1), allowed=st.booleans())
    def allow_resize(self, at: int, allowed: bool) -> None:
        self.databases[at].allow_resize(allowed)

    @rule(at=st.integers(0, 1), buckets=st.integers(1, 20))
    def rehash(self, at: int, buckets: int) -> None:
        self.databases[at].rehash(buckets)

    @rule(at=st.integers(0, 1), effort=st.integers(1, 200))
    def free_retired(self, at: int, effort: int) -> None:
        assert self.databases[at].free_retired(effort) == bool(self.databases[at].retired)

    @rule(at=st.integers(0, 1), count=st.integers(1, 30))
    def scan_still(self, at: int, count: int) -> None:
        """A scan while nothing changes returns every key; more than once only during a rehash."""
        found = scan(self.databases[at], count)
        assert set(found) == set(self.values[at])

    @rule(at=st.integers(0, 1), count=st.integers(1, 30), chance=st.randoms(use_true_random=False))
    def scan_while_changing(self, at: int, count: int, chance: random.Random) -> None:
        """Keys that are there from the first call to the last are returned, whatever happens."""
        staying = set(self.values[at])
        seen: set[bytes] = set()
        cursor = -1
        while cursor:
            cursor, keys = self.databases[at].scan(max(cursor, 0), count)
            seen.update(keys)
            for _ in range(chance.randrange(4)):
                self.disturb(at, staying, chance)
        assert staying <= seen

    def disturb(self, at: int, staying: set[bytes], chance: random.Random) -> None:
        if chance.random() < 0.5:
            for n in range(chance.randrange(100)):
                self.put(at, b"new:%d" % n, b"x", -1)
        else:
            for key in [key for key in self.values[at] if chance.random() < 0.3]:
                self.delete(at, key, False)
                staying.discard(key)

    @rule(at=st.integers(0, 1), chance=st.integers(0, 2**64 - 1))
    def random_key(self, at: int, chance: int) -> None:
        key = self.databases[at].random_key(chance)
        assert key in self.values[at] if self.values[at] else key is None

    @rule(at=st.integers(0, 1), key=KEYS)
    def look_up(self, at: int, key: bytes) -> None:
        database = self.databases[at]
        assert database.get(key) == self.values[at].get(key)
        expected = self.expiries[at].get(key, -1 if key in self.values[at] else -2)
        assert database.expire_at(key) == expected

    @invariant()
    def agree(self) -> None:
        for at, database in enumerate(self.databases):
            database.check_invariants()
            assert len(database) == len(self.values[at])
            assert database.expires_count == len(self.expiries[at])
            assert sorted(database.all_keys()) == sorted(self.values[at])
            assert database.size_counts("string") == sizes(self.values[at].values())
        assert self.account.used == sum(database.used for database in self.databases)

    def teardown(self) -> None:
        for at, database in enumerate(self.databases):
            for key, value in self.values[at].items():
                assert database.get(key) == value
                assert database.expire_at(key) == self.expiries[at].get(key, -1)


def sizes(values: Iterable[object]) -> dict[int, int]:
    """Strings by size, in powers of two."""
    counts: Counter[int] = Counter()
    for value in values:
        if isinstance(value, bytes | bytearray):
            counts[1 << len(value).bit_length() - 1 if value else 0] += 1
    return dict(sorted(counts.items()))


TestTwins = Twins.TestCase
TestTwins.settings = settings(stateful_step_count=30)


def scan(database: Database, count: int) -> list[bytes]:
    """All keys, by scanning."""
    found = []
    cursor = -1
    while cursor:
        cursor, keys = database.scan(max(cursor, 0), count)
        found += keys
    return found


@pytest.mark.parametrize("size", [1, 7, 8, 40, 41, 333, 5000])
def test_a_scan_of_a_table_at_rest_returns_every_key_once(size: int) -> None:
    database = make(Account())
    for n in range(size):
        database.set(b"%d" % n, b"v")
    while database.rehash(1000):
        pass
    assert Counter(scan(database, 10)) == Counter(b"%d" % n for n in range(size))


def test_a_scan_outlives_growing_and_shrinking_to_nothing_and_back() -> None:
    database = make(Account())
    for n in range(200):
        database.set(b"stays:%d" % n, b"v")
    seen: set[bytes] = set()
    cursor, step = -1, 0
    while cursor:
        cursor, keys = database.scan(max(cursor, 0), 1)
        seen.update(keys)
        step += 1
        if step % 3 == 0:
            change = database.delete if step % 2 else lambda key: database.set(key, b"v")
            for n in range(20000 if step < 10 else 300):
                change(b"goes:%d" % n)
    assert {b"stays:%d" % n for n in range(200)} <= seen


@pytest.mark.parametrize("size", [5, 50, 1000])
def test_random_keys_are_equally_likely(size: int) -> None:
    database = make(Account())
    for n in range(size):
        database.set(b"%d" % n, b"v")
    chance = random.Random(3)
    draws = 200 * size
    counts = Counter(database.random_key(chance.getrandbits(64)) for _ in range(draws))
    assert len(counts) == size
    # Chi-squared with about `size` degrees of freedom has a deviation of sqrt(2 * size). Entries of
    # the longest chains are a little rarer than they should be, so the bound is wide.
    chi_squared = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert chi_squared < size * 2 + 10 * (2 * size) ** 0.5
    assert min(counts.values()) > 100


def test_a_random_key_of_a_table_that_may_not_shrink_is_found_soon() -> None:
    database = make(Account())
    for n in range(50_000):
        database.set(b"%d" % n, b"v")
    database.allow_resize(False)
    for n in range(1, 50_000):
        database.delete(b"%d" % n)
    assert database.random_key(12345) == b"0"


def test_values_keep_their_bytes_when_the_entry_moves() -> None:
    database = make(Account())
    for size in (0, 1, 8, 40, 200, 256, 257, 5000, 3, 256):
        database.set(b"k", b"x" * size, 1000)
        assert database.get(b"k") == b"x" * size
        assert database.expire_at(b"k") == 1000
        database.check_invariants()


def test_memory_is_given_back_with_the_keys() -> None:
    account = Account()
    database = make(account)
    for n in range(1000):
        database.set(b"%d" % n, b"v" * n, n)
    assert account.used > sum(range(1000))
    for n in range(1000):
        database.delete(b"%d" % n)
    assert account.used == 0


def test_a_value_that_grew_is_counted_when_it_is_overwritten() -> None:
    account = Account()
    database = make(account)
    blob = Blob(100)
    database.set(b"k", blob)
    before = account.used
    blob.size = 10_000  # nobody reported it
    database.set(b"k", b"v")
    assert account.used < before
    database.delete(b"k")
    assert account.used == 0


def test_a_big_value_deleted_lazily_waits_to_be_freed() -> None:
    database = make(Account())
    blob = Blob(100)
    blob.effort = 1000
    database.set(b"k", blob)
    database.delete(b"k", True)
    assert database.get(b"k") is None
    assert database.retired == [blob]
    assert database.free_retired(600)
    assert not database.free_retired(600)
    assert database.retired == []


def test_a_database_flushed_lazily_is_freed_in_slices() -> None:
    database = make(Account())
    for n in range(10_000):
        database.set(b"%d" % n, b"v" * 500)
    database.flush(True)
    assert len(database) == 0
    slices = 1
    while database.free_retired(100):
        slices += 1
    assert 50 < slices < 1000


def test_a_database_that_is_dropped_while_freeing_goes_whole() -> None:
    account = Account()
    database = make(account)
    for n in range(10_000):
        database.set(b"%d" % n, bytearray(b"v"))
    database.flush(True)
    database.free_retired(100)
    retired = database.retired
    del database
    retired.clear()


@given(st.integers(0, 2**64 - 1))
def test_any_seed_will_do(seed: int) -> None:
    database = make(Account(), 0, seed)
    for n in range(100):
        database.set(b"%d" % n, b"v")
    database.check_invariants()
    assert len(database) == 100


def test_keys_read_back_under_every_length() -> None:
    database = make(Account())
    for size in range(200):
        database.set(b"k" * size, b"%d" % size)
    for size in range(200):
        assert database.get(b"k" * size) == b"%d" % size


def test_the_digits_of_every_integer_are_counted() -> None:
    database = make(Account())
    for digits in range(1, 20):
        for number in (10 ** (digits - 1), 10**digits - 1, 9223372036854775807):
            for signed in {min(number, 2**63 - 1), -min(number, 2**63)}:
                database.set(b"k", signed)
                length = len(str(signed))
                assert database.size_counts("string") == {1 << length.bit_length() - 1: 1}
    database.set(b"k", 0)
    assert database.size_counts("string") == {1: 1}
    database.delete(b"k")
    assert database.size_counts("string") == {}
