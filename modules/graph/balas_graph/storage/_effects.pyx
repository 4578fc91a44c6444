"""What a query has done, as the changes that do it again: see `storage.effects`."""

from libc.stdint cimport int32_t

import numpy as np

from balas_graph.storage._store cimport (
    CALL, GONE_EDGE, GONE_NODE, NEW_EDGE, NEW_NODE, EdgeRecord, Store,
)
from libc.string cimport memcpy


def steps(Store store):
    """The nodes and edges that came and went, in order, as rows of five numbers: the kind, the id,
    and of a new edge its type and its ends; and whether indexes have changed.
    """
    made = np.zeros((store.change_count, 5), np.int32)
    cdef int32_t[:, :] rows = made
    cdef Py_ssize_t i, place = store.change_count
    cdef Py_ssize_t old = len(store.olds)
    cdef EdgeRecord record
    cdef bytes data
    cdef bint indexes = False
    # Of edges that came and went again: what they were. Ids are given again, so the way is back.
    cdef dict gone = {}
    for i in range(store.change_count - 1, -1, -1):
        change = store.changes[i]
        if change.kind > NEW_EDGE:
            old -= 1
        if change.kind == CALL:
            indexes = True
        if change.kind == GONE_EDGE:
            gone[change.id] = store.olds[old][0]
        if change.kind not in (NEW_NODE, NEW_EDGE, GONE_NODE, GONE_EDGE):
            continue
        place -= 1
        rows[place, 0], rows[place, 1] = change.kind, change.id
        if change.kind == NEW_EDGE:
            record = store.edges[change.id]
            if change.id in gone:
                data = gone.pop(change.id)
                memcpy(&record, <char *> data, sizeof(EdgeRecord))
            rows[place, 2] = record.type
            rows[place, 3], rows[place, 4] = record.source, record.target
    return made[place:], indexes


def take(Store store, const int32_t[:, :] rows, Py_ssize_t n_types):
    """Do the same again; ValueError if it cannot be done."""
    cdef Py_ssize_t i
    cdef int32_t kind, id
    for i in range(rows.shape[0]):
        kind, id = rows[i, 0], rows[i, 1]
        if kind == NEW_NODE:
            if store.new_node(0, {}) != id:
                raise ValueError("a node of another id")
        elif kind == NEW_EDGE:
            if not (
                0 <= rows[i, 2] < n_types
                and store.has_node(rows[i, 3]) and store.has_node(rows[i, 4])
            ):
                raise ValueError("an edge between nothing")
            if store.new_edge(rows[i, 2], rows[i, 3], rows[i, 4], {}) != id:
                raise ValueError("an edge of another id")
        elif kind == GONE_NODE and store.has_node(id) and store.alone(id):
            store.delete_node(id)
        elif kind == GONE_EDGE and store.has_edge(id):
            store.delete_edge(id)
        else:
            raise ValueError("a change that cannot be")
