"""db.idx.fulltext.* and db.idx.vector.*: searches of texts and vectors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from balas_graph.errors import QueryError
from balas_graph.evaluation.registry import procedure
from balas_graph.evaluation.run import Run
from balas_graph.execution.schema import create_texts, entity, field_of, words_of
from balas_graph.storage.entities import Vector
from balas_graph.storage.search import search
from balas_graph.storage.texts import Field, TextIndex
from balas_graph.storage.vectors import VectorIndex

Rows = Iterator[tuple[object, ...]]


@procedure("db.idx.fulltext.createNodeIndex", writes=True)
def create_node_index(run: Run, *given: object) -> Rows:
    """Index texts: a label or {label, language, stopwords}, then properties or {field, ...}."""
    if len(given) < 2:
        raise QueryError("Minimum number of arguments is 2")
    label, *fields = given
    options = label if isinstance(label, dict) else {"label": label}
    if not isinstance(label, (str, dict)):
        raise QueryError("Label argument can be string or map")
    name = options.get("label")
    if name is None:
        raise QueryError("Label is missing")
    if not isinstance(name, str):
        raise QueryError("Label must be string")
    words = words_of(options)
    create_texts(run, False, name, [named_field(field) for field in fields], words)
    return iter(())


def named_field(given: object) -> tuple[str, Field]:
    """A property, alone or with how its words count."""
    if isinstance(given, str):
        return given, Field()
    if not isinstance(given, dict):
        raise QueryError("Field argument must be string or map")
    name = given.get("field")
    if name is None:
        raise QueryError("Field is missing")
    if not isinstance(name, str):
        raise QueryError("Field must be string")
    return name, field_of(given)


@procedure("db.idx.fulltext.drop", writes=True)
def drop(run: Run, label: object) -> Rows:
    """Drop the full-text indexes of a label."""
    graph = run.graph
    found = graph.searches("FULLTEXT", False, graph.labels.get(str(label)))
    if not found:
        raise QueryError(f"ERR Unable to drop index on :{label}: no such index.")
    for index in found:
        graph.remove_index(index)
        run.statistics.indices_deleted += 1
    return iter(())


def texts(run: Run, edges: bool, label: object, wanted: object) -> Rows:
    """What a search of texts finds, and how well it fits."""
    graph = run.graph
    if not isinstance(label, str) or not isinstance(wanted, str):
        return
    number = (graph.types if edges else graph.labels).get(label)
    indexes = [
        (graph.attributes.names[index.key], index)
        for index in graph.searches("FULLTEXT", edges, number)
        if isinstance(index, TextIndex)
    ]
    value_of = partial(property_value, run, edges)
    for id, score in search(indexes, wanted, value_of, run.look):
        yield entity(graph, edges, id), score


def property_value(run: Run, edges: bool, key: int, id: int) -> object:
    """The value of a property of an entity."""
    return run.graph.store.get(edges, id, key)


@procedure("db.idx.fulltext.queryNodes", "node", "score")
def query_nodes(run: Run, label: object, wanted: object) -> Rows:
    """The nodes whose texts fit a search."""
    return texts(run, False, label, wanted)


@procedure("db.idx.fulltext.queryRelationships", "relationship", "score")
def query_relationships(run: Run, label: object, wanted: object) -> Rows:
    """The relationships whose texts fit a search."""
    return texts(run, True, label, wanted)


def vectors(
    run: Run, edges: bool, label: object, attribute: object, count: object, wanted: object
) -> Rows:
    """The nearest to a vector, and how far they are."""
    graph = run.graph
    word = "Relationships" if edges else "Nodes"
    mistake = QueryError(f"Invalid arguments for procedure 'db.idx.vector.query{word}'")
    if not isinstance(label, str) or not isinstance(attribute, str):
        raise mistake
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise mistake
    if not isinstance(wanted, Vector):
        raise mistake
    number = (graph.types if edges else graph.labels).get(label)
    key = graph.attributes.get(attribute)
    if key < 0:
        raise QueryError("Attempted to access undefined attribute")
    index = graph.store.searches.get(("VECTOR", edges, number, key))
    if not isinstance(index, VectorIndex):
        raise mistake
    if len(wanted.numbers) != index.space.dimension:
        raise QueryError(
            f"Vector dimension mismatch, expected {index.space.dimension} "
            f"but got {len(wanted.numbers)}"
        )
    for id, distance in index.nearest(wanted, count):
        yield entity(graph, edges, id), distance


@procedure("db.idx.vector.queryNodes", "node", "score")
def nearest_nodes(run: Run, label: object, attribute: object, count: object, query: object) -> Rows:
    """The nodes whose vectors are the nearest."""
    return vectors(run, False, label, attribute, count, query)


@procedure("db.idx.vector.queryRelationships", "relationship", "score")
def nearest_relationships(
    run: Run, label: object, attribute: object, count: object, query: object
) -> Rows:
    """The relationships whose vectors are the nearest."""
    return vectors(run, True, label, attribute, count, query)
