"""A transport that takes replies from where they were written, without an object in between."""

from balas.protocol.writer cimport ReplyWriter


cdef class Outlet:
    """What such a transport derives from."""

    cdef int send_from(self, ReplyWriter writer) except -1:
        """Send all that was written, and leave the writer empty."""
        raise NotImplementedError
