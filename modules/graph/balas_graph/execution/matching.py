"""Finds patterns in the graph.

A path is entered at the node that has the fewest candidates (one that is bound, then one with an
indexed property, then the rarest label), and walked from there to its ends. No edge is walked
twice in one MATCH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import equals, type_name
from balas_graph.execution.access import answer, of_map
from balas_graph.language import tree
from balas_graph.storage import _walk
from balas_graph.storage.entities import Edge, Node, Path

Used = frozenset[Edge]
NOTHING: Used = frozenset()
Candidates = Callable[[], Iterable[int]]


def node_name(path: int, place: int, pattern: tree.PathPattern) -> str:
    """The name a node is bound to, made up for one without."""
    return pattern.nodes[place].variable or f"  n{path}.{place}"


def edge_name(path: int, place: int, pattern: tree.PathPattern) -> str:
    """The name an edge is bound to, made up for one without."""
    return pattern.edges[place].variable or f"  e{path}.{place}"


def match(
    patterns: tuple[tree.PathPattern, ...], row: Row, run: Run, first: int = 0, used: Used = NOTHING
) -> Iterator[Row]:
    """Every row in which all patterns hold."""
    if first == len(patterns):
        yield row
        return
    pattern = patterns[first]
    if pattern.shortest:
        found = shortest(pattern, row, run, first)
    else:
        found = walk_path(pattern, row, run, first, used)
    for inner, walked in found:
        if pattern.variable is not None:
            inner = {**inner, pattern.variable: path_of(pattern, inner, first)}
        yield from match(patterns, inner, run, first + 1, walked)


def path_of(pattern: tree.PathPattern, row: Row, number: int) -> Path:
    """The path that a row has bound."""
    start = row[node_name(number, 0, pattern)]
    assert isinstance(start, Node)
    nodes, edges = [start], []
    for place in range(len(pattern.edges)):
        walked = row[edge_name(number, place, pattern)]
        for edge in walked if isinstance(walked, list) else [walked]:
            assert isinstance(edge, Edge)
            edges.append(edge)
            nodes.append(edge.target if edge.source is nodes[-1] else edge.source)
    return Path(tuple(nodes), tuple(edges))


def walk_path(
    pattern: tree.PathPattern, row: Row, run: Run, number: int, used: Used
) -> Iterator[tuple[Row, Used]]:
    """Every way to lay one path over the graph."""
    start, candidates = entrance(pattern, row, run, number)
    steps = [(place, True) for place in range(start, len(pattern.edges))]
    steps += [(place, False) for place in range(start - 1, -1, -1)]
    name = node_name(number, start, pattern)
    for node in candidates:
        run.step()
        if fits(pattern.nodes[start], node, row, run):
            yield from walk(pattern, number, steps, 0, {**row, name: node}, used, run)


def walk(
    pattern: tree.PathPattern, number: int, steps: list[tuple[int, bool]], at: int, row: Row,
    used: Used, run: Run,
) -> Iterator[tuple[Row, Used]]:  # fmt: skip
    """Go on with a path from the nodes that are bound already."""
    if at == len(steps):
        yield row, used
        return
    place, forward = steps[at]
    edge_pattern = pattern.edges[place]
    here = row[node_name(number, place if forward else place + 1, pattern)]
    there = place + 1 if forward else place
    name, end_name = edge_name(number, place, pattern), node_name(number, there, pattern)
    assert isinstance(here, Node)
    bound_edge = row.get(name) if name in row else None
    if name in row and bound_edge is None:
        return
    bound_end = row.get(end_name) if end_name in row else False
    for walked, end, taken in expand(edge_pattern, here, forward, row, used, run, bound_edge):
        if bound_end is not False and bound_end is not end:
            continue
        if bound_end is False and not fits(pattern.nodes[there], end, row, run):
            continue
        if bound_end is not False and not fits(pattern.nodes[there], end, row, run):
            continue
        inner = {**row, name: walked, end_name: end}
        yield from walk(pattern, number, steps, at + 1, inner, taken, run)


def expand(
    pattern: tree.EdgePattern, here: Node, forward: bool, row: Row, used: Used, run: Run,
    bound: object,
) -> Iterator[tuple[object, Node, Used]]:  # fmt: skip
    """Edges, or lists of edges, that lead on from a node, with where they end."""
    direction = pattern.direction if forward else -pattern.direction
    types = type_ids(pattern, run)
    if pattern.length is None:
        for edge, end in _walk.neighbours(run.graph.store, here.id, types, direction):
            run.step()
            if bound is not None and bound is not edge:
                continue
            if edge not in used and has_properties(pattern.properties, edge, row, run):
                yield edge, end, used | {edge}
        return
    low, high = pattern.length
    stack: list[tuple[tuple[Edge, ...], Node]] = [((), here)]
    while stack:
        edges, node = stack.pop()
        run.step(len(stack))
        if len(edges) >= low:
            walked = list(edges) if forward else list(reversed(edges))
            if bound is None or bound == walked:
                yield walked, node, used.union(edges)
        if high is not None and len(edges) >= high:
            continue
        for edge, end in _walk.neighbours(run.graph.store, node.id, types, direction):
            if edge in used or edge in edges:
                continue
            if has_properties(pattern.properties, edge, row, run):
                stack.append(((*edges, edge), end))


def type_ids(pattern: tree.EdgePattern, run: Run) -> list[int] | None:
    """The ids of the types of a pattern; None for any."""
    if not pattern.types:
        return None
    return [run.graph.types.get(name) for name in dict.fromkeys(pattern.types)]


def entrance(
    pattern: tree.PathPattern, row: Row, run: Run, number: int
) -> tuple[int, Iterable[Node]]:
    """The place of the node to begin at, and its candidates."""
    best: tuple[int, int, Candidates] | None = None
    for place, node in enumerate(pattern.nodes):
        name = node_name(number, place, pattern)
        if name in row:
            value = row[name]
            if value is None:
                return place, ()
            if not isinstance(value, Node):
                raise type_mismatch("Node", type_name(value))
            return place, () if value.deleted else (value,)
        count, candidates = scan(node, row, run)
        if best is None or count < best[0]:
            best = count, place, candidates
    assert best is not None
    return best[1], map(run.graph.store.node, best[2]())


def scan(node: tree.NodePattern, row: Row, run: Run) -> tuple[int, Candidates]:
    """How many nodes could fit, and how to find their ids: by index, by label, or all."""
    store, chosen = run.graph.store, -1
    count = store.node_count
    for name in node.labels:
        label = run.graph.labels.get(name)
        if label < 0:
            return 0, lambda: ()
        found = by_index(node, label, row, run)
        if found is not None:
            return len(found), partial(tuple, found)
        with_label = store.label_count(label)
        if with_label <= count:
            count, chosen = with_label, label
    found = by_index(node, -1, row, run)
    if found is not None:
        return len(found), partial(tuple, found)
    return count, lambda: store.nodes_with(chosen).tolist()


def by_index(node: tree.NodePattern, label: int, row: Row, run: Run) -> Sequence[int] | None:
    """The ids of the nodes that an index has for a property of a pattern, or WHERE for an id."""
    hints = run.hints.get(node.variable, ()) if node.variable else ()

    def evaluate(value: tree.Expression) -> object:
        return run.compiler.compile(value)(row, run)

    for wish in (*of_map("", node.properties), *hints):
        found = answer(run.graph, False, label, wish, evaluate)
        if found is not None:
            return found.tolist()  # type: ignore[no-any-return]
    return None


def fits(pattern: tree.NodePattern, node: Node, row: Row, run: Run) -> bool:
    """Whether a node has the labels and properties of a pattern."""
    for name in pattern.labels:
        if run.graph.labels.get(name) not in node.labels:
            return False
    return has_properties(pattern.properties, node, row, run)


def has_properties(wanted: tree.Expression | None, entity: Node | Edge, row: Row, run: Run) -> bool:
    """Whether a node or an edge has the properties of a map."""
    if wanted is None:
        return True
    values = run.compiler.compile(wanted)(row, run)
    if not isinstance(values, dict):
        raise type_mismatch("Map", type_name(values))
    attributes, store = run.graph.attributes, run.graph.store
    return all(
        equals(store.property_of(entity, attributes.get(key)), value) is True
        for key, value in values.items()
    )


def shortest(
    pattern: tree.PathPattern, row: Row, run: Run, number: int
) -> Iterator[tuple[Row, Used]]:
    """One or all of the shortest paths between two nodes; of a node that is not bound, between
    each that fits.
    """
    first, last = node_name(number, 0, pattern), node_name(number, 1, pattern)
    if len(pattern.edges) != 1:
        raise QueryError("shortestPath requires a path containing a single relationship")
    if first not in row:
        store = run.graph.store
        for id in scan(pattern.nodes[0], row, run)[1]():
            node = store.node(id)
            run.step()
            if fits(pattern.nodes[0], node, row, run):
                yield from shortest(pattern, {**row, first: node}, run, number)
        return
    source, target = row[first], row.get(last)
    if source is None or (target is None and last in row):
        return
    assert isinstance(source, Node)
    name = edge_name(number, 0, pattern)
    for edges, node in nearest_paths(pattern, source, target, row, run):
        yield {**row, name: list(edges), last: node}, frozenset(edges)


def nearest_paths(
    pattern: tree.PathPattern, source: Node, target: object, row: Row, run: Run
) -> Iterator[tuple[tuple[Edge, ...], Node]]:
    """The shortest paths from a node to another, or to each that fits, the shorter ones first."""
    edge, one = pattern.edges[0], pattern.shortest == "one"
    store, types = run.graph.store, type_ids(edge, run)
    low, high = edge.length or (1, 1)
    level: list[tuple[tuple[Edge, ...], Node]] = [((), source)]
    seen, depth = {source}, 0
    while level:
        if depth >= low:
            for edges, node in level:
                if node is target or (target is None and fits(pattern.nodes[1], node, row, run)):
                    yield edges, node
                    if one and target is not None:
                        return
            if target is not None and any(node is target for _, node in level):
                return
        if high is not None and depth >= high:
            return
        following: list[tuple[tuple[Edge, ...], Node]] = []
        for edges, node in level:
            for step, end in _walk.neighbours(store, node.id, types, edge.direction):
                run.step(len(following))
                if end not in seen and has_properties(edge.properties, step, row, run):
                    following.append(((*edges, step), end))
                    if one:
                        # One way to a node is enough.
                        seen.add(end)
        seen.update(node for _, node in following)
        level = following
        depth += 1
