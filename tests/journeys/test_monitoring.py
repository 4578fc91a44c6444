"""A monitoring system: hosts with ten metrics each, rules, and the questions of its dashboards.

redis-py speaks to the server, as it would for Grafana. BALAS_FUZZ_EXAMPLES above 50 takes so many
hosts; 1000 and a day make what a real one keeps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import isclose
from random import Random
from typing import Any

import pytest
import redis

from balas.testing import BalasProcess
from bench.modules_timeseries import BEGIN_MS, METRICS, STEP_MS, key_of, values_of

HOSTS = max(int(os.environ.get("BALAS_FUZZ_EXAMPLES", "0")), 50)
SAMPLES = 720
HOUR_MS = 3_600_000
BYTES_PER_SAMPLE = 2.5

pytestmark = pytest.mark.long


def fill(database: Any) -> dict[str, list[float]]:
    """Two hours of all hosts, by TS.MADD of all metrics of some hosts at a time; the values."""
    ts = database.ts()
    sources, kept = {}, {}
    for host in range(HOSTS):
        for metric, decimals in METRICS:
            key = key_of(host, metric)
            labels = {"host": f"h{host}", "metric": metric, "region": f"r{host % 5}"}
            ts.create(key, labels=labels)
            sources[key] = values_of(metric, decimals, Random(f"3 {key}"))
            kept[key] = []
        ts.create(f"{key_of(host, 'load')}:hourly", labels={"rollup": "load", "host": f"h{host}"})
        ts.createrule(key_of(host, "load"), f"{key_of(host, 'load')}:hourly", "avg", HOUR_MS)
    keys = list(sources)
    for place in range(SAMPLES):
        at = BEGIN_MS + place * STEP_MS
        pipeline = database.pipeline(transaction=False)
        for first in range(0, len(keys), 500):
            words = []
            for key in keys[first : first + 500]:
                text = next(sources[key])
                kept[key].append(float(text))
                words += [key, at, text]
            pipeline.execute_command("TS.MADD", *words)
        pipeline.execute()
    return kept


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_day_of_a_monitoring_system(
    protocol: int, balas_process: Callable[..., BalasProcess]
) -> None:
    server = balas_process({"appendonly": "yes", "appendfsync": "no"})
    database = redis.Redis(port=server.port, protocol=protocol, decode_responses=True)
    ts = database.ts()
    kept = fill(database)
    end = BEGIN_MS + SAMPLES * STEP_MS

    taken = sum(database.memory_usage(key, samples=0) for key in kept)
    assert taken / (len(kept) * SAMPLES) < BYTES_PER_SAMPLE + 1.5  # two hours only: objects count

    key = key_of(3, "temperature")
    assert list(ts.get(key)) == [end - STEP_MS, kept[key][-1]]
    minutes = ts.range(key, "-", "+", aggregation_type="max", bucket_size_msec=600_000, align=0)
    first = BEGIN_MS // 600_000 * 600_000
    inside = [
        value
        for place, value in enumerate(kept[key])
        if BEGIN_MS + place * STEP_MS < first + 600_000
    ]
    assert list(minutes[0]) == [first, max(inside)]

    groups = ts.mrange(BEGIN_MS, end, ["metric=cpu_user"], groupby="region", reduce="max", count=5)
    found = (
        groups if protocol == 3 else {name: body for row in groups for name, body in row.items()}
    )
    assert sorted(found) == [f"region=r{region}" for region in range(5)]
    samples = found["region=r2"][-1]
    hosts = [host for host in range(HOSTS) if host % 5 == 2]
    for place, (at, value) in enumerate(samples):
        assert at == BEGIN_MS + place * STEP_MS
        assert value == max(kept[key_of(host, "cpu_user")][place] for host in hosts)

    latest = ts.mget(["host=h7", "rollup="], with_labels=True)
    assert len(latest) == len(METRICS)
    assert sorted(ts.queryindex(["metric=load", "region=(r1,r2)"])) == sorted(
        key_of(host, "load") for host in range(HOSTS) if host % 5 in (1, 2)
    )

    rollup = f"{key_of(4, 'load')}:hourly"
    hours = ts.range(rollup, "-", "+")
    values = kept[key_of(4, "load")]
    for at, value in hours:
        held = [
            v for place, v in enumerate(values) if 0 <= BEGIN_MS + place * STEP_MS - at < HOUR_MS
        ]
        assert isclose(value, sum(held) / len(held))
    assert len(ts.range(rollup, "-", "+", latest=True)) == len(hours) + 1

    server.kill()
    server.start()
    again = redis.Redis(port=server.port, protocol=protocol, decode_responses=True)
    assert again.ts().range(rollup, "-", "+") == hours
    assert len(again.ts().range(key, "-", "+")) == SAMPLES
    assert again.ts().range(key, "-", "+")[-1][1] == kept[key][-1]
