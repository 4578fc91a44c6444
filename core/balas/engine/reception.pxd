from libc.stdint cimport int64_t

from balas.engine.changes cimport Changes
from balas.engine.client cimport Client
from balas.engine.clock cimport Clock
from balas.engine.delivery cimport Delivery
from balas.protocol.parser cimport ParserSettings

cdef class Reception(Delivery):
    cdef readonly Clock clock
    cdef readonly Changes changes
    cdef readonly list databases
    cdef readonly ParserSettings parser_settings
    cdef readonly object blocking
    cdef readonly object pause
    cdef readonly dict clients
    cdef public int64_t next_client_id
    cdef readonly list on_connect           # called with each new client that comes from outside
    cdef readonly list on_reset             # called with each client that is reset
    cdef readonly list on_disconnect        # called with each client that goes

    cdef int rest(self, Client client) except -1
