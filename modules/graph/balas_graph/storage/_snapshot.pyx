"""A `Store` as bytes, and from bytes that are checked before they are used."""

from libc.stdint cimport int32_t
from libc.stdlib cimport realloc

import numpy as np

from balas_graph.storage._columns cimport Column
from balas_graph.storage._index import RangeIndex
from balas_graph.storage._store cimport EdgeRecord, Heads, NodeRecord, Relation, Store


cdef int check(bint holds) except -1:
    """ValueError unless it holds."""
    if not holds:
        raise ValueError("a graph that cannot be")
    return 0


def state(Store store, pack):
    """Everything but names as lists of numbers and bytes objects: what `restore` reads."""
    cdef Py_ssize_t i
    labels, shapes = np.empty(store.node_limit, np.int32), np.empty(store.node_limit, np.int32)
    cdef int32_t[:] label_cells = labels, shape_cells = shapes
    for i in range(store.node_limit):
        label_cells[i] = store.nodes[i].labels
        shape_cells[i] = store.nodes[i].shape if store.nodes[i].labels >= 0 else 0
    ends = np.empty((4, store.edge_limit), np.int32)
    cdef int32_t[:, :] end_cells = ends
    for i in range(store.edge_limit):
        end_cells[0, i] = store.edges[i].type
        end_cells[1, i] = store.edges[i].source
        end_cells[2, i] = store.edges[i].target
        end_cells[3, i] = store.edges[i].shape if store.edges[i].type >= 0 else 0
    return {
        "free": [store.free_nodes, store.free_edges],
        "label_sets": store.label_sets,
        "shapes": store.shapes,
        "indexes": sorted([[int(e), label, key] for e, label, key in store.indexes]),
    }, [
        labels.tobytes(), shapes.tobytes(), ends.tobytes(),
        order(store, False).tobytes(), order(store, True).tobytes(),
    ], [
        [(<Column> column).state(pack) for column in columns]
        for columns in (store.node_columns, store.edge_columns)
    ]


cdef object order(Store store, bint incoming):
    """All edges in the order of the lists, so that these can be made again."""
    made = np.empty(store.edge_count, np.int32)
    cdef int32_t[:] ids = made
    cdef Py_ssize_t place = 0, node
    cdef int32_t edge
    cdef Relation relation
    cdef Heads heads
    for relation in store.relations:
        heads = relation.incoming if incoming else relation.outgoing
        for node in range(store.node_limit):
            edge = heads.get(<int32_t> node)
            while edge >= 0:
                ids[place] = edge
                place += 1
                edge = store.edges[edge].next_in if incoming else store.edges[edge].next_out
    return made


