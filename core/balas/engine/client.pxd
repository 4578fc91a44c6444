from libc.stdint cimport int64_t

from balas.keyspace.database cimport Database
from balas.protocol.parser cimport RequestParser
from balas.protocol.writer cimport ReplyWriter
from balas.registry.spec cimport CommandSpec

cdef class Client:
    cdef readonly int64_t id
    cdef public object transport
    cdef readonly RequestParser parser
    cdef readonly ReplyWriter writer
    cdef public Database db
    cdef public int64_t attention
    cdef public object user
    cdef public bytes name
    cdef public bytes library_name
    cdef public bytes library_version
    cdef public str address
    cdef public str local_address
    cdef public int descriptor
    cdef public str kind                # normal, replica, primary, or internal: inside the server
    cdef public int64_t created_ms
    cdef public int64_t active_ms
    cdef public CommandSpec last_command
    cdef public list queue              # of MULTI: (spec, argv); None outside
    cdef public int64_t queue_bytes     # what its arguments hold
    cdef public int64_t queue_flags     # flags that one of the queued commands has
    cdef public int64_t queue_lacks     # flags that one of the queued commands has not
    cdef public bint queue_broken       # a command was refused while queueing: EXEC aborts
    cdef public dict watching           # (db index, key) to the database
    cdef public bint watch_broken
    cdef public object blocked          # blocking.Blocked while the client waits for keys
    cdef public int suspended           # reasons why no request of it may run now; see Suspended
    cdef bint processing
    cdef public bint closing            # close when everything is sent
    cdef public bint closed
    cdef bint leaving                   # the transport is gone, but input that came is still run
    cdef public bint no_evict
    cdef public bint no_touch
    cdef public bint muted_once
    cdef public list pending            # requests that were parsed before the client was suspended
    cdef public list backlog            # input that arrived while it was
    cdef public int64_t backlog_size
    cdef public int64_t input_bytes
    cdef public int64_t output_bytes
    cdef public int64_t commands
    cdef public int64_t soft_limit_since_ms
    cdef bint unsent                    # stands in the engine's list of clients to send to
    cdef bint sent_later                # stands in that of those to send to when the turn is over
    cdef public dict channels           # the keys are what the client is subscribed to, in order
    cdef public dict patterns
    cdef public dict shard_channels
    cdef public dict data               # what services keep about the client, by service class

    cdef bint hold(self) noexcept
    cdef int put(self, bytes data) except -1
    cpdef int flush(self) except -1
