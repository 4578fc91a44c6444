"""Patterns matched for many bindings at a time.

The MATCH clauses at the front of a query bind columns of ids instead of rows, as long as their
patterns are plain: a `Recipe` says how far that goes. What is behind them gets rows, or works on
the columns itself (`columnar`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing

from balas_graph.evaluation import operators
from balas_graph.evaluation.compiler import truth
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import equals
from balas_graph.execution.access import (
    FLIPPED,
    ID,
    Wanted,
    Wish,
    answer,
    conjuncts,
    constant,
    of_map,
    place_of,
    settled,
    wanted,
)
from balas_graph.language import checks, tree
from balas_graph.language.tree import Expression
from balas_graph.storage import _walk, entities

Ids = np.typing.NDArray[np.int32]

# No more edges on a path are walked by `third_ends`.
HOPS_MAX = 3
# Values that a dict tells apart as "=" does, but for truths.
PLAIN = (type(None), bool, int, float, str)
# Tests of a property and a constant that are no comparison.
BINARY_TESTS: dict[str, Callable[[object, object], object]] = {
    "IN": operators.contains,
    "STARTS WITH": partial(operators.string_test, "STARTS WITH"),
    "ENDS WITH": partial(operators.string_test, "ENDS WITH"),
    "CONTAINS": partial(operators.string_test, "CONTAINS"),
}


@dataclass(slots=True)
class Batch:
    """Bindings in columns of one length: ids of nodes and of edges, and floats, by names."""

    count: int
    nodes: dict[str, Ids] = field(default_factory=dict)
    edges: dict[str, Ids] = field(default_factory=dict)
    values: dict[str, np.typing.NDArray[np.generic]] = field(default_factory=dict)
    # Lists of ids of edges.
    lists: dict[str, np.typing.NDArray[np.object_]] = field(default_factory=dict)

    def take(self, chosen: np.typing.NDArray[np.generic]) -> Batch:
        """The bindings at some places, or where a mask holds."""
        nodes = {name: ids[chosen] for name, ids in self.nodes.items()}
        edges = {name: ids[chosen] for name, ids in self.edges.items()}
        count = int(np.count_nonzero(chosen)) if chosen.dtype == np.bool_ else len(chosen)
        values = {name: found[chosen] for name, found in self.values.items()}
        lists = {name: found[chosen] for name, found in self.lists.items()}
        return Batch(count, nodes, edges, values, lists)

    def without(self, names: Iterable[str]) -> Batch:
        """The same bindings without some names."""
        for name in names:
            self.nodes.pop(name, None)
            self.edges.pop(name, None)
        return self

    def rows(self, run: Run, paths: Sequence[Path] = ()) -> list[Row]:
        """The bindings as rows, with the paths that have names, without names that were made up."""
        store = run.graph.store

        def made(make: Callable[[int], object], ids: Ids) -> list[object]:
            found: list[object] = []
            for part in run.slices(self.count):
                found += map(make, ids[part].tolist())
            return found

        names: list[str] = []
        columns: list[list[object]] = []
        for name, ids in self.nodes.items():
            if name[0] != " ":
                names.append(name)
                columns.append(made(store.node, ids))
        for name, ids in self.edges.items():
            if name[0] != " ":
                names.append(name)
                columns.append(made(store.edge, ids))
        for name, values in self.values.items():
            names.append(name)
            columns.append(values.tolist())
        for name, lists in self.lists.items():
            if name[0] != " ":
                names.append(name)
                columns.append([[store.edge(id) for id in ids] for ids in lists.tolist()])
        for path in paths:
            if path.variable is not None:
                names.append(path.variable)
                columns.append(list(self.paths(path, run)))
        if not names:
            return [{} for _ in range(self.count)]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def paths(self, path: Path, run: Run) -> Iterator[entities.Path]:
        """The paths that the bindings are of."""
        store = run.graph.store
        first = self.nodes[path.nodes[0].name].tolist()
        edges = (
            self.lists[path.names[0]].tolist()
            if path.edges and path.edges[0].length is not None
            else zip(*(self.edges[name].tolist() for name in path.names), strict=True)
            if path.names
            else [() for _ in first]
        )
        for start, ids in zip(first, edges, strict=True):
            nodes, walked = [store.node(start)], []
            for id in ids:
                edge, here = store.edge(id), nodes[len(nodes) - 1]
                walked.append(edge)
                nodes.append(edge.target if edge.source is here else edge.source)
            yield entities.Path(tuple(nodes), tuple(walked))


@dataclass(frozen=True, slots=True)
class Test:
    """name.key, or id(name), compared with a value that is the same for all rows."""

    name: str
    key: str
    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Join:
    """name.key = name.key, for two names."""

    sides: tuple[tuple[str, str], tuple[str, str]]

    def other(self, name: str) -> tuple[str, tuple[str, str]] | None:
        """The key of a name, and the other side; None if it is of other names."""
        for one, other in (self.sides, self.sides[::-1]):
            if one[0] == name:
                return one[1], other
        return None


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
    variable: str | None

    @property
    def last(self) -> Node:
        """The node it ends with."""
        return self.nodes[len(self.nodes) - 1]


@dataclass(frozen=True, slots=True)
class Step:
    """One MATCH clause: paths; tests, joins and labels of WHERE, and what is left of it; and what
    indexes can be asked about names.
    """

    paths: tuple[Path, ...]
    tests: tuple[Test, ...]
    joins: tuple[Join, ...]
    labels: tuple[tuple[str, str], ...]
    rest: tuple[Expression, ...]
    wishes: dict[str, tuple[Wanted, ...]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The clauses that are matched in columns; `ends` is a name only whose values matter, and
    `needed` are the names that anything asks for behind the walk that binds them; None for all.
    """

    steps: tuple[Step, ...]
    ends: str | None
    needed: frozenset[str] | None


