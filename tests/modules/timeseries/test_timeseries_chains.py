"""Chains of all that happens to series with rules, by the wire, beside a twin: late samples,
deletions, renames, copies, restarts by log and by snapshot; and queries of all kinds between.

BALAS_FUZZ_EXAMPLES says how many chains; a failure names its seed and the commands.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from random import Random

import pytest

from balas.testing import Client, InProcessServer
from tests.modules.timeseries.keyspace_twin import (
    ALL_KINDS,
    FOREVER,
    Question,
    Refused,
    Rule,
    Series,
    same,
)

CHAINS = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "6"))
STEPS = 120
END = 500
NAMES = ["a", "b", "c", "d", "e", "f"]
POLICIES = ["block", "first", "last", "min", "max", "sum"]
VALUES = [0.5, -0.25, 1e4, 3.125, 0.1, 7.77, 1 / 3, -0.0]
RETENTION = 150
WIDTH_MAX = 60


class Chain:
    """One chain: a server, its twin, and what was sent."""

    def __init__(self, server: InProcessServer, seed: int) -> None:
        self.chance = Random(seed)
        self.server = server
        self.client: Client = server.client(resp=3)
        self.twin: dict[str, Series] = {}
        self.sent: list[str] = []
        # NaN is no sample of a time-weighted rule's line, so a chain has the one or the other.
        self.nan = seed % 3 == 0
        if self.nan:
            self.client("CONFIG", "SET", "ts-accept-nan", "yes")

    def send(self, *words: object) -> object:
        self.sent.append(" ".join(map(str, words)))
        self.client.send(*words)
        return self.client.read()

    def name(self) -> str:
        return self.chance.choice(NAMES)

    def existing(self) -> str | None:
        return self.chance.choice(sorted(self.twin)) if self.twin else None

    def value(self) -> float:
        if self.nan and self.chance.random() < 0.15:
            return math.nan
        return self.chance.choice([float(self.chance.randrange(-20, 20)), *VALUES])

    def drop(self, name: str) -> None:
        series = self.twin.pop(name, None)
        if series is not None:
            series.unlink()

    # --- steps -----------------------------------------------------------------------------------

    def create(self) -> None:
        name = self.name()
        if name in self.twin:
            return
        chance = self.chance
        policy = chance.choice(POLICIES)
        ignore = chance.choice([(0, 0.0), (0, 0.0), (5, 1.0)])
        retention = chance.choice([0, 0, RETENTION])
        labels = {"g": chance.choice("xy"), "n": name}
        words = ["CHUNK_SIZE", chance.choice([48, 64, 128, 4096]), "DUPLICATE_POLICY", policy]
        words += ["ENCODING", chance.choice(["COMPRESSED", "UNCOMPRESSED"]), "IGNORE", *ignore]
        words += [
            "RETENTION",
            retention,
            "LABELS",
            *(word for one in labels.items() for word in one),
        ]
        assert self.send("TS.CREATE", name, *words) == b"OK"
        self.twin[name] = Series(policy, ignore, retention, labels)

    def add(self) -> None:
        name = self.existing()
        if name is None or self.twin[name].source is not None:
            return
        series = self.twin[name]
        for _ in range(self.chance.choice([1, 1, 5, 30])):
            ahead = series.last + self.chance.randrange(1, 25)
            at = ahead if self.chance.random() < 0.7 else self.chance.randrange(END)
            on_duplicate = self.chance.choice([None, None, "last", "sum"])
            value = self.value()
            words = ["ON_DUPLICATE", on_duplicate] if on_duplicate else []
            self.check_same("TS.ADD", name, at, value, *words, expected=(series, on_duplicate))

    def check_same(
        self,
        command: str,
        name: str,
        at: int,
        value: float,
        *words: object,
        expected: tuple[Series, str | None],
    ) -> None:
        reply = self.send(command, name, at, value, *words)
        series, on_duplicate = expected
        try:
            wanted: object = series.add(at, value, on_duplicate)
        except Refused:
            assert isinstance(reply, Exception)
        else:
            assert reply == wanted

    def add_many(self) -> None:
        names = [name for name, series in self.twin.items() if series.source is None]
        if not names:
            return
        chosen = [
            (self.chance.choice(names), self.chance.randrange(END), self.value()) for _ in range(15)
        ]
        reply = self.send("TS.MADD", *(word for one in chosen for word in one))
        assert isinstance(reply, list)
        for (name, at, value), told in zip(chosen, reply, strict=True):
            try:
                wanted = self.twin[name].add(at, value)
            except Refused:
                assert isinstance(told, Exception)
            else:
                assert told == wanted

    def step(self) -> None:
        name = self.existing()
        if name is None or self.twin[name].source is not None or self.nan:
            return
        series = self.twin[name]
        at = series.last + self.chance.choice([-5, 0, 0, 1, 9])
        reply = self.send("TS.INCRBY", name, 2.5, "TIMESTAMP", max(at, 0))
        try:
            assert reply == series.step(max(at, 0), 2.5)
        except Refused:
            assert isinstance(reply, Exception)

    def remove(self) -> None:
        name = self.existing()
        if name is None or self.twin[name].source is not None:
            return
        series = self.twin[name]
        low = self.chance.randrange(END)
        high = low + self.chance.choice([0, 5, 60])
        if series.retention:
            # What retention hides may or may not be there still, and come back with an earlier end.
            low = max(low, series.edge)
            high = min(high, series.last - 1)
            if low > high:
                return
        reply = self.send("TS.DEL", name, low, high)
        try:
            assert reply == series.remove(low, high)
        except Refused:
            assert isinstance(reply, Exception)

    def rule(self) -> None:
        name, other = self.existing(), self.existing()
        if name is None or other is None or name == other:
            return
        source, destination = self.twin[name], self.twin[other]
        fits = source.source is None and destination.source is None and not destination.rules
        if not fits or destination.retention or len(source.rules) > 3:
            return
        kinds = [kind for kind in ALL_KINDS if not (self.nan and kind == "twa")]
        kind, width = self.chance.choice(kinds), self.chance.randrange(1, WIDTH_MAX)
        align = self.chance.choice([0, 0, 3, 77])
        # Without BACKFILL a rule sees of earlier samples those that come with others.
        words = ["BACKFILL"] if source.samples else []
        made = self.send("TS.CREATERULE", name, other, "AGGREGATION", kind, width, align, *words)
        assert made == b"OK"
        rule = Rule(destination, kind, width, align)
        source.rules.append(rule)
        destination.source = source
        source.backfill(rule)

    def end_rule(self) -> None:
        for name, series in self.twin.items():
            for other, destination in self.twin.items():
                if destination.source is series and self.chance.random() < 0.3:
                    assert self.send("TS.DELETERULE", name, other) == b"OK"
                    series.rules = [
                        one for one in series.rules if one.destination is not destination
                    ]
                    destination.source = None
                    return

    def rename(self) -> None:
        name, other = self.existing(), self.name()
        if name is None or name == other:
            return
        assert self.send("RENAME", name, other) == b"OK"
        self.drop(other)
        self.twin[other] = self.twin.pop(name)

    def duplicate(self) -> None:
        name, other = self.existing(), self.name()
        if name is None or name == other:
            return
        if self.chance.random() < 0.5:
            assert self.send("COPY", name, other, "REPLACE") == 1
        else:
            payload = self.client("DUMP", name)
            self.sent.append(f"RESTORE {other} from {name}")
            assert self.client("RESTORE", other, 0, payload, "REPLACE") == b"OK"
        self.drop(other)
        self.twin[other] = self.twin[name].copy()

    def lose(self) -> None:
        name = self.existing()
        if name is None:
            return
        way = self.chance.choice([["DEL"], ["UNLINK"], ["SET", "x"], ["PEXPIRE", "0"]])
        self.send(way[0], name, *way[1:])
        if way[0] == "SET":
            self.send("DEL", name)
        self.drop(name)

    def alter(self) -> None:
        name = self.existing()
        if name is None:
            return
        series = self.twin[name]
        series.policy = self.chance.choice(POLICIES)
        series.labels = {"g": self.chance.choice("xy"), "new": name}
        labels = [word for one in series.labels.items() for word in one]
        self.send("TS.ALTER", name, "DUPLICATE_POLICY", series.policy, "LABELS", *labels)

    def reload(self) -> None:
        self.send("DEBUG", "RELOAD")

    def restart(self) -> None:
        if self.chance.random() < 0.5:
            self.send("BGREWRITEAOF")
            self.server.advance(5000)
        self.sent.append("(restart)")
        self.server.restart()
        self.client = self.server.client(resp=3)
        if self.nan:
            self.client("CONFIG", "SET", "ts-accept-nan", "yes")

    # --- questions -------------------------------------------------------------------------------

    def question(self) -> Question:
        chance = self.chance
        kinds = tuple(chance.sample(ALL_KINDS, chance.choice([0, 1, 1, 1, 3])))
        low = chance.randrange(END)
        width = chance.randrange(1, 90)
        rare = chance.random() < 0.2
        return Question(
            low=low if chance.random() < 0.7 else 0,
            high=low + chance.randrange(END) if chance.random() < 0.7 else FOREVER,
            kinds=kinds,
            width=width,
            align=chance.choice([0, 0, 7, 133]),
            empty=chance.random() < 0.4,
            shift=chance.choice([0, width // 2, width]),
            count=chance.choice([None, None, 1, 3]),
            backwards=chance.random() < 0.4,
            values=(-5.0, 8.0) if rare else None,
            times=tuple(chance.sample(range(END), 60)) if chance.random() < 0.15 else None,
        )

    def ask(self) -> None:
        name = self.existing()
        if name is None:
            return
        asked, latest = self.question(), self.chance.random() < 0.5
        # A line goes on to the open bucket only within the query.
        latest = latest and "twa" not in asked.kinds
        words = [*asked.words()[:2], *(["LATEST"] if latest else []), *asked.words()[2:]]
        backwards = "REV" if asked.backwards else ""
        reply = self.send(f"TS.{backwards}RANGE", name, *words)
        expected = asked.answer(self.twin[name].shown(latest))
        assert isinstance(reply, list)
        assert same(reply, expected), (reply, expected)

    def ask_many(self) -> None:
        asked = self.question()
        backwards = "REV" if asked.backwards else ""
        reply = self.send(f"TS.M{backwards}RANGE", *asked.words(), "FILTER", "g=x")
        assert isinstance(reply, dict)
        wanted = {name for name, series in self.twin.items() if series.labels.get("g") == "x"}
        assert set(reply) == {name.encode() for name in wanted}
        for name in wanted:
            rows = asked.answer(self.twin[name].shown())
            assert same(reply[name.encode()][-1], rows), (name, reply, rows)

    def check(self) -> None:
        """All that can be seen of all series."""
        latest = self.client("TS.MGET", "LATEST", "FILTER", "g=(x,y)")
        assert set(latest) == {name.encode() for name in self.twin}
        names = {id(series): name.encode() for name, series in self.twin.items()}
        for name, series in self.twin.items():
            assert same(self.client("TS.RANGE", name, "-", "+"), series.shown()), name
            found = self.client("TS.RANGE", name, "-", "+", "LATEST")
            assert same(found, series.shown(True)), (name, found, series.shown(True))
            shown = latest[name.encode()][-1]
            assert same([shown] if shown else [], series.latest() or series.range()[-1:])
            info = self.client("TS.INFO", name)
            assert info[b"totalSamples"] == len(series.samples)
            assert info[b"lastTimestamp"] == series.last
            assert info[b"firstTimestamp"] == min(series.samples, default=0)
            assert info[b"sourceKey"] == names.get(id(series.source))
            assert info[b"rules"] == {
                names[id(rule.destination)]: [rule.width, rule.kind.upper().encode(), rule.align]
                for rule in series.rules
            }


@pytest.mark.parametrize("seed", range(CHAINS))
def test_a_chain_of_changes_does_what_the_twin_does(tmp_path: Path, seed: int) -> None:
    options = {"appendonly": "yes", "enable-debug-command": "yes"}
    options["aof-use-rdb-preamble"] = "yes" if seed % 2 else "no"
    with InProcessServer(options, directory=tmp_path) as server:
        chain = Chain(server, seed)
        often = [chain.add] * 8 + [chain.add_many] * 3 + [chain.remove] * 3 + [chain.rule] * 4
        asked = [chain.ask] * 12 + [chain.ask_many] * 4
        seldom = [chain.step, chain.end_rule, chain.rename, chain.duplicate, chain.lose]
        steps = [*[chain.create] * 4, *often, *asked, *seldom, chain.alter, chain.reload]
        try:
            for turn in range(STEPS):
                chain.chance.choice(steps)()
                if turn % 40 == 39:
                    chain.restart()
                if turn % 5 == 0 or turn % 40 == 39:
                    chain.check()
        except AssertionError as error:
            raise AssertionError(
                f"seed {seed}: {error}\n" + "\n".join(chain.sent[-400:])
            ) from error
