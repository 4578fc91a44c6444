from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    NO_NAME = 0xFFFFFFFF

cdef struct Name:
    uint32_t hashed
    uint32_t references
    uint32_t length
    uint32_t next          # in the chain of its bucket, or of the free places
    uint64_t mark          # of the object that was looked through last
    bint plain             # nothing in it needs an escape
    char text[0]

cdef Name *name_at(uint32_t number) noexcept nogil
cdef uint32_t hash_of(const char *text, uint32_t length) noexcept nogil
cdef uint32_t find_name(const char *text, uint32_t length, uint32_t hashed) noexcept nogil
cdef uint32_t take_name(const char *text, uint32_t length) except? NO_NAME
cdef void share_name(uint32_t number) noexcept nogil
cdef void leave_name(uint32_t number) noexcept nogil
cdef uint64_t new_mark() noexcept nogil