def test_of(node: Expression) -> Test | None:
    """A comparison of a property, or of an id, with a constant."""
    if isinstance(node, tree.Binary) and node.operator in BINARY_TESTS:
        left, operator, right = node.left, node.operator, node.right
    elif isinstance(node, tree.Chain) and len(node.rest) == 1:
        left, (operator, right) = node.first, node.rest[0]
        if constant(left):
            left, right, operator = right, left, FLIPPED.get(operator, "")
        if operator not in FLIPPED:
            return None
    else:
        return None
    place = place_of(left)
    return Test(*place, operator, right) if place is not None and constant(right) else None


def join_of(node: Expression, names: set[str]) -> Join | None:
    """An equation of properties of two names."""
    if not isinstance(node, tree.Chain) or len(node.rest) != 1 or node.rest[0][0] != "=":
        return None
    one, other = place_of(node.first), place_of(node.rest[0][1])
    if one is None or other is None or one[0] == other[0] or ID in (one[1], other[1]):
        return None
    return Join((one, other)) if {one[0], other[0]} <= names else None


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
    if pattern.shortest:
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
        if edge.length and (tests or len(pattern.edges) > 1 or not alone):
            return None
        names.append(name)
        edge_tests.append(tests)
    return Path(tuple(nodes), pattern.edges, tuple(names), tuple(edge_tests), pattern.variable)


