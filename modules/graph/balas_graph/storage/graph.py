"""A graph: what a key of the type graphdata holds.

The names of labels, types and properties are here, with indexes and constraints; nodes and edges
stand in a `Store`. Every change leaves behind how to take it back: a query that fails undoes what
it did, from the last change to the first. Ids of deleted nodes and edges are given again, the
latest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from balas.api import Digest, LoadStream, NotUnderstood, SaveStream, Value
from balas_graph.storage import files
from balas_graph.storage._index import Index, RangeIndex
from balas_graph.storage._store import Edge, Node, Store
from balas_graph.storage.constraints import Constraints
from balas_graph.storage.names import Names

# Measured with sys.getsizeof on an empty graph as it is made here.
GRAPH_BYTES = 4000
# What GRAPH.SLOWLOG keeps: queries of at least so many milliseconds, so many, cut to this length.
SLOW_MS, SLOW_MAX, SLOW_TEXT_MAX = 10.0, 10, 2048
# A name stands in a list and in a dict.
NAME_BYTES = 200


class Graph(Value):
    """Nodes and edges with labels, types and properties."""

    type_name = "graphdata"
    rdb_version = 102

    def __init__(self) -> None:
        self.store = Store()
        self.labels = Names()
        self.types = Names()
        self.attributes = Names()
        self.constraints = Constraints()
        # The slowest queries: seconds since 1970, command, text, milliseconds.
        self.slow: list[tuple[int, str, str, float]] = []

    def note_slow(self, now_s: int, command: str, text: str, spent_ms: float) -> None:
        """Keep a query among the slowest; one that is known keeps its longest time."""
        if spent_ms < SLOW_MS:
            return
        for place, (_, name, known, longest) in enumerate(self.slow):
            if (name, known) == (command, text):
                if spent_ms > longest:
                    self.slow[place] = now_s, command, text, spent_ms
                return
        self.slow.append((now_s, command, text[:SLOW_TEXT_MAX], spent_ms))
        if len(self.slow) > SLOW_MAX:
            self.slow.remove(min(self.slow, key=lambda one: one[3]))

    @property
    def nodes(self) -> Entities:
        """The nodes by their ids."""
        return Entities(self.store, False)

    @property
    def edges(self) -> Entities:
        """The edges by their ids."""
        return Entities(self.store, True)

    # Names

    def label_id(self, name: str) -> int:
        """The id of a label, made if it is new."""
        return self.labels.intern(name)

    # Changes

    def create_node(self, labels: Iterable[int], properties: dict[int, object]) -> Node:
        """A new node."""
        chosen = self.store.label_set(tuple(labels))
        return self.store.node(self.store.new_node(chosen, properties))

    def create_edge(
        self, type: int, source: Node, target: Node, properties: dict[int, object]
    ) -> Edge:
        """A new edge between two nodes."""
        return self.store.edge(self.store.new_edge(type, source.id, target.id, properties))

    def delete_edge(self, edge: Edge) -> None:
        """Delete an edge."""
        self.store.delete_edge(edge.id)

    def delete_node(self, node: Node) -> None:
        """Delete a node that has no edges left."""
        self.store.delete_node(node.id)

    def add_label(self, node: Node, label: int) -> bool:
        """Give a node a label; whether it is new to it."""
        labels = node.labels
        if label in labels:
            return False
        self.store.set_labels(node.id, self.store.label_set((*labels, label)))
        return True

    def drop_label(self, node: Node, label: int) -> bool:
        """Take a label from a node; whether it had it."""
        labels = node.labels
        if label not in labels:
            return False
        rest = tuple(one for one in labels if one != label)
        self.store.set_labels(node.id, self.store.label_set(rest))
        return True

    def set_property(self, entity: Node | Edge, key: int, value: object) -> bool:
        """Set a property, or remove it by None; whether there was or is one."""
        return self.store.set_property(isinstance(entity, Edge), entity.id, key, value)

    def create_index(self, edges: bool, label: int, key: int) -> bool:
        """Index the nodes of a label, or the edges of a type, by the values of a property; False if
        they are.
        """
        if self.store.index_of(edges, label, key) is not None:
            return False
        self.add_index(RangeIndex(edges, label, key))
        return True

    def drop_index(self, edges: bool, label: int, key: int) -> bool:
        """Drop such an index; False if there is none."""
        found = self.store.index_of(edges, label, key)
        if found is None:
            return False
        self.remove_index(found)
        return True

    def add_index(self, made: Index) -> None:
        """Add an index of any kind."""
        self.store.attach(made)
        self.store.log_call(lambda: self.store.detach(made))

    def remove_index(self, found: Index) -> None:
        """Remove an index of any kind."""
        self.store.detach(found)
        self.store.log_call(lambda: self.store.attach(found, True))

    def searches(self, kind: str, edges: bool, label: int) -> list[Index]:
        """The indexes of one kind, other than of values, of a label or a type."""
        return [
            found
            for (of_kind, of_edges, of_label, _), found in self.store.searches.items()
            if (of_kind, of_edges, of_label) == (kind, edges, label)
        ]

    def roll_back(self) -> None:
        """Undo everything since the changes were last kept."""
        self.store.roll_back()
        self.forget_names()

    def forget_names(self) -> None:
        """Forget the names that came with changes that were not kept."""
        for names in (self.labels, self.types, self.attributes):
            names.forget()

    def keep(self) -> None:
        """The changes stay, and the names that came with them."""
        if self.store.change_count:
            self.keep_names()
        else:
            self.forget_names()
        self.store.keep()

    def keep_names(self) -> None:
        """The names stay."""
        for names in (self.labels, self.types, self.attributes):
            names.keep()

    # The contract of values

    def memory_usage(self) -> int:
        """Bytes: the sizes of the parts, which are few, and nothing is walked."""
        names = len(self.labels.names) + len(self.types.names) + len(self.attributes.names)
        return GRAPH_BYTES + NAME_BYTES * names + sum(self.store.memory_parts().values())

    def free_effort(self) -> int:
        """As many allocations as there are parts and Python objects in them."""
        return 1 + len(self.store.node_columns) + len(self.store.edge_columns)

    def copy(self) -> Self:
        """A graph of its own with the same ids."""
        twin = type(self)()
        files.decode(twin, files.encode(self))
        return twin

    def digest(self, digest: Digest) -> None:
        """All that can be seen, however it is kept."""
        digest.add(files.picture(self))

    def rdb_save(self, out: SaveStream) -> None:
        """Write the layout that `files` describes."""
        out.save_string(files.encode(self))

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read that layout; NotUnderstood for that of another graph database."""
        if version != cls.rdb_version:
            raise NotUnderstood(f"graph of a version not known: {version}")
        graph = cls()
        files.decode(graph, source.load_string())
        return graph

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One command that sets the whole graph."""
        yield b"GRAPH._RESTORE", key, files.encode(self)


class Entities:
    """All nodes, or all edges, as a mapping from ids."""

    def __init__(self, store: Store, edges: bool) -> None:
        self.store = store
        self.of_edges = edges

    def __len__(self) -> int:
        return self.store.edge_count if self.of_edges else self.store.node_count

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, int):
            return False
        return self.store.has_edge(id) if self.of_edges else self.store.has_node(id)

    def __iter__(self) -> Iterator[int]:
        ids = self.store.edges_of(-1) if self.of_edges else self.store.nodes_with(-1)
        return iter(ids.tolist())

    def __getitem__(self, id: int) -> Node | Edge:
        if id not in self:
            raise KeyError(id)
        return self.store.edge(id) if self.of_edges else self.store.node(id)
