"""Paths, compiled: `$.store.book[?(@.price < 10)].title`, or `.store.book[0].title` as it once was.

A path that begins with `$` is a JSONPath and selects any number of values. All others are legacy
paths, which mean one value: `.` is the root, `.a` and `a` are `$.a`.

The grammar is that of RedisJSON. What it refuses and RFC 9535 allows is allowed here as well:
`!` in filters; the functions length, count, value, match and search; slices backwards; unions of
different selectors; names and escapes beyond ASCII. Where the two contradict each other it is
RedisJSON's way: an index before the first item means the first item; a filter's path that selects
several values is as good as none; and a filter may choose a scalar itself, where the RFC looks at
children only, so that `$..[?(@>1)]` selects most numbers twice.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport INT64_MAX, uint32_t
from libc.stdlib cimport free
from libc.string cimport memset

from balas_json._cells cimport TEXT_DEPTH_MAX, cell_at, release
from balas_json._names cimport hash_of
from balas_json._parser cimport parse

from balas.api import ReplyError

cdef enum:
    # Conditions in brackets in brackets, and filters in filters.
    NESTING_MAX = 64
    # Steps and conditions of one text: each may be a call in a call when the path is followed.
    PARTS_MAX = 4096
    # Longer texts are not worth the memory that a cache of them would take.
    KEPT_MAX = 1024

cdef str IN_BRACKETS = "'<string>[,<string>,...]', '<number>', ['start:end:steps'], '*'"
cdef str NO_NAMES = "'<number>', ['start:end:steps']"
cdef str OPERAND = "decimal, from_current, from_root, boolean_true, boolean_false, null"
cdef str OPERATOR = "ge, gt, le, lt, eq, ne, re, and, or, '..'"
cdef dict OPERATIONS = {
    b"==": EQ, b"!=": NE, b"<=": LE, b">=": GE, b"=~": MATCHES, b"<": LT, b">": GT,
}
cdef dict FUNCTIONS = {
    b"length": (LENGTH, 1), b"count": (COUNT, 1), b"value": (VALUE, 1),
    b"match": (MATCH, 2), b"search": (SEARCH, 2),
}
cdef dict ESCAPES = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"/": b"/", b"\\": b"\\",
    b'"': b'"', b"'": b"'",
}


cdef class Term:
    """One side of a comparison."""

    def __dealloc__(self):
        if self.doc.base != NULL:
            release(&self.doc, cell_at(&self.doc, 0)[0])
            free(self.doc.base)


cdef class Condition:
    """What a filter asks of a value."""


cdef class Path:
    """A compiled path: steps, each a choice among the children of what the step before selected."""

    def __cinit__(self):
        self.held = []

    def __dealloc__(self):
        PyMem_Free(self.steps)
        PyMem_Free(self.selectors)

    @property
    def is_root(self) -> bool:
        """Whether it selects the whole document."""
        return self.count == 0

    @property
    def is_static(self) -> bool:
        """Whether it can select one value at most."""
        return self.selects_one()

    cdef bint selects_one(self) noexcept:
        cdef uint32_t i
        for i in range(self.count):
            if self.steps[i].deep or self.steps[i].count != 1:
                return False
            if self.selectors[self.steps[i].first].choice > INDEX:
                return False
        return True

    cdef int add_step(self, bint deep) except -1:
        cdef void *moved
        if self.count & (self.count - 1) == 0:
            moved = PyMem_Realloc(self.steps, (self.count * 2 or 1) * sizeof(Step))
            if moved == NULL:
                raise MemoryError
            self.steps = <Step *>moved
        self.steps[self.count].deep = deep
        self.steps[self.count].first = self.selector_count
        self.steps[self.count].count = 0
        self.count += 1
        return 0

    cdef Selector *add_selector(self, Choice choice) except NULL:
        """A further selector of the last step."""
        cdef void *moved
        cdef Selector *made
        if self.selector_count & (self.selector_count - 1) == 0:
            moved = PyMem_Realloc(
                self.selectors, (self.selector_count * 2 or 1) * sizeof(Selector)
            )
            if moved == NULL:
                raise MemoryError
            self.selectors = <Selector *>moved
        made = &self.selectors[self.selector_count]
        memset(made, 0, sizeof(Selector))
        made.choice = choice
        self.filters = self.filters or choice == FILTER
        self.selector_count += 1
        self.steps[self.count - 1].count += 1
        return made

    cdef int add_key(self, bytes key) except -1:
        cdef Selector *made = self.add_selector(KEY)
        self.held.append(key)
        made.key = PyBytes_AS_STRING(key)
        made.length = <uint32_t>PyBytes_GET_SIZE(key)
        made.hashed = hash_of(made.key, made.length)
        return 0


cdef inline bint is_literal(unsigned char byte) noexcept:
    """Whether a name may contain it without brackets."""
    if c"a" <= byte <= c"z" or c"A" <= byte <= c"Z" or c"/" <= byte <= c":" or byte & 0x80:
        return True
    return byte in (c"_", c"-", c"$", c"#", c"%", c"+", c"^", c"`", c"~")


cdef class Compiler:
    """Reads a path once, from left to right."""

    cdef bytes text
    cdef const char *chars
    cdef Py_ssize_t at
    cdef Py_ssize_t size
    cdef int nesting
    cdef int parts

    def __cinit__(self, bytes text):
        self.text = text
        self.chars = PyBytes_AS_STRING(text)
        self.size = PyBytes_GET_SIZE(text)

    cdef int fail(self, str expected, Py_ssize_t at=-1) except -1:
        """Raise for what stands here, or at another place."""
        cdef str before, after
        if at < 0:
            at = self.at
        before = self.text[:at].decode("utf-8", "replace")
        after = self.text[at:].decode("utf-8", "replace")
        mark = f"{before} ---->>>> {after}" if after else f"{before} <<<<----"
        raise ReplyError(
            f'Error occurred on position {at}, "{mark}", '
            f"expected one of the following: {expected}."
        )

    cdef int count_part(self) except -1:
        self.parts += 1
        if self.parts > PARTS_MAX:
            raise ReplyError("ERR the path has too many steps or conditions")
        return 0

    cdef inline char peek(self) noexcept:
        """The next byte, or 0 at the end (a path has no byte 0 that means anything)."""
        return self.chars[self.at] if self.at < self.size else 0

    cdef inline int blanks(self) noexcept:
        while self.at < self.size and self.chars[self.at] == c" ":
            self.at += 1
        return 0

    cdef inline bint eat(self, char byte) noexcept:
        """Go past blanks and this byte, if it is next."""
        self.blanks()
        if self.at < self.size and self.chars[self.at] == byte:
            self.at += 1
            return True
        return False

    # --- steps ----------------------------------------------------------------------------------

    cdef int steps(self, Path path) except -1:
        """Read steps as long as there are any."""
        cdef bint deep
        while True:
            self.blanks()
            if self.peek() == c"[":
                self.at += 1
                path.add_step(False)
                self.brackets(path)
                continue
            if self.peek() != c".":
                return 0
            self.at += 1
            self.count_part()
            deep = self.peek() == c"."
            if deep:
                self.at += 1
            path.add_step(deep)
            self.blanks()
            if self.eat(c"*"):
                path.add_selector(ALL)
            elif self.eat(c"["):
                self.brackets(path)
            else:
                path.add_key(self.literal("<string>, '*'"))

    cdef bytes literal(self, str expected):
        """A name without quotes."""
        cdef Py_ssize_t start = self.at
        while self.at < self.size and is_literal(<unsigned char>self.chars[self.at]):
            self.at += 1
        if self.at == start:
            self.fail(expected)
        return self.text[start:self.at]

    cdef int brackets(self, Path path) except -1:
        """Read selectors up to the closing bracket."""
        cdef Py_ssize_t start
        cdef Choice choice
        self.blanks()
        start = self.at
        while True:
            self.blanks()
            self.count_part()
            self.selector(path)
            choice = path.selectors[path.selector_count - 1].choice
            if self.eat(c"]"):
                return 0
            if choice == FILTER:
                self.fail_unless_comma("and, or", self.at)
            elif choice == KEY:
                self.fail_unless_comma(NO_NAMES, start)
            else:
                self.fail_unless_comma(NO_NAMES, self.at)

    cdef int fail_unless_comma(self, str expected, Py_ssize_t at) except -1:
        """Go past a comma between two selectors."""
        self.blanks()
        if not self.eat(c",") or self.at == self.size or self.peek() == c"]":
            self.fail(expected, at)
        return 0

    cdef int selector(self, Path path) except -1:
        cdef char byte = self.peek()
        cdef Selector *made
        if byte == c"'" or byte == c'"':
            path.add_key(self.quoted(IN_BRACKETS))
        elif byte == c"*":
            self.at += 1
            path.add_selector(ALL)
        elif byte == c"?":
            self.at += 1
            condition = self.condition()
            path.held.append(condition)
            path.add_selector(FILTER).condition = <void *>condition
        elif byte == c"-" or byte == c":" or c"0" <= byte <= c"9":
            made = path.add_selector(INDEX)
            self.numbers(made)
        else:
            self.fail(IN_BRACKETS)
        return 0

    cdef int numbers(self, Selector *made) except -1:
        """Read an index or a slice."""
        cdef Py_ssize_t start = self.at
        self.blanks()
        if self.peek() != c":":
            made.start = self.number(start)
            made.has_start = True
        if not self.eat(c":"):
            return 0
        made.choice = SLICE
        made.step = 1
        self.blanks()
        if self.peek() == c"-" or c"0" <= self.peek() <= c"9":
            made.stop = self.number(start)
            made.has_stop = True
        if self.eat(c":"):
            self.blanks()
            if self.peek() == c"-" or c"0" <= self.peek() <= c"9":
                start = self.at
                made.step = self.number(start)
                if made.step == 0:
                    self.fail("pos_number", start)
        return 0

    cdef int64_t number(self, Py_ssize_t start) except? -1:
        """A whole number; beyond 64 bits the largest, which is as far outside of any array."""
        cdef bint negative = self.peek() == c"-"
        cdef int64_t value = 0
        cdef Py_ssize_t first
        if negative:
            self.at += 1
        first = self.at
        while c"0" <= self.peek() <= c"9":
            if value < INT64_MAX // 10:
                value = value * 10 + self.peek() - c"0"
            else:
                value = INT64_MAX
            self.at += 1
        if self.at == first or (self.chars[first] == c"0" and self.at > first + 1):
            self.fail(NO_NAMES, start)
        return -value if negative else value

    cdef bytes quoted(self, str expected):
        """A string in single or double quotes."""
        cdef Py_ssize_t start = self.at, run
        cdef char quote = self.chars[self.at]
        cdef list parts = []
        self.at += 1
        run = self.at
        while self.peek() != quote:
            if self.at >= self.size:
                self.fail(expected, start)
            if self.peek() == c"\\":
                parts.append(self.text[run:self.at])
                parts.append(self.escape(start, expected))
                run = self.at
            else:
                self.at += 1
        parts.append(self.text[run:self.at])
        self.at += 1
        return b"".join(parts)

    cdef bytes escape(self, Py_ssize_t start, str expected):
        cdef bytes letter = self.text[self.at + 1:self.at + 2]
        if letter == b"u":
            try:
                return self.unicode_escape()
            except ValueError:
                self.fail(expected, start)
        if letter not in ESCAPES:
            self.fail(expected, start)
        self.at += 2
        return ESCAPES[letter]

    cdef bytes unicode_escape(self):
        """The UTF-8 of one escape, or of a pair of them."""
        code = int(self.text[self.at + 2:self.at + 6], 16)
        self.at += 6
        if 0xD800 <= code < 0xDC00 and self.text[self.at:self.at + 2] == b"\\u":
            code = 0x10000 + ((code - 0xD800) << 10) + (
                int(self.text[self.at + 2:self.at + 6], 16) - 0xDC00
            )
            self.at += 6
        return chr(code).encode()

    # --- filters --------------------------------------------------------------------------------

    cdef Condition condition(self):
        """Read conditions joined by ||, each of them joined by &&."""
        cdef Condition left, joined
        self.nesting += 1
        if self.nesting > NESTING_MAX:
            raise ReplyError("ERR the path has too many filters in one another")
        left = self.conjunction()
        while self.text[self.at:self.at + 2] == b"||":
            self.at += 2
            joined = Condition()
            joined.operation = OR
            joined.left = left
            joined.right = self.conjunction()
            left = joined
        self.nesting -= 1
        return left

    cdef Condition conjunction(self):
        cdef Condition left = self.single(), joined
        self.blanks()
        while self.text[self.at:self.at + 2] == b"&&":
            self.at += 2
            joined = Condition()
            joined.operation = AND
            joined.left = left
            joined.right = self.single()
            left = joined
            self.blanks()
        return left

    cdef Condition single(self):
        """A condition in brackets, a negation, a comparison, or one term."""
        cdef Condition made
        self.count_part()
        self.blanks()
        if self.eat(c"("):
            made = self.condition()
            if not self.eat(c")"):
                self.fail("and, or")
            return made
        made = Condition()
        if self.peek() == c"!" and self.text[self.at + 1:self.at + 2] != b"=":
            self.at += 1
            self.nesting += 1
            if self.nesting > NESTING_MAX:
                raise ReplyError("ERR the path has too many filters in one another")
            made.operation = NOT
            made.left = self.single()
            self.nesting -= 1
            return made
        made.one = self.term("single_filter")
        made.operation = <Operation><int>self.operator()
        if made.operation != TRUTH:
            made.other = self.term(OPERAND)
        return made

    cdef object operator(self):
        """The comparison that stands here, or TRUTH."""
        cdef char byte
        self.blanks()
        for size in (2, 1):
            found = OPERATIONS.get(self.text[self.at:self.at + size])
            if found is not None:
                self.at += size
                return found
        byte = self.peek()
        if byte != c")" and byte != c"]" and byte != c"," and byte != c"&" and byte != c"|":
            self.fail(OPERATOR)
        return TRUTH

    cdef Term term(self, str expected):
        cdef char byte
        cdef Term made = Term()
        self.blanks()
        byte = self.peek()
        if byte == c"@" or byte == c"$":
            self.at += 1
            made.source = CURRENT if byte == c"@" else ROOT
            made.path = Path()
            self.steps(made.path)
            return made
        if byte == c"'" or byte == c'"':
            return self.text_literal(made, expected)
        if byte == c"-" or c"0" <= byte <= c"9":
            return self.number_literal(made, expected)
        if not c"a" <= byte <= c"z":
            self.fail(expected)
        return self.word(made, expected)

    cdef Term number_literal(self, Term made, str expected):
        cdef Py_ssize_t start = self.at
        cdef char byte
        while True:
            byte = self.peek()
            if not (c"0" <= byte <= c"9" or byte in (c"-", c"+", c".", c"e", c"E")):
                break
            self.at += 1
        return self.literal_term(made, self.text[start:self.at], start, expected)

    cdef Term text_literal(self, Term made, str expected):
        from json import dumps
        cdef Py_ssize_t start = self.at
        cdef bytes raw = self.quoted(expected)
        text = dumps(raw.decode("utf-8", "replace")).encode()
        return self.literal_term(made, text, start, expected)

    cdef Term literal_term(self, Term made, bytes text, Py_ssize_t start, str expected):
        made.source = LITERAL
        try:
            parse(&made.doc, text, "", TEXT_DEPTH_MAX)
        except ReplyError:
            self.fail(expected, start)
        return made

    cdef Term word(self, Term made, str expected):
        """true, false, null, or a function."""
        cdef Py_ssize_t start = self.at
        cdef bytes name
        while c"a" <= self.peek() <= c"z":
            self.at += 1
        name = self.text[start:self.at]
        if name in (b"true", b"false", b"null"):
            return self.literal_term(made, name, start, expected)
        if name not in FUNCTIONS or not self.eat(c"("):
            self.fail(expected, start)
        source, arguments = FUNCTIONS[name]
        made.source = <Source><int>source
        self.nesting += 1
        if self.nesting > NESTING_MAX:
            raise ReplyError("ERR the path has too many filters in one another")
        made.first = self.term(OPERAND)
        if arguments == 2:
            if not self.eat(c","):
                self.fail("','")
            made.second = self.term(OPERAND)
        self.nesting -= 1
        if not self.eat(c")"):
            self.fail("')'")
        return made


cpdef Path compiled(bytes text):
    """A path from its text; ReplyError says where it makes no sense."""
    cdef Path path = Path()
    cdef Compiler compiler
    cdef const char *chars = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    path.text = text
    path.legacy = size == 0 or chars[0] != c"$" or (
        size > 1 and chars[1] != c"." and chars[1] != c"["
    )
    if not path.legacy:
        path.full = text
    elif text == b".":
        path.full = b"$"
    else:
        path.full = (b"$" if size and chars[0] == c"." else b"$.") + text
    compiler = Compiler(path.full)
    compiler.at = 1
    compiler.steps(path)
    compiler.blanks()
    if compiler.at < compiler.size:
        compiler.fail("EOI, '..'")
    return path


cdef class PathCache:
    """The paths that were used last, by their text; those that were not used longest go first."""

    cdef dict paths
    cdef Py_ssize_t size
    cdef Path latest

    def __init__(self, size: int) -> None:
        self.paths = {}
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    cpdef Path get(self, bytes text):
        """The compiled path; raises as `compiled` does."""
        cdef Path path = self.latest
        if path is not None and (path.text is text or path.text == text):
            return path
        path = <Path>self.paths.pop(text, None)
        if path is None:
            path = compiled(text)
            if PyBytes_GET_SIZE(text) > KEPT_MAX:
                return path
            if len(self.paths) >= self.size:
                del self.paths[next(iter(self.paths))]
        self.paths[text] = path  # at the end: the order of the dict is the order of use
        self.latest = path
        return path
