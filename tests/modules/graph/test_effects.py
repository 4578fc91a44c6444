"""The log of queries by chance, replayed, gives the same graph: ids, order and indexes included."""

import os
from pathlib import Path
from random import Random

import pytest

from balas.api import BadData, ReplyError
from balas.testing import Client, InProcessServer
from balas_graph.storage import effects, files
from balas_graph.storage.graph import Graph

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "60"))
WRITES = (
    "CREATE (:A {x: $n, r: rand()})-[:R {w: $n}]->(:B {u: randomUUID()})",
    "UNWIND range(1, $n + 1) AS i CREATE (:A {x: i, t: timestamp()})",
    "MATCH (a) WITH a ORDER BY rand() LIMIT 3 SET a.y = rand(), a.text = 'some word ' + $n",
    "MATCH (a), (b) WITH a, b ORDER BY rand() LIMIT 4 CREATE (a)-[:S {at: localdatetime()}]->(b)",
    "MERGE (a:A {x: $n}) ON CREATE SET a.new = true ON MATCH SET a.seen = [1, 'two', 3.5]",
    "MATCH (a:A {x: $n}), (b:B) WITH a, b LIMIT 2 MERGE (a)-[r:R]->(b) SET r.w = rand()",
    "MATCH (a:A) WITH a ORDER BY rand() LIMIT 2 DETACH DELETE a",
    "MATCH ()-[r]->() WITH r ORDER BY rand() LIMIT 2 DELETE r",
    "MATCH (a:A) WITH a LIMIT 2 SET a:C REMOVE a.y",
    "MATCH (a:C) WITH a LIMIT 1 REMOVE a:C SET a = {x: $n, p: point({latitude: 1, longitude: $n})}",
    "CREATE (a:D {x: 1}) WITH a DELETE a CREATE (b:D {x: 2})-[:R]->(:D)",
    "CREATE (a:D)-[r:R {w: 1}]->(b:D) DELETE r WITH a, b CREATE (b)-[:S]->(a)",
    "MATCH (a:D) DETACH DELETE a",
    "CREATE INDEX FOR (a:A) ON (a.x)",
    "DROP INDEX FOR (a:A) ON (a.x)",
    "CREATE FULLTEXT INDEX FOR (a:A) ON (a.text)",
    "CREATE VECTOR INDEX FOR (a:A) ON (a.v) OPTIONS {dimension: 2, similarityFunction: 'cosine'}",
    "MATCH (a:A) WITH a LIMIT 3 SET a.v = vecf32([rand(), 0.5])",
    "CALL db.idx.fulltext.drop('A')",
    "MATCH (a) WITH a LIMIT 2 SET a.bad = 1 / (id(a) - id(a))",
    "FOREACH (i IN range(0, 2) | CREATE (:E {i: i, r: rand()}))",
)
LOOKS = (
    "MATCH (n) RETURN id(n), labels(n), properties(n)",
    "MATCH (a)-[r]->(b) RETURN id(a), id(r), id(b), type(r), properties(r)",
    "MATCH (a)<-[r]-(b) RETURN id(a), id(r), id(b)",
    "MATCH (a:A {x: 3}) RETURN id(a), a.x",
    "CALL db.idx.fulltext.queryNodes('A', 'word') YIELD node, score RETURN id(node), score",
    "CALL db.indexes() YIELD label, properties, types RETURN *",
    "CALL db.labels()",
    "CALL db.propertyKeys()",
)
NEXT = "CREATE (x:Next)-[r:R]->(y) RETURN id(x), id(r), id(y)"


def seen(client: Client) -> list[object]:
    """What some queries return of a graph, or how they fail."""
    found: list[object] = []
    for look in LOOKS:
        try:
            found.append(client("GRAPH.RO_QUERY", "g", look)[:2])
        except ReplyError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("seed", range(max(1, EXAMPLES // 20)))
def test_the_log_gives_the_same_graph(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    options = {
        "appendonly": "yes",
        "enable-debug-command": "yes",
        "loadmodule": "balas_graph:Graphs",
    }
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        client = server.client(resp=2)
        for _ in range(80):
            text = chance.choice(WRITES)
            try:
                client("GRAPH.QUERY", "g", f"CYPHER n={chance.randrange(6)} {text}")
            except ReplyError:
                continue
        before = seen(client), client("DEBUG", "DIGEST-VALUE", "g")
        server.restart()
        client = server.client(resp=2)
        assert (seen(client), client("DEBUG", "DIGEST-VALUE", "g")) == before
        # Both give the same free ids again.
        made = client("GRAPH.QUERY", "g", NEXT)[1]
        digest = client("DEBUG", "DIGEST-VALUE", "g")
        server.restart()
        client = server.client(resp=2)
        assert client("DEBUG", "DIGEST-VALUE", "g") == digest
        assert (
            client("GRAPH.RO_QUERY", "g", "MATCH (x:Next)-[r]->(y) RETURN id(x), id(r), id(y)")[1]
            == made
        )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        files.joined([b"{}", b""]),
        files.joined([b'{"names":[[],[],[]],"nodes":[[[0],[],[5],[]]],"edges":[]}', b""]),
        files.joined([b'{"names":[[],[],[]],"nodes":[],"edges":[]}', b"\x07" * 20]),
        files.joined([b'{"names":[[],[],[]],"nodes":[],"edges":[]}', b"\x00\x00\x00\x00" * 4]),
    ],
)
def test_effects_that_cannot_be_change_nothing(data: bytes) -> None:
    graph = Graph()
    before = files.encode(graph)
    with pytest.raises(BadData):
        effects.apply(graph, data)
    assert files.encode(graph) == before
