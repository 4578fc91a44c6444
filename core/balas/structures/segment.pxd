from libc.stdint cimport uint32_t

from balas.structures.listpack cimport Encoded

# A listpack with spare room before and behind it: `pack` stands `front` bytes into a block of
# `capacity` bytes.
cdef struct Segment:
    unsigned char *pack
    uint32_t front
    uint32_t capacity

cdef int segment_new(Segment *segment, size_t size) except -1
cdef void fill_segment(
    Segment *segment, const unsigned char *elements, size_t size, size_t count
) noexcept nogil
cdef void segment_free(Segment *segment) noexcept
cdef size_t segment_memory(const Segment *segment) noexcept nogil
cdef unsigned char *segment_splice(
    Segment *segment, size_t at, size_t old, size_t new, size_t ceiling
) except NULL
cdef int segment_put(
    Segment *segment, size_t at, size_t old, const Encoded *encoded, size_t ceiling
) except -1
cdef bint segment_settle(Segment *segment) noexcept
cdef void segment_adopt(Segment *segment, unsigned char *pack) noexcept nogil
cdef int segment_fit(Segment *segment) except -1
cdef int segment_check(const Segment *segment) except -1
