"""Keys whose values have parts that expire by themselves, such as fields of hashes, by the earliest
of these times.

A heap of (Unix ms, key), and beside it what holds for each key: what the heap says of a key that
has another time by now, or none, is stale and dropped when it comes up, or when there is more of it
than of what holds.
"""

from heapq import heapify, heappop, heappush

from libc.stdint cimport int64_t

cdef enum:
    # So much may be stale in any case.
    STALE_MIN = 64


cdef class Deadlines:
    """Of one database."""

    def __cinit__(self):
        self.by_key = {}
        self.heap = []

    def __len__(self):
        return len(self.by_key)

    def __contains__(self, bytes key):
        return key in self.by_key

    cpdef int note(self, bytes key, int64_t at_ms) except -1:
        """A part of the key's value expires at this time, and none before."""
        if self.by_key.get(key) == at_ms:
            return 0
        self.by_key[key] = at_ms
        heappush(self.heap, (at_ms, key))
        if len(self.heap) > 2 * len(self.by_key) + STALE_MIN:
            self.heap = [(at_ms, key) for key, at_ms in self.by_key.items()]
            heapify(self.heap)
        return 0

    cpdef int forget(self, bytes key) except -1:
        """The key is gone, or its value has no such part any more."""
        self.by_key.pop(key, None)
        if not self.by_key:
            self.heap.clear()
        return 0

    cpdef bytes due(self, int64_t now_ms):
        """The key with the earliest time if that was before `now_ms`, else None."""
        cdef tuple first
        while self.heap:
            first = self.heap[0]
            if self.by_key.get(first[1]) == first[0]:
                return first[1] if first[0] < now_ms else None
            heappop(self.heap)
        return None
