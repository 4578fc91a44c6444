from libc.stdint cimport int64_t, uint64_t

from balas.types.limits cimport Limits
from balas.types.stream_blocks cimport Block, Entry
from balas.types.stream_ids cimport Account, IdCursor, IdMap, stream_id
from balas.types.value cimport Value

# What is done about groups to which an entry that is removed is still pending.
cdef enum:
    KEEP_REFERENCES    # they keep it
    DELETE_REFERENCES  # they lose it
    ONLY_ACKNOWLEDGED  # the entry stays

# A place among the entries; it is lost as soon as any of them changes.
cdef struct Walk:
    IdCursor cursor
    Block block
    Entry entry


cdef class Entries(Value):
    cdef Account account
    cdef IdMap blocks
    cdef readonly dict groups
    cdef readonly uint64_t length
    cdef public stream_id last_id
    cdef public stream_id first_id         # 0 if there is none
    cdef public stream_id max_deleted_id
    cdef public uint64_t entries_added

    cdef int set_pack(self, const IdCursor *cursor, unsigned char *pack, int64_t before) except -1
    cdef int add_block(self, stream_id id, unsigned char *pack) except -1
    cdef void drop_block(self, stream_id id, unsigned char *pack) noexcept
    cdef int open_at(self, Walk *walk) except -1
    cdef bint seek_entry(self, stream_id id, Walk *walk) except -1
    cdef bint seek_entry_back(self, stream_id id, Walk *walk) except -1
    cdef bint next_entry(self, Walk *walk) except -1
    cdef bint previous_entry(self, Walk *walk) except -1
    cdef bint find_entry(self, stream_id id, Walk *walk) except -1
    cdef int append(self, stream_id id, tuple words, Py_ssize_t start, Limits limits) except -1
    cdef int count_added(self, stream_id id) except -1
    cdef stream_id successor(self, int64_t now_ms) noexcept
    cpdef bytes add_next(self, int64_t now_ms, tuple words, Py_ssize_t start, Limits limits)
    cpdef bint add(self, object id, tuple words, Py_ssize_t start, Limits limits) except -1
    cpdef list range(self, object start, object end, int64_t count, bint backwards)
    cpdef bint exists(self, object id) except -1
    cpdef bint remove(self, object id) except -1
    cdef int find_first(self) except -1
    cdef bint is_referenced(self, stream_id id) except -1
    cdef int forget_references(self, stream_id id) except -1
    cdef bint lets_go(self, stream_id id, int references) except -1
    cpdef uint64_t trim(
        self, bint by_id, object threshold, bint approximate, uint64_t limit, int references
    ) except? -1
    cdef bint is_trimmed(
        self, const Block *block, bint by_id, stream_id least, uint64_t length_max
    ) noexcept
    cdef uint64_t trim_block(
        self, Walk *walk, bint by_id, stream_id least, uint64_t length_max, int references
    ) except? -1
