"""How near to each other words stand: phrases, slop, and the distance that scores are divided by.

Positions come as CSR: those of document i are positions[starts[i]:starts[i + 1]], increasing. Every
function gets one such pair for each part of a phrase, all for the same documents.

A part may have no positions in a document although it matches there. It is left aside there, unless
its `counts` (uint8 for each document, or None) say that it counts: then it stands nowhere, which
has odd consequences, all of them RediSearch's.
"""

cimport cython
import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc


@cython.final
cdef class Parts:
    """The positions of several parts, as C arrays; `held` keeps their memory."""

    cdef list held
    cdef Py_ssize_t count
    cdef const int64_t** starts
    cdef const uint32_t** positions
    # For each part where it counts although it has no positions; NULL: nowhere.
    cdef const uint8_t** counts
    # Those parts that count in the current document, where each is read at, and where it ends.
    cdef Py_ssize_t active
    cdef const uint32_t** own
    cdef int64_t* at
    cdef int64_t* end

    def __cinit__(self, parts: list, counts: list):
        cdef const uint8_t[::1] own_counts
        cdef const int64_t[::1] starts
        cdef const uint32_t[::1] positions
        cdef Py_ssize_t i
        self.held = [parts, counts]
        self.count = len(parts)
        self.starts = <const int64_t**> malloc(self.count * sizeof(void*) + 1)
        self.positions = <const uint32_t**> malloc(self.count * sizeof(void*) + 1)
        self.own = <const uint32_t**> malloc(self.count * sizeof(void*) + 1)
        self.counts = <const uint8_t**> malloc(self.count * sizeof(void*) + 1)
        self.at = <int64_t*> malloc(self.count * sizeof(int64_t) + 1)
        self.end = <int64_t*> malloc(self.count * sizeof(int64_t) + 1)
        if not (self.starts and self.positions and self.own and self.counts and self.at
                and self.end):
            raise MemoryError()
        for i in range(self.count):
            starts, positions = parts[i]
            self.starts[i] = &starts[0]
            self.positions[i] = &positions[0] if positions.shape[0] else NULL
            self.counts[i] = NULL
            if counts[i] is not None and len(counts[i]):
                own_counts = counts[i]
                self.counts[i] = &own_counts[0]

    def __dealloc__(self):
        free(self.starts)
        free(self.positions)
        free(self.own)
        free(self.counts)
        free(self.at)
        free(self.end)

    cdef void begin(self, Py_ssize_t doc) noexcept nogil:
        cdef Py_ssize_t i
        self.active = 0
        for i in range(self.count):
            if self.starts[i][doc] == self.starts[i][doc + 1] and (
                self.counts[i] == NULL or not self.counts[i][doc]
            ):
                continue
            self.own[self.active] = self.positions[i]
            self.at[self.active] = self.starts[i][doc]
            self.end[self.active] = self.starts[i][doc + 1]
            self.active += 1

    cdef bint in_order(self, int64_t slop) noexcept nogil:
        """Whether the parts follow one another with at most `slop` words between them."""
        cdef Py_ssize_t i
        cdef int64_t span
        cdef int64_t last
        cdef bint begun = False
        while True:
            span = 0
            last = 0
            for i in range(self.active):
                if i == 0 and begun:
                    self.at[0] += 1
                while self.at[i] < self.end[i] and self.own[i][self.at[i]] < last:
                    self.at[i] += 1
                if self.at[i] >= self.end[i]:
                    return False
                if i:
                    span += <int64_t> self.own[i][self.at[i]] - last - 1
                    if span > slop:
                        break
                last = self.own[i][self.at[i]]
            begun = True
            if span <= slop:
                return True

    cdef bint in_any_order(self, int64_t slop) noexcept nogil:
        """The same where the order does not matter.

        One part alone is near to nothing; what stands nowhere is near to whatever stands somewhere.
        """
        cdef Py_ssize_t i
        cdef Py_ssize_t lowest
        cdef Py_ssize_t highest
        cdef Py_ssize_t nowhere = 0
        for i in range(self.active):
            nowhere += self.at[i] >= self.end[i]
        if nowhere:
            return nowhere < self.active
        while True:
            lowest = 0
            highest = 0
            for i in range(1, self.active):
                if self.own[i][self.at[i]] < self.own[lowest][self.at[lowest]]:
                    lowest = i
                if self.own[i][self.at[i]] > self.own[highest][self.at[highest]]:
                    highest = i
            if lowest != highest and (
                <int64_t> self.own[highest][self.at[highest]]
                - self.own[lowest][self.at[lowest]] - (self.active - 1) <= slop
            ):
                return True
            self.at[lowest] += 1
            if self.at[lowest] >= self.end[lowest]:
                return False

    cdef int64_t distance(self) noexcept nogil:
        """The distance between the parts, 0 if there is none."""
        cdef Py_ssize_t i
        cdef int64_t near
        cdef int64_t total = 0
        for i in range(1, self.active):
            near = self.nearest(i - 1, i)
            total += near * near
        return <int64_t> sqrt(<double> total)

    cdef int64_t nearest(self, Py_ssize_t one, Py_ssize_t other) noexcept nogil:
        """The least distance of two parts, found by walking both."""
        cdef int64_t i = self.at[one]
        cdef int64_t j = self.at[other]
        cdef int64_t apart = self.gap(one, i, other, j)
        cdef int64_t found = apart
        while found > 1 and i < self.end[one] and j < self.end[other]:
            apart = self.gap(one, i, other, j)
            if apart < found:
                found = apart
            if self.own[other][j] > self.own[one][i]:
                i += 1
            else:
                j += 1
        return found

    cdef int64_t gap(self, Py_ssize_t one, int64_t i, Py_ssize_t other, int64_t j) noexcept nogil:
        # What stands nowhere is taken to stand one place before the text.
        cdef int64_t here = self.own[one][i] if i < self.end[one] else -1
        cdef int64_t there = self.own[other][j] if j < self.end[other] else -1
        return there - here if there > here else here - there


