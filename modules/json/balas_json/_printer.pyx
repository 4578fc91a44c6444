"""A document to JSON text, compact or spread over lines.

The text is written straight into the bytes object that becomes the reply.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE, _PyBytes_Resize,
)
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.string cimport memcpy

from balas_json._cells cimport (
    ARRAY, BOXED_DOUBLE, BOXED_UNSIGNED, DECIMAL, INTEGER, NO, NOTHING, OBJECT, PACKED,
    SHORT, TEXT, YES, ESCAPED, block_of, child, count_of, decimal_digits, decimal_exponent,
    double_of, int64_of, kind_of, names_of, text_of,
)
from libc.stdint cimport int64_t, uint32_t
from balas_json._names cimport Name, name_at
from balas_json._numbers cimport (
    NUMBER_SIZE, put_decimal, put_double, put_integer, put_unsigned,
)


cdef class Printer:
    """Text that grows. `indent`, `newline` and `space` are what stands before an item (once for
    each level), behind what ends a line, and behind a colon.
    """

    def __init__(self, expected=64, indent=b"", newline=b"", space=b""):
        self.prepare(expected)
        self.indent = indent
        self.newline = newline
        self.space = space
        self.spread = bool(indent or newline or space)

    cdef int prepare(self, uint64_t expected) except -1:
        self.capacity = max(expected, <uint64_t>32)
        self.data = PyBytes_FromStringAndSize(NULL, self.capacity)
        self.text = PyBytes_AS_STRING(self.data)
        return 0

    cdef inline int room(self, uint64_t wanted) except -1:
        """See to it that this many more bytes fit."""
        if self.size + wanted > self.capacity:
            self.grow(wanted)
        return 0

    cdef int grow(self, uint64_t wanted) except -1:
        cdef uint64_t capacity = self.size + wanted + (self.size + wanted) // 2
        self.resize(capacity)
        self.capacity = capacity
        return 0

    cdef int resize(self, uint64_t capacity) except -1:
        """Give the bytes object, which nobody else has seen yet, another size."""
        cdef PyObject *data = <PyObject *>self.data
        Py_INCREF(self.data)
        self.data = None
        _PyBytes_Resize(&data, capacity)
        self.data = <bytes>data
        Py_XDECREF(data)
        self.text = PyBytes_AS_STRING(self.data)
        return 0

    cdef bytes take(self):
        """The whole text; the printer is of no use afterwards."""
        cdef bytes data
        if self.size != self.capacity:
            self.resize(self.size)
        data = self.data
        self.data = None
        return data

    cdef inline int put(self, const char *text, uint64_t size) except -1:
        self.room(size)
        memcpy(self.text + self.size, text, size)
        self.size += size
        return 0

    cdef int put_bytes(self, bytes text) except -1:
        return self.put(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    cdef int put_string(self, const char *text, uint64_t size, bint escaped) except -1:
        """Write a string in quotes; `escaped` says that something in it needs an escape."""
        cdef char *out
        if escaped:
            return self.put_escaped(text, size)
        self.room(size + 2)
        out = self.text + self.size
        out[0] = c'"'
        memcpy(out + 1, text, size)
        out[size + 1] = c'"'
        self.size += size + 2
        return 0

    cdef int put_escaped(self, const char *text, uint64_t size) except -1:
        cdef uint64_t i
        cdef unsigned char byte
        cdef char letter
        cdef char *out
        self.room(size * 6 + 2)
        out = self.text + self.size
        out[0] = c'"'
        out += 1
        for i in range(size):
            byte = <unsigned char>text[i]
            letter = letter_of(byte)
            if byte >= 32 and not letter:
                out[0] = <char>byte
                out += 1
                continue
            out[0] = c"\\"
            if letter:
                out[1] = letter
                out += 2
                continue
            memcpy(out + 1, b"u00", 3)
            out[4] = <char>(c"0" + (byte >> 4))
            out[5] = <char>(c"0" + (byte & 15)) if byte & 15 < 10 else <char>(87 + (byte & 15))
            out += 6
        out[0] = c'"'
        self.size = out + 1 - self.text
        return 0

    cdef int put_number(self, const Doc *doc, Cell cell) except -1:
        cdef int64_t whole
        cdef uint64_t unsigned
        cdef char *out
        self.room(NUMBER_SIZE)
        out = self.text + self.size
        if kind_of(cell) == INTEGER:
            self.size += put_integer(<int64_t>cell >> 4, out)
        elif kind_of(cell) == DECIMAL:
            whole = decimal_digits(cell)
            unsigned = <uint64_t>whole if whole >= 0 else 0 - <uint64_t>whole
            self.size += put_decimal(whole < 0, unsigned, decimal_exponent(cell), out)
        elif cell & BOXED_DOUBLE:
            self.size += put_double(double_of(doc, cell), out)
        elif cell & BOXED_UNSIGNED:
            memcpy(&unsigned, doc.base + block_of(cell), 8)
            self.size += put_unsigned(unsigned, out)
        else:
            int64_of(doc, cell, &whole)
            self.size += put_integer(whole, out)
        return 0

    # --- containers -----------------------------------------------------------------------------

    cdef int open(self, const char *bracket) except -1:
        self.level += 1
        return self.put(bracket, 1)

    cdef inline int item(self, bint first) except -1:
        """What stands before an item."""
        if not first:
            self.put(b",", 1)
        return self.line() if self.spread else 0

    cdef int line(self) except -1:
        cdef int _i
        self.put_bytes(self.newline)
        for _i in range(self.level):
            self.put_bytes(self.indent)
        return 0

    cdef inline int colon(self) except -1:
        self.put(b":", 1)
        return self.put_bytes(self.space) if self.spread else 0

    cdef int close(self, const char *bracket, bint empty) except -1:
        self.level -= 1
        if self.spread and not empty:
            self.line()
        return self.put(bracket, 1)

    cdef int value(self, const Doc *doc, Cell cell) except -1:
        """Write a value."""
        cdef uint64_t length
        cdef const char *text
        cdef int kind = kind_of(cell)
        if kind == SHORT or kind == TEXT:
            text = text_of(doc, &cell, &length)
            return self.put_string(text, length, (cell & ESCAPED) != 0)
        if kind == OBJECT:
            return self.object_value(doc, cell)
        if kind == ARRAY or kind == PACKED:
            return self.array_value(doc, cell)
        if kind == NOTHING:
            return self.put(b"null", 4)
        if kind == YES:
            return self.put(b"true", 4)
        if kind == NO:
            return self.put(b"false", 5)
        return self.put_number(doc, cell)

    cdef int array_value(self, const Doc *doc, Cell cell) except -1:
        cdef uint32_t i, count = count_of(doc, cell)
        self.open(b"[")
        for i in range(count):
            self.item(i == 0)
            self.value(doc, child(doc, cell, i))
        return self.close(b"]", count == 0)

    cdef int object_value(self, const Doc *doc, Cell cell) except -1:
        cdef uint32_t i, count = count_of(doc, cell)
        cdef uint32_t *names = names_of(doc, cell)
        cdef Cell *items = <Cell *>(doc.base + block_of(cell))
        cdef Name *name
        self.open(b"{")
        for i in range(count):
            self.item(i == 0)
            name = name_at(names[i])
            self.put_string(name.text, name.length, not name.plain)
            self.colon()
            self.value(doc, items[i])
        return self.close(b"}", count == 0)


cdef inline char letter_of(unsigned char byte) noexcept:
    """The letter of a byte's short escape, or 0."""
    if byte == c'"' or byte == c"\\":
        return <char>byte
    if byte == c"\n":
        return c"n"
    if byte == c"\t":
        return c"t"
    if byte == c"\r":
        return c"r"
    if byte == c"\b":
        return c"b"
    return c"f" if byte == c"\f" else 0


cdef Printer new_printer(uint64_t expected):
    """A printer of compact text of about this size."""
    cdef Printer printer = Printer.__new__(Printer)
    printer.prepare(expected)
    printer.indent = printer.newline = printer.space = b""
    return printer


cdef bytes printed(const Doc *doc, Cell cell):
    """The compact text of a value."""
    cdef Printer printer = new_printer(64)
    printer.value(doc, cell)
    return printer.take()
