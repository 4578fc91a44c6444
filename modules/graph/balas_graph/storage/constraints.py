"""Constraints: properties that must be there, and values that must differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from balas_graph.errors import QueryError

if TYPE_CHECKING:
    from balas_graph.storage.graph import Graph


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint: of the nodes of a label or the edges of a type, by properties' ids."""

    unique: bool
    edges: bool
    label: int
    keys: tuple[int, ...]


class Constraints:
    """The constraints of a graph, each with whether its data kept it when it was made."""

    def __init__(self) -> None:
        self.all: dict[Constraint, bool] = {}

    def add(self, graph: Graph, made: Constraint) -> None:
        """Add a constraint; it fails, and stays without effect, if the data break it."""
        store = graph.store
        ids = store.edges_of(made.label) if made.edges else store.nodes_with(made.label)
        try:
            for id in ids.tolist():
                self.check(graph, made, id)
        except QueryError:
            self.all[made] = False
        else:
            self.all[made] = True

    def needs(self, edges: bool, label: int, key: int) -> bool:
        """Whether a constraint rests on an index."""
        return any(
            one.unique and one.edges == edges and one.label == label and key in one.keys
            for one in self.all
        )

    def check_changes(self, graph: Graph) -> None:
        """QueryError if what a query has changed breaks a constraint."""
        if not self.all or not graph.store.change_count:
            return
        nodes, edges = graph.store.changed()
        for one, holds in self.all.items():
            if holds:
                for id in edges if one.edges else nodes:
                    self.check(graph, one, id)

    @staticmethod
    def check(graph: Graph, one: Constraint, id: int) -> None:
        """QueryError if a node or an edge breaks a constraint."""
        store = graph.store
        if one.edges:
            if store.edge(id).type != one.label:
                return
            name = graph.types.names[one.label]
        else:
            if one.label not in store.label_sets[store.labels_of(id)]:
                return
            name = graph.labels.names[one.label]
        values = [store.get(one.edges, id, key) for key in one.keys]
        if not one.unique:
            if None in values:
                missing = graph.attributes.names[one.keys[values.index(None)]]
                raise QueryError(
                    f"mandatory constraint violation: "
                    f"{'edge with relationship-type' if one.edges else 'node with label'} "
                    f"{name} missing property {missing}"
                )
            return
        if None in values:
            return
        index = store.index_of(one.edges, one.label, one.keys[0])
        for other in index.find(values[0]) if index is not None else ():
            if other != id and all(
                store.get(one.edges, other, key) == value
                for key, value in zip(one.keys[1:], values[1:], strict=True)
            ):
                kind = "edge of relationship-type" if one.edges else "node of type"
                raise QueryError(f"unique constraint violation on {kind} {name}")
