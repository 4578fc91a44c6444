"""A day of a monitoring system: 1,000 hosts with ten metrics each, a sample every ten seconds.

That is 86.4 million samples, sent by TS.MADD of 100 in the order in which they come about, and then
asked for as dashboards do: by redis-py, and by TS.MRANGE with GROUPBY as Grafana sends it. The
values are those of `bench.modules_timeseries`, made for all hosts at once.
"""

import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
import redis

from balas.testing import BalasProcess, Client, ServerProcess
from balas.testing.wire import encode
from bench.contenders import OPTIONS, Cores
from bench.modules_timeseries import BEGIN_MS, COUNTERS, LEVELS, METRICS, STEP_MS, key_of
from bench.report import table

HOSTS = 1000
STEPS = 8640
# Samples of one TS.MADD.
BATCH = 100
REGIONS = 5
MILLION = 1_000_000
HOUR_MS = 3_600_000
SEED = 11


def steps_of(metric: str, hosts: int, seed: int) -> Iterator[np.ndarray]:
    """The values of a metric of all hosts, one array for each step, without an end."""
    chance = np.random.default_rng([seed, [name for name, _ in METRICS].index(metric)])
    decimals = dict(METRICS)[metric]
    level = chance.uniform(20, 60, hosts) if decimals else chance.uniform(1e6, 1e9, hosts)
    rate = chance.uniform(100, 50_000, hosts)
    while True:
        if metric in COUNTERS:
            level = level + np.maximum(0, chance.normal(rate, rate / 20))
        elif metric in LEVELS:
            moved = chance.random(hosts) < 0.2
            level = level + 4096 * np.trunc(chance.normal(0, 40, hosts)) * moved
        elif metric == "latency_ms":
            level = chance.lognormal(3, 0.3, hosts)
        else:
            level = np.clip(level + chance.normal(0, 0.8, hosts), 0, 100)
        yield level


def create(client: Client, hosts: int) -> list[str]:
    """Make the series, metric by metric; their keys."""
    names = []
    for metric, _ in METRICS:
        for host in range(hosts):
            labels = ("host", f"h{host}", "metric", metric, "region", f"r{host % REGIONS}")
            client("TS.CREATE", key_of(host, metric), "LABELS", *labels)
            names.append(key_of(host, metric))
    return names


