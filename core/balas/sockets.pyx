"""Plain sockets, served by turns: who has sent something is read, run and answered in one go.

The event loop knows one file descriptor for all of them, which is epoll's own. When it says that
something has come, `Sockets.turn` asks epoll from whom, reads from each and hands it to the engine,
and in the end sends what was replied. So the loop is entered once for a turn and not for each
request, and a request passes from the socket to its command and back in compiled code.

A `SocketConnection` is also the transport of its client, with the methods of asyncio's that the
engine and the network use. Sockets for TLS are the event loop's (`balas.connection`).
"""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport PyObject
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t

from balas.engine.client cimport Client
from balas.engine.dispatch cimport Engine
from balas.engine.outlet cimport Outlet
from balas.protocol.writer cimport ReplyWriter

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data:
        void *ptr

    struct epoll_event:
        uint32_t events
        epoll_data data

    enum:
        EPOLLERR
        EPOLLHUP
        EPOLLIN
        EPOLLOUT
        EPOLL_CLOEXEC
        EPOLL_CTL_ADD
        EPOLL_CTL_DEL
        EPOLL_CTL_MOD

    int epoll_create1(int flags)
    int epoll_ctl(int descriptor, int what, int of, epoll_event *event)
    int epoll_wait(int descriptor, epoll_event *events, int count, int timeout_ms)

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "sys/socket.h" nogil:
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen

    enum:
        MSG_NOSIGNAL

    ssize_t recv(int descriptor, void *place, size_t size, int flags)
    ssize_t send(int descriptor, const void *data, size_t size, int flags)
    ssize_t sendmsg(int descriptor, const msghdr *message, int flags)

cdef enum:
    # So many may have sent something in one turn; the others are in the next.
    READY_MAX = 1024
    READ_BYTES = 64 * 1024
    # So many reads are done in a row, if each gives all that was asked for.
    READS_MAX = 8
    # Who sends them is otherwise read in smaller pieces, because those are copied, until so many
    # reads have come without one.
    HEAD_BYTES = 16 * 1024
    PATIENCE = 16
    # The replies of so many leave together: sending wakes up those who wait, who are spared some of
    # it; but to come back to a connection after many others costs more.
    TOGETHER = 32
    # More than this does not wait for others.
    LEFT_MAX = 64 * 1024
    # So many pieces are sent by one system call.
    PIECES_MAX = 64
    # A client that did not read goes on when no more than this part of the limit is left unsent.
    RELIEF = 4


cdef int failed() except -1:
    """Raise what errno says."""
    raise OSError(errno, os.strerror(errno))


cdef class Sockets:
    """The plain connections of one server. `network` is told of those who come and go."""

    cdef Engine engine
    cdef object network
    cdef object loop
    cdef int descriptor
    cdef epoll_event ready[READY_MAX]
    cdef char scratch[READ_BYTES]
    cdef set open
    cdef list unsent               # connections with something to send at the end of this turn
    cdef list lost                 # those that went in this turn, and may still be named in `ready`
    cdef bint in_turn

    def __cinit__(self):
        self.descriptor = -1

    def __init__(self, Engine engine not None, object network, object loop):
        self.engine = engine
        self.network = network
        self.loop = loop
        self.open = set()
        self.unsent = []
        self.lost = []
        self.descriptor = epoll_create1(EPOLL_CLOEXEC)
        if self.descriptor < 0:
            failed()
        loop.add_reader(self.descriptor, self.turn)

    def welcome(self, peer: object, address: object) -> None:
        """Take a socket that was accepted. It must not block."""
        cdef SocketConnection connection = SocketConnection(self, peer, address)
        cdef epoll_event event
        event.events = EPOLLIN
        event.data.ptr = <void *> <PyObject *> connection
        if epoll_ctl(self.descriptor, EPOLL_CTL_ADD, connection.descriptor, &event):
            failed()
        self.open.add(connection)
        self.network.opened(connection)

    def turn(self) -> None:
        """Serve everyone who has sent something."""
        cdef SocketConnection connection = None
        cdef int count = epoll_wait(self.descriptor, self.ready, READY_MAX, 0)
        cdef int at = 0
        self.in_turn = True
        while at < count:
            try:
                while at < count:
                    connection = <SocketConnection> <PyObject *> self.ready[at].data.ptr
                    at += 1
                    connection.attend(self.ready[at - 1].events)
                    if len(self.unsent) >= TOGETHER:
                        self.send_unsent()
            except Exception as error:
                self.fault(connection, error)
        self.in_turn = False
        self.send_unsent()
        if self.lost:
            self.lost.clear()

    cdef int send_unsent(self) except -1:
        cdef list unsent = self.unsent
        cdef SocketConnection connection
        if not unsent:
            return 0
        self.unsent = []
        for connection in unsent:
            try:
                connection.queued = False
                connection.send_all()
            except Exception as error:
                self.fault(connection, error)
        return 0

    def fault(self, connection: SocketConnection, error: BaseException) -> None:
        """Something raised that nobody caught: tell, and hang up."""
        self.loop.call_exception_handler({
            "message": "a connection failed", "exception": error, "transport": connection,
        })
        connection.abort()

    def close(self) -> None:
        """Hang up on everyone who is left."""
        if self.descriptor < 0:
            return
        for connection in list(self.open):
            connection.end()
        self.loop.remove_reader(self.descriptor)
        os.close(self.descriptor)
        self.descriptor = -1


