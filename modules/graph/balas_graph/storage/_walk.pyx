"""Walks over the edges of a `Store`, from many nodes at a time.

`types` is a list of ids of types, or None for all; `direction` is 1 along the edges, -1 against
them, 0 both; a loop counts once. `allowed` tells for each set of labels whether a node with it may
be an end; None allows all. `look` is called now and then with the number of rows made so far, and
raises if time or room is used up.
"""

from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

import numpy as np

from balas_graph.storage._store cimport EdgeRecord, Heads, Relation, Store

cdef extern from *:
    """
    #define balas_prefetch(place) __builtin_prefetch(place)
    """
    void prefetch "balas_prefetch"(void *place) noexcept nogil

# Steps between two looks at the clock.
cdef Py_ssize_t STEPS = 8192

cdef enum:
    # Lists that are walked in turn.
    LANES = 16
    # So many lists are fetched ahead, and of each so many edges.
    WARMED = 32
    WARM_LENGTH = 64


cdef class Ints:
    """A growing array of 32-bit numbers."""

    cdef int32_t *cells
    cdef Py_ssize_t size, used

    def __cinit__(self):
        self.cells = NULL

    def __dealloc__(self):
        free(self.cells)

    cdef inline int add(self, int32_t value) except -1:
        if self.used == self.size:
            self.grow()
        self.cells[self.used] = value
        self.used += 1
        return 0

    cdef int grow(self) except -1:
        cdef Py_ssize_t size = self.size * 2 + 64
        cdef int32_t *cells = <int32_t *> realloc(self.cells, size * sizeof(int32_t))
        if cells == NULL:
            raise MemoryError
        self.cells, self.size = cells, size
        return 0

    cdef object array(self):
        made = np.empty(self.used, np.int32)
        cdef int32_t[:] cells = made
        if self.used:
            memcpy(&cells[0], self.cells, self.used * sizeof(int32_t))
        return made


cdef class Sides:
    """The lists to walk: of each type, along the edges or against them."""

    cdef list heads
    cdef list incoming
    cdef Py_ssize_t count
    cdef bint both

    def __init__(self, Store store, types, int direction):
        cdef Relation relation
        self.heads, self.incoming = [], []
        self.both = direction == 0
        if types is None:
            types = range(len(store.relations))
        for type in types:
            if not 0 <= type < len(store.relations):
                continue
            relation = store.relations[type]
            if direction >= 0:
                self.heads.append(relation.outgoing)
                self.incoming.append(False)
            if direction <= 0:
                self.heads.append(relation.incoming)
                self.incoming.append(True)
        self.count = len(self.heads)


cdef inline int32_t next_edge(
    EdgeRecord *edges, int32_t edge, bint incoming, bint both
) noexcept:
    """The edge behind an edge; of loops only those in the lists along the edges, if both are."""
    edge = edges[edge].next_in if incoming else edges[edge].next_out
    if incoming and both:
        while edge >= 0 and edges[edge].source == edges[edge].target:
            edge = edges[edge].next_in
    return edge


cdef inline int32_t first_edge(
    Heads heads, EdgeRecord *edges, int32_t node, bint incoming, bint both
):
    """The first edge of a list by the same rule."""
    cdef int32_t edge = heads.get(node)
    if incoming and both:
        while edge >= 0 and edges[edge].source == edges[edge].target:
            edge = edges[edge].next_in
    return edge


def neighbours(Store store, int32_t node, types, int direction):
    """The edges of a node with their other ends, as objects."""
    cdef Sides sides = Sides(store, types, direction)
    cdef EdgeRecord *edges
    cdef int32_t edge
    cdef Py_ssize_t side
    cdef bint incoming
    found = []
    if store.nodes[node].labels < 0:
        return found
    for side in range(sides.count):
        incoming = sides.incoming[side]
        edges = store.edges
        edge = first_edge(<Heads> sides.heads[side], edges, node, incoming, sides.both)
        while edge >= 0:
            end = edges[edge].source if incoming else edges[edge].target
            found.append((store.edge(edge), store.node(end)))
            edge = next_edge(edges, edge, incoming, sides.both)
    return found


