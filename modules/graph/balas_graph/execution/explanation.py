"""GRAPH.EXPLAIN and GRAPH.PROFILE: a plan as operations, each above what feeds it.

A clause is one to four operations. A profile counts and times clauses: the operations of a clause
show its records, and its time stands at the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from balas_graph.evaluation.run import Row, Run
from balas_graph.execution.access import (
    ID,
    Either,
    Wanted,
    Wish,
    conjuncts,
    has_index,
    of_map,
    wanted,
    wishes,
)
from balas_graph.execution.batches import join_of
from balas_graph.execution.clauses import Executor, Plan
from balas_graph.execution.projection import is_aggregate
from balas_graph.language import tree
from balas_graph.language.checks import parts
from balas_graph.storage.graph import Graph


@dataclass
class Operation:
    """An operation, what feeds it, and the clause it is of."""

    text: str
    inputs: list[Operation] = field(default_factory=list)
    clause: tree.Clause | None = None

    def lines(self, depth: int = 0) -> Iterator[tuple[int, Operation]]:
        """This operation and those below it, with how deep each stands."""
        yield depth, self
        for one in self.inputs:
            yield from one.lines(depth + 1)


def explained(plan: Plan, graph: Graph) -> Iterator[str]:
    """The lines of GRAPH.EXPLAIN."""
    for depth, one in Explainer(plan, graph).query(plan.query, True).lines():
        yield "    " * depth + one.text


def profiled(plan: Plan, run: Run, begun: float) -> list[str]:
    """Run a plan; the lines of GRAPH.PROFILE."""
    root = Explainer(plan, run.graph).query(plan.query, True)
    executor = Counting(plan)
    rows = executor.query(plan.query, [{}], run)
    found = []
    for depth, one in root.lines():
        count, spent_ms = executor.seen.get(id(one.clause), (len(rows), 0.0))
        if one is root and one.clause is None:
            spent_ms = (perf_counter() - begun) * 1000
        found.append(
            "    " * depth
            + f"{one.text} | Records produced: {count}, Execution time: {spent_ms:.6f} ms"
        )
    return found


class Counting(Executor):
    """Runs clauses one by one, and keeps how many rows each made, and in what time."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.seen: dict[int, tuple[int, float]] = {}

    def part(
        self, clauses: tuple[tree.Clause, ...], rows: Sequence[Row], run: Run
    ) -> Sequence[Row]:
        """As the executor does, with a look at the rows behind each clause."""
        for clause in clauses:
            begun = perf_counter()
            rows = getattr(self, "run_" + type(clause).__name__.lower())(clause, rows, run)
            count, spent_ms = self.seen.get(id(clause), (0, 0.0))
            spent_ms += (perf_counter() - begun) * 1000
            self.seen[id(clause)] = count + len(rows), spent_ms
            run.step(len(rows))
        return rows if isinstance(clauses[-1], (tree.Projection, tree.CallProcedure)) else []