def near(
    parts: list, counts: list, Py_ssize_t docs, int64_t slop, bint in_order
) -> np.ndarray:
    """For each of `docs` documents whether its parts stand near enough to each other (bool)."""
    cdef Parts all_parts = Parts(parts, counts)
    cdef Py_ssize_t doc
    found = np.ones(docs, np.uint8)
    cdef uint8_t[::1] out = found
    with nogil:
        for doc in range(docs):
            all_parts.begin(doc)
            if all_parts.active:
                out[doc] = (
                    all_parts.in_order(slop) if in_order else all_parts.in_any_order(slop)
                )
    return found.view(np.bool_)


def distances(parts: list, counts: list, const int64_t[::1] matching not None) -> np.ndarray:
    """What the score of each of some documents is divided by (float64).

    `parts` are those of the outermost node of a query that can have positions, and `matching` says
    for each document how many of all its parts match it.
    """
    cdef Parts all_parts = Parts(parts, counts)
    cdef Py_ssize_t docs = matching.shape[0]
    found = np.ones(docs, np.float64)
    cdef double[::1] out = found
    cdef Py_ssize_t doc
    cdef int64_t distance
    with nogil:
        for doc in range(docs):
            if matching[doc] < 2:
                continue
            all_parts.begin(doc)
            distance = all_parts.distance()
            out[doc] = distance if distance else matching[doc] - 1
    return found


def merged(parts: list, Py_ssize_t docs) -> tuple:
    """The positions of several parts together, as of one part; a position may come twice."""
    cdef Parts all_parts = Parts(parts, [None] * len(parts))
    cdef Py_ssize_t total = sum([len(positions) for _, positions in parts])
    starts = np.zeros(docs + 1, np.int64)
    found = np.empty(total, np.uint32)
    cdef int64_t[::1] begin = starts
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t doc
    cdef Py_ssize_t i
    cdef Py_ssize_t lowest
    cdef Py_ssize_t count = 0
    with nogil:
        for doc in range(docs):
            begin[doc] = count
            all_parts.begin(doc)
            while True:
                lowest = -1
                for i in range(all_parts.active):
                    if all_parts.at[i] < all_parts.end[i] and (
                        lowest < 0 or all_parts.own[i][all_parts.at[i]]
                        < all_parts.own[lowest][all_parts.at[lowest]]
                    ):
                        lowest = i
                if lowest < 0:
                    break
                out[count] = all_parts.own[lowest][all_parts.at[lowest]]
                count += 1
                all_parts.at[lowest] += 1
        begin[docs] = count
    return starts, found
