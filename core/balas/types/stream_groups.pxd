from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from balas.types.stream_ids cimport Account, IdMap, stream_id

# An entry that was delivered and not acknowledged. It stands in the map of its group and, the same
# pointer, in that of its consumer.
cdef struct Pending:
    int64_t delivered_ms
    uint64_t deliveries
    PyObject *consumer      # borrowed: a consumer goes after its pending entries


cdef class Consumer:
    cdef readonly bytes name
    cdef public int64_t seen_ms
    cdef public int64_t active_ms      # -1: it never read or claimed anything
    cdef IdMap pending


cdef class Group:
    cdef readonly bytes name
    cdef readonly dict consumers
    cdef public stream_id last_id
    cdef public int64_t entries_read   # -1: not known
    cdef IdMap pending
    cdef Account account

    cdef Pending *add_pending(
        self, stream_id id, Consumer consumer, int64_t now_ms, uint64_t deliveries
    ) except NULL
    cdef Pending *find(self, stream_id id) noexcept
    cdef int hand_over(self, stream_id id, Pending *pending, Consumer consumer) except -1
    cdef bint forget(self, stream_id id) noexcept
    cdef Group copied(self, Account account)
