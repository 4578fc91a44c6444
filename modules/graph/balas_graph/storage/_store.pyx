"""Nodes and edges in records of C, and how to take back what a query has changed.

A node is a record of 8 bytes, an edge one of 32: the edges of one type that leave a node, and
those that enter it, are doubly linked lists through the records, in the order they came. Values
of properties are in columns. What an entity has is told by small numbers: that of its set of
labels, and that of its shape, the list of its properties in the order they came.

Objects `Node` and `Edge` are made when a query looks at one, and forgotten when it ends; as long
as it runs, there is one for each entity, so that they can be compared by identity.
"""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

import numpy as np

from balas_graph.storage._columns cimport Column
from balas_graph.storage._index cimport Index, RangeIndex

# Measured by sys.getsizeof: an entry of a dict with its key, and an id in a list.
cdef Py_ssize_t ENTRY_BYTES = 150
cdef Py_ssize_t LIST_BYTES = 40


cdef void *grown(void *cells, Py_ssize_t *size, Py_ssize_t share, Py_ssize_t width) except NULL:
    """An array with room for one part in `share` more records, `width` bytes each."""
    if size[0] >= 2**31 - 2**29:
        raise OverflowError("too many nodes or relationships")
    cdef Py_ssize_t wanted = size[0] + size[0] // share + 16
    cells = realloc(cells, wanted * width)
    if cells == NULL:
        raise MemoryError
    size[0] = wanted
    return cells


cdef inline int32_t *next_of(EdgeRecord *record, bint incoming) noexcept nogil:
    """Where a record tells of the edge behind it, on one side."""
    return &record.next_in if incoming else &record.next_out


cdef inline int32_t *before_of(EdgeRecord *record, bint incoming) noexcept nogil:
    """Where a record tells of the edge before it, on one side; of the first one: of the last."""
    return &record.before_in if incoming else &record.before_out


cdef class Heads:
    """The first edge of each node's list; a dict as long as few nodes have one."""

    def __cinit__(self):
        self.sparse = {}
        self.cells = NULL

    def __dealloc__(self):
        free(self.cells)

    cdef int32_t get(self, int32_t node):
        if self.sparse is not None:
            return self.sparse.get(node, -1)
        return self.cells[node] if node < self.size else -1

    cdef int put(self, int32_t node, int32_t edge, Py_ssize_t nodes) except -1:
        cdef Py_ssize_t size
        cdef int32_t *cells
        if self.sparse is not None:
            if edge < 0:
                self.sparse.pop(node, None)
                return 0
            self.sparse[node] = edge
            if len(self.sparse) < 64 or len(self.sparse) * 16 < nodes:
                return 0
            entries, self.sparse = self.sparse, None
            for key, value in entries.items():
                self.put(key, value, nodes)
            return 0
        if node >= self.size:
            size = max(nodes, <Py_ssize_t> node + 1, self.size + (self.size >> 2))
            cells = <int32_t *> realloc(self.cells, size * sizeof(int32_t))
            if cells == NULL:
                raise MemoryError
            memset(cells + self.size, 0xFF, (size - self.size) * sizeof(int32_t))
            self.cells, self.size = cells, size
        self.cells[node] = edge
        return 0

    def memory(self):
        """Bytes."""
        return self.size * 4 if self.sparse is None else ENTRY_BYTES * len(self.sparse)


cdef class Relation:
    """The lists of one type of edges."""

    def __cinit__(self):
        self.outgoing = Heads()
        self.incoming = Heads()


cdef class Node:
    """A node of the graph a query runs on."""

    @property
    def labels(self):
        """The ids of its labels."""
        if self.kept is not None:
            return list(self.kept[0])
        return list(self.store.label_sets[self.store.nodes[self.id].labels])

    @property
    def properties(self):
        """Its properties by the ids of their names; a copy."""
        if self.kept is not None:
            return dict(self.kept[1])
        return self.store.properties(False, self.id)

    @property
    def outgoing(self):
        """Its edges that leave it: {type: {id: edge}}."""
        return self.store.beside(self.id, False)

    @property
    def incoming(self):
        """Its edges that enter it."""
        return self.store.beside(self.id, True)


