"""Union, intersection and difference of sorted sets and sets; a member of a set has the score 1.

A source is a SortedSet, a Set, or None for a key that is missing. Results are lists of score and
member, in the order of a sorted set. What is added up is so from the smallest source to the
largest, as in Redis, since sums of doubles depend on the order.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from balas.structures.ordered cimport OrderedIndex
from balas.types.limits cimport Limits
from balas.types.scored cimport Scored, take_scored_t
from balas.types.set cimport Item, Set, item_set_text, item_write_out
from balas.types.sorted_set cimport SortedSet

cdef enum Aggregate:
    SUM = 0
    MINIMUM = 1
    MAXIMUM = 2


cdef inline double aggregated(double one, double other, int aggregate) noexcept:
    cdef double total
    if aggregate == MINIMUM:
        return other if other < one else one
    if aggregate == MAXIMUM:
        return other if other > one else one
    total = one + other
    # Two infinities of different signs.
    return total if total == total else 0


cdef inline double weighted(double score, double weight) noexcept:
    cdef double product = score * weight
    # An infinity times nothing.
    return product if product == product else 0


# --- sources --------------------------------------------------------------------------------------


cdef struct Relay:
    take_scored_t take
    void *context


cdef int relay_item(void *context, Item *item) except -1:
    cdef Relay *relay = <Relay *>context
    cdef Scored scored
    item_write_out(item)
    scored.text = item.needle.text
    scored.size = item.needle.size
    scored.score = 1
    return relay.take(relay.context, &scored)


cdef int each_of(object source, take_scored_t take, void *context) except -1:
    """Hand every member of a source to `take`."""
    cdef Relay relay
    if isinstance(source, SortedSet):
        return (<SortedSet>source).each(0, (<SortedSet>source).length(), False, take, context)
    if source is not None:
        relay.take = take
        relay.context = context
        return (<Set>source).each(relay_item, &relay, True)
    return 0


cdef bint score_in(object source, Scored *item, double *score) except -1:
    """Whether a source has a member, and its score there."""
    cdef Item member
    if isinstance(source, SortedSet):
        return (<SortedSet>source).find_score(item.text, item.size, score)
    if source is None:
        return False
    item_set_text(&member, item.text, item.size)
    score[0] = 1
    return (<Set>source).has_item(&member)


def size_of(source):
    return len(source) if source is not None else 0


def size_of_first(pair):
    return size_of(pair[0])


cdef list ascending(list sources, list weights):
    """Sources with their weights, the smallest first."""
    return sorted(zip(sources, weights, strict=True), key=size_of_first)


# --- walks ----------------------------------------------------------------------------------------


cdef class Mixture:
    """What a walk over one source needs to know, and what it finds."""

    cdef list others            # sources, and beside them their weights
    cdef list weights
    cdef double weight          # of the source that is walked
    cdef int aggregate
    cdef list found
    cdef dict scores
    cdef int64_t count
    cdef int64_t most

    def __cinit__(self, list others=None, list weights=None, int aggregate=SUM):
        self.others = others
        self.weights = weights
        self.aggregate = aggregate
        self.weight = 1
        self.most = -1
        self.found = []
        self.scores = {}


cdef inline bytes member_of(Scored *item):
    return PyBytes_FromStringAndSize(item.text, item.size)


cdef int add_up(void *context, Scored *item) except -1:
    cdef Mixture mixture = <Mixture>context
    cdef double score = weighted(item.score, mixture.weight)
    cdef bytes member = member_of(item)
    known = mixture.scores.get(member)
    if known is not None:
        score = aggregated(known, score, mixture.aggregate)
    mixture.scores[member] = score
    return 0


cdef int keep_common(void *context, Scored *item) except -1:
    cdef Mixture mixture = <Mixture>context
    cdef double score = weighted(item.score, mixture.weight), other = 0
    cdef Py_ssize_t i
    for i in range(len(mixture.others)):
        if not score_in(mixture.others[i], item, &other):
            return 0
        score = aggregated(score, other * <double>mixture.weights[i], mixture.aggregate)
    mixture.found.append((score, member_of(item)))
    return 0


cdef int count_common(void *context, Scored *item) except -1:
    cdef Mixture mixture = <Mixture>context
    cdef double score = 0
    for other in mixture.others:
        if not score_in(other, item, &score):
            return 0
    mixture.count += 1
    return mixture.count == mixture.most


cdef int keep_alone(void *context, Scored *item) except -1:
    cdef Mixture mixture = <Mixture>context
    cdef double score = 0
    for other in mixture.others:
        if score_in(other, item, &score):
            return 0
    mixture.found.append((item.score, member_of(item)))
    return 0


# --- operations -----------------------------------------------------------------------------------


cpdef list union(list sources, list weights, int aggregate):
    """The members that any source has. aggregate: 0 adds scores, 1 takes the least, 2 the greatest.
    """
    cdef Mixture mixture = Mixture(aggregate=aggregate)
    for source, weight in ascending(sources, weights):
        mixture.weight = weight
        each_of(source, add_up, <void *>mixture)
    return sorted([(score, member) for member, score in mixture.scores.items()])


cpdef list intersection(list sources, list weights, int aggregate):
    """The members that all sources have; there is at least one source."""
    cdef list ordered = ascending(sources, weights)
    cdef Mixture mixture = Mixture(
        [source for source, _ in ordered[1:]], [weight for _, weight in ordered[1:]], aggregate
    )
    mixture.weight = ordered[0][1]
    each_of(ordered[0][0], keep_common, <void *>mixture)
    mixture.found.sort()
    return mixture.found


cpdef int64_t intersection_size(list sources, int64_t limit) except -1:
    """How many members all sources have; no more than `limit` are counted, all if it is 0."""
    cdef list ordered = sorted(sources, key=size_of)
    cdef Mixture mixture = Mixture(ordered[1:])
    mixture.most = limit if limit else -1
    each_of(ordered[0], count_common, <void *>mixture)
    return mixture.count


cpdef list difference(list sources):
    """The members of the first source that no other has."""
    cdef Mixture mixture = Mixture(sources[1:])
    each_of(sources[0], keep_alone, <void *>mixture)
    mixture.found.sort()
    return mixture.found


def sorted_set_of(list pairs, Limits limits):
    """A sorted set, as it is stored, of scores and members in order, of which there are some."""
    cdef SortedSet made = SortedSet.__new__(SortedSet)
    cdef OrderedIndex index = OrderedIndex(limits.hash_seed, limits.slabs)
    cdef bytes member
    cdef double score
    index.table.resize(len(pairs))
    made.take_index(index)
    for score, member in pairs:
        index.put_score(PyBytes_AS_STRING(member), PyBytes_GET_SIZE(member), score)
    made.compact(limits)
    return made
