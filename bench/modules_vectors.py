"""Vectors: server CPU per query and per HSET, recall and memory, against RediSearch.

The vectors are random and normal, without any structure, which is the hardest for a graph.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

import numpy as np
from numpy.typing import NDArray

from balas.testing import Client, ServerProcess
from balas.testing.wire import encode
from bench.contenders import OPTIONS, Cores
from bench.modules_search import SERVERS, run_one
from bench.report import table

VECTORS, DIMENSION, ASKED = 100_000, 128, 20
NEAREST = 10
# What the graph looks at in each server: as much as a recall of 0.95 takes.
BREADTHS = (100, 200, 400, 800, 1600)
RECALL_MIN = 0.95
BATCH = 500
SEED = 7
# Names and filters of a field of 0..99.
FILTERS = (
    ("", "*"),
    (", filter of 50 %", "@part:[0 49]"),
    (", filter of 10 %", "@part:[0 9]"),
    (", filter of 1 %", "@part:[0 0]"),
)


def rows_of(count: int, seed: int) -> NDArray[np.float32]:
    """So many vectors."""
    return np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)


def documents(rows: NDArray[np.float32]) -> list[bytes]:
    """The requests that store them, BATCH in each."""
    made = [
        encode("HSET", f"vec:{number}", "vector", row.tobytes(), "part", str(number * 37 % 100))
        for number, row in enumerate(rows)
    ]
    return [b"".join(made[i : i + BATCH]) for i in range(0, len(made), BATCH)]


def create(client: Client, algorithm: str) -> None:
    """Make the index `i`."""
    words = f"TYPE FLOAT32 DIM {DIMENSION} DISTANCE_METRIC L2".split(" ")
    head = ("FT.CREATE", "i", "SCHEMA", "vector", "VECTOR", algorithm, "6")
    client(*head, *words, "part", "NUMERIC")


def store(client: Client, batches: Sequence[bytes]) -> None:
    """Send the batches, each when the one before is answered."""
    for batch in batches:
        client.send_raw(batch)
        for _ in range(batch.count(b"HSET")):
            client.read()


def knn(query: str, vector: bytes, options: str = "") -> bytes:
    """A request for the ten nearest among what a query finds."""
    text = f"{query}=>[KNN {NEAREST} @vector $b {options}]"
    tail = ("PARAMS", "2", "b", vector, "SORTBY", "__vector_score", "NOCONTENT")
    return encode("FT.SEARCH", "i", text, *tail, "DIALECT", "2", "TIMEOUT", "0")


def expected(rows: NDArray[np.float32], asked: NDArray[np.float32], below: int) -> list[set[bytes]]:
    """The keys of the nearest to each vector asked for, of the documents with `part` below."""
    allowed = np.flatnonzero(np.arange(len(rows)) * 37 % 100 < below)
    found = []
    for vector in asked:
        apart = ((rows[allowed] - vector) ** 2).sum(axis=1)
        nearest = allowed[np.argpartition(apart, NEAREST)[:NEAREST]]
        found.append({b"vec:%d" % number for number in nearest.tolist()})
    return found


def recall(
    client: Client,
    query: str,
    options: str,
    asked: NDArray[np.float32],
    wanted: Sequence[set[bytes]],
) -> float:
    """Which share of the nearest a server finds."""
    hits = 0
    for vector, keys in zip(asked, wanted, strict=True):
        client.send_raw(knn(query, vector.tobytes(), options))
        hits += len(keys & set(client.read()[1:]))
    return hits / (NEAREST * len(asked))


class Measured:
    """The servers of one algorithm, filled: what that cost, and what queries do."""

    def __init__(self, algorithm: str, rows: NDArray[np.float32], rounds: int) -> None:
        self.algorithm, self.rows, self.rounds = algorithm, rows, rounds
        self.asked = rows_of(ASKED, SEED + 1)
        self.servers: dict[str, tuple[ServerProcess, Client]] = {}
        self.stored: list[list[str]] = []

    def fill(self, stack: ExitStack, name: str, cores: Cores) -> None:
        """Start a server, and store the vectors; without an index first, for the difference."""
        batches = documents(self.rows)
        plain_us, plain_bytes = self._fill(stack, name, cores, batches, indexed=False)
        indexed_us, indexed_bytes = self._fill(stack, name, cores, batches, indexed=True)
        grown = f"{(indexed_bytes - plain_bytes) / 2**20:.0f}"
        cells = [self.algorithm, name, f"{plain_us:.1f}", f"{indexed_us:.1f}", grown]
        self.stored.append(cells)

    def _fill(
        self, stack: ExitStack, name: str, cores: Cores, batches: Sequence[bytes], *, indexed: bool
    ) -> tuple[float, int]:
        with ExitStack() as own:
            keep = stack if indexed else own
            server = keep.enter_context(SERVERS[name](OPTIONS, pin_to_core=cores.server))
            client = keep.enter_context(server.client(timeout_s=600))
            if indexed:
                create(client, self.algorithm)
                self.servers[name] = server, client
            before_s, before_bytes = server.cpu_s(), server.rss_bytes()
            store(client, batches)
            spent_us = (server.cpu_s() - before_s) * 1e6 / len(self.rows)
            return spent_us, server.rss_bytes() - before_bytes

    def query(self, what: str, query: str) -> list[str]:
        """The line of one query: CPU and recall of each server."""
        below = 100 if query == "*" else int(query.rstrip("]").split(" ")[1]) + 1
        wanted = expected(self.rows, self.asked, below)
        spent: dict[str, list[float]] = {name: [] for name in self.servers}
        options: dict[str, str] = {}
        shares: dict[str, float] = {}
        for name, (_, client) in self.servers.items():
            options[name], shares[name] = self._enough(client, query, wanted)
        for _ in range(self.rounds):
            for name, (server, client) in self.servers.items():
                request = knn(query, self.asked[0].tobytes(), options[name])
                spent[name].append(run_one(server, client, request, 50))
        middle = [median(found) for found in spent.values()]
        cells = [f"{self.algorithm}{what}", *(f"{us:.0f}" for us in middle)]
        if len(middle) == 2:
            cells.append(f"**{middle[1] / middle[0]:.2f}**")
        asked = (option.removeprefix("EF_RUNTIME ") or "-" for option in options.values())
        return [*cells, *(f"{share:.3f}" for share in shares.values()), " / ".join(asked)]

    def query_as_it_is(self) -> list[str]:
        """The line of a KNN over all with the EF_RUNTIME of the field, for many vectors in turn.

        It looks at few neighbours, so that what a query costs besides shows.
        """
        wanted = expected(self.rows, self.asked, 100)
        spent: dict[str, list[float]] = {name: [] for name in self.servers}
        for vector in self.asked.repeat(self.rounds, axis=0):
            for name, (server, client) in self.servers.items():
                spent[name].append(run_one(server, client, knn("*", vector.tobytes()), 50))
        shares = [
            recall(client, "*", "", self.asked, wanted) for _, client in self.servers.values()
        ]
        middle = [median(found) for found in spent.values()]
        cells = [f"{self.algorithm}, EF_RUNTIME of the field", *(f"{us:.0f}" for us in middle)]
        if len(middle) == 2:
            cells.append(f"**{middle[1] / middle[0]:.2f}**")
        return [*cells, *(f"{share:.3f}" for share in shares), " / ".join("-" for _ in shares)]

    def _enough(
        self, client: Client, query: str, wanted: Sequence[set[bytes]]
    ) -> tuple[str, float]:
        """Options with which the recall is enough, and the recall."""
        share = recall(client, query, "", self.asked, wanted)
        options = ""
        for breadth in BREADTHS if self.algorithm == "HNSW" else ():
            if share >= RECALL_MIN:
                break
            options = f"EF_RUNTIME {breadth}"
            share = recall(client, query, options, self.asked, wanted)
        return options, share


def measure(cores: Cores, names: Sequence[str], rounds: int, sizes: tuple[int, int]) -> str:
    """Both algorithms, over so many vectors in FLAT and in HNSW; the section of the report."""
    lines: list[list[str]] = []
    stored: list[list[str]] = []
    for algorithm, size in zip(("FLAT", "HNSW"), sizes, strict=True):
        measured = Measured(algorithm, rows_of(size, SEED), rounds)
        with ExitStack() as stack:
            for name in names:
                measured.fill(stack, name, cores)
            lines += [measured.query(what, query) for what, query in FILTERS]
            if algorithm == "HNSW":
                lines.append(measured.query_as_it_is())
        stored += measured.stored
    header = ["KNN 10", *(f"{name}, CPU µs" for name in names)]
    header += ["ratio"] if len(names) == 2 else []
    header += [*(f"{name}, recall" for name in names), "EF_RUNTIME"]
    head = ["index", "server", "HSET without, CPU µs", "HSET with, CPU µs", "index, resident MB"]
    title = f"\n## Vectors\n\n{sizes[0]:,} FLAT, {sizes[1]:,} HNSW, {DIMENSION} × FLOAT32, L2.\n\n"
    return title + table(header, lines) + "\n" + table(head, stored)
