"""redis-benchmark under other conditions: clients, sizes of values, the log on disk, scripts.

As in `throughput`, the measure is the server's CPU per request.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from balas.testing import Client
from bench import report
from bench.contenders import Contender, Cores, fill
from bench.throughput import Load, Sample, Workload, rows, run_one

SCRIPT = "return redis.call('SET', KEYS[1], ARGV[1])"
SCRIPT_SHA = hashlib.sha1(SCRIPT.encode()).hexdigest()


@dataclass(frozen=True)
class Condition:
    """Workloads that share a server: its options, and what is done before."""

    what: str
    workloads: tuple[Workload, ...]
    options: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Client], object] = lambda client: None


def clients_of(count: int) -> tuple[Workload, ...]:
    return tuple(
        Workload(f"{name}, clients: {count}", ("-c", str(count), "-t", name.lower()))
        for name in ("SET", "GET")
    )


def values_of(size: int, shown: str, keys: int, weight: float) -> tuple[Workload, ...]:
    flags = ("-d", str(size), "-r", str(keys))
    return tuple(
        Workload(f"{name}, {shown}", (*flags, "-t", name.lower()), weight, (1, 16))
        for name in ("SET", "GET")
    )


def logged(fsync: str) -> Condition:
    options = {"appendonly": "no" if fsync == "off" else "yes"}
    if fsync != "off":
        options["appendfsync"] = fsync
    # Waiting for the disk is no CPU; but with `always` it takes long.
    weight = 10.0 if fsync == "always" else 1.0
    sets = (Workload(f"SET, log {fsync}", ("-t", "set"), weight, (1, 16)),)
    return Condition(f"log {fsync}", sets, options)


CONDITIONS = {
    "clients": (
        "1, 50 and 500 clients",
        (Condition("clients", tuple(w for n in (1, 50, 500) for w in clients_of(n))),),
    ),
    "values": (
        "Values of 16 bytes, 1 KB and 100 KB",
        (
            Condition(
                "values",
                (
                    *values_of(16, "16 B", 1_000_000, 1.0),
                    *values_of(1024, "1 KB", 200_000, 2.0),
                    *values_of(102_400, "100 KB", 1000, 50.0),
                ),
            ),
        ),
    ),
    "log": ("The log on disk (AOF)", tuple(map(logged, ("off", "everysec", "always")))),
    "scripts": (
        "Scripts",
        (
            Condition(
                "scripts",
                (
                    Workload(
                        "EVALSHA of one SET",
                        ("evalsha", SCRIPT_SHA, "1", "key:__rand_int__", "value"),
                        weight=3.0,
                    ),
                ),
                prepare=lambda client: client("SCRIPT", "LOAD", SCRIPT),
            ),
        ),
    ),
}


def measure(name: str, contenders: Sequence[Contender], cores: Cores, load: Load) -> str:
    """The section of the report for one of `CONDITIONS`."""
    title, conditions = CONDITIONS[name]
    samples: list[Sample] = []
    for condition in conditions:
        with ExitStack() as stack:
            servers = {
                one.name: stack.enter_context(one.running(cores, condition.options))
                for one in contenders
            }
            for server in servers.values():
                with server.client(timeout_s=60) as client:
                    fill(client, load.keys)
                    condition.prepare(client)
            for number in range(load.rounds):
                print(f"  {condition.what}: round {number + 1} of {load.rounds}", flush=True)
                order = list(servers.items())[:: -1 if number % 2 else 1]
                for workload in condition.workloads:
                    for pipeline in workload.pipelines:
                        samples += [
                            run_one(who, server, workload, pipeline, load) for who, server in order
                        ]
    workloads = [workload for condition in conditions for workload in condition.workloads]
    return f"""
## {title}

redis-benchmark; {load.rounds} rounds.

{report.requests(list(rows(samples, workloads)))}"""
