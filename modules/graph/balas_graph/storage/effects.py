"""What a query has changed, as the log and replicas get it: effects, not the text.

A text may depend on chance, the clock, a file, or on the order in which rows are found. Effects
are the nodes and edges that came and went, in order, so that ids and lists of edges come out the
same; and for each that is there at the end, if it was changed, all its labels and properties.
Those of the same labels and properties stand together, value by value in columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from balas.api import BadData
from balas_graph.errors import QueryError
from balas_graph.storage import _effects
from balas_graph.storage.definitions import defined, definition
from balas_graph.storage.files import checked, divided, joined, pack, unpack
from balas_graph.storage.graph import Graph

# Values that JSON has as they are.
PLAIN = (int, str, bool)


def encode(graph: Graph) -> bytes:
    """The changes since they were last kept, as bytes that `apply` takes."""
    store = graph.store
    rows, indexes = _effects.steps(store)
    nodes, edges = store.changed()
    head: dict[str, Any] = {
        "names": [
            names.names[names.kept :] for names in (graph.labels, graph.types, graph.attributes)
        ],
        "nodes": list(alike(graph, False, nodes)),
        "edges": list(alike(graph, True, edges)),
    }
    if indexes:
        every = (*store.indexes.values(), *store.searches.values())
        head["indexes"] = [definition(index) for index in every]
    text = json.dumps(head, separators=(",", ":")).encode()
    return joined([text, np.ascontiguousarray(rows).tobytes()])


def alike(graph: Graph, edges: bool, ids: list[int]) -> Iterator[list[Any]]:
    """[labels, properties, ids, the values of each property] of entities that have the same."""
    store = graph.store
    columns = store.edge_columns if edges else store.node_columns
    groups: dict[tuple[int, int], list[int]] = {}
    for id in ids:
        groups.setdefault(store.kind_of(edges, id), []).append(id)
    for (labels, shape), members in groups.items():
        keys = store.shapes[shape]
        places = np.array(members, np.int32)
        values = [
            [
                value if type(value) in PLAIN else pack(value)
                for value in columns[key].values(places)
            ]
            for key in keys
        ]
        yield [[] if edges else store.label_sets[labels], keys, members, values]


def apply(graph: Graph, data: bytes) -> None:
    """Change a graph as effects tell; BadData, and the graph as before, if that cannot be."""
    try:
        text, rows = divided(data)
        head = json.loads(text)
        for names, new in zip(
            (graph.labels, graph.types, graph.attributes), head["names"], strict=True
        ):
            for name in new:
                names.intern(str(name))
        changes = np.frombuffer(rows, np.int32).reshape(-1, 5)
        _effects.take(graph.store, changes, len(graph.types.names))
        for edges, groups in ((False, head["nodes"]), (True, head["edges"])):
            for group in groups:
                fill(graph, edges, *group)
        if "indexes" in head:
            take_indexes(graph, head["indexes"])
    except (LookupError, ValueError, TypeError, OverflowError, QueryError) as error:
        graph.roll_back()
        raise BadData(f"effects that cannot be: {error}") from error


def fill(
    graph: Graph, edges: bool, labels: list[int], keys: list[int], ids: list[int],
    values: list[list[Any]],
) -> None:  # fmt: skip
    """Give entities their labels and properties, and no others."""
    store = graph.store
    there = store.has_edge if edges else store.has_node
    if not all(0 <= key < len(graph.attributes.names) for key in keys) or not all(
        0 <= label < len(graph.labels.names) for label in labels
    ):
        raise ValueError("a name that is not there")
    for place, id in enumerate(ids):
        if not there(id):
            raise ValueError("an entity that is not there")
        if not edges:
            wanted = store.label_set(tuple(labels))
            if store.labels_of(id) != wanted:
                store.set_labels(id, wanted)
        known = list(store.properties(edges, id))
        if known != keys[: len(known)]:
            for key in known:
                store.set_property(edges, id, key, None)
        for key, column in zip(keys, values, strict=True):
            value = unpack(column[place])
            if value is None:
                raise ValueError("a property without a value")
            store.set_property(edges, id, key, value)


def take_indexes(graph: Graph, wanted: list[list[Any]]) -> None:
    """Have these indexes and no others."""
    known = {
        json.dumps(definition(index)): index
        for index in (*graph.store.indexes.values(), *graph.store.searches.values())
    }
    texts = [json.dumps(one) for one in wanted]
    for text, index in known.items():
        if text not in texts:
            graph.remove_index(index)
    for text, one in zip(texts, wanted, strict=True):
        if text not in known:
            graph.add_index(checked(defined(one), graph))
