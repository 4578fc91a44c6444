"""Writes reply values as RESP2 or RESP3 into one growing buffer.

This is the only place that knows the two protocols apart. What a value becomes is the table in
docs/architecture.md. The buffer is kept between batches, and given up when one batch has made it
large or the client is idle.

A writer that `shares` does not copy long strings: they are handed over as the objects they are,
between parts with what was written before and after them.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE,
)
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from balas.errors import ReplyError
from balas.protocol.replies import (
    NO_REPLY, NULL_ARRAY, OK, BigNumber, Encoded, Pairs, Push, Replies, SetReply, Verbatim,
)
from balas.protocol.replies cimport Status
from balas.structures.numbers import format_double
from balas.structures.numbers cimport int64_to_string

cdef enum:
    INITIAL = 16 * 1024
    # A buffer that one batch made larger than this is freed after it is sent.
    KEEP_MAX = 256 * 1024
    # What a bulk string takes beside its text: a mark, a number of 20 digits, two line ends.
    BULK_MARKS = 25
    # A type byte, a number of 20 digits, a line end.
    NUMBER_MAX = 23
    # From this length on, copying a string takes longer than sending one part more.
    SHARED_MIN = 16 * 1024

# A value that holds values, or itself, without end must not use up the stack: RecursionError. What
# scripts return may be 7,995 tables deep, which is more than Python's own limit.
cdef extern from *:
    """
    #define BALAS_DEPTH_MAX 8000

    static __thread int balas_depth;

    static inline int go_deeper(void) {
        if (balas_depth == BALAS_DEPTH_MAX) {
            PyErr_SetString(PyExc_RecursionError,
                            "maximum recursion depth exceeded while a reply was written");
            return -1;
        }
        balas_depth++;
        return 0;
    }

    static inline void come_back(void) { balas_depth--; }
    """
    int go_deeper() except -1
    void come_back()

cdef object ok = OK
cdef object null_array = NULL_ARRAY
cdef object no_reply = NO_REPLY


cdef class ReplyWriter:
    """Replies to one client. `resp` is 2 or 3. `size` is what was written since the last time that
    all was taken; `capacity` what the buffer can hold of it.
    """

    def __cinit__(self):
        self.resp = 2
        self.parts = []

    def __dealloc__(self):
        free(self.buffer)

    cdef char *room(self, Py_ssize_t wanted) except NULL:
        """A place for `wanted` more bytes; the caller adds to `size` what it used."""
        cdef Py_ssize_t capacity
        cdef char *moved
        cdef Py_ssize_t held = self.size - self.parts_size
        if held + wanted > self.capacity:
            capacity = max(INITIAL, (held + wanted) + (held + wanted) // 2)
            moved = <char *> realloc(self.buffer, capacity)
            if moved == NULL:
                raise MemoryError
            self.buffer = moved
            self.capacity = capacity
        return self.buffer + held

    cdef int put(self, const char *data, Py_ssize_t size) except -1:
        memcpy(self.room(size), data, size)
        self.size += size
        return 0

    cdef int put_number(self, char kind, int64_t number) except -1:
        """A type byte, a decimal number and a line end."""
        cdef char *place = self.room(NUMBER_MAX)
        cdef Py_ssize_t length = 1
        place[0] = kind
        if 0 <= number < 10:
            place[1] = <char> (48 + number)
            length = 2
        else:
            length += int64_to_string(number, place + 1)
        place[length] = b"\r"
        place[length + 1] = b"\n"
        self.size += length + 2
        return 0

    cdef int put_bulk(self, const char *data, Py_ssize_t size) except -1:
        """A bulk string. Replies of many short ones are frequent: room is asked for once."""
        cdef char *place = self.room(size + BULK_MARKS)
        cdef char *start = place
        place[0] = b"$"
        if size < 10:
            place[1] = <char> (48 + size)
            place += 2
        elif size < 100:
            place[1] = <char> (48 + size // 10)
            place[2] = <char> (48 + size % 10)
            place += 3
        else:
            place += 1 + int64_to_string(size, place + 1)
        place[0] = b"\r"
        place[1] = b"\n"
        memcpy(place + 2, data, size)
        place += size + 2
        place[0] = b"\r"
        place[1] = b"\n"
        self.size += place + 2 - start
        return 0

    cdef inline int put_bytes(self, bytes value) except -1:
        """A bulk string, which is not copied if that is worth it."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        if size >= SHARED_MIN and self.shares:
            return self.share(value)
        return self.put_bulk(PyBytes_AS_STRING(value), size)

    cdef int share(self, bytes value) except -1:
        """A bulk string that is not copied."""
        self.put_number(b"$", PyBytes_GET_SIZE(value))
        self.end_part()
        self.parts.append(value)
        self.size += PyBytes_GET_SIZE(value)
        self.parts_size = self.size
        return self.put(b"\r\n", 2)

    cdef int end_part(self) except -1:
        """Make a part of what is in the buffer."""
        if self.size > self.parts_size:
            self.parts.append(
                PyBytes_FromStringAndSize(self.buffer, self.size - self.parts_size)
            )
            self.parts_size = self.size
        return 0

    cpdef int reply(self, object value) except -1:
        """Append one reply value."""
        cdef int overflow
        cdef int64_t number
        if PyBytes_CheckExact(value):
            return self.put_bytes(<bytes> value)
        if value is ok:
            return self.put(b"+OK\r\n", 5)
        if type(value) is Status:
            return self.reply_line((<Status> value).line)
        if value is None:
            return self.put(b"_\r\n", 3) if self.resp == 3 else self.put(b"$-1\r\n", 5)
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            return self.big_number(value) if overflow else self.put_number(b":", number)
        if type(value) is list:
            self.put_number(b"*", len(<list> value))
            go_deeper()
            try:
                for item in <list> value:
                    if PyBytes_CheckExact(item):
                        self.put_bytes(<bytes> item)
                    else:
                        self.reply(item)
            finally:
                come_back()
            return 0
        return self.reply_other(value)

    cdef int reply_other(self, object value) except -1:
        cdef type kind = type(value)
        if kind is bool:
            if self.resp == 3:
                return self.put(b"#t\r\n" if value else b"#f\r\n", 4)
            return self.put_number(b":", 1 if value else 0)
        if kind is float:
            return self.number(format_double(value))
        if kind is str:
            return self.reply(value.encode("utf-8", "surrogateescape"))
        if kind is tuple:
            return self.reply(list(value))
        if kind is dict:
            return self.pairs(value.items(), len(value))
        if kind is Pairs:
            return self.pairs(value.items, len(value.items))
        if kind is SetReply:
            return self.members(b"~", value.members)
        if kind is set or kind is frozenset:
            return self.members(b"~", value)
        if kind is Push:
            return self.members(b">", value.items)
        if kind is Replies:
            go_deeper()
            try:
                for item in value.items:
                    self.reply(item)
            finally:
                come_back()
            return 0
        if kind is Encoded:
            return self.reply_line(value.data)
        if kind is Verbatim:
            return self.verbatim(value)
        if kind is BigNumber:
            return self.big_number(value.value)
        if value is null_array:
            return self.put(b"_\r\n", 3) if self.resp == 3 else self.put(b"*-1\r\n", 5)
        if value is no_reply:
            return 0
        if isinstance(value, ReplyError):
            return self.error(value.text)
        if isinstance(value, (bytearray, memoryview)):
            return self.reply(bytes(value))
        raise TypeError(f"{kind.__name__} is no reply value")

    cdef int reply_line(self, bytes line) except -1:
        return self.put(PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line))

    cdef int error(self, str text) except -1:
        """An error reply; line breaks in the text become spaces, as Redis does."""
        cdef bytes line = text.encode("utf-8", "surrogateescape")
        return self.reply_line(b"-" + line.replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n")

    cdef int number(self, bytes text) except -1:
        if self.resp == 3:
            return self.reply_line(b"," + text + b"\r\n")
        return self.reply(text)

    cdef int big_number(self, object value) except -1:
        text = b"%d" % value
        if self.resp == 3:
            return self.reply_line(b"(" + text + b"\r\n")
        return self.reply(text)

    cdef int verbatim(self, object value) except -1:
        if self.resp == 2:
            return self.reply(value.text)
        text = value.format.encode() + b":" + value.text
        return self.reply_line(b"=%d\r\n%b\r\n" % (len(text), text))

    cdef int pairs(self, object items, Py_ssize_t count) except -1:
        if self.resp == 3:
            self.put_number(b"%", count)
        else:
            self.put_number(b"*", count * 2)
        go_deeper()
        try:
            for key, value in items:
                self.reply(key)
                self.reply(value)
        finally:
            come_back()
        return 0

    cdef int members(self, char kind, object items) except -1:
        self.put_number(kind if self.resp == 3 else b"*", len(items))
        go_deeper()
        try:
            for item in items:
                self.reply(item)
        finally:
            come_back()
        return 0

    cpdef int array(self, Py_ssize_t count) except -1:
        """Begin an array whose `count` elements follow, each a reply of its own."""
        return self.put_number(b"*", count)

    cpdef bytes take(self):
        """All that was written since the last call."""
        cdef bytes data
        if self.parts_size:
            return b"".join(self.take_parts())
        data = PyBytes_FromStringAndSize(self.buffer, self.size)
        self.emptied()
        return data

    cdef void emptied(self):
        """All of the buffer was taken."""
        self.size = 0
        if self.capacity > KEEP_MAX:
            self.release()

    cpdef list take_parts(self):
        """The same, in the parts it consists of."""
        cdef list parts = self.parts
        self.end_part()
        self.parts = []
        self.size = self.parts_size = 0
        if self.capacity > KEEP_MAX:
            self.release()
        return parts

    cpdef void release(self):
        """Free the buffer if it holds nothing."""
        if self.size == 0:
            free(self.buffer)
            self.buffer = NULL
            self.capacity = 0

    cpdef void truncate(self, Py_ssize_t size):
        """Forget everything after the first `size` bytes: a reply that failed half-way, or that is
        not wanted.
        """
        cdef bytes part
        if not 0 <= size < self.size:
            return
        self.size = size
        while self.parts_size > size:
            part = self.parts.pop()
            self.parts_size -= PyBytes_GET_SIZE(part)
            if self.parts_size <= size:
                # Its beginning stays, and goes back to where more is written.
                self.size = self.parts_size
                self.put(PyBytes_AS_STRING(part), size - self.parts_size)


def encode(value: object, resp: int) -> bytes:
    """The bytes of one reply value: what is sent to many is encoded once."""
    cdef ReplyWriter writer = ReplyWriter()
    writer.resp = resp
    writer.reply(value)
    return writer.take()
