"""Indexes find what is found without them, and what the real module finds."""

import os
from collections.abc import Callable
from contextlib import closing
from functools import partial
from random import Random

import pytest

from balas.api import ReplyError
from balas.testing import Client, RealRedis, wait_until
from balas_graph.storage._index import RangeIndex
from balas_graph.storage.entities import Point, Vector
from balas_graph.storage.vectors import Space, VectorIndex

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "60"))
VALUES = ("1", "2", "2.5", "-3", "'a'", "'ab'", "'b'", "true", "[1, 2]", "null", "'ä'", "1e300")
PLACES = ("point({latitude: 1.0, longitude: 2.0})", "point({latitude: 50, longitude: 8.5})")
QUERIES = (
    "MATCH (a:A) WHERE a.x = {} RETURN id(a)",
    "MATCH (a:A {{x: {}}}) RETURN id(a)",
    "MATCH (a:A) WHERE a.x > {} RETURN id(a)",
    "MATCH (a:A) WHERE a.x <= {} AND a.x > -2 RETURN id(a)",
    "MATCH (a:A) WHERE 'a' <= a.x < {} RETURN id(a)",
    "MATCH (a:A) WHERE a.x IN [{}, 2, 'b'] RETURN id(a)",
    "MATCH (a:A) WHERE a.x STARTS WITH {} RETURN id(a)",
    "MATCH (a:A) WHERE a.x = {} OR a.x > 2 RETURN id(a)",
    "MATCH (a:A) WHERE a.x = {} OR a.y = 1 RETURN id(a)",
    "MATCH (a)-[r:R {{x: {}}}]->(b) RETURN id(a), id(r), id(b)",
    "MATCH (a)-[r:R]-(b:A) WHERE r.x >= {} RETURN id(a), id(r), id(b)",
    "MATCH (a:A)<-[r:R {{x: {}}}]-(b)-[s:R]->(c) RETURN id(a), id(r), id(s), id(c)",
    "MATCH (a)-[r:R {{x: {}}}]->(a) RETURN id(a), id(r)",
    "MATCH (a:A), (b:B) WHERE a.x = b.x AND a.x <> {} RETURN id(a), id(b)",
    "UNWIND [{}, 2] AS v MATCH (a:A {{x: v}}) RETURN v, id(a)",
    "MATCH (a:A) WHERE id(a) IN [1, 2, 99] AND a.x > {} RETURN id(a)",
    "MATCH (a) WHERE id(a) >= 3 AND a.x = {} RETURN id(a)",
    "MATCH (a:A) WHERE distance(a.p, point({{latitude: 1, longitude: 2}})) < 1000 "
    "AND a.x = {} RETURN id(a)",
    "OPTIONAL MATCH (a:A) WHERE a.x > {} RETURN id(a)",
)
INDEXES = (
    "CREATE INDEX FOR (a:A) ON (a.x, a.p)",
    "CREATE INDEX FOR (b:B) ON (b.x)",
    "CREATE INDEX FOR ()-[r:R]-() ON (r.x)",
)


def changed(chance: Random) -> str:
    """A query that changes the graph by chance."""
    labels = chance.choice((":A", ":B", ":A:B", ""))
    value, place = chance.choice(VALUES), chance.choice(PLACES)
    return chance.choice(
        (
            f"CREATE ({labels} {{x: {value}, p: {place}}})",
            f"MATCH (a) WITH a ORDER BY id(a) SKIP {chance.randrange(9)} LIMIT 2 SET a.x = {value}",
            f"MATCH (a) WITH a ORDER BY id(a) SKIP {chance.randrange(9)} LIMIT 1 DETACH DELETE a",
            f"MATCH (a), (b) WITH a, b ORDER BY id(a), id(b) SKIP {chance.randrange(30)} LIMIT 2 "
            f"CREATE (a)-[:R {{x: {value}}}]->(b)",
            f"MATCH (a) WITH a ORDER BY id(a) SKIP {chance.randrange(9)} LIMIT 2 SET a:A",
            f"MATCH (a:B) WITH a ORDER BY id(a) LIMIT 1 REMOVE a:A SET a.y = {value}",
            f"MATCH ()-[r]->() WITH r ORDER BY id(r) LIMIT 1 SET r.x = {value}",
            f"MATCH (a:A) SET a.x = {value} WITH count(*) AS n RETURN 1 / 0",
        )
    )


