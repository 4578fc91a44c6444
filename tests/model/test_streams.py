"""Random commands on streams to Balas and a real server, which must do the same.

After every command the reply, the events, the records for the log and the counters are compared,
and from time to time all that XINFO tells, the digest and the packed bytes. BALAS_FUZZ_EXAMPLES
says how many runs there are.
"""

import os
import random
import time
from collections.abc import Iterator

import pytest

from balas.testing import InProcessServer, RealRedis
from balas.testing.transcript import Comparison
from observation import EXACT, BalasObserver, RealObserver

RUNS = max(int(os.environ.get("BALAS_FUZZ_EXAMPLES", "0")) // 10, 3)
COMMANDS = 250

KEYS = ["s", "s", "s", "t"]
GROUPS = ["g", "g", "h"]
CONSUMERS = ["alice", "bob", "carol"]
FIELDS = ["a", "name", "12", "-7", "x" * 70]
VALUES = ["", "1", "-129", "70000", "4294967296", "text", "y" * 100, "z" * 5000]
REFERENCES = [[], [], ["KEEPREF"], ["DELREF"], ["ACKED"]]
# Times are the clocks' own.
TIMES = Comparison(frozenset(["approx"]), 10_000)


@pytest.fixture(scope="module")
def logging_redis() -> Iterator[RealRedis]:
    with RealRedis({**RealObserver.OPTIONS, "enable-debug-command": "yes"}) as server:
        yield server


class Author:
    """Makes up commands from a seed; ids are few, so that commands meet each other's entries."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.top = 1
        self.destroyed = False

    def id(self) -> str:
        ms = self.rng.randint(0, self.top + 1)
        kind = self.rng.randrange(12)
        if kind < 8:
            return f"{ms}-{self.rng.randrange(4)}"
        return str(ms) if kind < 11 else self.rng.choice(["0", "x", "-", "+", "0-0"])

    def new_id(self) -> str:
        self.top += self.rng.random() < 0.6
        return self.rng.choice([f"{self.top}-*", f"{self.top}-*", f"{self.top}", self.id()])

    def ids(self) -> list[str]:
        return [self.id() for _ in range(self.rng.randint(1, 3))]

    def pick(self, *choices: list[str]) -> list[str]:
        return self.rng.choice(choices)

    def references(self) -> list[str]:
        """Not what asks for groups once one was destroyed: the real server remembers it."""
        return self.rng.choice(REFERENCES[:-1] if self.destroyed else REFERENCES)

    def trim(self) -> list[str]:
        word = self.pick(["MAXLEN"], ["MINID"])
        threshold = str(self.rng.randrange(30)) if word == ["MAXLEN"] else self.id()
        about = self.pick([], ["="], ["~"])
        limit = self.pick([], [], ["LIMIT", str(self.rng.randrange(12))])
        return [*word, *about, threshold, *limit]

    def command(self) -> list[str]:
        rng = self.rng
        key, group, consumer = rng.choice(KEYS), rng.choice(GROUPS), rng.choice(CONSUMERS)
        count = self.pick([], ["COUNT", str(rng.randrange(6))])
        counted = ["IDS", str(len(ids := self.ids())), *ids]
        made: dict[str, list[str]] = {
            "XADD": [
                *self.pick([], [], [], ["NOMKSTREAM"]),
                *self.pick([], [], [], [], self.trim()),
                self.new_id(),
                *self.fields(),
            ],
            "XTRIM": [*self.trim(), *self.references()],
            "XDEL": self.ids(),
            "XDELEX": [*self.references(), *counted],
            "XACKDEL": [group, *self.references(), *counted],
            "XLEN": [],
            "XRANGE": [*self.pick(["-", "+"], [self.id(), self.id()]), *count],
            "XREVRANGE": [*self.pick(["+", "-"], [self.id(), self.id()]), *count],
            "XACK": [group, *self.ids()],
            "XPENDING": [group],
            "XCLAIM": [group, consumer, "0", *self.ids(), *self.claim()],
            "XAUTOCLAIM": [
                *(group, consumer, "0"),
                *self.pick(["0"], [self.id()], ["(" + self.id()]),
                *count,
                *self.pick([], ["JUSTID"]),
            ],
            "XSETID": [
                f"{self.top + rng.randrange(2)}-{rng.randrange(4)}",
                *self.pick([], ["ENTRIESADDED", str(rng.randrange(90)), "MAXDELETEDID", self.id()]),
            ],
            "DEL": [],
        }
        weights = [24, 3, 5, 3, 4, 1, 3, 3, 5, 3, 5, 4, 1, 0.3]
        if rng.random() < 0.35:
            return self.on_groups(key, group, consumer, count)
        (name,) = rng.choices(list(made), weights)
        return [name, key, *made[name]]

    def fields(self) -> list[str]:
        if self.rng.random() < 0.6:
            return ["a", self.rng.choice(VALUES), "name", self.rng.choice(VALUES)]
        pairs = self.rng.randint(1, 4)
        return [self.rng.choice(w) for _ in range(pairs) for w in (FIELDS, VALUES)]

    def claim(self) -> list[str]:
        return [
            *self.pick([], ["FORCE"]),
            *self.pick([], ["JUSTID"]),
            *self.pick([], [], ["RETRYCOUNT", "5"], ["LASTID", self.id()]),
        ]

    def on_groups(self, key: str, group: str, consumer: str, count: list[str]) -> list[str]:
        read = self.pick([], ["ENTRIESREAD", str(self.rng.randint(-1, 40))])
        start = self.pick(["$"], ["0"], [self.id()])
        after = self.pick([">"], [">"], [">"], [self.id()])
        no_ack = self.pick([], [], ["NOACK"])
        reading = [*count, *no_ack, "STREAMS", key, *after]
        (made,) = self.rng.choices(
            [
                ["XREADGROUP", "GROUP", group, consumer, *reading],
                ["XREAD", *count, "STREAMS", key, *self.pick([self.id()], ["$"], ["+"])],
                ["XGROUP", "CREATE", key, group, *start, *self.pick([], ["MKSTREAM"]), *read],
                ["XGROUP", "SETID", key, group, *start, *read],
                ["XGROUP", "CREATECONSUMER", key, group, consumer],
                ["XGROUP", "DELCONSUMER", key, group, consumer],
                ["XGROUP", "DESTROY", key, group],
            ],
            [20, 3, 5, 2, 1, 1, 0.6],
        )
        self.destroyed |= made[1] == "DESTROY"
        return made


@pytest.mark.parametrize("seed", range(RUNS))
def test_random_commands_do_the_same(seed: int, logging_redis: RealRedis) -> None:
    author = Author(seed)
    now_ms = int(time.time() * 1000)
    with (
        InProcessServer({"enable-debug-command": "yes"}, now_ms=now_ms) as server,
        RealObserver(logging_redis, 2 + seed % 2) as real,
    ):
        balas = BalasObserver(server, 2 + seed % 2)
        for observer in (real, balas):
            observer.configure(b"stream-node-max-entries", b"5")
            observer.configure(b"rdbcompression", b"no")
            observer("FLUSHALL")
        for turn in range(COMMANDS):
            same(balas, real, *author.command())
            if turn % 25 == 24:
                compare_contents(balas, real)


def compare_contents(balas: BalasObserver, real: RealObserver) -> None:
    for key in ("s", "t"):
        same(balas, real, "XINFO", "STREAM", key)
        same(balas, real, "XINFO", "GROUPS", key)
        same(balas, real, "XRANGE", key, "-", "+")
        same(balas, real, "DEBUG", "DIGEST-VALUE", key)
        for group in ("g", "h"):
            same(balas, real, "XPENDING", key, group, "-", "+", 100, comparison=TIMES)
            same(balas, real, "XINFO", "CONSUMERS", key, group, comparison=TIMES)


def same(
    balas: BalasObserver, real: RealObserver, *argv: str | int, comparison: Comparison = EXACT
) -> None:
    theirs, ours = real(*argv), balas(*argv)
    assert ours.same_as(theirs, comparison), f"{argv}\n  real  {theirs}\n  balas {ours}"


@pytest.mark.parametrize("seed", range(RUNS))
def test_streams_survive_reloads_and_the_other_server(seed: int, real_redis: RealRedis) -> None:
    """After random commands the packed bytes are the same wherever they have been."""
    author = Author(seed + 1000)
    with (
        InProcessServer({"enable-debug-command": "yes", "rdbcompression": "no"}) as server,
        server.client() as client,
        real_redis.client() as other,
    ):
        other("CONFIG", "SET", "rdbcompression", "no")
        client("CONFIG", "SET", "stream-node-max-entries", 5)
        for _ in range(COMMANDS):
            client.pipeline(author.command())
        for key in ("s", "t"):
            payload = client("DUMP", key)
            if payload is None:
                continue
            other("RESTORE", key, 0, payload, "REPLACE")
            assert other("DUMP", key) == payload
            client("DEBUG", "RELOAD")
            assert client("DUMP", key) == payload
