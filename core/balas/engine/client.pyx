"""A client: who sends requests and gets replies. It has a transport, which may be a socket, a test or nothing.

The transport is anything with `write(bytes)`, `close()`, `abort()`, `pause_reading()`, `resume_reading()` and
`get_write_buffer_size()`; asyncio's fit. What happens when requests run is in `engine.dispatch`.
"""

from enum import IntFlag

from libc.stdint cimport int64_t

from balas.keyspace.database cimport Database
from balas.protocol.parser cimport ParserSettings, RequestParser
from balas.protocol.writer cimport ReplyWriter


class Suspended(IntFlag):
    """Why a client's further requests have to wait."""

    BLOCKED = 1      # it waits for a key
    AWAITING = 2     # its command is an `async def` that has not ended
    PAUSED = 4       # CLIENT PAUSE
    CONGESTED = 8    # it does not read its replies


cdef class Client:
    """State of one client. Commands reach it as `ctx.client`.

    `user` is the name it authenticated as, `name` what CLIENT SETNAME said, `kind` tells replicas and the server's own
    sources from ordinary clients.
    """

    def __init__(self, int64_t id, object transport, Database db, ParserSettings settings, int64_t now_ms,
                 str kind="normal"):
        self.id = id
        self.transport = transport
        self.parser = RequestParser(settings)
        self.writer = ReplyWriter()
        self.db = db
        self.authenticated = True
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
        self.channels = set()
        self.patterns = set()
        self.shard_channels = set()
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

    @property
    def subscriptions(self):
        """Channels, patterns and shard channels together."""
        return len(self.channels) + len(self.patterns) + len(self.shard_channels)

    @property
    def output_pending(self):
        """Bytes of replies that the client has not taken yet."""
        if self.transport is None:
            return self.writer.size
        return self.writer.size + self.transport.get_write_buffer_size()

    @property
    def memory(self):
        """Bytes the client costs: its state, its input and its output."""
        return 4096 + self.parser.memory + self.parser.buffered + self.backlog_size + self.output_pending

    cdef bint hold(self) noexcept:
        return self.suspended != 0 or self.closing or self.closed

    def suspend(self, reason: int) -> None:
        """No further request of this client runs until `engine.resume` is called for the same reason."""
        self.suspended |= reason

    def set_attention(self, bits: int, on: bool) -> None:
        """Set or clear bits of `engine.attention` for this client."""
        if on:
            self.attention |= bits
        else:
            self.attention &= ~bits

    def send(self, value: object) -> None:
        """Write a value outside the sequence of replies (a push); the caller flushes."""
        self.writer.reply(value)

    cpdef int flush(self) except -1:
        """Give the transport everything that was written."""
        cdef bytes data
        if self.writer.size == 0:
            return 0
        if self.closed or self.transport is None:
            self.writer.truncate(0)
            return 0
        data = self.writer.take()
        self.output_bytes += len(data)
        self.transport.write(data)
        return 0
