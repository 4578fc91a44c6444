"""Algebra of document sets: sorted arrays of uint32, each id once."""

cimport cython
import numpy as np

from libc.stdint cimport uint8_t, uint32_t


def intersect(const uint32_t[::1] one not None, const uint32_t[::1] other not None) -> np.ndarray:
    """What is in both."""
    if one.shape[0] > other.shape[0]:
        one, other = other, one
    found = np.empty(one.shape[0], np.uint32)
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t count
    if one.shape[0] == 0:
        return found
    with nogil:
        if other.shape[0] > 32 * one.shape[0]:
            count = gallop(one, other, out)
        else:
            count = merge(one, other, out)
    return found[:count]


cdef Py_ssize_t merge(const uint32_t[::1] one, const uint32_t[::1] other,
                      uint32_t[::1] out) noexcept nogil:
    # Without branches that depend on the data, for those cannot be predicted.
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t j = 0
    cdef Py_ssize_t count = 0
    cdef uint32_t a
    cdef uint32_t b
    while i < one.shape[0] and j < other.shape[0]:
        a = one[i]
        b = other[j]
        out[count] = a
        count += a == b
        i += a <= b
        j += b <= a
    return count


cdef Py_ssize_t gallop(const uint32_t[::1] few, const uint32_t[::1] many,
                       uint32_t[::1] out) noexcept nogil:
    cdef Py_ssize_t i
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t count = 0
    for i in range(few.shape[0]):
        at = seek(many, few[i], at)
        if at == many.shape[0]:
            break
        if many[at] == few[i]:
            out[count] = few[i]
            count += 1
    return count


cdef Py_ssize_t seek(const uint32_t[::1] where, uint32_t doc, Py_ssize_t at) noexcept nogil:
    """The first place from `at` on whose id is not less than `doc`."""
    cdef Py_ssize_t size = where.shape[0]
    cdef Py_ssize_t step = 1
    cdef Py_ssize_t low
    cdef Py_ssize_t high
    cdef Py_ssize_t middle
    if at >= size or where[at] >= doc:
        return at
    low = at
    while at + step < size and where[at + step] < doc:
        low = at + step
        step <<= 1
    high = at + step if at + step < size else size
    while low < high:
        middle = (low + high) >> 1
        if where[middle] < doc:
            low = middle + 1
        else:
            high = middle
    return low


@cython.final
cdef class Walk:
    """The lists of `zigzag`: where each is read at, where it stands, what it was skipped to."""

    cdef Py_ssize_t count
    cdef Py_ssize_t least
    cdef const uint32_t* lists[64]
    cdef Py_ssize_t sizes[64]
    cdef Py_ssize_t at[64]
    cdef uint32_t current[64]
    cdef bint stepping[64]
    cdef uint32_t* targets[64]
    cdef Py_ssize_t asked[64]
    cdef list held
    cdef list noted

    def __cinit__(self, sets: list, steps: list):
        cdef const uint32_t[::1] one
        cdef uint32_t[::1] own
        cdef Py_ssize_t i
        self.count = len(sets)
        self.held = sets
        self.noted = []
        self.least = 0xFFFFFFFF
        for i in range(self.count):
            one = sets[i]
            self.lists[i] = &one[0] if one.shape[0] else NULL
            self.sizes[i] = one.shape[0]
            self.stepping[i] = steps[i]
            self.at[i] = 0
            self.asked[i] = 0
            self.current[i] = 0
            self.least = min(self.least, one.shape[0])
            # A list moves on each time it is skipped.
            self.noted.append(np.empty(one.shape[0] + 2, np.uint32))
            own = self.noted[i]
            self.targets[i] = &own[0]

    cdef bint skip(self, Py_ssize_t i, uint32_t target) noexcept nogil:
        """Skip a list to a document, or behind it; False if there is none left."""
        cdef const uint32_t* docs = self.lists[i]
        cdef Py_ssize_t at = self.at[i]
        while at < self.sizes[i] and docs[at] < target:
            at += 1
        self.at[i] = at
        if at == self.sizes[i]:
            return False
        self.current[i] = docs[at]
        if not self.stepping[i]:
            self.targets[i][self.asked[i]] = target
            self.asked[i] += 1
        return True

    cdef Py_ssize_t run(self, uint32_t* out) noexcept nogil:
        """Walk to the end; returns how many documents were found."""
        cdef Py_ssize_t count = 0
        cdef Py_ssize_t met
        cdef Py_ssize_t i
        cdef uint32_t last = 0
        while True:
            met = 0
            for i in range(self.count):
                if self.current[i] != last or last == 0:
                    if not self.skip(i, last):
                        return count
                    if self.stepping[i] and self.current[i] != last and last:
                        self.current[i] = last
                        last += 1
                        continue
                if self.current[i] > last:
                    last = self.current[i]
                    break
                met += 1
            if met == self.count:
                out[count] = last
                count += 1
                last += 1


