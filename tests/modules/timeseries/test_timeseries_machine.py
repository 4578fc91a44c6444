"""Random samples, deletions and queries, by the wire, beside a naive twin."""

from __future__ import annotations

import math
import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from balas.testing import InProcessServer
from tests.modules.timeseries.timeseries_twin import (
    KINDS,
    Rule,
    Samples,
    Twin,
    buckets,
    time_weighted,
    with_empty,
)

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "25"))
END = 400

times = st.integers(0, END)
values = st.integers(-20, 20) | st.sampled_from([0.5, -0.25, 1e6, 3.125, 0.1, 7.77, 1 / 3])
kinds = st.sampled_from(sorted(KINDS))


def same(reply: list[Any], expected: dict[int, float]) -> bool:
    """Whether a reply of RESP3 holds these samples, but for what rounding does."""
    return [at for at, _ in reply] == list(expected) and all(
        (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, abs_tol=1e-6)
        for (_, one), other in zip(reply, expected.values(), strict=True)
    )


class Machine(RuleBasedStateMachine):
    """One series with rules of all kinds, and the twin."""

    server: InProcessServer

    @initialize(chunk=st.sampled_from([48, 64, 128]), plain=st.booleans())
    def begin(self, chunk: int, plain: bool) -> None:
        self.client = self.server.client(resp=3)
        self.client("FLUSHALL")
        encoding = "UNCOMPRESSED" if plain else "COMPRESSED"
        words = ("ENCODING", encoding, "CHUNK_SIZE", chunk, "DUPLICATE_POLICY", "LAST")
        self.client("TS.CREATE", "s", *words)
        self.twin = Twin()

    @rule(kind=kinds, width=st.integers(1, 60), align=st.integers(0, 70))
    def new_rule(self, kind: str, width: int, align: int) -> None:
        name = f"d{len(self.twin.rules)}"
        # Of samples that were there before, a rule sees those that come with others, and not the
        # rest; a twin of that would be no simpler than the thing.
        if not self.twin.samples and len(self.twin.rules) < 4:
            self.client("TS.CREATE", name, "CHUNK_SIZE", 64)
            self.client("TS.CREATERULE", "s", name, "AGGREGATION", kind, width, align)
            self.twin.rules[name] = Rule(kind, width, align)

    @rule(at=times, value=values)
    def add(self, at: int, value: float) -> None:
        assert self.client("TS.ADD", "s", at, value) == at
        self.twin.add(at, float(value))

    @rule(
        samples=st.lists(st.tuples(times, values), min_size=1, max_size=20), ordered=st.booleans()
    )
    def add_many(self, samples: Samples, ordered: bool) -> None:
        samples = sorted(samples) if ordered else samples
        self.client("TS.MADD", *(word for sample in samples for word in ("s", *sample)))
        for at, value in samples:
            self.twin.add(at, float(value))

    @rule(low=times, length=st.integers(0, 80))
    def remove(self, low: int, length: int) -> None:
        assert self.client("TS.DEL", "s", low, low + length) == self.twin.remove(low, low + length)

    @rule()
    def save_and_load(self) -> None:
        self.client("DEBUG", "RELOAD")

    @rule(
        low=times,
        length=st.integers(0, END),
        kind=kinds,
        width=st.integers(1, 90),
        align=st.integers(0, 100),
        empty=st.booleans(),
    )
    def aggregate(
        self, low: int, length: int, kind: str, width: int, align: int, empty: bool
    ) -> None:
        found = buckets(self.twin.range(low, low + length), kind, width, align)
        if empty:
            found = with_empty(found, kind, width)
        expected = {max(start, 0): value for start, value in found.items()}
        words = ("ALIGN", align, "AGGREGATION", kind, width, *(["EMPTY"] if empty else []))
        reply = self.client("TS.RANGE", "s", low, low + length, *words)
        assert same(reply, expected), (reply, expected)
        few = self.client("TS.RANGE", "s", low, low + length, "COUNT", 3, *words)
        assert same(few, dict(reply[:3]))
        backwards = self.client("TS.REVRANGE", "s", low, low + length, "COUNT", 3, *words)
        if kind not in ("first", "last"):
            assert same(backwards[::-1], dict(reply[-3:]))

    @rule(
        low=times,
        length=st.integers(0, END),
        width=st.integers(1, 90),
        align=st.integers(0, 100),
        empty=st.booleans(),
    )
    def average_by_time(self, low: int, length: int, width: int, align: int, empty: bool) -> None:
        everything = self.twin.range(0, END)
        inside = self.twin.range(low, low + length)
        before = [sample for sample in everything if sample[0] < low][-1:]
        after = [sample for sample in everything if sample[0] > low + length][:1]
        samples = before + inside + after
        found = (
            time_weighted(samples, (low, low + length), width, align, empty)
            if inside or empty
            else {}
        )
        expected = {max(start, 0): value for start, value in found.items()}
        words = ("ALIGN", align, "AGGREGATION", "twa", width, *(["EMPTY"] if empty else []))
        reply = self.client("TS.RANGE", "s", low, low + length, *words)
        assert same(reply, expected), (reply, expected)

    @rule(low=st.integers(-20, 20), high=st.integers(-20, 20), chosen=st.lists(times, max_size=9))
    def choose(self, low: int, high: int, chosen: list[int]) -> None:
        found = [(at, v) for at, v in self.twin.range(0, END) if low <= v <= high]
        words: tuple[object, ...] = ("FILTER_BY_VALUE", low, high)
        if chosen:
            found = [(at, value) for at, value in found if at in chosen]
            words += ("FILTER_BY_TS", *chosen)
        reply = self.client("TS.REVRANGE", "s", "-", "+", *words)
        assert same(reply[::-1], dict(found))

    @invariant()
    def samples_are_those_of_the_twin(self) -> None:
        if not hasattr(self, "twin"):
            return
        assert same(self.client("TS.RANGE", "s", "-", "+"), dict(self.twin.range(0, END)))
        info = self.client("TS.INFO", "s")
        assert info[b"totalSamples"] == len(self.twin.samples)
        assert info[b"lastTimestamp"] == max(self.twin.samples, default=0)
        assert info[b"firstTimestamp"] == min(self.twin.samples, default=0)

    @invariant()
    def rules_have_written_what_the_twin_says(self) -> None:
        if not hasattr(self, "twin"):
            return
        for name in self.twin.rules:
            reply = self.client("TS.RANGE", name, "-", "+")
            assert same(reply, self.twin.written(name)), (name, reply, self.twin)
            reply = self.client("TS.RANGE", name, "-", "+", "LATEST")
            assert same(reply, self.twin.written(name, latest=True)), (name, reply, self.twin)


