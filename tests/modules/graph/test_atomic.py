"""A query that fails leaves the graph as it was: its ids, names, indexes and order included."""

import os
from random import Random

import pytest

from balas.api import ReplyError
from balas.testing import Client, InProcessServer

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "60"))
SETUP = (
    "CREATE INDEX FOR (a:A) ON (a.x)",
    "CREATE FULLTEXT INDEX FOR (a:A) ON (a.text)",
    "CREATE VECTOR INDEX FOR (a:A) ON (a.v) OPTIONS {dimension: 2, similarityFunction: 'cosine'}",
    "UNWIND range(1, 12) AS i CREATE (:A {x: i, text: 'word ' + i, v: vecf32([i, 1])})",
    "MATCH (a:A), (b:A) WHERE a.x + 1 = b.x CREATE (a)-[:R {w: a.x}]->(b)",
    "MATCH (a:A) WHERE a.x % 5 = 0 DETACH DELETE a",
)
CHANGES = (
    "MATCH (a:A) SET a.x = a.x + 100, a.text = 'new', a.v = vecf32([0, 1])",
    "MATCH (a:A) SET a:New SET a.fresh = 1",
    "MATCH (a:A) WITH a LIMIT 4 DETACH DELETE a",
    "UNWIND range(1, 5) AS i CREATE (:A {x: 50 + i})-[:New {fresh: i}]->(:New)",
    "MERGE (m:A {x: 999}) SET m.text = 'merged'",
    "MATCH (a:A) REMOVE a.x, a:A SET a.x = 3",
    "MATCH ()-[r:R]->() DELETE r",
    "CREATE (t:Temp) DELETE t",
    "CALL db.idx.fulltext.createNodeIndex('A', 'other')",
    "CALL db.idx.fulltext.drop('A')",
)
FAILURES = (
    "WITH count(*) AS one RETURN one / 0",
    "WITH count(*) AS one UNWIND [1, 'a'] AS i RETURN abs(i)",
    "WITH count(*) AS one CREATE (:A {x: 7}), (:A {x: 7})",
    "WITH count(*) AS one CREATE (:M)",
    "WITH count(*) AS one UNWIND range(1, 10000000) AS i RETURN sum(i)",
)


@pytest.fixture
def client() -> Client:
    """A client of a server with a graph that has indexes and constraints."""
    options = {"enable-debug-command": "yes", "loadmodule": "balas_graph:Graphs"}
    with InProcessServer(options, bundled=False) as server:
        made = server.client(resp=2)
        for text in SETUP:
            made("GRAPH.QUERY", "g", text)
        made("GRAPH.CONSTRAINT", "CREATE", "g", "UNIQUE", "NODE", "A", "PROPERTIES", 1, "x")
        made("GRAPH.CONSTRAINT", "CREATE", "g", "MANDATORY", "NODE", "M", "PROPERTIES", 1, "k")
        made("GRAPH.CONFIG", "SET", "QUERY_MEM_CAPACITY", 200_000)
        yield made


def looks(client: Client) -> list[object]:
    """What indexes find, besides the digest of all that can be seen."""
    texts = (
        "CALL db.idx.fulltext.queryNodes('A', 'word|new') YIELD node, score RETURN id(node), score",
        "CALL db.idx.vector.queryNodes('A', 'v', 4, vecf32([1, 1])) YIELD node, score "
        "RETURN id(node), score",
        "MATCH (a:A) WHERE a.x > 3 RETURN id(a), a.x",
        "MATCH (a:A) WHERE a.x IN [1, 2, 3, 101] RETURN id(a)",
    )
    return [
        client("DEBUG", "DIGEST-VALUE", "g"),
        *(client("GRAPH.RO_QUERY", "g", text)[:2] for text in texts),
    ]


def test_a_query_that_fails_changes_nothing(client: Client) -> None:
    chance = Random(5)
    before = looks(client)
    for _ in range(EXAMPLES):
        changes = chance.sample(CHANGES, chance.randrange(1, 4))
        text = " WITH count(*) AS n ".join(changes) + " " + chance.choice(FAILURES)
        with pytest.raises(ReplyError):
            client("GRAPH.QUERY", "g", text)
        assert looks(client) == before, text


def test_the_log_is_told_what_a_query_has_done(graph_server: InProcessServer) -> None:
    from balas.testing.checks import propagated

    told = propagated(graph_server, ("GRAPH.QUERY", "g", "CREATE (:A {r: rand()})"))
    assert [words[:2] for words in told] == [[b"GRAPH._EFFECT", b"g"]]
    graph_server.client(resp=2)("GRAPH._EFFECT", "copy", told[0][2])
    look = ("MATCH (a) RETURN id(a), labels(a), a.r",)
    client = graph_server.client(resp=2)
    assert client("GRAPH.RO_QUERY", "copy", *look)[1] == client("GRAPH.RO_QUERY", "g", *look)[1]
