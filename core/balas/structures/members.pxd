from libc.stdint cimport int64_t, uint32_t, uint64_t

from balas.structures.hashtable cimport HashTable
from balas.structures.slabs cimport Slabs

# Every entry ends with its key, or with what belongs to it behind the key; the hash table reads the
# length from directly before the key.
cdef struct Member:
    uint32_t length
    char key[0]

cdef struct Field:
    uint32_t value_length  # the top bit: the field has an expiry time
    uint32_t length
    char key[0]            # then the value, then the place among the deadlines if there is one

cdef struct Deadline:
    int64_t at_ms
    Field *field

# What a walk gives of each entry.
cdef enum Part:
    KEYS = 1
    VALUES = 2
    BOTH = 3


cdef class EntryTable:
    cdef HashTable table
    cdef Slabs slabs
    cdef readonly int64_t entry_bytes     # what all entries take from the allocator
    cdef uint64_t drain_position

    cdef size_t entry_size(self, const void *entry) noexcept nogil
    cdef int gather(self, list items, const void *entry, Part part) except -1
    cdef bint may_hide(self) noexcept
    cdef bint hidden(self, const void *entry) noexcept
    cdef int64_t used_memory(self) noexcept
    cdef void *lookup(self, const char *key, size_t size) noexcept
    cdef void *allocate(self, size_t size) except NULL
    cdef void release(self, void *entry) noexcept
    cdef list walk(self, Part part)
    cdef tuple scan_part(self, uint64_t cursor, size_t count, Part part)
    cdef void *random_entry(self, uint64_t chance) except? NULL
    cdef size_t sample_entries(self, void **out, size_t count, uint64_t chance) except? 0
    cdef size_t sample_few(self, void **out, size_t count, uint64_t chance) except? 0
    cdef size_t sample_many(self, void **out, size_t count, uint64_t chance) except? 0
    cdef list sample_part(self, size_t count, uint64_t chance, Part part)
    cdef list random_parts(self, size_t count, uint64_t chance, Part part)
    cdef int fill_copy(self, EntryTable other) except -1


cdef class MemberTable(EntryTable):
    cdef bint add_key(self, const char *key, size_t size) except -1
    cdef bint discard_key(self, const char *key, size_t size) noexcept


cdef class FieldTable(EntryTable):
    cdef Deadline *deadlines              # a binary heap: the earliest comes first
    cdef readonly size_t expiring         # fields that have an expiry time
    cdef size_t deadline_room
    cdef public int64_t now_ms

    cdef Field *find_field(self, const char *key, size_t size) noexcept
    cdef bint put_field(
        self, const char *key, size_t size, const char *value, size_t value_size, bint keep_expiry
    ) except -1
    cdef bint drop_field(self, const char *key, size_t size) noexcept
    cdef Field *reshape(
        self, Field *field, uint64_t hashed, size_t value_size, bint expires
    ) except NULL
    cdef int64_t expiry_of(self, const Field *field) noexcept
    cdef int set_expiry(self, Field *field, uint64_t hashed, int64_t at_ms) except -1
    cdef int add_deadline(self, Field *field, int64_t at_ms) except -1
    cdef void drop_deadline(self, size_t place) noexcept
    cdef void settle(self, size_t place, Deadline deadline) noexcept


cdef inline size_t value_size_of(const Field *field) noexcept nogil:
    return field.value_length & 0x7FFFFFFF


cdef inline const char *value_of(const Field *field) noexcept nogil:
    return <const char *>field.key + field.length


cdef inline bint expires(const Field *field) noexcept nogil:
    return field.value_length >> 31
