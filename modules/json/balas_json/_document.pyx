"""A document as commands see it: made from text, asked by path. Changes are in `_changes`."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from balas_json._cells cimport (
    ARRAY, DEPTH_MAX, NO, NOTHING, OBJECT, TEXT_DEPTH_MAX, YES, block_of, cell_at, child, count_of,
    depth_of, double_of, equal, int64_of, is_array, is_container, is_integer, is_number,
    is_string, kind_of, names_of, rebuild, release, set_count, share, size_of, text_of,
)
from balas_json._names cimport Name, leave_name, name_at
from balas_json._parser cimport parse
from balas_json._printer cimport Printer, new_printer, printed
from balas_json._search cimport search

from balas.api import Status

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void *addr, size_t length, int advice)
    int MADV_DONTNEED

cdef enum:
    PAGE_BYTES = 4096
    # Giving back this much memory takes about as long as giving up a value.
    SHED_BYTES = 1024
    # The object, and what the allocator keeps for it and its arena.
    OBJECT_BYTES = 72
    # Garbage below this is not worth a move.
    GARBAGE_MIN = 64

cdef object opening_array = Status("[")
cdef object opening_object = Status("{")
cdef object true_status = Status("true")
cdef object false_status = Status("false")


cdef str type_name(Cell cell):
    """What JSON.TYPE says."""
    if is_string(cell):
        return "string"
    if kind_of(cell) == OBJECT:
        return "object"
    if is_array(cell):
        return "array"
    if is_number(cell):
        return "integer" if is_integer(cell) else "number"
    return "null" if cell == NOTHING else "boolean"


cdef object number_of(const Doc *doc, Cell cell):
    """A number as Python has it; a whole one above 2**63 - 1 is a float."""
    cdef int64_t whole
    return whole if int64_of(doc, cell, &whole) else double_of(doc, cell)


cdef bytes name_text(uint32_t number):
    cdef Name *name = name_at(number)
    return name.text[:name.length]


cdef object value_of(const Doc *doc, Cell cell):
    """A value as a reply: lists, dicts, numbers, bytes."""
    cdef uint64_t length
    cdef const char *text
    cdef uint32_t i
    if is_string(cell):
        text = text_of(doc, &cell, &length)
        return text[:length]
    if is_number(cell):
        return number_of(doc, cell)
    if is_array(cell):
        return [value_of(doc, child(doc, cell, i)) for i in range(count_of(doc, cell))]
    if kind_of(cell) == OBJECT:
        return {
            name_text(names_of(doc, cell)[i]): value_of(doc, child(doc, cell, i))
            for i in range(count_of(doc, cell))
        }
    return None if cell == NOTHING else cell == YES


cdef object expanded(const Doc *doc, Cell cell, Printer outer):
    """A value as a reply; with a printer, a string or a container as text laid out by it."""
    cdef Printer printer
    if outer is None or not (is_string(cell) or is_container(cell)):
        return value_of(doc, cell)
    printer = Printer(64, outer.indent, outer.newline, outer.space)
    printer.value(doc, cell)
    return printer.take()


cdef object resp_of(const Doc *doc, Cell cell):
    """A value as JSON.RESP has it: a container is an array that its bracket opens."""
    cdef list items
    cdef uint32_t i
    if is_array(cell):
        items = [opening_array]
        for i in range(count_of(doc, cell)):
            items.append(resp_of(doc, child(doc, cell, i)))
        return items
    if kind_of(cell) == OBJECT:
        items = [opening_object]
        for i in range(count_of(doc, cell)):
            items.append(name_text(names_of(doc, cell)[i]))
            items.append(resp_of(doc, child(doc, cell, i)))
        return items
    if cell == YES:
        return true_status
    return false_status if cell == NO else value_of(doc, cell)


cdef int print_list(Printer printer, const Doc *doc, Found found) except -1:
    """Write the matches as an array."""
    cdef Py_ssize_t i
    printer.open(b"[")
    for i in range(found.size):
        printer.item(i == 0)
        printer.value(doc, found.items[i].cell)
    return printer.close(b"]", found.size == 0)


cdef int print_piece(
    Printer out, const Doc *doc, uint64_t place, bytes path, list left
) except -1:
    """Write a value as far as a text may be nested, null for what lies deeper.

    Of that, path and place are added to `left`.
    """
    cdef Cell cell = cell_at(doc, place)[0]
    cdef uint64_t block = block_of(cell)
    cdef bint named = kind_of(cell) == OBJECT
    cdef uint32_t i
    cdef Name *name
    if is_container(cell) and out.level == TEXT_DEPTH_MAX:
        left.append((path, place))
        return out.put(b"null", 4)
    if kind_of(cell) != ARRAY and not named:
        return out.value(doc, cell)
    out.open(b"{" if named else b"[")
    for i in range(count_of(doc, cell)):
        out.item(i == 0)
        step = b"[%d]" % i
        if named:
            name = name_at(names_of(doc, cell)[i])
            out.put_string(name.text, name.length, not name.plain)
            out.colon()
            text = name.text[:name.length].replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            step = b'["%b"]' % text
        print_piece(out, doc, block + 8 * <uint64_t>i, path + step, left)
    return out.close(b"}" if named else b"]", count_of(doc, cell) == 0)


cdef bint shed_last(Doc *doc) noexcept nogil:
    """Take the last value that holds no others out of what holds it; False if that is the root."""
    cdef uint64_t at = 0, last
    cdef uint32_t count
    cdef Cell cell = cell_at(doc, 0)[0], inner
    if not holds_cells(doc, cell):
        return False
    while True:
        count = count_of(doc, cell)
        last = block_of(cell) + 8 * <uint64_t>(count - 1)
        inner = cell_at(doc, last)[0]
        if not holds_cells(doc, inner):
            break
        at, cell = last, inner
    if kind_of(cell) == OBJECT:
        leave_name(names_of(doc, cell)[count - 1])
    set_count(doc, at, count - 1)
    return True


cdef inline bint holds_cells(const Doc *doc, Cell cell) noexcept nogil:
    return (kind_of(cell) == ARRAY or kind_of(cell) == OBJECT) and count_of(doc, cell) > 0


cdef bint shed_memory(Doc *doc, uint64_t size) noexcept nogil:
    """Give back the last pages of the arena, but not the first, in which the root stands; True
    while there is more.
    """
    cdef size_t first = (<size_t>doc.base + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES + PAGE_BYTES
    cdef size_t end = (<size_t>doc.base + doc.used) // PAGE_BYTES * PAGE_BYTES
    cdef size_t start = end - size // PAGE_BYTES * PAGE_BYTES
    if end <= first:
        return False
    if start < first or start > end:
        start = first
    # Not every system does it; then freeing does, all at once.
    if madvise(<void *>start, end - start, MADV_DONTNEED) != 0:
        return False
    doc.used = start - <size_t>doc.base
    return start > first


cdef class Document:
    """A JSON document; made by `parsed`."""

    def __dealloc__(self):
        if self.doc.base != NULL:
            release(&self.doc, cell_at(&self.doc, 0)[0])
            free(self.doc.base)

    def shed(self, int64_t effort) -> bool:
        """Give up about `effort` values of a document that nobody will look at any more, the last
        ones first, and then its memory; True while there is more.
        """
        while effort > 0 and shed_last(&self.doc):
            effort -= 1
        return effort <= 0 or shed_memory(&self.doc, effort * SHED_BYTES)

    cdef Cell root(self) noexcept:
        return cell_at(&self.doc, 0)[0]

    cdef Found find(self, Path path):
        """What a path selects."""
        return search(&self.doc, path, False, 0)

    cdef Found find_to_write(self, Path path):
        """The same, with a place for every match."""
        return search(&self.doc, path, True, 0)

    cdef int settle(self) except -1:
        """After a change: move the document together if much of it is garbage."""
        if self.doc.garbage > GARBAGE_MIN and self.doc.garbage > self.doc.used // 4:
            rebuild(&self.doc)
        return 0

    @property
    def memory(self) -> int:
        """Bytes it takes."""
        return self.doc.capacity + OBJECT_BYTES

    @property
    def kind(self) -> str:
        """The type of its root."""
        return type_name(self.root())

    def text(self) -> bytes:
        """The whole document as compact text."""
        cdef Printer printer = new_printer(self.doc.used + self.doc.used // 4)
        printer.value(&self.doc, self.root())
        return printer.take()

    def copy(self) -> Document:
        """An equal document that shares nothing but names."""
        cdef Document made = Document.__new__(Document)
        made.doc = self.doc
        made.doc.base = <char *>malloc(self.doc.used)
        if made.doc.base == NULL:
            raise MemoryError
        made.doc.capacity = self.doc.used
        memcpy(made.doc.base, self.doc.base, self.doc.used)
        share(&made.doc, made.root())
        return made

    def pieces(self) -> list:
        """Paths and texts that JSON.SET, one after the other, makes the document of again.

        There is one, unless the document is nested deeper than a text may be.
        """
        cdef Printer printer
        cdef list left = [(b"$", 0)], done = []
        if depth_of(&self.doc, self.root()) <= TEXT_DEPTH_MAX:
            return [(b"$", self.text())]
        for path, place in left:
            printer = new_printer(64)
            print_piece(printer, &self.doc, place, path, left)
            done.append((path, printer.take()))
        return done

    # --- text -----------------------------------------------------------------------------------

    cpdef bytes select(self, Path path):
        """All matches as the text of an array."""
        cdef Found found = self.find(path)
        cdef Printer printer = new_printer(
            64 if path.count else self.doc.used + self.doc.used // 4
        )
        print_list(printer, &self.doc, found)
        return printer.take()

    cpdef first(self, Path path):
        """The text of the first match, or None."""
        cdef Found found
        if not path.count:
            return self.text()
        found = search(&self.doc, path, False, 1)
        return printed(&self.doc, found.items[0].cell) if found.size else None

    def print_first(self, path: Path, printer: Printer) -> bytes | None:
        """The same, as `printer` lays it out."""
        cdef Found found = search(&self.doc, path, False, 1)
        if not found.size:
            return None
        (<Printer>printer).value(&self.doc, found.items[0].cell)
        return (<Printer>printer).take()

    def print_all(self, path: Path, printer: Printer) -> bytes:
        """All matches as an array."""
        print_list(printer, &self.doc, self.find(path))
        return (<Printer>printer).take()

    def print_paths(self, paths: list, printer: Printer, wrapped: bool) -> object:
        """The matches of several paths, each under its text.

        If they are `wrapped`, each in an array; else the first of each, and the result is the path
        that has none.
        """
        cdef Printer out = printer
        cdef Path path
        cdef Found found
        cdef bint first = True
        out.open(b"{")
        for path in paths:
            found = search(&self.doc, path, False, 0 if wrapped else 1)
            if not wrapped and not found.size:
                return path
            out.item(first)
            first = False
            out.put_string(path.text, len(path.text), True)
            out.colon()
            if wrapped:
                print_list(out, &self.doc, found)
            else:
                out.value(&self.doc, found.items[0].cell)
        out.close(b"}", first)
        return out.take()

    def texts(self, path: Path) -> list:
        """The text of each match."""
        cdef Found found = self.find(path)
        cdef Py_ssize_t i
        return [printed(&self.doc, found.items[i].cell) for i in range(found.size)]

    # --- facts ----------------------------------------------------------------------------------

    def values(self, path: Path, outer: Printer | None) -> list:
        """Each match as a reply; with a printer, strings and containers as text laid out by it."""
        cdef Found found = self.find(path)
        cdef Py_ssize_t i
        return [
            expanded(&self.doc, found.items[i].cell, <Printer>outer) for i in range(found.size)
        ]

    def resp(self, path: Path) -> list:
        """Each match as JSON.RESP has it."""
        cdef Found found = self.find(path)
        cdef Py_ssize_t i
        return [resp_of(&self.doc, found.items[i].cell) for i in range(found.size)]

    def types(self, path: Path) -> list:
        """The type of each match."""
        cdef Found found = self.find(path)
        cdef Py_ssize_t i
        return [type_name(found.items[i].cell) for i in range(found.size)]

    def lengths(self, path: Path, kind: str) -> list:
        """The length of each match that is an "array", "object" or "string"; else None.

        That of a string is in bytes.
        """
        cdef Found found = self.find(path)
        cdef Py_ssize_t i
        cdef Cell cell
        cdef uint64_t length
        cdef list lengths = []
        for i in range(found.size):
            cell = found.items[i].cell
            if type_name(cell) != kind:
                lengths.append(None)
            elif is_container(cell):
                lengths.append(count_of(&self.doc, cell))
            else:
                text_of(&self.doc, &cell, &length)
                lengths.append(length)
        return lengths

    def keys(self, path: Path) -> list:
        """The names of the members of each match; None for what is no object."""
        cdef Found found = self.find(path)
        cdef Py_ssize_t i
        cdef uint32_t j
        cdef Cell cell
        cdef list keys = []
        for i in range(found.size):
            cell = found.items[i].cell
            if kind_of(cell) != OBJECT:
                keys.append(None)
                continue
            keys.append([
                name_text(names_of(&self.doc, cell)[j]) for j in range(count_of(&self.doc, cell))
            ])
        return keys

    def sizes(self, path: Path) -> list:
        """Bytes that each match takes: its cell, and what it has in the arena."""
        cdef Found found = self.find(path)
        cdef Py_ssize_t i
        return [8 + size_of(&self.doc, found.items[i].cell) for i in range(found.size)]

    def indexes(self, path: Path, value: Document, start: int, stop: int) -> list:
        """Where `value` stands in each match from `start` up to `stop`, which is left out and, if
        0, is the end. -1 if it does not; None for what is no array.
        """
        cdef Found found = self.find(path)
        cdef Document sought = value
        cdef Py_ssize_t i
        cdef Cell cell
        cdef list places = []
        cdef int64_t count
        for i in range(found.size):
            cell = found.items[i].cell
            if not is_array(cell):
                places.append(None)
                continue
            count = count_of(&self.doc, cell)
            first = max(start + count, 0) if start < 0 else min(start, max(count - 1, 0))
            last = count if stop == 0 else max(stop + count, 0) if stop < 0 else min(stop, count)
            places.append(self.index_of(cell, sought, first, last))
        return places

    cdef int64_t index_of(self, Cell array, Document sought, int64_t first, int64_t last):
        cdef int64_t i
        cdef Cell value = sought.root()
        for i in range(first, last):
            if equal(&self.doc, child(&self.doc, array, <uint32_t>i), &sought.doc, value):
                return i
        return -1

    def check_invariants(self) -> None:
        """Raise AssertionError unless the arena is what it says it is."""
        live = 8 + size_of(&self.doc, self.root())
        assert self.doc.used <= self.doc.capacity
        assert live + self.doc.garbage <= self.doc.used
        # The rest is what alignment has cost.
        assert parsed(self.text(), "", True).text() == self.text()


cpdef Document parsed(bytes text, str prefix="", bint deep=False):
    """A document from its text; ReplyError, with `prefix` before it, if it is no JSON.

    `deep` allows as much nesting as changes can bring about, and not only what a client may send.
    """
    cdef Document made = Document.__new__(Document)
    try:
        parse(&made.doc, text, prefix, DEPTH_MAX if deep else TEXT_DEPTH_MAX)
    except BaseException:
        free(made.doc.base)
        made.doc.base = NULL
        raise
    return made