cdef class Edge:
    """An edge of the graph a query runs on."""

    @property
    def source(self):
        """The node it leaves."""
        if self.source_node is None:
            self.source_node = self.store.node(self.source_id)
        return self.source_node

    @property
    def target(self):
        """The node it enters."""
        if self.target_node is None:
            self.target_node = self.store.node(self.target_id)
        return self.target_node

    @property
    def properties(self):
        """Its properties by the ids of their names; a copy."""
        if self.kept is not None:
            return dict(self.kept)
        return self.store.properties(True, self.id)


cdef class Store:
    """All nodes and edges of a graph."""

    def __cinit__(self):
        self.nodes = NULL
        self.edges = NULL
        self.changes = NULL
        self.free_nodes, self.free_edges = [], []
        self.label_sets, self.label_set_ids = [()], {(): 0}
        self.label_counts = [0]
        self.shapes, self.shape_ids, self.moves = [()], {(): 0}, {}
        self.node_columns, self.edge_columns = [], []
        self.relations = []
        self.indexes, self.searches = {}, {}
        self.node_indexes, self.edge_indexes = [], []
        self.olds = []
        self.node_handles, self.edge_handles = {}, {}
        self.label_arrays = {}

    def __dealloc__(self):
        free(self.nodes)
        free(self.edges)
        free(self.changes)

    # Entities as objects

    cpdef Node node(self, int32_t id):
        """The object of a node, the same one as long as a query runs."""
        cdef Node made
        found = self.node_handles.get(id)
        if found is None:
            made = Node.__new__(Node)
            made.store = self
            made.id = id
            self.node_handles[id] = made
            return made
        return <Node> found

    cpdef Edge edge(self, int32_t id):
        """The object of an edge, the same one as long as a query runs."""
        cdef Edge made
        found = self.edge_handles.get(id)
        if found is None:
            made = Edge.__new__(Edge)
            made.store = self
            made.id = id
            made.type = self.edges[id].type
            made.source_id = self.edges[id].source
            made.target_id = self.edges[id].target
            self.edge_handles[id] = made
            return made
        return <Edge> found

    def has_node(self, id):
        """Whether there is a node of this id."""
        return 0 <= id < self.node_limit and self.nodes[<Py_ssize_t> id].labels >= 0

    def alone(self, int32_t id):
        """Whether a node has no edges."""
        cdef Relation relation
        for relation in self.relations:
            if relation.outgoing.get(id) >= 0 or relation.incoming.get(id) >= 0:
                return False
        return True

    def kind_of(self, bint edge, int32_t id):
        """The numbers of a node's labels, or of an edge's type, and of the shape."""
        if edge:
            return self.edges[id].type, self.edges[id].shape
        return self.nodes[id].labels, self.nodes[id].shape

    def has_edge(self, id):
        """Whether there is an edge of this id."""
        return 0 <= id < self.edge_limit and self.edges[<Py_ssize_t> id].type >= 0

    def beside(self, int32_t id, bint incoming):
        """The edges of a node on one side: {type: {id: edge}}."""
        found = {}
        cdef Relation relation
        cdef int32_t edge
        if self.nodes[id].labels < 0:
            return found
        for type, relation in enumerate(self.relations):
            edge = (relation.incoming if incoming else relation.outgoing).get(id)
            inner = {}
            while edge >= 0:
                inner[edge] = self.edge(edge)
                edge = self.edges[edge].next_in if incoming else self.edges[edge].next_out
            if inner:
                found[type] = inner
        return found

    # The log of changes

    cdef int log(
        self, int32_t kind, int32_t id, int32_t extra, int32_t other, object old
    ) except -1:
        cdef Py_ssize_t size
        cdef Change *changes
        if self.change_count == self.changes_size:
            size = max(64, self.changes_size * 2)
            changes = <Change *> realloc(self.changes, size * sizeof(Change))
            if changes == NULL:
                raise MemoryError
            self.changes, self.changes_size = changes, size
        cdef Change *change = &self.changes[self.change_count]
        change.kind, change.id, change.extra, change.other = kind, id, extra, other
        self.change_count += 1
        if kind > NEW_EDGE:
            self.olds.append(old)
        return 0

    def log_call(self, undo):
        """Note how to take back a change that is not one of entities."""
        self.log(CALL, 0, 0, 0, undo)

    def keep(self):
        """The changes stay, and the objects of entities are forgotten."""
        if self.change_count:
            self.change_count = 0
            self.olds.clear()
            if self.changes_size > 1024:
                free(self.changes)
                self.changes, self.changes_size = NULL, 0
        self.forget_handles()

    def forget_handles(self):
        """Forget the objects of entities."""
        self.node_handles.clear()
        self.edge_handles.clear()

    def roll_back(self):
        """Take back every change since `keep`."""
        while self.change_count:
            self.change_count -= 1
            change = self.changes[self.change_count]
            old = self.olds.pop() if change.kind > NEW_EDGE else None
            self.undo_one(&change, old)
        self.keep()

    cdef int undo_one(self, Change *change, object old) except -1:
        cdef int32_t id = change.id
        cdef EdgeRecord record
        cdef bytes data
        if change.kind == NEW_NODE:
            self.clear(False, id)
            self.count_labels(self.nodes[id].labels, -1)
            self.nodes[id].labels = -1
            self.node_count -= 1
            if change.extra:
                self.node_limit -= 1
            else:
                self.free_nodes.append(id)
        elif change.kind == NEW_EDGE:
            self.clear(True, id)
            self.part(id)
            if change.extra:
                self.edge_limit -= 1
            else:
                self.free_edges.append(id)
        elif change.kind == GONE_NODE:
            self.free_nodes.pop()
            self.nodes[id].labels, self.nodes[id].shape = change.extra, 0
            self.node_count += 1
            self.count_labels(change.extra, 1)
            for key, value in old.items():
                self.write(False, id, key, value)
        elif change.kind == GONE_EDGE:
            self.free_edges.pop()
            data = old[0]
            memcpy(&record, <char *> data, sizeof(EdgeRecord))
            self.rejoin(id, &record, change.extra, change.other)
            for key, value in old[1].items():
                self.write(True, id, key, value)
        elif change.kind == LABELS:
            self.relabel(id, change.extra)
        elif change.kind == VALUE:
            self.write(change.extra, id, change.other, old[0])
            if change.extra:
                self.edges[id].shape = old[1]
            else:
                self.nodes[id].shape = old[1]
        else:
            old()
        return 0

    def changed(self):
        """The ids of nodes and of edges that the query has made or changed and that are there."""
        nodes, edges = {}, {}
        cdef Py_ssize_t i
        for i in range(self.change_count):
            change = self.changes[i]
            if change.kind == NEW_NODE or change.kind == LABELS:
                nodes[change.id] = None
            elif change.kind == NEW_EDGE:
                edges[change.id] = None
            elif change.kind == VALUE:
                (edges if change.extra else nodes)[change.id] = None
        return (
            [id for id in nodes if self.has_node(id)], [id for id in edges if self.has_edge(id)]
        )

    # Nodes

    cdef int32_t take_node(self) except -1:
        """A free id of a node, with room for it."""
        if self.free_nodes:
            return self.free_nodes.pop()
        if self.node_limit == self.nodes_size:
            self.nodes = <NodeRecord *> grown(self.nodes, &self.nodes_size, 4, sizeof(NodeRecord))
        self.node_limit += 1
        return <int32_t> (self.node_limit - 1)

    def new_node(self, int32_t labels, dict properties):
        """Create a node with a set of labels and properties by the ids of their names."""
        cdef Py_ssize_t before = self.node_limit
        cdef int32_t id = self.take_node()
        self.nodes[id].labels = labels
        self.nodes[id].shape = 0
        self.node_count += 1
        self.count_labels(labels, 1)
        self.log(NEW_NODE, id, self.node_limit > before, 0, None)
        for key, value in properties.items():
            self.write(False, id, key, value)
        return id

    def delete_node(self, int32_t id):
        """Delete a node that has no edges."""
        properties = self.properties(False, id)
        cdef int32_t labels = self.nodes[id].labels
        cdef Node handle = self.node(id)
        handle.kept = (self.label_sets[labels], properties)
        handle.deleted = True
        del self.node_handles[id]
        self.clear(False, id)
        self.count_labels(labels, -1)
        self.nodes[id].labels = -1
        self.node_count -= 1
        self.free_nodes.append(id)
        self.log(GONE_NODE, id, labels, 0, properties)

    def label_set(self, labels):
        """The number of a set of labels, a tuple of ids in the order they were given."""
        cdef object found = self.label_set_ids.get(labels)
        if found is None:
            found = self.label_set_ids[labels] = len(self.label_sets)
            self.label_sets.append(labels)
            self.label_counts.append(0)
        return found

    cdef int count_labels(self, int32_t labels, int sign) except -1:
        self.label_counts[labels] += sign
        if self.label_arrays:
            for label in self.label_sets[labels]:
                self.label_arrays.pop(label, None)
            self.label_arrays.pop(-1, None)
        return 0

    def labels_of(self, int32_t id):
        """The number of a node's set of labels."""
        return self.nodes[id].labels

    def set_labels(self, int32_t id, int32_t labels):
        """Give a node another set of labels."""
        self.log(LABELS, id, self.nodes[id].labels, 0, None)
        self.relabel(id, labels)

    def relabel(self, int32_t id, int32_t labels):
        """The same without a note."""
        cdef int32_t old = self.nodes[id].labels
        cdef Index index
        if self.node_indexes:
            before, after = self.label_sets[old], self.label_sets[labels]
            for key, value in self.properties(False, id).items():
                for index in self.node_indexes[key] if key < len(self.node_indexes) else ():
                    if index.label in before and index.label not in after:
                        index.discard(id, value)
                    elif index.label in after and index.label not in before:
                        index.add(id, value)
        self.count_labels(old, -1)
        self.count_labels(labels, 1)
        self.nodes[id].labels = labels

    def label_mask(self, label):
        """For each set of labels whether it has a label: bytes of 0 and 1, as numpy has them."""
        return np.fromiter((label in labels for labels in self.label_sets), np.uint8)

    def label_count(self, label):
        """How many nodes have a label."""
        cdef Py_ssize_t count = 0
        for labels, nodes in zip(self.label_sets, self.label_counts):
            if nodes and label in labels:
                count += nodes
        return count

    def nodes_with(self, label):
        """The ids of the nodes with a label (-1: of all nodes), ascending; not to be changed."""
        found = self.label_arrays.get(label)
        if found is not None:
            return found
        cdef const uint8_t[:] mask
        if label < 0:
            mask = np.ones(len(self.label_sets), np.uint8)
        else:
            mask = self.label_mask(label)
        made = np.empty(self.node_count if label < 0 else self.label_count(label), np.int32)
        cdef int32_t[:] ids = made
        cdef Py_ssize_t id, place = 0
        for id in range(self.node_limit):
            if self.nodes[id].labels >= 0 and mask[self.nodes[id].labels]:
                ids[place] = <int32_t> id
                place += 1
        self.label_arrays[label] = made
        return made

    def having(self, const int32_t[:] ids, const uint8_t[:] mask):
        """Which of some nodes have a set of labels that a mask allows."""
        made = np.empty(ids.shape[0], np.bool_)
        cdef uint8_t[:] found = made.view(np.uint8)
        cdef Py_ssize_t i
        for i in range(ids.shape[0]):
            found[i] = mask[self.nodes[ids[i]].labels]
        return made

    # Edges

    cdef Relation relation(self, int32_t type):
        while len(self.relations) <= type:
            self.relations.append(Relation())
        return <Relation> self.relations[type]

    cdef int32_t take_edge(self) except -1:
        """A free id of an edge, with room for it."""
        if self.free_edges:
            return self.free_edges.pop()
        if self.edge_limit == self.edges_size:
            self.edges = <EdgeRecord *> grown(self.edges, &self.edges_size, 8, sizeof(EdgeRecord))
        self.edge_limit += 1
        return <int32_t> (self.edge_limit - 1)

    def new_edge(self, int32_t type, int32_t source, int32_t target, dict properties):
        """Create an edge."""
        cdef Py_ssize_t before = self.edge_limit
        cdef int32_t id = self.take_edge()
        cdef EdgeRecord *record = &self.edges[id]
        record.type, record.source, record.target, record.shape = type, source, target, 0
        self.join(id)
        self.log(NEW_EDGE, id, self.edge_limit > before, 0, None)
        for key, value in properties.items():
            self.write(True, id, key, value)
        return id

    cdef int join(self, int32_t id) except -1:
        """Put an edge at the end of the lists of its nodes."""
        cdef EdgeRecord *record = &self.edges[id]
        cdef Relation relation = self.relation(record.type)
        self.append(relation.outgoing, record.source, id, False)
        self.append(relation.incoming, record.target, id, True)
        relation.count += 1
        self.edge_count += 1
        return 0

    cdef int append(self, Heads heads, int32_t node, int32_t id, bint incoming) except -1:
        """Put an edge at the end of one list of a node."""
        cdef EdgeRecord *edges = self.edges
        cdef int32_t head = heads.get(node), last
        next_of(&edges[id], incoming)[0] = -1
        if head < 0:
            before_of(&edges[id], incoming)[0] = id
            heads.put(node, id, self.node_limit)
            return 0
        last = before_of(&edges[head], incoming)[0]
        before_of(&edges[id], incoming)[0] = last
        next_of(&edges[last], incoming)[0] = id
        before_of(&edges[head], incoming)[0] = id
        return 0

    cdef int part(self, int32_t id) except -1:
        """Take an edge out of the lists of its nodes; its record stays but for the type."""
        cdef EdgeRecord *record = &self.edges[id]
        cdef Relation relation = self.relation(record.type)
        self.remove(relation.outgoing, record.source, id, False)
        self.remove(relation.incoming, record.target, id, True)
        relation.count -= 1
        self.edge_count -= 1
        record.type = -1
        return 0

    cdef int remove(self, Heads heads, int32_t node, int32_t id, bint incoming) except -1:
        """Take an edge out of one list of a node."""
        cdef EdgeRecord *edges = self.edges
        cdef int32_t head = heads.get(node)
        cdef int32_t following = next_of(&edges[id], incoming)[0]
        cdef int32_t before = before_of(&edges[id], incoming)[0]
        if head == id:
            heads.put(node, following, self.node_limit)
        else:
            next_of(&edges[before], incoming)[0] = following
        if following >= 0:
            before_of(&edges[following], incoming)[0] = before
        elif head != id:
            before_of(&edges[head], incoming)[0] = before
        return 0

    cdef int rejoin(
        self, int32_t id, EdgeRecord *old, bint first_out, bint first_in
    ) except -1:
        """Put an edge back where it was when it was taken out last."""
        cdef EdgeRecord *record = &self.edges[id]
        record[0] = old[0]
        record.shape = 0
        cdef Relation relation = self.relation(record.type)
        self.insert(relation.outgoing, record.source, id, first_out, False)
        self.insert(relation.incoming, record.target, id, first_in, True)
        relation.count += 1
        self.edge_count += 1
        return 0

    cdef int insert(
        self, Heads heads, int32_t node, int32_t id, bint first, bint incoming
    ) except -1:
        """Put an edge back into one list, between those its record tells of."""
        cdef EdgeRecord *edges = self.edges
        cdef int32_t head = heads.get(node)
        cdef int32_t following = next_of(&edges[id], incoming)[0]
        if first:
            heads.put(node, id, self.node_limit)
        else:
            next_of(&edges[before_of(&edges[id], incoming)[0]], incoming)[0] = id
        if following >= 0:
            before_of(&edges[following], incoming)[0] = id
        elif not first:
            before_of(&edges[head], incoming)[0] = id
        return 0

    def delete_edge(self, int32_t id):
        """Delete an edge."""
        cdef Edge handle = self.edge(id)
        properties = self.properties(True, id)
        handle.kept = properties
        handle.source_node, handle.target_node = handle.source, handle.target
        handle.deleted = True
        del self.edge_handles[id]
        self.clear(True, id)
        cdef EdgeRecord record = self.edges[id]
        cdef Relation relation = self.relation(record.type)
        first_out = relation.outgoing.get(record.source) == id
        first_in = relation.incoming.get(record.target) == id
        cdef bytes data = (<char *> &record)[: sizeof(EdgeRecord)]
        self.part(id)
        self.free_edges.append(id)
        self.log(GONE_EDGE, id, first_out, first_in, (data, properties))

    def relation_count(self, type):
        """How many edges have a type; -1: how many there are."""
        if type < 0:
            return self.edge_count
        return (<Relation> self.relations[type]).count if type < len(self.relations) else 0

    # Properties

    cpdef object get(self, bint edge, int32_t id, int32_t key):
        """A property, or None."""
        cdef list columns = self.edge_columns if edge else self.node_columns
        if key < 0 or key >= len(columns):
            return None
        return (<Column> columns[key]).get(id)

    def property_of(self, entity, int32_t key):
        """A property of a node or an edge, or None."""
        cdef Node node
        cdef Edge edge
        if type(entity) is Node:
            node = <Node> entity
            if node.kept is not None:
                return node.kept[1].get(key)
            return self.get(False, node.id, key)
        edge = <Edge> entity
        if edge.kept is not None:
            return edge.kept.get(key)
        return self.get(True, edge.id, key)

    cpdef dict properties(self, bint edge, int32_t id):
        """All properties by the ids of their names, in the order they came."""
        cdef int32_t shape = self.edges[id].shape if edge else self.nodes[id].shape
        cdef list columns = self.edge_columns if edge else self.node_columns
        cdef dict found = {}
        for key in <tuple> self.shapes[shape]:
            found[key] = (<Column> columns[key]).get(id)
        return found

    def set_property(self, bint edge, int32_t id, int32_t key, object value):
        """Set a property, or remove it by None; whether there was or is one."""
        old = self.get(edge, id, key)
        if old is None and value is None:
            return False
        shape = self.edges[id].shape if edge else self.nodes[id].shape
        self.log(VALUE, id, edge, key, (old, shape))
        self.write(edge, id, key, value)
        return True

    cdef int write(self, bint edge, int32_t id, int32_t key, object value) except -1:
        """The same without a note."""
        cdef list columns = self.edge_columns if edge else self.node_columns
        while len(columns) <= key:
            columns.append(Column())
        cdef Column column = <Column> columns[key]
        old = column.get(id)
        if self.edge_indexes if edge else self.node_indexes:
            self.reindex(edge, id, key, old, value)
        cdef int32_t *shape = &self.edges[id].shape if edge else &self.nodes[id].shape
        if value is None:
            column.forget(id)
            shape[0] = self.shape_without(shape[0], key)
        else:
            column.put(id, value, self.edge_limit if edge else self.node_limit)
            if old is None:
                shape[0] = self.shape_with(shape[0], key)
        return 0

    cdef int clear(self, bint edge, int32_t id) except -1:
        """Remove all properties without a note."""
        for key in <tuple> self.shapes[self.edges[id].shape if edge else self.nodes[id].shape]:
            self.write(edge, id, key, None)
        return 0

    cdef int32_t shape_with(self, int32_t shape, int32_t key) except -1:
        """The shape with one more property."""
        found = self.moves.get((shape, key))
        if found is None:
            found = self.shape_number(self.shapes[shape] + (key,))
            self.moves[shape, key] = found
        return found

    cdef int32_t shape_without(self, int32_t shape, int32_t key) except -1:
        """The shape with one property less."""
        found = self.moves.get((shape, -1 - key))
        if found is None:
            found = self.shape_number(tuple([one for one in self.shapes[shape] if one != key]))
            self.moves[shape, -1 - key] = found
        return found

    def shape_number(self, tuple shape):
        """The number of a list of properties."""
        found = self.shape_ids.get(shape)
        if found is None:
            found = self.shape_ids[shape] = len(self.shapes)
            self.shapes.append(shape)
        return found

    # Indexes

    cdef int reindex(
        self, bint edge, int32_t id, int32_t key, object old, object new
    ) except -1:
        """Keep the indexes of a property in step."""
        cdef list by_key = self.edge_indexes if edge else self.node_indexes
        cdef Index index
        if key >= len(by_key) or not by_key[key]:
            return 0
        for index in by_key[key]:
            if edge:
                if self.edges[id].type != index.label:
                    continue
            elif index.label not in <tuple> self.label_sets[self.nodes[id].labels]:
                continue
            if old is not None:
                index.discard(id, old)
            if new is not None:
                index.add(id, new)
        return 0

    def index_of(self, bint edges, int32_t label, int32_t key):
        """An index of values, or None."""
        return self.indexes.get((edges, label, key))

    def attach(self, Index made, bint filled=False):
        """Fill an index with what is there, unless it is, and keep it in step from now on."""
        by_key = self.edge_indexes if made.edges else self.node_indexes
        while len(by_key) <= made.key:
            by_key.append([])
        cdef int32_t id
        for id in () if filled else (
            self.edges_of(made.label) if made.edges else self.nodes_with(made.label)
        ):
            value = self.get(made.edges, id, made.key)
            if value is not None:
                made.add(id, value)
        by_key[made.key].append(made)
        if type(made) is RangeIndex:
            self.indexes[made.edges, made.label, made.key] = made
        else:
            self.searches[made.kind, made.edges, made.label, made.key] = made

    def detach(self, Index found):
        """Let go of an index."""
        if type(found) is RangeIndex:
            del self.indexes[found.edges, found.label, found.key]
        else:
            del self.searches[found.kind, found.edges, found.label, found.key]
        by_key = self.edge_indexes if found.edges else self.node_indexes
        by_key[found.key].remove(found)
        if not any(by_key):
            by_key.clear()

    def edges_of(self, int32_t type):
        """The ids of the edges of a type (-1: of all), ascending."""
        made = np.empty(self.relation_count(type), np.int32)
        cdef int32_t[:] ids = made
        cdef Py_ssize_t id, place = 0
        if place == ids.shape[0]:
            return made
        for id in range(self.edge_limit):
            if self.edges[id].type >= 0 and (type < 0 or self.edges[id].type == type):
                ids[place] = <int32_t> id
                place += 1
        return made

    def ends_of(self, const int32_t[:] ids):
        """The nodes that some edges leave, and those they enter."""
        first, second = np.empty(ids.shape[0], np.int32), np.empty(ids.shape[0], np.int32)
        cdef int32_t[:] sources = first, targets = second
        cdef Py_ssize_t i
        for i in range(ids.shape[0]):
            sources[i], targets[i] = self.edges[ids[i]].source, self.edges[ids[i]].target
        return first, second

    def memory_parts(self):
        """Bytes of each kind of part."""
        cdef Relation relation
        cdef dict sizes = {
            "nodes": self.nodes_size * sizeof(NodeRecord) + LIST_BYTES * len(self.free_nodes),
            "edges": self.edges_size * sizeof(EdgeRecord) + LIST_BYTES * len(self.free_edges),
            "names": ENTRY_BYTES * 2 * (len(self.shapes) + len(self.label_sets)),
        }
        sizes["node values"] = sum([(<Column> one).memory() for one in self.node_columns])
        sizes["edge values"] = sum([(<Column> one).memory() for one in self.edge_columns])
        sizes["relations"] = 0
        for relation in self.relations:
            sizes["relations"] += relation.outgoing.memory() + relation.incoming.memory()
        sizes["indexes"] = sum([
            index.memory() for found in (self.indexes, self.searches) for index in found.values()
        ])
        sizes["labels"] = sum([array.nbytes for array in self.label_arrays.values()])
        return sizes
