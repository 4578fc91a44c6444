"""WITH and RETURN: aggregation, DISTINCT, ORDER BY, SKIP, LIMIT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.compiler import truth
from balas_graph.evaluation.registry import Registry
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import group_key, order_key, type_name
from balas_graph.execution.columnar import Columns, Groups
from balas_graph.execution.table import Table
from balas_graph.language import tree
from balas_graph.language.tree import Expression, Variable

if TYPE_CHECKING:
    from balas_graph.execution.batches import Batch

Aggregates = dict[str, tree.Call]


def is_aggregate(node: object, registry: Registry) -> bool:
    """Whether an expression is a call of an aggregating function."""
    if not isinstance(node, tree.Call):
        return False
    found = registry.functions.get(node.name)
    return found is not None and found.aggregate


def rewrite(node: object, registry: Registry, found: Aggregates, names: Row) -> object:
    """The expression with aggregates, and what `names` holds, replaced by variables."""
    if isinstance(node, tree.Variable) and node.name in names:
        return node
    if isinstance(node, Expression):
        for name, value in names.items():
            if node == value:
                return tree.Variable(name)
        if is_aggregate(node, registry):
            assert isinstance(node, tree.Call)
            for name, call in found.items():
                if call == node:
                    return tree.Variable(name)
            name = f"  a{len(found)}"
            found[name] = node
            return tree.Variable(name)
        if isinstance(node, tree.Subquery):
            return node
    if isinstance(node, tuple):
        return tuple(rewrite(item, registry, found, names) for item in node)
    if is_dataclass(node) and isinstance(node, Expression):
        changed = {
            field.name: rewrite(getattr(node, field.name), registry, found, names)
            for field in fields(node)
        }
        if any(changed[field.name] is not getattr(node, field.name) for field in fields(node)):
            return replace(node, **changed)
    return node


class Projector:
    """A projection made ready once for a plan."""

    def __init__(self, clause: tree.Projection, registry: Registry) -> None:
        self.clause = clause
        self.found: Aggregates = {}
        self.items: list[tuple[Expression, str]] = []
        self.keys: list[tuple[Expression, str]] = []
        for value, name, _ in clause.items:
            before = len(self.found)
            made = rewrite(value, registry, self.found, {})
            assert isinstance(made, Expression)
            self.items.append((made, name))
            if len(self.found) == before and made == value:
                self.keys.append((made, name))
        named: Row = {name: value for value, name, _ in clause.items}
        self.order: list[tuple[Expression, bool]] = []
        for value, down in clause.order:
            made = rewrite(value, registry, self.found, named)
            assert isinstance(made, Expression)
            self.order.append((made, down))

    @cached_property
    def plain_groups(self) -> bool:
        """Whether every item is a key or an aggregate, and ORDER BY names items only."""
        keys = [value for value, _ in self.keys]
        names = {name for _, name in self.items}
        return (
            self.clause.where is None
            and all(
                value in keys or (isinstance(value, Variable) and value.name in self.found)
                for value, _ in self.items
            )
            and all(isinstance(value, Variable) and value.name in names for value, _ in self.order)
        )

    def run_batch(self, batch: Batch, run: Run) -> Sequence[Row] | None:
        """The rows behind the projection of a batch; None if it needs rows."""
        if self.clause.star:
            return None
        columns = Columns(batch, run)
        if self.found:
            groups, first = self.groups(columns) or (None, [])
            if groups is None:
                return None
            if not first and not self.keys:
                return self.run([], run)
            results = self.aggregates(columns, groups, len(first))
            if results is None:
                return None
            if self.plain_groups:
                return self.finish_table(self.grouped_table(columns, first, results), run)
            return self.finish(self.grouped_columns(columns, first, results, run), run)
        if self.order or self.clause.where is not None:
            return None
        if not all(columns.covers(value) for value, _ in self.items):
            return None
        if not self.clause.distinct:
            start = amount(self.clause.skip, run, "SKIP") or 0
            limit = amount(self.clause.limit, run, "LIMIT")
            if start or limit is not None:
                end = batch.count if limit is None else start + limit
                columns.batch = batch.take(np.arange(start, max(start, min(end, batch.count))))
        names = [name for _, name in self.items]
        values = [columns.values(value) for value, _ in self.items]
        table = Table(names, values)
        return self.finish([(row, row) for row in table], run) if self.clause.distinct else table

    def groups(self, columns: Columns) -> tuple[Groups, list[int]] | None:
        """The number of each binding's group, and the first of each; None if keys need rows."""
        keys = [value for value, _ in self.keys]
        return columns.groups(keys) if all(map(columns.covers, keys)) else None

    def aggregates(
        self, columns: Columns, groups: Groups, count: int
    ) -> dict[str, list[object]] | None:
        """The aggregates of each group; None if one needs rows."""
        results = {}
        for name, call in self.found.items():
            found = columns.aggregate(call, groups, count)
            if found is None:
                return None
            results[name] = found
        return results

    def grouped_table(
        self, columns: Columns, first: list[int], results: dict[str, list[object]]
    ) -> Table:
        """One row for each group, where every item is a key or an aggregate."""
        keys = [value for value, _ in self.keys]
        chosen = columns.at(keys, first)
        parts = [
            results[value.name]
            if isinstance(value, Variable) and value.name in results
            else chosen[keys.index(value)]
            for value, _ in self.items
        ]
        return Table([name for _, name in self.items], parts)

    def finish_table(self, table: Table, run: Run) -> Sequence[Row]:
        """ORDER BY, SKIP and LIMIT, where ORDER BY names items only."""
        if self.clause.distinct:
            return self.finish([(row, row) for row in table], run)
        places = None
        for value, down in reversed(self.order):
            assert isinstance(value, Variable)
            column = table.columns[table.names.index(value.name)]
            places = ordered(column, down, places)
        start = amount(self.clause.skip, run, "SKIP") or 0
        limit = amount(self.clause.limit, run, "LIMIT")
        end = None if limit is None else start + limit
        if places is not None:
            return table.taken(places[start:end])
        return table if not start and end is None else table[start:end]

    def grouped_columns(
        self, columns: Columns, first: list[int], results: dict[str, list[object]], run: Run
    ) -> list[tuple[Row, Row]]:
        """One row for each group of a batch."""
        keys = [value for value, _ in self.keys]
        pairs = []
        for number, scope in enumerate(run.each(columns.scopes(keys, first))):
            for name, values in results.items():
                scope[name] = values[number]
            projected = {}
            for value, name in self.items:
                projected[name] = run.compiler.compile(value)(scope, run)
            pairs.append((projected, {**scope, **projected}))
        return pairs

    def run(self, rows: list[Row], run: Run) -> list[Row]:
        """The rows behind the projection."""
        pairs = self.grouped(rows, run) if self.found else self.plain(rows, run)
        return self.finish(pairs, run)

    def finish(self, pairs: list[tuple[Row, Row]], run: Run) -> list[Row]:
        """DISTINCT, ORDER BY, SKIP, LIMIT and WHERE, on rows with the names they may use."""
        if self.clause.distinct:
            seen: dict[object, tuple[Row, Row]] = {}
            for pair in run.each(pairs):
                seen.setdefault(tuple(map(group_key, pair[0].values())), pair)
            pairs = list(seen.values())
        for value, down in reversed(self.order):
            evaluate = run.compiler.compile(value)
            places = ordered([evaluate(scope, run) for _, scope in run.each(pairs)], down)
            pairs = [pairs[place] for place in places]
        start = amount(self.clause.skip, run, "SKIP") or 0
        limit = amount(self.clause.limit, run, "LIMIT")
        pairs = pairs[start : None if limit is None else start + limit]
        result = [projected for projected, _ in pairs]
        if self.clause.where is not None:
            test = run.compiler.compile(self.clause.where)
            result = [
                projected for projected, scope in run.each(pairs) if truth(test(scope, run)) is True
            ]
        return result

    def plain(self, rows: list[Row], run: Run) -> list[tuple[Row, Row]]:
        """Each row projected, and the names that ORDER BY may use."""
        items = [(run.compiler.compile(value), name) for value, name in self.items]
        pairs: list[tuple[Row, Row]] = []
        for row in rows:
            run.step(len(pairs))
            projected = {k: v for k, v in row.items() if k[0] != " "} if self.clause.star else {}
            for evaluate, name in items:
                projected[name] = evaluate(row, run)
            pairs.append((projected, {**row, **projected}))
        return pairs

    def grouped(self, rows: list[Row], run: Run) -> list[tuple[Row, Row]]:
        """One row for each group of equal keys; one in all if there are no keys."""
        keys = [run.compiler.compile(value) for value, _ in self.keys]
        # A star stands for every name, each a key of its own.
        stars = [name for name in rows[0] if name[0] != " "] if self.clause.star and rows else []
        keys += [run.compiler.compile(Variable(name)) for name in stars]
        groups: dict[object, list[Row]] = {}
        for row in rows:
            run.step()
            groups.setdefault(tuple([group_key(key(row, run)) for key in keys]), []).append(row)
        if not groups and not keys and not self.clause.star:
            groups[()] = []
        pairs = []
        for members in run.each(groups.values()):
            scope = dict(members[0]) if members else {}
            for name, call in self.found.items():
                scope[name] = aggregate(call, members, run)
            projected = {name: scope[name] for name in stars}
            for value, name in self.items:
                projected[name] = run.compiler.compile(value)(scope, run)
            pairs.append((projected, {**scope, **projected}))
        return pairs


