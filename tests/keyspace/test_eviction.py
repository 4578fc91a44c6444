"""Eviction, alone: what each policy lets go, and how exactly."""

import random
from itertools import count

import pytest

from balas.keyspace.access import AccessClock
from balas.keyspace.database import Account, Database
from balas.keyspace.eviction import (
    FREED,
    MORE_TO_FREE,
    NOTHING_TO_FREE,
    POLICIES,
    Eviction,
)

PLENTY_NS = 10**12
ALLKEYS = [policy for policy in POLICIES if policy.startswith("allkeys")]
VOLATILE = [policy for policy in POLICIES if policy.startswith("volatile")]


class Setting:
    """Two databases full of keys, and an eviction that follows a policy."""

    def __init__(self, policy: str, keys: int = 5000, ns_per_look: int = 0) -> None:
        self.account = Account()
        self.access = AccessClock(5)
        self.access.use_lfu(policy.endswith("lfu"))
        self.access.now = 1_000_000 << 8 if policy.endswith("lfu") else 1_000_000
        self.databases = [Database(i, self.account, self.access, 9) for i in range(2)]
        self.evicted: list[tuple[int, bytes]] = []
        ticks = count(0, ns_per_look)
        self.eviction = Eviction(
            self.databases, self.account, self.access, self._delete, lambda: next(ticks), 11
        )
        self.eviction.use_policy(policy)
        self.keys = [b"key:%05d" % n for n in range(keys)]

    def _delete(self, db: Database, key: bytes) -> None:
        assert db.delete(key)
        self.evicted.append((db.index, key))

    def fill(self, expire_at: int = -1) -> None:
        for n, key in enumerate(self.keys):
            self.databases[n % 2].set(key, b"v" * 20, expire_at)

    def free_share(self, share: float) -> int:
        """Free a share of what is used now."""
        return self.eviction.free(int(self.account.used * (1 - share)), PLENTY_NS)


@pytest.mark.parametrize("policy", ALLKEYS)
def test_memory_comes_down_to_the_limit_and_no_further(policy: str) -> None:
    setting = Setting(policy)
    setting.fill()
    before = setting.account.used
    assert setting.free_share(0.3) == FREED
    assert before * 0.7 - 200 < setting.account.used <= before * 0.7
    for db in setting.databases:
        db.check_invariants()
    assert {index for index, _ in setting.evicted} == {0, 1}


@pytest.mark.parametrize("policy", VOLATILE)
def test_keys_that_do_not_expire_stay(policy: str) -> None:
    setting = Setting(policy)
    setting.fill()
    assert setting.free_share(0.1) == NOTHING_TO_FREE
    for n in range(1000):
        setting.databases[0].set(b"volatile:%d" % n, b"v" * 20, 10**13 + n)
    assert setting.free_share(0.05) == FREED
    assert setting.free_share(0.5) == NOTHING_TO_FREE
    assert sum(map(len, setting.databases)) == 5000
    assert len(setting.evicted) == 1000


def test_noeviction_evicts_nothing() -> None:
    setting = Setting("noeviction")
    setting.fill()
    assert setting.free_share(0.1) == NOTHING_TO_FREE
    assert setting.evicted == []


def rank_quality(setting: Setting, deserving: list[bytes], share: float) -> float:
    """Which part of those evicted belongs to the most deserving of that number."""
    assert setting.free_share(share) == FREED
    evicted = {key for _, key in setting.evicted}
    return len(evicted & set(deserving[: len(evicted)])) / len(evicted)


@pytest.mark.parametrize(("samples", "quality"), [(1, 0.5), (5, 0.8), (10, 0.9)])
@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_the_longest_unused_go_first(policy: str, samples: int, quality: float) -> None:
    setting = Setting(policy)
    setting.eviction.samples = samples
    setting.fill(10**13)
    order = setting.keys.copy()
    random.Random(1).shuffle(order)
    for age, key in enumerate(reversed(order)):
        db = setting.databases[setting.keys.index(key) % 2]
        db.set_access_bits(key, 1_000_000 - age)
    assert rank_quality(setting, list(order), 0.4) > quality