cdef int warm(
    Sides sides, EdgeRecord *edges, const int32_t[:] nodes, Py_ssize_t start, Py_ssize_t stop
) except -1:
    """Fetch the lists of some nodes into the cache: in turn, so that they do not wait for each
    other.
    """
    cdef int32_t lanes[WARMED]
    cdef Py_ssize_t side, i, left, _turn
    cdef bint incoming
    cdef Heads heads
    for side in range(sides.count):
        incoming, heads = sides.incoming[side], <Heads> sides.heads[side]
        left = 0
        for i in range(start, stop):
            lanes[left] = heads.get(nodes[i])
            if lanes[left] >= 0:
                prefetch(&edges[lanes[left]])
                left += 1
        for _turn in range(WARM_LENGTH):
            i = 0
            while i < left:
                lanes[i] = edges[lanes[i]].next_in if incoming else edges[lanes[i]].next_out
                if lanes[i] >= 0:
                    prefetch(&edges[lanes[i]])
                    i += 1
                else:
                    left -= 1
                    lanes[i] = lanes[left]
            if not left:
                break
    return 0


def expand(Store store, const int32_t[:] nodes, types, int direction, allowed, used, look):
    """The edges of many nodes: which of the nodes it is, the edge, and its other end.

    `used` is a list of arrays, one number for each of the nodes: edges that may not be walked.
    """
    cdef Sides sides = Sides(store, types, direction)
    cdef Ints rows = Ints(), walked = Ints(), ends = Ints()
    cdef EdgeRecord *edges = store.edges
    cdef const uint8_t[:] mask
    cdef bint masked = allowed is not None, incoming, skip
    if masked:
        mask = allowed
    cdef Py_ssize_t i, side, step = 0, j, n_used = len(used)
    cdef int32_t edge, end
    taken_array = np.array(used, np.int32).reshape(n_used, nodes.shape[0])
    cdef const int32_t[:, :] taken = taken_array
    cdef Heads heads
    for i in range(nodes.shape[0]):
        if i % WARMED == 0 and i + 1 < nodes.shape[0]:
            warm(sides, edges, nodes, i, min(i + WARMED, nodes.shape[0]))
        for side in range(sides.count):
            incoming = sides.incoming[side]
            heads = <Heads> sides.heads[side]
            edge = first_edge(heads, edges, nodes[i], incoming, sides.both)
            while edge >= 0:
                step += 1
                if step == STEPS:
                    step = 0
                    look(rows.used)
                end = edges[edge].source if incoming else edges[edge].target
                skip = masked and not mask[store.nodes[end].labels]
                for j in range(n_used):
                    skip = skip or taken[j, i] == edge
                if not skip:
                    rows.add(<int32_t> i)
                    walked.add(edge)
                    ends.add(end)
                edge = next_edge(edges, edge, incoming, sides.both)
    look(rows.used)
    return rows.array(), walked.array(), ends.array()


cdef class Walked:
    """Walks that were found: which node each begins at, its end, and, to `keep`, its edges."""

    cdef Ints rows, ends, kept, starts
    cdef bint keep

    def __init__(self, keep):
        self.rows, self.ends, self.kept, self.starts = Ints(), Ints(), Ints(), Ints()
        self.keep = keep

    cdef int add(self, int32_t row, int32_t end, Ints path, Py_ssize_t length) except -1:
        cdef Py_ssize_t i
        self.rows.add(row)
        self.ends.add(end)
        if self.keep:
            self.starts.add(<int32_t> self.kept.used)
            for i in range(length):
                self.kept.add(path.cells[i])
        return 0

    cdef Py_ssize_t size(self):
        """How much room is taken, in rows."""
        return self.rows.used + self.kept.used // 8

    cdef object arrays(self):
        if not self.keep:
            return self.rows.array(), self.ends.array()
        self.starts.add(<int32_t> self.kept.used)
        return self.rows.array(), self.ends.array(), self.kept.array(), self.starts.array()


