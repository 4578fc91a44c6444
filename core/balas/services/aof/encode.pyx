"""Records as the log and replicas see them: requests in RESP, as a client would send them."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from balas.protocol.writer cimport ReplyWriter


cdef class RecordEncoder:
    """Turns the records of units into bytes.

    SELECT is written when the database changes, MULTI and EXEC around the records of a unit that has several. `database` is the
    one selected by what was encoded so far, -1 for none: set it to -1 where a new file or link begins.
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
        cdef bytes word
        self.out.put_number(b"*", len(argv))
        for word in argv:
            self.out.put_bulk(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))
        return 0

    def add(self, list records) -> None:
        """Add the records of one unit: pairs of database index and argv."""
        cdef bint several = len(records) > 1
        cdef int index
        cdef tuple argv
        if several:
            index = records[0][0]
            if index != self.database:
                self.select(index)
            self.put((b"MULTI",))
        for index, argv in records:
            if index != self.database:
                self.select(index)
            self.put(argv)
        if several:
            self.put((b"EXEC",))

    def note(self, bytes line) -> None:
        """Add a line that is no record (a timestamp)."""
        self.out.put(PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line))

    def select(self, int index) -> None:
        """Add a SELECT."""
        self.put((b"SELECT", b"%d" % index))
        self.database = index

    def take(self) -> bytes:
        """What was encoded since the last call."""
        return self.out.take()
