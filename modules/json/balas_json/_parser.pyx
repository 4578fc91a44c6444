"""JSON text to a document, in one pass.

Values are read bottom up: the items of a container gather on a stack, and when it closes they go
into the arena as one block. A name is looked up once and is a number from then on. What the grammar
allows, and the words for what it does not, are those of RedisJSON (which has them from serde_json):
the line, and the column of the last byte that was looked at.

Text behind the value is refused, where RedisJSON 2.8 stores the value and forgets the rest.
Numbers that need it are rounded exactly; RedisJSON's are off by one unit in the last place at
times.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport isinf
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport strtod
from libc.string cimport memcpy

from balas_json._cells cimport (
    DECIMAL_HIGH, DECIMAL_LOW, NO, NOTHING, YES, Cell, Doc, array_cell, cell_at,
    decimal_cell, double_cell, object_cell, release, reserve, signed_cell, text_cell, trim,
    unsigned_cell,
)
from balas_json._names cimport (
    NO_NAME, Name, leave_name, name_at, new_mark, take_name,
)
from balas_json._numbers cimport POWERS

from balas.api import ReplyError

cdef enum:
    # Items that gather without an allocation.
    ITEMS_FIRST = 256
    # Objects of fewer members are searched for double names by comparing all with all.
    PAIRWISE_MAX = 8
    NUMBER_TEXT = 64

cdef uint64_t ONES = 0x0101010101010101ULL
cdef uint64_t TOPS = 0x8080808080808080ULL

cdef struct Parser:
    const char *start
    const char *at
    const char *end
    Doc *doc
    Cell *items
    uint32_t *names       # beside each item its name, or NO_NAME
    uint64_t size
    uint64_t capacity
    int depth
    int depth_max
    bint beyond_ascii
    void *prefix
    char *scratch         # where strings with escapes are put together
    uint64_t scratch_size
    Cell[256] first_items
    uint32_t[256] first_names


cdef int fail(Parser *p, str what, const char *at) except -1:
    """Raise for a fault that was seen when the bytes up to `at` had been looked at."""
    cdef const char *place = p.start
    cdef uint64_t line = 1, column = 0
    if at > p.end:
        at = p.end
    while place < at:
        column += 1
        if place[0] == c"\n":
            line += 1
            column = 0
        place += 1
    raise ReplyError(f"{<str>p.prefix}{what} at line {line} column {column}")


cdef inline int skip_blanks(Parser *p) noexcept:
    """The next byte that is no blank, or -1 at the end."""
    cdef const char *at = p.at
    cdef const char *end = p.end
    cdef unsigned char byte
    while at < end:
        byte = <unsigned char>at[0]
        # Nearly always the first look decides.
        if byte > 32 or (byte != c" " and byte != c"\n" and byte != c"\t" and byte != c"\r"):
            p.at = at
            return byte
        at += 1
    p.at = at
    return -1


cdef int push(Parser *p, uint32_t name, Cell item) except -1:
    """Put an item onto the stack; it answers for the reference to its name."""
    cdef Cell *items
    cdef uint32_t *names
    cdef uint64_t capacity
    if p.size == p.capacity:
        capacity = p.capacity * 2
        items = <Cell *>PyMem_Malloc(capacity * sizeof(Cell))
        names = <uint32_t *>PyMem_Malloc(capacity * sizeof(uint32_t))
        if items == NULL or names == NULL:
            PyMem_Free(items)
            PyMem_Free(names)
            raise MemoryError
        memcpy(items, p.items, p.size * sizeof(Cell))
        memcpy(names, p.names, p.size * sizeof(uint32_t))
        free_stack(p)
        p.items = items
        p.names = names
        p.capacity = capacity
    p.items[p.size] = item
    p.names[p.size] = name
    p.size += 1
    return 0


cdef void free_stack(Parser *p) noexcept:
    if p.items != p.first_items:
        PyMem_Free(p.items)
        PyMem_Free(p.names)


# --- strings --------------------------------------------------------------------------------------

cdef inline const char *find_special(Parser *p, const char *at) noexcept:
    """The first quote, backslash or control character from `at` on, or the end."""
    cdef uint64_t word, quote, slash, hits
    cdef unsigned char byte
    while p.end - at >= 8:
        memcpy(&word, at, 8)
        quote = word ^ (ONES * <uint64_t>c'"')
        slash = word ^ (ONES * <uint64_t>c"\\")
        hits = (((quote - ONES) & ~quote) | ((slash - ONES) & ~slash)
                | ((word - ONES * 32) & ~word)) & TOPS
        if word & TOPS:
            p.beyond_ascii = True
        if hits:
            break
        at += 8
    while at < p.end:
        byte = <unsigned char>at[0]
        if byte < 32 or byte == c'"' or byte == c"\\":
            return at
        if byte & 0x80:
            p.beyond_ascii = True
        at += 1
    return at


cdef int hex_digits(Parser *p, const char *at) except -1:
    """Four hexadecimal digits of an escape."""
    cdef int value = 0, i
    cdef char byte
    if p.end - at < 4:
        fail(p, "EOF while parsing a string", p.end)
    for i in range(4):
        byte = at[i]
        if c"0" <= byte <= c"9":
            value = value * 16 + byte - c"0"
        elif c"a" <= (byte | 32) <= c"f":
            value = value * 16 + (byte | 32) - c"a" + 10
        else:
            fail(p, "invalid escape", at + i + 1)
    return value


cdef const char *read_code(Parser *p, const char *at, char **out) except NULL:
    r"""The character behind `\u`, as UTF-8; two escapes where it takes two."""
    cdef uint32_t code = hex_digits(p, at), second
    cdef char *to = out[0]
    at += 4
    if 0xDC00 <= code <= 0xDFFF:
        fail(p, "lone leading surrogate in hex escape", at)
    if 0xD800 <= code <= 0xDBFF:
        if at >= p.end or at[0] != c"\\":
            fail(p, "unexpected end of hex escape", at + 1)
        if p.end - at < 2 or at[1] != c"u":
            fail(p, "unexpected end of hex escape", at + 2)
        second = hex_digits(p, at + 2)
        at += 6
        if not 0xDC00 <= second <= 0xDFFF:
            fail(p, "lone leading surrogate in hex escape", at)
        code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00)
        to[0] = <char>(0xF0 | (code >> 18))
        to[1] = <char>(0x80 | ((code >> 12) & 63))
        to[2] = <char>(0x80 | ((code >> 6) & 63))
        to[3] = <char>(0x80 | (code & 63))
        out[0] = to + 4
    elif code < 0x80:
        to[0] = <char>code
        out[0] = to + 1
    elif code < 0x800:
        to[0] = <char>(0xC0 | (code >> 6))
        to[1] = <char>(0x80 | (code & 63))
        out[0] = to + 2
    else:
        to[0] = <char>(0xE0 | (code >> 12))
        to[1] = <char>(0x80 | ((code >> 6) & 63))
        to[2] = <char>(0x80 | (code & 63))
        out[0] = to + 3
    return at


cdef inline char unescaped(char byte) noexcept:
    r"""What a one-letter escape stands for; 0 if there is none."""
    if byte == c'"' or byte == c"\\" or byte == c"/":
        return byte
    if byte == c"n":
        return c"\n"
    if byte == c"t":
        return c"\t"
    if byte == c"r":
        return c"\r"
    if byte == c"b":
        return c"\b"
    return c"\f" if byte == c"f" else 0


cdef int read_escapes(Parser *p, const char **text, uint64_t *length, bint *escaped) except -1:
    """Read the rest of a string that has an escape; `text` and `p.at` are its beginning."""
    cdef const char *at = p.at
    cdef const char *run
    cdef char *out
    cdef char byte
    if p.scratch_size < <uint64_t>(p.end - at):
        p.scratch_size = p.end - at
        p.scratch = <char *>PyMem_Realloc(p.scratch, p.scratch_size)
        if p.scratch == NULL:
            raise MemoryError
    out = p.scratch
    escaped[0] = False
    while True:
        run = find_special(p, at)
        memcpy(out, at, run - at)
        out += run - at
        at = run
        if at >= p.end:
            fail(p, "EOF while parsing a string", p.end)
        if at[0] == c'"':
            break
        if at[0] != c"\\":
            fail(p, "control character (\\u0000-\\u001F) found while parsing a string", at + 1)
        if p.end - at < 2:
            fail(p, "EOF while parsing a string", p.end)
        if at[1] == c"u":
            at = read_code(p, at + 2, &out)
            byte = out[-1]
        else:
            byte = unescaped(at[1])
            if not byte:
                fail(p, "invalid escape", at + 2)
            out[0] = byte
            out += 1
            at += 2
        if <unsigned char>byte < 32 or byte == c'"' or byte == c"\\":
            escaped[0] = True
    text[0] = p.scratch
    length[0] = out - p.scratch
    p.at = at + 1
    return 0


cdef int read_string(Parser *p, const char **text, uint64_t *length, bint *escaped) except -1:
    """Read a string; `p.at` is at its opening quote. What `text` points to is good until the next
    string.
    """
    cdef const char *stop
    p.at += 1
    stop = find_special(p, p.at)
    if stop < p.end and stop[0] == c'"':
        text[0] = p.at
        length[0] = stop - p.at
        escaped[0] = False
        p.at = stop + 1
        return 0
    return read_escapes(p, text, length, escaped)


# --- numbers --------------------------------------------------------------------------------------

cdef double exact_double(Parser *p, const char *first) except? -1:
    """The nearest double of a number that is written from `first` to `p.at`."""
    cdef char[NUMBER_TEXT] small
    cdef uint64_t size = p.at - first
    cdef double value
    cdef bytes copy
    if size < NUMBER_TEXT:
        memcpy(small, first, size)
        small[size] = 0
        value = strtod(small, NULL)
    else:
        copy = first[:size]
        value = strtod(copy, NULL)
    if isinf(value):
        fail(p, "number out of range", p.at)
    return value


cdef int read_exponent(Parser *p, int64_t *exponent) except -1:
    """Read what follows an `e`, and add it."""
    cdef bint negative = False
    cdef int64_t value = 0
    p.at += 1
    if p.at < p.end and (p.at[0] == c"+" or p.at[0] == c"-"):
        negative = p.at[0] == c"-"
        p.at += 1
    if p.at >= p.end:
        fail(p, "EOF while parsing a value", p.end)
    if not c"0" <= p.at[0] <= c"9":
        fail(p, "invalid number", p.at + 1)
    while p.at < p.end and c"0" <= p.at[0] <= c"9":
        if value < 100000:
            value = value * 10 + p.at[0] - c"0"
        p.at += 1
    exponent[0] += -value if negative else value
    return 0


cdef inline uint64_t read_digits(Parser *p, uint64_t digits) noexcept:
    """Read digits behind others; 20 of them may overflow."""
    cdef const char *at = p.at
    cdef const char *end = p.end
    cdef unsigned int digit
    while at < end:
        digit = <unsigned int>(at[0] - c"0")
        if digit > 9:
            break
        digits = digits * 10 + digit
        at += 1
    p.at = at
    return digits


cdef Cell read_number(Parser *p) except? 0:
    """Read a number; `p.at` is at its sign or first digit."""
    cdef const char *first = p.at
    cdef const char *whole
    cdef bint negative = p.at[0] == c"-"
    cdef uint64_t digits = 0
    cdef int64_t exponent = 0
    cdef int count = 0
    if negative:
        p.at += 1
    if p.at >= p.end:
        fail(p, "EOF while parsing a value", p.end)
    whole = p.at
    if p.at[0] == c"0":
        p.at += 1
        if p.at < p.end and c"0" <= p.at[0] <= c"9":
            fail(p, "invalid number", p.at + 1)
    elif not c"1" <= p.at[0] <= c"9":
        fail(p, "invalid number", p.at + 1)
    digits = read_digits(p, 0)
    count = <int>min(p.at - whole, 100)
    if p.at >= p.end or (p.at[0] != c"." and (p.at[0] | 32) != c"e"):
        return whole_number(p, first, negative, digits, count)
    if p.at[0] == c".":
        p.at += 1
        if p.at >= p.end:
            fail(p, "EOF while parsing a value", p.end)
        if not c"0" <= p.at[0] <= c"9":
            fail(p, "invalid number", p.at + 1)
        whole = p.at
        digits = read_digits(p, digits)
        exponent = whole - p.at
        count += <int>min(p.at - whole, 100)
    if p.at < p.end and (p.at[0] | 32) == c"e":
        read_exponent(p, &exponent)
    return fraction(p, first, negative, digits, exponent, count)


cdef Cell whole_number(
    Parser *p, const char *first, bint negative, uint64_t digits, int count
) except? 0:
    """A number without point and exponent."""
    # 20 digits may or may not have overflowed.
    cdef bint fits = count < 20 or (count == 20 and first[negative] == c"1" and digits >> 63)
    if not fits or (negative and digits > <uint64_t>1 << 63) or (negative and not digits):
        return double_cell(p.doc, exact_double(p, first))
    if negative:
        return signed_cell(p.doc, <int64_t>(0 - digits))
    return unsigned_cell(p.doc, digits)


cdef Cell fraction(
    Parser *p, const char *first, bint negative, uint64_t digits, int64_t exponent, int count
) except? 0:
    """A number with point or exponent: `count` digits, which overflow beyond 19."""
    cdef double value
    if count > 19 or not digits:
        return double_cell(p.doc, exact_double(p, first))
    while digits % 10 == 0:
        digits //= 10
        exponent += 1
    if digits < 1000000000000000 and DECIMAL_LOW <= exponent <= DECIMAL_HIGH:
        return decimal_cell(-<int64_t>digits if negative else <int64_t>digits, <int>exponent)
    if digits < <uint64_t>1 << 53 and -22 <= exponent <= 22:
        value = <double>digits
        value = value / POWERS[-exponent] if exponent < 0 else value * POWERS[exponent]
        return double_cell(p.doc, -value if negative else value)
    return double_cell(p.doc, exact_double(p, first))


# --- containers -----------------------------------------------------------------------------------

cdef int enter(Parser *p) except -1:
    """One level deeper, past the opening bracket."""
    p.depth += 1
    if p.depth > p.depth_max:
        fail(p, "recursion limit exceeded", p.at + 1)
    p.at += 1
    return 0


cdef Cell read_array(Parser *p) except? 0:
    cdef uint64_t base = p.size
    cdef int byte
    cdef Cell cell
    enter(p)
    byte = skip_blanks(p)
    if byte == c"]":
        p.at += 1
        p.depth -= 1
        return array_cell(p.doc, NULL, 0)
    while True:
        if byte < 0:
            fail(p, "EOF while parsing a list", p.end)
        cell = read_value(p, byte)
        push(p, NO_NAME, cell)
        byte = skip_blanks(p)
        if byte == c"]":
            break
        if byte != c",":
            fail(p, "EOF while parsing a list" if byte < 0 else "expected `,` or `]`", p.at + 1)
        p.at += 1
        byte = skip_blanks(p)
        if byte == c"]":
            fail(p, "trailing comma", p.at + 1)
        if byte < 0:
            fail(p, "EOF while parsing a value", p.end)
    p.at += 1
    p.depth -= 1
    cell = array_cell(p.doc, p.items + base, <uint32_t>(p.size - base))
    p.size = base
    return cell


cdef int read_name(Parser *p) except -1:
    """Read a member's name and the colon; push them with null for a value."""
    cdef const char *text
    cdef uint64_t length
    cdef bint escaped
    cdef uint32_t name
    cdef int byte
    read_string(p, &text, &length, &escaped)
    if length > 0xFFFFFF00:
        fail(p, "name too long", p.at)
    name = take_name(text, <uint32_t>length)
    push(p, name, NOTHING)
    byte = skip_blanks(p)
    if byte != c":":
        fail(p, "EOF while parsing an object" if byte < 0 else "expected `:`", p.at + 1)
    p.at += 1
    return 0


