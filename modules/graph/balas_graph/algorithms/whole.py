"""algo.pageRank, WCC, labelPropagation, betweenness and MSF."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import numpy as np
import numpy.typing

from balas_graph.algorithms.settings import (
    Scores,
    Settings,
    chosen_nodes,
    label_mask,
    type_ids,
)
from balas_graph.errors import QueryError
from balas_graph.evaluation.registry import procedure
from balas_graph.evaluation.run import Run
from balas_graph.storage import _matrix

Rows = Iterable[tuple[object, ...]]
# The rank of a page: what is passed on, when to stop, and how many rounds at most.
DAMPING, TOLERANCE, ROUNDS_MAX = 0.85, 1e-4, 100


@procedure("algo.pageRank", "node", "score")
def page_rank(run: Run, label: object, type: object) -> Rows:
    """How often a walker who jumps now and then comes by each node of a label."""
    if not all(name is None or isinstance(name, str) for name in (label, type)):
        return iter(())
    labels = None if label is None else [str(label)]
    types = None if type is None else [str(type)]
    store = run.graph.store
    nodes = chosen_nodes(run, labels)
    if not len(nodes):
        return iter(())
    starts, cells = _matrix.matrix(
        store, type_ids(run, types), label_mask(run, labels), False, run.look
    )
    there = np.zeros(store.node_limit, np.uint8)
    there[store.nodes_with(-1)] = 1
    ranks = _matrix.page_rank(starts, cells, there, DAMPING, TOLERANCE, ROUNDS_MAX, run.look)
    return Scores(run, nodes, ranks[nodes].astype(np.float64))


@procedure("algo.WCC", "node", "componentId")
def components(run: Run, given: object = None) -> Rows:
    """The part of the graph each node is connected with."""
    settings = Settings(run, "wcc", given)
    store = run.graph.store
    starts, cells = _matrix.matrix(store, settings.type_ids(), settings.mask(), False, run.look)
    return by_node(run, settings, _matrix.components(starts, cells, run.look))


@procedure("algo.labelPropagation", "node", "communityId")
def communities(run: Run, given: object = None) -> Rows:
    """Communities: each node takes the one most of its neighbours have, again and again."""
    settings = Settings(run, "labelPropagation", given, "maxIterations")
    rounds = settings.positive("maxIterations", 10)
    store = run.graph.store
    starts, cells = _matrix.matrix(store, settings.type_ids(), settings.mask(), True, run.look)
    return by_node(run, settings, _matrix.propagate(starts, cells, rounds, run.look))


@procedure("algo.betweenness", "node", "score")
def betweenness(run: Run, given: object = None) -> Rows:
    """On how many shortest paths each node is, from nodes chosen by chance with a seed."""
    own = ("samplingSize", "samplingSeed")
    settings = Settings(run, "betweenness", given, *own)
    size = settings.positive("samplingSize", 32)
    seed = settings.positive("samplingSeed", 1) if "samplingSeed" in settings.given else 0
    store = run.graph.store
    starts, cells = _matrix.matrix(store, settings.type_ids(), settings.mask(), False, run.look)
    nodes = settings.nodes()
    if size < len(nodes):
        nodes = np.array(sorted(Random(seed).sample(nodes.tolist(), size)), np.int32)
    return by_node(run, settings, _matrix.betweenness(starts, cells, nodes, run.look))


def by_node(run: Run, settings: Settings, values: np.typing.NDArray[np.generic]) -> Rows:
    """The nodes that take part, each with its value."""
    nodes = settings.nodes()
    return Scores(run, nodes, values[nodes])


@procedure("algo.MSF", "edges", "nodes")
def forest(run: Run, given: object = None) -> Rows:
    """The trees of the least, or the greatest, weight that join all that can be joined."""
    settings = Settings(run, "msf", given, "objective", "weightAttribute")
    objective = settings.given.get("objective", "minimize")
    if objective not in ("minimize", "maximize"):
        raise QueryError(f"msf configuration, unknown objective: {objective}")
    weight = settings.given.get("weightAttribute")
    if weight is not None and not isinstance(weight, str):
        raise QueryError("msf configuration, 'weightAttribute' should be a string")
    store = run.graph.store
    nodes, types = settings.nodes(), settings.type_ids()
    edges = store.edges_of(-1)
    if types is not None:
        edges = np.sort(
            np.concatenate([store.edges_of(one) for one in types if one >= 0] or [edges[:0]])
        )
    sources, targets = store.ends_of(edges)
    mask = settings.mask()
    inside = store.having(sources, mask) & store.having(targets, mask)
    edges, sources, targets = edges[inside], sources[inside], targets[inside]
    if weight is not None:
        key = run.graph.attributes.get(weight)
        values = [store.get(True, id, key) for id in run.each(edges.tolist())]
        sign = -1.0 if objective == "maximize" else 1.0
        weights = [sign * v if isinstance(v, (int, float)) else np.inf for v in values]
        order = np.argsort(np.array(weights), kind="stable")
        edges, sources, targets = edges[order], sources[order], targets[order]
    chosen, roots = _matrix.spanning(sources, targets, store.node_limit)
    trees: dict[int, tuple[list[object], list[object]]] = {}
    for id in run.each(nodes.tolist()):
        trees.setdefault(int(roots[id]), ([], []))[1].append(store.node(id))
    pairs = sorted(zip(edges[chosen].tolist(), sources[chosen].tolist(), strict=True))
    for id, source in run.each(pairs):
        trees[int(roots[source])][0].append(store.edge(id))
    return iter(trees.values())
