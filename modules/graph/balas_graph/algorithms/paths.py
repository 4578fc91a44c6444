"""algo.BFS, SPpaths and SSpaths."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from balas_graph.algorithms.settings import type_ids
from balas_graph.errors import QueryError
from balas_graph.evaluation.registry import procedure
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import is_number
from balas_graph.storage import _matrix, _walk
from balas_graph.storage.entities import Edge, Node, Path

Rows = Iterator[tuple[object, ...]]
DIRECTIONS = {"outgoing": 1, "incoming": -1, "both": 0}


@procedure("algo.BFS", "nodes", "edges")
def breadth_first(run: Run, source: object, levels: object, type: object) -> Rows:
    """The nodes around a node, the nearest first, up to a level (-1: all), with their edges."""
    if not isinstance(source, Node) or not isinstance(levels, int):
        return
    if type is not None and not isinstance(type, str):
        return
    types = type_ids(run, None if type is None else [type])
    store = run.graph.store
    nodes, edges = _matrix.tree(store, types, 1, source.id, levels, run.look)
    if nodes:
        yield [store.node(id) for id in nodes], [store.edge(id) for id in edges]


class Search:
    """A search for the lightest paths, with what its map asks for."""

    def __init__(self, run: Run, given: object, *needed: str) -> None:
        if not isinstance(given, dict):
            raise QueryError("Type mismatch: expected Map")
        self.run = run
        self.given = given
        if any(name not in given for name in needed):
            words = " and ".join(needed)
            raise QueryError(f"{words} {'is' if len(needed) == 1 else 'are'} required")
        if not all(isinstance(given[name], Node) for name in needed):
            raise QueryError(f"{' and '.join(needed)} must be of type Node")
        self.direction = DIRECTIONS.get(str(given.get("relDirection", "outgoing")))
        if self.direction is None:
            raise QueryError("relDirection values must be 'incoming', 'outgoing' or 'both'")
        names = given.get("relTypes")
        if names is not None and not (
            isinstance(names, list) and all(isinstance(name, str) for name in names)
        ):
            raise QueryError("relTypes must be array of strings")
        self.types = type_ids(run, names)
        self.weight_key = self.key("weightProp")
        self.cost_key = self.key("costProp")
        self.edges_max = self.whole("maxLen", 2**62)
        self.cost_max = given.get("maxCost", float("inf"))
        if not is_number(self.cost_max):
            raise QueryError("maxCost must be numeric")
        self.count = self.whole("pathCount", 1)

    def key(self, name: str) -> int | None:
        """The id of a property that is named, None if there is none."""
        value = self.given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise QueryError(f"{name} must be a string")
        return self.run.graph.attributes.get(value)

    def whole(self, name: str, default: int) -> int:
        """A number that is not negative."""
        value = self.given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise QueryError(f"{name} must be integer")
        if value < 0:
            raise QueryError(f"{name} must be greater than or equal to 0")
        return value

    def amount(self, edge: Edge, key: int | None) -> float:
        """The weight or the cost of an edge; 1 if it has none."""
        found = None if key is None else self.run.graph.store.property_of(edge, key)
        return found if is_number(found) else 1  # type: ignore[return-value]

    def outdone(
        self,
        known: dict[Node, list[tuple[float, int, float]]],
        nodes: tuple[Node, ...],
        weight: float,
        length: int,
        cost: float,
    ) -> bool:
        """Whether another way to the last node is better in all, and leads to all that is wanted.

        Of several paths, but for all of the lightest, none may be left out.
        """
        if self.count > 1:
            return False
        best = known.setdefault(nodes[-1], [])
        for other, edges, spent in best:
            if edges <= length and spent <= cost and (self.count == 1 or other < weight):
                return True
        best.append((weight, length, cost))
        return False

    def paths(self, source: Node, target: Node | None) -> Rows:
        """The lightest paths, as many as are asked for, the heaviest first.

        With a count of 0 all that are as light as the lightest.
        """
        found: list[tuple[float, float, Path]] = []
        store, tick = self.run.graph.store, 0
        # Weight, edges, a number that keeps paths from being compared, cost, nodes and edges.
        heap: list[tuple[float, int, int, float, tuple[Node, ...], tuple[Edge, ...]]]
        heap = [(0, 0, 0, 0, (source,), ())]
        known: dict[Node, list[tuple[float, int, float]]] = {}
        while heap:
            weight, length, _, cost, nodes, edges = heapq.heappop(heap)
            self.run.step(len(heap))
            if found and self.count == 0 and weight > found[0][0]:
                break
            if edges and (target is None or nodes[-1] is target):
                found.append((weight, cost, Path(nodes, edges)))
                if len(found) == self.count:
                    break
                if target is not None:
                    continue
            if length >= self.edges_max or self.outdone(known, nodes, weight, length, cost):
                continue
            for edge, end in _walk.neighbours(store, nodes[-1].id, self.types, self.direction or 0):
                if end in nodes:
                    continue
                more = self.amount(edge, self.weight_key)
                if more < 0:
                    raise QueryError("negative weights are not supported")
                costs = cost + self.amount(edge, self.cost_key)
                if costs <= self.cost_max:
                    tick += 1
                    heapq.heappush(
                        heap,
                        (weight + more, length + 1, tick, costs, (*nodes, end), (*edges, edge)),
                    )
        return ((path, float(weight), float(cost)) for weight, cost, path in reversed(found))


@procedure("algo.SPpaths", "path", "pathWeight", "pathCost")
def between(run: Run, given: object) -> Rows:
    """The lightest paths between two nodes."""
    search = Search(run, given, "sourceNode", "targetNode")
    return search.paths(search.given["sourceNode"], search.given["targetNode"])


@procedure("algo.SSpaths", "path", "pathWeight", "pathCost")
def from_one(run: Run, given: object) -> Rows:
    """The lightest paths from a node to any other."""
    search = Search(run, given, "sourceNode")
    return search.paths(search.given["sourceNode"], None)