class Explainer:
    """Turns clauses into operations."""

    def __init__(self, plan: Plan, graph: Graph) -> None:
        self.plan = plan
        self.graph = graph
        self.bound: set[str] = set()
        self.made_up = 0
        # What indexes can be asked by the clause at hand, and the names they have answered for.
        self.wishes: dict[str, tuple[Wanted, ...]] = {}
        self.answered: set[str] = set()
        self.before: set[str] = set()
        # Of each name whether it is an edge's, and its labels or types.
        self.labels_of: dict[str, tuple[bool, tuple[str, ...]]] = {}

    def query(self, query: tree.Query, outer: bool) -> Operation:
        """All parts of a query."""
        found = [self.part(part) for part in query.parts]
        if len(found) > 1:
            joined = Operation("Join", found)
            found = [joined if query.every else Operation("Distinct", [joined])]
        last = query.parts[0][-1]
        if outer and isinstance(last, (tree.Projection, tree.CallProcedure)):
            return Operation("Results", found)
        return found[0]

    def part(self, clauses: tuple[tree.Clause, ...]) -> Operation:
        """Clauses, each fed by the one before."""
        self.bound = set()
        below: Operation | None = None
        for clause in clauses:
            found = getattr(self, "of_" + type(clause).__name__.lower())(clause, below)
            below = found
        return below or Operation("Argument")

    @staticmethod
    def above(text: str, below: Operation | None, clause: tree.Clause) -> Operation:
        """An operation that is fed by another, if there is one."""
        return Operation(text, [] if below is None else [below], clause)

    def of_match(self, clause: tree.Match, below: Operation | None) -> Operation:
        """Scans and traversals, joined if they share no name, and a filter."""
        if clause.optional:
            inner = self.paths(clause, Operation("Argument", [], clause) if below else None)
            inputs = [inner] if below is None else [below, Operation("Optional", [inner], clause)]
            return Operation("Optional" if below is None else "Apply", inputs, clause)
        return self.paths(clause, below)

    def paths(self, clause: tree.Match, below: Operation | None) -> Operation:
        """The patterns of a clause."""
        self.wishes = wanted(clause.where)
        self.answered, self.before = set(), set(self.bound)
        streams: list[Operation] = [] if below is None else [below]
        for pattern in clause.patterns:
            names = {node.variable for node in pattern.nodes if node.variable}
            if streams and (names & self.bound or self.fed(pattern)):
                streams[-1] = self.path(pattern, streams[-1], clause)
            else:
                streams.append(self.path(pattern, None, clause))
        left = [part for part in conjuncts(clause.where) if not self.is_answered(part)]
        found = streams[0]
        joins = [part for part in left if join_of(part, self.bound) is not None]
        if len(streams) == 2 and below is None and joins:
            join = join_of(joins[0], self.bound)
            assert join is not None
            left.remove(joins[0])
            sides = " = ".join(f"property({name},{key},0)" for name, key in join.sides)
            found = Operation(f"Value Hash Join | {sides}", streams[::-1], clause)
        elif len(streams) > 1:
            found = Operation("Cartesian Product", streams, clause)
        return Operation("Filter", [found], clause) if left else found

    def fed(self, pattern: tree.PathPattern) -> bool:
        """Whether an index is asked about a path by what is bound before it."""
        return any(
            isinstance(wish, Wish)
            and self.knows(wish, (False, node.labels))
            and any(isinstance(one, tree.Variable) for one in parts(wish.value))
            for node in pattern.nodes
            for wish in self.wishes_of(node)
        )

    def is_answered(self, part: tree.Expression) -> bool:
        """Whether the search of an index leaves nothing of a part of WHERE to be tested."""
        return any(
            wish.name in self.answered and self.knows(wish, self.labels_of[wish.name])
            for wish in wishes(part)
        )

    def knows(self, wish: Wanted, place: tuple[bool, tuple[str, ...]]) -> bool:
        """Whether an index can be put a wish about a node with labels, or an edge of a type."""
        if not self.askable(wish):
            return False
        edges, names = place
        ids = self.graph.types if edges else self.graph.labels
        return any(has_index(self.graph, edges, ids.get(name), wish) for name in names) or (
            isinstance(wish, Wish) and wish.key == ID and not edges
        )

    def askable(self, wish: Wanted) -> bool:
        """Whether the names that a wish needs are bound when it is put."""
        if isinstance(wish, Either):
            return all(map(self.askable, wish.choices))
        needed = {one.name for one in parts(wish.value) if isinstance(one, tree.Variable)}
        return needed <= self.before

    def named(self, variable: str | None, mark: str = "anon_") -> str:
        """The name of a part of a pattern, made up if it has none."""
        if variable:
            return variable
        self.made_up += 1
        return f"@{mark}{self.made_up - 1}"

    def path(
        self, pattern: tree.PathPattern, below: Operation | None, clause: tree.Clause
    ) -> Operation:
        """A scan, or what is bound already, and a traversal for each edge."""
        names = [self.named(node.variable) for node in pattern.nodes]
        start = next((i for i, name in enumerate(names) if name in self.bound), None)
        found, tested = below, [part for part in pattern.parts if part.properties is not None]
        for node, name in zip(pattern.nodes, names, strict=True):
            self.labels_of[name] = False, node.labels
        by_edge = None if start is not None else self.edge_to_scan(pattern)
        if by_edge is not None:
            edge = pattern.edges[by_edge]
            label = self.named(edge.variable)
            if edge in tested:
                tested.remove(edge)
            self.answered.add(edge.variable or "")
            self.labels_of[edge.variable or ""] = True, edge.types
            here, there = pattern.nodes[by_edge : by_edge + 2]
            below = self.start(here, names[by_edge], tested, clause) if here.labels else None
            inputs = [] if below is None else [below]
            found = Operation(f"Edge By Index Scan | [{label}:{edge.types[0]}]", inputs, clause)
            if there.labels:
                found = Operation("Filter", [found], clause)
            self.bound.update(names[by_edge : by_edge + 2])
            start = by_edge
        elif start is None:
            ranks = [self.rank(node) for node in pattern.nodes]
            start = ranks.index(min(ranks))
            found = self.start(pattern.nodes[start], names[start], tested, clause, below)
        for place in [*range(start, len(pattern.edges)), *range(start - 1, -1, -1)]:
            if place == by_edge:
                continue
            from_, to = (place, place + 1) if place >= start else (place + 1, place)
            text = self.traversal(pattern.edges[place], names[from_], names[to], place >= start)
            assert found is not None
            found = Operation(text, [found], clause)
            self.bound.add(names[to])
        if tested and found is not None:
            found = Operation("Filter", [found], clause)
        return found or Operation("Argument", [], clause)

    def rank(self, node: tree.NodePattern) -> int:
        """How many nodes a scan would look at."""
        if self.index_of(node):
            return 0
        counts = [
            self.graph.store.label_count(self.graph.labels.get(label)) for label in node.labels
        ]
        return 1 + min(counts, default=self.graph.store.node_count)

    def start(
        self,
        node: tree.NodePattern,
        name: str,
        tested: list[tree.NodePattern | tree.EdgePattern],
        clause: tree.Clause,
        below: Operation | None = None,
    ) -> Operation:
        """The scan a path begins with; what an index answers is not tested behind it."""
        if self.index_of(node):
            self.answered.add(name)
            if node in tested:
                tested.remove(node)
        self.bound.add(name)
        return Operation(self.scan(node, name), [] if below is None else [below], clause)

    def edge_to_scan(self, pattern: tree.PathPattern) -> int | None:
        """The place of an edge that an index can find."""
        for place, edge in enumerate(pattern.edges):
            name = edge.variable or ""
            if edge.length is None and len(edge.types) == 1 and not pattern.shortest:
                found = (*of_map(name, edge.properties), *self.wishes.get(name, ()))
                if any(
                    self.knows(wish, (True, edge.types))
                    for wish in found
                    if not isinstance(wish, Wish) or wish.key != ID
                ):
                    return place
        return None

    def index_of(self, node: tree.NodePattern) -> bool:
        """Whether an index knows a property of a pattern."""
        return any(self.knows(wish, (False, node.labels)) for wish in self.wishes_of(node))

    def wishes_of(self, node: tree.NodePattern) -> tuple[Wanted, ...]:
        """What a pattern and WHERE want of a node."""
        name = node.variable or ""
        return *of_map(name, node.properties), *self.wishes.get(name, ())

    def scan(self, node: tree.NodePattern, name: str) -> str:
        """How the nodes to begin with are found."""
        by_id = any(isinstance(one, Wish) and one.key == ID for one in self.wishes_of(node))
        if not node.labels:
            return f"NodeByIdSeek | ({name})" if by_id else f"All Node Scan | ({name})"
        kind = "Index" if self.index_of(node) else "Label"
        if by_id:
            kind = "Label and ID"
        return f"Node By {kind} Scan | ({name}:{node.labels[0]})"

    def traversal(self, edge: tree.EdgePattern, here: str, there: str, forward: bool) -> str:
        """How an edge is walked."""
        inner = ""
        if edge.variable or edge.length:
            low, high = edge.length or (1, 1)
            length = f"*{low}..{'INF' if high is None else high}" if edge.length else ""
            name = self.named(edge.variable)
            inner = f"[{name}{''.join(':' + one for one in edge.types[:1])}{length}]"
        direction = edge.direction if forward else -edge.direction
        left, right = "<-" if direction < 0 else "-", "->" if direction > 0 else "-"
        if not inner:
            left, right = ("<", "-") if direction < 0 else ("", right)
        kind = "Conditional Variable Length Traverse" if edge.length else "Conditional Traverse"
        if there in self.bound:
            kind = "Expand Into"
        return f"{kind} | ({here}){left}{inner}{right}({there})"

    def of_projection(self, clause: tree.Projection, below: Operation | None) -> Operation:
        """Project or Aggregate, and what the words behind them add."""
        registry = self.plan.compiler.registry
        counted = any(is_aggregate(node, registry) for node in parts(clause.items))
        found = self.above("Aggregate" if counted else "Project", below, clause)
        steps = (
            (clause.distinct, "Distinct"),
            (bool(clause.order), "Sort"),
            (clause.skip is not None, "Skip"),
            (clause.limit is not None, "Limit"),
            (clause.where is not None, "Filter"),
        )
        for there, text in steps:
            if there:
                found = Operation(text, [found], clause)
        self.bound = {name for _, name, _ in clause.items}
        return found

    def of_unwind(self, clause: tree.Unwind, below: Operation | None) -> Operation:
        """UNWIND."""
        self.bound.add(clause.variable)
        return self.above("Unwind", below, clause)

    def of_create(self, clause: tree.Create, below: Operation | None) -> Operation:
        """CREATE."""
        return self.above("Create", below, clause)

    def of_merge(self, clause: tree.Merge, below: Operation | None) -> Operation:
        """MERGE: what feeds it, a search, and a creation."""
        start = Operation("Argument", [], clause) if below is not None else None
        names = {node.variable for node in clause.pattern.nodes if node.variable} & self.bound
        search = self.path(clause.pattern, start if names else None, clause)
        inputs = [] if below is None else [below]
        return Operation("Merge", [*inputs, search, Operation("MergeCreate", [], clause)], clause)

    def of_set(self, clause: tree.Set, below: Operation | None) -> Operation:
        """SET and REMOVE."""
        return self.above("Update", below, clause)

    def of_delete(self, clause: tree.Delete, below: Operation | None) -> Operation:
        """DELETE."""
        return self.above("Delete", below, clause)

    def of_foreach(self, clause: tree.ForEach, below: Operation | None) -> Operation:
        """FOREACH."""
        inner: Operation = Operation("Unwind", [Operation("Argument List", [], clause)], clause)
        for one in clause.clauses:
            inner = getattr(self, "of_" + type(one).__name__.lower())(one, inner)
        return Operation("Foreach", [*([] if below is None else [below]), inner], clause)

    def of_callprocedure(self, clause: tree.CallProcedure, below: Operation | None) -> Operation:
        """CALL of a procedure."""
        self.bound.update(name for _, name in clause.columns or ())
        return self.above("ProcedureCall", below, clause)

    def of_callsubquery(self, clause: tree.CallSubquery, below: Operation | None) -> Operation:
        """CALL of a query."""
        inner = Explainer(self.plan, self.graph).query(clause.query, False)
        return Operation("CallSubquery", [*([] if below is None else [below]), inner], clause)

    def of_indexchange(self, clause: tree.IndexChange, below: Operation | None) -> Operation:
        """CREATE INDEX and DROP INDEX."""
        return self.above("Create Index" if clause.create else "Drop Index", below, clause)
