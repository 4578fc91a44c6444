"""How the compiled types of the core read and write the RDB format: the C side of a reader and a
writer, which `balas.services.rdb` implements.

Types stand below the services, so what they need of these is declared here. Lengths and counts
that a reader gives are only claims: make no room for them before the items are there.
"""


cdef class ItemReader:
    """Gives the items of a value; the raw methods are `read_...` of `services.rdb.reader`.

    A string that `take_string` gives is lent: it stays where it is only until the next item.
    """

    cdef object bad(self, str what):
        """The error, to be raised, for items that make no sense; it names the offset."""
        raise NotImplementedError

    cdef int take_byte(self) except -1:
        """One byte, 0 to 255."""
        raise NotImplementedError

    cdef int take_length(self, uint64_t *n) except -1:
        """A length or a number, in one of the short forms."""
        raise NotImplementedError

    cdef int take_string(self, const char **text, size_t *n) except -1:
        """A string, whether it is stored plain, as a number or compressed."""
        raise NotImplementedError

    cdef int take_double(self, double *value) except -1:
        """Eight bytes of a float."""
        raise NotImplementedError

    cdef int copy_out(self, void *to, size_t n) except -1:
        """So many plain bytes: 8 little-endian ones are a time in ms."""
        raise NotImplementedError


cdef class ItemWriter:
    """Takes the items of a value; the same as `write_...` of `services.rdb.writer`."""

    cdef int put(self, const void *data, size_t n) except -1:
        """Plain bytes: a float or a time is its eight little-endian bytes."""
        raise NotImplementedError

    cdef int put_byte(self, unsigned char byte) except -1:
        """One byte."""
        raise NotImplementedError

    cdef int put_length(self, uint64_t n) except -1:
        """A length or a number."""
        raise NotImplementedError

    cdef int put_integer(self, int64_t value) except -1:
        """A whole number as the string of its digits, in the shortest form."""
        raise NotImplementedError

    cdef int put_string(self, const char *text, size_t n) except -1:
        """A string, as a number or compressed where that saves something."""
        raise NotImplementedError
