"""Cuts a stream of requests where it can be cut, without making the requests."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from libc.string cimport memchr, memcmp

cdef enum:
    # Longer than any word that is looked for.
    WORD_BYTES = 8


cdef class Requests:
    """Bytes of a stream, given out in pieces that are done as a whole or not at all.

    A piece is of whole requests, and a transaction is in one piece from MULTI to EXEC. A line that
    is no array is a request of its own, as for the parser of clients.
    """

    cdef bytearray data
    # Up to here the requests are whole, and up to `settled` no transaction is open.
    cdef Py_ssize_t whole, settled
    cdef bint inside

    def __cinit__(self):
        self.data = bytearray()

    def add(self, data) -> bytes:
        """Take the next bytes; the piece that can be done now, which may be empty."""
        self.data += data
        cdef const char *begin = PyByteArray_AS_STRING(self.data)
        cdef const char *end = begin + PyByteArray_GET_SIZE(self.data)
        cdef const char *at = begin + self.whole
        while at < end:
            at = self.skip(at, end)
            if at == NULL:
                break
            self.whole = at - begin
            if not self.inside:
                self.settled = self.whole
        piece = bytes(memoryview(self.data)[:self.settled])
        del self.data[:self.settled]
        self.whole -= self.settled
        self.settled = 0
        return piece

    cdef const char *skip(self, const char *at, const char *end) noexcept:
        """Behind the request that begins here, or NULL if its end is not there."""
        cdef Py_ssize_t left = number(at, end) if at[0] == c'*' else 0
        cdef Py_ssize_t size
        cdef const char *word = NULL
        cdef Py_ssize_t length = 0
        at = next_line(at, end)
        while at != NULL and left > 0:
            size = number(at, end)
            at = next_line(at, end)
            if at == NULL or end - at < size + 2:
                return NULL
            if word == NULL:
                word, length = at, size
            at += size + 2
            left -= 1
        if at != NULL and word != NULL:
            if is_word(word, length, b"MULTI"):
                self.inside = True
            elif is_word(word, length, b"EXEC") or is_word(word, length, b"DISCARD"):
                self.inside = False
        return at


cdef bint is_word(const char *text, Py_ssize_t length, bytes name) noexcept:
    """Whether a name is this one, in letters of any case."""
    cdef char upper[WORD_BYTES]
    cdef Py_ssize_t i
    if length != len(name):
        return False
    for i in range(length):
        upper[i] = text[i] & ~0x20
    return memcmp(upper, <const char *> name, length) == 0


cdef Py_ssize_t number(const char *at, const char *end) noexcept:
    """The number behind a line's first character."""
    cdef Py_ssize_t found = 0
    at += 1
    while at < end and c'0' <= at[0] <= c'9':
        found = found * 10 + (at[0] - c'0')
        at += 1
    return found


cdef const char *next_line(const char *at, const char *end) noexcept:
    """Behind the end of a line, or NULL if it is not there."""
    cdef const char *found = <const char *> memchr(at, c'\n', end - at)
    return NULL if found == NULL else found + 1
