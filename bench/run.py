"""Balas and a real Redis, measured in turn in one run; writes docs/benchmarks.md.

Every part has its section there, which a full measurement of that part alone writes anew.

python -m bench.run                     what every release is measured by, about 20 minutes
python -m bench.run --quick             a short look at the same; writes nothing
python -m bench.run --only throughput --tests SET,GET
python -m bench.run --only persistence,freeing
python -m bench.run --only clients,values,log,scripts,mixed,transactions,readers,latency,peer
python -m bench.run --only collector    pauses of Python's garbage collector, 10 M keys
python -m bench.run --only causes       the longest turn of the event loop for each cause
python -m bench.run --only far-growth   to ten million; writes docs/growth.svg, too
python -m bench.run --only json         documents against RedisJSON
python -m bench.run --only search       full-text queries against RediSearch
python -m bench.run --only vectors      nearest vectors, FLAT and HNSW, against RediSearch
python -m bench.run --only graph        openCypher queries against FalkorDB
python -m bench.run --only timeseries   samples in and out, against RedisTimeSeries if it loads
python -m bench.run --only monitoring   86.4 million samples of 1,000 hosts, and what dashboards ask
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import (
    causes,
    collector,
    conditions,
    datasets,
    document,
    freeing,
    growth,
    latency,
    loops,
    memory,
    modules_bloom,
    modules_graph,
    modules_json,
    modules_search,
    modules_timeseries,
    modules_vectors,
    monitoring,
    pauses,
    peer,
    persistence,
    report,
    startup,
    throughput,
)
from bench.contenders import CONTENDERS, Contender, Cores, info

# What is measured unless parts are named; all parts would take hours.
PARTS = ("throughput", "memory", "persistence", "pauses", "freeing", "startup", "growth")
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few requests; writes nothing")
    parser.add_argument("--servers", default="redis,balas", help="default: %(default)s")
    parser.add_argument(
        "--only",
        default=",".join(PARTS),
        help="parts, of " + ",".join(SECTIONS) + "; default: %(default)s",
    )
    parser.add_argument("--tests", help="names of tests, of " + ", ".join(names_of_tests()))
    parser.add_argument("--rounds", type=int, help="rounds of the throughput tests")
    parser.add_argument("--output", type=Path, help=f"default: sections of docs/{DOCUMENT.name}")
    return parser.parse_args(argv)


def names_of_tests() -> list[str]:
    """The workloads' names up to their first blank."""
    return [workload.name.split()[0] for workload in throughput.WORKLOADS]


def main(argv: Sequence[str]) -> int:
    """Run what was asked for and print, and perhaps write, the report."""
    options = arguments(argv)
    if shutil.which("redis-benchmark") is None:
        print("redis-benchmark is missing: install redis-tools", file=sys.stderr)
        return 1
    contenders = [CONTENDERS[name] for name in options.servers.split(",")]
    cores = Cores.choose()
    cores.pin_clients()
    parts = options.only.split(",")
    found = versions(contenders, cores)
    heading = report.heading()
    texts = {}
    for part in parts:
        print(f"{part}:", flush=True)
        text = SECTIONS[part](contenders, cores, options) + report.measured(found)
        print(text, flush=True)
        # The way to ten million takes the place of the shorter one.
        texts[part.removeprefix("far-")] = text
    complete = not (options.quick or options.tests) and len(contenders) == 2
    if options.output:
        options.output.write_text(document.compose(heading, texts, tuple(texts)))
    elif complete:
        document.update(DOCUMENT, heading, texts, tuple(SECTIONS))
    return 0


def versions(contenders: Sequence[Contender], cores: Cores) -> dict[str, str]:
    """What each server says it is."""
    found = {}
    for one in contenders:
        with one.running(cores) as server, server.client() as client:
            fields = info(client, "server")
            found[one.name] = fields.get("balas_version", fields["redis_version"])
    return found