cdef Cell read_object(Parser *p) except? 0:
    cdef uint64_t base = p.size, mine
    cdef int byte
    cdef Cell cell
    enter(p)
    byte = skip_blanks(p)
    while byte != c"}" or p.size != base:
        if byte < 0:
            fail(p, "EOF while parsing an object", p.end)
        if byte != c'"':
            fail(p, "key must be a string", p.at + 1)
        mine = p.size
        read_name(p)
        byte = skip_blanks(p)
        if byte < 0:
            fail(p, "EOF while parsing a value", p.end)
        cell = read_value(p, byte)
        p.items[mine] = cell
        byte = skip_blanks(p)
        if byte == c"}":
            break
        if byte != c",":
            fail(p, "EOF while parsing an object" if byte < 0 else "expected `,` or `}`", p.at + 1)
        p.at += 1
        byte = skip_blanks(p)
        if byte == c"}":
            fail(p, "trailing comma", p.at + 1)
        if byte < 0:
            fail(p, "EOF while parsing a value", p.end)
    p.at += 1
    p.depth -= 1
    drop_doubles(p, base)
    cell = object_cell(p.doc, p.items + base, p.names + base, <uint32_t>(p.size - base))
    p.size = base
    return cell


cdef void drop_doubles(Parser *p, uint64_t base) noexcept:
    """Of members of the same name the last value stays, in the place of the first."""
    cdef uint64_t i, j, mark
    cdef Name *name
    if p.size - base <= PAIRWISE_MAX:
        for i in range(base + 1, p.size):
            for j in range(base, i):
                if p.names[i] == p.names[j]:
                    drop_all_doubles(p, base)
                    return
        return
    mark = new_mark()
    for i in range(base, p.size):
        name = name_at(p.names[i])
        if name.mark == mark:
            drop_all_doubles(p, base)
            return
        name.mark = mark