def asked(client: Client, key: str, query: str) -> list[str]:
    """The rows of a query in order, or how it fails."""
    try:
        return sorted(map(repr, client("GRAPH.RO_QUERY", key, query)[1]))
    except ReplyError as error:
        return [str(error)]


@pytest.mark.parametrize("seed", range(max(2, EXAMPLES // 30)))
def test_indexes_find_what_is_found_without_them(graph: Client, seed: int) -> None:
    chance = Random(seed)
    graph("GRAPH.QUERY", "with", "CREATE (:A {x: 1})-[:R {x: 1}]->(:B {x: 1})")
    graph("COPY", "with", "without")
    for text in INDEXES:
        graph("GRAPH.QUERY", "with", text)
    for turn in range(60):
        text = changed(chance)
        for key in ("with", "without"):
            if "1 / 0" in text:
                assert "zero" in graph.error("GRAPH.QUERY", key, text)
            else:
                graph("GRAPH.QUERY", key, text)
        if turn == 40:
            graph("COPY", "with", "copied")
            graph("RENAME", "copied", "with")
        query = chance.choice(QUERIES).format(chance.choice(VALUES))
        assert asked(graph, "with", query) == asked(graph, "without", query), (text, query)


FILMS = (
    "CREATE (:M {title: 'The Running Man runs', plot: 'A man running from the law'}), "
    "(:M {title: 'Runner runner', plot: 'gambling'}), "
    "(:M {title: 'Blade runner', plot: 'robots and rain'}), (:M {title: 'Jon Snow', plot: 'ice'}), "
    "(:M {title: 'John of the hill', plot: 'runs'}), (:M {title: ['runner']}), "
    "(:V {i: 1, e: vecf32([1, 0])}), (:V {i: 2, e: vecf32([0, 1])}), "
    "(:V {i: 3, e: vecf32([0.7, 0.7])}), (:V {i: 4, e: vecf32([1, 2, 3])}), (:V {i: 5, e: [1, 2]})"
)
SEARCHES = (
    "runner", "running", "run*", "%runer%", "runner|snow", "blade runner|snow", "blade runner",
    '\\"blade runner\\"', "runner -blade", "-blade", "runner ~blade", "@title:runner", "@nope:x",
    "the", "", "*", "runs", "@plot:run*", "@plot:run* @title:john", "(blade|snow) -jon", "r",
    "blade | snow | runs", "'unclosed", "hill the", "Jon  Snow!",
)  # fmt: skip


@pytest.mark.oracle
def test_searches_find_what_the_real_module_finds(
    graph: Client, real_servers: Callable[..., RealRedis]
) -> None:
    with closing(real_servers("graph").client(resp=2)) as real:
        for client in (graph, real):
            client("DEL", "films")
            for text in (
                "CALL db.idx.fulltext.createNodeIndex('M', 'title', 'plot')",
                "CREATE VECTOR INDEX FOR (v:V) ON (v.e) "
                "OPTIONS {dimension: 2, similarityFunction: 'euclidean'}",
            ):
                client("GRAPH.QUERY", "films", text)
            # The real module may miss nodes that come while an index is in the making.
            wait_until(partial(finds, client, STATUS, [[b"OPERATIONAL"]]), what="the indexes")
            client("GRAPH.QUERY", "films", FILMS)
        queries = [
            f'CALL db.idx.fulltext.queryNodes("M", "{text}") YIELD node, score '
            "RETURN node.title, score"
            for text in SEARCHES
        ]
        # All there are: which few are the nearest is not exact in the real module.
        nearest = (
            "CALL db.idx.vector.queryNodes('V', 'e', {}, vecf32([1, 0.1])) "
            "YIELD node, score RETURN node.i, score"
        )
        queries.append(nearest.format(10))
        for query in queries:
            ours = graph("GRAPH.RO_QUERY", "films", query)[1]
            # The real module fills its indexes by and by.
            wait_until(partial(finds, real, query, ours), what=f"{query} to find {ours}")
        for count in (1, 2):
            assert graph("GRAPH.RO_QUERY", "films", nearest.format(count))[1] == ours[:count]
        real("DEL", "films")


STATUS = "CALL db.indexes() YIELD status RETURN DISTINCT status"


def finds(client: Client, query: str, expected: list[object]) -> bool:
    """Whether a query on the films returns these rows."""
    return bool(client("GRAPH.RO_QUERY", "films", query)[1] == expected)


@pytest.mark.parametrize("seed", range(4))
def test_a_range_index_is_as_a_list(seed: int) -> None:
    chance = Random(seed)
    index, known = RangeIndex(False, 0, 0), {}
    makers = (
        lambda: chance.randrange(50),
        lambda: chance.random() * 50,
        lambda: chance.choice("abc") * 3,
        lambda: chance.random() < 0.5,
        lambda: float("nan"),
        lambda: Point(chance.random() * 9, 1.0),
    )
    for _ in range(2000):
        id = chance.randrange(300)
        if id in known:
            index.discard(id, known.pop(id))
        else:
            known[id] = chance.choice(makers)()
            index.add(id, known[id])
        if chance.random() < 0.05:
            low, high = sorted((chance.randrange(60), chance.randrange(60)))
            wanted = [
                i for i, v in known.items()
                if type(v) in (int, float) and low <= v <= high
            ]  # fmt: skip
            assert index.between(low, high).tolist() == sorted(wanted)
            wanted = [i for i, v in known.items() if isinstance(v, str) and v.startswith("b")]
            assert index.starting("b").tolist() == sorted(wanted)
            near = index.near(4.0, 111_000.0).tolist()
            wanted = [i for i, v in known.items() if isinstance(v, Point) and 3 <= v.latitude <= 5]
            assert near == sorted(wanted)
    assert index.count == len(known)


def test_many_vectors_are_found_by_their_graph() -> None:
    chance = Random(3)
    index = VectorIndex(False, 0, 0, Space(8))
    vectors = {
        id: Vector(tuple(chance.random() for _ in range(8))) for id in range(3000)
    }  # fmt: skip
    for id, vector in vectors.items():
        index.add(id, vector)
    hits = 0
    for turn in range(20):
        gone = chance.choice(list(vectors))
        index.discard(gone, vectors.pop(gone))
        if turn % 3 == 0:
            vectors[gone] = Vector(tuple(chance.random() for _ in range(8)))
            index.add(gone, vectors[gone])
        wanted = Vector(tuple(chance.random() for _ in range(8)))
        exact = sorted(
            vectors,
            key=lambda id: sum(
                (a - b) ** 2 for a, b in zip(vectors[id].numbers, wanted.numbers, strict=True)
            ),
        )
        found = [id for id, _ in index.nearest(wanted, 10)]
        assert set(found) <= set(vectors)
        hits += len(set(found) & set(exact[:10]))
    assert index.graph is not None
    assert hits >= 160


def test_indexes_outlive_a_dump(graph: Client) -> None:
    graph("GRAPH.QUERY", "films", "CALL db.idx.fulltext.createNodeIndex('M', 'title', 'plot')")
    graph(
        "GRAPH.QUERY",
        "films",
        "CREATE VECTOR INDEX FOR (v:V) ON (v.e) "
        "OPTIONS {dimension: 2, similarityFunction: 'cosine', M: 8}",
    )
    graph("GRAPH.QUERY", "films", FILMS)
    graph("RESTORE", "again", 0, graph("DUMP", "films"))
    for query in (
        "CALL db.idx.fulltext.queryNodes('M', 'run*') YIELD node, score RETURN id(node), score",
        "CALL db.idx.vector.queryNodes('V', 'e', 2, vecf32([1, 0.1])) YIELD node, score "
        "RETURN node.i, score",
        "CALL db.indexes()",
    ):
        found = graph("GRAPH.RO_QUERY", "again", query)[1]
        assert found == graph("GRAPH.RO_QUERY", "films", query)[1]
        assert found
