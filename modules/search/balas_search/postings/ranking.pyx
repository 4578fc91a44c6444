"""The best documents of a query of words, by TFIDF: bounds of all, distances of as few as it takes.

A query has parts, each the alternatives ("leaves") of one word. What is asked of `Ranking` are sums
of whole numbers, which come out the same in whatever order they are added.
"""

cimport cython
import numpy as np

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.math cimport INFINITY, sqrt
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from balas_search.index.tables cimport DocumentTable
from balas_search.postings.posting cimport Posting

cdef enum:
    # So many scores are measured between two looks at the clock; less one, to be used as a mask.
    MEASURED_AT_ONCE = 1023
    BUCKETS = 1024         # of bounds
    GROUP_MIN = 48         # so many documents are measured at once at least; then more each time
    GROUP_GROWTH = 4
    BEST_MAX = 256         # as many of the best `best_keys` keeps
    RARE_MAX = 1024        # of two terms it looks at no more documents
    SEEK_COST = 6          # of looking one document up in a list, in steps through an array


@cython.final
cdef class Leaf:
    """A term, the fields in which it counts, and what one occurrence adds to the score."""

    cdef Posting posting
    cdef uint64_t lo
    cdef uint64_t hi
    cdef float value

    def __cinit__(self, Posting posting not None, mask, float value):
        self.posting = posting
        self.lo = mask & 0xFFFFFFFFFFFFFFFF
        self.hi = (mask >> 64) & 0xFFFFFFFFFFFFFFFF
        self.value = value

    cdef bint holds(self, uint32_t doc, Py_ssize_t* at) noexcept:
        """Whether the term is in a document no lower than that at `at`, which moves there."""
        at[0] = self.posting.seek(doc, at[0])
        return (at[0] < self.posting.size and self.posting.docs[at[0]] == doc
                and self.posting.in_fields(at[0], self.lo, self.hi))

    cdef void add_all(self, float* sums, float* firsts, uint32_t last) noexcept:
        """Add what it adds to each document, by id."""
        cdef const uint32_t* docs = self.posting.docs
        cdef const uint8_t* freqs = self.posting.freqs
        cdef Py_ssize_t size = self.posting.size
        cdef float value = self.value
        cdef float own
        cdef Py_ssize_t i
        if self.posting.masks == NULL and (freqs == NULL or self.posting.freq_width == 1):
            if not self.posting.in_fields(0, self.lo, self.hi):
                return
            while size and docs[size - 1] > last:
                size -= 1
            for i in range(size):
                own = value * freqs[i] if freqs != NULL else value
                sums[docs[i]] += own
                if firsts != NULL:
                    firsts[docs[i]] = own
            return
        for i in range(size):
            if docs[i] <= last and self.posting.in_fields(i, self.lo, self.hi):
                own = value * self.posting.freq_of(i)
                sums[docs[i]] += own
                if firsts != NULL:
                    firsts[docs[i]] = own

    cdef void add_some(self, float* sums, float* firsts, const uint32_t[::1] docs) noexcept:
        """Add what it adds to each of `docs`, by place."""
        cdef Py_ssize_t i
        cdef Py_ssize_t at = 0
        cdef float own
        for i in range(docs.shape[0]):
            if self.holds(docs[i], &at):
                own = self.value * self.posting.freq_of(at)
                sums[i] += own
                if firsts != NULL:
                    firsts[i] = own


@cython.final
cdef class Scratch:
    """Memory for one part after the other: new memory costs more than all that is done in it."""

    cdef float* data
    cdef Py_ssize_t size

    def __dealloc__(self):
        free(self.data)

    cdef float* cleared(self, Py_ssize_t size) except NULL:
        """So many zeros, until it is asked again."""
        if size > self.size:
            free(self.data)
            self.size = 0
            self.data = <float*> malloc(size * sizeof(float))
            if self.data == NULL:
                raise MemoryError()
            self.size = size
        memset(self.data, 0, size * sizeof(float))
        return self.data


