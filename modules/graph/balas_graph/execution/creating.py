"""Creates the nodes of one pattern for many rows: what is the same for all is looked up once."""

from __future__ import annotations

from balas_graph.errors import type_mismatch
from balas_graph.evaluation.compiler import Evaluate
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import type_name
from balas_graph.execution.storable import PLAIN, storable
from balas_graph.language import tree
from balas_graph.storage.entities import Node


class NodeMaker:
    """Makes a node of each row that it gets, as one pattern describes it."""

    def __init__(self, pattern: tree.NodePattern, run: Run) -> None:
        self.run = run
        self.pattern = pattern
        # Made with the first node: names must not come before it.
        self.label_set = -1
        self.attributes: dict[str, int] = {}
        # Key; where the value is a field of something the row holds, its name and the field.
        self.pairs: list[tuple[str, str | None, str, Evaluate]] = []
        self.whole: Evaluate | None = None
        properties = pattern.properties
        if isinstance(properties, tree.MapOf):
            # Of a key that stands twice the last value counts.
            for key, value in dict(properties.pairs).items():
                name, field = None, ""
                if isinstance(value, tree.Property) and isinstance(value.of, tree.Variable):
                    name, field = value.of.name, value.key
                self.pairs.append((key, name, field, run.compiler.compile(value)))
        elif properties is not None:
            self.whole = run.compiler.compile(properties)

    def labels(self) -> int:
        """The labels as the store knows them; new ones are counted."""
        graph = self.run.graph
        names = tuple(dict.fromkeys(self.pattern.labels))
        self.run.statistics.labels_added += sum(name not in graph.labels.ids for name in names)
        return graph.store.label_set(tuple([graph.label_id(name) for name in names]))

    def properties(self, row: Row) -> dict[int, object]:
        """The properties of a new node, nulls left out."""
        run = self.run
        if self.whole is not None:
            values = self.whole(row, run)
            if not isinstance(values, dict):
                raise type_mismatch("Map", type_name(values))
            return self.kept(values)
        found: dict[int, object] = {}
        for key, name, field, evaluate in self.pairs:
            of = None if name is None else row[name]
            value = of.get(field) if type(of) is dict else evaluate(row, run)
            if value is not None:
                if type(value) not in PLAIN:
                    storable(value)
                found[self.attribute(key)] = value
        return found

    def kept(self, values: dict[str, object]) -> dict[int, object]:
        """The values of a map as properties, nulls left out."""
        return {
            self.attribute(key): value if type(value) in PLAIN else storable(value)
            for key, value in values.items()
            if value is not None
        }

    def attribute(self, key: str) -> int:
        """The id of a property's name, made when it is needed."""
        found = self.attributes.get(key)
        if found is None:
            found = self.attributes[key] = self.run.graph.attributes.intern(key)
        return found

    def make(self, row: Row) -> int:
        """Create a node: its id."""
        if self.label_set < 0:
            self.label_set = self.labels()
        properties = self.properties(row)
        self.run.statistics.nodes_created += 1
        self.run.statistics.properties_set += len(properties)
        return self.run.graph.store.new_node(self.label_set, properties)

    def node(self, row: Row) -> Node:
        """Create a node."""
        return self.run.graph.store.node(self.make(row))

    def rows(self, rows: list[Row]) -> list[Row]:
        """Create a node for every row; the rows with it, if it has a name."""
        name = self.pattern.variable
        result = rows
        if name is None:
            for row in rows:
                self.run.step()
                self.make(row)
            return result
        result = []
        for row in rows:
            self.run.step()
            result.append({**row, name: self.node(row)})
        return result
