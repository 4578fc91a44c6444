"""Records as the log and replicas see them: requests in RESP, as a client would send them."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE

from balas.protocol.writer cimport ReplyWriter


cdef class RecordEncoder:
    """Turns the records of units into bytes.

    SELECT is written when the database changes, MULTI and EXEC around the records of a unit that
    has several. `database` is the one selected by what was encoded so far, -1 for none: set it to
    -1 where a new file or link begins.
    """

    cdef ReplyWriter out
    cdef public int database

    def __init__(self):
        self.out = ReplyWriter()
        self.database = -1

    @property
    def size(self):
        """Bytes encoded since the last `take`."""
        return self.out.size

    cdef int put(self, tuple argv) except -1:
        self.out.put_number(b"*", len(argv))
        for word in argv:
            if not PyBytes_CheckExact(word):
                word = as_bytes(word)
            self.out.put_bulk(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))
        return 0

    cpdef int add(self, list records) except -1:
        """Add the records of one unit: pairs of database index and argv. All of them or, with a
        TypeError for a word that is no text, none.
        """
        cdef bint several = len(records) > 1
        cdef Py_ssize_t mark = self.out.size
        cdef int database = self.database
        cdef int index
        cdef tuple argv
        try:
            if several:
                self.select(records[0][0])
                self.put((b"MULTI",))
            for index, argv in records:
                self.select(index)
                self.put(argv)
            if several:
                self.put((b"EXEC",))
        except BaseException:
            self.out.truncate(mark)
            self.database = database
            raise
        return 0

    def note(self, bytes line) -> None:
        """Add a line that is no record (a timestamp)."""
        self.out.put(PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line))

    cdef int select(self, int index) except -1:
        """Add a SELECT if another database is selected."""
        if index != self.database:
            self.put((b"SELECT", b"%d" % index))
            self.database = index
        return 0

    def take(self) -> bytes:
        """What was encoded since the last call."""
        return self.out.take()


cdef bytes as_bytes(object word):
    """A word of a record that a module has not made of bytes."""
    if isinstance(word, str):
        return (<str> word).encode("utf-8", "surrogateescape")
    if isinstance(word, (int, float)):
        return repr(word).encode()
    if isinstance(word, (bytes, bytearray, memoryview)):
        return bytes(word)
    raise TypeError(f"a record is made of bytes, not of {type(word).__name__}")