def ordered(values: list[object], down: bool, places: list[int] | None = None) -> list[int]:
    """The places of rows in the order of a value of each, the last first if `down`; null is last.

    `places` is an order they have already, which stays where values are equal.
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    plain = kinds <= {str} or (
        kinds <= {int, float} and not any(value != value for value in values)
    )
    if plain and None in values:
        keys: list[Any] = [(value is None, value) for value in values]
    else:
        keys = values if plain else [order_key(value) for value in values]
    known = range(len(values)) if places is None else places
    return sorted(known, key=keys.__getitem__, reverse=down)


def aggregate(call: tree.Call, rows: list[Row], run: Run) -> object:
    """The value of an aggregating function over a group."""
    if call.star:
        return len(rows)
    found = run.registry.functions[call.name]
    evaluate = run.compiler.compile(call.arguments[0])
    values = [value for row in run.each(rows) if (value := evaluate(row, run)) is not None]
    if call.distinct:
        values = list({group_key(value): value for value in values}.values())
    found.check_each(values)
    extra = [run.compiler.compile(a)(rows[0] if rows else {}, run) for a in call.arguments[1:]]
    return found.body(run, values, *extra)


def amount(value: Expression | None, run: Run, word: str) -> int | None:
    """The number behind SKIP or LIMIT."""
    if value is None:
        return None
    found = run.compiler.compile(value)({}, run)
    if not isinstance(found, int) or isinstance(found, bool):
        raise type_mismatch("Integer", type_name(found))
    if found < 0:
        raise QueryError(f"{word} specified value of invalid type, must be a positive integer")
    return found
