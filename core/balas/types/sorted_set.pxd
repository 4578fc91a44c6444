from libc.stdint cimport int64_t, uint8_t, uint64_t, uintptr_t

from balas.structures.ordered cimport OrderedIndex, Outcome
from balas.types.limits cimport Limits
from balas.types.scored cimport Scored, take_scored_t
from balas.types.value cimport Value

# What a range gives: members, members and scores in one list, or a pair of both for each.
cdef enum Shape:
    MEMBERS = 0
    FLAT = 1
    PAIRS = 2

cdef class SortedSet(Value):
    cdef uintptr_t body

    cdef bint is_pack(self) noexcept
    cdef unsigned char *pack(self) noexcept
    cdef OrderedIndex index(self)
    cdef void take_pack(self, unsigned char *pack) noexcept
    cdef void take_index(self, OrderedIndex index) noexcept
    cdef void let_go(self) noexcept
    cdef int to_index(self, uint64_t expected, Limits limits) except -1
    cdef int to_pack(self) except -1

    cdef bint find_score(self, const char *text, size_t size, double *score) except -1
    cdef Outcome put_score(
        self, const char *text, size_t size, double score, Limits limits
    ) except *
    cdef int insert_in_pack(
        self, unsigned char *entry, const char *text, size_t size, double score
    ) except -1
    cdef int each(
        self, int64_t start, int64_t stop, bint reverse, take_scored_t take, void *context
    ) except -1

    cpdef int64_t length(self) noexcept
    cpdef object score(self, bytes member)
    cpdef int64_t rank(self, bytes member) except -2
    cpdef int put(self, bytes member, double score, int options, Limits limits) except -1
    cpdef object increase(self, bytes member, double by, int options, Limits limits)
    cpdef int spread(self, Limits limits) except -1
    cpdef int prepare(self, int64_t count, int64_t size, Limits limits) except -1
    cpdef bint discard(self, bytes member) except -1
    cpdef int64_t count_scores(self, double score, bint inclusive) except -1
    cpdef int64_t count_members(self, bytes member, bint inclusive) except -1
    cpdef list range(self, int64_t start, int64_t stop, bint reverse, int shape)
    cpdef int64_t remove_range(self, int64_t start, int64_t stop) except -1
    cpdef list pop(self, int64_t count, bint last, int shape)
    cpdef int compact(self, Limits limits) except -1
    cpdef tuple scan(self, uint64_t cursor, size_t count)
    cpdef bytes random(self, uint64_t chance)
    cpdef list sample(self, int64_t count, uint64_t chance, int shape)
    cpdef list randoms(self, int64_t count, uint64_t chance, int shape)
