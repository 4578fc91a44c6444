"""A graph: what a key of the type graphdata holds.

Every change goes through the methods of `Graph`, which leave behind how to take it back: a query
that fails undoes what it did, from the last change to the first. Ids of deleted nodes and edges
are given again, the latest first. Sizes are kept as the graph changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

from balas.api import Digest, LoadStream, NotUnderstood, SaveStream, Value
from balas_graph.storage import files
from balas_graph.storage.entities import Edge, Node
from balas_graph.storage.names import Names

# Measured with sys.getsizeof on objects as they are made here.
GRAPH_BYTES = 2000
NODE_BYTES = 420
EDGE_BYTES = 260
PROPERTY_BYTES = 90


class Graph(Value):
    """Nodes and edges with labels, types and properties."""

    type_name = "graphdata"
    rdb_version = 101

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self.edges: dict[int, Edge] = {}
        self.labels = Names()
        self.types = Names()
        self.attributes = Names()
        self.labelled: list[dict[int, Node]] = []
        self.free_nodes: list[int] = []
        self.free_edges: list[int] = []
        self.indexes: dict[tuple[int, int], dict[object, dict[int, Node]]] = {}
        self.undo: list[Callable[[], object]] = []
        self.size = GRAPH_BYTES

    # Names

    def label_id(self, name: str) -> int:
        """The id of a label, made if it is new."""
        found = self.labels.intern(name)
        while len(self.labelled) <= found:
            self.labelled.append({})
        return found

    # Changes

    def create_node(self, labels: Iterable[int], properties: dict[int, object]) -> Node:
        """A new node."""
        node = Node(self.free_nodes.pop() if self.free_nodes else len(self.nodes))
        self.nodes[node.id] = node
        self.size += NODE_BYTES
        self.undo.append(lambda: self.remove_node(node))
        for label in labels:
            self.add_label(node, label)
        for key, value in properties.items():
            self.set_property(node, key, value)
        return node

    def create_edge(
        self, type: int, source: Node, target: Node, properties: dict[int, object]
    ) -> Edge:
        """A new edge between two nodes."""
        edge = Edge(
            self.free_edges.pop() if self.free_edges else len(self.edges), type, source, target
        )
        self.attach(edge)
        self.undo.append(lambda: self.detach(edge))
        for key, value in properties.items():
            self.set_property(edge, key, value)
        return edge

    def attach(self, edge: Edge) -> None:
        """Put an edge between its nodes."""
        edge.deleted = False
        self.edges[edge.id] = edge
        edge.source.outgoing.setdefault(edge.type, {})[edge.id] = edge
        edge.target.incoming.setdefault(edge.type, {})[edge.id] = edge
        self.size += EDGE_BYTES

    def detach(self, edge: Edge) -> None:
        """Take an edge away from its nodes."""
        edge.deleted = True
        del self.edges[edge.id]
        for side in (edge.source.outgoing, edge.target.incoming):
            del side[edge.type][edge.id]
            if not side[edge.type]:
                del side[edge.type]
        self.free_edges.append(edge.id)
        self.size -= EDGE_BYTES

    def delete_edge(self, edge: Edge) -> None:
        """Delete an edge."""
        self.detach(edge)

        def back() -> None:
            self.free_edges.remove(edge.id)
            self.attach(edge)

        self.undo.append(back)

    def remove_node(self, node: Node) -> None:
        """Take a node without edges away."""
        node.deleted = True
        del self.nodes[node.id]
        self.free_nodes.append(node.id)
        self.size -= NODE_BYTES

    def delete_node(self, node: Node) -> None:
        """Delete a node that has no edges left."""
        for label in node.labels:
            del self.labelled[label][node.id]
            for key, value in node.properties.items():
                self.unindex(node, label, key, value)
        self.remove_node(node)

        def back() -> None:
            self.free_nodes.remove(node.id)
            node.deleted = False
            self.nodes[node.id] = node
            self.size += NODE_BYTES
            for label in node.labels:
                self.labelled[label][node.id] = node
                for key, value in node.properties.items():
                    self.index(node, label, key, value)

        self.undo.append(back)

    def add_label(self, node: Node, label: int) -> bool:
        """Give a node a label; whether it is new to it."""
        if label in node.labels:
            return False
        node.labels.append(label)
        self.labelled[label][node.id] = node
        for key, value in node.properties.items():
            self.index(node, label, key, value)
        self.undo.append(lambda: self.drop_label(node, label))
        return True

    def drop_label(self, node: Node, label: int) -> bool:
        """Take a label from a node; whether it had it."""
        if label not in node.labels:
            return False
        node.labels.remove(label)
        del self.labelled[label][node.id]
        for key, value in node.properties.items():
            self.unindex(node, label, key, value)
        self.undo.append(lambda: self.add_label(node, label))
        return True

    def set_property(self, entity: Node | Edge, key: int, value: object) -> bool:
        """Set a property, or remove it by None; whether there was or is one."""
        old = entity.properties.get(key)
        if old is None and value is None:
            return False
        if isinstance(entity, Node):
            for label in entity.labels:
                if old is not None:
                    self.unindex(entity, label, key, old)
                if value is not None:
                    self.index(entity, label, key, value)
        if value is None:
            del entity.properties[key]
        else:
            entity.properties[key] = value
        self.size += weight(value) - weight(old)
        self.undo.append(lambda: self.set_property(entity, key, old))
        return True

    def roll_back(self) -> None:
        """Undo everything since the changes were last kept."""
        while self.undo:
            steps, self.undo = self.undo, []
            for step in reversed(steps):
                step()
                self.undo = []

    def keep(self) -> None:
        """The changes stay."""
        self.undo = []

    # Indexes

    def index(self, node: Node, label: int, key: int, value: object) -> None:
        """Enter a value into the index of a label and a property, if there is one."""
        found = self.indexes.get((label, key))
        if found is not None:
            found.setdefault(index_key(value), {})[node.id] = node

    def unindex(self, node: Node, label: int, key: int, value: object) -> None:
        """Take a value out of its index."""
        found = self.indexes.get((label, key))
        if found is not None:
            entries = found[index_key(value)]
            del entries[node.id]
            if not entries:
                del found[index_key(value)]

    def create_index(self, label: int, key: int) -> bool:
        """Index the nodes of a label by a property; False if that is done already."""
        if (label, key) in self.indexes:
            return False
        self.indexes[label, key] = {}
        for node in self.labelled[label].values():
            if key in node.properties:
                self.index(node, label, key, node.properties[key])
        return True

    # The contract of values

    def memory_usage(self) -> int:
        """Bytes, by the sizes measured for each kind of part."""
        return self.size

    def free_effort(self) -> int:
        """As many allocations as there are nodes and edges."""
        return len(self.nodes) + len(self.edges) + 1

    def copy(self) -> Self:
        """A graph of its own with the same ids."""
        twin = type(self)()
        files.restore(twin, files.state(self))
        return twin

    def digest(self, digest: Digest) -> None:
        """Everything that a file keeps, in the order of ids."""
        digest.add(files.encode(self))

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


def index_key(value: object) -> object:
    """What an index knows a value by: equal values share it, and lists can be kept."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(index_key(item) for item in value))
    return value


def weight(value: object) -> int:
    """About the bytes a property takes."""
    if value is None:
        return 0
    return PROPERTY_BYTES + (len(value) if isinstance(value, str) else 0)
