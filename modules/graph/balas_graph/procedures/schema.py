"""What the graph is made of: db.labels, db.relationshipTypes, db.propertyKeys, db.indexes."""

from __future__ import annotations

from collections.abc import Iterator

from balas_graph.evaluation.registry import procedure
from balas_graph.evaluation.run import Run

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
    """Every label and type with indexes, and the properties they are of."""
    graph = run.graph
    found: dict[tuple[bool, int], list[int]] = {}
    for edges, label, key in graph.store.indexes:
        found.setdefault((edges, label), []).append(key)
    for (edges, label), keys in found.items():
        names = [graph.attributes.names[key] for key in keys]
        counts = [graph.store.indexes[edges, label, key].count for key in keys]
        yield (
            (graph.types if edges else graph.labels).names[label],
            names,
            {name: ["RANGE"] for name in names},
            {name: {} for name in names},
            "english",
            [],
            "RELATIONSHIP" if edges else "NODE",
            "OPERATIONAL",
            {"numDocuments": max(counts)},
        )


@procedure("db.constraints", "type", "label", "properties", "entitytype", "status")
def constraints(run: Run) -> Rows:
    """Every constraint, and whether the data kept it when it was made."""
    graph = run.graph
    for one, holds in graph.constraints.all.items():
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
