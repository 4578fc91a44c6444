from libc.stdint cimport int64_t, uint64_t

from balas.structures.members cimport EntryTable, Part
from balas.structures.ranked cimport Ranked, RankedTree

# What setting a score did.
cdef enum Outcome:
    SAME = 0
    UPDATED = 1
    ADDED = 2


cdef class OrderedIndex(EntryTable):
    cdef RankedTree tree

    cdef Ranked *find_member(self, const char *key, size_t size) noexcept
    cdef Outcome put_score(self, const char *key, size_t size, double score) except *
    cdef bint drop_member(self, const char *key, size_t size) noexcept
    cdef uint64_t rank_of(self, const Ranked *entry) noexcept
    cdef uint64_t count_scores(self, double score, bint inclusive) noexcept
    cdef uint64_t count_members(self, const char *key, size_t size, bint inclusive) noexcept
    cdef list slice_part(self, int64_t start, int64_t stop, bint reverse, Part part)
    cdef void take_out(self, Ranked *entry) noexcept
