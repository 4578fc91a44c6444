"""Parses requests: RESP arrays of bulk strings, and inline commands. Sans-IO: bytes in, arguments
out.

The parser hands out batches, so that dispatch can prefetch the keys of many requests before it runs
the first. It reads straight from the chunk that the network delivered; only the beginning of a
request whose end is still to come is copied into its own buffer, which grows with what has arrived
and never with what was announced.

A long argument whose end is still to come is begun at once as the object it will be: what follows
is copied there, or read there directly (`place`), so that a long value is written once on its way
from the socket to the keyspace.

What Redis does and a reader would not expect: the bytes where CR LF ought to stand after an
argument are skipped without a look; a request with zero or fewer arguments is ignored; a protocol
error ends the connection, but requests before it are still answered.

Differs from Redis: a NUL is a blank in an inline command. There it makes the connection hang,
because to C's string functions the line never ends.

Command names are looked up in a small cache, because a request's first argument is nearly always
one of a few: the cached object's hash is known, so that dispatch finds the command without hashing
again.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF, PyObject
from libc.stdint cimport INT32_MAX, int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove

from balas.errors import printable
from balas.structures.numbers cimport string_to_int64

cdef extern from "Python.h":
    # A new reference: the arguments are held as they are, without Cython counting them.
    PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t) except NULL
    int _PyBytes_Resize(PyObject **, Py_ssize_t) except -1
    void Py_SET_SIZE(PyObject *, Py_ssize_t)

cdef enum:
    # A line longer than this is no line (Redis's PROTO_INLINE_MAX_SIZE).
    LINE_MAX = 64 * 1024
    # What a client that has not authenticated may send.
    UNAUTHENTICATED_ARGS_MAX = 10
    UNAUTHENTICATED_BULK_MAX = 16 * 1024
    NAME_LENGTH_MAX = 32
    BUFFER_KEEP_MAX = 64 * 1024
    # A longer argument is announced than gets room at once. Then its room grows by so many times.
    LONG_ROOM_MIN = 1 << 20
    LONG_GROWTH = 4
    LINE_END = 2
    # What is read beyond a long argument at once: mostly the beginning of the next request.
    BEYOND = 128


cdef class ParserSettings:
    """What the parsers of one server share: the limit on an argument, and the cache of names."""

    def __cinit__(self, max_bulk: int = 512 * 1024 * 1024):
        self.max_bulk = max_bulk

    def __dealloc__(self):
        for i in range(NAME_SLOTS):
            if self.names[i] != NULL:
                Py_DECREF(<object> self.names[i])

    cdef PyObject *name(self, const char *text, Py_ssize_t size) except NULL:
        """A new reference to these bytes as an object, if possible to one that is known already."""
        cdef uint64_t slot
        cdef PyObject *known
        if not 0 < size <= NAME_LENGTH_MAX:
            return PyBytes_FromStringAndSize(text, size)
        slot = (<unsigned char> text[0] * 7 + <unsigned char> text[size - 1] * 31
                + <unsigned char> text[size >> 1] * 131 + size * 17) % NAME_SLOTS
        known = self.names[slot]
        if known != NULL:
            if PyBytes_GET_SIZE(<object> known) == size:
                if memcmp(PyBytes_AS_STRING(<object> known), text, size) == 0:
                    Py_INCREF(<object> known)
                    return known
            Py_DECREF(<object> known)
            self.names[slot] = NULL
        known = PyBytes_FromStringAndSize(text, size)
        Py_INCREF(<object> known)
        self.names[slot] = known
        return known


cdef class RequestParser:
    """The requests of one client.

    Attributes:
        authenticated: while False, requests are small or refused.
        error: the protocol error that ended the stream (the text after "ERR Protocol error: ").
    """

    def __cinit__(self, ParserSettings settings not None):
        self.settings = settings
        self.authenticated = True
        self.bulk_length = -1

    def __dealloc__(self):
        self.arg_count = max(self.arg_count, 0)
        for i in range(self.arg_count):
            Py_DECREF(<object> self.args[i])
        Py_XDECREF(self.long_argument)
        free(self.args)
        free(self.buffer)

    @property
    def buffered(self):
        """Bytes received and not yet part of a whole request."""
        return self.unread()

    @property
    def incomplete(self):
        """Whether the input so far ends in the middle of a request."""
        return self.args_left != 0 or self.position < self.end

    @property
    def memory(self):
        """Bytes allocated for input."""
        return self.capacity + self.long_room + self.arg_capacity * sizeof(void *)

    cdef Py_ssize_t unread(self) noexcept:
        return self.end - self.position + self.long_size

    def peek(self, size: int) -> bytes:
        """The first bytes of what is buffered."""
        if self.long_size:
            return PyBytes_AS_STRING(<object> self.long_argument)[:min(size, self.long_size)]
        return self.source[self.position:min(self.position + size, self.end)]

    cpdef void release(self):
        """Free what is allocated, if nothing is in it."""
        if self.position == self.end and not self.lent:
            free(self.buffer)
            self.buffer = NULL
            self.source = NULL
            self.capacity = self.position = self.end = 0
        if self.arg_count == 0:
            free(self.args)
            self.args = NULL
            self.arg_capacity = 0

    cpdef int feed(self, bytes data) except -1:
        """Take what the network delivered.

        Call `next_batch` until it returns 0 before feeding again.
        """
        if self.position == self.end:
            self.chunk = data
        return self.feed_lent(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cdef int feed_lent(self, const char *data, Py_ssize_t size) except -1:
        """The same, of memory that is somebody else's: until it is used for something else, call
        `next_batch` as above, or `keep_rest`.
        """
        cdef Py_ssize_t wanted
        if self.position == self.end:
            self.lent = True
            self.source = data
            self.position = 0
            self.end = size
            return 0
        # Unread bytes are in our own buffer (keep_rest saw to that): append.
        wanted = self.end + size
        if wanted > self.capacity:
            self.grow_buffer(wanted + wanted // 2)
        memcpy(self.buffer + self.end, data, size)
        self.source = self.buffer
        self.end += size
        return 0

    cdef int keep_rest(self) except -1:
        """Move what is left of a request to the front of our own buffer, as input has run out."""
        cdef Py_ssize_t rest = self.end - self.position
        if self.lent:
            self.grow_buffer(rest)
            if rest:
                memcpy(self.buffer, self.source + self.position, rest)
            self.lent = False
            self.chunk = None
        elif self.position and rest:
            memmove(self.buffer, self.buffer + self.position, rest)
        if not rest and self.capacity > BUFFER_KEEP_MAX:
            free(self.buffer)
            self.buffer = NULL
            self.capacity = 0
        self.source = self.buffer
        self.request_start -= self.position
        self.position = 0
        self.end = rest
        return 0

    cdef int next_batch(self) except -1:
        """Drop the batch before and parse up to BATCH_MAX whole requests; how many there are."""
        cdef int wanted = BATCH_MAX if self.authenticated else 1
        self.drop_batch()
        if self.error is not None:
            return 0
        while self.count < wanted:
            if not self.parse_request():
                break
        if self.count < wanted and self.error is None:
            self.keep_rest()
        return self.count

    cdef void drop_batch(self) noexcept:
        """Give up the arguments of the batch handed out; those of a request under way stay."""
        cdef Py_ssize_t i, kept
        if self.count == 0:
            return
        for i in range(self.request_first):
            Py_DECREF(<object> self.args[i])
        kept = self.arg_count - self.request_first
        if kept:
            memmove(self.args, self.args + self.request_first, kept * sizeof(PyObject *))
        self.arg_count = kept
        self.request_first = 0
        self.count = 0

    cdef int push(self, PyObject *argument) except -1:
        """Add an argument, whose reference is taken over."""
        cdef PyObject **moved
        cdef Py_ssize_t wanted
        if self.arg_count == self.arg_capacity:
            wanted = max(8, self.arg_capacity * 2)
            moved = <PyObject **> realloc(self.args, wanted * sizeof(PyObject *))
            if moved == NULL:
                Py_DECREF(<object> argument)
                raise MemoryError
            self.args = moved
            self.arg_capacity = wanted
        self.args[self.arg_count] = argument
        self.arg_count += 1
        return 0

    cdef void finish_request(self, bint inline) noexcept:
        cdef Request *request = &self.requests[self.count]
        request.first = self.request_first
        request.count = self.arg_count - self.request_first
        request.bytes = self.position - self.request_start
        request.spec = NULL
        request.key = NULL
        request.inline = inline
        self.request_first = self.arg_count
        self.count += 1

    cdef bint fail(self, str reason) except -1:
        self.error = reason
        return False

    cdef bint parse_request(self) except -1:
        """Go on parsing; True when something was consumed whole (a request, or an empty line)."""
        if self.args_left == 0:
            if self.position >= self.end:
                return False
            self.request_start = self.position
            if self.source[self.position] != b"*":
                return self.parse_inline()
            if not self.parse_header():
                return False
            if self.args_left == 0:
                return True
        while self.args_left:
            if not self.parse_short_argument() and not self.parse_argument():
                return False
        self.finish_request(False)
        return True

    cdef bint parse_number(self, int64_t *number, str too_long) except -1:
        """Read the number between the type byte at `position` and CR LF; False when it is not all
        there: `number` is then left alone. What is no number becomes one below all lengths.
        """
        cdef const char *text = self.source + self.position + 1
        cdef Py_ssize_t left = self.end - self.position - 1
        cdef Py_ssize_t i = 0
        cdef int64_t value = 0
        cdef const char *line_end
        while i < left and i < 10 and b"0" <= text[i] <= b"9":
            value = value * 10 + (text[i] - 48)
            i += 1
        if i + 1 < left and i and text[i] == b"\r" and (text[0] != b"0" or i == 1):
            number[0] = value
            self.position += i + 3
            return True
        line_end = <const char *> memchr(text, b"\r", left)
        if line_end == NULL:
            if left > LINE_MAX:
                return self.fail(too_long)
            return False
        if line_end - text + 2 > left:
            return False
        if not string_to_int64(text, line_end - text, number):
            number[0] = -(1LL << 62)
        self.position += line_end - text + 3
        return True

    cdef bint parse_header(self) except -1:
        """The line `*<count>`."""
        cdef int64_t number = 0
        if not self.parse_number(&number, "too big mbulk count string"):
            return False
        if number > INT32_MAX or number == -(1LL << 62):
            return self.fail("invalid multibulk length")
        if number > UNAUTHENTICATED_ARGS_MAX and not self.authenticated:
            return self.fail("unauthenticated multibulk length")
        self.args_left = number if number > 0 else 0
        return True

    cdef bint parse_short_argument(self) except -1:
        """What nearly every argument is: all there, and its length has one digit or two. False, and
        nothing done, for any other.
        """
        cdef const char *text = self.source + self.position
        cdef Py_ssize_t left = self.end - self.position
        cdef Py_ssize_t length, head
        if left < 6 or self.bulk_length >= 0 or text[0] != b"$" or not b"1" <= text[1] <= b"9":
            return False
        length = text[1] - 48
        if text[2] == b"\r":
            head = 4
        elif text[3] == b"\r" and b"0" <= text[2] <= b"9":
            length = length * 10 + (text[2] - 48)
            head = 5
        else:
            return False
        if left < head + length + 2:
            return False
        if self.arg_count == self.request_first:
            self.push(self.settings.name(text + head, length))
        else:
            self.push(PyBytes_FromStringAndSize(text + head, length))
        self.position += head + length + 2
        self.args_left -= 1
        return True

    cdef bint parse_argument(self) except -1:
        """The line `$<length>` and the argument; False when it is not all there."""
        cdef int64_t length = self.bulk_length
        cdef Py_ssize_t left
        if self.long_argument != NULL:
            return self.continue_long()
        if length < 0:
            if self.position >= self.end:
                return False
            if self.source[self.position] != b"$":
                # As Redis: the line must be complete before its first byte is judged.
                left = self.end - self.position
                if memchr(self.source + self.position, b"\r", left) == NULL:
                    return self.fail("too big bulk count string") if left > LINE_MAX else False
                found = self.source[self.position:self.position + 1]
                return self.fail(f"expected '$', got '{printable(found)}'")
            length = 0
            if not self.parse_number(&length, "too big bulk count string"):
                return False
            if length < 0 or length > self.settings.max_bulk:
                return self.fail("invalid bulk length")
            if length > UNAUTHENTICATED_BULK_MAX and not self.authenticated:
                return self.fail("unauthenticated bulk length")
            self.bulk_length = length
        left = self.end - self.position
        if left < length + 2:
            # Nothing is set aside for an argument of which nothing has come.
            return left > 0 and length >= LONG_ARGUMENT and self.continue_long()
        if self.arg_count == self.request_first:
            self.push(self.settings.name(self.source + self.position, length))
        else:
            self.push(PyBytes_FromStringAndSize(self.source + self.position, length))
        self.position += length + 2
        self.bulk_length = -1
        self.args_left -= 1
        return True

    # --- long arguments -------------------------------------------------------------------------

    cdef int make_room(self, Py_ssize_t wanted) except -1:
        """Let the long argument under way have room for `wanted` bytes, with the line end."""
        cdef Py_ssize_t room
        if wanted <= self.long_room:
            return 0
        room = min(max(wanted, LONG_ROOM_MIN, self.long_room * LONG_GROWTH),
                   self.bulk_length + LINE_END + BEYOND)
        # One less: behind its bytes, an object has room for a NUL.
        if self.long_argument == NULL:
            self.long_argument = PyBytes_FromStringAndSize(NULL, room - 1)
        else:
            self.long_room = 0
            _PyBytes_Resize(&self.long_argument, room - 1)
        self.long_room = room
        return 0

    cdef bint continue_long(self) except -1:
        """Take what has come of a long argument; False when it is not all there."""
        cdef Py_ssize_t taken = min(
            self.bulk_length + LINE_END - self.long_size, self.end - self.position
        )
        cdef PyObject *argument
        if taken:
            self.make_room(self.long_size + taken)
            memcpy(PyBytes_AS_STRING(<object> self.long_argument) + self.long_size,
                   self.source + self.position, taken)
            self.position += taken
            self.long_size += taken
        if self.long_size < self.bulk_length + LINE_END:
            return False
        argument = self.long_argument
        # The line end stays behind the object's end, whose first byte becomes the NUL.
        Py_SET_SIZE(argument, self.bulk_length)
        PyBytes_AS_STRING(<object> argument)[self.bulk_length] = 0
        self.long_argument = NULL
        self.long_size = self.long_room = 0
        self.bulk_length = -1
        self.args_left -= 1
        self.push(argument)
        return True

    cdef bint awaits_long(self) noexcept:
        """Whether what comes next belongs to a long argument, and nothing else waits before it."""
        return (
            self.bulk_length >= LONG_ARGUMENT and self.position == self.end and self.error is None
        )

    cdef char *place(self, Py_ssize_t *size) except NULL:
        """Where the next bytes of the long argument under way (`awaits_long`) are to be written,
        and how many may be. `placed` has to be called before anything else.
        """
        if self.long_size == self.long_room:
            self.make_room(self.long_size + 1)
        size[0] = self.long_room - self.long_size
        return PyBytes_AS_STRING(<object> self.long_argument) + self.long_size

    cdef bint placed(self, Py_ssize_t size) except -1:
        """So many bytes were written there; whether the argument is all there now."""
        cdef Py_ssize_t beyond = self.long_size + size - (self.bulk_length + LINE_END)
        if beyond > 0:
            self.grow_buffer(beyond)
            memcpy(self.buffer,
                   PyBytes_AS_STRING(<object> self.long_argument) + self.long_size + size - beyond,
                   beyond)
            self.source = self.buffer
            self.position = 0
            self.end = beyond
            size -= beyond
        self.long_size += size
        self.request_start -= size
        return self.long_size == self.bulk_length + LINE_END

    cdef int grow_buffer(self, Py_ssize_t wanted) except -1:
        """Let our own buffer have room for so many bytes."""
        cdef char *moved
        if wanted > self.capacity:
            moved = <char *> realloc(self.buffer, wanted)
            if moved == NULL:
                raise MemoryError
            self.buffer = moved
            self.capacity = wanted
        return 0

    cdef bint parse_inline(self) except -1:
        """A line of words, as a person types it."""
        cdef const char *text = self.source + self.position
        cdef Py_ssize_t left = self.end - self.position
        cdef const char *line_end = <const char *> memchr(text, b"\n", left)
        cdef Py_ssize_t size, length
        if line_end == NULL:
            if left > LINE_MAX:
                return self.fail("too big inline request")
            return False
        size = line_end - text
        length = size - 1 if size and text[size - 1] == b"\r" else size
        if memchr(text, b'"', length) == NULL and memchr(text, b"'", length) == NULL:
            self.push_words(text, length)
        else:
            words = split_words(text[:length])
            if words is None:
                return self.fail("unbalanced quotes in request")
            for word in words:
                Py_INCREF(word)
                self.push(<PyObject *> word)
        self.position += size + 1
        if self.arg_count > self.request_first:
            self.finish_request(True)
        return True

    cdef int push_words(self, const char *text, Py_ssize_t size) except -1:
        """Add the words of a line that has no quotes."""
        cdef Py_ssize_t start, i = 0
        while True:
            while i < size and is_blank(text[i]):
                i += 1
            if i == size:
                return 0
            start = i
            while i < size and not is_blank(text[i]):
                i += 1
            if self.arg_count == self.request_first:
                self.push(self.settings.name(text + start, i - start))
            else:
                self.push(PyBytes_FromStringAndSize(text + start, i - start))

    def split(self, data: bytes) -> list:
        """Feed `data`; the requests it completes, for logs.

        Each is (argv, size in bytes, whether it was an inline line).
        """
        cdef Request *request
        found = []
        self.feed(data)
        while self.next_batch():
            for i in range(self.count):
                request = &self.requests[i]
                argv = [<object> self.args[request.first + j] for j in range(request.count)]
                found.append((argv, request.bytes, bool(request.inline)))
        return found

    def parse(self, data: bytes) -> list:
        """Feed `data`; the requests it completes, each a list of bytes, for tests and tools."""
        cdef Request *request
        found = []
        self.feed(data)
        while self.next_batch():
            for i in range(self.count):
                request = &self.requests[i]
                found.append([
                    <object> self.args[request.first + j] for j in range(request.count)
                ])
        return found


cdef inline bint is_blank(char byte) noexcept nogil:
    return byte == b" " or b"\t" <= byte <= b"\r" or byte == 0


cdef bytes SPACE = b" \n\r\t\v\f\0"
cdef dict ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
cdef bytes HEX_DIGITS = b"0123456789abcdefABCDEF"


def split_words(line: bytes) -> list[bytes] | None:
    """The words of a line, as redis-cli and redis.conf quote them; None if quotes are unbalanced.

    Double quotes know \\n \\r \\t \\b \\a \\xHH and backslash before any other byte; single quotes
    only \\'. A closing quote must end the word.
    """
    words: list[bytes] = []
    cdef Py_ssize_t i = 0, n = len(line)
    while True:
        while i < n and line[i:i + 1] in SPACE:
            i += 1
        if i >= n:
            return words
        word = bytearray()
        while i < n and line[i:i + 1] not in SPACE:
            one = line[i:i + 1]
            if one == b'"' or one == b"'":
                i = _quoted(line, i + 1, one, word)
                if i < 0 or (i < n and line[i:i + 1] not in SPACE):
                    return None
                break
            word += one
            i += 1
        words.append(bytes(word))


def _quoted(line: bytes, at: int, quote: bytes, word: bytearray) -> int:
    """Append the quoted text that starts at `at` to `word`; the index after it, -1 if it does not
    end.
    """
    cdef Py_ssize_t i = at, n = len(line)
    while i < n:
        one = line[i:i + 1]
        if one == quote:
            return i + 1
        if one == b"\\" and quote == b'"' and i + 1 < n:
            digits = line[i + 2:i + 4]
            is_hex = len(digits) == 2 and all(digit in HEX_DIGITS for digit in digits)
            if line[i + 1:i + 2] == b"x" and is_hex:
                word.append(int(digits, 16))
                i += 4
                continue
            i += 1
            word += ESCAPES.get(line[i:i + 1], line[i:i + 1])
        elif one == b"\\" and line[i + 1:i + 2] == b"'" and quote == b"'":
            word += b"'"
            i += 1
        else:
            word += one
        i += 1
    return -1
