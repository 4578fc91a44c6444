"""JSON documents: server CPU per request against RedisJSON, and memory against the text.

The load is a loop here, for redis-benchmark cannot send documents: it writes so many requests at
once and reads their replies.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from statistics import median

from balas.testing import BalasProcess, Client, RealRedis, ServerProcess
from balas.testing.wire import encode
from bench.contenders import OPTIONS, Cores
from bench.report import table

DOCUMENTS = 1000
SERVERS: dict[str, Callable[..., ServerProcess]] = {
    "Redis": partial(RealRedis, modules=["json"]),
    "Balas": BalasProcess,
}


@dataclass(frozen=True)
class Workload:
    """One test: a request for each number, how many at a time, and how many in all."""

    name: str
    argv: tuple[str, ...]
    pipeline: int
    requests: int

    def batches(self) -> list[bytes]:
        """What is sent; `{}` in an argument is the number of a document."""
        requests = [
            encode(*(word.replace("{}", str(number % DOCUMENTS)) for word in self.argv))
            for number in range(self.requests)
        ]
        step = self.pipeline
        return [b"".join(requests[i : i + step]) for i in range(0, len(requests), step)]


def catalogue(size_bytes: int) -> str:
    """A document of about this size: records as a shop would keep them."""
    chance = Random(size_bytes)
    items: list[dict[str, object]] = []
    whole = {"id": 1, "items": items, "meta": {"name": "all", "very": {"deep": {"value": 42}}}}
    text = ""
    while len(text) < size_bytes:
        items.append(
            {
                "sku": f"SKU-{chance.randrange(10**6)}",
                "name": " ".join(chance.choices(["red", "green", "bolt", "washer"], k=4)),
                "price": round(chance.uniform(1, 1000), 2),
                "stock": chance.randrange(1000),
                "active": chance.random() < 0.5,
                "dimensions": [chance.randrange(100) for _ in range(3)],
                "location": {"lat": round(chance.uniform(-90, 90), 6)},
            }
        )
        text = json.dumps(whole, separators=(",", ":"))
    return text


def workloads(small: str, large: str, scale: float) -> list[Workload]:
    """All tests; `scale` of the usual number of requests."""
    hundred = tuple(f"doc:{number}" for number in range(100))
    rows = [
        ("JSON.SET, 1 KB", ("JSON.SET", "doc:{}", "$", small), 16, 30_000),
        ("JSON.SET, 100 KB", ("JSON.SET", "large", "$", large), 1, 600),
        ("JSON.SET of a member", ("JSON.SET", "doc:{}", "$.meta.name", '"other"'), 16, 60_000),
        ("JSON.GET, 1 KB", ("JSON.GET", "doc:{}"), 16, 30_000),
        ("JSON.GET, 100 KB", ("JSON.GET", "large"), 1, 1500),
        ("JSON.GET of a deep path", ("JSON.GET", "doc:{}", "$.meta.very.deep.value"), 16, 90_000),
        ("JSON.NUMINCRBY", ("JSON.NUMINCRBY", "doc:{}", "$.id", "1"), 16, 60_000),
        ("JSON.ARRAPPEND", ("JSON.ARRAPPEND", "list", "$", "1"), 16, 60_000),
        ("JSON.MGET of 100", ("JSON.MGET", *hundred, "$.id"), 1, 1500),
        ("JSON.GET by a filter", ("JSON.GET", "large", "$.items[?(@.price>500)].sku"), 1, 400),
    ]
    return [Workload(n, argv, p, max(1, int(count * scale) // p) * p) for n, argv, p, count in rows]


def run_one(server: ServerProcess, client: Client, batches: list[bytes], pipeline: int) -> float:
    """Server CPU in microseconds per request."""
    began_s = server.cpu_s()
    for batch in batches:
        client.send_raw(batch)
        for _ in range(pipeline):
            client.read()
    return (server.cpu_s() - began_s) * 1e6 / (len(batches) * pipeline)


def measure(cores: Cores, names: Sequence[str], rounds: int, scale: float) -> str:
    """Run all on all servers, in turn; the section of the report."""
    small, large = catalogue(1000), catalogue(100_000)
    lines = []
    with ExitStack() as stack:
        clients = {}
        for name in names:
            server = stack.enter_context(SERVERS[name](OPTIONS, pin_to_core=cores.server))
            clients[name] = server, stack.enter_context(server.client(timeout_s=60))
            clients[name][1]("JSON.SET", "list", "$", "[]")
        for workload in workloads(small, large, scale):
            batches = workload.batches()
            found: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(rounds):
                for name, (server, client) in clients.items():
                    found[name].append(run_one(server, client, batches, workload.pipeline))
            middle = [median(found[name]) for name in names]
            cells = [workload.name, str(workload.pipeline), *(f"{us:.2f}" for us in middle)]
            if len(names) == 2:
                cells.append(
                    f"**{middle[names.index('Balas')] / middle[names.index('Redis')]:.2f}**"
                )
            lines.append(cells)
        sizes = [
            [
                f"memory, {label}",
                "",
                *(f"{one('MEMORY', 'USAGE', key)}" for _, one in clients.values()),
            ]
            for label, key in ((f"{len(small)} bytes", "doc:1"), (f"{len(large)} bytes", "large"))
        ]
    header = ["test", "-P", *(f"{name}, CPU µs" for name in names)]
    header += ["ratio"] if len(names) == 2 else []
    lines += [size + [""] * (len(header) - len(size)) for size in sizes]
    return "\n## JSON documents\n\n" + table(header, lines)