def step_of(
    clause: tree.Match, number: int, nodes: set[str], edges: set[str], lists: set[str]
) -> Step | None:
    """A clause that can be matched in columns; adds the names it binds."""
    paths = []
    for place, pattern in enumerate(clause.patterns):
        path = path_of(pattern, number * 1000 + place, len(clause.patterns) == 1)
        if path is None or (edges | lists).intersection(path.names):
            return None
        paths.append(path)
        many = len(path.edges) == 1 and path.edges[0].length is not None
        (lists if many else edges).update(path.names)
        nodes.update(node.name for node in path.nodes)
    tests, joins, labels, rest = [], [], [], []
    wishes = {name: tuple(filter(settled, found)) for name, found in wanted(clause.where).items()}
    for path, pattern in zip(paths, clause.patterns, strict=True):
        named = zip((*(node.name for node in path.nodes), *path.names), pattern.parts, strict=True)
        for name, spot in named:
            wishes[name] = (*of_map(name, spot.properties), *wishes.get(name, ()))
    for part in conjuncts(clause.where):
        test, join = test_of(part), join_of(part, nodes | edges)
        if test is not None and (test.name in nodes or test.name in edges):
            tests.append(test)
        elif join is not None:
            joins.append(join)
        elif (
            isinstance(part, tree.HasLabels)
            and isinstance(part.of, tree.Variable)
            and part.of.name in nodes
        ):
            labels += [(part.of.name, label) for label in part.labels]
        else:
            rest.append(part)
    return Step(tuple(paths), tuple(tests), tuple(joins), tuple(labels), tuple(rest), wishes)


def recipe(clauses: Sequence[tree.Clause]) -> Recipe | None:
    """How far the front of a query can be matched in columns; None if not at all."""
    steps: list[Step] = []
    nodes: set[str] = set()
    edges: set[str] = set()
    lists: set[str] = set()
    for number, clause in enumerate(clauses):
        if not isinstance(clause, tree.Match) or clause.optional:
            break
        step = step_of(clause, number, nodes, edges, lists)
        if step is None:
            break
        steps.append(step)
        if step.rest:
            break
    if not steps:
        return None
    behind = clauses[len(steps)] if len(steps) < len(clauses) else None
    ends = only_ends(steps, behind)
    return Recipe(tuple(steps), ends, needed_names(steps, behind))


