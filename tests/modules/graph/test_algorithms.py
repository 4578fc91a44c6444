"""Algorithms answer as the real module does, and find what plain ones find."""

from collections.abc import Callable
from contextlib import closing
from random import Random

import pytest

from balas.testing import Client, RealRedis

MAKE = (
    "CREATE (a:A {v:1}),(b:A {v:2}),(c:A {v:3}),(d:B {v:4}),(a)-[:R {w:2, c:1}]->(b),"
    "(b)-[:R {w:3, c:1}]->(c),(a)-[:R {w:10, c:5}]->(c),(c)-[:S {w:1}]->(d)"
)
PATHS = "YIELD path, pathWeight, pathCost RETURN path, pathWeight, pathCost"
QUERIES = (
    "CALL algo.pageRank('Nothing','R')",
    "CALL algo.WCC({nodeLabels:['A'], relationshipTypes:['R']})",
    "CALL algo.labelPropagation({}) YIELD node, communityId RETURN node.v, communityId",
    "CALL algo.MSF({weightAttribute:'w'})",
    "CALL algo.MSF({weightAttribute:'w', objective:'maximize'})",
    "CALL algo.MSF({nodeLabels:['B']})",
    "MATCH (a {v:1}) CALL algo.BFS(a, 0, NULL) YIELD nodes, edges RETURN nodes, edges",
    "MATCH (a {v:1}) CALL algo.BFS(a, 1, 'R') YIELD nodes, edges RETURN nodes, edges",
    "MATCH (a {v:1}) CALL algo.BFS(a, -1, 'Nothing') YIELD nodes, edges RETURN nodes, edges",
    "MATCH (a {v:1}) CALL algo.BFS(a, -1, NULL) YIELD nodes, edges RETURN nodes, edges",
    "MATCH (a {v:1}), (b {v:3}) CALL algo.SPpaths({sourceNode:a, targetNode:b, relTypes:['R'], "
    f"weightProp:'w', costProp:'c', pathCount: 2}}) {PATHS}",
    "MATCH (a {v:1}), (b {v:3}) CALL algo.SPpaths({sourceNode:a, targetNode:b, pathCount:0, "
    f"weightProp:'w'}}) {PATHS}",
    "MATCH (a {v:1}), (b {v:3}) CALL algo.SPpaths({sourceNode:a, targetNode:b, maxLen:1, "
    f"maxCost: 4}}) {PATHS}",
    f"MATCH (a {{v:1}}) CALL algo.SSpaths({{sourceNode:a, weightProp:'w', pathCount:3}}) {PATHS}",
)
MISTAKES = (
    "CALL algo.WCC({other:1})",
    "CALL algo.WCC(1)",
    "CALL algo.WCC({nodeLabels:'A'})",
    "CALL algo.labelPropagation({maxIterations:'x'})",
    "CALL algo.MSF({objective:'x'})",
    "CALL algo.betweenness({samplingSize:'x'})",
    "CALL algo.SSpaths({}) YIELD path RETURN path",
    "CALL algo.SPpaths({sourceNode:1, targetNode:2}) YIELD path RETURN path",
    "MATCH (a {v:1}) CALL algo.SPpaths({sourceNode:a}) YIELD path RETURN path",
    "MATCH (a {v:1}) CALL algo.SSpaths({sourceNode:a, relDirection:'up'}) YIELD path RETURN path",
    "MATCH (a {v:1}) CALL algo.SSpaths({sourceNode:a, relTypes:'R'}) YIELD path RETURN path",
)


@pytest.mark.oracle
def test_algorithms_answer_as_the_real_ones(
    graph: Client, real_servers: Callable[..., RealRedis]
) -> None:
    with closing(real_servers("graph").client(resp=2)) as real:
        for client in (graph, real):
            client("GRAPH.QUERY", "algorithms", MAKE)
        for query in QUERIES:
            found = graph("GRAPH.QUERY", "algorithms", query)[:2]
            assert found == real("GRAPH.QUERY", "algorithms", query)[:2], query
        for query in MISTAKES:
            assert graph.error("GRAPH.QUERY", "algorithms", query) == real.error(
                "GRAPH.QUERY", "algorithms", query
            )
        ranks = "CALL algo.pageRank('A','R') YIELD node, score RETURN node.v, score"
        ours, theirs = (client("GRAPH.QUERY", "algorithms", ranks)[1] for client in (graph, real))
        for (node, score), (other, expected) in zip(ours, theirs, strict=True):
            assert node == other
            assert float(score) == pytest.approx(float(expected), rel=1e-4)


def test_betweenness_counts_the_shortest_paths(graph: Client) -> None:
    graph("GRAPH.QUERY", "g", MAKE)
    query = "CALL algo.betweenness({}) YIELD node, score RETURN node.v, score"
    assert graph("GRAPH.QUERY", "g", query)[1] == [[1, b"0"], [2, b"0"], [3, b"2"], [4, b"0"]]


def test_components_are_those_of_a_plain_search(graph: Client) -> None:
    chance = Random(4)
    pairs = [(chance.randrange(60), chance.randrange(60)) for _ in range(40)]
    graph("GRAPH.QUERY", "g", "UNWIND range(0, 59) AS i CREATE (:N {i: i})")
    for a, b in pairs:
        graph("GRAPH.QUERY", "g", f"MATCH (a {{i:{a}}}), (b {{i:{b}}}) CREATE (a)-[:R]->(b)")
    parent = list(range(60))
    for _ in range(60):
        for a, b in pairs:
            parent[a] = parent[b] = min(parent[a], parent[b])
    query = "CALL algo.WCC() YIELD node, componentId RETURN node.i, componentId"
    assert graph("GRAPH.QUERY", "g", query)[1] == [[i, parent[i]] for i in range(60)]


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (a)-[*]-(b) RETURN count(b)",
        "MATCH (a)-->(b)-->(c)-->(d)-->(e)-->(f)-->(g)-->(h) RETURN count(*)",
        "MATCH p = (a)-[*]-(b) RETURN count(p)",
        "MATCH (a), (b), (c), (d), (e) RETURN count(*)",
        "MATCH (a {i: 0}) CALL algo.SPpaths({sourceNode: a, targetNode: a, pathCount: 9}) "
        "YIELD path RETURN count(path)",
    ],
)
def test_no_search_outlives_its_time(graph: Client, query: str) -> None:
    graph("GRAPH.QUERY", "g", "UNWIND range(0, 59) AS i CREATE (:N {i: i})")
    graph("GRAPH.QUERY", "g", "MATCH (a), (b) WHERE a.i <> b.i CREATE (a)-[:R]->(b)")
    refused = graph.error("GRAPH.QUERY", "g", query, "timeout", 50)
    assert "timed out" in refused or "mem consumption" in refused
