"""A document in one piece of memory: cells of 8 bytes, and what does not fit into them.

The arena of a document begins with the cell of its root. A cell is a value: its lowest four bits
say what kind.

    NOTHING NO YES   null, false, true
    INTEGER          60 bits, signed
    DECIMAL          a double given by at most 15 digits: digits << 9 | (exponent + 22) << 4
    BOXED            8 bytes in the arena: int64, uint64, or a double of more digits
    SHORT            a string of up to 7 bytes, in the cell: length << 4, the bytes from bit 8 on
    TEXT             a string in the arena: length << 8, place << 32
    ARRAY            a block of cells: count << 8, capacity << 20, place << 32
    OBJECT           a block of cells, and behind them as many names, 4 bytes each
    PACKED           an array of numbers of 1, 2 or 4 bytes, as it is read; the first change of it
                     makes it an ARRAY

A container of more than 4095 items has count and capacity in front of its block (LARGE).

Fifteen digits are always those that the double would be printed with (two decimals of 15 digits
never round to the same double), so DECIMAL costs neither memory nor a search for the shortest
digits, and nearly all doubles of real documents are such.

A change is made in place. What it leaves behind is counted as garbage, and when that is a quarter
of the arena the document is moved together, by `rebuild`; with it goes the capacity that containers
keep in reserve where they have grown. So every change costs constant time on the average, however
large the document, and places are plain numbers that survive a move of the arena.

The rule a reader would get wrong: a place is good until its container is changed, a pointer only
until the arena grows.
"""

from libc.math cimport fabs, signbit
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memset

from balas_json._names cimport leave_name, share_name
from balas_json._numbers cimport POWERS, shortest

from balas.api import ReplyError

cdef enum:
    DIGITS_MAX = 1000000000000000   # 10**15
    # Places have 32 bits.
    ARENA_MAX = 0xFFFFFFF0


# --- the arena ------------------------------------------------------------------------------------

