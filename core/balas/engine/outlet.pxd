from balas.protocol.writer cimport ReplyWriter

cdef class Outlet:
    cdef int send_from(self, ReplyWriter writer) except -1
