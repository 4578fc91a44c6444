"""The Bloom family: server CPU per request against RedisBloom.

The load is a loop here, as for documents: so many requests are written at once, then their replies
are read.
"""

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

SERVERS: dict[str, Callable[..., ServerProcess]] = {
    "Redis": partial(RealRedis, modules=["bloom"]),
    "Balas": BalasProcess,
}
# What is made before the tests.
PREPARED = (
    ("BF.RESERVE", "bf", "0.01", "1000000"),
    ("CF.RESERVE", "cf", "4000000"),
    ("CMS.INITBYPROB", "cms", "0.001", "0.01"),
    ("TOPK.RESERVE", "topk", "50", "2000", "7", "0.925"),
    ("TDIGEST.CREATE", "td"),
)


@dataclass(frozen=True)
class Workload:
    """One test: a command's first words, how many items follow, and how they are drawn."""

    words: tuple[str, ...]
    items: int
    draw: Callable[[Random], tuple[str, ...]]
    pipeline: int
    requests: int

    @property
    def name(self) -> str:
        """The command, with the number of items if it takes many."""
        return self.words[0] + (f" of {self.items}" if self.items > 1 else "")

    def batches(self, seed: int) -> list[bytes]:
        """What is sent: the same for every server in a round."""
        chance = Random(seed)
        requests = [
            encode(*self.words, *(word for _ in range(self.items) for word in self.draw(chance)))
            for _ in range(self.requests)
        ]
        step = self.pipeline
        return [b"".join(requests[i : i + step]) for i in range(0, len(requests), step)]


def item(chance: Random) -> tuple[str, ...]:
    return (f"item:{chance.randrange(1_000_000):08d}",)


def counted(chance: Random) -> tuple[str, ...]:
    return (*item(chance), "1")


def popular(chance: Random) -> tuple[str, ...]:
    """Items of which a few come very often."""
    return (f"item:{int(chance.paretovariate(0.7)) % 1_000_000:08d}",)


def value(chance: Random) -> tuple[str, ...]:
    return (f"{chance.gauss(100, 15):.4f}",)


def workloads(scale: float) -> list[Workload]:
    """All tests; `scale` of the usual number of requests."""
    rows: list[tuple[tuple[str, ...], int, Callable[[Random], tuple[str, ...]], int, int]] = [
        (("BF.ADD", "bf"), 1, item, 16, 60_000),
        (("BF.EXISTS", "bf"), 1, item, 16, 60_000),
        (("BF.MADD", "bf"), 100, item, 1, 3000),
        (("BF.MEXISTS", "bf"), 100, item, 1, 3000),
        (("CF.ADD", "cf"), 1, item, 16, 60_000),
        (("CF.EXISTS", "cf"), 1, item, 16, 60_000),
        (("CMS.INCRBY", "cms"), 1, counted, 16, 60_000),
        (("CMS.INCRBY", "cms"), 100, counted, 1, 3000),
        (("CMS.QUERY", "cms"), 100, item, 1, 3000),
        (("TOPK.ADD", "topk"), 1, popular, 16, 60_000),
        (("TOPK.ADD", "topk"), 100, popular, 1, 3000),
        (("TDIGEST.ADD", "td"), 1, value, 16, 60_000),
        (("TDIGEST.ADD", "td"), 100, value, 1, 3000),
        (("TDIGEST.QUANTILE", "td", "0.5", "0.99"), 0, value, 16, 20_000),
    ]
    return [
        Workload(words, items, draw, pipeline, max(1, int(count * scale) // pipeline) * pipeline)
        for words, items, draw, pipeline, count in rows
    ]


def run_one(server: ServerProcess, client: Client, batches: list[bytes], pipeline: int) -> float:
    """Server CPU in microseconds per request."""
    began_s = server.cpu_s()
    for batch in batches:
        client.send_raw(batch)
        for _ in range(pipeline):
            reply = client.read()
            if isinstance(reply, Exception):
                raise reply
    return (server.cpu_s() - began_s) * 1e6 / (len(batches) * pipeline)


def measure(cores: Cores, names: Sequence[str], rounds: int, scale: float) -> str:
    """Run all on all servers, in turn; the section of the report."""
    lines = []
    with ExitStack() as stack:
        clients = {}
        for name in names:
            server = stack.enter_context(SERVERS[name](OPTIONS, pin_to_core=cores.server))
            clients[name] = server, stack.enter_context(server.client(timeout_s=60))
            for command in PREPARED:
                clients[name][1](*command)
        for workload in workloads(scale):
            found: dict[str, list[float]] = {name: [] for name in names}
            for number in range(rounds):
                batches = workload.batches(number)
                for name, (server, client) in clients.items():
                    found[name].append(run_one(server, client, batches, workload.pipeline))
            middle = [median(found[name]) for name in names]
            cells = [workload.name, str(workload.pipeline), *(f"{us:.2f}" for us in middle)]
            if len(names) == 2:
                ratio = middle[names.index("Balas")] / middle[names.index("Redis")]
                cells.append(f"**{ratio:.2f}**")
            lines.append(cells)
    header = ["test", "-P", *(f"{name}, CPU µs" for name in names)]
    header += ["ratio"] if len(names) == 2 else []
    return "\n## Bloom filters and sketches\n\n" + table(header, lines)
