"""A graph as bytes: a head of JSON, with names, and blocks of numbers as they stand in memory.

Numbers are of the processor's order of bytes, least first on all that Balas runs on. Values that
need no block of their own are JSON; floats that JSON lacks, and points, are maps with the key "$".
What is read is checked before it is used, since anybody can send it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from balas.api import BadData
from balas_graph.errors import QueryError
from balas_graph.storage import _snapshot
from balas_graph.storage._index import Index
from balas_graph.storage.constraints import Constraint
from balas_graph.storage.definitions import defined, definition
from balas_graph.storage.entities import Point, Vector
from balas_graph.temporal.durations import Duration
from balas_graph.temporal.making import from_text
from balas_graph.temporal.reading import read_duration
from balas_graph.temporal.values import Temporal

if TYPE_CHECKING:
    from balas_graph.storage.graph import Graph

LENGTH_BYTES = 8


def encode(graph: Graph) -> bytes:
    """The bytes that `decode` reads."""
    head, parts, columns = _snapshot.state(graph.store, pack)
    head["labels"] = graph.labels.names
    head["types"] = graph.types.names
    head["attributes"] = graph.attributes.names
    head["constraints"] = [
        [one.unique, one.edges, one.label, list(one.keys), holds]
        for one, holds in graph.constraints.all.items()
    ]
    head["searches"] = [definition(index) for index in graph.store.searches.values()]
    head["columns"] = [[len(column) for column in side] for side in columns]
    text = json.dumps(head, separators=(",", ":")).encode()
    blocks = [text, *parts, *(block for side in columns for column in side for block in column)]
    return joined(blocks)


def joined(blocks: Sequence[bytes]) -> bytes:
    """Blocks, each behind its length."""
    return b"".join(len(block).to_bytes(LENGTH_BYTES, "little") + block for block in blocks)


def decode(graph: Graph, data: bytes) -> None:
    """Fill an empty graph; BadData if it cannot be one."""
    try:
        blocks = divided(data)
        head = json.loads(blocks[0])
        for names, kept in (
            (graph.labels, head["labels"]),
            (graph.types, head["types"]),
            (graph.attributes, head["attributes"]),
        ):
            for name in kept:
                if not isinstance(name, str):
                    raise ValueError("a name that is no text")
                names.intern(name)
        place = 6
        columns: list[list[list[bytes]]] = []
        for side in head["columns"]:
            columns.append([])
            for count in side:
                columns[-1].append(blocks[place : place + count])
                place += count
        counts = len(graph.labels.names), len(graph.types.names), len(graph.attributes.names)
        _snapshot.restore(graph.store, head, blocks[1:6], columns, unpack, counts)
        restore_constraints(graph, head["constraints"])
        for made in head.get("searches", ()):
            graph.add_index(checked(defined(made), graph))
    except (LookupError, ValueError, TypeError, OverflowError, QueryError) as error:
        raise BadData(f"a graph that cannot be read: {error}") from error
    graph.keep_names()
    graph.keep()


def checked(index: Index, graph: Graph) -> Index:
    """An index of a file, if its label and its property have names."""
    names = graph.types if index.edges else graph.labels
    if not (0 <= index.label < len(names.names) and 0 <= index.key < len(graph.attributes.names)):
        raise ValueError("an index of nothing")
    return index


def picture(graph: Graph) -> bytes:
    """All that can be seen of a graph: the same for equal ones, however they came to be."""
    store = graph.store
    nodes = [
        [
            id,
            store.label_sets[store.labels_of(id)],
            [[key, pack(value)] for key, value in store.properties(False, id).items()],
        ]
        for id in store.nodes_with(-1).tolist()
    ]
    edges = [
        [
            id,
            store.edge(id).type,
            *(int(end[0]) for end in store.ends_of(np.array([id], np.int32))),
            [[key, pack(value)] for key, value in store.properties(True, id).items()],
        ]
        for id in store.edges_of(-1).tolist()
    ]
    orders = [
        [[type, list(found)] for type, found in store.beside(node[0], incoming).items()]
        for node in nodes
        for incoming in (False, True)
    ]
    indexes = (*store.indexes.values(), *store.searches.values())
    store.forget_handles()
    return json.dumps(
        [
            graph.labels.names,
            graph.types.names,
            graph.attributes.names,
            sorted(map(repr, graph.constraints.all.items())),
            sorted(json.dumps(definition(index)) for index in indexes),
            [store.free_nodes, store.free_edges],
            nodes,
            edges,
            orders,
        ]
    ).encode()


def divided(data: bytes) -> list[bytes]:
    """The blocks of a file, each behind its length."""
    blocks = []
    place = 0
    while place < len(data):
        length = int.from_bytes(data[place : place + LENGTH_BYTES], "little")
        place += LENGTH_BYTES
        if place + length > len(data):
            raise ValueError("a block without its end")
        blocks.append(data[place : place + length])
        place += length
    return blocks


def restore_constraints(graph: Graph, kept: list[list[Any]]) -> None:
    """The constraints of a file."""
    for unique, edges, label, keys, holds in kept:
        one = Constraint(bool(unique), bool(edges), int(label), tuple(map(int, keys)))
        place = one.edges, one.label, one.keys[0]
        if one.unique and graph.store.index_of(*place) is None:
            raise ValueError("a constraint without an index")
        graph.constraints.all[one] = bool(holds)


def pack(value: object) -> object:
    """A property as JSON can hold it."""
    if isinstance(value, list):
        return [pack(item) for item in value]
    if isinstance(value, Point):
        return {"$": "point", "at": [value.latitude, value.longitude]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": repr(value)}
    if isinstance(value, Vector):
        return {"$": "vector", "at": list(value.numbers)}
    if isinstance(value, (Temporal, Duration)):
        return {"$": value.kind, "is": value.written()}
    return value


def unpack(value: Any) -> object:
    """A property from JSON."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if isinstance(value, dict):
        kind = value["$"]
        if "is" in value:
            text = str(value["is"])
            return read_duration(text) if kind == "duration" else from_text(kind, text)
        if kind == "vector":
            return Vector(tuple(map(float, value["at"])))
        return Point(*value["at"]) if kind == "point" else float(kind)
    return value
