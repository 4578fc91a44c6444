# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""An open-loop load: requests leave at moments chosen beforehand, however slow the server is.

A latency is counted from the moment a request was due, not from when it was sent: so a pause of the
server is charged to every request that would have come meanwhile (no coordinated omission). The
loop never sleeps and makes no Python object per request; `lag_us` says how late it was itself.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.math cimport log
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

import array

from cpython cimport array as c_array

cdef extern from "<sys/socket.h>" nogil:
    ssize_t send(int fd, const void *data, size_t size, int flags)
    ssize_t recv(int fd, void *data, size_t size, int flags)
    int MSG_DONTWAIT
    int MSG_NOSIGNAL

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event *event)
    int epoll_wait(int epoll, epoll_event *events, int count, int timeout_ms)
    int EPOLL_CTL_ADD
    unsigned int EPOLLIN

cdef extern from "<unistd.h>" nogil:
    int close(int fd)

cdef enum:
    WAITING_MAX = 4096
    EVENTS_MAX = 256

cdef struct Peer:
    # Requests under way, in a ring: when each was due, and the length of its reply.
    int64_t due_ns[WAITING_MAX]
    int length[WAITING_MAX]
    unsigned int first
    unsigned int last
    int got


cdef inline int64_t now_ns() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <int64_t>time.tv_sec * 1000000000 + time.tv_nsec


cdef inline uint64_t draw(uint64_t *state) noexcept nogil:
    """The next number of a xorshift generator."""
    state[0] ^= state[0] << 13
    state[0] ^= state[0] >> 7
    state[0] ^= state[0] << 17
    return state[0]


cdef class Load:
    """The requests to draw from, all with the lengths of their replies, and the connections.

    Args:
        fds: connected sockets.
        requests: each with the bytes of its reply, of which only the length counts.
    """

    cdef list requests
    cdef list fds

    def __init__(self, fds, requests):
        self.fds = list(fds)
        self.requests = [(data, len(reply)) for data, reply in requests]

    def run(self, double per_second, double duration_s, uint64_t seed):
        """Send for so long; returns latencies and lags, both arrays of microseconds.

        ConnectionError if the server hangs up; RuntimeError if it falls hopelessly behind.
        """
        cdef int count = len(self.fds), choices = len(self.requests)
        memory = [bytearray(sizeof(Peer)) for _ in range(count)]
        cdef c_array.array latencies = array.array("d")
        cdef c_array.array lags = array.array("d")
        cdef int64_t begin_ns = now_ns(), end_ns = begin_ns + <int64_t>(duration_s * 1e9)
        cdef int64_t time_ns, due_ns = begin_ns
        cdef double mean_ns = 1e9 / per_second, chance
        cdef uint64_t state = seed * 2654435769 + 88172645463325252
        cdef int epoll = epoll_create1(0), at = 0, under_way = 0, found, place
        cdef epoll_event events[EVENTS_MAX]
        cdef epoll_event event
        cdef char taken[65536]
        cdef ssize_t size
        cdef Peer *peer
        cdef char *view
        cdef bytes data
        try:
            for place in range(count):
                event.events = EPOLLIN
                event.data.fd = place
                epoll_ctl(epoll, EPOLL_CTL_ADD, self.fds[place], &event)
            while True:
                time_ns = now_ns()
                if time_ns > end_ns and not under_way:
                    break
                if time_ns > end_ns + 30 * <int64_t>1000000000:
                    raise RuntimeError("replies are still missing after half a minute")
                while due_ns <= time_ns and due_ns < end_ns:
                    data, length = self.requests[draw(&state) % choices]
                    view = memory[at]
                    peer = <Peer *>view
                    if peer.last - peer.first >= WAITING_MAX:
                        raise RuntimeError("the server cannot keep up with this rate")
                    peer.due_ns[peer.last % WAITING_MAX] = due_ns
                    peer.length[peer.last % WAITING_MAX] = length
                    peer.last += 1
                    under_way += 1
                    size = send(self.fds[at], <char *>data, len(data), MSG_DONTWAIT | MSG_NOSIGNAL)
                    if size != len(data):
                        raise ConnectionError("a request could not be sent at once")
                    lags.append((now_ns() - due_ns) / 1e3)
                    at = (at + 1) % count
                    # Gaps as a crowd of independent clients leaves them.
                    chance = ((draw(&state) >> 11) + 1) / 9007199254740993.0
                    due_ns += <int64_t>(-log(chance) * mean_ns) + 1
                found = epoll_wait(epoll, events, EVENTS_MAX, 0)
                if found <= 0:
                    continue
                for place in range(found):
                    size = recv(self.fds[events[place].data.fd], taken, 65536, MSG_DONTWAIT)
                    if size < 0 and (errno == EAGAIN or errno == EINTR):
                        continue
                    if size <= 0:
                        raise ConnectionError("the server hung up")
                    time_ns = now_ns()
                    view = memory[events[place].data.fd]
                    peer = <Peer *>view
                    peer.got += <int>size
                    while (
                        peer.first != peer.last
                        and peer.got >= peer.length[peer.first % WAITING_MAX]
                    ):
                        peer.got -= peer.length[peer.first % WAITING_MAX]
                        latencies.append((time_ns - peer.due_ns[peer.first % WAITING_MAX]) / 1e3)
                        peer.first += 1
                        under_way -= 1
        finally:
            close(epoll)
        return latencies, lags