def throughput_part(
    contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    load = load_of(options)
    wanted = (options.tests or ",".join(names_of_tests())).split(",")
    workloads = [w for w in throughput.WORKLOADS if w.name.split()[0] in wanted]
    rows = throughput.measure(contenders, cores, load, workloads)
    return report.throughput(rows, load.keys, load.rounds)


def load_of(options: argparse.Namespace) -> throughput.Load:
    """How much redis-benchmark is to do."""
    load = throughput.QUICK if options.quick else throughput.FULL
    return replace(load, rounds=options.rounds or load.rounds)


def conditions_part(
    name: str, contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    load = load_of(options)
    load = replace(load, rounds=min(load.rounds, 3))
    return conditions.measure(name, contenders, cores, load)


def loop_size(options: argparse.Namespace) -> tuple[int, int, int]:
    """Keys, requests and rounds of the loads from Python."""
    return (50_000, 50_000, 1) if options.quick else (1_000_000, 1_000_000, options.rounds or 3)


def mixed_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    title = "A mix with favourite keys"
    return loops.measure(title, loops.MIXED, contenders, cores, loop_size(options))


def transactions_part(
    contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    title = "Transactions"
    return loops.measure(title, loops.TRANSACTIONS, contenders, cores, loop_size(options))


def readers_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    messages, rounds = (500, 1) if options.quick else (10_000, options.rounds or 3)
    return loops.readers(contenders, cores, messages, rounds)


def latency_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    if options.quick:
        return latency.measure(contenders, cores, 20_000, 0.5, 1)
    return latency.measure(contenders, cores, 1_000_000, 10.0, options.rounds or 5)


def peer_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    requests, rounds = (1_000, 1) if options.quick else (60_000, options.rounds or 3)
    return peer.measure(contenders, cores, requests, rounds)


def collector_part(
    contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    return collector.measure(cores, 0.005 if options.quick else 1.0)


def causes_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    return causes.measure(cores, 0.01 if options.quick else 1.0)


def memory_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    keys, rounds = (50_000, 1) if options.quick else (1_000_000, 3)
    memories, snapshots = memory.measure(contenders, cores, keys, rounds)
    text = report.memory(memories, keys) + report.snapshot(snapshots, keys)
    scale = 0.05 if options.quick else 1.0
    return text + report.datasets(datasets.measure(contenders, cores, scale, 1))


def pauses_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    inserted, expiring = (200_000, 50_000) if options.quick else (5_000_000, 1_000_000)
    return report.pauses(pauses.measure(contenders, cores, inserted, expiring))


def persistence_part(
    contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    scale, rounds = (0.02, 1) if options.quick else (1.0, options.rounds or 1)
    return persistence.measure(contenders, cores, scale, rounds)


def freeing_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    return report.freeing(freeing.measure(contenders, cores, 0.02 if options.quick else 1.0))


def startup_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    return report.startup(startup.measure(contenders, cores, 1 if options.quick else 7))


def json_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    rounds, scale = (1, 0.1) if options.quick else (options.rounds or 3, 1.0)
    return modules_json.measure(cores, [one.name for one in contenders], rounds, scale)


def bloom_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    rounds, scale = (1, 0.1) if options.quick else (options.rounds or 3, 1.0)
    return modules_bloom.measure(cores, [one.name for one in contenders], rounds, scale)


def search_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    rounds, scale = (1, 0.5) if options.quick else (options.rounds or 3, 1.0)
    return modules_search.measure(cores, [one.name for one in contenders], rounds, scale)


def vectors_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    rounds = 1 if options.quick else options.rounds or 3
    sizes = (5_000, 5_000) if options.quick else (modules_vectors.VECTORS, modules_vectors.VECTORS)
    return modules_vectors.measure(cores, [one.name for one in contenders], rounds, sizes)


def timeseries_part(
    contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    rounds, scale = (1, 0.1) if options.quick else (options.rounds or 3, 1.0)
    return modules_timeseries.measure(cores, [one.name for one in contenders], rounds, scale)


def monitoring_part(
    contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    return monitoring.measure(cores, 0.02 if options.quick else 1.0)


def growth_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    if options.quick:
        return growth.measure(contenders, cores, (100, 1000), 500)
    return growth.measure(contenders, cores, growth.SIZES[:-1], 50_000)


def far_growth_part(
    contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace
) -> str:
    if options.quick:
        return growth.measure(contenders, cores, (100, 1000), 500)
    return growth.measure(contenders, cores, growth.SIZES, 50_000, plot=True)


def graph_part(contenders: Sequence[Contender], cores: Cores, options: argparse.Namespace) -> str:
    rounds, scale = (1, 0.1) if options.quick else (options.rounds or 3, 1.0)
    return modules_graph.measure(cores, [one.name for one in contenders], rounds, scale)


Part = Callable[[Sequence[Contender], Cores, argparse.Namespace], str]

SECTIONS: dict[str, Part] = {
    "throughput": throughput_part,
    "memory": memory_part,
    "persistence": persistence_part,
    "pauses": pauses_part,
    "freeing": freeing_part,
    "startup": startup_part,
    "growth": growth_part,
    "far-growth": far_growth_part,
    **{name: partial(conditions_part, name) for name in conditions.CONDITIONS},
    "mixed": mixed_part,
    "transactions": transactions_part,
    "readers": readers_part,
    "latency": latency_part,
    "peer": peer_part,
    "collector": collector_part,
    "causes": causes_part,
    "json": json_part,
    "bloom": bloom_part,
    "search": search_part,
    "vectors": vectors_part,
    "graph": graph_part,
    "timeseries": timeseries_part,
    "monitoring": monitoring_part,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