def zigzag(sets: list, steps: list) -> tuple:
    """What is in all of `sets`, and how the original comes upon it.

    It walks all lists in turn, and skips each to the highest document met so far. Returns the
    documents, and for each list the targets it was skipped to (uint32, increasing; 0 stands for
    "the first there is"). At most 64 lists. A list of `steps` does not land on a later document
    where it lacks its target: it makes the walk go on by one.
    """
    cdef Walk walk = Walk(sets, steps)
    cdef Py_ssize_t count = 0
    found = np.empty(max(walk.least, 1), np.uint32)
    cdef uint32_t[::1] out = found
    if walk.least:
        with nogil:
            count = walk.run(&out[0])
    return found[:count], [walk.noted[i][:walk.asked[i]] for i in range(walk.count)]


def landings(const uint32_t[::1] docs not None, const uint32_t[::1] targets not None,
             const uint32_t[::1] wanted not None) -> np.ndarray:
    """Those of `wanted` that a list with `docs` came upon by landing on them, not by being asked.

    `targets` are what it was skipped to, as `zigzag` says. A document is landed on if the first
    target behind the document before it is a lower one.
    """
    found = np.empty(wanted.shape[0], np.uint32)
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t i
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t asked = 0
    cdef uint32_t before
    with nogil:
        for i in range(wanted.shape[0]):
            while at < docs.shape[0] and docs[at] < wanted[i]:
                at += 1
                if at + 8 < docs.shape[0] and docs[at + 8] < wanted[i]:
                    at = seek(docs, wanted[i], at + 8)
            if at == docs.shape[0]:
                break
            if docs[at] != wanted[i] or (at == 0 and targets.shape[0] and targets[0] == 0):
                continue
            before = docs[at - 1] if at else 0
            while asked < targets.shape[0] and targets[asked] <= before:
                asked += 1
                if asked + 8 < targets.shape[0] and targets[asked + 8] <= before:
                    asked = seek(targets, before, asked + 8)
            out[count] = wanted[i]
            count += asked < targets.shape[0] and targets[asked] < wanted[i]
    return found[:count]


def union_two(const uint32_t[::1] one not None, const uint32_t[::1] other not None) -> np.ndarray:
    """What is in one of the two."""
    found = np.empty(one.shape[0] + other.shape[0], np.uint32)
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t j = 0
    cdef Py_ssize_t count = 0
    cdef uint32_t a
    cdef uint32_t b
    with nogil:
        while i < one.shape[0] and j < other.shape[0]:
            a = one[i]
            b = other[j]
            out[count] = a if a < b else b
            count += 1
            i += a <= b
            j += b <= a
        while i < one.shape[0]:
            out[count] = one[i]
            count += 1
            i += 1
        while j < other.shape[0]:
            out[count] = other[j]
            count += 1
            j += 1
    return found[:count]


def union(sets: list) -> np.ndarray:
    """What is in at least one of `sets`."""
    sets = [one for one in sets if len(one)]
    if not sets:
        return np.empty(0, np.uint32)
    if len(sets) == 1:
        return sets[0]
    if len(sets) == 2:
        return union_two(sets[0], sets[1])
    last = max(int(one[-1]) for one in sets)
    total = sum(map(len, sets))
    if total < last >> 5:
        return distinct(np.concatenate(sets))
    marks = np.zeros(last + 1, np.uint8)
    for one in sets:
        mark(marks, one)
    return marked(marks, min(total, last + 1))


cdef mark(uint8_t[::1] marks, const uint32_t[::1] docs):
    cdef Py_ssize_t i
    with nogil:
        for i in range(docs.shape[0]):
            marks[docs[i]] = 1


cdef marked(const uint8_t[::1] marks, Py_ssize_t at_most):
    found = np.empty(at_most + 1, np.uint32)
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t i
    cdef Py_ssize_t count = 0
    with nogil:
        for i in range(marks.shape[0]):
            out[count] = <uint32_t> i
            count += marks[i] != 0
    return found[:count]


