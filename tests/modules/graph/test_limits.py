"""A query's time is over: whatever it is doing, it ends soon, and nothing has changed."""

import time
from collections.abc import Iterator

import pytest

from balas.testing import BalasProcess, Client

NODES = 60_000
TIMEOUT_MS = 20
# What comes on top of it at most, on a machine that has other things to do.
AFTER_MS = 1000
QUERIES = {
    "where on rows": "MATCH (n:N) WHERE reverse(n.s) + rand() = 'x' RETURN n",
    "where in columns": "MATCH (n:N) WHERE n.s =~ '.*x.*y.*z.*' RETURN count(n)",
    "with where": "MATCH (n:N) WITH n.s AS s, count(*) AS c WHERE s + c = 'x' RETURN count(*)",
    "order by": "MATCH (n:N) RETURN n.s ORDER BY toUpper(n.s) + 'x' DESC LIMIT 3",
    "distinct": "MATCH (n:N) RETURN DISTINCT n.s + 'x'",
    "aggregate": "MATCH (n:N) RETURN n.v, collect(DISTINCT n.s + 'x')",
    "aggregate in columns": "MATCH (n:N) RETURN n.s, collect(DISTINCT n.s), stdev(n.w)",
    "union": "MATCH (n:N) RETURN n.s + 'x' AS s UNION MATCH (n:N) RETURN n.s + 'x' AS s",
    "unwind": "UNWIND range(1, 600000) AS i RETURN sum(i % 7)",
    "comprehension": "RETURN size([i IN range(1, 600000) WHERE i % 7 = 9 | i])",
    "reduce": "RETURN reduce(a = 0, i IN range(1, 600000) | a + i)",
    "subquery": "MATCH (n:N) CALL { WITH n RETURN n.v + 1 AS x } RETURN sum(x)",
    "exists": "MATCH (n:N) WHERE EXISTS { (n)-[r]->() WHERE r.w > 2 } RETURN count(n)",
    "optional match": "MATCH (n:N) OPTIONAL MATCH (n)-[r]->() WHERE r.w > 2 RETURN count(r)",
    "variable length": "MATCH (n:N)-[*0..3]->(m) WHERE m.s + n.s = 'x' RETURN count(*)",
    "set": "MATCH (n:N) SET n.x = n.s + 'x'",
    "set to a map": "MATCH (n:N) SET n += {x: n.s, y: 1}",
    "remove": "MATCH (n:N) REMOVE n.s, n.w",
    "create": "MATCH (n:N) CREATE (n)-[:Q]->(:M {s: n.s})",
    "create nodes": "UNWIND range(1, 600000) AS i CREATE (:M {v: i + 1})",
    "merge": "UNWIND range(1, 60000) AS i MERGE (:M {v: i})",
    "foreach": "MATCH (n:N) FOREACH (i IN [1, 2, 3] | SET n.x = i)",
    "delete": "MATCH (n:N) DETACH DELETE n",
    "spanning forest": "CALL algo.MSF({weightAttribute: 'w'}) YIELD edges RETURN count(edges)",
    "reply": "MATCH (n:N) RETURN n, n.s, n.v, labels(n)",
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with BalasProcess({"bare": (), "loadmodule": "graph"}) as server, server.client() as client:
        query = (
            f"UNWIND range(1, {NODES}) AS i"
            " CREATE (:N {v: i % 1000, s: toString(i), w: i * 0.5})-[:R {w: 1.5 / i}]->(:O)"
        )
        client("GRAPH.QUERY", "g", query)
        yield client


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_ends_when_its_time_is_over(client: Client, name: str) -> None:
    before = client("GRAPH.RO_QUERY", "g", "MATCH (n) RETURN count(n), count(n.x), count(n.w)")[1]
    began_s = time.monotonic()
    refused = client.error("GRAPH.QUERY", "g", QUERIES[name], "timeout", TIMEOUT_MS)
    took_ms = (time.monotonic() - began_s) * 1000
    assert "timed out" in refused
    assert took_ms < TIMEOUT_MS + AFTER_MS
    after = client("GRAPH.RO_QUERY", "g", "MATCH (n) RETURN count(n), count(n.x), count(n.w)")[1]
    assert before == after


LONG = "reduce(s = 'x', i IN range(1, 16) | s + s)"


@pytest.mark.parametrize(
    "made",
    [
        f"replace({LONG}, 'x', {LONG})",
        f"string.join([i IN range(1, 5000) | {LONG}], ',')",
        f"string.replaceRegEx({LONG}, 'x', {LONG})",
        f"reduce(s = {LONG}, i IN range(1, 16) | s + s)",
    ],
)
def test_a_text_that_would_be_too_long_is_refused(client: Client, made: str) -> None:
    refused = client.error("GRAPH.QUERY", "g", f"WITH {made} AS text RETURN size(text)")
    assert "mem consumption exceeded capacity" in refused