@cython.final
cdef class Part:
    """The alternatives of one word: [(posting, fields, value)].

    Only the first that a document holds counts where `first_only`, and in the documents `alone`.
    """

    cdef list leaves
    cdef bint first_only
    cdef const uint32_t[::1] alone
    cdef Py_ssize_t alone_size

    def __cinit__(self, leaves: list, bint first_only=False, alone=None):
        self.leaves = [Leaf(*leaf) for leaf in leaves]
        self.first_only = first_only
        if alone is not None and len(alone) and len(leaves) > 1:
            self.alone = alone
            self.alone_size = len(alone)

    cdef bint takes_first(self, uint32_t doc) noexcept:
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t high = self.alone_size
        cdef Py_ssize_t middle
        if self.first_only or not self.alone_size:
            return self.first_only
        while low < high:
            middle = (low + high) >> 1
            if self.alone[middle] < doc:
                low = middle + 1
            else:
                high = middle
        return low < self.alone_size and self.alone[low] == doc

    cdef int add(self, const uint32_t[::1] docs, double[::1] total, Scratch scratch) except -1:
        """Add the values of the part to those of some documents (sorted, not empty)."""
        cdef Py_ssize_t n = docs.shape[0]
        cdef uint32_t last = docs[n - 1]
        cdef Leaf leaf
        cdef Py_ssize_t work = last >> 2
        for leaf in self.leaves:
            work += leaf.posting.size
        cdef bint by_id = work < n * SEEK_COST * len(self.leaves)
        cdef Py_ssize_t room = last + 1 if by_id else n
        cdef bint with_firsts = self.first_only or self.alone_size
        cdef float* sums = scratch.cleared(2 * room if with_firsts else room)
        cdef float* firsts = sums + room if with_firsts else NULL
        # Backwards, so that the first alternative is what stays in `firsts`.
        for leaf in reversed(self.leaves):
            if by_id:
                leaf.add_all(sums, firsts, last)
            else:
                leaf.add_some(sums, firsts, docs)
        cdef float* source = firsts if self.first_only else sums
        cdef Py_ssize_t i
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t place
        if self.first_only or not self.alone_size:
            for i in range(n):
                total[i] += source[docs[i] if by_id else i]
        else:
            for i in range(n):
                while at < self.alone_size and self.alone[at] < docs[i]:
                    at += 1
                place = docs[i] if by_id else i
                if at < self.alone_size and self.alone[at] == docs[i]:
                    total[i] += firsts[place]
                else:
                    total[i] += sums[place]
        return 0