def without(const uint32_t[::1] one not None, const uint32_t[::1] other not None) -> np.ndarray:
    """What is in `one` and not in `other`."""
    found = np.empty(one.shape[0], np.uint32)
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t j = 0
    cdef Py_ssize_t count = 0
    cdef uint32_t a
    cdef uint32_t b
    with nogil:
        while i < one.shape[0] and j < other.shape[0]:
            a = one[i]
            b = other[j]
            out[count] = a
            count += a < b
            i += a <= b
            j += b <= a
        while i < one.shape[0]:
            out[count] = one[i]
            count += 1
            i += 1
    return found[:count]


def distinct(const uint32_t[::1] docs not None) -> np.ndarray:
    """The ids of `docs`, in any order and maybe several times, as a set."""
    # np.unique would put every id into a table of hashes first, at ten times the cost.
    found = np.sort(docs)
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t i
    cdef Py_ssize_t count = 0
    if out.shape[0] == 0:
        return found
    with nogil:
        for i in range(1, out.shape[0]):
            count += out[i] != out[count]
            out[count] = out[i]
    return found[:count + 1]


def sorted_set(const uint32_t[::1] docs not None, Py_ssize_t last) -> np.ndarray:
    """The ids of `docs`, in any order and maybe several times, none above `last`, as a set."""
    cdef Py_ssize_t n = docs.shape[0]
    if n < (last >> 5) or n < 64:
        return distinct(docs)
    marks = np.zeros(last + 1, np.uint8)
    mark(marks, docs)
    return marked(marks, min(n, last + 1))


def living(const uint32_t[::1] docs not None, const uint8_t[::1] alive not None) -> np.ndarray:
    """Those of `docs` that are alive."""
    found = np.empty(docs.shape[0], np.uint32)
    cdef uint32_t[::1] out = found
    cdef Py_ssize_t i
    cdef Py_ssize_t count = 0
    with nogil:
        for i in range(docs.shape[0]):
            out[count] = docs[i]
            count += alive[docs[i]]
    return found[:count]


def contains(const uint32_t[::1] docs not None, const uint32_t[::1] wanted not None) -> np.ndarray:
    """For each of `wanted` (sorted) whether it is in `docs` (bool)."""
    found = np.zeros(wanted.shape[0], np.uint8)
    cdef uint8_t[::1] out = found
    cdef Py_ssize_t i
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t size = docs.shape[0]
    with nogil:
        for i in range(wanted.shape[0]):
            while at < size and docs[at] < wanted[i]:
                at += 1
                if at + 8 < size and docs[at + 8] < wanted[i]:
                    at = seek(docs, wanted[i], at + 8)
            if at >= size:
                break
            out[i] = docs[at] == wanted[i]
    return found.view(np.bool_)


def both(const uint32_t[::1] one not None, const uint32_t[::1] other not None) -> tuple:
    """What is in two sets, and where either had landed: what `zigzag` and `landings` tell of two
    lists, without a walk whose steps nobody can predict.

    Returns (found, landed, landed): those of the first list, and those of the second.
    """
    cdef Py_ssize_t most = min(one.shape[0], other.shape[0])
    found = np.empty(most + 1, np.uint32)
    by_one = np.empty(most + 1, np.uint32)
    by_other = np.empty(most + 1, np.uint32)
    if not most:
        return found[:0], by_one[:0], by_other[:0]
    cdef uint32_t last = min(one[one.shape[0] - 1], other[other.shape[0] - 1])
    cdef uint8_t[::1] marks = np.zeros(max(one[one.shape[0] - 1], other[other.shape[0] - 1]) + 1,
                                       np.uint8)
    cdef uint32_t[::1] out = found
    cdef uint32_t[::1] out_one = by_one
    cdef uint32_t[::1] out_other = by_other
    cdef Py_ssize_t i
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t count_one = 0
    cdef Py_ssize_t count_other = 0
    cdef uint32_t doc
    cdef uint8_t here
    # What came last: nothing of the first list yet (0), a document of both (1), after that a gap
    # or one of the second (2), one of the first (3).
    cdef const uint8_t* following = [
        0, 3, 0, 1,
        2, 3, 2, 1,
        2, 3, 2, 1,
        3, 3, 2, 1,
    ]
    cdef int state = 0
    with nogil:
        for i in range(one.shape[0]):
            marks[one[i]] = 1
        for i in range(other.shape[0]):
            marks[other[i]] |= 2
        for doc in range(last + 1):
            here = marks[doc]
            out[count] = doc
            out_one[count_one] = doc
            out_other[count_other] = doc
            count += here == 3
            count_one += (here == 3) & (state == 2)
            count_other += (here == 3) & (state == 3)
            state = following[4 * state + here]
    return found[:count], by_one[:count_one], by_other[:count_other]
