"""CREATE INDEX and DROP INDEX."""

from __future__ import annotations

from balas_graph.errors import QueryError
from balas_graph.evaluation.run import Run
from balas_graph.language import tree


def change(clause: tree.IndexChange, run: Run) -> None:
    """Make or drop the indexes of a clause."""
    graph = run.graph
    label = (graph.types if clause.edges else graph.labels).intern(clause.label)
    for name in clause.keys:
        key = graph.attributes.intern(name)
        if clause.create:
            if not graph.create_index(clause.edges, label, key):
                raise QueryError(f"Attribute '{name}' is already indexed")
            run.statistics.indices_created += 1
        else:
            if graph.constraints.needs(clause.edges, label, key):
                raise QueryError("Index supports constraint")
            if not graph.drop_index(clause.edges, label, key):
                raise QueryError(
                    f"ERR Unable to drop index on :{clause.label}({name}): no such index."
                )
            run.statistics.indices_deleted += 1
