from libc.stdint cimport int64_t

from balas.engine.clock cimport Clock
from balas.engine.stats cimport Stats
from balas.keyspace.database cimport Database

cdef class Changes:
    cdef readonly Clock clock
    cdef readonly Stats stats
    cdef public int64_t dirty           # changes since the last save
    cdef int64_t frame_dirty            # changes made by the command that runs
    cdef bint observed                  # somebody is told of every change
    cdef readonly bint recording        # there are sinks
    cdef readonly bint loading          # no key's time comes, and nothing is recorded
    # expired keys may be deleted here (not on a replica, not while loading)
    cdef public bint expires_keys
    cdef public bint lazy_expire
    cdef public bint tells_misses       # listeners want to know which keys were looked for in vain
    cdef public bint tells_stores       # listeners want to know which keys are new or overwritten
    cdef readonly tuple listeners
    cdef readonly tuple sinks
    cdef readonly tuple database_listeners
    cdef list pending                   # changes of this command: (db index, key, event)
    cdef list records                   # of this unit: (db index, argv)
    # what the command wants recorded instead of itself; None: itself
    cdef list overrides
    cdef public dict watched            # (db index, key) to a dict of clients and what the key was
    # (db index, key) to a dict of blocked clients, first come first
    cdef public dict waiting
    cdef public dict ready              # keys of `waiting` that changed in this unit

    cdef int report(self, Database db, bytes key, str event) except -1
    cdef int report_slow(self, Database db, bytes key, str event) except -1
    cdef int state_of(self, Database db, bytes key) except -1
    cdef int break_watches(self, Database db, tuple place) except -1
    cdef int replace_watched(self, Database db, tuple place, dict clients) except -1
    cdef int finish_command(self, int db_index, object argv) except -1
    cdef int tell_listeners(self) except -1
    cdef int finish_unit(self) except -1
    cdef int delete_record(self, Database db, bytes key, bint lazy) except -1
    cdef int report_uncounted(self, Database db, bytes key, str event) except -1
    cdef int expire(self, Database db, bytes key) except -1
    cpdef observe(self)
