"""What a replica of time series holds: the same, though it runs rules on its own, at another time
and under other settings.
"""

from __future__ import annotations

import random

from balas.testing import Client, InProcessServer

KEYS = ("s", "d", "twa", "late", "auto", "auto_MAX_1000")


def view(client: Client) -> list[object]:
    """All that a client can see of the series."""
    found: list[object] = [
        client("TS.QUERYINDEX", "a=(b,c)"),
        client("TS.QUERYINDEX", "n!=", "a=b"),
    ]
    for key in KEYS:
        if client("EXISTS", key):
            info = client("TS.INFO", key)
            found.append([info[at] for at in (1, 5, 7, 9, 17, 19, 21, 23)])
            found.append(client("TS.RANGE", key, "-", "+", "LATEST"))
    return found


def write(client: Client) -> None:
    """Changes of all kinds."""
    chance = random.Random(3)
    client("CONFIG", "SET", "ts-compaction-policy", "max:1s:0")
    client("CONFIG", "SET", "ts-duplicate-policy", "sum")
    client("TS.CREATE", "s", "LABELS", "a", "b", "n", "1")
    client("TS.CREATE", "d", "LABELS", "a", "c")
    client("TS.CREATE", "twa")
    client("TS.CREATERULE", "s", "d", "AGGREGATION", "avg", 10)
    client("TS.CREATERULE", "s", "twa", "AGGREGATION", "twa", 25, 3)
    for _ in range(200):
        client("TS.ADD", "s", chance.randrange(500), chance.randrange(100))
    client("TS.DEL", "s", 100, 150)
    client("TS.MADD", "s", 600, 1, "s", 600, 2, "s", "x", 3, "nokey", 1, 1)
    client("TS.ADD", "s", "*", 1)
    client("TS.INCRBY", "s", 5)
    client("TS.ADD", "auto", "*", 5)
    client("TS.ADD", "auto", 70, 5)
    client("TS.INCRBY", "auto", 5)
    client("RENAME", "d", "late")


def test_what_is_recorded_makes_the_same(balas_server: InProcessServer) -> None:
    records: list[tuple[bytes, ...]] = []
    changes = balas_server.server.engine.changes
    changes.add_sink(lambda unit: records.extend(argv for _, argv in unit))
    client = balas_server.client()
    write(client)
    with InProcessServer() as replica:
        replica.advance(12_345_678)
        follower = replica.client()
        for argv in records:
            follower(*argv)
        assert view(follower) == view(client)
        assert len(view(client)) > 8
        # Nothing depends on what the replica does: it closes the same buckets at the same samples.
        records.clear()
        client("TS.ADD", "s", "*", 9)
        balas_server.advance(2000)
        client("TS.MADD", "s", "*", 7, "auto", "*", 1)
        for argv in records:
            follower(*argv)
        assert view(follower) == view(client)


def test_what_changes_nothing_is_not_recorded(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("TS.CREATE", "k", "DUPLICATE_POLICY", "LAST", "IGNORE", 10, 1)
    client("TS.ADD", "k", 5, 1)
    records: list[tuple[bytes, ...]] = []
    changes = balas_server.server.engine.changes
    changes.add_sink(lambda unit: records.extend(argv for _, argv in unit))
    client("TS.ADD", "k", 6, 1)
    client("TS.MADD", "k", 6, 1, "k", "x", 1)
    client("TS.GET", "k")
    assert records == []
    client("TS.MADD", "k", 6, 1, "k", 30, 2, "nokey", 1, 1)
    assert records == [(b"TS.MADD", b"k", b"30", b"2")]
