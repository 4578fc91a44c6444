from libc.stdint cimport int64_t, uint32_t

# An id of a stream as one number: milliseconds in the upper half, sequence in the lower. Compiled,
# it is the C compiler's own 128-bit integer.
cdef extern from *:
    """
    typedef unsigned __int128 balas_stream_id;
    """
    ctypedef unsigned long long stream_id "balas_stream_id"

# A run of ids in order: `room` ids, then as many values.
cdef struct IdChunk:
    uint32_t count
    uint32_t room
    stream_id ids[0]

# A place in a map; it is lost as soon as the map changes.
cdef struct IdCursor:
    size_t chunk
    uint32_t place


cdef class Account:
    cdef int64_t memory        # bytes of all that is charged to it


cdef class IdMap:
    cdef IdChunk **chunks
    cdef stream_id *firsts     # the first id of each chunk
    cdef size_t chunk_count
    cdef size_t chunk_room
    cdef size_t used           # how many ids there are
    cdef Account account

    cdef int make_room(self) except -1
    cdef IdChunk *new_chunk(self, size_t at, uint32_t room) except NULL
    cdef void drop_chunk(self, size_t at) noexcept
    cdef int resize_chunk(self, size_t at, uint32_t room) except -1
    cdef int split(self, IdCursor *cursor) except -1
    cdef void join(self, size_t at) noexcept
    cdef void *get(self, stream_id id) noexcept
    cdef bint put(self, stream_id id, void *value) except -1
    cdef void replace(self, const IdCursor *cursor, void *value) noexcept
    cdef void *take(self, stream_id id) noexcept
    cdef bint seek(self, stream_id id, IdCursor *cursor) noexcept
    cdef bint seek_at_most(self, stream_id id, IdCursor *cursor) noexcept
    cdef bint seek_last(self, IdCursor *cursor) noexcept
    cdef bint next(self, IdCursor *cursor) noexcept
    cdef bint previous(self, IdCursor *cursor) noexcept
    cdef stream_id id_at(self, const IdCursor *cursor) noexcept
    cdef void *value_at(self, const IdCursor *cursor) noexcept
    cdef void forget_all(self) noexcept


cdef stream_id make_id(unsigned long long ms, unsigned long long seq) noexcept nogil
cdef unsigned long long id_ms(stream_id id) noexcept nogil
cdef unsigned long long id_seq(stream_id id) noexcept nogil
cdef size_t unsigned_to_text(unsigned long long number, char *text) noexcept nogil
cdef bytes id_text(stream_id id)
cdef void id_to_bytes(stream_id id, unsigned char *out) noexcept nogil
cdef stream_id id_from_bytes(const unsigned char *data) noexcept nogil
cdef bint text_to_unsigned(const char *text, unsigned long long *number) noexcept nogil
