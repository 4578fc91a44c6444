"""Latencies at half of what a server can do, with a load that does not wait for the server.

Redis's most requests per second over as many connections are found first, by redis-benchmark; all
servers then get half of that. Requests are due at random moments (exponential gaps), whether or not
earlier ones were answered, and a latency counts from that moment: see `open_loop.pyx`, which is
compiled when it is needed. Its own lateness is measured, too.
"""

import importlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType

import numpy
from numpy.typing import NDArray

from balas.testing import ServerProcess
from balas.testing.wire import encode
from bench.contenders import Contender, Cores, fill, value_32
from bench.report import table
from bench.throughput import benchmark

CONNECTIONS = 50
SHARE = 0.5
SEED = 20251123
# So many different requests are made beforehand, to be drawn from.
CHOICES = 50_000
PERCENTILES = (50.0, 99.0, 99.9, 100.0)


@dataclass(frozen=True)
class Latencies:
    """In microseconds at `PERCENTILES`: of the requests, and how late they were sent."""

    taken_us: NDArray[numpy.float64]
    late_us: NDArray[numpy.float64]
    waited_ms: float


def measure(
    contenders: Sequence[Contender], cores: Cores, keys: int, duration_s: float, rounds: int
) -> str:
    """The section of the report."""
    loop = compiled()
    lines = []
    with ExitStack() as stack:
        servers = {one.name: stack.enter_context(one.running(cores)) for one in contenders}
        for server in servers.values():
            with server.client(timeout_s=60) as client:
                fill(client, keys)
        reference = servers.get("Redis") or next(iter(servers.values()))
        per_second = SHARE * most(reference, keys)
        for what, requests in mixes(keys).items():
            for name, server in servers.items():
                print(f"  {name}: {what}", flush=True)
                found = [run(loop, server, requests, per_second, duration_s) for _ in range(rounds)]
                found.sort(key=lambda one: float(one.taken_us[2]))
                lines.append([what, name, *shown(found[len(found) // 2])])
    header = ["requests", "server", *(f"{label(p)} (µs)" for p in PERCENTILES)]
    header += ["sent late, 99.9 % (µs)", "waited for a core (ms)"]
    return f"""
## Latencies at half load

{per_second:,.0f} requests per second, {SHARE:.0%} of what redis-benchmark gets out of Redis over
{CONNECTIONS} connections without pipelining; {keys:,} keys. Requests come at random moments,
whether or not the server keeps up, and a latency counts from the moment a request was due. Shown is
the round whose 99.9th percentile is the median of {rounds}, each of {duration_s:g} seconds. "Sent
late" is the generator's own delay, which is part of the latencies; so is the time for which other
processes had the core of either.

{table(header, lines)}"""


def label(percentile: float) -> str:
    """What a percentile is called in the table."""
    return "longest" if percentile == 100 else f"{percentile:g} %"


def shown(one: Latencies) -> list[str]:
    """The cells of a line."""
    taken = [f"{value:,.0f}" for value in one.taken_us]
    return [*taken, f"{one.late_us[2]:,.0f}", f"{one.waited_ms:,.1f}"]


def mixes(keys: int) -> dict[str, list[tuple[bytes, bytes]]]:
    """Requests with their replies, by name."""
    chance = numpy.random.default_rng(SEED)
    names = [b"key:%012d" % number for number in chance.integers(0, keys, CHOICES)]
    value = value_32(1)
    gets = [(encode("GET", one), encode(value).removeprefix(b"*1\r\n")) for one in names]
    sets = [(encode("SET", one, value), b"+OK\r\n") for one in names]
    mixed = [sets[at] if at % 5 == 0 else gets[at] for at in range(CHOICES)]
    return {"GET": gets, "SET": sets, "80 % GET, 20 % SET": mixed}


def most(server: ServerProcess, keys: int) -> float:
    """How many GETs per second a server answers at the most."""
    found = [benchmark(server, ("-t", "get"), 100_000, 1, keys)[0] for _ in range(3)]
    return max(found)


def run(
    loop: ModuleType,
    server: ServerProcess,
    requests: list[tuple[bytes, bytes]],
    per_second: float,
    duration_s: float,
) -> Latencies:
    """One round, after a short one that is not counted."""
    with connections(server) as fds:
        load = loop.Load(fds, requests)
        load.run(per_second, duration_s / 10, SEED)
        before_ms = waited_ms(server)
        taken, late = load.run(per_second, duration_s, SEED + 1)
        waited = waited_ms(server) - before_ms
    taken_us, late_us = (numpy.percentile(found, PERCENTILES) for found in (taken, late))
    return Latencies(taken_us, late_us, waited)


@contextmanager
def connections(server: ServerProcess) -> Iterator[list[int]]:
    """So many open connections, as descriptors."""
    with ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(CONNECTIONS)]
        yield [client.transport.socket.fileno() for client in clients]  # type: ignore[attr-defined]


def waited_ms(server: ServerProcess) -> float:
    """For how long server and generator have waited for a core so far."""
    total_ns = 0
    for pid in (server.pid, os.getpid()):
        with open(f"/proc/{pid}/schedstat") as file:
            total_ns += int(file.read().split()[1])
    return total_ns / 1e6


def compiled() -> ModuleType:
    """`open_loop`, compiled into a temporary folder."""
    # Not a module that mypy knows.
    pyximport = importlib.import_module("pyximport")
    with tempfile.TemporaryDirectory(prefix="balas-bench-") as folder:
        pyximport.install(build_dir=folder, language_level=3)
        return importlib.import_module("bench.open_loop")
