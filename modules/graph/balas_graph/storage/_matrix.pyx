"""Algorithms over the whole graph, on rows of neighbours made for them.

A matrix is (starts, neighbours): the neighbours of node i are neighbours[starts[i]:starts[i + 1]],
each once. `allowed` tells for each set of labels whether its nodes take part; `look` is called now
and then, and raises if time is used up.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from balas_graph.storage._store cimport EdgeRecord, Store
from balas_graph.storage._walk import expand


def matrix(Store store, types, allowed, bint both, look):
    """The neighbours of every node, over edges of some types (None: of all); `both`: each way."""
    cdef Py_ssize_t limit = store.node_limit, i, j, place, start, end
    cdef EdgeRecord *edges = store.edges
    cdef const uint8_t[:] mask = allowed
    cdef uint8_t[:] wanted = np.zeros(len(store.relations) + 1, np.uint8)
    for type in range(len(store.relations)) if types is None else types:
        if 0 <= type < len(store.relations):
            wanted[type] = 1
    starts_array = np.zeros(limit + 1, np.int64)
    cdef int64_t[:] starts = starts_array
    cdef int32_t source, target
    look(0)
    for i in range(store.edge_limit):
        if edges[i].type < 0 or not wanted[edges[i].type]:
            continue
        source, target = edges[i].source, edges[i].target
        if mask[store.nodes[source].labels] and mask[store.nodes[target].labels]:
            starts[source + 1] += 1
            if both:
                starts[target + 1] += 1
    for i in range(limit):
        starts[i + 1] += starts[i]
    made = np.empty(starts[limit], np.int32)
    cdef int32_t[:] cells = made
    cdef int64_t[:] next = starts_array[:-1].copy()
    for i in range(store.edge_limit):
        if edges[i].type < 0 or not wanted[edges[i].type]:
            continue
        source, target = edges[i].source, edges[i].target
        if mask[store.nodes[source].labels] and mask[store.nodes[target].labels]:
            cells[next[source]] = target
            next[source] += 1
            if both:
                cells[next[target]] = source
                next[target] += 1
    look(0)
    # Of several edges between two nodes one is kept; rows move together as they shrink.
    cdef int32_t[:] last = np.full(limit + 1, -1, np.int32)
    place = 0
    for i in range(limit):
        start, end = starts[i], starts[i + 1]
        starts[i] = place
        for j in range(start, end):
            target = cells[j]
            if last[target] != i:
                last[target] = <int32_t> i
                cells[place] = target
                place += 1
    starts[limit] = place
    return starts_array, made[:place]


def page_rank(
    const int64_t[:] starts, const int32_t[:] cells, const uint8_t[:] there, double damping,
    double tolerance, Py_ssize_t rounds, look,
):
    """The rank of every node, by rounds until they change by less than `tolerance` in sum.

    `there` tells which places hold nodes; what nodes without neighbours have goes to all nodes.
    """
    cdef Py_ssize_t limit = starts.shape[0] - 1, i, j, _turn, count = 0
    for i in range(limit):
        count += there[i]
    ranks_array = np.full(limit, 1.0 / max(1, count), np.float32)
    next_array = np.empty(limit, np.float32)
    cdef float[:] ranks = ranks_array, following = next_array, swap
    cdef double sinks, base, change
    cdef float share
    for _turn in range(rounds):
        look(0)
        sinks = 0
        for i in range(limit):
            if there[i] and starts[i] == starts[i + 1]:
                sinks += ranks[i]
        base = (1 - damping) / count + damping * sinks / count
        for i in range(limit):
            following[i] = <float> base
        for i in range(limit):
            if starts[i] < starts[i + 1]:
                share = <float> (damping * ranks[i] / (starts[i + 1] - starts[i]))
                for j in range(starts[i], starts[i + 1]):
                    following[cells[j]] += share
        change = 0
        for i in range(limit):
            change += abs(following[i] - ranks[i])
        swap = ranks
        ranks = following
        following = swap
        if change <= tolerance:
            break
    return np.asarray(ranks)


def components(const int64_t[:] starts, const int32_t[:] cells, look):
    """For every node the least id among all that are connected with it."""
    cdef Py_ssize_t limit = starts.shape[0] - 1, i, j
    cdef int32_t a, b
    made = np.arange(limit, dtype=np.int32)
    cdef int32_t[:] parent = made
    look(0)
    for i in range(limit):
        for j in range(starts[i], starts[i + 1]):
            a, b = <int32_t> i, cells[j]
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            if a < b:
                parent[b] = a
            elif b < a:
                parent[a] = b
    for i in range(limit):
        parent[i] = parent[parent[i]]
    return made


def propagate(const int64_t[:] starts, const int32_t[:] cells, Py_ssize_t rounds, look):
    """For every node the label that most of its neighbours have, the least of several, again and
    again until nothing changes or `rounds` are over. At first each node is its own label.
    """
    cdef Py_ssize_t limit = starts.shape[0] - 1, i, j, _turn, best
    labels_array, next_array = np.arange(limit, dtype=np.int32), np.empty(limit, np.int32)
    cdef int32_t[:] labels = labels_array, following = next_array, swap
    cdef int32_t[:] counts = np.zeros(limit + 1, np.int32)
    cdef int32_t label, chosen
    cdef bint changed
    for _turn in range(rounds):
        look(0)
        changed = False
        for i in range(limit):
            chosen, best = labels[i], 0
            for j in range(starts[i], starts[i + 1]):
                label = labels[cells[j]]
                counts[label] += 1
                if counts[label] > best or (counts[label] == best and label < chosen):
                    chosen, best = label, counts[label]
            for j in range(starts[i], starts[i + 1]):
                counts[labels[cells[j]]] = 0
            following[i] = chosen
            changed = changed or chosen != labels[i]
        swap = labels
        labels = following
        following = swap
        if not changed:
            break
    return np.asarray(labels)


def betweenness(
    const int64_t[:] starts, const int32_t[:] cells, const int32_t[:] sources, look
):
    """For every node the sum, over shortest paths from the sources, of its share in them."""
    cdef Py_ssize_t limit = starts.shape[0] - 1, i, j, s, head, tail
    scores_array = np.zeros(limit)
    cdef double[:] scores = scores_array
    cdef double[:] paths = np.zeros(limit), share = np.zeros(limit)
    cdef int32_t[:] depth = np.full(limit, -1, np.int32), queue = np.empty(limit + 1, np.int32)
    cdef int32_t node, other
    for s in range(sources.shape[0]):
        look(0)
        queue[0] = sources[s]
        depth[sources[s]], paths[sources[s]] = 0, 1
        head, tail = 0, 1
        while head < tail:
            node = queue[head]
            head += 1
            for j in range(starts[node], starts[node + 1]):
                other = cells[j]
                if depth[other] < 0:
                    depth[other] = depth[node] + 1
                    queue[tail] = other
                    tail += 1
                if depth[other] == depth[node] + 1:
                    paths[other] += paths[node]
        for i in range(tail - 1, -1, -1):
            node = queue[i]
            for j in range(starts[node], starts[node + 1]):
                other = cells[j]
                if depth[other] == depth[node] + 1:
                    share[node] += paths[node] / paths[other] * (1 + share[other])
            if node != sources[s]:
                scores[node] += share[node]
        for i in range(tail):
            node = queue[i]
            depth[node], paths[node], share[node] = -1, 0, 0
    return scores_array


def tree(Store store, types, direction, int32_t source, Py_ssize_t levels, look):
    """The nodes reached from a node, level by level, and the edge by which each was."""
    nodes, walked = [], []
    seen = bytearray(store.node_limit)
    seen[source] = 1
    level = [source]
    while level and levels != 0:
        levels -= 1
        _, edges, ends = expand(store, np.array(level, np.int32), types, direction, None, (), look)
        level = []
        for edge, end in zip(edges.tolist(), ends.tolist()):
            if not seen[end]:
                seen[end] = 1
                level.append(end)
                nodes.append(end)
                walked.append(edge)
    return nodes, walked


def spanning(const int32_t[:] sources, const int32_t[:] targets, Py_ssize_t limit):
    """Which of some edges, taken in their order, join what is not joined yet; and the components.
    """
    cdef Py_ssize_t i
    cdef int32_t a, b
    parent_array = np.arange(limit, dtype=np.int32)
    cdef int32_t[:] parent = parent_array
    chosen_array = np.zeros(sources.shape[0], np.bool_)
    cdef uint8_t[:] chosen = chosen_array.view(np.uint8)
    for i in range(sources.shape[0]):
        a, b = sources[i], targets[i]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a != b:
            chosen[i] = 1
            parent[max(a, b)] = min(a, b)
    for i in range(limit):
        parent[i] = parent[parent[i]]
    return chosen_array, parent_array
