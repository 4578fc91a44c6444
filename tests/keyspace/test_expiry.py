"""The expiry cycle, alone: what it deletes, what it leaves, and when it stops."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.keyspace.access import AccessClock
from balas.keyspace.database import Account, Database
from balas.keyspace.expiry import ExpiryCycle

NOW_MS = 1_000_000
PLENTY_NS = 10**12


def make(*databases: dict[bytes, int]) -> list[Database]:
    """Databases with keys that expire at these times."""
    account = Account()
    made = [Database(i, account, AccessClock(1), 3) for i in range(len(databases))]
    for db, keys in zip(made, databases, strict=True):
        for key, expire_at in keys.items():
            db.set(key, b"v", expire_at)
    return made


def deletes(db: Database, key: bytes) -> bool:
    return db.delete(key)


def cycle(
    databases: list[Database],
    delete: Callable[[Database, bytes], object] = deletes,
    ns_per_look: int = 0,
) -> ExpiryCycle:
    """A cycle on a clock that moves by so much whenever it is looked at."""
    ticks = count(0, ns_per_look)
    return ExpiryCycle(databases, delete, lambda: next(ticks))


def test_keys_whose_time_has_come_are_deleted_in_every_database() -> None:
    expired = {b"old:%d" % n: n for n in range(3000)}
    lasting = {b"new:%d" % n: NOW_MS + n for n in range(300)}
    databases = make(expired, {}, expired | lasting)
    runner = cycle(databases)
    while any(set(db.all_keys()) & expired.keys() for db in databases):
        assert not runner.run(NOW_MS, PLENTY_NS)
    assert set(databases[2].all_keys()) == lasting.keys()


def test_a_key_lives_through_the_ms_of_its_time() -> None:
    (db,) = make({b"k": NOW_MS})
    runner = cycle([db])
    runner.run(NOW_MS, PLENTY_NS)
    assert len(db) == 1
    runner.run(NOW_MS + 1, PLENTY_NS)
    assert len(db) == 0


def test_a_tenth_may_be_left_for_the_next_cycle() -> None:
    keys = {b"%d" % n: NOW_MS - 1 if n % 20 == 0 else NOW_MS + 1 for n in range(20_000)}
    (db,) = make(keys)
    runner = cycle([db])
    assert not runner.run(NOW_MS, PLENTY_NS)
    assert len(db) > 19_500, "one look showed that there is little to find"
    for _ in range(3000):
        runner.run(NOW_MS, PLENTY_NS)
    assert len(db) == 19_000, "the walk comes by every key in the end"


@pytest.mark.parametrize("count", [1, 2, 7, 8, 50])
def test_a_key_is_deleted_once(count: int) -> None:
    (db,) = make({b"%d" % n: 1 for n in range(count)})
    deleted: list[bytes] = []

    def delete(db: Database, key: bytes) -> None:
        assert db.delete(key)
        deleted.append(key)

    cycle([db], delete).run(NOW_MS, PLENTY_NS)
    assert len(deleted) == count


def test_more_effort_leaves_less_behind() -> None:
    keys = {b"%d" % n: NOW_MS - 1 if n % 14 == 0 else NOW_MS + 1 for n in range(20_000)}
    left = []
    for effort in (1, 10):
        (db,) = make(keys)
        runner = cycle([db])
        runner.set_effort(effort)
        for _ in range(20):
            runner.run(NOW_MS, PLENTY_NS)
        left.append(sum(0 <= db.expire_at(key) < NOW_MS for key in keys))
    assert left[1] < left[0] / 4


def test_a_slice_ends_when_its_time_is_up_and_the_next_goes_on() -> None:
    databases = make(*({b"%d" % n: 1 for n in range(5000)} for _ in range(3)))
    runner = cycle(databases, ns_per_look=1000)
    slices = 1
    while runner.run(NOW_MS, 20_000):
        slices += 1
    assert slices > 20
    assert runner.time_cap_reached == slices - 1
    assert sum(map(len, databases)) == 0


def test_the_share_of_expired_keys_is_told() -> None:
    databases = make({b"%d" % n: 1 for n in range(10_000)})
    runner = cycle(databases, ns_per_look=1000)
    assert runner.stale_share == 0
    for _ in range(100):
        runner.run(NOW_MS, 2_000)
    assert 0.9 < runner.stale_share <= 1
    runner.run(NOW_MS, PLENTY_NS)
    for _ in range(100):
        runner.run(NOW_MS, PLENTY_NS)
    assert runner.stale_share < 0.1


def test_the_average_ttl_follows_the_keys() -> None:
    (db,) = make({b"%d" % n: NOW_MS + 5000 for n in range(1000)})
    runner = cycle([db])
    runner.run(NOW_MS, PLENTY_NS)
    assert db.expired_average_ttl_ms == 5000
    for _ in range(200):
        runner.run(NOW_MS + 3000, PLENTY_NS)
    assert 2000 <= db.expired_average_ttl_ms < 2200
    db.flush()
    runner.run(NOW_MS, PLENTY_NS)
    assert db.expired_average_ttl_ms == 0


def test_who_hears_of_a_deletion_may_delete_and_add_keys() -> None:
    (db,) = make({b"%d" % n: 1 for n in range(2000)})

    def delete(db: Database, key: bytes) -> None:
        db.delete(key)
        db.delete(b"%d" % (int(key) ^ 1))
        db.set(b"x:%s" % key, b"new" * 100, NOW_MS + 1)

    runner = cycle([db], delete)
    for _ in range(200):
        runner.run(NOW_MS, PLENTY_NS)
    db.check_invariants()
    assert all(db.expire_at(key) > NOW_MS for key in db.all_keys())


@given(
    st.lists(st.dictionaries(st.binary(max_size=3), st.integers(0, 20), max_size=60), min_size=1),
    st.integers(1, 10),
)
def test_nothing_that_lasts_is_deleted(contents: list[dict[bytes, int]], effort: int) -> None:
    databases = make(*contents)
    runner = cycle(databases)
    runner.set_effort(effort)
    for _ in range(30):
        runner.run(10, PLENTY_NS)
    for db, keys in zip(databases, contents, strict=True):
        assert set(db.all_keys()) >= {key for key, at in keys.items() if at >= 10}
        db.check_invariants()


@pytest.mark.parametrize("allowed", [True, False])
def test_nearly_empty_tables_take_no_longer(allowed: bool) -> None:
    """A million buckets with one key in them are not walked through in one slice."""
    (db,) = make({b"%d" % n: NOW_MS + 1 for n in range(30_000)})
    db.allow_resize(allowed)
    for n in range(1, 30_000):
        db.delete(b"%d" % n)
    runner = cycle([db], ns_per_look=1000)
    slices = 0
    while runner.run(NOW_MS, 10_000) and slices < 1000:
        slices += 1
    assert slices < 1000
