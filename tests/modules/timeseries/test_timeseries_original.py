"""Random samples, rules and queries beside the original module, where that can be loaded: it needs
OpenSSL 1.1, which many systems lack.

Left out is what the original is known to get wrong: empty buckets and the open bucket seen
backwards, time-weighted averages with EMPTY, which may end it, and those of rules after deletions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from balas.testing import Client, InProcessServer, NotInstalled, RealRedis, StartupError
from tests.modules.timeseries.keyspace_twin import near
from tests.modules.timeseries.timeseries_twin import KINDS

ROUNDS = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "4"))
SOURCE = "source"
FILLED = ["filled:0", "filled:1", "filled:2"]
REDUCERS = ["avg", "sum", "min", "max", "count", "range", "std.p", "var.s"]

pytestmark = pytest.mark.oracle


def same(one: Any, other: Any) -> bool:
    """Whether two replies are the same, but for what rounding does."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return near(one, other)
    return str(one) == str(other)


class Pair:
    """Two servers that get the same commands, and must give the same replies."""

    def __init__(self, clients: list[Client], chance: Random) -> None:
        self.clients = clients
        self.chance = chance
        self.sent: list[tuple[object, ...]] = []

    def __call__(self, *words: object) -> None:
        self.sent.append(words)
        replies = []
        for client in self.clients:
            client.send(*words)
            replies.append(client.read())
        assert same(*replies), (words, *replies, self.sent)

    def create(self) -> None:
        """A source with three rules."""
        chance = self.chance
        words = ["RETENTION", chance.choice([0, 0, 100, 300])]
        words += ["CHUNK_SIZE", chance.choice([128, 4096])]
        words += ["DUPLICATE_POLICY", chance.choice(["last", "sum", "min", "first"])]
        words += ["IGNORE", 5, 2] if chance.random() < 0.3 else []
        self("TS.CREATE", SOURCE, *words, "LABELS", "all", "1", "group", "a")
        for name in FILLED:
            self("TS.CREATE", name, "LABELS", "all", "1", "group", chance.choice("ab"))
            rule = chance.choice([*KINDS]), chance.randrange(5, 60), chance.choice([0, 0, 7, 101])
            self("TS.CREATERULE", SOURCE, name, "AGGREGATION", *rule)

    def change(self, last: int) -> int:
        """Add or delete samples; the time of the last."""
        chance = self.chance
        value, kind = chance.randrange(-20, 20), chance.random()
        ahead = last + chance.randrange(1, 25)
        if kind < 0.6:
            self("TS.ADD", SOURCE, ahead, value)
        elif kind < 0.75:
            self("TS.ADD", SOURCE, chance.randrange(max(last - 150, 0), last + 1), value)
        elif kind < 0.8:
            self("TS.INCRBY", SOURCE, 3, "TIMESTAMP", last)
        elif kind < 0.88:
            late = max(last - 20, 0)
            self("TS.MADD", SOURCE, ahead, 1, SOURCE, ahead + 3, value, SOURCE, late, 5)
            ahead += 3
        else:
            # A bucket that time 0 cuts off is lost there with any of its samples.
            low = chance.randrange(max(last - 200, 110), max(last, 110) + 1)
            high = min(low + chance.choice([0, 3, 40]), last - 1)
            self("TS.DEL", SOURCE, low, max(high, 0))
        return ahead if kind < 0.6 or 0.8 <= kind < 0.88 else last

    def ask(self) -> None:
        """Ask for samples or buckets of one series, of all, or of groups."""
        chance = self.chance
        low, high = sorted(chance.randrange(700) for _ in range(2))
        words: list[object] = [low, chance.choice(["+", high])]
        words += ["LATEST"] if chance.random() < 0.3 else []
        words += ["FILTER_BY_VALUE", -5, 6] if chance.random() < 0.2 else []
        words += ["COUNT", chance.randrange(1, 5)] if chance.random() < 0.3 else []
        if chance.random() < 0.8:
            words += ["ALIGN", chance.choice([0, 7, 133, "start"])]
            words += ["AGGREGATION", chance.choice([*KINDS]), chance.randrange(5, 90)]
            words += ["BUCKETTIMESTAMP", chance.choice("-~+")]
            words += ["EMPTY"] if chance.random() < 0.4 else []
        if chance.random() < 0.5:
            self("TS.RANGE", chance.choice([SOURCE, *FILLED]), *words)
            return
        words += chance.choice([[], ["WITHLABELS"], ["SELECTED_LABELS", "group", "none"]])
        words += ["FILTER", chance.choice(["all=1", "group=a", "group=(a,b)"])]
        if chance.random() < 0.5:
            words += ["GROUPBY", chance.choice(["group", "all"]), "REDUCE", chance.choice(REDUCERS)]
        self("TS.MRANGE", *words)


@pytest.fixture
def original() -> Iterator[RealRedis]:
    try:
        with RealRedis(modules=["timeseries"]) as server:
            yield server
    except (NotInstalled, StartupError) as error:
        pytest.skip(f"the original cannot be loaded: {error.args[0][:100]}")


def test_random_work_is_answered_as_by_the_original(
    original: RealRedis, balas_server: InProcessServer
) -> None:
    with balas_server.client(resp=3) as ours, original.client(resp=3) as theirs:
        for seed in range(ROUNDS):
            pair = Pair([ours, theirs], Random(seed))
            pair("FLUSHALL")
            pair.create()
            last = pair.chance.randrange(50)
            for _ in range(60):
                last = pair.change(last)
                for name in FILLED:
                    pair("TS.RANGE", name, "-", "+", "LATEST")
                pair.ask()
                pair.ask()
