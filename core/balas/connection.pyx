"""A connection by TLS: hands what arrives to the engine, and watches that a slow reader harms
nobody.

It knows asyncio's protocol interface and nothing of how sockets are opened (that is
`balas.network`); the event loop reads, deciphers and writes. Plain sockets are `balas.sockets`.
"""

from balas.engine.client cimport Client
from balas.engine.dispatch cimport Engine


cdef class Connection:
    """An asyncio protocol for one client. `client` is None until the network has let it in."""

    cdef Engine engine
    cdef object network
    cdef readonly object transport
    cdef public Client client

    def __init__(self, Engine engine, object network):
        self.engine = engine
        self.network = network

    def connection_made(self, transport):
        """The socket is open: the network decides whether it is welcome."""
        self.transport = transport
        self.network.opened(self)

    def data_received(self, data):
        """Bytes from the client."""
        if self.client is not None:
            self.engine.receive(self.client, data)

    def eof_received(self):
        """The client sends no more: close as soon as what was written is sent."""
        return False

    def connection_lost(self, error):
        """The socket is gone."""
        self.network.lost(self)

    def pause_writing(self):
        """The client does not read what we write: run nothing further for it."""
        if self.client is not None:
            self.engine.congested(self.client)

    def resume_writing(self):
        """The client has read: go on."""
        if self.client is not None:
            self.engine.relieved(self.client)
