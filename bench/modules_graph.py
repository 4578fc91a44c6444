"""Graphs: server CPU per request against FalkorDB, the cost of loading, and memory.

The graph is R-MAT with a fixed seed: 100,000 nodes and a million edges, some nodes with thousands
of neighbours. FalkorDB works with two threads, of which one answers; all its CPU is counted.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from statistics import median

import numpy as np

from balas.testing import BalasProcess, Client, RealRedis, ServerProcess
from bench.contenders import OPTIONS, Cores
from bench.report import table

SERVERS: dict[str, Callable[..., ServerProcess]] = {
    "Redis": partial(RealRedis, modules=["graph"]),
    "Balas": BalasProcess,
}
# Loading in batches, as clients do.
BATCH = 5000
NODES, EDGES = 100_000, 1_000_000
CITIES = 50


@dataclass(frozen=True)
class Workload:
    """One test: a query with `{}` for the parameter, and how often it is sent."""

    name: str
    query: str
    requests: int
    command: str = "GRAPH.RO_QUERY"

    def texts(self, nodes: int) -> Iterator[str]:
        """The queries, each with a node by chance."""
        chance = Random(7)
        for _ in range(self.requests):
            yield f"CYPHER id={chance.randrange(nodes)} {self.query}"


def workloads(scale: float) -> list[Workload]:
    """What is measured."""
    walk = "MATCH (a:Person {{id: $id}}){} RETURN count({})"
    hop = "-[:KNOWS]->"
    rows = [
        ("point lookup by an index", "MATCH (a:Person {id: $id}) RETURN a.name, a.age", 2000),
        ("1 hop, count", walk.format(f"{hop}(b)", "b"), 2000),
        ("2 hops, count", walk.format(f"{hop}(){hop}(b)", "DISTINCT b"), 500),
        ("3 hops, count", walk.format(f"{hop}(){hop}(){hop}(b)", "DISTINCT b"), 50),
        ("1 to 3 hops, count", walk.format("-[:KNOWS*1..3]->(b)", "DISTINCT b"), 50),
        (
            "pattern, filter, aggregation",
            f"MATCH (a:Person {{id: $id}}){hop}(b){hop}(c:Person) WHERE c.age > 40 "
            "RETURN c.city AS city, count(*) AS n, avg(c.age) ORDER BY n DESC, city",
            200,
        ),
        (
            "aggregation over a label",
            "MATCH (a:Person) WHERE a.age > 40 RETURN a.city AS city, count(*), max(a.age) "
            "ORDER BY city",
            10,
        ),
        ("PageRank", "CALL algo.pageRank('Person', 'KNOWS') YIELD score RETURN max(score)", 3),
    ]
    found = [Workload(name, query, max(1, int(n * scale))) for name, query, n in rows]
    merge = "MERGE (a:Person {id: $id}) ON CREATE SET a.age = 1 ON MATCH SET a.seen = $id"
    found.append(Workload("MERGE by an index", merge, int(2000 * scale), "GRAPH.QUERY"))
    return found


def edges(nodes: int, count: int) -> list[tuple[int, int]]:
    """R-MAT: each edge falls into a quarter of the matrix, and there again into a quarter."""
    chance = np.random.default_rng(5)
    levels = max(1, (nodes - 1).bit_length())
    source = np.zeros(count, np.int64)
    target = np.zeros(count, np.int64)
    for _ in range(levels):
        quarter = np.searchsorted([0.45, 0.67, 0.89], chance.random(count))
        source = source * 2 + (quarter >> 1)
        target = target * 2 + (quarter & 1)
    # Ids are mixed, so that those of many edges do not stand side by side.
    mixed = chance.permutation(1 << levels) % nodes
    return list(zip(mixed[source].tolist(), mixed[target].tolist(), strict=True))


def loading(nodes: int, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The queries that build the graph."""
    yield "CREATE INDEX FOR (p:Person) ON (p.id)"
    chance = Random(3)
    for start in range(0, nodes, BATCH):
        rows = ",".join(
            f"[{i},'name {i}',{chance.randrange(18, 90)},'city {chance.randrange(CITIES)}']"
            for i in range(start, min(nodes, start + BATCH))
        )
        yield (
            f"CYPHER rows=[{rows}] UNWIND $rows AS r "
            "CREATE (:Person {id: r[0], name: r[1], age: r[2], city: r[3]})"
        )
    for start in range(0, len(pairs), BATCH):
        rows = ",".join(f"[{a},{b}]" for a, b in pairs[start : start + BATCH])
        yield (
            f"CYPHER rows=[{rows}] UNWIND $rows AS r "
            "MATCH (a:Person {id: r[0]}), (b:Person {id: r[1]}) CREATE (a)-[:KNOWS]->(b)"
        )


def run_one(server: ServerProcess, client: Client, workload: Workload, nodes: int) -> float:
    """Server CPU in microseconds per request."""
    texts = list(workload.texts(nodes))
    client(workload.command, "g", texts[0])
    began_s = server.cpu_s()
    for text in texts:
        client(workload.command, "g", text)
    return (server.cpu_s() - began_s) * 1e6 / len(texts)


def load(server: ServerProcess, client: Client, texts: Sequence[str]) -> tuple[float, int]:
    """Build the graph: CPU in microseconds, and bytes of memory taken."""
    before = int(client("INFO", "memory").decode().split("used_memory_rss:")[1].split()[0])
    began_s = server.cpu_s()
    for text in texts:
        client("GRAPH.QUERY", "g", text)
    spent_us = (server.cpu_s() - began_s) * 1e6
    after = int(client("INFO", "memory").decode().split("used_memory_rss:")[1].split()[0])
    return spent_us, after - before


def measure(cores: Cores, names: Sequence[str], rounds: int, scale: float) -> str:
    """Run all on all servers, in turn; the section of the report."""
    nodes, count = max(100, int(NODES * scale)), max(1000, int(EDGES * scale))
    texts = list(loading(nodes, edges(nodes, count)))
    lines = []
    with ExitStack() as stack:
        clients = {}
        loads = {}
        for name in names:
            server = stack.enter_context(SERVERS[name](OPTIONS, pin_to_core=cores.server))
            client = stack.enter_context(server.client(timeout_s=600))
            clients[name] = server, client
            loads[name] = load(server, client, texts)
        lines.append(line("loading, ms", [loads[name][0] / 1000 for name in names], names))
        lines.append(line("memory, MB", [loads[name][1] / 2**20 for name in names], names))
        for workload in workloads(scale):
            found: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(rounds):
                for name, (server, client) in clients.items():
                    found[name].append(run_one(server, client, workload, nodes))
            lines.append(line(workload.name, [median(found[name]) for name in names], names))
    header = ["test", *(f"{name}, CPU µs" for name in names)]
    header += ["ratio"] if len(names) == 2 else []
    title = f"\n## Graphs\n\n{nodes} nodes, {count} edges.\n\n"
    return title + table(header, lines)


def line(name: str, figures: Sequence[float], names: Sequence[str]) -> list[str]:
    """A line of the table, with the ratio if there are two servers."""
    cells = [name, *(f"{figure:.1f}" for figure in figures)]
    if len(names) == 2:
        cells.append(f"**{figures[names.index('Balas')] / figures[names.index('Redis')]:.2f}**")
    return cells