def test_a_series_does_what_its_twin_does() -> None:
    with InProcessServer({"enable-debug-command": "yes"}) as server:
        machine = type("Machine", (Machine,), {"server": server})
        run_machine(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.mark.parametrize(
    "reducer", ["sum", "avg", "min", "max", "count", "range", "std.p", "var.s"]
)
def test_groups_are_reduced_as_the_twin_does(reducer: str, balas_server: InProcessServer) -> None:
    chance = random.Random(reducer)
    client = balas_server.client(resp=3)
    groups: dict[bytes, dict[int, list[float]]] = {}
    for number in range(12):
        group = f"g{number % 3}"
        client("TS.CREATE", f"k{number}", "LABELS", "group", group, "all", "1")
        # Some series share all their times, others few.
        stamps = range(0, 300, 10) if number % 2 else chance.sample(range(300), 40)
        for at in sorted(stamps):
            value = chance.randrange(1000) / 8
            client("TS.ADD", f"k{number}", at, value)
            held = groups.setdefault(b"group=" + group.encode(), {})
            held.setdefault(at, []).append(value)
    reply = client("TS.MRANGE", "-", "+", "FILTER", "all=1", "GROUPBY", "group", "REDUCE", reducer)
    assert sorted(reply) == sorted(groups)
    for name, held in groups.items():
        expected = {at: KINDS[reducer](found) for at, found in sorted(held.items())}
        assert same(reply[name][-1], expected)
