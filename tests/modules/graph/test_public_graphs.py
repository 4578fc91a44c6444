"""Graphs that networkx ships, and one of R-MAT: queries and algorithms against networkx."""

from collections import Counter

import pytest

from balas.testing import Client
from bench.modules_graph import edges as r_mat_edges

networkx = pytest.importorskip("networkx")


def r_mat() -> object:
    """A directed graph whose few nodes have most of the edges."""
    made = networkx.DiGraph()
    made.add_nodes_from(range(256))
    made.add_edges_from(r_mat_edges(256, 1500))
    return made


GRAPHS = {
    "karate": networkx.karate_club_graph,
    "miserables": networkx.les_miserables_graph,
    "davis": networkx.davis_southern_women_graph,
    "r-mat": r_mat,
}


@pytest.fixture(params=sorted(GRAPHS))
def world(request: pytest.FixtureRequest, graph: Client) -> tuple[object, Client]:
    """A graph of networkx, loaded: nodes (:N {i, name}), edges [:E {weight}] as it has them."""
    made = GRAPHS[request.param]()
    known = networkx.convert_node_labels_to_integers(made, label_attribute="name")
    graph("GRAPH.QUERY", "g", "CREATE INDEX FOR (n:N) ON (n.i)")
    names = ", ".join(f'[{i}, "{name}"]' for i, name in known.nodes(data="name"))
    graph("GRAPH.QUERY", "g", f"UNWIND [{names}] AS r CREATE (:N {{i: r[0], name: r[1]}})")
    rows = ", ".join(f"[{a}, {b}, {w}]" for a, b, w in known.edges(data="weight", default=1))
    graph(
        "GRAPH.QUERY",
        "g",
        f"UNWIND [{rows}] AS r MATCH (a:N {{i: r[0]}}), (b:N {{i: r[1]}}) "
        "CREATE (a)-[:E {weight: r[2]}]->(b)",
    )
    return known, graph


def asked(client: Client, query: str) -> list[list[object]]:
    """The rows of a query."""
    rows: list[list[object]] = client("GRAPH.RO_QUERY", "g", query)[1]
    return rows


def naive_ranks(known: object) -> dict[int, float]:
    """The rank of each node: what a node without edges that leave it would pass on, all get."""
    targets: dict[int, set[int]] = {node: set() for node in known.nodes}
    for a, b in known.edges:
        targets[a].add(b)
    count = len(targets)
    ranks = dict.fromkeys(targets, 1 / count)
    for _ in range(200):
        lost = sum(ranks[node] for node, ends in targets.items() if not ends)
        following = dict.fromkeys(targets, 0.15 / count + 0.85 * lost / count)
        for node, ends in targets.items():
            for end in ends:
                following[end] += 0.85 * ranks[node] / len(ends)
        ranks = following
    return ranks


def test_degrees_and_triangles_are_counted(world: tuple[object, Client]) -> None:
    known, client = world
    found = asked(client, "MATCH (n:N) OPTIONAL MATCH (n)-[e]-() RETURN n.i, count(e)")
    loops = Counter(a for a, b in known.edges if a == b)
    # A loop counts once for a pattern, and twice as a degree.
    assert dict(found) == {i: d - loops[i] for i, d in known.degree}
    undirected = networkx.Graph(known.to_undirected())
    undirected.remove_edges_from(list(networkx.selfloop_edges(undirected)))
    triangles = sum(networkx.triangles(undirected).values()) // 3
    pattern = "MATCH (a:N)-[]-(b:N)-[]-(c:N)-[]-(a) WHERE a.i < b.i AND b.i < c.i"
    text = f"{pattern} WITH DISTINCT a, b, c RETURN count(*)"
    assert asked(client, text) == [[triangles]]


def test_distances_are_found(world: tuple[object, Client]) -> None:
    known, client = world
    lengths = networkx.single_source_shortest_path_length(known.to_undirected(), 0)
    query = "MATCH p = shortestPath((a:N {i: 0})-[*]-(b:N)) RETURN b.i, length(p)"
    found = {i: length for i, length in asked(client, query) if i}
    assert found == {i: length for i, length in lengths.items() if i}
    within = sum(1 for i, length in lengths.items() if 0 < length <= 2)
    text = "MATCH (a:N {i: 0})-[*1..2]-(b) WHERE b.i <> 0 RETURN count(DISTINCT b)"
    assert asked(client, text) == [[within]]
    far = max(lengths, key=lambda i: (lengths[i], i))
    weights = networkx.dijkstra_path_length(known.to_undirected(), 0, far, weight="weight")
    lightest = asked(
        client,
        f"MATCH (a:N {{i: 0}}), (b:N {{i: {far}}}) CALL algo.SPpaths({{sourceNode: a, "
        "targetNode: b, relDirection: 'both', weightProp: 'weight'}) YIELD pathWeight "
        "RETURN pathWeight",
    )
    assert float(lightest[0][0]) == pytest.approx(weights)


def test_algorithms_agree(world: tuple[object, Client]) -> None:
    known, client = world
    parts = asked(client, "CALL algo.WCC() YIELD node, componentId RETURN componentId, count(node)")
    sizes = sorted(map(len, networkx.connected_components(known.to_undirected())))
    assert sorted(count for _, count in parts) == sizes
    rows = asked(client, "CALL algo.pageRank('N', 'E') YIELD node, score RETURN node.i, score")
    ranks = naive_ranks(known)
    assert {i for i, _ in rows} == set(ranks)
    for i, score in rows:
        assert float(score) == pytest.approx(ranks[i], abs=1e-3)
    forest = asked(
        client,
        "CALL algo.MSF({weightAttribute: 'weight'}) YIELD edges UNWIND edges AS e "
        "RETURN count(e), sum(e.weight)",
    )
    tree = networkx.minimum_spanning_edges(
        networkx.Graph(known.to_undirected()), weight="weight", data=True
    )
    weights = [data.get("weight", 1) for _, _, data in tree]
    assert forest[0][0] == len(weights)
    assert float(forest[0][1]) == pytest.approx(sum(weights))


def test_betweenness_agrees(world: tuple[object, Client]) -> None:
    known, client = world
    directed = networkx.DiGraph(list(known.edges))
    directed.add_nodes_from(known.nodes)
    expected = networkx.betweenness_centrality(directed, normalized=False)
    rows = asked(
        client,
        "CALL algo.betweenness({samplingSize: 1000, samplingSeed: 7}) YIELD node, score "
        "RETURN node.i, score",
    )
    for i, score in rows:
        assert float(score) == pytest.approx(expected[i], rel=1e-3, abs=1e-3)
