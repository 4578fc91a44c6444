from libc.stdint cimport int64_t

from balas.types.stream_ids cimport stream_id

cdef enum:
    DELETED = 1        # flags of an entry: it is only marked as removed,
    SAME_FIELDS = 2    # its fields are those of the block

# A block as it is read: a pack, the id of its first entry, and where its parts begin.
cdef struct Block:
    unsigned char *pack
    stream_id master
    int64_t count              # entries that are there
    int64_t deleted            # entries that are only marked
    int64_t field_count        # of the fields that entries share
    unsigned char *fields      # their names
    unsigned char *entries     # the first entry

# An entry as it is read.
cdef struct Entry:
    unsigned char *at
    stream_id id
    int64_t flags
    int64_t field_count
    unsigned char *body        # values if the fields are the block's, else fields and values

cdef void block_open(unsigned char *pack, stream_id master, Block *block) noexcept nogil
cdef bint block_valid(unsigned char *pack, stream_id master) noexcept nogil
cdef bint entry_open(const Block *block, unsigned char *at, Entry *entry) noexcept nogil
cdef bint entry_next(const Block *block, Entry *entry) noexcept nogil
cdef bint entry_last(const Block *block, Entry *entry) noexcept nogil
cdef bint entry_previous(const Block *block, Entry *entry) noexcept nogil
cdef bint entry_find(const Block *block, stream_id id, Entry *entry) noexcept nogil
cdef stream_id block_last_id(const Block *block) noexcept nogil

cdef unsigned char *block_new(stream_id id, tuple words, Py_ssize_t start) except NULL
cdef unsigned char *block_append(
    unsigned char *pack, stream_id master, stream_id id, tuple words, Py_ssize_t start
) except NULL
cdef unsigned char *entry_delete(unsigned char *pack, unsigned char *at) except NULL
cdef unsigned char *block_count_deleted(unsigned char *pack, int64_t deleted) except NULL
cdef list field_names(const Block *block)
cdef list entry_items(const Entry *entry, list names)
