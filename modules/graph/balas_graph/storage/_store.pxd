from libc.stdint cimport int32_t, int64_t, uint8_t

from balas_graph.storage._columns cimport Column
from balas_graph.storage._index cimport Index


# The kinds of changes in the log.
cdef enum:
    NEW_NODE = 0
    NEW_EDGE = 1
    GONE_NODE = 2
    GONE_EDGE = 3
    LABELS = 4
    VALUE = 5
    CALL = 6


cdef struct NodeRecord:
    int32_t labels  # the number of its set of labels; -1 without a node
    int32_t shape  # the number of its list of properties


cdef struct EdgeRecord:
    int32_t type  # -1 without an edge
    int32_t source
    int32_t target
    # The neighbours in the lists of source and target; the first one's `before` is the last.
    int32_t next_out
    int32_t before_out
    int32_t next_in
    int32_t before_in
    int32_t shape


cdef struct Change:
    int32_t kind
    int32_t id
    int32_t extra
    int32_t other


cdef class Heads:
    cdef int32_t *cells
    cdef Py_ssize_t size
    cdef dict sparse
    cdef int32_t get(self, int32_t node)
    cdef int put(self, int32_t node, int32_t edge, Py_ssize_t nodes) except -1


cdef class Relation:
    cdef readonly Py_ssize_t count
    cdef Heads outgoing
    cdef Heads incoming


cdef class Node:
    cdef readonly Store store
    cdef readonly int32_t id
    cdef public bint deleted
    cdef object kept


cdef class Edge:
    cdef readonly Store store
    cdef readonly int32_t id
    cdef readonly int32_t type
    cdef public bint deleted
    cdef int32_t source_id
    cdef int32_t target_id
    cdef object source_node
    cdef object target_node
    cdef object kept


cdef class Store:
    cdef NodeRecord *nodes
    cdef EdgeRecord *edges
    cdef Py_ssize_t nodes_size, edges_size
    cdef readonly Py_ssize_t node_limit, edge_limit
    cdef readonly Py_ssize_t node_count, edge_count
    cdef public list free_nodes, free_edges
    cdef readonly list label_sets
    cdef dict label_set_ids
    cdef readonly list label_counts
    cdef readonly list shapes
    cdef dict shape_ids
    # The shape that one property more (its id) or less (-1 - id) leads to, by (shape, this).
    cdef dict moves
    cdef readonly list node_columns, edge_columns
    cdef readonly list relations
    # Those of values by (edges, label, key), the others with their kind before.
    cdef readonly dict indexes
    cdef readonly dict searches
    cdef list node_indexes, edge_indexes
    cdef Change *changes
    cdef Py_ssize_t changes_size
    cdef readonly Py_ssize_t change_count
    cdef list olds
    cdef dict node_handles, edge_handles
    cdef dict label_arrays

    cpdef Node node(self, int32_t id)
    cpdef Edge edge(self, int32_t id)
    cdef int log(self, int32_t kind, int32_t id, int32_t extra, int32_t other, object old) except -1
    cdef int32_t take_node(self) except -1
    cdef int32_t take_edge(self) except -1
    cdef int join(self, int32_t id) except -1
    cdef int part(self, int32_t id) except -1
    cdef int append(self, Heads heads, int32_t node, int32_t id, bint incoming) except -1
    cdef int remove(self, Heads heads, int32_t node, int32_t id, bint incoming) except -1
    cdef int insert(
        self, Heads heads, int32_t node, int32_t id, bint first, bint incoming
    ) except -1
    cdef int rejoin(self, int32_t id, EdgeRecord *old, bint first_out, bint first_in) except -1
    cpdef object get(self, bint edge, int32_t id, int32_t key)
    cdef int write(self, bint edge, int32_t id, int32_t key, object value) except -1
    cdef int reindex(self, bint edge, int32_t id, int32_t key, object old, object new) except -1
    cdef int32_t shape_with(self, int32_t shape, int32_t key) except -1
    cdef int32_t shape_without(self, int32_t shape, int32_t key) except -1
    cdef int count_labels(self, int32_t labels, int sign) except -1
    cpdef dict properties(self, bint edge, int32_t id)
    cdef int clear(self, bint edge, int32_t id) except -1
    cdef int undo_one(self, Change *change, object old) except -1
    cdef Relation relation(self, int32_t type)
