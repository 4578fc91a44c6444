from libc.stdint cimport int64_t

from balas.engine.client cimport Client
from balas.engine.context cimport Context
from balas.engine.stats cimport Stats

cdef class Delivery:
    cdef readonly Stats stats
    cdef readonly Context context
    cdef public object hold_replies         # True while replies wait for a flush of the log
    cdef public dict held                   # clients whose replies wait for it, by id
    cdef public object over_output_limit    # called with a client and its unread bytes: too many?
    cdef public int64_t output_limit_least  # the lowest limit that over_output_limit knows
    cdef int depth                          # commands in commands
    cdef int active                         # clients whose requests are being run, nested
    cdef list deferred                      # pushes that wait for a reply: (client, bytes)
    cdef list unsent                        # clients with pushes that are not handed over yet
    cdef list later                         # clients whose replies are sent when the turn is over
    # Set by who drives the engine: runs a function when this turn of the event loop is over.
    cdef public object call_soon

    cpdef int send(self, Client client) except -1
    cdef bint cut_off(self, Client client) except -1
    cpdef int push(self, Client client, bytes data) except -1
    cdef int push_directly(self, Client client, bytes data) except -1
    cdef int push_deferred(self) except -1
    cdef int send_unsent(self) except -1
    cdef int send_later(self, Client client) except -1
