"""WITH and RETURN: aggregation, DISTINCT, ORDER BY, SKIP, LIMIT."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.compiler import truth
from balas_graph.evaluation.registry import Registry
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import group_key, order_key, type_name
from balas_graph.execution.columnar import Columns
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

    def run_batch(self, batch: Batch, run: Run) -> list[Row] | None:
        """The rows behind the projection of a batch; None if it needs rows."""
        if self.clause.star:
            return None
        columns = Columns(batch, run)
        if self.found:
            pairs = self.grouped_columns(columns, run)
            return None if pairs is None else self.finish(pairs, run)
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
        rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        return self.finish([(row, row) for row in rows], run) if self.clause.distinct else rows

    def grouped_columns(self, columns: Columns, run: Run) -> list[tuple[Row, Row]] | None:
        """One row for each group of a batch; None if its keys or aggregates need rows."""
        keys = [value for value, _ in self.keys]
        if not all(columns.covers(key) for key in keys):
            return None
        groups, first = columns.groups(keys)
        if not first and not keys:
            return self.grouped([], run)
        results = {}
        for name, call in self.found.items():
            found = columns.aggregate(call, groups, len(first))
            if found is None:
                return None
            results[name] = found
        if self.plain_groups:
            chosen = columns.at(keys, first)
            parts = [
                results[value.name]
                if isinstance(value, Variable) and value.name in results
                else chosen[keys.index(value)]
                for value, _ in self.items
            ]
            names = [name for _, name in self.items]
            made = [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]
            return [(row, row) for row in made]
        pairs = []
        for number, scope in enumerate(columns.scopes(keys, first)):
            for name, found in results.items():
                scope[name] = found[number]
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
            for pair in pairs:
                seen.setdefault(tuple(map(group_key, pair[0].values())), pair)
            pairs = list(seen.values())
        for value, down in reversed(self.order):
            evaluate = run.compiler.compile(value)
            pairs = ordered(pairs, [evaluate(scope, run) for _, scope in pairs], down)
        start = amount(self.clause.skip, run, "SKIP") or 0
        limit = amount(self.clause.limit, run, "LIMIT")
        pairs = pairs[start : None if limit is None else start + limit]
        result = [projected for projected, _ in pairs]
        if self.clause.where is not None:
            test = run.compiler.compile(self.clause.where)
            result = [projected for projected, scope in pairs if truth(test(scope, run)) is True]
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
        groups: dict[object, list[Row]] = {}
        for row in rows:
            run.step()
            groups.setdefault(tuple([group_key(key(row, run)) for key in keys]), []).append(row)
        if not groups and not keys and not self.clause.star:
            groups[()] = []
        pairs = []
        for members in groups.values():
            scope = dict(members[0]) if members else {}
            for name, call in self.found.items():
                scope[name] = aggregate(call, members, run)
            projected = {}
            for value, name in self.items:
                projected[name] = run.compiler.compile(value)(scope, run)
            pairs.append((projected, {**scope, **projected}))
        return pairs


def ordered(
    pairs: list[tuple[Row, Row]], values: list[object], down: bool
) -> list[tuple[Row, Row]]:
    """The rows in the order of a value of each, the last first if `down`; null is the last."""
    kinds = set(map(type, values))
    kinds.discard(type(None))
    plain = kinds <= {str} or (
        kinds <= {int, float} and not any(value != value for value in values)
    )
    if plain and None in values:
        keys: list[Any] = [(value is None, value) for value in values]
    else:
        keys = values if plain else [order_key(value) for value in values]
    places = sorted(range(len(pairs)), key=keys.__getitem__, reverse=down)
    return [pairs[place] for place in places]


def aggregate(call: tree.Call, rows: list[Row], run: Run) -> object:
    """The value of an aggregating function over a group."""
    if call.star:
        return len(rows)
    found = run.registry.functions[call.name]
    evaluate = run.compiler.compile(call.arguments[0])
    values = [value for row in rows if (value := evaluate(row, run)) is not None]
    if call.distinct:
        values = list({group_key(value): value for value in values}.values())
    for value in values:
        found.check([value])
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
