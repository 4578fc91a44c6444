from libc.stdint cimport int64_t

from balas.engine.changes cimport Changes
from balas.engine.client cimport Client
from balas.keyspace.database cimport Database
from balas.keyspace.entries cimport Entry
from balas.types.fields cimport Fields
from balas.types.limits cimport Limits
from balas.types.list cimport List

cdef class Context:
    cdef readonly object engine
    cdef readonly Client client
    cdef readonly Database db
    cdef readonly Changes changes
    cdef readonly Limits limits           # of the compact encodings
    cdef readonly bint may_block          # False inside EXEC and scripts
    cdef public bint no_touch
    cdef bint direct                      # what is written to the client now is its reply

    cdef int begin(self, Client client) except -1
    cdef Entry *lookup(self, bytes key, bint touch, bint tell=*) except? NULL
    cdef Entry *live(self, bytes key) except? NULL
    cdef Entry *writable(self, bytes key) except? NULL
    cdef Entry *string_entry(self, Entry *entry) except? NULL
    cdef object of_kind(self, Entry *entry, type kind)
    cpdef object read_string(self, bytes key)
    cpdef object write_string(self, bytes key)
    cpdef object read_integer(self, bytes key)
    cpdef object read_buffer(self, bytes key)
    cpdef object write_buffer(self, bytes key)
    cpdef object read(self, bytes key, type kind)
    cpdef object write(self, bytes key, type kind)
    cpdef object read_any(self, bytes key)
    cpdef bint exists(self, bytes key) except -1
    cpdef bint there(self, bytes key) except -1
    cpdef int store(
        self, bytes key, object value, int64_t expire_at=*, bint keep_ttl=*, bint raw=*,
        bint text=*
    ) except -1
    cpdef int update(self, bytes key, object value) except -1
    cpdef int update_text(self, bytes key, bytes value) except -1
    cdef int tell_store(self, bytes key, object value, bint keep_ttl) except -1
    cpdef int tell_overwritten(self, bytes key, bint same_type) except -1
    cdef int plant(self, bytes key, const Entry *source, object value) except -1
    cpdef bint delete(self, bytes key, bint lazy=*) except -1
    cpdef bint discard(self, bytes key) except -1
    cpdef int changed(self, bytes key, str event) except -1
    cpdef int resized(self, bytes key) except -1
    cpdef int changed_by(self, bytes key, str event, int64_t changes) except -1
    cdef int measure(self, Database db, bytes key) except -1
    cpdef int64_t expire_at(self, bytes key) except? -9
    cpdef bint set_expire(self, bytes key, int64_t at_ms) except -1
    cpdef object elements(self, List value, int64_t start, int64_t count)
    cdef Fields peek_fields(self, bytes key)
    cdef int64_t fields_time(self) except? -1
