"""Runs whole queries, and those inside expressions and CALL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from balas_graph.algorithms.settings import Scores
from balas_graph.errors import type_mismatch
from balas_graph.evaluation.compiler import Compiler, truth
from balas_graph.evaluation.registry import Registry
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import group_key, type_name
from balas_graph.execution import loading, schema, writing
from balas_graph.execution.access import wanted
from balas_graph.execution.batches import Batch, Matcher, Recipe, recipe
from balas_graph.execution.creating import NodeMaker
from balas_graph.execution.matching import match, path_of
from balas_graph.execution.projection import Projector
from balas_graph.language import checks, tree
from balas_graph.language.parser import Parser


@dataclass
class Plan:
    """A query that was read and checked, with all that is made once for it."""

    query: tree.Query
    columns: list[str]
    writes: bool
    compiler: Compiler
    chancy: bool
    # Runs what expressions hold of patterns, by this very plan.
    inner: Executor
    projectors: dict[int, Projector] = field(default_factory=dict)
    recipes: dict[int, Recipe | None] = field(default_factory=dict)

    def let_go(self) -> None:
        """Free the plan, which nobody runs any more: nothing else ends the circle."""
        del self.inner.plan

    def recipe(self, clauses: tuple[tree.Clause, ...]) -> Recipe | None:
        """How the front of some clauses is matched in columns."""
        if id(clauses) not in self.recipes:
            # A batch keeps no names that were made up, which tests inside a pattern may ask for.
            front = tuple(takewhile(lambda clause: not tests_unnamed(clause), clauses))
            self.recipes[id(clauses)] = recipe(front)
        return self.recipes[id(clauses)]

    def projector(self, clause: tree.Projection, registry: Registry) -> Projector:
        """The projector of a clause."""
        found = self.projectors.get(id(clause))
        if found is None:
            found = self.projectors[id(clause)] = Projector(clause, registry)
        return found


def tests_unnamed(clause: tree.Clause) -> bool:
    """Whether a pattern tests a node to which the query gives no name."""
    return isinstance(clause, tree.Match) and any(
        node.variable is not None and node.variable[0] == " "
        for pattern in clause.patterns
        for node in pattern.nodes
    )


def prepare(parser: Parser, registry: Registry) -> Plan:
    """Read and check the rest of a text."""
    query = parser.whole()
    columns = checks.check(query, registry)
    executor = Executor()
    compiler = Compiler(registry, executor.embedded)
    writes, chancy = checks.writes(query, registry), checks.chancy(query)
    executor.plan = Plan(query, columns, writes, compiler, chancy, executor)
    return executor.plan


class Executor:
    """Runs the clauses of one plan."""

    plan: Plan

    def __init__(self, plan: Plan | None = None) -> None:
        if plan is not None:
            self.plan = plan

    def query(
        self, query: tree.Query, rows: list[Row], run: Run, inner: bool = False
    ) -> Sequence[Row]:
        """The rows of all parts of a query; one in CALL {} sees only the names it imports."""
        if len(query.parts) == 1 and not inner:
            return self.part(query.parts[0], rows, run)
        result: list[Row] = []
        for part in query.parts:
            known = rows if not inner or checks.imports(part) else [{} for _ in rows]
            result.extend(self.part(part, known, run))
        if len(query.parts) > 1 and not query.every:
            distinct: dict[object, Row] = {}
            for row in run.each(result):
                key = tuple((name, group_key(row[name])) for name in sorted(row))
                distinct.setdefault(key, row)
            return list(distinct.values())
        return result

    def part(
        self, clauses: tuple[tree.Clause, ...], rows: Sequence[Row], run: Run
    ) -> Sequence[Row]:
        """The rows behind the last clause; none unless that is RETURN or a lone CALL."""
        place = 0
        if len(rows) == 1 and not rows[0]:
            if isinstance(clauses[0], tree.Match):
                rows, place = self.front(clauses, rows, run)
            elif isinstance(clauses[0], tree.CallProcedure) and len(clauses) > 1:
                rows, place = self.front_call(clauses[0], clauses[1], rows, run)
        for clause in clauses[place:]:
            method = getattr(self, "run_" + type(clause).__name__.lower())
            rows = method(clause, rows if isinstance(rows, list) else list(rows), run)
            run.step(len(rows))
        last = clauses[len(clauses) - 1]
        if isinstance(last, tree.Projection) or (
            isinstance(last, tree.CallProcedure) and len(clauses) == 1
        ):
            return rows
        return []

    def front(
        self, clauses: tuple[tree.Clause, ...], rows: Sequence[Row], run: Run
    ) -> tuple[Sequence[Row], int]:
        """Run the clauses at the front in columns, if they can be: their rows, how many clauses."""
        recipe = self.plan.recipe(clauses)
        if recipe is None:
            return rows, 0
        batch = Matcher(run).match(recipe)
        place = len(recipe.steps)
        rest = recipe.steps[place - 1].rest
        if place < len(clauses) and not rest:
            found = self.project(clauses[place], batch, run)
            if found is not None:
                return found, place + 1
        named = () if recipe.ends else [path for step in recipe.steps for path in step.paths]
        result = batch.rows(run, named)
        for test in [run.compiler.compile(part) for part in rest]:
            result = [row for row in run.each(result) if truth(test(row, run))]
        return result, place

    def project(self, clause: tree.Clause, batch: Batch, run: Run) -> Sequence[Row] | None:
        """The rows of a projection of a batch; None if it is none, or needs rows."""
        if not isinstance(clause, tree.Projection):
            return None
        return self.plan.projector(clause, run.registry).run_batch(batch, run)

    def front_call(
        self, clause: tree.CallProcedure, behind: tree.Clause, rows: Sequence[Row], run: Run
    ) -> tuple[Sequence[Row], int]:
        """Run a procedure at the front that yields columns: rows, and how many clauses."""
        found = run.registry.procedures[clause.name.lower()]
        if not found.name.startswith("algo.") or clause.where is not None or not clause.columns:
            return rows, 0
        scores = found.body(
            run, *(run.compiler.compile(a)({}, run) for a in clause.arguments or ())
        )
        if not isinstance(scores, Scores):
            return self.yielded(clause, rows[0], scores, run), 1
        batch = Batch(len(scores.nodes))
        for column, name in clause.columns:
            if column == found.columns[0]:
                batch.nodes[name] = scores.nodes
            else:
                batch.values[name] = scores.values
        result = self.project(behind, batch, run)
        return (batch.rows(run), 1) if result is None else (result, 2)

    def run_match(self, clause: tree.Match, rows: list[Row], run: Run) -> list[Row]:
        """MATCH and OPTIONAL MATCH."""
        result: list[Row] = []
        where = run.compiler.maybe(clause.where)
        names = checks.pattern_names(clause.patterns) if clause.optional else ()
        outer, run.hints = run.hints, wanted(clause.where)
        for row in rows:
            found = False
            for inner in match(clause.patterns, row, run):
                if where is None or truth(where(inner, run)):
                    found = True
                    run.step(len(result))
                    result.append({k: v for k, v in inner.items() if k[0] != " "})
            if clause.optional and not found:
                result.append({**dict.fromkeys(names), **row})
        run.hints = outer
        return result

    def run_unwind(self, clause: tree.Unwind, rows: list[Row], run: Run) -> list[Row]:
        """UNWIND: a row for each item; a value that is no list is one item."""
        source = run.compiler.compile(clause.source)
        result: list[Row] = []
        for row in rows:
            items = source(row, run)
            if items is None:
                continue
            for item in items if isinstance(items, list) else [items]:
                run.step(len(result))
                result.append({**row, clause.variable: item})
        return result

    def run_loadcsv(self, clause: tree.LoadCsv, rows: list[Row], run: Run) -> list[Row]:
        """LOAD CSV."""
        return loading.load(clause, rows, run)

    def run_create(self, clause: tree.Create, rows: list[Row], run: Run) -> list[Row]:
        """CREATE."""
        pattern = clause.patterns[0]
        if len(clause.patterns) == 1 and not pattern.edges and pattern.variable is None:
            return NodeMaker(pattern.nodes[0], run).rows(rows)
        return [writing.create(clause.patterns, row, run) for row in run.each(rows)]

    def run_merge(self, clause: tree.Merge, rows: list[Row], run: Run) -> list[Row]:
        """MERGE."""
        return writing.merge(clause, rows, run)

    def run_set(self, clause: tree.Set, rows: list[Row], run: Run) -> list[Row]:
        """SET and REMOVE."""
        writing.assign_all(clause.items, rows, run, clause.remove)
        return rows

    def run_delete(self, clause: tree.Delete, rows: list[Row], run: Run) -> list[Row]:
        """DELETE."""
        writing.delete(clause, rows, run)
        return rows

    def run_projection(self, clause: tree.Projection, rows: list[Row], run: Run) -> list[Row]:
        """WITH and RETURN."""
        return self.plan.projector(clause, run.registry).run(rows, run)

    def run_foreach(self, clause: tree.ForEach, rows: list[Row], run: Run) -> list[Row]:
        """FOREACH: the clauses within for each item, without changing the rows."""
        source = run.compiler.compile(clause.source)
        for row in rows:
            items = source(row, run)
            if items is None:
                continue
            if not isinstance(items, list):
                raise type_mismatch("List", type_name(items))
            for item in items:
                run.step()
                self.part(clause.clauses, [{**row, clause.variable: item}], run)
        return rows

    def run_callprocedure(self, clause: tree.CallProcedure, rows: list[Row], run: Run) -> list[Row]:
        """CALL of a procedure, for each row."""
        found = run.registry.procedures[clause.name.lower()]
        arguments = [run.compiler.compile(argument) for argument in clause.arguments or ()]
        result: list[Row] = []
        for row in rows:
            given = [argument(row, run) for argument in arguments]
            result += self.yielded(clause, row, found.body(run, *given), run)
        return result

    @staticmethod
    def yielded(
        clause: tree.CallProcedure, row: Row, values: Iterable[tuple[object, ...]], run: Run
    ) -> list[Row]:
        """A row with each of the rows that a procedure has found, as far as WHERE holds."""
        columns = run.registry.procedures[clause.name.lower()].columns
        yields = clause.columns
        if yields is None:
            yields = tuple((name, name) for name in columns) if clause.alone else ()
        places = [(columns.index(column), name) for column, name in yields]
        where = run.compiler.maybe(clause.where)
        result: list[Row] = []
        for found in values:
            inner = {**row, **{name: found[place] for place, name in places}}
            if where is None or truth(where(inner, run)):
                run.step(len(result))
                result.append(inner)
        return result

    def run_callsubquery(self, clause: tree.CallSubquery, rows: list[Row], run: Run) -> list[Row]:
        """CALL { }: the rows of the query within; the row itself if it only writes."""
        clauses = clause.query.parts[0]
        last = clauses[len(clauses) - 1]
        result: list[Row] = []
        for row in rows:
            found = self.query(clause.query, [dict(row)], run, True)
            if isinstance(last, tree.Projection):
                result.extend({**row, **inner} for inner in found)
            else:
                result.append(row)
            run.step(len(result))
        return result

    def run_indexchange(self, clause: tree.IndexChange, rows: list[Row], run: Run) -> list[Row]:
        """CREATE INDEX and DROP INDEX."""
        schema.change(clause, run)
        return rows

    def embedded(self, node: tree.Expression, row: Row, run: Run) -> object:
        """The value of a pattern or a query inside an expression."""
        # The nameless parts of the pattern around it are not those of the pattern within.
        row = {name: value for name, value in row.items() if name[:3] not in ("  n", "  e")}
        if isinstance(node, tree.PatternValue):
            return self.pattern(node, row, run)
        assert isinstance(node, tree.Subquery)
        clauses = node.query.parts[0]
        if node.kind == "exists" and len(clauses) == 1 and isinstance(clauses[0], tree.Match):
            where = run.compiler.maybe(clauses[0].where)
            return any(
                where is None or truth(where(inner, run))
                for inner in match(clauses[0].patterns, row, run)
            )
        if isinstance(clauses[len(clauses) - 1], tree.Projection):
            rows = self.query(node.query, [dict(row)], run)
        else:
            rows = [dict(row)]
            for clause in clauses:
                name = "run_" + type(clause).__name__.lower()
                rows = getattr(self, name)(clause, rows, run)
        if node.kind == "exists":
            return bool(rows)
        if node.kind == "count":
            return len(rows)
        return [next(iter(inner.values())) for inner in rows]

    @staticmethod
    def pattern(node: tree.PatternValue, row: Row, run: Run) -> object:
        """Whether a pattern exists, a shortest path, or the list of a comprehension."""
        found = match((node.pattern,), row, run)
        if node.test:
            return next(found, None) is not None
        if node.value is None:
            first = next(found, None)
            return None if first is None else path_of(node.pattern, first, 0)
        where, value = run.compiler.maybe(node.where), run.compiler.compile(node.value)
        result: list[object] = []
        for inner in found:
            if where is None or truth(where(inner, run)):
                run.step(len(result))
                result.append(value(inner, run))
        return result
