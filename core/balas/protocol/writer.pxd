from libc.stdint cimport int64_t

cdef class ReplyWriter:
    cdef char *buffer
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t capacity
    cdef public int resp
    cdef public bint shares        # long strings may be handed over as the objects they are
    cdef list parts                # what stands before the content of the buffer
    cdef readonly Py_ssize_t parts_size

    cdef char *room(self, Py_ssize_t wanted) except NULL
    cdef int put(self, const char *data, Py_ssize_t size) except -1
    cdef int put_number(self, char kind, int64_t number) except -1
    cdef int put_bulk(self, const char *data, Py_ssize_t size) except -1
    cdef int put_bytes(self, bytes value) except -1
    cdef int share(self, bytes value) except -1
    cdef int end_part(self) except -1
    cpdef int reply(self, object value) except -1
    cdef int reply_other(self, object value) except -1
    cdef int error(self, str text) except -1
    cdef int reply_line(self, bytes line) except -1
    cdef int number(self, bytes text) except -1
    cdef int big_number(self, object value) except -1
    cdef int verbatim(self, object value) except -1
    cdef int pairs(self, object items, Py_ssize_t count) except -1
    cdef int members(self, char kind, object items) except -1
    cpdef int array(self, Py_ssize_t count) except -1
    cpdef bytes take(self)
    cpdef list take_parts(self)
    cpdef void release(self)
    cpdef void truncate(self, Py_ssize_t size)
    cdef void emptied(self)