cdef void drop_all_doubles(Parser *p, uint64_t base) noexcept:
    """The same for an object that has such members."""
    cdef uint64_t i, j, kept = base, mark = new_mark()
    cdef Name *name
    for i in range(base, p.size):
        name = name_at(p.names[i])
        if name.mark != mark:
            name.mark = mark
            p.names[kept] = p.names[i]
            p.items[kept] = p.items[i]
            kept += 1
            continue
        j = base
        while p.names[j] != p.names[i]:
            j += 1
        release(p.doc, p.items[j])
        p.items[j] = p.items[i]
        leave_name(p.names[i])
    p.size = kept


cdef Cell read_word(Parser *p, const char *word, int size, Cell cell) except? 0:
    """Read null, true or false, whose first letter is at `p.at`."""
    cdef int i
    for i in range(size):
        if p.at + i >= p.end:
            fail(p, "EOF while parsing a value", p.end)
        if p.at[i] != word[i]:
            fail(p, "expected ident", p.at + i + 1)
    p.at += size
    return cell


cdef Cell read_value(Parser *p, int byte) except? 0:
    """Read a value that begins with this byte, at `p.at`."""
    cdef const char *text
    cdef uint64_t length
    cdef bint escaped
    if byte == c'"':
        read_string(p, &text, &length, &escaped)
        return text_cell(p.doc, text, length, escaped)
    if byte == c"-" or c"0" <= byte <= c"9":
        return read_number(p)
    if byte == c"{":
        return read_object(p)
    if byte == c"[":
        return read_array(p)
    if byte == c"t":
        return read_word(p, b"true", 4, YES)
    if byte == c"f":
        return read_word(p, b"false", 5, NO)
    if byte == c"n":
        return read_word(p, b"null", 4, NOTHING)
    fail(p, "expected value", p.at + 1)