def word(text: bytes) -> bytes:
    """One argument of a request."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def fill(server: ServerProcess, client: Client, hosts: int, steps: int) -> tuple[float, list[str]]:
    """Send all samples; the CPU seconds that took, and the keys."""
    names = create(client, hosts)
    sources = [(steps_of(metric, hosts, SEED), b"%%.%df" % digits) for metric, digits in METRICS]
    keys = [word(name.encode()) for name in names]
    firsts = range(0, len(keys), BATCH)
    heads = [
        b"*%d\r\n$7\r\nTS.MADD\r\n" % (1 + 3 * len(keys[first : first + BATCH])) for first in firsts
    ]
    began_s = server.cpu_s()
    for step in range(steps):
        at = word(b"%d" % (BEGIN_MS + step * STEP_MS))
        values = [word(form % value) for source, form in sources for value in next(source).tolist()]
        triples = [key + at + value for key, value in zip(keys, values, strict=True)]
        client.send_raw(
            b"".join(
                head + b"".join(triples[first : first + BATCH])
                for head, first in zip(heads, firsts, strict=True)
            )
        )
        for _ in firsts:
            check(client.read())
    return server.cpu_s() - began_s, names


def check(reply: object) -> None:
    """Raise the error that a reply of TS.MADD is or holds."""
    for part in reply if isinstance(reply, list) else [reply]:
        if isinstance(part, Exception):
            raise part


def fill_long(client: Client) -> None:
    """Make a series of a million samples."""
    chance = np.random.default_rng(SEED)
    values = np.clip(50 + np.cumsum(chance.normal(0, 0.3, MILLION)), 0, 100)
    client("TS.CREATE", "long")
    for first in range(0, MILLION, 1000):
        words: list[object] = []
        for place in range(first, first + 1000):
            words += ("long", BEGIN_MS + place * STEP_MS, f"{values[place]:.1f}")
        client("TS.MADD", *words)


def queries(port: int, client: Client, steps: int) -> dict[str, Callable[[], object]]:
    """What dashboards ask, by name."""
    end = BEGIN_MS + steps * STEP_MS
    hour_ago = end - HOUR_MS
    series = redis.Redis(port=port).ts()
    by_region = ("GROUPBY", "region", "REDUCE", "max")
    grafana = encode(
        *("TS.MRANGE", hour_ago, end, "AGGREGATION", "avg", 60_000),
        *("FILTER", "metric=cpu_user", *by_region),
    )
    one_region = encode(
        *("TS.MRANGE", hour_ago, end, "WITHLABELS", "AGGREGATION", "avg", 60_000),
        *("FILTER", "metric=(cpu_user,cpu_system)", "region=r1"),
    )

    def raw(request: bytes) -> object:
        client.send_raw(request)
        return client.read()

    return {
        "TS.RANGE avg by hour, 1,000,000 samples": lambda: raw(
            encode("TS.RANGE", "long", "-", "+", "AGGREGATION", "avg", HOUR_MS)
        ),
        "Grafana: the last hour of one metric, by minute, GROUPBY region": lambda: raw(grafana),
        "Grafana: two metrics of one region, the last hour, with labels": lambda: raw(one_region),
        "redis-py: one host, ten metrics, the day by hour": lambda: series.mrange(
            BEGIN_MS, end, ["host=h7"], aggregation_type="avg", bucket_size_msec=HOUR_MS
        ),
        "redis-py: one metric, all hosts, the day by hour, GROUPBY region": lambda: series.mrange(
            BEGIN_MS,
            end,
            ["metric=requests"],
            aggregation_type="max",
            bucket_size_msec=HOUR_MS,
            groupby="region",
            reduce="sum",
        ),
        "redis-py: the latest of one metric, with labels": lambda: series.mget(
            ["metric=temperature"], with_labels=True
        ),
    }


def milliseconds(server: ServerProcess, query: Callable[[], object], times: int) -> float:
    """Server CPU of one query: the median of three rounds."""
    rounds = []
    for _ in range(3):
        began_s = server.cpu_s()
        for _ in range(times):
            query()
        rounds.append((server.cpu_s() - began_s) * 1000 / times)
    return median(rounds)


def measure(cores: Cores, scale: float) -> str:
    """Run all with `scale` of the hosts; the section of the report."""
    hosts = max(REGIONS * 2, int(HOSTS * scale))
    steps = STEPS if scale == 1 else max(720, int(STEPS * scale))
    with (
        BalasProcess(OPTIONS, pin_to_core=cores.server) as server,
        server.client(timeout_s=300) as client,
    ):
        before = server.rss_bytes()
        began_s = time.monotonic()
        cpu_s, names = fill(server, client, hosts, steps)
        took_s = time.monotonic() - began_s
        samples = len(names) * steps
        taken = sum(client("MEMORY", "USAGE", name, "SAMPLES", 0) for name in names)
        resident = server.rss_bytes() - before
        fill_long(client)
        lines = [
            ["samples", f"{samples:,}"],
            ["sent and answered in, s", f"{took_s:.0f}"],
            ["TS.MADD of 100: samples per second of server CPU", f"{samples / cpu_s:,.0f}"],
            ["bytes per sample, by MEMORY USAGE", f"{taken / samples:.2f}"],
            ["bytes per sample, by the process", f"{resident / samples:.2f}"],
        ]
        for name, query in queries(server.port, client, steps).items():
            lines.append([name + ", CPU ms", f"{milliseconds(server, query, 10):.2f}"])
    return "\n## A day of a monitoring system\n\n" + table(["what", "Balas"], lines)
