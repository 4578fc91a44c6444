"""Requests per second and server CPU per request, test by test, at several pipeline depths.

The load is redis-benchmark's. CPU per request is the process clock of the server before and after,
divided by the requests; unlike requests per second it does not depend on how the load generator and
the server share the machine.
"""

import csv
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from balas.testing import ServerProcess
from bench.contenders import Contender, Cores, fill, value_32

PIPELINES = (1, 16, 100)
# What LRANGE reads: more than the longest range.
LIST_LENGTH = 1000


@dataclass(frozen=True)
class Workload:
    """One test of redis-benchmark: `arguments` choose it, `weight` is its cost in SETs, roughly."""

    name: str
    arguments: tuple[str, ...]
    weight: float = 1.0
    pipelines: tuple[int, ...] = PIPELINES


# Another workload is another line; ("HSET", "hash", "__rand_int__", "v") in place of -t works too.
WORKLOADS = (
    Workload("PING", ("-t", "ping_mbulk")),
    Workload("SET", ("-t", "set")),
    Workload("GET", ("-t", "get")),
    Workload("INCR", ("-t", "incr")),
    Workload("MSET (10 keys)", ("-t", "mset"), weight=5.0),
    # In this order: what is popped must have been pushed.
    *(
        Workload(name, ("-t", name.lower()), weight=2.0)
        for name in ("LPUSH", "RPUSH", "LPOP", "RPOP", "SADD", "SPOP", "HSET", "ZADD", "ZPOPMIN")
    ),
    *(
        Workload(
            f"LRANGE_{count}",
            ("lrange", "a list of elements", "0", str(count - 1)),
            weight=count / 8,
        )
        for count in (100, 300, 500, 600)
    ),
    # As later versions of redis-benchmark send it.
    Workload(
        "XADD",
        ("xadd", "mystream", "*", "myfield", "x" * 32),
        weight=2.0,
    ),
)


@dataclass(frozen=True)
class Load:
    """How much: keys beforehand, requests by pipeline depth, rounds to take medians of."""

    keys: int
    rounds: int
    requests: dict[int, int]


FULL = Load(keys=1_000_000, rounds=5, requests={1: 120_000, 16: 1_000_000, 100: 1_200_000})
QUICK = Load(keys=50_000, rounds=1, requests={1: 10_000, 16: 100_000, 100: 100_000})


@dataclass(frozen=True)
class Sample:
    """One measurement: requests per second, and server CPU per request in microseconds."""

    contender: str
    workload: str
    pipeline: int
    per_second: float
    cpu_us: float


@dataclass(frozen=True)
class Row:
    """One line of the table: medians by contender, and Balas's CPU over Redis's by round."""

    workload: str
    pipeline: int
    per_second: dict[str, float]
    cpu_us: dict[str, float]
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float | None:
        """Balas's median CPU per request over Redis's."""
        if {"Balas", "Redis"} <= self.cpu_us.keys():
            return self.cpu_us["Balas"] / self.cpu_us["Redis"]
        return None


def measure(
    contenders: Sequence[Contender],
    cores: Cores,
    load: Load,
    workloads: Sequence[Workload] = WORKLOADS,
) -> list[Row]:
    """Run every workload on every server, in turn, `load.rounds` times."""
    samples: list[Sample] = []
    with ExitStack() as stack:
        servers = {one.name: stack.enter_context(one.running(cores)) for one in contenders}
        for name, server in servers.items():
            print(f"  loading {load.keys:,} keys and counters into {name}", flush=True)
            with server.client(timeout_s=60) as client:
                fill(client, load.keys)
                fill(client, load.keys, b"counter:", lambda number: b"1")
                for number in range(LIST_LENGTH):
                    client("RPUSH", "a list of elements", value_32(number))
        for number in range(load.rounds):
            print(f"  round {number + 1} of {load.rounds}", flush=True)
            order = list(servers.items())
            if number % 2:
                order.reverse()
            for workload in workloads:
                for pipeline in workload.pipelines:
                    for name, server in order:
                        samples.append(run_one(name, server, workload, pipeline, load))
    return list(rows(samples, workloads))


def run_one(
    name: str, server: ServerProcess, workload: Workload, pipeline: int, load: Load
) -> Sample:
    """Run a workload once."""
    requests = int(load.requests[pipeline] / workload.weight)
    measured = benchmark(server, workload.arguments, requests, pipeline, load.keys)
    return Sample(name, workload.name, pipeline, *measured)


def benchmark(
    server: ServerProcess, arguments: Sequence[str], requests: int, pipeline: int, keys: int
) -> tuple[float, float]:
    """Run redis-benchmark: requests per second, and microseconds of the server's CPU for each.

    RuntimeError with its words if it fails.
    """
    command = ["redis-benchmark", "-p", str(server.port), "-n", str(requests), "-P", str(pipeline)]
    command += ["-r", str(keys), "-d", "32", "--csv", *arguments]
    cpu_before_s, began_s = server.cpu_s(), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    took_s, cpu_s = time.monotonic() - began_s, server.cpu_s() - cpu_before_s
    rows = [row for row in csv.reader(done.stdout.splitlines()) if len(row) > 1]
    if done.returncode != 0 or len(rows) < 2:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return float(rows[-1][1]) or requests / took_s, cpu_s * 1e6 / requests


def rows(samples: Sequence[Sample], workloads: Sequence[Workload]) -> Iterator[Row]:
    """Medians over the rounds, and the ratio of each round."""
    names = list(dict.fromkeys(sample.contender for sample in samples))
    for workload in workloads:
        for pipeline in PIPELINES:
            mine = [s for s in samples if (s.workload, s.pipeline) == (workload.name, pipeline)]
            if not mine:
                continue
            of = {name: [s for s in mine if s.contender == name] for name in names}
            pairs = zip(of.get("Balas", []), of.get("Redis", []), strict=False)
            yield Row(
                workload.name,
                pipeline,
                {name: median(s.per_second for s in of[name]) for name in names},
                {name: median(s.cpu_us for s in of[name]) for name in names},
                tuple(balas.cpu_us / redis.cpu_us for balas, redis in pairs),
            )
