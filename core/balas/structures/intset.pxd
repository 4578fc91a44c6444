from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    INTSET_HEADER = 8            # width in four bytes, count in four

# A set is a pointer to its first byte; what changes it may move it and returns the new place.
cdef unsigned char *intset_new() except NULL
cdef unsigned char *intset_copy(const unsigned char *members) except NULL
cdef unsigned char *intset_load(const unsigned char *data, size_t n) except NULL
cdef void intset_free(unsigned char *members) noexcept
cdef size_t intset_memory(const unsigned char *members) noexcept nogil
cdef bint intset_valid(const unsigned char *data, size_t n) noexcept nogil
cdef bint intset_find(
    const unsigned char *members, int64_t member, size_t *place
) noexcept nogil
cdef unsigned char *intset_add(
    unsigned char *members, int64_t member, bint *added
) except NULL
cdef unsigned char *intset_remove(
    unsigned char *members, int64_t member, bint *removed
) except NULL
cdef unsigned char *intset_remove_at(unsigned char *members, size_t place) except NULL


cdef class IntSet:
    cdef unsigned char *members


cdef inline size_t intset_width(const unsigned char *members) noexcept nogil:
    """Bytes of a member: 2, 4 or 8."""
    cdef uint32_t width
    memcpy(&width, members, 4)
    return width


cdef inline size_t intset_length(const unsigned char *members) noexcept nogil:
    cdef uint32_t count
    memcpy(&count, members + 4, 4)
    return count


cdef inline size_t intset_size(const unsigned char *members) noexcept nogil:
    """Bytes of the set, header included."""
    return INTSET_HEADER + intset_length(members) * intset_width(members)


cdef inline int64_t read_member(const unsigned char *at, size_t width) noexcept nogil:
    cdef short narrow
    cdef int middle
    cdef int64_t wide
    if width == 2:
        memcpy(&narrow, at, 2)
        return narrow
    if width == 4:
        memcpy(&middle, at, 4)
        return middle
    memcpy(&wide, at, 8)
    return wide


cdef inline int64_t intset_get(const unsigned char *members, size_t place) noexcept nogil:
    """The member at a place, which must be below the length; members ascend."""
    cdef size_t width = intset_width(members)
    return read_member(members + INTSET_HEADER + place * width, width)


cdef inline int64_t intset_random(const unsigned char *members, uint64_t chance) noexcept nogil:
    """The member that a random number picks; the set must not be empty."""
    return intset_get(members, <size_t>(chance % intset_length(members)))