@cython.final
cdef class Ranking:
    """The parts of a query, in the order in which distances go from one to the next.

    With `measured` False, scores are not divided by distances.
    """

    cdef list parts
    cdef bint measured
    # The positions of the document that is looked at, part by part.
    cdef uint32_t* positions
    cdef Py_ssize_t capacity
    cdef Py_ssize_t used

    def __cinit__(self, parts: list, bint measured):
        self.parts = parts
        self.measured = measured

    def __dealloc__(self):
        free(self.positions)

    def best(self, const uint32_t[::1] docs not None, const float[::1] scores not None,
             const uint32_t[::1] frequencies not None, Py_ssize_t wanted,
             check_time=None) -> tuple | None:
        """The places of the `wanted` best of `docs` (sorted, not empty), and their scores.

        `check_time()` is called now and then, and raises TimeUp.

        None if there is something about them that makes bounds useless: a document without
        words, or one with a negative score.
        """
        cdef Py_ssize_t n = docs.shape[0]
        cdef Part part
        cdef Py_ssize_t i
        cdef double highest = 0
        cdef double[::1] bounds = np.zeros(n)
        cdef Scratch scratch = Scratch()
        for part in self.parts:
            if check_time is not None:
                check_time()
            part.add(docs, bounds, scratch)
        for i in range(n):
            if not frequencies[docs[i]] or not scores[docs[i]] >= 0:
                return None
            bounds[i] = bounds[i] * scores[docs[i]] / frequencies[docs[i]]
            if bounds[i] > highest:
                highest = bounds[i]
        return self.chosen(docs, bounds, highest, min(wanted, n), check_time)

    cdef tuple chosen(self, const uint32_t[::1] docs, const double[::1] bounds, double highest,
                      Py_ssize_t wanted, check_time):
        """Go through the documents by their bounds, in groups, until no other can be among the
        best: a score is no higher than its bound.
        """
        cdef Py_ssize_t n = docs.shape[0]
        cdef Py_ssize_t counts[BUCKETS]
        cdef double scale = (BUCKETS - 1) / highest if highest > 0 else 0
        cdef Py_ssize_t i
        cdef Py_ssize_t bucket
        cdef Py_ssize_t low = BUCKETS
        cdef Py_ssize_t high
        cdef Py_ssize_t found = 0
        cdef Py_ssize_t group = max(GROUP_MIN, 2 * wanted)
        cdef Py_ssize_t taken
        cdef Py_ssize_t measured = 0
        cdef double score
        places = np.empty(wanted, np.int64)
        values = np.empty(wanted, np.float64)
        cdef long[::1] out = places
        cdef double[::1] top = values
        for i in range(BUCKETS):
            counts[i] = 0
        for i in range(n):
            counts[<Py_ssize_t> (bounds[i] * scale)] += 1
        while low > 0 and (found < wanted or <Py_ssize_t> (top[wanted - 1] * scale) < low):
            high = low
            taken = 0
            while low > 0 and taken < group:
                low -= 1
                taken += counts[low]
            group *= GROUP_GROWTH
            if check_time is not None:
                check_time()
            for i in range(n):
                bucket = <Py_ssize_t> (bounds[i] * scale)
                if bucket < low or bucket >= high:
                    continue
                if found == wanted and bounds[i] <= top[wanted - 1] and (
                    bounds[i] < top[wanted - 1] or i > out[wanted - 1]
                ):
                    continue
                measured += 1
                if measured & MEASURED_AT_ONCE == 0 and check_time is not None:
                    check_time()
                score = bounds[i] / self.distance(docs[i]) if self.measured else bounds[i]
                found = placed(out, top, found, i, score)
        return places, values

    cdef double distance(self, uint32_t doc) except -1:
        """What the score of a document is divided by."""
        cdef Part part
        cdef Py_ssize_t matching = 0
        cdef Py_ssize_t before = 0
        cdef Py_ssize_t middle = 0
        cdef Py_ssize_t near
        cdef Py_ssize_t total = 0
        cdef bint one_before = False
        self.used = 0
        for part in self.parts:
            middle = self.used
            matching += self.read(part, doc, len(self.parts) == 1)
            if self.used == middle:
                continue
            if one_before:
                near = self.nearest(before, middle, self.used)
                total += near * near
            before = middle
            one_before = True
        if matching < 2:
            return 1
        total = <Py_ssize_t> sqrt(<double> total)
        return total if total else matching - 1

    cdef Py_ssize_t read(self, Part part, uint32_t doc, bint count_all) except -1:
        """Read the positions of a part; returns whether it is there.

        Or, if `count_all`, how many of its alternatives are there, without their positions.
        """
        cdef Leaf leaf
        cdef bint first = not count_all and part.takes_first(doc)
        cdef Py_ssize_t begin = self.used
        cdef Py_ssize_t there = 0
        cdef Py_ssize_t at
        cdef Py_ssize_t i
        cdef uint32_t moved
        for leaf in part.leaves:
            at = 0
            if not leaf.holds(doc, &at):
                continue
            there += 1
            if count_all:
                continue
            if leaf.posting.offsets_size:
                self.read_positions(leaf.posting, at)
            if first:
                break
        if there > 1 and not count_all:
            for i in range(begin + 1, self.used):
                at = i
                moved = self.positions[i]
                while at > begin and self.positions[at - 1] > moved:
                    self.positions[at] = self.positions[at - 1]
                    at -= 1
                self.positions[at] = moved
        return there if count_all else there > 0

    cdef int read_positions(self, Posting posting, Py_ssize_t index) except -1:
        cdef Py_ssize_t place = posting.place_of(index, 0, 0)
        cdef Py_ssize_t end = posting.offsets_size
        cdef uint32_t position = 0
        cdef uint64_t value
        cdef int shift
        while True:
            value = 0
            shift = 0
            while posting.offsets[place] & 0x80:
                value |= <uint64_t> (posting.offsets[place] & 0x7F) << shift
                shift += 7
                place += 1
            value |= <uint64_t> posting.offsets[place] << shift
            place += 1
            position += <uint32_t> (value >> 1)
            if self.used == self.capacity:
                self.grow()
            self.positions[self.used] = position
            self.used += 1
            if place >= end or posting.offsets[place] & 1:
                return 0

    cdef int grow(self) except -1:
        cdef Py_ssize_t capacity = 2 * self.capacity + 256
        cdef void* made = realloc(self.positions, capacity * sizeof(uint32_t))
        if made == NULL:
            raise MemoryError()
        self.positions = <uint32_t*> made
        self.capacity = capacity
        return 0

    cdef Py_ssize_t nearest(self, Py_ssize_t i, Py_ssize_t middle, Py_ssize_t end) noexcept:
        """The least distance of two parts that follow one another in `positions`."""
        cdef Py_ssize_t j = middle
        cdef Py_ssize_t one
        cdef Py_ssize_t other
        cdef Py_ssize_t apart
        cdef Py_ssize_t found = -1
        while i < middle and j < end and (found < 0 or found > 1):
            one = self.positions[i]
            other = self.positions[j]
            apart = other - one if other > one else one - other
            if found < 0 or apart < found:
                found = apart
            if other > one:
                i += 1
            else:
                j += 1
        return found


