"""The store of nodes and edges against dicts, through changes, undoing, copies and files."""

import os
from random import Random

import pytest

from balas.api import BadData
from balas_graph.storage import files
from balas_graph.storage.entities import Edge, Node, Point
from balas_graph.storage.graph import Graph

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "12"))
VALUES = [
    1, -(2**63), 2**63 - 1, 2.5, True, False, "", "short", "seven77", "a text of more bytes",
    "ä" * 9, "\ud800", [1, "two"], Point(1.0, 2.0), float("inf"),
]  # fmt: skip


def picture(graph: Graph) -> dict[str, object]:
    """Everything in a graph as plain values."""
    nodes, edges = {}, {}
    for id in graph.nodes:
        node = graph.nodes[id]
        assert isinstance(node, Node)
        out = {type: list(inner) for type, inner in node.outgoing.items()}
        into = {type: list(inner) for type, inner in node.incoming.items()}
        nodes[id] = node.labels, list(node.properties.items()), out, into
    for id in graph.edges:
        edge = graph.edges[id]
        assert isinstance(edge, Edge)
        pairs = list(edge.properties.items())
        edges[id] = edge.type, edge.source.id, edge.target.id, pairs
    found = {
        (edges, label, key, repr(value)): list(index.find(value))
        for (edges, label, key), index in graph.store.indexes.items()
        for value in VALUES
    }
    return {"nodes": nodes, "edges": edges, "indexes": found}


def change(graph: Graph, chance: Random) -> None:
    """One change by chance."""
    nodes = [graph.nodes[id] for id in graph.nodes]
    edges = [graph.edges[id] for id in graph.edges]
    labels = [graph.label_id(name) for name in "ABC"]
    keys = [graph.attributes.intern(name) for name in "xyz"]
    types = [graph.types.intern(name) for name in "RS"]
    what = chance.randrange(9)
    if what < 2 or not nodes:
        given = {key: chance.choice(VALUES) for key in chance.sample(keys, chance.randrange(4))}
        graph.create_node(chance.sample(labels, chance.randrange(3)), given)
    elif what < 4:
        source, target = chance.choice(nodes), chance.choice(nodes)
        assert isinstance(source, Node)
        assert isinstance(target, Node)
        given = {keys[0]: chance.choice(VALUES)} if chance.random() < 0.5 else {}
        graph.create_edge(chance.choice(types), source, target, given)
    elif what == 4 and edges:
        graph.delete_edge(chance.choice(edges))  # type: ignore[arg-type]
    elif what == 5:
        node = chance.choice(nodes)
        assert isinstance(node, Node)
        if not node.outgoing and not node.incoming:
            graph.delete_node(node)
    elif what == 6:
        node = chance.choice(nodes)
        assert isinstance(node, Node)
        (graph.add_label if chance.random() < 0.5 else graph.drop_label)(
            node, chance.choice(labels)
        )
    elif what == 7:
        entity = chance.choice([*nodes, *edges])
        graph.set_property(entity, chance.choice(keys), chance.choice([None, *VALUES]))
    elif graph.store.index_of(False, labels[0], keys[0]) is None:
        graph.create_index(False, labels[0], keys[0])
        graph.create_index(True, types[0], keys[0])
    elif chance.random() < 0.2:
        graph.drop_index(False, labels[0], keys[0])
        graph.drop_index(True, types[0], keys[0])


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_what_fails_leaves_no_trace(seed: int) -> None:
    chance, graph = Random(seed), Graph()
    for _ in range(12):
        for _ in range(chance.randrange(25)):
            change(graph, chance)
        graph.keep()
        before = picture(graph)
        graph.keep()
        for _ in range(chance.randrange(40)):
            change(graph, chance)
        graph.roll_back()
        assert picture(graph) == before
        graph.keep()


@pytest.mark.parametrize("seed", range(EXAMPLES))
def test_a_file_holds_everything(seed: int) -> None:
    chance, graph = Random(seed), Graph()
    for _ in range(chance.randrange(120)):
        change(graph, chance)
    graph.keep()
    twin = graph.copy()
    assert picture(twin) == picture(graph)
    assert files.encode(twin) == files.encode(graph)
    for _ in range(30):
        state = chance.getstate()
        for one in (graph, twin):
            chance.setstate(state)
            change(one, chance)
    assert picture(twin) == picture(graph)


def test_many_values_of_a_property_go_into_cells() -> None:
    graph, chance = Graph(), Random(1)
    key = graph.attributes.intern("x")
    values = {}
    for _ in range(500):
        value = chance.choice(VALUES)
        values[graph.create_node([], {key: value}).id] = value
    for _ in range(3000):
        id = chance.randrange(500)
        values[id] = chance.choice([None, "text " * chance.randrange(40), *VALUES])
        graph.set_property(graph.nodes[id], key, values[id])
    assert {id: graph.store.get(False, id, key) for id in values} == values
    graph.keep()
    twin = graph.copy()
    assert {id: twin.store.get(False, id, key) for id in values} == values
    kinds = {id: type(twin.store.get(False, id, key)) for id in values}
    assert kinds == {id: type(value) for id, value in values.items()}


def test_damaged_files_are_refused_or_harmless() -> None:
    chance, graph = Random(2), Graph()
    for _ in range(60):
        change(graph, chance)
    graph.keep()
    data = files.encode(graph)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        if chance.random() < 0.2:
            damaged = damaged[: chance.randrange(len(damaged))]
        read = Graph()
        try:
            files.decode(read, bytes(damaged))
        except BadData:
            refused += 1
        else:
            picture(read)
            files.encode(read)
    assert refused > 500


def test_memory_is_what_the_parts_take() -> None:
    graph = Graph()
    empty = graph.memory_usage()
    key = graph.attributes.intern("x")
    nodes = [graph.create_node([], {key: number}) for number in range(20_000)]
    for number in range(20_000):
        graph.create_edge(0, nodes[number], nodes[number * 7 % 20_000], {})
    graph.keep()
    used = graph.memory_usage() - empty
    assert 20_000 * (8 + 9 + 32 + 8) <= used <= 20_000 * (8 + 9 + 32 + 8) * 1.5