cdef int read_root(Parser *p) except -1:
    cdef int byte = skip_blanks(p)
    cdef Cell root
    if byte < 0:
        fail(p, "EOF while parsing a value", p.end)
    root = read_value(p, byte)
    cell_at(p.doc, 0)[0] = root
    if skip_blanks(p) >= 0:
        push(p, NO_NAME, root)
        fail(p, "trailing characters", p.at + 1)
    return 0


cdef int check_text(Parser *p) except -1:
    """Raise if the text is no UTF-8."""
    try:
        PyUnicode_DecodeUTF8(p.start, p.end - p.start, NULL)
    except UnicodeDecodeError:
        raise ReplyError("Couldn't parse as UTF-8 string") from None
    return 0


cdef int parse(Doc *doc, bytes text, str prefix, int depth_max) except -1:
    """Read a text into an empty document; ReplyError, with `prefix` before it, if it is no JSON.

    If it fails, the document has no names, and its arena is still the caller's to free.
    """
    cdef Parser p
    cdef uint64_t i
    p.start = p.at = PyBytes_AS_STRING(text)
    p.end = p.start + PyBytes_GET_SIZE(text)
    p.doc = doc
    p.items = p.first_items
    p.names = p.first_names
    p.size = 0
    p.capacity = ITEMS_FIRST
    p.depth = 0
    p.depth_max = depth_max
    p.beyond_ascii = False
    p.prefix = <void *>prefix
    p.scratch = NULL
    p.scratch_size = 0
    try:
        reserve(doc, 16 + PyBytes_GET_SIZE(text) + PyBytes_GET_SIZE(text) // 8)
        doc.used = 8
        cell_at(doc, 0)[0] = NOTHING
        try:
            read_root(&p)
        except ReplyError:
            check_text(&p)
            raise
        if p.beyond_ascii:
            check_text(&p)
    except BaseException:
        if not p.size:
            push(&p, NO_NAME, cell_at(doc, 0)[0])
        for i in range(p.size):
            if p.names[i] != NO_NAME:
                leave_name(p.names[i])
            release(doc, p.items[i])
        raise
    finally:
        free_stack(&p)
        PyMem_Free(p.scratch)
    trim(doc)
    return 0
