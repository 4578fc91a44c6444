"""Queries, played one after the other to Balas and to the real module in both forms of replies."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from balas.testing import Client, InProcessServer, RealRedis, check_laws
from balas_graph.storage.graph import Graph

WRITING = ("CREATE", "MERGE", "SET", "REMOVE", "DELETE")
QUERIES = (
    "RETURN 1",
    "CREATE (a:Person {name:'Ann', age: 30})-[:KNOWS {since: 2001}]->(b:Person "
    "{name:'Bob', age: 25.5})",
    "CREATE (a:Person {name:'Cid', tags:['x',1,true]})",
    "MATCH (a:Person {name:'Bob'}), (b:Person {name:'Cid'}) CREATE (a)-[r:KNOWS]->(b) RETURN r",
    "MATCH (n) RETURN n",
    "MATCH (a)-[r]->(b) RETURN a, r, b",
    "MATCH p=(a)-[:KNOWS*]->(b) RETURN p, length(p) ORDER BY length(p), a.name",
    "MATCH (n:Person) WHERE n.age > 26 RETURN n.name AS name, n.age * 2",
    "MATCH (n:Person) RETURN count(*), avg(n.age), min(n.name), collect(n.name), sum(n.age)",
    "MATCH (n) RETURN n.name, count(*) AS c ORDER BY n.name DESC SKIP 1 LIMIT 1",
    "UNWIND [1,2,3] AS x WITH x WHERE x > 1 RETURN x, x/2, x/2.0, 2^x, toString(x)",
    "RETURN [x IN range(1,5) WHERE x%2=1 | x*x], {a: 1, b: 'c'}, null, true, 1.5",
    "RETURN any(x IN [1,2] WHERE x=2), reduce(a=0, x IN [1,2,3] | a+x), CASE WHEN true "
    "THEN 1 ELSE 2 END",
    "MATCH (n:Person) WHERE (n)-[:KNOWS]->() RETURN n.name",
    "MATCH (n:Person) OPTIONAL MATCH (n)-[:KNOWS]->(m) RETURN n.name, m.name",
    "MERGE (n:Person {name:'Ann'}) ON MATCH SET n.seen = 1 ON CREATE SET n.new = 1 RETURN n",
    "MERGE (n:Person {name:'Dee'}) ON MATCH SET n.seen = 1 ON CREATE SET n.new = 1 RETURN n",
    "MATCH (n:Person {name:'Dee'}) SET n:Old, n.x = 5 RETURN labels(n), n.x",
    "MATCH (n:Old) REMOVE n:Old, n.x RETURN n",
    "MATCH (n {name:'Dee'}) DELETE n",
    "CYPHER a=1 b='x' RETURN $a, $b",
    "MATCH (n:Person) RETURN n {.name, .age, z: 1}",
    "MATCH (n:Person) RETURN [(n)-[:KNOWS]->(m) | m.name]",
    "MATCH (a:Person {name:'Ann'}),(b:Person {name:'Cid'}) RETURN "
    "length(shortestPath((a)-[*]->(b)))",
    "RETURN 1 AS a UNION RETURN 2 AS a",
    "UNWIND [1,null,'a',2.5,true,[1],{a:1}] AS x RETURN x ORDER BY x",
    "FOREACH (i IN [1,2] | CREATE (:T {i: i}))",
    "MATCH (t:T) SET t.i = t.i + 5, t.j = 1",
    "MATCH (t:T) SET t.i = t.i - 5, t.j = null",
    "MATCH (t:T) WITH t ORDER BY t.i RETURN collect(t.i)[0], 'a' STARTS WITH 'a', NOT "
    "true, 1 IN [1,2], 1 = null, -5 % 3",
    "CREATE INDEX FOR (p:Person) ON (p.name)",
    "MATCH (p:Person {name:'Ann'}) RETURN p.name",
    "CALL db.labels()",
    "CALL db.labels() YIELD label RETURN label",
    "MATCH (n) DETACH DELETE n",
    "MATCH (n) RETURN count(n)",
)

MISTAKES = (
    ("RETURN b", "'b' not defined"),
    ("RETURN foo(1)", "Unknown function 'foo'"),
    ("RETURN 1/0", "Division by zero"),
    ("RETURN $x", "Missing parameters"),
    ("MATCH (a) RETURN count(count(a))", "Invalid use of aggregating function 'count'"),
    ("MATCH (a)-[a]->(b) RETURN a", "specified for both"),
    ("CREATE (a)-[r]->(b)", "Exactly one relationship type"),
    ("CREATE (a)-[:R*2]->(b)", "Variable length relationships"),
    ("MATCH (a) WITH a.x RETURN 1", "must be aliased"),
    ("RETURN 1 AS a, 2 AS a", "same name"),
    ("RETURN 1 AS a UNION RETURN 2 AS b", "same column names"),
    ("MATCH (a) RETURN a LIMIT -1", "LIMIT specified value"),
    ("RETURN 9223372036854775808", "Integer overflow"),
    ("RETURN 'a", "Invalid input"),
    ("RETURN " + "[" * 300 + "]" * 300, "nested too deeply"),
    ("CREATE ({a: {b: 1}})", "primitive types"),
)


def without_times(reply: Any) -> Any:
    """A reply of GRAPH.QUERY without what differs from run to run."""
    *results, lines = reply
    return [*results, [line for line in lines if not line.startswith((b"Cached", b"Query int"))]]


@pytest.mark.oracle
def test_queries_answer_as_the_real_module_does(
    graph: Client, real_servers: Callable[..., RealRedis]
) -> None:
    with closing(real_servers("graph").client(resp=2)) as real:
        for query in QUERIES:
            writes = any(word in query for word in WRITING)
            for form in ((),) if writes else ((), ("--compact",)):
                ours = without_times(graph("GRAPH.QUERY", "g", query, *form))
                assert ours == without_times(real("GRAPH.QUERY", "g", query, *form)), query


@pytest.mark.parametrize(("query", "expected"), MISTAKES)
def test_a_mistake_is_told(graph: Client, query: str, expected: str) -> None:
    assert expected in graph.error("GRAPH.QUERY", "g", query)


def test_a_query_that_fails_leaves_the_graph_as_it_was(graph: Client) -> None:
    graph("GRAPH.QUERY", "g", "CREATE (:A {x: 1})-[:R]->(:B)")
    before = graph("DUMP", "g")
    graph.error("GRAPH.QUERY", "g", "MATCH (a:A) SET a.x = 2, a:C DETACH DELETE a RETURN 1/0")
    graph.error("GRAPH.QUERY", "g", "CREATE (:A {y: 1}) WITH 1 AS x RETURN 1/0")
    query = "MATCH (a:A) RETURN a.x, labels(a)"
    assert graph("GRAPH.RO_QUERY", "g", query)[1] == [[1, b"[A]"]]
    assert len(before) <= len(graph("DUMP", "g"))


def test_reading_is_refused_to_write(graph: Client) -> None:
    assert "empty key" in graph.error("GRAPH.RO_QUERY", "g", "RETURN 1")
    graph("GRAPH.QUERY", "g", "RETURN 1")
    assert "read-only" in graph.error("GRAPH.RO_QUERY", "g", "CREATE ()")


def test_keys_of_graphs(graph: Client) -> None:
    graph("GRAPH.QUERY", "g", "CREATE (:A {x: [1, 2.5, true]})")
    assert graph("GRAPH.COPY", "g", "h") == b"OK"
    assert sorted(graph("GRAPH.LIST")) == [b"g", b"h"]
    assert graph("GRAPH.DELETE", "g") == b"OK"
    assert graph("TYPE", "h") == b"graphdata"
    data = graph("DUMP", "h")
    graph("RESTORE", "i", 0, data)
    found = graph("GRAPH.QUERY", "i", "MATCH (a) RETURN a.x")
    assert found[1] == [[b"[1, 2.500000, true]"]]
    graph.error("GRAPH._RESTORE", "j", "nonsense")


def test_a_timeout_ends_a_query(graph: Client) -> None:
    query = "UNWIND range(1, 2000) AS x UNWIND range(1, 2000) AS y RETURN count(*)"
    assert "timed out" in graph.error("GRAPH.QUERY", "g", query, "timeout", 1)


def test_a_graph_obeys_the_laws_of_values(graph: Client, graph_server: InProcessServer) -> None:
    def made() -> Graph:
        graph = Graph()
        one = graph.create_node([graph.label_id("A")], {graph.attributes.intern("x"): 1})
        other = graph.create_node([], {})
        graph.create_edge(graph.types.intern("R"), one, other, {})
        graph.keep()
        return graph

    check_laws(graph_server, made, lambda graph: graph.create_node([], {}))


def test_a_profile_counts_the_records_of_each_operation(graph: Client) -> None:
    graph("GRAPH.PROFILE", "g", "UNWIND [1, 2, 3] AS x CREATE (:A {x: x})")
    lines = graph("GRAPH.PROFILE", "g", "MATCH (a:A) WITH a WHERE a.x > 1 RETURN a.x")
    counts = [line.strip().split(b", Execution")[0] for line in lines]
    assert counts[0] == b"Results | Records produced: 2"
    assert counts[-1] == b"Node By Label Scan | (a:A) | Records produced: 3"
    assert graph("GRAPH.QUERY", "g", "MATCH (a:A) RETURN count(a)")[1] == [[3]]


def test_labels_are_combined_and_updates_need_with_before_reading(graph: Client) -> None:
    query = "CREATE (:A {v: 1})-[:R]->(:B {v: 2})-[:R]->(:A:B {v: 3}) RETURN 1"
    graph("GRAPH.QUERY", "g", query)
    query = "MATCH (n:(A|B)&!(A&B)) RETURN n.v ORDER BY n.v"
    assert graph("GRAPH.RO_QUERY", "g", query)[1] == [[1], [2]]
    query = "MATCH (a)-->(:!A WHERE a.v = 1) RETURN a.v"
    assert graph("GRAPH.RO_QUERY", "g", query)[1] == [[1]]
    told = graph.error("GRAPH.QUERY", "g", "CREATE (n) MATCH (m) RETURN m")
    assert "A WITH clause is required to introduce MATCH" in told
    assert "Integer overflow" in graph.error(
        "GRAPH.QUERY", "g", "MATCH (n:A) SET n.v = n.v + 9223372036854775807"
    )
    query = "MATCH (n:A) RETURN n.v ORDER BY n.v"
    assert graph("GRAPH.RO_QUERY", "g", query)[1] == [[1], [3]]


def test_rows_of_a_parameter_are_created_and_set(graph: Client) -> None:
    rows = "CYPHER rows=[{id: 1, name: 'a'}, {id: 2, name: null}] UNWIND $rows AS r "
    made = graph("GRAPH.QUERY", "g", rows + "CREATE (:P {id: r.id, name: r.name})")
    assert made[-1][:3] == [b"Labels added: 1", b"Nodes created: 2", b"Properties set: 3"]
    made = graph("GRAPH.QUERY", "g", rows + "CREATE (n:Q) SET n += r, n.k = r.id + 1 RETURN n.k")
    assert made[1] == [[2], [3]]
    assert b"Properties set: 5" in made[-1]
