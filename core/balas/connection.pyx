"""One socket's end: hands what arrives to the engine, and watches that a slow reader harms nobody.

Compiled, because it is on the way of every request; it knows asyncio's protocol interface and
nothing of how sockets are opened (that is `balas.network`).

Whoever sends long values is read in another way: into the value itself, where the event loop's way
takes two copies of it. That costs a few system calls each time the way is changed, so it is kept
until the client has sent none for a while. Not for TLS, which has to copy anyway.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_FromStringAndSize

from balas.engine.client cimport Client
from balas.engine.dispatch cimport Engine

cdef enum:
    # What stands between two long values is read by so much, and then copied.
    SCRATCH_BYTES = 16 * 1024
    # So many reads in a row without a long value end the way for them.
    PATIENCE = 16


cdef class Connection:
    """An asyncio protocol for one client. `client` is None until the network has let it in."""

    cdef Engine engine
    cdef object network
    cdef readonly object transport
    cdef public Client client
    cdef LongInput long_input      # made when the first long value comes; None for TLS, too
    cdef bint copies               # long values are copied like others

    def __init__(self, Engine engine, object network):
        self.engine = engine
        self.network = network

    def connection_made(self, transport):
        """The socket is open: the network decides whether it is welcome."""
        self.transport = transport
        self.copies = transport.get_extra_info("sslcontext") is not None
        self.network.opened(self)

    def data_received(self, data):
        """Bytes from the client."""
        if self.client is not None:
            self.engine.receive(self.client, data)
            if self.client.parser.awaits_long() and not self.copies:
                self.read_long()

    cdef int read_long(self) except -1:
        """Have what comes next read to its place."""
        if self.long_input is None:
            self.long_input = LongInput(self)
        self.long_input.short_reads = 0
        self.transport.set_protocol(self.long_input)
        return 0

    def eof_received(self):
        """The client sends no more: close as soon as what was written is sent."""
        return False

    def connection_lost(self, error):
        """The socket is gone."""
        self.long_input = None
        self.network.lost(self)

    def pause_writing(self):
        """The client does not read what we write: run nothing further for it."""
        if self.client is not None:
            self.engine.congested(self.client)

    def resume_writing(self):
        """The client has read: go on."""
        if self.client is not None:
            self.engine.relieved(self.client)


cdef class LongInput:
    """The same connection while long values come: an asyncio protocol that says where to read to,
    and is itself the buffer that it names.
    """

    cdef Connection connection
    cdef int short_reads
    cdef bint to_its_place
    cdef Py_ssize_t asked          # bytes that the read under way may give
    cdef char scratch[SCRATCH_BYTES]

    def __init__(self, Connection connection not None):
        self.connection = connection

    def get_buffer(self, size_hint):
        """What the next read goes to."""
        return self

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        cdef Client client = self.connection.client
        cdef char *place = self.scratch
        cdef Py_ssize_t size = SCRATCH_BYTES
        self.to_its_place = client is not None and self.connection.engine.awaits_long(client)
        if self.to_its_place:
            place = client.parser.place(&size)
        self.asked = size
        PyBuffer_FillInfo(buffer, self, place, size, False, flags)

    def buffer_updated(self, Py_ssize_t size):
        """So many bytes were read."""
        cdef Connection connection = self.connection
        cdef Client client = connection.client
        if client is None:
            return
        if self.to_its_place:
            self.short_reads = 0
            connection.engine.receive_placed(client, size, size == self.asked)
            return
        connection.engine.receive(client, PyBytes_FromStringAndSize(self.scratch, size))
        if client.parser.awaits_long():
            return
        self.short_reads += 1
        if self.short_reads == PATIENCE and not client.closed:
            connection.transport.set_protocol(connection)

    def eof_received(self):
        """As for any connection."""
        return self.connection.eof_received()

    def connection_lost(self, error):
        """As for any connection."""
        self.connection.connection_lost(error)

    def pause_writing(self):
        """As for any connection."""
        self.connection.pause_writing()

    def resume_writing(self):
        """As for any connection."""
        self.connection.resume_writing()
