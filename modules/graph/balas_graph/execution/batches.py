"""Patterns matched for many bindings at a time.

The MATCH clauses at the front of a query bind columns of ids instead of rows, as long as their
patterns are plain: a `Recipe` says how far that goes. What is behind them gets rows, or works on
the columns itself (`columnar`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing

from balas_graph.evaluation import operators
from balas_graph.evaluation.compiler import truth
from balas_graph.evaluation.run import Row, Run
from balas_graph.language import tree
from balas_graph.language.tree import Expression
from balas_graph.storage import _walk

Ids = np.typing.NDArray[np.int32]

FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
# No more edges on a path are walked by `third_ends`.
HOPS_MAX = 3


@dataclass(slots=True)
class Batch:
    """Bindings in columns of one length: ids of nodes and of edges, and floats, by names."""

    count: int
    nodes: dict[str, Ids] = field(default_factory=dict)
    edges: dict[str, Ids] = field(default_factory=dict)
    values: dict[str, np.typing.NDArray[np.generic]] = field(default_factory=dict)

    def take(self, chosen: np.typing.NDArray[np.generic]) -> Batch:
        """The bindings at some places, or where a mask holds."""
        nodes = {name: ids[chosen] for name, ids in self.nodes.items()}
        edges = {name: ids[chosen] for name, ids in self.edges.items()}
        count = int(np.count_nonzero(chosen)) if chosen.dtype == np.bool_ else len(chosen)
        values = {name: found[chosen] for name, found in self.values.items()}
        return Batch(count, nodes, edges, values)

    def rows(self, run: Run) -> list[Row]:
        """The bindings as rows, without the names that were made up."""
        run.look(self.count)
        store = run.graph.store
        names: list[str] = []
        columns: list[list[object]] = []
        for name, ids in self.nodes.items():
            if name[0] != " ":
                names.append(name)
                columns.append([store.node(id) for id in ids.tolist()])
        for name, ids in self.edges.items():
            if name[0] != " ":
                names.append(name)
                columns.append([store.edge(id) for id in ids.tolist()])
        for name, values in self.values.items():
            names.append(name)
            columns.append(values.tolist())
        if not names:
            return [{} for _ in range(self.count)]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Test:
    """variable.key compared with a value that is the same for all rows."""

    name: str
    key: str
    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a pattern: its name, labels, and the tests of its properties."""

    name: str
    labels: tuple[str, ...]
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A path of a pattern, with a name for each edge."""

    nodes: tuple[Node, ...]
    edges: tuple[tree.EdgePattern, ...]
    names: tuple[str, ...]
    tests: tuple[tuple[Test, ...], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One MATCH clause: paths, tests of WHERE, labels of WHERE, and what is left of it."""

    paths: tuple[Path, ...]
    tests: tuple[Test, ...]
    labels: tuple[tuple[str, str], ...]
    rest: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The clauses that are matched in columns; `ends` is a name only whose values matter."""

    steps: tuple[Step, ...]
    ends: str | None


def constant(node: Expression | None) -> bool:
    """Whether a value is the same for all rows and takes no search."""
    return isinstance(node, (tree.Literal, tree.Parameter))


def conjuncts(where: Expression | None) -> Iterator[Expression]:
    """The parts that AND joins."""
    if isinstance(where, tree.Binary) and where.operator == "AND":
        yield from conjuncts(where.left)
        yield from conjuncts(where.right)
    elif where is not None:
        yield where


def wanted_values(where: Expression | None) -> dict[str, tuple[tuple[str, Expression], ...]]:
    """The properties that have to be equal to something, by names: what an index can be asked."""
    found: dict[str, tuple[tuple[str, Expression], ...]] = {}
    for part in conjuncts(where):
        if isinstance(part, tree.Chain) and len(part.rest) == 1 and part.rest[0][0] == "=":
            for one, other in ((part.first, part.rest[0][1]), (part.rest[0][1], part.first)):
                if isinstance(one, tree.Property) and isinstance(one.of, tree.Variable):
                    name = one.of.name
                    found[name] = (*found.get(name, ()), (one.key, other))
    return found


def test_of(node: Expression) -> Test | None:
    """A comparison of a property with a constant."""
    if not isinstance(node, tree.Chain) or len(node.rest) != 1:
        return None
    left, (operator, right) = node.first, node.rest[0]
    if constant(left):
        left, right, operator = right, left, FLIPPED.get(operator, "")
    if (
        isinstance(left, tree.Property)
        and isinstance(left.of, tree.Variable)
        and constant(right)
        and operator in FLIPPED
    ):
        return Test(left.of.name, left.key, operator, right)
    return None


def tests_of(name: str, properties: Expression | None) -> tuple[Test, ...] | None:
    """The tests of the map of a pattern; None if it takes more."""
    if properties is None:
        return ()
    if not isinstance(properties, tree.MapOf):
        return None
    if not all(constant(value) for _, value in properties.pairs):
        return None
    return tuple(Test(name, key, "=", value) for key, value in properties.pairs)


def path_of(pattern: tree.PathPattern, number: int, alone: bool) -> Path | None:
    """A path that can be matched in columns; `alone`: there is no other one in its clause."""
    if pattern.shortest or pattern.variable is not None:
        return None
    nodes = []
    for place, node in enumerate(pattern.nodes):
        name = node.variable or f"  n{number}.{place}"
        tests = tests_of(name, node.properties)
        if tests is None:
            return None
        nodes.append(Node(name, node.labels, tests))
    names, edge_tests = [], []
    for place, edge in enumerate(pattern.edges):
        name = edge.variable or f"  e{number}.{place}"
        tests = tests_of(name, edge.properties)
        if tests is None or name in names:
            return None
        if edge.length and (edge.variable or tests or len(pattern.edges) > 1 or not alone):
            return None
        names.append(name)
        edge_tests.append(tests)
    return Path(tuple(nodes), pattern.edges, tuple(names), tuple(edge_tests))


def step_of(clause: tree.Match, number: int, nodes: set[str], edges: set[str]) -> Step | None:
    """A clause that can be matched in columns; adds the names it binds."""
    paths = []
    for place, pattern in enumerate(clause.patterns):
        path = path_of(pattern, number * 1000 + place, len(clause.patterns) == 1)
        if path is None or edges.intersection(path.names):
            return None
        paths.append(path)
        edges.update(path.names)
        nodes.update(node.name for node in path.nodes)
    tests, labels, rest = [], [], []
    for part in conjuncts(clause.where):
        test = test_of(part)
        if test is not None and (test.name in nodes or test.name in edges):
            tests.append(test)
        elif (
            isinstance(part, tree.HasLabels)
            and isinstance(part.of, tree.Variable)
            and part.of.name in nodes
        ):
            labels += [(part.of.name, label) for label in part.labels]
        else:
            rest.append(part)
    return Step(tuple(paths), tuple(tests), tuple(labels), tuple(rest))


def recipe(clauses: Sequence[tree.Clause]) -> Recipe | None:
    """How far the front of a query can be matched in columns; None if not at all."""
    steps: list[Step] = []
    nodes: set[str] = set()
    edges: set[str] = set()
    for number, clause in enumerate(clauses):
        if not isinstance(clause, tree.Match) or clause.optional:
            break
        step = step_of(clause, number, nodes, edges)
        if step is None:
            break
        steps.append(step)
        if step.rest:
            break
    if not steps:
        return None
    behind = clauses[len(steps)] if len(steps) < len(clauses) else None
    ends = only_ends(steps, behind)
    return Recipe(tuple(steps), ends)


def only_ends(steps: list[Step], behind: tree.Clause | None) -> str | None:
    """The name of a node if a query asks for nothing but its different values."""
    if len(steps) > 1 or not isinstance(behind, tree.Projection) or len(behind.items) != 1:
        return None
    if behind.star or steps[0].rest or len(steps[0].paths) != 1:
        return None
    path, value = steps[0].paths[0], behind.items[0][0]
    if isinstance(value, tree.Call) and value.name == "count" and value.distinct:
        value = value.arguments[0]
    elif not behind.distinct:
        return None
    if not isinstance(value, tree.Variable) or not path.edges or behind.order:
        return None
    inner = path.nodes[1:-1]
    names = [node.name for node in path.nodes]
    if (
        value.name != names[-1]
        or len(set(names)) != len(names)
        or any(node.labels or node.tests for node in inner)
        or any(path.tests)
        or any(test.name not in (names[0], names[-1]) for test in steps[0].tests)
        or any(name not in (names[0], names[-1]) for name, _ in steps[0].labels)
    ):
        return None
    return value.name if hops_of(path) or path.edges[0].length else None


def hops_of(path: Path) -> bool:
    """Whether the ends of a path can be found without its ways: see `third_ends`."""
    directions = {edge.direction for edge in path.edges}
    plain = all(edge.length is None for edge in path.edges)
    return plain and (
        len(path.edges) < HOPS_MAX or (len(path.edges) == HOPS_MAX and directions in ({1}, {-1}))
    )


class Matcher:
    """Runs a recipe on a graph."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.graph = run.graph
        self.store = run.graph.store
        # What an index has found last, and for which test.
        self.answer: Ids | None = None
        self.answered: Test | None = None

    def match(self, wanted: Recipe) -> Batch:
        """The bindings of all clauses of a recipe but for the rest of the last WHERE."""
        batch = Batch(1)
        for step in wanted.steps:
            batch = self.clause(step, batch, wanted.ends)
            self.run.look(batch.count)
        return batch

    def clause(self, step: Step, batch: Batch, ends: str | None) -> Batch:
        """Bind the paths of one clause, the one with the fewest beginnings first."""
        left = list(step.paths)
        used: list[tuple[str, frozenset[str]]] = []
        done: set[str] = set()
        while left:
            choices = [(self.entrance(path, batch, step.tests), path) for path in left]
            (_, place, ids), path = min(choices, key=lambda choice: choice[0][0])
            left.remove(path)
            batch = self.enter(self.unanswered(path.nodes[place], ids), ids, batch)
            batch = self.filter(batch, step, done)
            if ends is not None and batch.count == 1 and place == 0:
                found = self.ends(path, batch)
                if found is not None:
                    return self.filter(self.check(path.nodes[-1], found), step, done)
            for at in range(place, len(path.edges)):
                batch = self.walk(path, at, True, batch, used)
                batch = self.filter(batch, step, done)
            for at in range(place - 1, -1, -1):
                batch = self.walk(path, at, False, batch, used)
                batch = self.filter(batch, step, done)
        return batch

    def filter(self, batch: Batch, step: Step, done: set[str]) -> Batch:
        """Apply the tests of WHERE on names that have just been bound."""
        for name in [*batch.nodes, *batch.edges]:
            if name in done:
                continue
            done.add(name)
            for test in step.tests:
                if test.name == name:
                    batch = self.test(test, batch)
            labels = tuple(label for of, label in step.labels if of == name)
            if labels:
                batch = self.labelled(batch, name, labels)
        return batch

    def constant(self, value: Expression) -> object:
        """The value of a literal or a parameter."""
        return self.run.compiler.compile(value)({}, self.run)

    def entrance(
        self, path: Path, batch: Batch, tests: tuple[Test, ...]
    ) -> tuple[int, int, Ids | None]:
        """How many nodes a path could begin with, at which place, and their ids.

        The ids are None for a place that is bound; that is the best one.
        """
        best: tuple[int, int, int | Ids] | None = None
        for place, node in enumerate(path.nodes):
            if node.name in batch.nodes:
                return -1, place, None
            own = [*node.tests, *(test for test in tests if test.name == node.name)]
            count, found = self.candidates(node, own)
            if best is None or count < best[0]:
                best = count, place, found
        assert best is not None
        count, place, found = best
        return count, place, self.store.nodes_with(found) if isinstance(found, int) else found

    def candidates(self, node: Node, tests: list[Test]) -> tuple[int, int | Ids]:
        """How many nodes a pattern's node could be, and the label or the ids to look at."""
        chosen, count = -1, self.store.node_count
        for name in node.labels:
            label = self.graph.labels.get(name)
            if label < 0:
                return 0, np.empty(0, np.int32)
            for test in tests if self.store.indexes else ():
                if test.operator != "=":
                    continue
                index = self.store.index_of(False, label, self.graph.attributes.get(test.key))
                if index is not None:
                    value = self.constant(test.value)
                    if isinstance(value, (str, int)):
                        self.answer = np.array(index.find(value), np.int32)
                        self.answered = test
                        return len(self.answer), self.answer
            with_label = self.store.label_count(label)
            if with_label <= count:
                count, chosen = with_label, label
        return count, chosen

    def unanswered(self, node: Node, ids: Ids | None) -> Node:
        """A node without the label and the properties that an index has answered for."""
        if ids is None or ids is not self.answer or len(node.labels) != 1:
            return node
        return Node(node.name, (), tuple(test for test in node.tests if test is not self.answered))

    def enter(self, node: Node, ids: Ids | None, batch: Batch) -> Batch:
        """Bind the node a path begins with, for every binding there is."""
        if ids is not None:
            self.run.look(batch.count * len(ids))
            if batch.count == 1 and not batch.nodes:
                batch = Batch(len(ids), {node.name: ids})
            else:
                rows = np.repeat(np.arange(batch.count), len(ids))
                count = batch.count
                batch = batch.take(rows)
                batch.nodes[node.name] = np.tile(ids, count)
        return self.check(node, batch)

    def check(self, node: Node, batch: Batch) -> Batch:
        """Keep the bindings whose node has the labels and properties of a pattern."""
        if node.labels:
            batch = self.labelled(batch, node.name, node.labels)
        for test in node.tests:
            batch = self.test(test, batch)
        return batch

    def labelled(self, batch: Batch, name: str, labels: tuple[str, ...]) -> Batch:
        """Keep the bindings whose node has all labels."""
        mask = self.mask(labels)
        if mask is None:
            return batch.take(np.zeros(batch.count, np.bool_))
        if mask.all():
            return batch
        return batch.take(self.store.having(batch.nodes[name], mask))

    def mask(self, labels: tuple[str, ...]) -> np.typing.NDArray[np.uint8] | None:
        """Which sets of labels have all of some labels; None if there is none."""
        mask = None
        for name in labels:
            label = self.graph.labels.get(name)
            if label < 0:
                return None
            one = self.store.label_mask(label)
            mask = one if mask is None else mask & one
        return mask

    def test(self, test: Test, batch: Batch) -> Batch:
        """Keep the bindings that pass a test."""
        of_edges = test.name in batch.edges
        ids = batch.edges[test.name] if of_edges else batch.nodes[test.name]
        key = self.graph.attributes.get(test.key)
        columns = self.store.edge_columns if of_edges else self.store.node_columns
        if not 0 <= key < len(columns):
            return batch.take(np.zeros(batch.count, np.bool_))
        wanted = self.constant(test.value)
        mask = columns[key].test(ids, test.operator, wanted)
        if mask is None:
            mask = np.fromiter(
                (
                    truth(operators.compared(test.operator, value, wanted)) is True
                    for value in columns[key].values(ids)
                ),
                np.bool_,
                batch.count,
            )
        return batch if mask.all() else batch.take(mask)

    def types(self, edge: tree.EdgePattern) -> list[int] | None:
        """The ids of the types of a pattern; None for any."""
        if not edge.types:
            return None
        return [self.graph.types.get(name) for name in dict.fromkeys(edge.types)]

    def walk(
        self,
        path: Path,
        at: int,
        forward: bool,
        batch: Batch,
        used: list[tuple[str, frozenset[str]]],
    ) -> Batch:
        """Go along one edge of a path from the node that is bound."""
        edge, name = path.edges[at], path.names[at]
        here, there = path.nodes[at if forward else at + 1], path.nodes[at + 1 if forward else at]
        direction = edge.direction if forward else -edge.direction
        bound = batch.nodes.get(there.name)
        types = self.types(edge)
        start = batch.nodes[here.name]
        if there.labels and self.mask(there.labels) is None:
            return self.unbound(batch, name if not edge.length else None, there.name)
        allowed = self.mask(there.labels)
        if edge.length is not None:
            low, high = edge.length
            rows, ends = _walk.walks(
                self.store, start, types, direction, low, -1 if high is None else high, allowed,
                self.run.look,
            )  # fmt: skip
            walked = None
        else:
            kinds = frozenset(edge.types)
            before = [
                batch.edges[other]
                for other, others in used
                if not kinds or not others or kinds & others
            ]
            rows, walked, ends = _walk.expand(
                self.store, start, types, direction, allowed, before, self.run.look
            )
            used.append((name, kinds))
        if bound is not None:
            same = bound[rows] == ends
            rows, ends = rows[same], ends[same]
            walked = None if walked is None else walked[same]
        batch = batch.take(rows)
        if walked is not None:
            batch.edges[name] = walked
        batch.nodes[there.name] = ends
        for test in (*there.tests, *path.tests[at]):
            batch = self.test(test, batch)
        return batch

    @staticmethod
    def unbound(batch: Batch, edge: str | None, node: str) -> Batch:
        """No bindings at all, of the names before and of an edge and a node."""
        batch = batch.take(np.zeros(batch.count, np.bool_))
        if edge is not None:
            batch.edges[edge] = np.empty(0, np.int32)
        batch.nodes[node] = np.empty(0, np.int32)
        return batch

    def ends(self, path: Path, batch: Batch) -> Batch | None:
        """The different nodes at the end of a path from one node; None if that takes its ways."""
        start, look = batch.nodes[path.nodes[0].name], self.run.look
        edge = path.edges[0]
        if edge.length is not None:
            low, high = edge.length
            if low > 1 or edge.direction == 0:
                return None
            limit = -1 if high is None else high
            found, _ = _walk.reached(
                self.store, start, self.types(edge), edge.direction, limit, look
            )
            if low == 0 and start[0] not in found:
                found = np.concatenate((start, found))
        else:
            hops = [(self.types(one), one.direction) for one in path.edges]
            if len(hops) == HOPS_MAX and self.loops(int(start[0]), hops[0][0]) > 1:
                return None
            found = _walk.third_ends(self.store, int(start[0]), hops, look)
        return Batch(len(found), {path.nodes[-1].name: found})

    def loops(self, node: int, types: Sequence[int] | None) -> int:
        """How many edges lead from a node to itself."""
        around = _walk.expand(
            self.store, np.array([node], np.int32), types, 1, None, (), self.run.look
        )
        return int(np.count_nonzero(around[2] == node))
