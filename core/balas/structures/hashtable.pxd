from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

# One cache line. Byte 0 tells which slots are in use (bits 0-6) and whether slot 6 is a link to a
# further bucket (bit 7); bytes 1-7 are the top eight bits of the hash of the entry in each slot.
cdef struct Bucket:
    uint8_t meta
    uint8_t tags[7]
    void *slots[7]

ctypedef int (*visit_t)(void *context, void *entry) except -1

cdef class HashTable:
    cdef Bucket *main              # the table, or while rehashing the old one
    cdef Bucket *next              # the new table while rehashing, else NULL
    cdef uint64_t main_mask
    cdef uint64_t next_mask
    cdef int64_t rehash_index      # buckets of `main` below this are empty; -1: not rehashing
    cdef uint64_t rehash_released  # bytes of `main` already given back
    cdef readonly uint64_t used
    cdef uint64_t children         # overflow buckets
    cdef readonly uint64_t seed
    cdef uint64_t chance_ahead     # what the next draw by `random` goes by; 0: none yet
    cdef uint32_t key_offset
    cdef public bint may_resize    # False while a snapshot child shares our pages

    cdef uint64_t hash_of(self, const char *key, size_t size) noexcept nogil
    cdef void **find(self, const char *key, size_t size, uint64_t hashed) noexcept
    cdef void advance(self) noexcept
    cdef int insert(self, void *entry, uint64_t hashed) except -1
    cdef void *remove(self, const char *key, size_t size, uint64_t hashed) noexcept
    cdef void replace(self, void *old, void *new, uint64_t hashed) noexcept
    cdef uint64_t scan(self, uint64_t cursor, visit_t visit, void *context) except? 0
    cdef int visit_all(self, visit_t visit, void *context) except -1
    cdef void *random(self, uint64_t chance) noexcept
    cdef size_t sample(self, void **out, size_t count, uint64_t chance) noexcept
    cdef void prefetch_bucket(self, uint64_t hashed) noexcept nogil
    cdef void *prefetch_entry(self, uint64_t hashed) noexcept nogil
    cdef bint rehash_step(self, uint64_t buckets) noexcept
    cdef int resize(self, uint64_t entries) except -1
    cdef uint64_t drain(self, uint64_t position, visit_t visit, void *context) except? 0
    cdef void clear(self) noexcept
    cdef uint64_t memory(self) noexcept nogil
    cdef uint64_t buckets(self) noexcept nogil
    cdef bint rehashing(self) noexcept nogil

    cdef void free_tables(self) noexcept
    cdef void free_links(self, Bucket *bucket) noexcept
    cdef bint same(self, const void *entry, const char *key, size_t size) noexcept nogil
    cdef uint64_t hash_entry(self, const void *entry) noexcept nogil
    cdef void **find_in(
        self, Bucket *bucket, const char *key, size_t size, uint64_t hashed
    ) noexcept
    cdef int put(self, Bucket *bucket, void *entry, uint64_t hashed) except -1
    cdef void *take(self, Bucket *head, const char *key, size_t size, uint64_t hashed) noexcept
    cdef void unlink_tail(self, Bucket *parent, Bucket *tail) noexcept
    cdef void shrink_if_sparse(self) noexcept
    cdef void prefetch_slots(self, Bucket *bucket) noexcept
    cdef void prefetch_entries(self, Bucket *bucket) noexcept
    cdef void move_chain(self, Bucket *head) noexcept
    cdef void release_moved(self) noexcept
    cdef void finish_rehash(self) noexcept
    cdef int visit_chain(self, Bucket *bucket, visit_t visit, void *context) except -1
    cdef Bucket *random_bucket(self, uint64_t *state) noexcept
    cdef Bucket *next_in_use(self, Bucket *bucket) noexcept
