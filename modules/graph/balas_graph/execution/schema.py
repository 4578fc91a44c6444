"""CREATE INDEX and DROP INDEX of every kind, and what procedures need of them."""

from __future__ import annotations

from typing import Any

from balas_graph.errors import QueryError
from balas_graph.evaluation.run import Run
from balas_graph.language import tree
from balas_graph.storage._index import Index
from balas_graph.storage.graph import Graph
from balas_graph.storage.texts import Field, TextIndex
from balas_graph.storage.vectors import Space, VectorIndex
from balas_graph.storage.words import Words, languages

FIELD_OPTIONS, WORDS_OPTIONS = {"weight", "nostem", "phonetic"}, {"language", "stopwords"}
VECTOR_MISTAKE = "Invalid vector index configuration"
# What the graph of neighbours can be told, by the names that openCypher has for it.
GRAPH_OPTIONS = (("M", "m"), ("efConstruction", "ef_construction"), ("efRuntime", "ef_runtime"))


def change(clause: tree.IndexChange, run: Run) -> None:
    """Make or drop the indexes of a clause."""
    if not clause.create:
        drop(clause, run)
        return
    options = run.compiler.compile(clause.options)({}, run) if clause.options else None
    if options is not None and not isinstance(options, dict):
        raise QueryError("invalid index configuration")
    if clause.kind == "FULLTEXT":
        given = options or {}
        if not set(given) <= FIELD_OPTIONS | WORDS_OPTIONS:
            raise QueryError("invalid index configuration")
        field, words = field_of(given), words_of(given)
        fields = [(name, field) for name in clause.keys]
        create_texts(run, clause.edges, clause.label, fields, words)
        return
    graph = run.graph
    label = (graph.types if clause.edges else graph.labels).intern(clause.label)
    for name in clause.keys:
        key = graph.attributes.intern(name)
        if clause.kind == "VECTOR":
            made = VectorIndex(clause.edges, label, key, space_of(options))
            add(run, made, name)
        elif not graph.create_index(clause.edges, label, key):
            raise QueryError(f"Attribute '{name}' is already indexed")
        else:
            run.statistics.indices_created += 1


def add(run: Run, made: Index, name: str) -> None:
    """Add an index of texts or of vectors, which must be the first of its kind there."""
    if (made.kind, made.edges, made.label, made.key) in run.graph.store.searches:
        raise QueryError(f"Attribute '{name}' is already indexed")
    run.graph.add_index(made)
    run.statistics.indices_created += 1


def drop(clause: tree.IndexChange, run: Run) -> None:
    """Drop the indexes of a clause; the old way to write it means types, too."""
    graph = run.graph
    for name in clause.keys:
        key = graph.attributes.get(name)
        found, supports = None, False
        for edges in {clause.edges, True} if clause.kind == "RANGE" else {clause.edges}:
            label = (graph.types if edges else graph.labels).get(clause.label)
            place = edges, label, key
            found = found or (
                graph.store.index_of(*place)
                if clause.kind == "RANGE"
                else graph.store.searches.get((clause.kind, *place))
            )
            supports = supports or graph.constraints.needs(*place)
        if found is None:
            raise QueryError(f"ERR Unable to drop index on :{clause.label}({name}): no such index.")
        if supports and clause.kind == "RANGE":
            raise QueryError("Index supports constraint")
        graph.remove_index(found)
        run.statistics.indices_deleted += 1


def create_texts(
    run: Run, edges: bool, label_name: str, fields: list[tuple[str, Field]], words: Words | None
) -> None:
    """Make full-text indexes; other words than before hold for the whole label."""
    graph = run.graph
    label = (graph.types if edges else graph.labels).intern(label_name)
    there = [one for one in graph.searches("FULLTEXT", edges, label) if isinstance(one, TextIndex)]
    known = there[0].words if there else Words()
    if words is not None and words != known:
        for old in there:
            graph.remove_index(old)
            graph.add_index(TextIndex(edges, label, old.key, old.field, words))
        known = words
    for name, field in fields:
        key = graph.attributes.intern(name)
        add(run, TextIndex(edges, label, key, field, known), name)


def field_of(given: dict[str, Any]) -> Field:
    """How a property's words count, as a map says."""
    weight = given.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        raise QueryError("Weight must be numeric")
    nostem, phonetic = given.get("nostem", False), given.get("phonetic", "no")
    if not isinstance(nostem, bool):
        raise QueryError("Nostem must be bool")
    if not isinstance(phonetic, str):
        raise QueryError("Phonetic must be string")
    return Field(float(weight), nostem, phonetic)


def words_of(given: dict[str, Any]) -> Words | None:
    """How texts are read, as a map says; None if it says nothing."""
    if not WORDS_OPTIONS & set(given):
        return None
    language, stop_words = given.get("language", "english"), given.get("stopwords", [])
    if not isinstance(language, str):
        raise QueryError("Language must be string")
    if language.lower() not in languages():
        raise QueryError("Language is not supported")
    if not isinstance(stop_words, list):
        raise QueryError("Stopwords must be array")
    if not all(isinstance(word, str) for word in stop_words):
        raise QueryError("Stopword must be string")
    return Words(language.lower(), tuple(word.lower() for word in stop_words))


def space_of(given: dict[str, Any] | None) -> Space:
    """What vectors there are, as a map says."""
    options = given or {}
    dimension, similarity = options.get("dimension"), options.get("similarityFunction")
    numbers = [dimension, *(options.get(name, 1) for name, _ in GRAPH_OPTIONS)]
    if similarity not in ("euclidean", "cosine") or not all(
        isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**15
        for number in numbers
    ):
        raise QueryError(VECTOR_MISTAKE)
    more = {ours: options[name] for name, ours in GRAPH_OPTIONS if name in options}
    return Space(numbers[0], similarity, **more)


def entity(graph: Graph, edges: bool, id: int) -> object:
    """The node or the relationship of an id."""
    return graph.store.edge(id) if edges else graph.store.node(id)
