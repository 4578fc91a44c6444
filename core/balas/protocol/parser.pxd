from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    # Requests that are parsed, prefetched and executed together.
    BATCH_MAX = 64
    NAME_SLOTS = 512
    # An argument from this length on is written where it will stay, as soon as it begins to come.
    LONG_ARGUMENT = 32 * 1024

# One request: where its arguments start in `RequestParser.args`, how many, and what dispatch adds
# on the way.
cdef struct Request:
    Py_ssize_t first
    Py_ssize_t count
    Py_ssize_t bytes        # its size on the wire
    bint inline             # a line of words, not an array
    PyObject *spec          # borrowed; filled by dispatch
    PyObject *key           # its first, borrowed, or NULL; filled by dispatch
    uint64_t hashed         # of `key`

cdef class ParserSettings:
    cdef public int64_t max_bulk
    cdef PyObject *names[NAME_SLOTS]

    cdef PyObject *name(self, const char *text, Py_ssize_t size) except NULL

cdef class RequestParser:
    cdef ParserSettings settings
    cdef public bint authenticated
    cdef readonly str error
    cdef PyObject **args
    cdef Py_ssize_t arg_count
    cdef Py_ssize_t arg_capacity
    cdef Request requests[BATCH_MAX]
    cdef int count
    cdef const char *source          # where unread bytes are: `buffer`, or what was lent to us
    cdef Py_ssize_t position
    cdef Py_ssize_t end
    cdef bytes chunk                 # keeps alive what `source` points to, if need be
    cdef char *buffer
    cdef Py_ssize_t capacity
    cdef int64_t args_left           # of the request under way; 0: none
    cdef int64_t bulk_length         # of the argument under way; -1: its length is still to be read
    cdef PyObject *long_argument     # one under way, of which `long_size` bytes are there; or NULL
    cdef Py_ssize_t long_size
    cdef Py_ssize_t long_room        # bytes that can be written there
    cdef Py_ssize_t request_first    # where the arguments of the request under way start
    cdef Py_ssize_t request_start
    cdef bint lent                   # `source` is not ours

    cdef Py_ssize_t unread(self) noexcept
    cpdef void release(self)
    cpdef int feed(self, bytes data) except -1
    cdef int next_batch(self) except -1
    cdef void drop_batch(self) noexcept
    cdef bint parse_request(self) except -1
    cdef bint parse_inline(self) except -1
    cdef int make_room(self, Py_ssize_t wanted) except -1
    cdef bint continue_long(self) except -1
    cdef bint awaits_long(self) noexcept
    cdef char *place(self, Py_ssize_t *size) except NULL
    cdef bint placed(self, Py_ssize_t size) except -1
    cdef int grow_buffer(self, Py_ssize_t wanted) except -1
    cdef int push_words(self, const char *text, Py_ssize_t size) except -1
    cdef bint parse_header(self) except -1
    cdef bint parse_short_argument(self) except -1
    cdef bint parse_argument(self) except -1
    cdef bint parse_number(self, int64_t *number, str too_long) except -1
    cdef bint fail(self, str reason) except -1
    cdef int push(self, PyObject *argument) except -1
    cdef void finish_request(self, bint inline) noexcept
    cdef int keep_rest(self) except -1
    cdef int feed_lent(self, const char *data, Py_ssize_t size) except -1