@pytest.mark.parametrize("policy", ["allkeys-lfu", "volatile-lfu"])
def test_the_least_used_go_first(policy: str) -> None:
    setting = Setting(policy)
    setting.eviction.samples = 10
    setting.fill(10**13)
    for n, key in enumerate(setting.keys):
        setting.databases[n % 2].set_access_bits(key, 1_000_000 << 8 | n * 250 // 5000)
    assert rank_quality(setting, setting.keys, 0.4) > 0.9


def test_a_counter_that_decayed_counts_as_it_is_now() -> None:
    setting = Setting("allkeys-lfu", keys=100)
    setting.eviction.samples = 64
    setting.fill()
    for n, key in enumerate(setting.keys):
        # The first half was used much, but longer ago than it takes to forget that.
        bits = (1_000_000 - 255) << 8 | 200 if n < 50 else 1_000_000 << 8 | 20
        setting.databases[n % 2].set_access_bits(key, bits)
    assert setting.free_share(0.4) == FREED
    assert {key for _, key in setting.evicted} <= set(setting.keys[:50])


def test_the_next_to_expire_go_first() -> None:
    setting = Setting("volatile-ttl")
    setting.eviction.samples = 10
    for n, key in enumerate(setting.keys):
        setting.databases[n % 2].set(key, b"v" * 20, 10**12 + n)
    assert rank_quality(setting, setting.keys, 0.4) > 0.9


@pytest.mark.parametrize("policy", ["allkeys-random", "volatile-random"])
def test_chance_picks_old_and_new_alike(policy: str) -> None:
    setting = Setting(policy)
    setting.fill(10**13)
    assert 0.35 < rank_quality(setting, setting.keys, 0.4) < 0.45


def test_a_key_used_meanwhile_is_passed_over() -> None:
    setting = Setting("allkeys-lru", keys=200)
    setting.eviction.samples = 64
    setting.fill()
    for n, key in enumerate(setting.keys):
        setting.databases[n % 2].set_access_bits(key, 1_000_000 - 500 + n)
    setting.free_share(0.01)  # the pool now holds the next of the oldest
    for n in range(20):
        if setting.databases[n % 2].expire_at(setting.keys[n]) != -2:
            setting.databases[n % 2].set_access_bits(setting.keys[n], 1_000_000)
    used_now = {key for n, key in enumerate(setting.keys[:20])} - {k for _, k in setting.evicted}
    setting.free_share(0.5)
    assert not used_now & {key for _, key in setting.evicted}


def test_evicting_stops_when_its_time_is_up() -> None:
    setting = Setting("allkeys-lru", ns_per_look=1000)
    setting.fill()
    assert setting.eviction.free(0, 5_000) == MORE_TO_FREE
    assert 0 < len(setting.evicted) < 1000
    while setting.eviction.free(0, 5_000) == MORE_TO_FREE:
        pass
    assert setting.account.used == 0


def test_what_services_count_presses_on_the_keys() -> None:
    setting = Setting("allkeys-lru")
    setting.fill()
    limit = setting.account.used
    setting.account.other = limit // 2
    assert setting.eviction.free(limit, PLENTY_NS) == FREED
    assert setting.account.total <= limit


def test_a_table_that_may_not_shrink_is_emptied_all_the_same() -> None:
    setting = Setting("allkeys-lru", keys=30_000)
    setting.fill()
    for db in setting.databases:
        db.allow_resize(False)
    assert setting.eviction.free(0, PLENTY_NS) == FREED
    assert setting.account.used == 0


@pytest.mark.parametrize("policy", [*ALLKEYS, *VOLATILE])
def test_every_key_can_go(policy: str) -> None:
    setting = Setting(policy)
    setting.fill(10**13)
    assert setting.eviction.free(0, PLENTY_NS) == FREED
    assert sum(map(len, setting.databases)) == 0
