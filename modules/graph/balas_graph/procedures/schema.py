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