def walks(
    Store store, const int32_t[:] nodes, types, int direction, Py_ssize_t low, Py_ssize_t high,
    allowed, look, bint keep=False,
):
    """Paths of `low` to `high` edges (-1: of any number), no edge twice: which node, and the end;
    with `keep` the edges of all paths, too, and where those of each begin, and the last end.

    Shorter paths come before those they begin, depth first.
    """
    cdef Walked found = Walked(keep)
    cdef Sides sides = Sides(store, types, direction)
    cdef EdgeRecord *edges = store.edges
    cdef const uint8_t[:] mask
    cdef bint masked = allowed is not None, incoming
    if masked:
        mask = allowed
    cdef Py_ssize_t i, step = 0, side
    cdef int32_t edge, node
    # For each depth: the edge walked, the side it is of, and the node it leads to.
    cdef Ints path = Ints(), side_of = Ints(), node_of = Ints()
    cdef uint8_t *marks = <uint8_t *> calloc(max(1, store.edge_limit), 1)
    if marks == NULL:
        raise MemoryError
    try:
        for i in range(nodes.shape[0]):
            node = nodes[i]
            if low == 0 and (not masked or mask[store.nodes[node].labels]):
                found.add(<int32_t> i, node, path, 0)
            path.used = side_of.used = node_of.used = 0
            side, edge = -1, -1
            while True:
                step += 1
                if step == STEPS:
                    step = 0
                    look(found.size())
                while edge < 0 or marks[edge]:
                    if edge >= 0:
                        edge = next_edge(edges, edge, sides.incoming[side], sides.both)
                        continue
                    side += 1
                    if side >= sides.count or (0 <= high <= path.used):
                        break
                    edge = first_edge(
                        <Heads> sides.heads[side], edges, node, sides.incoming[side], sides.both
                    )
                if edge < 0:
                    if path.used == 0:
                        break
                    path.used -= 1
                    side_of.used -= 1
                    node_of.used -= 1
                    edge, side = path.cells[path.used], side_of.cells[path.used]
                    node = node_of.cells[path.used]
                    marks[edge] = 0
                    edge = next_edge(edges, edge, sides.incoming[side], sides.both)
                    continue
                path.add(edge)
                side_of.add(<int32_t> side)
                node_of.add(node)
                marks[edge] = 1
                incoming = sides.incoming[side]
                node = edges[edge].source if incoming else edges[edge].target
                if path.used >= low and (not masked or mask[store.nodes[node].labels]):
                    found.add(<int32_t> i, node, path, path.used)
                side, edge = -1, -1
    finally:
        free(marks)
    look(found.size())
    return found.arrays()


def reached(Store store, const int32_t[:] nodes, types, int direction, Py_ssize_t high, look):
    """The nodes at the end of paths of 1 to `high` edges (-1: of any number) from any of some
    nodes, each once, and how many edges the shortest has.
    """
    cdef Sides sides = Sides(store, types, direction)
    cdef EdgeRecord *edges = store.edges
    cdef Ints found = Ints(), depths = Ints()
    cdef uint8_t *seen = <uint8_t *> calloc(max(1, store.node_limit), 1)
    cdef Py_ssize_t i, side, step = 0, start = 0, stop, depth = 0
    cdef int32_t edge, end, node
    cdef bint incoming
    cdef Heads heads
    if seen == NULL:
        raise MemoryError
    try:
        stop = nodes.shape[0]
        while start < stop and (high < 0 or depth < high):
            depth += 1
            for i in range(start, stop):
                node = nodes[i] if depth == 1 else found.cells[i]
                for side in range(sides.count):
                    incoming = sides.incoming[side]
                    heads = <Heads> sides.heads[side]
                    edge = heads.get(node)
                    while edge >= 0:
                        step += 1
                        if step == STEPS:
                            step = 0
                            look(found.used)
                        end = edges[edge].source if incoming else edges[edge].target
                        if not seen[end]:
                            seen[end] = 1
                            found.add(end)
                            depths.add(<int32_t> depth)
                        edge = edges[edge].next_in if incoming else edges[edge].next_out
            start, stop = (0 if depth == 1 else stop), found.used
    finally:
        free(seen)
    return found.array(), depths.array()


cdef struct Lane:
    # A list on its way: its edge, and where the node it belongs to stands in its level.
    int32_t edge
    int32_t place


