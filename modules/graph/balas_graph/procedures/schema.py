"""What the graph is made of: db.labels, db.relationshipTypes, db.propertyKeys, db.indexes."""

from __future__ import annotations

from collections.abc import Iterator

from balas_graph.evaluation.registry import procedure
from balas_graph.evaluation.run import Run
from balas_graph.storage._index import Index
from balas_graph.storage.texts import TextIndex
from balas_graph.storage.vectors import VectorIndex
from balas_graph.storage.words import Words

Rows = Iterator[tuple[object, ...]]


@procedure("db.labels", "label")
def labels(run: Run) -> Rows:
    """Every label by its id."""
    return ((name,) for name in list(run.graph.labels.names))


@procedure("db.relationshipTypes", "relationshipType")
def relationship_types(run: Run) -> Rows:
    """Every type of relationships by its id."""
    return ((name,) for name in list(run.graph.types.names))


@procedure("db.propertyKeys", "propertyKey")
def property_keys(run: Run) -> Rows:
    """Every name of a property by its id."""
    return ((name,) for name in list(run.graph.attributes.names))


@procedure("dbms.functions", "name")
def functions(run: Run) -> Rows:
    """Every function."""
    return ((found.name,) for _, found in sorted(run.registry.functions.items()))


@procedure("dbms.procedures", "name", "mode")
def procedures(run: Run) -> Rows:
    """Every procedure, and whether it writes."""
    return (
        (found.name, "WRITE" if found.writes else "READ")
        for _, found in sorted(run.registry.procedures.items())
    )


@procedure(
    "db.indexes",
    "label",
    "properties",
    "types",
    "options",
    "language",
    "stopwords",
    "entitytype",
    "status",
    "info",
)
def indexes(run: Run) -> Rows:
    """Every type and label with indexes, the newest first, and the properties they are of."""
    graph = run.graph
    found: dict[tuple[bool, int], dict[int, list[Index]]] = {}
    for index in (*graph.store.indexes.values(), *graph.store.searches.values()):
        by_key = found.setdefault((index.edges, index.label), {})
        by_key.setdefault(index.key, []).append(index)
    names = graph.attributes.names
    for (edges, label), by_key in sorted(found.items(), reverse=True):
        every = [index for inner in by_key.values() for index in inner]
        texts = [index for index in every if isinstance(index, TextIndex)]
        words = texts[0].words if texts else Words()
        yield (
            (graph.types if edges else graph.labels).names[label],
            [names[key] for key in by_key],
            {names[key]: [index.kind for index in inner] for key, inner in by_key.items()},
            {names[key]: options(inner) for key, inner in by_key.items()},
            words.language,
            list(words.stop_words),
            "RELATIONSHIP" if edges else "NODE",
            "OPERATIONAL",
            {
                "numDocuments": max(index.count for index in every),
                "memoryBytes": sum(index.memory() for index in every),
            },
        )


def options(indexes: list[Index]) -> dict[str, object]:
    """What the indexes of a property were told."""
    for index in indexes:
        if isinstance(index, VectorIndex):
            space = index.space
            return {
                "dimension": space.dimension,
                "similarityFunction": space.similarity,
                "M": space.m,
                "efConstruction": space.ef_construction,
                "efRuntime": space.ef_runtime,
            }
    return {}


@procedure("db.constraints", "type", "label", "properties", "entitytype", "status")
def constraints(run: Run) -> Rows:
    """Every constraint, the newest first, and whether the data kept it when it was made."""
    graph = run.graph
    newest = reversed(graph.constraints.all.items())
    for one, holds in sorted(newest, key=lambda pair: not pair[0].edges):
        yield (
            "UNIQUE" if one.unique else "MANDATORY",
            (graph.types if one.edges else graph.labels).names[one.label],
            [graph.attributes.names[key] for key in one.keys],
            "RELATIONSHIP" if one.edges else "NODE",
            "OPERATIONAL" if holds else "FAILED",
        )


@procedure(
    "db.meta.stats",
    "labels",
    "relTypes",
    "relCount",
    "nodeCount",
    "labelCount",
    "relTypeCount",
    "propertyKeyCount",
)
def statistics(run: Run) -> Rows:
    """How much of everything there is."""
    graph, store = run.graph, run.graph.store
    yield (
        {name: store.label_count(id) for id, name in enumerate(graph.labels.names)},
        {name: store.relation_count(id) for id, name in enumerate(graph.types.names)},
        store.edge_count,
        store.node_count,
        len(graph.labels.names),
        len(graph.types.names),
        len(graph.attributes.names),
    )
