"""Time series: server CPU and memory on what a monitoring system keeps and asks.

The samples are those of hosts with ten metrics each, one every ten seconds: counters that grow by
about the same, gauges of few digits, levels that rarely change, and one noise of all digits. They
come from a seed. RedisTimeSeries is measured too where it can be loaded: it needs OpenSSL 1.1.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from statistics import median

from balas.testing import (
    BalasProcess,
    Client,
    NotInstalled,
    RealRedis,
    ServerProcess,
    StartupError,
)
from balas.testing.wire import encode
from bench.contenders import OPTIONS, Cores
from bench.report import table

BEGIN_MS = 1_700_000_000_000
STEP_MS = 10_000
DAY = 8640
LONG = 200_000
GROUPED = 25
# Series of one metric, with few samples each; and those that samples are added to one by one.
MANY = 1000
MANY_SAMPLES = 360
WIDE = 10_000
METRICS = (
    ("cpu_user", 1),
    ("cpu_system", 1),
    ("load", 2),
    ("memory_used", 0),
    ("disk_used", 0),
    ("network_in", 0),
    ("network_out", 0),
    ("requests", 0),
    ("temperature", 1),
    ("latency_ms", 3),
)
COUNTERS = frozenset({"network_in", "network_out", "requests"})
LEVELS = frozenset({"memory_used", "disk_used"})
SERVERS: dict[str, Callable[..., ServerProcess]] = {
    "Redis": partial(RealRedis, modules=["timeseries"]),
    "Balas": BalasProcess,
}


def values_of(metric: str, decimals: int, chance: Random) -> Iterator[str]:
    """The values of one metric of one host, as text, without an end."""
    level = chance.uniform(20, 60) if decimals else chance.uniform(1e6, 1e9)
    rate = chance.uniform(100, 50_000)
    while True:
        if metric in COUNTERS:
            level += max(0.0, chance.gauss(rate, rate / 20))
        elif metric in LEVELS:
            level += 4096 * int(chance.gauss(0, 40)) if chance.random() < 0.2 else 0
        elif metric == "latency_ms":
            yield f"{chance.lognormvariate(3, 0.3):.{decimals}f}"
            continue
        else:
            level = min(100.0, max(0.0, level + chance.gauss(0, 0.8)))
        yield f"{level:.{decimals}f}"


def key_of(host: int, metric: str) -> str:
    """The key of a series."""
    return f"host:{host}:{metric}"


def fill(client: Client, hosts: int, samples: int, seed: int) -> int:
    """Make the series of some hosts and fill them; how many samples there are."""
    sources = {}
    for host in range(hosts):
        for metric, decimals in METRICS:
            labels = ("LABELS", "host", f"h{host}", "metric", metric, "region", f"r{host % 5}")
            client("TS.CREATE", key_of(host, metric), *labels)
            chance = Random(f"{seed} {host} {metric}")
            sources[key_of(host, metric)] = values_of(metric, decimals, chance)
    for place in range(samples):
        at = BEGIN_MS + place * STEP_MS
        words = [word for key, values in sources.items() for word in (key, at, next(values))]
        for first in range(0, len(words), 3000):
            client("TS.MADD", *words[first : first + 3000])
    return hosts * len(METRICS) * samples


@dataclass(frozen=True)
class Workload:
    """One test: the requests of a round, to be sent `pipeline` at a time, and what each counts."""

    name: str
    requests: Callable[[int], Sequence[bytes]]
    pipeline: int
    samples: int = 1


def adds(turn: int, prefix: str, series: int, count: int) -> Sequence[bytes]:
    """TS.ADD of samples newer than those of the turns before, to series in turn."""
    chance = Random(5 + turn)
    first = BEGIN_MS + turn * count
    return [
        encode("TS.ADD", f"{prefix}:{n % series}", first + n, chance.randrange(1000) / 10)
        for n in range(count)
    ]


def many_adds(turn: int, count: int) -> Sequence[bytes]:
    """TS.MADD of a sample to each of 100 series."""
    made = []
    for place in range(turn * count, (turn + 1) * count):
        at = BEGIN_MS + place * STEP_MS
        words = (word for n in range(100) for word in (f"madd:{n}", at, f"{50 + n / 10:.1f}"))
        made.append(encode("TS.MADD", *words))
    return made


def hashes(turn: int, series: int, count: int) -> Sequence[bytes]:
    """HSET of as many keys, to compare with."""
    return [encode("HSET", f"hash:{n % series}", "field", n) for n in range(count)]


def additions(scale: float) -> list[Workload]:
    """What adds samples: new ones in each turn, but for the test that overwrites some."""
    count, single = max(1, int(300 * scale)) * 100, max(1, int(50 * scale)) * 100
    few = partial(adds, prefix="add", series=100, count=count)
    wide = partial(adds, prefix="w", series=WIDE, count=count)
    alone = partial(adds, prefix="v", series=WIDE, count=single)
    one_by_one = partial(hashes, series=WIDE, count=single)
    return [
        Workload("HSET, for comparison", partial(hashes, series=100, count=count), 100),
        Workload("TS.ADD", few, 100),
        Workload(
            f"HSET of {WIDE} keys, 16 at a time", partial(hashes, series=WIDE, count=count), 16
        ),
        Workload(f"TS.ADD to {WIDE} series, 16 at a time", wide, 16),
        Workload(f"HSET of {WIDE} keys, one at a time", one_by_one, 1),
        Workload(f"TS.ADD to {WIDE} series, one at a time", alone, 1),
        Workload("TS.ADD, overwriting a sample", lambda turn: few(0)[: max(100, count // 10)], 100),
        Workload(
            "TS.MADD of 100, a sample",
            partial(many_adds, count=max(1, int(2000 * scale))),
            4,
            100,
        ),
    ]


def questions(scale: float) -> list[Workload]:
    """What asks for samples."""
    hour = 3_600_000
    end = BEGIN_MS + (MANY_SAMPLES - 1) * STEP_MS
    of_long = ("TS.RANGE", "long", "-", "+", "AGGREGATION")
    grouped = ("TS.MRANGE", "-", "+", "AGGREGATION", "avg", hour, "FILTER", "set=grouped")
    by_label = ("FILTER", "metric=cpu_user", "GROUPBY", "region", "REDUCE", "max")
    recent = ("TS.MRANGE", end - 300_000, end, "AGGREGATION", "avg", 60_000)

    def asked(name: str, times: int, *words: object) -> Workload:
        requests = [encode(*words)] * max(1, int(times * scale))
        return Workload(name, lambda turn: requests, 1)

    gets = [encode("TS.GET", "long")] * max(1, int(200 * scale)) * 100
    return [
        *(
            asked(f"TS.RANGE {kind} by hour, {LONG} samples", 20, *of_long, kind, hour)
            for kind in ("avg", "max", "twa")
        ),
        asked(
            f"TS.MRANGE GROUPBY, {LONG} samples", 20, *grouped, "GROUPBY", "region", "REDUCE", "sum"
        ),
        asked(
            "TS.MRANGE GROUPBY, the last hour",
            100,
            *("TS.MRANGE", BEGIN_MS, BEGIN_MS + hour, *by_label),
        ),
        asked(
            f"TS.MRANGE of {MANY} series, the last 5 minutes by minute",
            20,
            *(*recent, "FILTER", "set=many"),
        ),
        asked(f"TS.MGET of {MANY} series", 50, "TS.MGET", "WITHLABELS", "FILTER", "set=many"),
        asked(f"TS.QUERYINDEX of {MANY} series", 100, "TS.QUERYINDEX", "set=many"),
        Workload("TS.GET", lambda turn: gets, 100),
    ]


def workloads(scale: float) -> list[Workload]:
    """All tests; `scale` of the usual number of requests."""
    return [*additions(scale), *questions(scale)]


def prepare(client: Client, scale: float) -> float:
    """Make what the tests need; the bytes that a sample of a day of a monitoring system takes."""
    hosts = max(1, int(10 * scale))
    total = fill(client, hosts, DAY, 1)
    names = [key_of(host, metric) for host in range(hosts) for metric, _ in METRICS]
    taken = sum(client("MEMORY", "USAGE", name, "SAMPLES", 0) for name in names)
    for one in range(100):
        client("TS.CREATE", f"madd:{one}", "DUPLICATE_POLICY", "LAST")
        client("TS.CREATE", f"add:{one}", "DUPLICATE_POLICY", "LAST")
    for one in range(WIDE):
        client("HSET", f"hash:{one}", "field", "0")
        client("TS.CREATE", f"w:{one}")
        client("TS.CREATE", f"v:{one}")
    chance = Random(2)
    for one in range(MANY):
        client("TS.CREATE", f"m:{one}", "LABELS", "set", "many", "host", f"h{one}")
        put_many(client, f"m:{one}", MANY_SAMPLES, values_of("load", 2, chance))
    values = values_of("temperature", 1, chance)
    put_many(client, "long", LONG, values)
    for one in range(GROUPED):
        client("TS.CREATE", f"g:{one}", "LABELS", "set", "grouped", "region", f"r{one % 5}")
        put_many(client, f"g:{one}", LONG // GROUPED, values_of("load", 2, chance))
    # The first query by labels looks for series among all keys.
    client("TS.QUERYINDEX", "set=many")
    return float(taken) / total


def put_many(client: Client, key: str, count: int, values: Iterator[str]) -> None:
    """Fill one series with so many samples."""
    if not client("EXISTS", key):
        client("TS.CREATE", key)
    for first in range(0, count, 1000):
        words = [
            word
            for place in range(first, min(first + 1000, count))
            for word in (key, BEGIN_MS + place * STEP_MS, next(values))
        ]
        client("TS.MADD", *words)


def run_one(server: ServerProcess, client: Client, workload: Workload, turn: int) -> float:
    """Server CPU in microseconds per request, or per sample that a request adds."""
    step, requests = workload.pipeline, workload.requests(turn)
    began_s = server.cpu_s()
    for first in range(0, len(requests), step):
        batch = requests[first : first + step]
        client.send_raw(b"".join(batch))
        for _ in batch:
            client.read()
    return (server.cpu_s() - began_s) * 1e6 / (len(requests) * workload.samples)


def loadable(name: str) -> bool:
    """Whether this server, with its module, starts here: the original one needs OpenSSL 1.1."""
    if name == "Balas":
        return True
    try:
        with SERVERS[name](OPTIONS) as server, server.client() as client:
            client("TS.CREATE", "k")
    except (NotInstalled, StartupError) as error:
        print(f"timeseries: {name} is left out: {error.args[0]}", flush=True)
        return False
    return True


def measure(cores: Cores, names: Sequence[str], rounds: int, scale: float) -> str:
    """Run all on all servers, in turn; the section of the report."""
    names = [name for name in names if loadable(name)]
    lines = []
    with ExitStack() as stack:
        clients = {}
        bytes_per_sample = {}
        for name in names:
            server = stack.enter_context(SERVERS[name](OPTIONS, pin_to_core=cores.server))
            client = stack.enter_context(server.client(timeout_s=60))
            clients[name] = server, client
            bytes_per_sample[name] = prepare(client, scale)
        for workload in workloads(scale):
            found: dict[str, list[float]] = {name: [] for name in names}
            for turn in range(rounds):
                for name, (server, client) in clients.items():
                    found[name].append(run_one(server, client, workload, turn))
            middle = {name: median(found[name]) for name in names}
            lines.append(row(workload.name, middle, "{:.2f}"))
    lines.append(row("memory, bytes per sample", bytes_per_sample, "{:.2f}"))
    header = ["test", *(f"{name}, CPU µs" for name in names)]
    header += ["ratio"] if len(names) == 2 else []
    return "\n## Time series\n\n" + table(header, lines)


def row(name: str, figures: dict[str, float], form: str) -> list[str]:
    """A line of the table: the figure of each server, and the ratio of two."""
    cells = [name, *(form.format(figure) for figure in figures.values())]
    if len(figures) == 2:
        cells.append(f"**{figures['Balas'] / figures['Redis']:.2f}**")
    return cells
