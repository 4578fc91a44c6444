"""RETURN and WITH on columns: aggregation, and plain values of properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing

from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import group_key
from balas_graph.execution._groups import grouped
from balas_graph.execution.access import distinct
from balas_graph.language import tree
from balas_graph.language.tree import Expression
from balas_graph.storage import _walk
from balas_graph.storage._columns import Column

if TYPE_CHECKING:
    from balas_graph.execution.batches import Batch

Groups = np.typing.NDArray[np.int64]


class Columns:
    """The values of expressions over a batch."""

    def __init__(self, batch: Batch, run: Run) -> None:
        self.batch = batch
        self.run = run
        self.store = run.graph.store

    def covers(self, value: Expression) -> bool:
        """Whether an expression is a node, an edge or a property of one."""
        if isinstance(value, tree.Property):
            value = value.of
        elif isinstance(value, tree.Variable) and value.name in self.batch.values:
            return True
        return isinstance(value, tree.Variable) and (
            value.name in self.batch.nodes or value.name in self.batch.edges
        )

    def ids(self, name: str) -> np.typing.NDArray[np.int32]:
        """The ids a name is bound to."""
        found = self.batch.nodes.get(name)
        return self.batch.edges[name] if found is None else found

    def column(self, value: tree.Property) -> tuple[Column | None, np.typing.NDArray[np.int32]]:
        """The column of a property, if there is any, and whose values are wanted of it."""
        assert isinstance(value.of, tree.Variable)
        name = value.of.name
        columns = self.store.edge_columns if name in self.batch.edges else self.store.node_columns
        key = self.run.graph.attributes.get(value.key)
        return columns[key] if 0 <= key < len(columns) else None, self.ids(name)

    def values(self, value: Expression) -> list[object]:
        """The values of an expression that is covered, one for each binding."""
        if isinstance(value, tree.Property):
            column, ids = self.column(value)
            return [None] * self.batch.count if column is None else column.values(ids)
        assert isinstance(value, tree.Variable)
        if value.name in self.batch.values:
            return list(self.batch.values[value.name].tolist())
        if value.name in self.batch.edges:
            return [self.store.edge(id) for id in self.ids(value.name).tolist()]
        return [self.store.node(id) for id in self.ids(value.name).tolist()]

    def keys(self, value: Expression) -> list[object]:
        """The same for grouping: ids stand for what they belong to."""
        if isinstance(value, tree.Variable) and value.name not in self.batch.values:
            return list(self.ids(value.name).tolist())
        return self.values(value)

    def groups(self, keys: list[Expression]) -> tuple[Groups, list[int]]:
        """The number of each binding's group, and the first binding of each."""
        if not keys:
            return np.zeros(self.batch.count, np.int64), [0] if self.batch.count else []
        if len(keys) == 1 and isinstance(keys[0], tree.Property):
            column, ids = self.column(keys[0])
            found = None if column is None else column.groups(ids)
            if found is not None:
                return found
        return grouped([self.keys(key) for key in keys], group_key)

    def at(self, keys: list[Expression], places: list[int]) -> list[list[object]]:
        """The values of expressions at some bindings."""
        part = Columns(self.batch.take(np.array(places, np.int64)), self.run)
        return [part.values(key) for key in keys]

    def scopes(self, keys: list[Expression], first: list[int]) -> list[Row]:
        """For each group a row with the names that its keys need."""
        if not first:
            return []
        return self.batch.take(np.array(first, np.int64)).rows(self.run) if keys else [{}]

    def aggregate(self, call: tree.Call, groups: Groups, count: int) -> list[object] | None:
        """The values of an aggregate for each group; None if it needs rows."""
        if call.star:
            return list(np.bincount(groups, minlength=count).tolist())
        value = call.arguments[0]
        if not self.covers(value) or len(call.arguments) > 1:
            return None
        if isinstance(value, tree.Variable) and value.name in self.batch.values:
            if call.name in ("min", "max") and count == 1:
                numbers = self.batch.values[value.name]
                return [float(numbers.min() if call.name == "min" else numbers.max())]
            return self.listed(call, self.values(value), groups, count)
        if isinstance(value, tree.Variable):
            if call.name != "count":
                return None
            if not call.distinct:
                return list(np.bincount(groups, minlength=count).tolist())
            ids = self.ids(value.name)
            if count == 1:
                of_edges = value.name in self.batch.edges
                limit = self.store.edge_limit if of_edges else self.store.node_limit
                return [_walk.different(ids, limit)]
            ids = ids.astype(np.int64)
            pairs = distinct(groups * (1 << 32) + ids)
            return list(np.bincount(pairs >> 32, minlength=count).tolist())
        if not call.distinct and call.name in ("sum", "min", "max", "avg", "count"):
            found = self.numbers(call.name, value, groups, count)
            if found is not None:
                return found
        return self.listed(call, self.values(value), groups, count)

    def numbers(
        self, name: str, value: Expression, groups: Groups, count: int
    ) -> list[object] | None:
        """An aggregate of integers, or of floats; None if the values are others."""
        assert isinstance(value, tree.Property)
        column, ids = self.column(value)
        found = None if column is None else column.totals(ids, groups, count)
        if found is None:
            return None
        counts, sums, least, greatest = found
        if name in ("sum", "avg") and sums.dtype == np.float64:
            # The functions add floats up more exactly.
            return None
        if name in ("count", "sum"):
            return list((counts if name == "count" else sums).tolist())
        if name == "avg":
            pairs = zip(sums.tolist(), counts.tolist(), strict=True)
            return [total / n if n else None for total, n in pairs]
        bounds = (least if name == "min" else greatest).tolist()
        return [b if n else None for b, n in zip(bounds, counts.tolist(), strict=True)]

    def listed(
        self, call: tree.Call, values: list[object], groups: Groups, count: int
    ) -> list[object]:
        """An aggregate of the values of each group in a list."""
        members: list[list[object]] = [[] for _ in range(count)]
        numbers = groups.tolist()
        for part in self.run.slices(len(values)):
            for value, group in zip(values[part], numbers[part], strict=True):
                if value is not None:
                    members[group].append(value)
        found = self.run.registry.functions[call.name]
        results = []
        for inside in self.run.each(members):
            if call.distinct:
                inside = list({group_key(value): value for value in inside}.values())
            found.check_each(inside)
            results.append(found.body(self.run, inside))
        return results
