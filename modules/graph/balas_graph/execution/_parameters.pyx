"""Reads what stands behind CYPHER, where it is made of plain literals: as clients write it.

Their values can be long lists, which would take long to cut into tokens and to compile.
"""

from cpython.unicode cimport PyUnicode_READ_CHAR

# Words that would go on with the expression a literal has begun.
OPERATORS = frozenset(
    ("AND", "OR", "XOR", "NOT", "IN", "IS", "STARTS", "ENDS", "CONTAINS", "CYPHER")
)
WORDS = {"TRUE": True, "FALSE": False, "NULL": None}
cdef Py_ssize_t DEPTH_MAX = 30


class Other(Exception):
    """The text needs the whole parser."""


def read(str text):
    """The parameters, and where the query behind them begins; None to have it parsed in full."""
    if text[:6].upper() != "CYPHER":
        return None
    cdef Reader reader = Reader(text)
    try:
        return reader.parameters(), reader.at
    except Other:
        return None


cdef class Reader:
    """A place in a text."""

    cdef str text
    cdef readonly Py_ssize_t at
    cdef Py_ssize_t end, depth

    def __init__(self, str text):
        self.text = text
        self.at = 6
        self.end = len(text)
        self.depth = 0

    cdef inline Py_UCS4 peek(self):
        return PyUnicode_READ_CHAR(self.text, self.at) if self.at < self.end else 0

    cdef inline int blanks(self) except -1:
        """Pass over white space."""
        cdef Py_UCS4 c = self.peek()
        while c == 32 or c == 10 or c == 13 or c == 9:
            self.at += 1
            c = self.peek()
        return 0

    cdef str word(self):
        """A name; empty if there is none."""
        cdef Py_ssize_t start = self.at
        cdef Py_UCS4 c = self.peek()
        while (
            97 <= c <= 122 or 65 <= c <= 90 or c == 95 or (48 <= c <= 57 and self.at > start)
        ):
            self.at += 1
            c = self.peek()
        if c > 127:
            raise Other
        return self.text[start:self.at]

    cdef dict parameters(self):
        """name=literal, again and again."""
        cdef dict found = {}
        cdef Py_ssize_t start
        cdef str name
        if self.peek() not in " \n\r\t":
            raise Other
        while True:
            self.blanks()
            start = self.at
            name = self.word()
            if not name:
                raise Other
            self.blanks()
            if self.peek() != u"=":
                self.at = start
                if name.upper() in OPERATORS:
                    raise Other
                return found
            self.at += 1
            self.blanks()
            found[name] = self.value()
            if self.peek() not in " \n\r\t":
                raise Other

    cdef object value(self):
        """One literal."""
        cdef Py_UCS4 c = self.peek()
        cdef Py_ssize_t start
        if c == u"[":
            return self.several(False)
        if c == u"{":
            return self.several(True)
        if c == u"'" or c == u'"':
            start = self.at + 1
            place = self.text.find("'" if c == u"'" else '"', start)
            if place < 0:
                raise Other
            piece = self.text[start:place]
            if "\\" in piece:
                raise Other
            self.at = place + 1
            return piece
        if c == u"-" or 48 <= c <= 57:
            return self.number()
        name = self.word().upper()
        if name not in WORDS:
            raise Other
        return WORDS[name]

    cdef object number(self):
        """An integer or a float with digits on both sides of its point."""
        cdef Py_ssize_t start = self.at
        cdef bint whole = True
        cdef Py_UCS4 c
        cdef long long total = 0
        if self.peek() == u"-":
            self.at += 1
        cdef Py_ssize_t first = self.at
        c = self.peek()
        while 48 <= c <= 57:
            total = total * 10 + (<int> c - 48)
            self.at += 1
            c = self.peek()
        if self.at == first or self.at - first > 18:
            raise Other
        if c == u".":
            whole = False
            self.at += 1
            first = self.at
            c = self.peek()
            while 48 <= c <= 57:
                self.at += 1
                c = self.peek()
            if self.at == first:
                raise Other
        if 97 <= c <= 122 or 65 <= c <= 90 or c == 95 or c == u"." or c > 127:
            raise Other
        if whole:
            return -total if PyUnicode_READ_CHAR(self.text, start) == u"-" else total
        return float(self.text[start:self.at])

    cdef object several(self, bint keyed):
        """[a, b], or {a: 1, b: 2} if keyed."""
        cdef Py_UCS4 close = u"}" if keyed else u"]"
        cdef list found = []
        cdef dict pairs = {}
        self.deeper()
        self.at += 1
        self.blanks()
        while self.peek() != close:
            if keyed:
                name = self.key()
                pairs[name] = self.value()
            else:
                found.append(self.value())
            self.blanks()
            if self.peek() == u",":
                self.at += 1
                self.blanks()
                if self.peek() == close:
                    raise Other
            elif self.peek() != close:
                raise Other
        self.at += 1
        self.depth -= 1
        return pairs if keyed else found

    cdef str key(self):
        """A name and the colon behind it."""
        cdef str name = self.word()
        self.blanks()
        if not name or self.peek() != u":":
            raise Other
        self.at += 1
        self.blanks()
        return name

    cdef int deeper(self) except -1:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Other
        return 0