cdef class SocketConnection(Outlet):
    """One plain socket and its client. `client` is None until the network has let it in."""

    cdef Sockets sockets
    cdef Engine engine
    cdef object socket
    cdef object address
    cdef int descriptor            # -1 when it is closed
    cdef uint32_t watched          # the events that epoll looks for
    cdef public Client client
    cdef list pieces               # what is to be sent
    cdef Py_ssize_t sent_of_first
    cdef Py_ssize_t unsent_bytes
    cdef Py_ssize_t high_water
    cdef bint queued               # stands in `sockets.unsent`
    cdef bint full                 # the system takes no more at present
    cdef bint congested            # more than `high_water` is unsent, and the engine knows it
    cdef bint resting              # nothing is to be read
    cdef int patience              # reads until no long value is expected any more
    cdef bint closing

    def __init__(self, Sockets sockets not None, object socket, object address):
        self.sockets = sockets
        self.engine = sockets.engine
        self.socket = socket
        self.address = address
        self.descriptor = socket.fileno()
        self.watched = EPOLLIN
        self.pieces = []
        self.high_water = 1 << 16

    @property
    def transport(self):
        """Itself."""
        return self

    # --- what has happened ------------------------------------------------------------------------

    cdef int attend(self, uint32_t events) except -1:
        """See to what epoll tells."""
        if self.descriptor < 0:
            return 0
        if events & EPOLLOUT:
            self.full = False
            self.send()
            if self.congested and self.unsent_bytes <= self.high_water // RELIEF:
                self.congested = False
                if self.client is not None:
                    self.engine.relieved(self.client)
        if events & (EPOLLIN | EPOLLHUP | EPOLLERR) and self.descriptor >= 0:
            if not (self.closing or self.resting):
                self.read()
            elif self.closing and events & (EPOLLHUP | EPOLLERR):
                self.end()
            else:
                self.watch(self.watched & ~EPOLLIN)
        return 0

    cdef int watch(self, uint32_t events) except -1:
        """Have epoll look for these events."""
        cdef epoll_event event
        if events == self.watched or self.descriptor < 0:
            return 0
        event.events = events
        event.data.ptr = <void *> <PyObject *> self
        if epoll_ctl(self.sockets.descriptor, EPOLL_CTL_MOD, self.descriptor, &event):
            failed()
        self.watched = events
        return 0

    cdef int read(self) except -1:
        """Hand to the engine what has come; a long value goes to its place without a copy."""
        cdef Client client = self.client
        cdef char *place
        cdef Py_ssize_t asked, size
        cdef bint to_its_place
        cdef int reads = 0
        if client is None:
            return 0
        while True:
            to_its_place = (
                client.parser.awaits_long() and not client.processing and not client.hold()
            )
            if to_its_place:
                self.patience = PATIENCE
                place = client.parser.place(&asked)
            else:
                place = self.sockets.scratch
                asked = HEAD_BYTES if self.patience else READ_BYTES
                self.patience = max(self.patience - 1, 0)
            size = recv(self.descriptor, place, asked, 0)
            if size <= 0:
                if size == 0:
                    self.close()
                elif errno != EAGAIN and errno != EINTR:
                    self.end()
                return 0
            if to_its_place:
                self.engine.receive_placed(client, size, size == asked)
            else:
                self.engine.receive_lent(client, place, size)
            reads += 1
            if (
                size < asked or reads == READS_MAX or self.closing or self.resting
                or self.descriptor < 0
            ):
                return 0

    # --- what is sent -----------------------------------------------------------------------------

    cdef int send_from(self, ReplyWriter writer) except -1:
        """Send what was written, when the turn is over or others are answered, too: until then it
        stays where it is, and more may be added.
        """
        if writer.parts_size:
            self.writelines(writer.take_parts())
        elif not self.sockets.in_turn or self.engine.hold_replies is not None or self.pieces:
            self.write(writer.take())
        elif writer.size > LEFT_MAX:
            self.send_written(writer)
        elif not self.queued:
            self.queued = True
            self.sockets.unsent.append(self)
        return 0

    cdef int send_all(self) except -1:
        """Send what waits here and with the client."""
        if self.client is None or self.client.writer.size == 0 or self.client.closed:
            return self.send()
        return self.send_written(self.client.writer)

    cdef int send_written(self, ReplyWriter writer) except -1:
        """Send what was written, now."""
        cdef Py_ssize_t size
        cdef bytes data
        if self.pieces or self.full or self.descriptor < 0 or writer.parts_size:
            data = writer.take()
            self.pieces.append(data)
            self.unsent_bytes += PyBytes_GET_SIZE(data)
            return self.send_or_wait()
        size = send(self.descriptor, writer.buffer, writer.size, MSG_NOSIGNAL)
        if size == writer.size:
            writer.emptied()
            if self.closing:
                self.sockets.loop.call_soon(self.end)
            return 0
        # The rest, or all if there was an error, which will be there again.
        data = writer.take()
        self.pieces.append(data)
        self.sent_of_first = max(size, <Py_ssize_t> 0)
        self.unsent_bytes = PyBytes_GET_SIZE(data) - self.sent_of_first
        return self.send_or_wait()

    def write(self, bytes data not None) -> None:
        """Send this, at the latest when the turn is over."""
        self.pieces.append(data)
        self.unsent_bytes += PyBytes_GET_SIZE(data)
        self.written()

    def writelines(self, list pieces not None) -> None:
        """Send these bytes objects."""
        cdef bytes piece
        for piece in pieces:
            self.pieces.append(piece)
            self.unsent_bytes += PyBytes_GET_SIZE(piece)
        self.written()

    cdef int written(self) except -1:
        if self.descriptor < 0:
            return self.forget_unsent()
        if not self.full and self.unsent_bytes <= self.high_water and self.sockets.in_turn:
            if not self.queued:
                self.queued = True
                self.sockets.unsent.append(self)
            return 0
        return self.send_or_wait()

    cdef int send_or_wait(self) except -1:
        if not self.full:
            self.send()
        return self.check_high_water()

    cdef int check_high_water(self) except -1:
        if self.unsent_bytes > self.high_water and not self.congested and self.descriptor >= 0:
            self.congested = True
            if self.client is not None:
                self.engine.congested(self.client)
        return 0

    cdef int send(self) except -1:
        """Send as much as the system takes."""
        cdef Py_ssize_t size
        while self.unsent_bytes and self.descriptor >= 0:
            size = self.send_some()
            if size < 0:
                if errno == EINTR:
                    continue
                if errno != EAGAIN:
                    self.abort()
                    return 0
                self.full = True
                self.watch(self.watched | EPOLLOUT)
                return 0
            self.forget_sent(size)
        if self.watched & EPOLLOUT:
            self.watch(self.watched & ~EPOLLOUT)
        if self.closing:
            self.sockets.loop.call_soon(self.end)
        return 0

    cdef Py_ssize_t send_some(self) except? -2:
        """Give the first pieces to the system; the number of bytes it took, or -1."""
        cdef iovec pieces[PIECES_MAX]
        cdef Py_ssize_t count = min(len(self.pieces), <Py_ssize_t> PIECES_MAX), i
        cdef bytes piece = <bytes> self.pieces[0]
        cdef Py_ssize_t skipped = self.sent_of_first
        if count == 1:
            return send(
                self.descriptor, PyBytes_AS_STRING(piece) + skipped,
                PyBytes_GET_SIZE(piece) - skipped, MSG_NOSIGNAL,
            )
        for i in range(count):
            piece = <bytes> self.pieces[i]
            pieces[i].iov_base = PyBytes_AS_STRING(piece) + skipped
            pieces[i].iov_len = PyBytes_GET_SIZE(piece) - skipped
            skipped = 0
        return send_pieces(self.descriptor, pieces, count)

    cdef int forget_sent(self, Py_ssize_t size) except -1:
        """Drop what the system has taken."""
        cdef Py_ssize_t done = 0
        self.unsent_bytes -= size
        if not self.unsent_bytes:
            return self.forget_unsent()
        size += self.sent_of_first
        while size >= PyBytes_GET_SIZE(<bytes> self.pieces[done]):
            size -= PyBytes_GET_SIZE(<bytes> self.pieces[done])
            done += 1
        del self.pieces[:done]
        self.sent_of_first = size
        return 0

    cdef int forget_unsent(self) except -1:
        self.pieces.clear()
        self.sent_of_first = 0
        self.unsent_bytes = 0
        return 0

    def get_write_buffer_size(self) -> int:
        """Bytes that the system has not taken yet."""
        return self.unsent_bytes

    def set_write_buffer_limits(self, Py_ssize_t high) -> None:
        """From so many unsent bytes on the client is told to be congested."""
        self.high_water = high
        self.check_high_water()

    # --- beginnings and ends ----------------------------------------------------------------------

    def get_extra_info(self, name: str) -> object:
        """The "socket", its "sockname" or its "peername"; None for anything else."""
        if name == "socket":
            return self.socket
        if name == "peername":
            return self.address
        return self.socket.getsockname() if name == "sockname" else None

    def pause_reading(self) -> None:
        """Leave what comes from now on with the system."""
        self.resting = True

    def resume_reading(self) -> None:
        """Read again."""
        self.resting = False
        if not self.closing:
            self.watch(self.watched | EPOLLIN)

    def is_closing(self) -> bool:
        """Whether it was closed, or is going to be."""
        return self.closing or self.descriptor < 0

    def close(self) -> None:
        """Read nothing further, and hang up when everything is sent."""
        if self.closing or self.descriptor < 0:
            return
        self.closing = True
        if not (self.unsent_bytes or self.queued):
            self.sockets.loop.call_soon(self.end)

    def abort(self) -> None:
        """Hang up as soon as the engine is not in the midst of something."""
        self.closing = True
        self.forget_unsent()
        if self.descriptor >= 0:
            self.sockets.loop.call_soon(self.end)

    def end(self) -> None:
        """Close the socket, and tell the network."""
        if self.descriptor < 0:
            return
        epoll_ctl(self.sockets.descriptor, EPOLL_CTL_DEL, self.descriptor, NULL)
        self.descriptor = -1
        self.closing = True
        self.forget_unsent()
        self.sockets.open.discard(self)
        if self.sockets.in_turn:
            self.sockets.lost.append(self)
        self.socket.close()
        self.sockets.network.lost(self)


cdef Py_ssize_t send_pieces(int descriptor, iovec *pieces, Py_ssize_t count) noexcept nogil:
    cdef msghdr message
    message = msghdr(msg_iov=pieces, msg_iovlen=count)
    return sendmsg(descriptor, &message, MSG_NOSIGNAL)
