"""What dashboards ask, as Grafana does by way of redis-py, held against numpy.

The samples are an hour of the workload of `bench.monitoring`: so many hosts with some of their
metrics, every ten seconds, from a seed. BALAS_FUZZ_EXAMPLES above 12 takes so many hosts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pytest
import redis

from balas.testing import BalasProcess
from bench.modules_timeseries import BEGIN_MS, METRICS, STEP_MS, key_of
from bench.monitoring import REGIONS, SEED, steps_of

HOSTS = min(max(int(os.environ.get("BALAS_FUZZ_EXAMPLES", "0")), 12), 200)
CHOSEN = ("cpu_user", "load", "requests", "latency_ms")
STEPS = 360
MINUTE = 60_000
END_MS = BEGIN_MS + (STEPS - 1) * STEP_MS
# An outage of one host: a gap in all its series.
LOST = 4
GAP = slice(100, 125)
TIMES = BEGIN_MS + np.arange(STEPS) * STEP_MS


@dataclass
class Dashboard:
    """A server with the samples; `values` are those of each metric, a row for each host, NaN in the
    gap.
    """

    ts: Any
    protocol: int
    values: dict[str, np.ndarray]

    def panels(self, reply: Any) -> dict[str, tuple[dict[str, Any], np.ndarray]]:
        """The labels and the samples of each series of TS.MRANGE."""
        if self.protocol == 3:
            rows = [(name, body[0], body[-1]) for name, body in reply.items()]
        else:
            rows = [(name, *body) for row in reply for name, body in row.items()]
        return {name: (labels, np.array(found, dtype=float)) for name, labels, found in rows}


def by_minute(
    values: np.ndarray, function: Callable[..., Any], begin: int = BEGIN_MS, align: int = 0
) -> np.ndarray:
    """Rows of (start of a minute, what the samples in it come to), without empty minutes."""
    starts = (TIMES - align) // MINUTE * MINUTE + align
    kept = (begin <= TIMES) & ~np.isnan(values)
    return np.array(
        [[start, function(values[kept & (starts == start)])] for start in np.unique(starts[kept])]
    )


@pytest.fixture(scope="module", params=[2, 3])
def dashboard(request: pytest.FixtureRequest) -> Iterator[Dashboard]:
    with BalasProcess() as server:
        yield filled(server.port, request.param)


def filled(port: int, protocol: int) -> Dashboard:
    """Send the samples, and take those of the gap away again."""
    database = redis.Redis(port=port, protocol=protocol, decode_responses=True)
    ts, decimals, values = database.ts(), dict(METRICS), {}
    for metric in CHOSEN:
        steps = np.array(list(islice(steps_of(metric, HOSTS, SEED), STEPS))).T
        values[metric] = np.vectorize(
            lambda one, digits=decimals[metric]: float(f"{one:.{digits}f}")
        )(steps)
        for host in range(HOSTS):
            labels = {"host": f"h{host}", "metric": metric, "region": f"r{host % REGIONS}"}
            ts.create(key_of(host, metric), labels=labels)
        rollup = {"host": f"h{LOST}", "rollup": metric}
        ts.create(f"{key_of(LOST, metric)}:minutes", labels=rollup)
        ts.createrule(key_of(LOST, metric), f"{key_of(LOST, metric)}:minutes", "avg", MINUTE)
    pipeline = database.pipeline(transaction=False)
    for place in range(STEPS):
        samples = [
            (key_of(host, metric), int(TIMES[place]), values[metric][host, place].item())
            for metric in CHOSEN
            for host in range(HOSTS)
        ]
        words = [word for sample in samples for word in sample]
        pipeline.execute_command("TS.MADD", *words)
    for told in pipeline.execute():
        assert not any(isinstance(one, Exception) for one in told)
    for metric in CHOSEN:
        gone = ts.delete(key_of(LOST, metric), int(TIMES[GAP][0]), int(TIMES[GAP][-1]))
        assert gone == len(TIMES[GAP])
        values[metric][LOST, GAP] = np.nan
    return Dashboard(ts, protocol, values)


def test_a_panel_by_host(dashboard: Dashboard) -> None:
    reply = dashboard.ts.mrange(
        BEGIN_MS,
        END_MS,
        ["metric=(cpu_user,load)"],
        aggregation_type="avg",
        bucket_size_msec=MINUTE,
        groupby="host",
        reduce="avg",
        select_labels=["host", "region"],
    )
    panels = dashboard.panels(reply)
    assert set(panels) == {f"host=h{host}" for host in range(HOSTS)}
    for host in range(HOSTS):
        labels, found = panels[f"host=h{host}"]
        assert labels == {"host": f"h{host}", "region": None}
        both = [by_minute(dashboard.values[name][host], np.mean) for name in ("cpu_user", "load")]
        np.testing.assert_array_equal(found[:, 0], both[0][:, 0])
        np.testing.assert_allclose(found[:, 1], (both[0][:, 1] + both[1][:, 1]) / 2, rtol=1e-9)


@pytest.mark.parametrize(("reducer", "function"), [("max", np.nanmax), ("std.s", None)])
def test_a_panel_by_region(
    dashboard: Dashboard, reducer: str, function: Callable[..., Any] | None
) -> None:
    reply = dashboard.ts.mrange(
        "-", "+", ["metric=latency_ms"], groupby="region", reduce=reducer, count=50
    )
    panels = dashboard.panels(reply)
    assert set(panels) == {f"region=r{region}" for region in range(REGIONS)}
    for region in range(REGIONS):
        rows = dashboard.values["latency_ms"][region::REGIONS, :50]
        wanted = function(rows, axis=0) if function else np.nanstd(rows, axis=0, ddof=1)
        _, found = panels[f"region=r{region}"]
        np.testing.assert_array_equal(found[:, 0], TIMES[:50])
        np.testing.assert_allclose(found[:, 1], wanted, rtol=1e-9)


def test_filters_with_lists_an_alignment_and_a_count(dashboard: Dashboard) -> None:
    begin = BEGIN_MS + 7 * STEP_MS + 1
    reply = dashboard.ts.mrange(
        begin,
        END_MS,
        ["metric=(requests,load)", "host!=(h1,h2)", "region!=r3", "rollup="],
        aggregation_type="max",
        bucket_size_msec=MINUTE,
        align="start",
        count=9,
        select_labels=["metric", "host"],
    )
    hosts = [host for host in range(HOSTS) if host not in (1, 2) and host % REGIONS != 3]
    panels = dashboard.panels(reply)
    assert set(panels) == {key_of(host, name) for host in hosts for name in ("requests", "load")}
    for host in hosts:
        for metric in ("requests", "load"):
            labels, found = panels[key_of(host, metric)]
            assert labels == {"metric": metric, "host": f"h{host}"}
            wanted = by_minute(dashboard.values[metric][host], np.max, begin, begin)[:9]
            np.testing.assert_array_equal(found, wanted)


def test_a_gap_is_shown_as_one(dashboard: Dashboard) -> None:
    options = {"aggregation_type": "avg", "bucket_size_msec": MINUTE, "empty": True}
    key = key_of(LOST, "cpu_user")
    found = np.array(dashboard.ts.range(key, BEGIN_MS, END_MS, **options), dtype=float)
    wanted = by_minute(dashboard.values["cpu_user"][LOST], np.mean)
    assert len(found) > len(wanted)
    np.testing.assert_array_equal(np.diff(found[:, 0]), MINUTE)
    np.testing.assert_array_equal(found[~np.isnan(found[:, 1]), 0], wanted[:, 0])
    backwards = np.array(dashboard.ts.revrange(key, BEGIN_MS, END_MS, **options), dtype=float)
    np.testing.assert_array_equal(backwards[::-1], found)
    # The average by time goes straight over the gap.
    options["aggregation_type"] = "twa"
    found = np.array(dashboard.ts.range(key, BEGIN_MS, END_MS, **options), dtype=float)
    values = dashboard.values["cpu_user"][LOST]
    kept = ~np.isnan(values)
    for start, value in found[1:-1]:
        ends = [start, start + MINUTE]
        inside = TIMES[kept & (start < TIMES) & (start + MINUTE > TIMES)]
        corners = np.array(sorted({*ends, *inside}), dtype=float)
        heights = np.interp(corners, TIMES[kept], values[kept])
        area = np.sum((heights[1:] + heights[:-1]) / 2 * np.diff(corners))
        np.testing.assert_allclose(value, area / MINUTE, rtol=1e-9)


def test_a_rollup_follows_what_was_deleted(dashboard: Dashboard) -> None:
    for metric in CHOSEN:
        rollup = f"{key_of(LOST, metric)}:minutes"
        wanted = by_minute(dashboard.values[metric][LOST], np.mean)
        closed = np.array(dashboard.ts.range(rollup, "-", "+"), dtype=float)
        np.testing.assert_allclose(closed, wanted[:-1], rtol=1e-9)
        latest = np.array(dashboard.ts.range(rollup, "-", "+", latest=True), dtype=float)
        np.testing.assert_allclose(latest, wanted, rtol=1e-9)


def test_the_latest_of_all_hosts(dashboard: Dashboard) -> None:
    reply = dashboard.ts.mget(["metric=load"], select_labels=["host"])
    told = reply
    if dashboard.protocol == 2:
        told = {name: body for row in reply for name, body in row.items()}
    assert set(told) == {key_of(host, "load") for host in range(HOSTS)}
    for host in range(HOSTS):
        labels, *rest = told[key_of(host, "load")]
        at, value = rest if len(rest) == 2 else rest[0]
        assert labels == {"host": f"h{host}"}
        assert (at, float(value)) == (END_MS, dashboard.values["load"][host, -1])
    newest = dashboard.ts.mrevrange("-", "+", ["metric=load"], count=1)
    for host in range(HOSTS):
        _, found = dashboard.panels(newest)[key_of(host, "load")]
        assert found.tolist() == [[END_MS, dashboard.values["load"][host, -1]]]
    assert sorted(dashboard.ts.queryindex(["metric=load", "host=(h1,h2,h999)"])) == [
        key_of(1, "load"),
        key_of(2, "load"),
    ]
