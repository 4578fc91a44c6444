"""A client: who sends requests and gets replies. It has a transport, which may be a socket, a test
or nothing.

The transport is anything with `write(bytes)`, `writelines(list of bytes)`, `close()`, `abort()` and
`get_write_buffer_size()`; asyncio's fit, and an `Outlet` is quicker. What happens when requests run
is in `engine.dispatch`.
"""

from enum import IntFlag

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from libc.stdint cimport int64_t

from balas.keyspace.database cimport Database
from balas.protocol.parser cimport BATCH_MAX, ParserSettings, Request, RequestParser
from balas.protocol.writer cimport ReplyWriter

from balas.engine import attention
from balas.engine.outlet cimport Outlet

cdef enum:
    # About what the objects of a client without buffers cost, those of its connection included.
    STATE_SIZE = 2500

cdef int64_t UNAUTHENTICATED = attention.UNAUTHENTICATED
cdef int64_t SUBSCRIBED = attention.SUBSCRIBED


class Suspended(IntFlag):
    """Why a client's further requests have to wait."""

    BLOCKED = 1      # it waits for a key
    AWAITING = 2     # its command is an `async def` that has not ended
    PAUSED = 4       # CLIENT PAUSE
    CONGESTED = 8    # it does not read its replies
    RESTING = 16     # it has been served for long, and others have not


cdef class Client:
    """State of one client. Commands reach it as `ctx.client`.

    `user` is the name it authenticated as, `name` what CLIENT SETNAME said, `kind` tells replicas
    and the server's own sources from ordinary clients.
    """

    def __init__(
        self, int64_t id, object transport, Database db, ParserSettings settings, int64_t now_ms,
        str kind="normal",
    ):
        self.id = id
        self.transport = transport
        self.parser = RequestParser(settings)
        self.writer = ReplyWriter()
        self.writer.shares = True
        self.db = db
        self.user = "default"
        self.name = b""
        self.library_name = b""
        self.library_version = b""
        self.address = ""
        self.local_address = ""
        self.descriptor = -1
        self.kind = kind
        self.created_ms = self.active_ms = now_ms
        self.pending = []
        self.backlog = []
        self.watching = {}
        self.channels = {}
        self.patterns = {}
        self.shard_channels = {}
        self.data = {}

    def __repr__(self):
        return f"<Client {self.id} {self.address}>"

    @property
    def resp(self):
        """The protocol: 2 or 3."""
        return self.writer.resp

    @resp.setter
    def resp(self, int version):
        self.writer.resp = version
        self.note_subscriptions()

    @property
    def authenticated(self):
        """Whether the client may run commands; until then its requests have to be small, too."""
        return not self.attention & UNAUTHENTICATED

    @authenticated.setter
    def authenticated(self, bint yes):
        self.parser.authenticated = yes
        self.set_attention(UNAUTHENTICATED, not yes)

    @property
    def subscriptions(self):
        """Channels, patterns and shard channels together."""
        return len(self.channels) + len(self.patterns) + len(self.shard_channels)

    def note_subscriptions(self) -> None:
        """To be called when subscriptions came or went: in RESP2 they decide what is allowed."""
        self.set_attention(SUBSCRIBED, self.writer.resp == 2 and self.subscriptions > 0)

    @property
    def output_pending(self):
        """Bytes of replies that the client has not taken yet."""
        if self.transport is None:
            return self.writer.size
        return self.writer.size + self.transport.get_write_buffer_size()

    @property
    def memory(self):
        """Bytes the client costs: its state, its input and its output."""
        return (
            sizeof(Request) * BATCH_MAX + STATE_SIZE + self.parser.memory + self.backlog_size
            + self.queue_bytes + self.writer.capacity + self.writer.parts_size
            + self.output_pending - self.writer.size
        )

    cdef bint hold(self) noexcept:
        return self.suspended != 0 or self.closing or self.closed

    def suspend(self, reason: int) -> None:
        """Let further requests wait until `engine.resume` is called for the same reason."""
        self.suspended |= reason

    def set_attention(self, bits: int, on: bool) -> None:
        """Set or clear bits of `engine.attention` for this client."""
        if on:
            self.attention |= bits
        else:
            self.attention &= ~bits

    cdef int put(self, bytes data) except -1:
        """Write a message that is encoded already, outside the sequence of replies."""
        self.writer.put(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return 0

    cpdef int flush(self) except -1:
        """Give the transport everything that was written."""
        if self.writer.size == 0:
            return 0
        if self.closed or self.transport is None:
            self.writer.truncate(0)
            return 0
        self.output_bytes += self.writer.size
        if isinstance(self.transport, Outlet):
            return (<Outlet> self.transport).send_from(self.writer)
        if self.writer.parts_size:
            self.transport.writelines(self.writer.take_parts())
        else:
            self.transport.write(self.writer.take())
        return 0

    def shrink(self) -> None:
        """Give up buffers that are not in use; they come back with the next request."""
        self.writer.release()
        self.parser.release()