cdef Py_ssize_t placed(long[::1] places, double[::1] scores, Py_ssize_t found, Py_ssize_t place,
                       double score) noexcept:
    """Put a document where it belongs among the `found` best so far: the highest first, then the
    lowest place. Returns how many there are now.
    """
    cdef Py_ssize_t room = places.shape[0]
    cdef Py_ssize_t at = found
    if found == room:
        at -= 1
        if score < scores[at] or (score == scores[at] and place > places[at]):
            return found
    else:
        found += 1
    while at and (scores[at - 1] < score or (scores[at - 1] == score and places[at - 1] > place)):
        scores[at] = scores[at - 1]
        places[at] = places[at - 1]
        at -= 1
    scores[at] = score
    places[at] = place
    return found


def best_of_equals(DocumentTable documents not None, const uint32_t[::1] docs not None,
                   double value, Py_ssize_t wanted):
    """Of documents that match all alike the best by TFIDF: their places in `docs`, their scores.

    `value` is what the match is worth.
    """
    places_made = np.empty(wanted, np.int64)
    scores_made = np.empty(wanted, np.float64)
    cdef long[::1] places = places_made
    cdef double[::1] scores = scores_made
    cdef const float* own = documents.score_data
    cdef const uint32_t* frequencies = documents.frequency_data
    cdef Py_ssize_t found = 0
    cdef Py_ssize_t i
    cdef double score
    for i in range(docs.shape[0]):
        score = value * own[docs[i]]
        if frequencies[docs[i]]:
            score /= frequencies[docs[i]]
        else:
            # A document without text is infinitely good, unless it is worth nothing.
            score = INFINITY if score > 0 else -INFINITY if score < 0 else 0
        # Documents come by their ids, so that of equal ones the first stays before.
        if found == wanted and score <= scores[found - 1]:
            continue
        found = placed(places, scores, found, i, score)
    return places_made[:found], scores_made[:found]


def best_keys(DocumentTable documents not None, list leaves not None, Py_ssize_t offset,
              Py_ssize_t count) -> list | None:
    """How many documents hold any of one or two terms, and the keys of the best: the short way.

    `leaves` are [(posting, fields, value)]. None where it cannot be gone: more documents are wanted
    than are kept, one has no words or a score below 0, or two terms are not rare.
    """
    cdef Leaf one = Leaf(*leaves[0])
    cdef Leaf other = Leaf(*leaves[1]) if len(leaves) > 1 else None
    cdef Ranking ranking = None
    cdef double[BEST_MAX] scores
    cdef uint32_t[BEST_MAX] docs
    cdef Py_ssize_t room = offset + count
    cdef Py_ssize_t total = 0
    cdef Py_ssize_t found = 0
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t j = 0
    cdef Py_ssize_t size = one.posting.size
    cdef Py_ssize_t other_size = other.posting.size if other is not None else 0
    cdef Py_ssize_t at
    cdef uint32_t doc
    cdef bint of_one, of_other
    cdef double score
    if room > BEST_MAX or (other is not None and size + other_size > RARE_MAX):
        return None
    if other is not None:
        ranking = Ranking([Part([leaf]) for leaf in leaves], True)
    while i < size or j < other_size:
        of_one = i < size and (j >= other_size or one.posting.docs[i] <= other.posting.docs[j])
        of_other = j < other_size and (i >= size or other.posting.docs[j] <= one.posting.docs[i])
        doc = one.posting.docs[i] if of_one else other.posting.docs[j]
        score = 0
        at = 0
        if of_one and one.posting.in_fields(i, one.lo, one.hi):
            score += one.value * one.posting.freq_of(i)
            at = 1
        if of_other and other.posting.in_fields(j, other.lo, other.hi):
            score += other.value * other.posting.freq_of(j)
            at = 1
        i += of_one
        j += of_other
        if not at or not documents.alive_data[doc]:
            continue
        total += 1
        if not documents.frequency_data[doc] or not documents.score_data[doc] >= 0:
            return None
        score = score * documents.score_data[doc] / documents.frequency_data[doc]
        # Documents come by their ids, so that of equal ones the first stays before.
        if found == room and (not room or score <= scores[room - 1]):
            continue
        if ranking is not None:
            score /= ranking.distance(doc)
        if found < room:
            at = found
            found += 1
        elif score <= scores[room - 1]:
            continue
        else:
            at = found - 1
        while at and scores[at - 1] < score:
            scores[at] = scores[at - 1]
            docs[at] = docs[at - 1]
            at -= 1
        scores[at] = score
        docs[at] = doc
    made = [total]
    for i in range(offset, found):
        made.append(documents.names.key_at(docs[i]))
    return made