def needed_names(steps: list[Step], behind: tree.Clause | None) -> frozenset[str] | None:
    """The names that have to stay: those of WHERE, of what is behind, and those in two patterns."""
    if not isinstance(behind, tree.Projection) or behind.star:
        return None
    asked = (behind.items, behind.order, behind.where, *(step.rest for step in steps))
    found = set()
    for one in checks.parts(asked):
        if isinstance(one, tree.Variable):
            found.add(one.name)
        elif isinstance(one, (tree.MapProjection, tree.NodePattern, tree.EdgePattern)):
            found.add(one.variable or "")
    seen: set[str] = set()
    for step in steps:
        found.update(test.name for test in step.tests)
        found.update(name for join in step.joins for name, _ in join.sides)
        found.update(name for name, _ in step.labels)
        for path in step.paths:
            if path.variable is not None:
                found.update((path.nodes[0].name, *path.names))
            for node in path.nodes:
                (found if node.name in seen else seen).add(node.name)
    return frozenset(found)


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
    names = [node.name for node in path.nodes]
    both = path.nodes[0].name, path.last.name
    inner = path.nodes[1 : len(path.nodes) - 1]
    if (
        value.name != path.last.name
        or len(set(names)) != len(names)
        or any(node.labels or node.tests for node in inner)
        or any(path.tests)
        or steps[0].joins
        or any(test.name not in both for test in steps[0].tests)
        or any(name not in both for name, _ in steps[0].labels)
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


def joined_by(value: object) -> object:
    """What equal values share."""
    return ("bool", value) if isinstance(value, bool) else value


def listed(ids: Ids, starts: Ids, forward: bool) -> np.typing.NDArray[np.object_]:
    """The edges of each walk, in the order of the pattern."""
    flat, bounds = ids.tolist(), starts.tolist()
    found = np.empty(len(bounds) - 1, np.object_)
    step = 1 if forward else -1
    for place in range(len(found)):
        found[place] = tuple(flat[bounds[place] : bounds[place + 1]])[::step]
    return found


class Matcher:
    """Runs a recipe on a graph."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.graph = run.graph
        self.store = run.graph.store
        # What an index has found last, and for which wish.
        self.answer: Ids | None = None
        self.answered: Wanted | None = None
        # The names that have to stay bound; None for all.
        self.needed: frozenset[str] | None = None

    def match(self, wanted: Recipe) -> Batch:
        """The bindings of all clauses of a recipe but for the rest of the last WHERE."""
        batch = Batch(1)
        self.needed = wanted.needed
        for step in wanted.steps:
            batch = self.clause(step, batch, wanted.ends)
            self.run.look(batch.count)
        return batch

    def clause(self, step: Step, batch: Batch, ends: str | None) -> Batch:
        """Bind the paths of one clause, the one with the fewest beginnings first."""
        left = list(step.paths)
        used: list[tuple[str, frozenset[str]]] = []
        done: set[str | Join] = set()
        while left:
            choices = [(self.entrance(path, batch, step), path) for path in left]
            (_, place, ids, by_edge), path = min(choices, key=lambda choice: choice[0][0])
            left.remove(path)
            if by_edge:
                assert ids is not None
                batch = self.enter_edge(path, place, ids, batch, used)
            else:
                node = self.unanswered(path.nodes[place], ids)
                batch = self.enter(node, ids, batch, step.joins)
            batch = self.filter(batch, step, done)
            if ends is not None and batch.count == 1 and place == 0:
                found = self.ends(path, batch)
                if found is not None:
                    return self.filter(self.check(path.last, found), step, done)
            for at in range(place + by_edge, len(path.edges)):
                # The node to walk back from stays.
                batch = self.walk(path, at, True, batch, used, at > place or not place)
                batch = self.filter(batch, step, done)
            for at in range(place - 1, -1, -1):
                batch = self.walk(path, at, False, batch, used, True)
                batch = self.filter(batch, step, done)
        if self.needed is not None:
            batch = batch.without([name for name in batch.edges if name not in self.needed])
        return batch

    def filter(self, batch: Batch, step: Step, done: set[str | Join]) -> Batch:
        """Apply the tests of WHERE on names that have just been bound."""
        for join in step.joins:
            names = [name for name, _ in join.sides]
            if join not in done and all(n in batch.nodes or n in batch.edges for n in names):
                done.add(join)
                batch = self.join(join, batch)
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

    def entrance(self, path: Path, batch: Batch, step: Step) -> tuple[int, int, Ids | None, bool]:
        """How many beginnings a path could have, at which place, their ids, and whether these
        are of edges.

        The ids are None for a place that is bound; that is the best one.
        """
        best: tuple[int, int, int | Ids, bool] | None = None
        for place, node in enumerate(path.nodes):
            if node.name in batch.nodes:
                return -1, place, None, False
            count, found = self.candidates(node, step.wishes[node.name])
            if best is None or count < best[0]:
                best = count, place, found, False
        assert best is not None
        for place, edge in enumerate(path.edges if self.store.indexes else ()):
            if edge.length is None and len(edge.types) == 1:
                label = self.graph.types.get(edge.types[0])
                for wish in step.wishes[path.names[place]]:
                    ids = answer(self.graph, True, label, wish, self.constant)
                    if ids is not None and len(ids) < best[0]:
                        best = len(ids), place, ids, True
        count, place, found, by_edge = best
        if isinstance(found, int):
            found = self.store.nodes_with(found)
        return count, place, found, by_edge

    def candidates(self, node: Node, wishes: tuple[Wanted, ...]) -> tuple[int, int | Ids]:
        """How many nodes a pattern's node could be, and the label or the ids to look at."""
        chosen: int | Ids = -1
        count = self.store.node_count
        labels = []
        for name in node.labels:
            label = self.graph.labels.get(name)
            if label < 0:
                return 0, np.empty(0, np.int32)
            labels.append(label)
            with_label = self.store.label_count(label)
            if with_label <= count:
                count, chosen = with_label, label
        for wish in wishes:
            for label in labels if self.store.indexes else labels[:1] or (-1,):
                ids = answer(self.graph, False, label, wish, self.constant)
                if ids is not None and len(ids) <= count:
                    count, chosen = len(ids), ids
                    self.answer, self.answered = ids, wish
        return count, chosen

    def unanswered(self, node: Node, ids: Ids | None) -> Node:
        """A node without the label and the properties that an index has answered for."""
        if ids is None or ids is not self.answer or len(node.labels) != 1:
            return node
        wish = self.answered
        if not isinstance(wish, Wish) or wish.operator != "=" or wish.key == ID:
            return node
        tests = tuple(
            test
            for test in node.tests
            if test.operator != "=" or (test.key, test.value) != (wish.key, wish.value)
        )
        return Node(node.name, (), tests)

    def enter(
        self, node: Node, ids: Ids | None, batch: Batch, joins: tuple[Join, ...] = ()
    ) -> Batch:
        """Bind the node a path begins with, for every binding there is."""
        if ids is not None:
            if batch.count == 1 and not batch.nodes:
                self.run.look(len(ids))
                return self.check(node, Batch(len(ids), {node.name: ids}))
            pairs = self.pairs(node.name, ids, batch, joins)
            rows, places = self.product(batch, ids) if pairs is None else pairs
            batch = batch.take(rows)
            batch.nodes[node.name] = ids[places]
        return self.check(node, batch)

    def product(self, batch: Batch, ids: Ids) -> tuple[Ids, Ids]:
        """Every binding with every id: the places of both."""
        self.run.look(batch.count * len(ids))
        rows = np.repeat(np.arange(batch.count, dtype=np.int32), len(ids))
        return rows, np.tile(np.arange(len(ids), dtype=np.int32), batch.count)

    def pairs(
        self, name: str, ids: Ids, batch: Batch, joins: tuple[Join, ...]
    ) -> tuple[Ids, Ids] | None:
        """The bindings and the ids that an equation brings together; None if there is none."""
        for join in joins:
            found = join.other(name)
            if found is None or not (found[1][0] in batch.nodes or found[1][0] in batch.edges):
                continue
            places: dict[object, list[int]] = {}
            own = self.values(False, ids, found[0])
            others = self.place(batch, found[1])
            if not all(type(one) in PLAIN for one in (*own, *others)):
                return None
            for at, value in enumerate(own):
                if value is not None:
                    places.setdefault(joined_by(value), []).append(at)
            rows: list[int] = []
            chosen: list[int] = []
            for row, value in enumerate(others):
                for at in places.get(joined_by(value), ()) if value is not None else ():
                    rows.append(row)
                    chosen.append(at)
                self.run.step(len(rows))
            return np.array(rows, np.int32), np.array(chosen, np.int32)
        return None

    def values(self, edges: bool, ids: Ids, name: str) -> list[object]:
        """The values of a property."""
        columns = self.store.edge_columns if edges else self.store.node_columns
        key = self.graph.attributes.get(name)
        return columns[key].values(ids) if 0 <= key < len(columns) else [None] * len(ids)

    def place(self, batch: Batch, side: tuple[str, str]) -> list[object]:
        """The values of one side of an equation."""
        name, key = side
        of_edges = name in batch.edges
        return self.values(of_edges, batch.edges[name] if of_edges else batch.nodes[name], key)

    def join(self, join: Join, batch: Batch) -> Batch:
        """Keep the bindings for which an equation holds."""
        left, right = (self.place(batch, side) for side in join.sides)
        mask = np.fromiter(
            (equals(a, b) is True for a, b in self.run.each(zip(left, right, strict=True))),
            np.bool_,
            batch.count,
        )
        return batch if mask.all() else batch.take(mask)

    def enter_edge(
        self, path: Path, at: int, ids: Ids, batch: Batch, used: list[tuple[str, frozenset[str]]]
    ) -> Batch:
        """Bind an edge of a path and its ends, for every binding there is."""
        left, right = self.store.ends_of(ids)
        direction = path.edges[at].direction
        if direction < 0:
            left, right = right, left
        elif direction == 0:
            both = left != right
            ids = np.concatenate((ids, ids[both]))
            left, right = (
                np.concatenate((left, right[both])), np.concatenate((right, left[both]))
            )  # fmt: skip
        rows, places = self.product(batch, ids)
        kinds = frozenset(path.edges[at].types)
        taken = [batch.edges[name] for name, others in used if not others or kinds & others]
        batch = batch.take(rows)
        mask = np.ones(batch.count, np.bool_)
        for other in taken:
            mask &= other[rows] != ids[places]
        here, there = path.nodes[at], path.nodes[at + 1]
        if here.name == there.name:
            mask &= (left == right)[places]
        batch.edges[path.names[at]] = ids[places]
        batch.nodes[here.name] = left[places]
        batch.nodes[there.name] = right[places]
        used.append((path.names[at], kinds))
        batch = self.check(there, self.check(here, batch.take(mask)))
        for test in path.tests[at]:
            batch = self.test(test, batch)
        return batch

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
        wanted_value = self.constant(test.value)
        mask = None
        if test.key != ID and test.operator in FLIPPED:
            key = self.graph.attributes.get(test.key)
            columns = self.store.edge_columns if of_edges else self.store.node_columns
            if not 0 <= key < len(columns):
                return batch.take(np.zeros(batch.count, np.bool_))
            mask = columns[key].test(ids, test.operator, wanted_value)
        if mask is None:
            compare = BINARY_TESTS.get(test.operator) or partial(operators.compared, test.operator)
            values = ids.tolist() if test.key == ID else self.values(of_edges, ids, test.key)
            mask = np.fromiter(
                (truth(compare(value, wanted_value)) is True for value in self.run.each(values)),
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
        leave: bool,
    ) -> Batch:
        """Go along one edge of a path from the node that is bound; it may be forgotten if `leave`
        and nothing else asks for it.
        """
        edge, name = path.edges[at], path.names[at]
        here, there = path.nodes[at if forward else at + 1], path.nodes[at + 1 if forward else at]
        direction = edge.direction if forward else -edge.direction
        bound = batch.nodes.get(there.name)
        lists: np.typing.NDArray[np.object_] | None = None
        types = self.types(edge)
        start = batch.nodes[here.name]
        if there.labels and self.mask(there.labels) is None:
            return self.unbound(batch, edge, name, there.name)
        allowed = self.mask(there.labels)
        if edge.length is not None:
            low, high = edge.length
            keep = path.variable is not None or edge.variable is not None
            rows, ends, *more = _walk.walks(
                self.store, start, types, direction, low, -1 if high is None else high, allowed,
                self.run.look, keep,
            )  # fmt: skip
            walked = None
            lists = listed(more[0], more[1], forward) if keep else None
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
            lists = None if lists is None else lists[same]
        if leave and self.needed is not None and here.name not in self.needed:
            batch = batch.without((here.name,))
        batch = batch.take(rows)
        if walked is not None:
            batch.edges[name] = walked
        if lists is not None:
            batch.lists[name] = lists
        batch.nodes[there.name] = ends
        for test in (*there.tests, *path.tests[at]):
            batch = self.test(test, batch)
        return batch

    @staticmethod
    def unbound(batch: Batch, edge: tree.EdgePattern, name: str, node: str) -> Batch:
        """No bindings at all, of the names before and of an edge and a node."""
        batch = batch.take(np.zeros(batch.count, np.bool_))
        if edge.length is None:
            batch.edges[name] = np.empty(0, np.int32)
        else:
            batch.lists[name] = np.empty(0, np.object_)
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
        return Batch(len(found), {path.last.name: found})

    def loops(self, node: int, types: Sequence[int] | None) -> int:
        """How many edges lead from a node to itself."""
        around = _walk.expand(
            self.store, np.array([node], np.int32), types, 1, None, (), self.run.look
        )
        return int(np.count_nonzero(around[2] == node))
