"""Rows of a reply in RESP2 that consist of keys and fields of hashes: what most queries ask for.

A row is the key of a document and the flat list of its fields, None where there is no hash any
more. Loops are compiled here, because a page of ten rows takes longer than finding them.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.math cimport fabs
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp

from balas_search.index.documents import HASH_TYPE
from balas_search.index.tables cimport DocumentTable, NumberColumn
from balas_search.results.loading import KEY_NAME, as_number
from balas_search.results.order import number_text

cdef str hash_type = HASH_TYPE
cdef bytes key_name = KEY_NAME

cdef enum:
    PLAIN
    NUMBER                         # a text that is shown as the number it means
    KEPT                           # a number that the index has in a column
    KEY
    HIDDEN


cdef inline bint equal(bytes one, bytes other) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(one)
    return size == PyBytes_GET_SIZE(other) and not memcmp(
        PyBytes_AS_STRING(one), PyBytes_AS_STRING(other), size
    )


cdef class WholeRows:
    """Rows with all that the hashes hold, in the order in which names came up first in any of them.

    `known` has the places of names that come before all others; `hidden` are never shown.
    """

    cdef object peek
    cdef object now_ms
    cdef dict known
    cdef object hidden
    cdef list usual                # the names of a row whose order was right: the next has the same

    def __init__(self, peek, now_ms: int, known: dict, hidden: set):
        self.peek = peek
        self.now_ms = now_ms
        self.known = known
        self.hidden = hidden
        self.usual = []

    def add(self, list made not None, list keys not None) -> None:
        """Append the rows of these documents to a reply."""
        cdef list flat
        for key in keys:
            made.append(key)
            value = self.peek(key)
            if getattr(value, "type_name", None) != hash_type:
                made.append(None)
                continue
            flat = value.flat(self.now_ms)
            made.append(flat if self.is_usual(flat) else self.arranged(flat))

    cdef bint is_usual(self, list flat) except -1:
        cdef Py_ssize_t count = len(self.usual), i
        if count == 0 or len(flat) != 2 * count:
            return False
        for i in range(count):
            if not equal(<bytes> flat[2 * i], <bytes> self.usual[i]):
                return False
        return True

    cdef list arranged(self, list flat):
        cdef list pairs = [
            (flat[i], flat[i + 1]) for i in range(0, len(flat), 2) if flat[i] not in self.hidden
        ]
        cdef Py_ssize_t last = -1
        cdef Py_ssize_t place
        cdef bint in_order = True
        for name, _ in pairs:
            place = self.known.setdefault(name, len(self.known))
            in_order = in_order and place > last
            last = place
        if not in_order:
            pairs.sort(key=lambda pair: self.known[pair[0]])
        elif 2 * len(pairs) == len(flat):
            self.usual = [name for name, _ in pairs]
        return [part for pair in pairs for part in pair]


cdef class ChosenRows:
    """Rows with some fields: RETURN. `fields` has for each its name, its label, its name in the
    hash, whether it is a number, and the column that the index has of it, or None.
    """

    cdef object read
    cdef DocumentTable documents
    cdef tuple names
    cdef list labels
    cdef list columns
    cdef list kinds
    cdef bint any_kept

    def __init__(self, read, DocumentTable documents not None, fields, hidden: set):
        self.read = read
        self.documents = documents
        self.names = tuple([identifier for _, _, identifier, _, _ in fields])
        self.labels = [label for _, label, _, _, _ in fields]
        self.columns = [column for _, _, _, _, column in fields]
        self.kinds = []
        for name, label, _, is_number, column in fields:
            if name == key_name:
                self.kinds.append(KEY)
            elif label in hidden:
                self.kinds.append(HIDDEN)
            elif isinstance(column, NumberColumn):
                self.kinds.append(KEPT)
                self.any_kept = True
            else:
                self.kinds.append(NUMBER if is_number else PLAIN)

    def add(self, list made not None, list keys not None) -> None:
        """Append the rows of these documents to a reply."""
        cdef Py_ssize_t i
        cdef int kind
        cdef uint32_t doc = 0
        cdef list values, row
        for key in keys:
            made.append(key)
            values = self.read(key, self.names)
            if values is None:
                made.append(None)
                continue
            if self.any_kept:
                doc = self.documents.id_of(key)
            row = []
            for i in range(len(values)):
                kind = self.kinds[i]
                shown = values[i]
                if kind == KEY:
                    shown = key
                elif kind == HIDDEN:
                    shown = None
                elif kind == KEPT:
                    shown = kept(<NumberColumn> self.columns[i], doc, shown)
                elif kind == NUMBER and shown is not None:
                    shown = as_number(shown)
                if shown is not None:
                    row.append(self.labels[i])
                    row.append(shown)
            made.append(row)


cdef object kept(NumberColumn column, uint32_t doc, object text):
    """What is shown of a number that the index has; where it has none, what the hash has."""
    cdef double number = column.number(doc)
    if number != number:
        return None if text is None else as_number(text)
    if fabs(number) < 1e15 and number == <double> <int64_t> number:
        return b"%d" % <int64_t> number
    return number_text(number)
