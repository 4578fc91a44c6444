from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

# One value in 8 bytes; what its bits mean stands in _cells.pyx.
ctypedef uint64_t Cell

cdef enum Kind:
    NOTHING = 0      # null
    NO = 1           # false
    YES = 2          # true
    INTEGER = 3
    BOXED = 4
    DECIMAL = 5
    SHORT = 6
    TEXT = 7
    ARRAY = 8
    OBJECT = 9
    PACKED = 10

cdef enum:
    LARGE = 16             # a container whose count and capacity stand in front of its block
    ESCAPED = 128          # a string that is not printed as it stands
    SMALL_MAX = 4095
    LONG_TEXT = 0xFFFFFF   # the length of a string that has its length in front of it
    BOXED_SIGNED = 0 << 4
    BOXED_UNSIGNED = 1 << 4
    BOXED_DOUBLE = 2 << 4
    BYTES_1 = 0 << 5       # how the numbers of a PACKED array are kept
    BYTES_2 = 1 << 5
    BYTES_4 = 2 << 5
    MIXED_4 = 3 << 5
    ENCODING = 3 << 5
    DECIMAL_LOW = -22
    DECIMAL_HIGH = 9
    MIXED_INTEGER = 31     # the exponent that says: this one is whole
    DEPTH_MAX = 1024       # of containers in one another
    TEXT_DEPTH_MAX = 127   # of them in a text that a client sends

cdef struct Doc:
    char *base
    uint64_t used          # bytes of the arena that are taken, garbage included
    uint64_t capacity
    uint64_t garbage


cdef inline Kind kind_of(Cell cell) noexcept nogil:
    return <Kind>(cell & 15)


cdef inline Cell *cell_at(const Doc *doc, uint64_t place) noexcept nogil:
    return <Cell *>(doc.base + place)


cdef inline uint64_t block_of(Cell cell) noexcept nogil:
    return cell >> 32


cdef inline uint32_t count_of(const Doc *doc, Cell cell) noexcept nogil:
    if cell & LARGE:
        return (<uint32_t *>(doc.base + block_of(cell)))[-2]
    return (cell >> 8) & 0xFFF


cdef inline uint32_t room_of(const Doc *doc, Cell cell) noexcept nogil:
    if cell & LARGE:
        return (<uint32_t *>(doc.base + block_of(cell)))[-1]
    return (cell >> 20) & 0xFFF


cdef inline uint32_t *names_of(const Doc *doc, Cell cell) noexcept nogil:
    return <uint32_t *>(doc.base + block_of(cell) + 8 * <uint64_t>room_of(doc, cell))


cdef inline bint is_array(Cell cell) noexcept nogil:
    return kind_of(cell) == ARRAY or kind_of(cell) == PACKED


cdef inline bint is_container(Cell cell) noexcept nogil:
    return (cell & 15) >= ARRAY


cdef inline bint is_string(Cell cell) noexcept nogil:
    return kind_of(cell) == SHORT or kind_of(cell) == TEXT


cdef inline bint is_number(Cell cell) noexcept nogil:
    return INTEGER <= (cell & 15) <= DECIMAL


cdef inline bint is_integer(Cell cell) noexcept nogil:
    return kind_of(cell) == INTEGER or (kind_of(cell) == BOXED and not cell & BOXED_DOUBLE)


cdef inline Cell integer_cell(int64_t value) noexcept nogil:
    """For values of at most 60 bits."""
    return (<Cell>value << 4) | INTEGER


cdef inline bint fits_cell(int64_t value) noexcept nogil:
    return -(<int64_t>1 << 59) <= value < <int64_t>1 << 59


cdef inline Cell decimal_cell(int64_t digits, int exponent) noexcept nogil:
    """For digits of at most 10**15 and exponents from DECIMAL_LOW to DECIMAL_HIGH."""
    return (<Cell>digits << 9) | (<Cell>(exponent - DECIMAL_LOW) << 4) | DECIMAL


cdef inline int64_t decimal_digits(Cell cell) noexcept nogil:
    return <int64_t>cell >> 9


cdef inline int decimal_exponent(Cell cell) noexcept nogil:
    return <int>((cell >> 4) & 31) + DECIMAL_LOW


cdef inline Cell unpacked(const char *block, Cell array, uint32_t i) noexcept nogil:
    """An item of a PACKED array as a cell."""
    cdef uint32_t encoding = array & ENCODING
    cdef int32_t mixed
    if encoding == BYTES_1:
        return integer_cell((<int8_t *>block)[i])
    if encoding == BYTES_2:
        return integer_cell((<int16_t *>block)[i])
    mixed = (<int32_t *>block)[i]
    if encoding == BYTES_4 or (mixed & 31) == MIXED_INTEGER:
        return integer_cell(mixed if encoding == BYTES_4 else mixed >> 5)
    return decimal_cell(mixed >> 5, (mixed & 31) + DECIMAL_LOW)


cdef inline Cell child(const Doc *doc, Cell container, uint32_t i) noexcept nogil:
    cdef char *block = doc.base + block_of(container)
    if kind_of(container) == PACKED:
        return unpacked(block, container, i)
    return (<Cell *>block)[i]


cdef inline const char *text_of(const Doc *doc, const Cell *cell, uint64_t *length) noexcept nogil:
    """The bytes of a string; those of a short one stand in the cell itself."""
    cdef Cell value = cell[0]
    cdef char *place
    if kind_of(value) == SHORT:
        length[0] = (value >> 4) & 7
        return <const char *>cell + 1
    place = doc.base + block_of(value)
    length[0] = (value >> 8) & LONG_TEXT
    if length[0] == LONG_TEXT:
        memcpy(length, place, 8)
        return place + 8
    return place


cdef int reserve(Doc *doc, uint64_t size) except -1
cdef uint64_t take(Doc *doc, uint64_t size, bint aligned) except 0
cdef void trim(Doc *doc) noexcept
cdef Cell text_cell(Doc *doc, const char *text, uint64_t length, bint escaped) except? 0
cdef Cell signed_cell(Doc *doc, int64_t value) except? 0
cdef Cell unsigned_cell(Doc *doc, uint64_t value) except? 0
cdef Cell double_cell(Doc *doc, double value) except? 0
cdef double double_of(const Doc *doc, Cell cell) noexcept nogil
cdef bint int64_of(const Doc *doc, Cell cell, int64_t *value) noexcept nogil
cdef Cell array_cell(Doc *doc, const Cell *items, uint32_t count) except? 0
cdef Cell object_cell(
    Doc *doc, const Cell *items, const uint32_t *names, uint32_t count
) except? 0
cdef uint64_t size_of(const Doc *doc, Cell cell) noexcept nogil
cdef void release(Doc *doc, Cell cell) noexcept nogil
cdef void share(const Doc *doc, Cell cell) noexcept nogil
cdef int depth_of(const Doc *doc, Cell cell) noexcept nogil
cdef Cell copied(Doc *target, const Doc *source, Cell cell) except? 0
cdef int rebuild(Doc *doc) except -1
cdef int unpack(Doc *doc, uint64_t at) except -1
cdef int make_room(Doc *doc, uint64_t at, uint32_t more) except -1
cdef void set_count(Doc *doc, uint64_t at, uint32_t count) noexcept nogil
cdef int64_t member(const Doc *doc, Cell object, uint32_t name) noexcept nogil
cdef bint equal(const Doc *doc, Cell cell, const Doc *other_doc, Cell other) noexcept nogil
