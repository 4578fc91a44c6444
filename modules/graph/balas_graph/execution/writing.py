"""CREATE, MERGE, SET, REMOVE and DELETE."""

from __future__ import annotations

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import type_name
from balas_graph.execution.matching import edge_name, match, node_name, path_of
from balas_graph.execution.storable import PLAIN, storable
from balas_graph.language import tree
from balas_graph.storage.entities import Edge, Node, Path


def new_properties(source: tree.Expression | None, row: Row, run: Run) -> dict[int, object]:
    """The properties of a new node or edge, nulls left out."""
    if source is None:
        return {}
    values = run.compiler.compile(source)(row, run)
    if not isinstance(values, dict):
        raise type_mismatch("Map", type_name(values))
    kept = {key: storable(value) for key, value in values.items() if value is not None}
    run.statistics.properties_set += len(kept)
    return {run.graph.attributes.intern(key): value for key, value in kept.items()}


def create(patterns: tuple[tree.PathPattern, ...], row: Row, run: Run) -> Row:
    """Create what the patterns name and the row does not hold; the row with it."""
    row = dict(row)
    for number, pattern in enumerate(patterns):
        for place, node in enumerate(pattern.nodes):
            name = node_name(number, place, pattern)
            if name not in row:
                row[name] = create_node(node, row, run)
            elif not isinstance(row[name], Node):
                raise QueryError("Failed to create relationship; endpoint was not found.")
        for place, edge in enumerate(pattern.edges):
            source = row[node_name(number, place, pattern)]
            target = row[node_name(number, place + 1, pattern)]
            if edge.direction < 0:
                source, target = target, source
            assert isinstance(source, Node)
            assert isinstance(target, Node)
            kind = run.graph.types.intern(edge.types[0])
            made = run.graph.create_edge(
                kind, source, target, new_properties(edge.properties, row, run)
            )
            run.statistics.relationships_created += 1
            row[edge_name(number, place, pattern)] = made
        if pattern.variable is not None:
            row[pattern.variable] = path_of(pattern, row, number)
    return {key: value for key, value in row.items() if key[0] != " "}


def create_node(pattern: tree.NodePattern, row: Row, run: Run) -> Node:
    """A new node as a pattern describes it."""
    graph = run.graph
    for name in pattern.labels:
        if name not in graph.labels.ids:
            run.statistics.labels_added += 1
    labels = [graph.label_id(name) for name in dict.fromkeys(pattern.labels)]
    run.statistics.nodes_created += 1
    return graph.create_node(labels, new_properties(pattern.properties, row, run))


def merge(clause: tree.Merge, rows: list[Row], run: Run) -> list[Row]:
    """Match the pattern, or create it where there is none, row by row."""
    result = []
    for row in run.each(rows):
        refuse_nulls(clause.pattern, row, run)
        found = [dict(inner) for inner in match((clause.pattern,), row, run)]
        items = clause.on_match
        if not found:
            found, items = [create((clause.pattern,), row, run)], clause.on_create
        for inner in found:
            assign_all(items, [inner], run)
            result.append({key: value for key, value in inner.items() if key[0] != " "})
    return result


def refuse_nulls(pattern: tree.PathPattern, row: Row, run: Run) -> None:
    """MERGE cannot look for a property that is null."""
    for part in pattern.parts:
        if part.properties is not None:
            values = run.compiler.compile(part.properties)(row, run)
            if isinstance(values, dict) and None in values.values():
                raise QueryError("Cannot merge node using null property value")


def assign_all(
    items: tuple[tree.SetItem, ...], rows: list[Row], run: Run, remove: bool = False
) -> None:
    """The items of SET or REMOVE, all of them for one row after the other."""
    compiled = [
        (item, run.compiler.compile(item.target), run.compiler.maybe(item.value)) for item in items
    ]
    for row in rows:
        run.step()
        for item, find, evaluate in compiled:
            target = find(row, run)
            if target is None:
                continue
            if not isinstance(target, (Node, Edge)):
                raise type_mismatch("Node or Edge", type_name(target))
            if target.deleted:
                continue
            if item.kind == "labels":
                if isinstance(target, Node):
                    change_labels(target, item.labels, run, remove)
                continue
            value = None if evaluate is None else evaluate(row, run)
            if item.kind == "property":
                set_one(target, item.key, value, run)
            else:
                set_many(target, value, run, item.kind == "replace")


def set_many(target: Node | Edge, value: object, run: Run, replace: bool) -> None:
    """Set the properties of a map, or those of another entity; `replace` removes all others."""
    names = run.graph.attributes.names
    if isinstance(value, (Node, Edge)):
        value = {names[key]: kept for key, kept in value.properties.items()}
    if not isinstance(value, dict):
        raise type_mismatch("Map", type_name(value))
    if replace:
        for key in [names[key] for key in target.properties if names[key] not in value]:
            set_one(target, key, None, run)
    for key, kept in value.items():
        set_one(target, key, kept, run)


def set_one(target: Node | Edge, key: str, value: object, run: Run) -> None:
    """Set or remove one property, and count it."""
    graph = run.graph
    if value is not None and type(value) not in PLAIN:
        storable(value)
    attribute = graph.attributes.ids.get(key)
    if attribute is None:
        if value is None:
            return
        attribute = graph.attributes.intern(key)
    old = graph.store.property_of(target, attribute)
    if type(old) is type(value) and old == value:
        return
    if graph.store.set_property(type(target) is Edge, target.id, attribute, value):
        # A value that takes the place of another counts twice: as one that goes and one that comes.
        run.statistics.properties_removed += old is not None
        run.statistics.properties_set += value is not None


def change_labels(node: Node, names: tuple[str, ...], run: Run, remove: bool) -> None:
    """Give labels to a node, or take them."""
    for name in names:
        if remove:
            run.statistics.labels_removed += run.graph.drop_label(node, run.graph.labels.get(name))
        else:
            run.statistics.labels_added += run.graph.add_label(node, run.graph.label_id(name))


def delete(clause: tree.Delete, rows: list[Row], run: Run) -> None:
    """Delete all that the expressions name: edges first, then nodes."""
    nodes: dict[Node, None] = {}
    edges: dict[Edge, None] = {}
    for target in clause.targets:
        evaluate = run.compiler.compile(target)
        for row in rows:
            run.step()
            collect(evaluate(row, run), nodes, edges)
    for node in run.each(nodes):
        joined = [
            e
            for side in (node.outgoing, node.incoming)
            for es in side.values()
            for e in es.values()
        ]
        if not clause.detach and any(edge not in edges for edge in joined):
            raise QueryError("Cannot delete node with relationships; use DETACH DELETE")
        edges.update(dict.fromkeys(joined))
    for edge in run.each(edges):
        if not edge.deleted:
            run.graph.delete_edge(edge)
            run.statistics.relationships_deleted += 1
    for node in run.each(nodes):
        if not node.deleted:
            run.graph.delete_node(node)
            run.statistics.nodes_deleted += 1


def collect(value: object, nodes: dict[Node, None], edges: dict[Edge, None]) -> None:
    """The nodes and edges of a value that is to be deleted."""
    if isinstance(value, Node):
        nodes[value] = None
    elif isinstance(value, Edge):
        edges[value] = None
    elif isinstance(value, Path):
        nodes.update(dict.fromkeys(value.nodes))
        edges.update(dict.fromkeys(value.edges))
    elif value is not None:
        raise QueryError("DELETE can only be called on nodes, paths and relationships")
