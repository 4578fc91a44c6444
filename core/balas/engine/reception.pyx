"""Who comes and goes: the clients of one server, from the first byte to the last.

The engine (`engine.dispatch`) is a `Reception` that also runs commands. Services add themselves to
`on_connect`, `on_reset` and `on_disconnect` to keep what they know of a client in step.
"""

from libc.stdint cimport int64_t

from balas.engine import attention
from balas.engine.client import Suspended
from balas.engine.client cimport Client

cdef int CONGESTED = Suspended.CONGESTED
cdef int RESTING = Suspended.RESTING
cdef int64_t BIT_MUTED = attention.MUTED
cdef int64_t BIT_MULTI = attention.MULTI


cdef class Reception(Delivery):
    """The clients. `clients` has them by number, in the order they came."""

    def __cinit__(self, *args, **kwargs):
        self.clients = {}
        self.next_client_id = 1
        self.on_connect = []
        self.on_disconnect = []
        self.on_reset = []

    def connect(self, transport: object, kind: str = "normal") -> Client:
        """A new client on this transport, in database 0."""
        client = Client(
            self.next_client_id, transport, self.databases[0], self.parser_settings,
            self.clock.refresh(), kind,
        )
        self.next_client_id += 1
        self.clients[client.id] = client
        if kind == "normal":
            self.stats.connections += 1
            for action in self.on_connect:
                action(client)
        return client

    def disconnect(self, Client client) -> None:
        """The transport is gone, or about to go: forget the client."""
        if client.closed:
            return
        client.closed = True
        self.clients.pop(client.id, None)
        self.held.pop(client.id, None)
        self.pause.waiting.pop(client.id, None)
        self.blocking.forget(client)
        self.discard(client)
        client.pending = []
        client.backlog = []
        client.backlog_size = 0
        for action in self.on_disconnect:
            action(client)

    def leave(self, Client client) -> None:
        """The transport is gone. What the client sent is still run unless it waits for something;
        nobody wants the replies.
        """
        client.transport = None
        if client.closed:
            return
        if client.closing or not client.suspended or client.suspended & ~(CONGESTED | RESTING):
            self.disconnect(client)
            return
        client.leaving = True
        if client.suspended & CONGESTED:
            self.resume(client, CONGESTED)

    def close(self, Client client, at_once: bool = False) -> None:
        """End a connection, after what was written has been sent or (at_once) without."""
        if client.closed or client.transport is None:
            return
        if at_once:
            transport = client.transport
            self.disconnect(client)
            transport.abort()
        else:
            client.closing = True
            if not client.processing:
                self.send(client)

    cdef int rest(self, Client client) except -1:
        """The client has kept the server busy for long enough: go on with it in the next turn.

        What a primary sends is read in pieces that are run at once, so that it is always known how
        much of its stream the data hold.
        """
        if client.hold() or client.kind == "primary":
            return 0
        client.suspended |= RESTING
        if client.transport is not None:
            client.transport.pause_reading()
        self.call_soon(lambda: self.rested(client))
        return 0

    def rested(self, Client client) -> None:
        """Others have had their turn."""
        if client.transport is not None and not client.closed:
            client.transport.resume_reading()
        self.resume(client, RESTING)

    def reset(self, Client client) -> None:
        """Make a client as it was when it came (RESET)."""
        self.discard(client)
        client.db = self.databases[0]
        client.resp = 2
        client.name = b""
        client.no_evict = client.no_touch = client.muted_once = False
        client.attention &= ~BIT_MUTED
        for action in self.on_reset:
            action(client)

    def discard(self, Client client) -> None:
        """End the client's transaction: forget the queue and the watched keys."""
        client.queue = None
        client.queue_broken = False
        client.queue_bytes = client.queue_flags = client.queue_lacks = 0
        client.attention &= ~BIT_MULTI
        self.unwatch(client)

    def unwatch(self, Client client) -> None:
        """Forget the keys that the client watches, and that one was changed."""
        self.changes.unwatch(client)
        client.watch_broken = False