def restore(Store store, head, list parts, list columns, unpack, counts):
    """Fill an empty store; ValueError if what is read cannot be.

    `counts` are the numbers of labels, types and names of properties.
    """
    n_labels, n_types, n_keys = counts
    check(len(parts) == 5 and len(columns) == 2)
    restore_names(store, head, n_labels, n_keys)
    cdef const int32_t[:] labels = np.frombuffer(parts[0], np.int32)
    cdef const int32_t[:] shapes = np.frombuffer(parts[1], np.int32)
    ends = np.frombuffer(parts[2], np.int32).reshape(4, -1)
    cdef const int32_t[:, :] cells = ends
    cdef Py_ssize_t limit = labels.shape[0], edge_limit = cells.shape[1], i
    check(shapes.shape[0] == limit)
    store.nodes = <NodeRecord *> realloc(NULL, max(limit, 1) * sizeof(NodeRecord))
    store.edges = <EdgeRecord *> realloc(NULL, max(edge_limit, 1) * sizeof(EdgeRecord))
    if store.nodes == NULL or store.edges == NULL:
        raise MemoryError
    store.nodes_size, store.edges_size = max(limit, 1), max(edge_limit, 1)
    cdef int32_t n_sets = len(store.label_sets), n_shapes = len(store.shapes)
    for i in range(limit):
        check(-1 <= labels[i] < n_sets and 0 <= shapes[i] < n_shapes)
        store.nodes[i].labels, store.nodes[i].shape = labels[i], shapes[i]
        if labels[i] >= 0:
            store.node_count += 1
            store.label_counts[labels[i]] += 1
    store.node_limit = limit
    for i in range(edge_limit):
        check(-1 <= cells[0, i] < n_types and 0 <= cells[3, i] < n_shapes)
        store.edges[i].type, store.edges[i].shape = cells[0, i], cells[3, i]
        store.edges[i].source, store.edges[i].target = cells[1, i], cells[2, i]
        if cells[0, i] >= 0:
            check(store.has_node(cells[1, i]) and store.has_node(cells[2, i]))
    store.edge_limit = edge_limit
    restore_lists(store, parts[3], parts[4])
    store.free_nodes, store.free_edges = head["free"]
    dead = [i for i in range(limit) if labels[i] < 0]
    check(all([type(id) is int for id in store.free_nodes + store.free_edges]))
    check(sorted(store.free_nodes) == dead)
    check(sorted(store.free_edges) == np.flatnonzero(ends[0] < 0).tolist())
    store.node_columns = [Column.restored(part, unpack, limit) for part in columns[0]]
    store.edge_columns = [Column.restored(part, unpack, edge_limit) for part in columns[1]]
    check(len(store.node_columns) <= n_keys and len(store.edge_columns) <= n_keys)
    check_shapes(store)
    for edges, label, key in head["indexes"]:
        check(0 <= label < (n_types if edges else n_labels) and 0 <= key < n_keys)
        check((bool(edges), label, key) not in store.indexes)
        store.attach(RangeIndex(edges, label, key))


cdef int restore_names(Store store, head, n_labels, n_keys) except -1:
    """The sets of labels and the shapes of a file."""
    store.label_sets, store.label_set_ids, store.label_counts = [], {}, []
    for labels in head["label_sets"]:
        check(all([type(one) is int and 0 <= one < n_labels for one in labels]))
        store.label_set(tuple(labels))
    for shape in head["shapes"]:
        check(all([type(one) is int and 0 <= one < n_keys for one in shape]))
        check(len(set(shape)) == len(shape))
        store.shape_number(tuple(shape))
    check(len(store.label_sets) == len(head["label_sets"]) > 0)
    check(len(store.shapes) == len(head["shapes"]))


cdef int restore_lists(Store store, bytes first, bytes second) except -1:
    """The lists of edges, from their order in a file."""
    cdef const int32_t[:] ids
    cdef int32_t id
    cdef Py_ssize_t i, there = 0
    cdef Relation relation
    cdef EdgeRecord *edges = store.edges
    cdef bint incoming
    for i in range(store.edge_limit):
        there += edges[i].type >= 0
    for incoming, data in ((False, first), (True, second)):
        ids = np.frombuffer(data, np.int32)
        check(ids.shape[0] == there and len(np.unique(ids)) == there)
        for i in range(there):
            id = ids[i]
            check(store.has_edge(id))
            relation = store.relation(edges[id].type)
            if incoming:
                store.append(relation.incoming, edges[id].target, id, True)
            else:
                store.append(relation.outgoing, edges[id].source, id, False)
                relation.count += 1
    store.edge_count = there


cdef int check_shapes(Store store) except -1:
    """Whether every entity has the values its shape tells of, and no others have any."""
    cdef Py_ssize_t i, total
    for edge, columns, limit in (
        (False, store.node_columns, store.node_limit), (True, store.edge_columns, store.edge_limit)
    ):
        total = 0
        for i in range(limit):
            if (store.edges[i].type if edge else store.nodes[i].labels) < 0:
                continue
            for key in store.shapes[store.edges[i].shape if edge else store.nodes[i].shape]:
                check(key < len(columns) and store.get(edge, i, key) is not None)
                total += 1
        check(total == sum([column.count for column in columns]))
