from libc.stdint cimport int64_t, uint64_t

from balas.types.items cimport ItemReader, ItemWriter
from balas.types.stream_entries cimport Entries
from balas.types.stream_groups cimport Consumer, Group
from balas.types.stream_ids cimport stream_id


cdef class Stream(Entries):
    cdef int advance(self, Group group, stream_id id) except -1
    cpdef int64_t entries_up_to(self, object id) except? -2
    cdef bint has_gap_after(self, stream_id id) noexcept
    cdef int give(self, Group group, Consumer consumer, stream_id id, int64_t now_ms) except -1
    cdef int save_group(self, ItemWriter writer, Group group) except -1
    cdef int load_blocks(self, ItemReader reader) except -1
    cdef int load_ids(self, ItemReader reader, int kind) except -1
    cdef int load_group(self, ItemReader reader, int kind) except -1
    cdef int load_pending(self, ItemReader reader, Group group) except -1
    cdef int load_consumer(self, ItemReader reader, int kind, Group group) except -1
