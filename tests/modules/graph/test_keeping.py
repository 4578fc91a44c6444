"""Graphs outlive a restart, by the log and by a snapshot."""

from pathlib import Path

import pytest

from balas.testing import InProcessServer

WRITES = (
    "CREATE (:A {x: 1})-[:R {w: 2.5}]->(:B {s: 'ä'})",
    "CREATE (:C {chance: rand()})",
    "MATCH (b:B) DETACH DELETE b",
    "CREATE INDEX FOR (a:A) ON (a.x)",
    "MERGE (a:A {x: 1}) SET a.y = [1, 'two', [2.5, true]]",
)
LOOK = "MATCH (n) RETURN id(n), labels(n), properties(n) ORDER BY id(n)"


@pytest.mark.parametrize("log", ["yes", "no"])
def test_a_graph_outlives_a_restart(tmp_path: Path, log: str) -> None:
    options = {"appendonly": log, "loadmodule": "balas_graph:Graphs"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        client = server.client(resp=2)
        for query in WRITES:
            client("GRAPH.QUERY", "g", query, "timeout", 10_000)
        before = client("GRAPH.RO_QUERY", "g", LOOK)[1]
        if log == "no":
            client("SAVE")
        server.restart()
        client = server.client(resp=2)
        assert client("GRAPH.RO_QUERY", "g", LOOK)[1] == before
