"""What leaves for clients: the replies of a batch in one piece, messages in their right place, and
never more than a client reads or is allowed to leave unread.

The engine (`engine.dispatch`) is a `Delivery` that also runs commands. Messages are pushed while
commands of others run, so they are collected and handed over when the outermost batch is over; a
client that pushes to itself gets the message after its reply.
"""

from cpython.bytes cimport PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX

from balas.engine.client import Suspended
from balas.engine.client cimport Client

cdef enum:
    # Messages that pile up for a client are handed over at this size, and a message of its own is
    # from this size on given to the transport without being copied.
    PUSHES_FLUSH_AT = 64 * 1024
    PUSH_DIRECTLY = 4 * 1024

cdef int CONGESTED = Suspended.CONGESTED


cdef class Delivery:
    """The way out. Who derives from it provides `close` and `resume`."""

    def __cinit__(self, *args, **kwargs):
        self.held = {}
        self.deferred = []
        self.unsent = []
        self.later = []
        self.output_limit_least = INT64_MAX

    cpdef int send(self, Client client) except -1:
        """Hand what was written to the transport, or keep it until the log is safe on disk
        (`hold_replies`).
        """
        cdef Py_ssize_t size = client.writer.size
        if self.hold_replies is not None and self.hold_replies():
            self.held[client.id] = client
            return 0
        if size:
            if size > self.output_limit_least or client.suspended & CONGESTED:
                if self.cut_off(client):
                    return 0
            self.stats.writes += 1
            self.stats.output_bytes += size
            client.flush()
        if client.closing and not client.closed and client.transport is not None:
            client.transport.close()
        return 0

    cdef int send_later(self, Client client) except -1:
        """Send what was written at the end of this turn of the event loop, if not before."""
        if not client.sent_later:
            client.sent_later = True
            if not self.later:
                self.call_soon(self.send_put_off)
            self.later.append(client)
        return 0

    def send_put_off(self) -> None:
        """The turn is over."""
        cdef Client client
        later, self.later = self.later, []
        for client in later:
            client.sent_later = False
            if not client.closed and not client.processing:
                self.send(client)

    cdef bint cut_off(self, Client client) except -1:
        """Whether the client was disconnected because it leaves too much of its output unread."""
        if self.over_output_limit is None or client.transport is None or client.closed:
            return False
        if not self.over_output_limit(client, client.output_pending):
            return False
        self.stats.output_limit_disconnections += 1
        self.close(client, True)
        return True

    def check_output(self, client: Client) -> None:
        """Disconnect a client if it leaves too much of its output unread."""
        self.cut_off(client)

    cpdef int push(self, Client client, bytes data) except -1:
        """Send a message that is no reply (see `protocol.writer.encode`).

        A client that has brought it about itself gets it after its reply.
        """
        if client.closing or client.closed:
            return 0
        if self.depth and self.context.client is client:
            self.deferred.append((client, data))
            return 0
        if client.processing:
            return client.put(data)
        if PyBytes_GET_SIZE(data) >= PUSH_DIRECTLY and self.hold_replies is None:
            return self.push_directly(client, data)
        client.put(data)
        if client.writer.size >= PUSHES_FLUSH_AT or not (self.active or self.depth):
            self.send(client)
        elif not client.unsent:
            client.unsent = True
            self.unsent.append(client)
        return 0

    cdef int push_directly(self, Client client, bytes data) except -1:
        """Hand a long message over as it is: all who get it share the one copy."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        self.send(client)
        if client.closed or client.transport is None:
            return 0
        client.transport.write(data)
        client.output_bytes += size
        self.stats.output_bytes += size
        if size > self.output_limit_least or client.suspended & CONGESTED:
            self.cut_off(client)
        return 0

    cdef int push_deferred(self) except -1:
        cdef list deferred = self.deferred
        self.deferred = []
        for client, data in deferred:
            self.push(client, data)
        return 0

    cdef int send_unsent(self) except -1:
        """Send what was pushed to others than the client that is being served."""
        cdef list unsent = self.unsent
        cdef Client client
        self.unsent = []
        for client in unsent:
            client.unsent = False
            if not client.closed:
                self.send(client)
        return 0

    def release_held(self) -> None:
        """The log is safe: send the replies that waited for it."""
        held, self.held = self.held, {}
        for client in held.values():
            if not client.closed:
                self.send(client)

    def congested(self, Client client) -> None:
        """The transport holds much that the client does not read: run nothing further for it."""
        client.suspended |= CONGESTED
        if self.output_limit_least != INT64_MAX:
            self.cut_off(client)

    def relieved(self, Client client) -> None:
        """The client has read: go on."""
        client.soft_limit_since_ms = 0
        if client.suspended & CONGESTED:
            self.resume(client, CONGESTED)