cdef int reserve(Doc *doc, uint64_t size) except -1:
    """See to it that `size` more bytes fit; raises ReplyError where places end."""
    cdef uint64_t wanted = doc.used + size
    cdef char *moved
    if wanted <= doc.capacity:
        return 0
    if wanted > ARENA_MAX:
        raise ReplyError("ERR the document would be larger than 4 GB")
    wanted = min(wanted + doc.used // 8, <uint64_t>ARENA_MAX)
    moved = <char *>realloc(doc.base, wanted)
    if moved == NULL:
        raise MemoryError
    doc.base = moved
    doc.capacity = wanted
    return 0


cdef uint64_t take(Doc *doc, uint64_t size, bint aligned) except 0:
    """The place of `size` new bytes."""
    cdef uint64_t place = doc.used
    if aligned:
        place = (place + 7) & ~<uint64_t>7
    if place + size > doc.capacity:
        reserve(doc, place + size - doc.used)
    doc.used = place + size
    return place


cdef void trim(Doc *doc) noexcept:
    """Give back what the arena has in reserve."""
    cdef char *moved
    if doc.capacity - doc.used >= 16:
        moved = <char *>realloc(doc.base, doc.used)
        if moved != NULL:
            doc.base = moved
            doc.capacity = doc.used


# --- scalars --------------------------------------------------------------------------------------

cdef Cell text_cell(Doc *doc, const char *text, uint64_t length, bint escaped) except? 0:
    """A string; `text` must not point into the arena."""
    cdef Cell cell = ESCAPED if escaped else 0
    cdef uint64_t place
    if length <= 7:
        memcpy(<char *>&cell + 1, text, length)
        return cell | SHORT | (length << 4)
    if length < LONG_TEXT:
        place = take(doc, length, False)
        memcpy(doc.base + place, text, length)
        return cell | TEXT | (length << 8) | (place << 32)
    place = take(doc, length + 8, False)
    memcpy(doc.base + place, &length, 8)
    memcpy(doc.base + place + 8, text, length)
    return cell | TEXT | (<Cell>LONG_TEXT << 8) | (place << 32)


cdef Cell boxed(Doc *doc, const void *value, uint32_t sort) except? 0:
    cdef uint64_t place = take(doc, 8, True)
    memcpy(doc.base + place, value, 8)
    return BOXED | sort | (place << 32)


cdef Cell signed_cell(Doc *doc, int64_t value) except? 0:
    """A whole number."""
    return integer_cell(value) if fits_cell(value) else boxed(doc, &value, BOXED_SIGNED)


cdef Cell unsigned_cell(Doc *doc, uint64_t value) except? 0:
    """A whole number that may be above 2**63 - 1."""
    if value >> 63:
        return boxed(doc, &value, BOXED_UNSIGNED)
    return signed_cell(doc, <int64_t>value)


cdef Cell double_cell(Doc *doc, double value) except? 0:
    """A finite double."""
    cdef uint64_t digits
    cdef int exponent
    if value == 0:
        return boxed(doc, &value, BOXED_DOUBLE) if signbit(value) else decimal_cell(0, 0)
    shortest(fabs(value), &digits, &exponent)
    if digits <= DIGITS_MAX and DECIMAL_LOW <= exponent <= DECIMAL_HIGH:
        return decimal_cell(-<int64_t>digits if value < 0 else <int64_t>digits, exponent)
    return boxed(doc, &value, BOXED_DOUBLE)


cdef double double_of(const Doc *doc, Cell cell) noexcept nogil:
    """The value of any number."""
    cdef double value
    cdef int64_t whole
    cdef uint64_t unsigned
    cdef int exponent
    if kind_of(cell) == INTEGER:
        return <double>(<int64_t>cell >> 4)
    if kind_of(cell) == DECIMAL:
        value = <double>decimal_digits(cell)
        exponent = decimal_exponent(cell)
        return value / POWERS[-exponent] if exponent < 0 else value * POWERS[exponent]
    if cell & BOXED_DOUBLE:
        memcpy(&value, doc.base + block_of(cell), 8)
    elif cell & BOXED_UNSIGNED:
        memcpy(&unsigned, doc.base + block_of(cell), 8)
        value = <double>unsigned
    else:
        memcpy(&whole, doc.base + block_of(cell), 8)
        value = <double>whole
    return value


cdef bint int64_of(const Doc *doc, Cell cell, int64_t *value) noexcept nogil:
    """The value of a whole number of 64 bits; False for all else."""
    if kind_of(cell) == INTEGER:
        value[0] = <int64_t>cell >> 4
        return True
    if kind_of(cell) == BOXED and not cell & (BOXED_DOUBLE | BOXED_UNSIGNED):
        memcpy(value, doc.base + block_of(cell), 8)
        return True
    return False


# --- containers -----------------------------------------------------------------------------------

cdef uint64_t block_size(const Doc *doc, Cell cell) noexcept nogil:
    """Bytes of a container's block, without those in front of it."""
    cdef uint64_t room = room_of(doc, cell)
    if kind_of(cell) == OBJECT:
        return room * 12
    if kind_of(cell) == ARRAY:
        return room * 8
    if cell & ENCODING == BYTES_1:
        return room
    return room * 2 if cell & ENCODING == BYTES_2 else room * 4


cdef Cell container(Doc *doc, Cell kind, uint64_t size, uint32_t count, uint32_t room) except? 0:
    """A new container with a block of `size` bytes, which the caller fills."""
    cdef uint64_t place
    if not room:
        return kind
    if room <= SMALL_MAX:
        place = take(doc, size, True)
        return kind | (<Cell>count << 8) | (<Cell>room << 20) | (place << 32)
    place = take(doc, size + 8, True) + 8
    (<uint32_t *>(doc.base + place))[-2] = count
    (<uint32_t *>(doc.base + place))[-1] = room
    return kind | LARGE | (place << 32)


cdef int packing(const Cell *items, uint32_t count) noexcept nogil:
    """How an array of these can be packed, or -1."""
    cdef int64_t low = 0, high = 0, value
    cdef bint mixed = False
    cdef uint32_t i
    if count < 2:
        return -1
    for i in range(count):
        if kind_of(items[i]) == INTEGER:
            value = <int64_t>items[i] >> 4
        elif kind_of(items[i]) == DECIMAL and decimal_exponent(items[i]) < DECIMAL_HIGH:
            value = decimal_digits(items[i])
            mixed = True
        else:
            return -1
        low = min(low, value)
        high = max(high, value)
    if mixed:
        return MIXED_4 if -(1 << 26) <= low and high < 1 << 26 else -1
    if -128 <= low and high < 128:
        return BYTES_1
    if -32768 <= low and high < 32768:
        return BYTES_2
    return BYTES_4 if -(<int64_t>1 << 31) <= low and high < <int64_t>1 << 31 else -1


cdef void pack(char *block, int encoding, const Cell *items, uint32_t count) noexcept nogil:
    cdef uint32_t i
    cdef int64_t value
    for i in range(count):
        value = <int64_t>items[i] >> 4
        if encoding == BYTES_1:
            (<int8_t *>block)[i] = <int8_t>value
        elif encoding == BYTES_2:
            (<int16_t *>block)[i] = <int16_t>value
        elif encoding == BYTES_4:
            (<int32_t *>block)[i] = <int32_t>value
        elif kind_of(items[i]) == INTEGER:
            (<int32_t *>block)[i] = <int32_t>(value * 32) | MIXED_INTEGER
        else:
            (<int32_t *>block)[i] = (
                <int32_t>(decimal_digits(items[i]) * 32)
                | (decimal_exponent(items[i]) - DECIMAL_LOW)
            )


cdef Cell array_cell(Doc *doc, const Cell *items, uint32_t count) except? 0:
    """An array of these items, packed if they can be."""
    cdef int encoding = packing(items, count)
    cdef uint64_t width
    cdef Cell cell
    if encoding < 0:
        cell = container(doc, ARRAY, <uint64_t>count * 8, count, count)
        memcpy(doc.base + block_of(cell), items, <uint64_t>count * 8 if count else 0)
        return cell
    width = 1 if encoding == BYTES_1 else 2 if encoding == BYTES_2 else 4
    cell = container(doc, PACKED | encoding, count * width, count, count)
    pack(doc.base + block_of(cell), encoding, items, count)
    return cell


cdef Cell object_cell(
    Doc *doc, const Cell *items, const uint32_t *names, uint32_t count
) except? 0:
    """An object of these members, whose references to names become its own."""
    cdef Cell cell = container(doc, OBJECT, <uint64_t>count * 12, count, count)
    if count:
        memcpy(doc.base + block_of(cell), items, <uint64_t>count * 8)
        memcpy(names_of(doc, cell), names, <uint64_t>count * 4)
    return cell


cdef uint64_t own_size(const Doc *doc, Cell cell) noexcept nogil:
    """Bytes of the arena that a cell has for itself, without its children's."""
    cdef uint64_t length
    if kind_of(cell) == BOXED:
        return 8
    if kind_of(cell) == TEXT:
        text_of(doc, &cell, &length)
        return length + 8 if length >= LONG_TEXT else length
    if not is_container(cell) or not room_of(doc, cell):
        return 0
    return block_size(doc, cell) + (8 if cell & LARGE else 0)


cdef uint64_t size_of(const Doc *doc, Cell cell) noexcept nogil:
    """Bytes of the arena that a value takes beside its cell."""
    cdef uint64_t size = own_size(doc, cell)
    cdef uint32_t i
    if kind_of(cell) == ARRAY or kind_of(cell) == OBJECT:
        for i in range(count_of(doc, cell)):
            size += size_of(doc, child(doc, cell, i))
    return size


cdef void release(Doc *doc, Cell cell) noexcept nogil:
    """What a cell stands for is not needed any more: count it as garbage, let its names go."""
    cdef uint32_t i, count
    cdef Cell *items
    cdef uint32_t *names
    if (cell & 15) < BOXED or kind_of(cell) == DECIMAL or kind_of(cell) == SHORT:
        return
    doc.garbage += own_size(doc, cell)
    if kind_of(cell) != ARRAY and kind_of(cell) != OBJECT:
        return
    count = count_of(doc, cell)
    items = cell_at(doc, block_of(cell))
    if kind_of(cell) == OBJECT:
        names = names_of(doc, cell)
        for i in range(count):
            leave_name(names[i])
    for i in range(count):
        release(doc, items[i])


cdef void share(const Doc *doc, Cell cell) noexcept nogil:
    """One more reference to every name in a value."""
    cdef uint32_t i, count
    cdef uint32_t *names
    if kind_of(cell) != ARRAY and kind_of(cell) != OBJECT:
        return
    count = count_of(doc, cell)
    if kind_of(cell) == OBJECT:
        names = names_of(doc, cell)
        for i in range(count):
            share_name(names[i])
    for i in range(count):
        share(doc, cell_at(doc, block_of(cell))[i])


cdef int depth_of(const Doc *doc, Cell cell) noexcept nogil:
    """How many containers lie in one another, this one included."""
    cdef int deepest = 0
    cdef uint32_t i
    if not is_container(cell):
        return 0
    if kind_of(cell) != PACKED:
        for i in range(count_of(doc, cell)):
            deepest = max(deepest, depth_of(doc, child(doc, cell, i)))
    return deepest + 1


cdef Cell copied(Doc *target, const Doc *source, Cell cell) except? 0:
    """A value of one document moved to another; references to names are not touched."""
    cdef uint64_t length, place, size
    cdef const char *text
    cdef Cell made, item
    cdef uint32_t i, count, room
    if kind_of(cell) == BOXED:
        return boxed(target, source.base + block_of(cell), cell & 0xF0)
    if kind_of(cell) == TEXT:
        text = text_of(source, &cell, &length)
        return text_cell(target, text, length, (cell & ESCAPED) != 0)
    if not is_container(cell):
        return cell
    count = count_of(source, cell)
    room = room_of(source, cell)
    size = block_size(source, cell)
    made = container(target, cell & (15 | ENCODING), size, count, room)
    if not room:
        return made
    place = block_of(made)
    if kind_of(cell) == PACKED:
        memcpy(target.base + place, source.base + block_of(cell), size)
        return made
    if kind_of(cell) == OBJECT:
        memcpy(names_of(target, made), names_of(source, cell), <uint64_t>count * 4)
    for i in range(count):
        item = copied(target, source, child(source, cell, i))
        cell_at(target, place)[i] = item
    return made


cdef int rebuild(Doc *doc) except -1:
    """Move the document together, without the garbage."""
    cdef Doc fresh
    cdef Cell root
    memset(&fresh, 0, sizeof(Doc))
    try:
        # What alignment adds is little, and found out by the way.
        reserve(&fresh, max(doc.used - doc.garbage, 8))
        fresh.used = 8
        root = copied(&fresh, doc, cell_at(doc, 0)[0])
    except BaseException:
        free(fresh.base)
        raise
    cell_at(&fresh, 0)[0] = root
    free(doc.base)
    doc[0] = fresh
    return 0


cdef int unpack(Doc *doc, uint64_t at) except -1:
    """Make the PACKED array in the cell at `at` an ARRAY."""
    cdef Cell packed = cell_at(doc, at)[0], made
    cdef uint32_t i, count
    if kind_of(packed) != PACKED:
        return 0
    count = count_of(doc, packed)
    made = container(doc, ARRAY, <uint64_t>count * 8, count, count)
    for i in range(count):
        cell_at(doc, block_of(made))[i] = child(doc, packed, i)
    doc.garbage += own_size(doc, packed)
    cell_at(doc, at)[0] = made
    return 0


cdef bint extend(Doc *doc, uint64_t at, uint64_t room) except -1:
    """Give an ARRAY that stands last in the arena more room where it is; False for all others."""
    cdef Cell cell = cell_at(doc, at)[0]
    cdef uint64_t before = room_of(doc, cell)
    if kind_of(cell) != ARRAY or not before or block_of(cell) + before * 8 != doc.used:
        return False
    if room > SMALL_MAX and not cell & LARGE:
        return False
    reserve(doc, (room - before) * 8)
    doc.used += (room - before) * 8
    if cell & LARGE:
        (<uint32_t *>(doc.base + block_of(cell)))[-1] = <uint32_t>room
    else:
        cell_at(doc, at)[0] = (cell & ~(<Cell>0xFFF << 20)) | (room << 20)
    return True


cdef int make_room(Doc *doc, uint64_t at, uint32_t more) except -1:
    """See to it that `more` items fit into the ARRAY, PACKED or OBJECT in the cell at `at`."""
    cdef Cell cell, made
    cdef uint32_t count
    cdef uint64_t room, size
    unpack(doc, at)
    cell = cell_at(doc, at)[0]
    count = count_of(doc, cell)
    if <uint64_t>count + more > 0xFFFFFFF0:
        raise ReplyError("ERR the container would have too many items")
    if count + more <= room_of(doc, cell):
        return 0
    room = <uint64_t>count + more
    # A small one grows exactly: most containers never grow again.
    room += room // 4 if room > 8 else 0
    if extend(doc, at, room):
        return 0
    size = 12 if kind_of(cell) == OBJECT else 8
    made = container(doc, kind_of(cell), room * size, count, <uint32_t>room)
    memcpy(doc.base + block_of(made), doc.base + block_of(cell), <uint64_t>count * 8)
    if kind_of(cell) == OBJECT:
        memcpy(names_of(doc, made), names_of(doc, cell), <uint64_t>count * 4)
    doc.garbage += own_size(doc, cell)
    cell_at(doc, at)[0] = made
    return 0


cdef void set_count(Doc *doc, uint64_t at, uint32_t count) noexcept nogil:
    """Say how many items the container in the cell at `at` has; no more than it has room for."""
    cdef Cell *cell = cell_at(doc, at)
    if cell[0] & LARGE:
        (<uint32_t *>(doc.base + block_of(cell[0])))[-2] = count
    else:
        cell[0] = (cell[0] & ~(<Cell>0xFFF << 8)) | (<Cell>count << 8)


cdef int64_t member(const Doc *doc, Cell object, uint32_t name) noexcept nogil:
    """The index of the member with this name, or -1."""
    cdef uint32_t *names = names_of(doc, object)
    cdef uint32_t i
    for i in range(count_of(doc, object)):
        if names[i] == name:
            return i
    return -1


# --- comparing ------------------------------------------------------------------------------------

cdef bint equal(const Doc *doc, Cell cell, const Doc *other_doc, Cell other) noexcept nogil:
    """Whether two values are the same; 2 and 2.0 are not."""
    cdef uint64_t length, other_length
    cdef const char *text
    cdef const char *other_text
    cdef int64_t place
    cdef uint32_t i
    if is_number(cell) or is_number(other):
        return equal_numbers(doc, cell, other_doc, other)
    if is_string(cell) and is_string(other):
        text = text_of(doc, &cell, &length)
        other_text = text_of(other_doc, &other, &other_length)
        return length == other_length and memcmp(text, other_text, length) == 0
    if not is_container(cell) or not is_container(other):
        return cell == other
    if is_array(cell) != is_array(other) or count_of(doc, cell) != count_of(other_doc, other):
        return False
    for i in range(count_of(doc, cell)):
        place = i
        if not is_array(cell):
            place = member(other_doc, other, names_of(doc, cell)[i])
        if place < 0:
            return False
        if not equal(doc, child(doc, cell, i), other_doc, child(other_doc, other, <uint32_t>place)):
            return False
    return True


cdef bint equal_numbers(const Doc *doc, Cell cell, const Doc *other_doc, Cell other) noexcept nogil:
    cdef int64_t whole, other_whole
    cdef bint small, other_small
    if not is_number(cell) or not is_number(other) or is_integer(cell) != is_integer(other):
        return False
    if not is_integer(cell):
        return double_of(doc, cell) == double_of(other_doc, other)
    small = int64_of(doc, cell, &whole)
    other_small = int64_of(other_doc, other, &other_whole)
    if small or other_small:
        return small and other_small and whole == other_whole
    return memcmp(doc.base + block_of(cell), other_doc.base + block_of(other), 8) == 0
