"""Takes a log apart again: records as lists of bytes, each with the offset where it starts.

This is no parser of requests: a log has been written by a server, so there is nothing to be lenient
about. Every byte must be as `encode` writes it, but for lines that start with ``#``, which are
notes (timestamps). What is not is refused with its offset, and only a record that the file ends
within counts as cut off, which a crash explains.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memchr

from balas.errors import BadData

cdef enum:
    # No line of a kind and a number is longer than this, and no number in it overflows.
    LINE_MAX = 18
    CUT_OFF = -2


cdef class RecordReader:
    """Reads the records in `data`, anything with a buffer (a file as an mmap), from `start` on.

    Attributes:
        position: where the next record starts; behind the last one at the end.
        start: where the last record started.
        cut_off: whether the data end within a record, which then starts at `position`.
    """

    cdef Py_buffer view
    cdef const char *data
    cdef Py_ssize_t size
    cdef Py_ssize_t at
    cdef readonly Py_ssize_t position
    cdef readonly Py_ssize_t start
    cdef readonly bint cut_off

    def __cinit__(self, data not None, Py_ssize_t start=0):
        PyObject_GetBuffer(data, &self.view, PyBUF_SIMPLE)
        self.data = <const char *> self.view.buf
        self.size = self.view.len
        self.position = start

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    def close(self):
        """Let go of the data, which an mmap must be before it can be closed."""
        PyBuffer_Release(&self.view)
        self.size = self.position = 0

    cpdef list next_record(self):
        """The next record, or None at the end of the data. Raises BadData with the offset."""
        cdef list argv = []
        cdef Py_ssize_t _word, count, length
        cdef const char *end
        if self.cut_off:
            return None
        while self.position < self.size and self.data[self.position] == b"#":
            end = <const char *> memchr(
                self.data + self.position, b"\n", self.size - self.position
            )
            if end == NULL:
                self.cut_off = True
                return None
            self.position = end - self.data + 1
        if self.position >= self.size:
            return None
        self.at = self.start = self.position
        count = self.take_number(b"*")
        if count == CUT_OFF:
            return self.end_early()
        if count < 1:
            raise self.bad("a record cannot have no words")
        for _word in range(count):
            length = self.take_number(b"$")
            if length == CUT_OFF or self.size - self.at < length + 2:
                return self.end_early()
            argv.append(PyBytes_FromStringAndSize(self.data + self.at, length))
            self.at += length
            if self.data[self.at] != b"\r" or self.data[self.at + 1] != b"\n":
                raise self.bad("a word does not end where its length says")
            self.at += 2
        self.position = self.at
        return argv

    cdef Py_ssize_t take_number(self, char kind) except -1:
        """Read a line of `kind` and a number; CUT_OFF if the data end within it."""
        cdef Py_ssize_t number = 0
        cdef Py_ssize_t at = self.at
        cdef Py_ssize_t end = min(self.size, at + LINE_MAX)
        if at == self.size:
            return CUT_OFF
        if self.data[at] != kind:
            found = PyBytes_FromStringAndSize(self.data + at, 1)
            raise self.bad(f"expected '{chr(kind)}', found {found!r}")
        at += 1
        while at < end and b"0" <= self.data[at] <= b"9":
            number = number * 10 + (self.data[at] - 48)
            at += 1
        if at == self.size:
            return CUT_OFF
        if at == self.at + 1 or at == end or self.data[at] != b"\r":
            raise self.bad(f"no number behind '{chr(kind)}'")
        if at + 1 == self.size:
            return CUT_OFF
        if self.data[at + 1] != b"\n":
            raise self.bad(f"no line end behind the number of '{chr(kind)}'")
        self.at = at + 2
        return number

    cdef object bad(self, str reason):
        return BadData(f"{reason} at offset {self.at}")

    cdef list end_early(self):
        """The data end within this record: None, or BadData if that cannot be.

        A crash leaves the beginning of a record. If more records follow, a damaged length says that
        this one reaches beyond the end, and what is behind it must not be cut off as its rest.
        """
        cdef Py_ssize_t follows
        if self.follow_records(&follows):
            raise BadData(
                f"the record at offset {self.position} claims to go on beyond the end of the file, "
                f"but another one follows at offset {follows}"
            )
        self.cut_off = True
        return None

    cdef bint follow_records(self, Py_ssize_t *found) except -1:
        """Whether a whole record stands between `at` and the end, at the start of a line."""
        cdef const char *end
        cdef Py_ssize_t at = self.at
        while at < self.size:
            end = <const char *> memchr(self.data + at, b"\n", self.size - at)
            if end == NULL:
                return False
            at = end - self.data + 1
            if at < self.size and self.data[at] == b"*" and self.is_record(at):
                found[0] = at
                return True
        return False

    cdef bint is_record(self, Py_ssize_t start) except -1:
        """Whether a whole record stands at `start`."""
        cdef Py_ssize_t kept = self.at
        cdef Py_ssize_t _word, count, length
        self.at = start
        try:
            count = self.take_number(b"*")
            if count < 1:
                return False
            for _word in range(count):
                length = self.take_number(b"$")
                if length == CUT_OFF or self.size - self.at < length + 2:
                    return False
                self.at += length
                if self.data[self.at] != b"\r" or self.data[self.at + 1] != b"\n":
                    return False
                self.at += 2
            return True
        except BadData:
            return False
        finally:
            self.at = kept