cdef class Level:
    """Nodes that are reached by the same number of edges, each once, with up to two edges that
    all the ways to it share.
    """

    cdef Ints nodes, first, second
    # Where a node stands in the level, or -1.
    cdef int32_t *places

    cdef int reach(self, int32_t node, int32_t edge, int32_t before, bint last) except -1:
        """Come to a node by an edge, and by one before it that the ways share (or -1).

        In the last level it does not matter how.
        """
        cdef int32_t place = self.places[node], kept
        if place < 0:
            self.places[node] = <int32_t> self.nodes.used
            self.nodes.add(node)
            if not last:
                self.first.add(edge)
                self.second.add(before)
        elif not last:
            # Of more ways only what is common stays.
            kept = self.first.cells[place]
            if kept != edge and kept != before:
                self.first.cells[place] = -1
            kept = self.second.cells[place]
            if kept != edge and kept != before:
                self.second.cells[place] = -1
        return 0


cdef Level new_level(int32_t *places):
    """A level without nodes."""
    cdef Level level = Level()
    level.nodes, level.first, level.second = Ints(), Ints(), Ints()
    level.places = places
    return level


def third_ends(Store store, int32_t start, list hops, look):
    """The nodes at the ends of paths of one to three edges, no edge twice, each once.

    `hops` are (types, direction) of each edge. What is kept of the paths to a node is the edges
    that all of them have: another edge leads on from it if it is none of these.
    """
    cdef Py_ssize_t limit = max(1, store.node_limit), hop, i, side, step = 0, n_hops = len(hops)
    cdef EdgeRecord *edges = store.edges
    cdef int32_t *places = <int32_t *> malloc(limit * sizeof(int32_t))
    cdef Sides sides
    cdef Heads heads
    cdef int32_t edge, end, one
    cdef Level level, following
    cdef Py_ssize_t turn, n_lanes
    cdef Lane lanes[LANES]
    cdef bint incoming, last
    if places == NULL:
        raise MemoryError
    memset(places, 0xFF, limit * sizeof(int32_t))
    level = new_level(places)
    level.reach(start, -1, -1, False)
    places[start] = -1
    try:
        for hop in range(n_hops):
            last = hop == n_hops - 1
            sides = Sides(store, hops[hop][0], hops[hop][1])
            following = new_level(places)
            for side in range(sides.count):
                incoming = sides.incoming[side]
                heads = <Heads> sides.heads[side]
                turn, n_lanes = 0, 0
                # Several lists are walked in turn, so that their records are fetched meanwhile.
                while turn < level.nodes.used or n_lanes:
                    while n_lanes < LANES and turn < level.nodes.used:
                        edge = first_edge(
                            heads, edges, level.nodes.cells[turn], incoming, sides.both
                        )
                        if edge >= 0:
                            prefetch(&edges[edge])
                            lanes[n_lanes].edge, lanes[n_lanes].place = edge, <int32_t> turn
                            n_lanes += 1
                        turn += 1
                    i = 0
                    while i < n_lanes:
                        step += 1
                        if step == STEPS:
                            step = 0
                            look(following.nodes.used)
                        edge, one = lanes[i].edge, level.first.cells[lanes[i].place]
                        if edge != one and edge != level.second.cells[lanes[i].place]:
                            end = edges[edge].source if incoming else edges[edge].target
                            following.reach(end, edge, one, last)
                        edge = next_edge(edges, edge, incoming, sides.both)
                        if edge < 0:
                            n_lanes -= 1
                            lanes[i] = lanes[n_lanes]
                        else:
                            prefetch(&edges[edge])
                            lanes[i].edge = edge
                            i += 1
            level = following
            if not last:
                for i in range(level.nodes.used):
                    places[level.nodes.cells[i]] = -1
    finally:
        free(places)
    look(level.nodes.used)
    return level.nodes.array()


def different(const int32_t[:] ids, Py_ssize_t limit):
    """How many different ids there are, all below `limit`."""
    cdef uint8_t *seen = <uint8_t *> calloc(max(1, limit), 1)
    cdef Py_ssize_t i, count = 0
    if seen == NULL:
        raise MemoryError
    for i in range(ids.shape[0]):
        if not seen[ids[i]]:
            seen[ids[i]] = 1
            count += 1
    free(seen)
    return count
