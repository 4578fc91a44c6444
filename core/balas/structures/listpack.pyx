"""Listpack: a list of small strings and numbers in one block of bytes, as Redis stores it.

The same bytes stand in memory, in RDB files and in DUMP payloads, so the format is kept to the
letter: four bytes with the total size, two with the count (65535: more than can be told, count
them), the elements, and a closing 0xff. All numbers are little-endian. An element is a head that
tells kind and size, its content, and the size of both once more, for walking backwards:

    0xxxxxxx                    0 to 127                  110xxxxx x     13 bits with a sign
    10nnnnnn ...                text below 64 bytes       1110nnnn n ... text below 4096 bytes
    0xf1 ... to 0xf4 ...        16, 24, 32, 64 bits       0xf0 nnnn ...  any other text

The back length has seven bits a byte, high bits first; all its bytes but the first have their top
bit set, so that it is read from its end. A text that is the canonical form of an int64 is always
stored as the number; a number may stand in a wider form than it needs, if others wrote the pack.

The functions work on bare pointers, for owners that have no bytes to spare for an object; the class
`ListPack` is the same for Python. The room of a block follows from the size of its pack (see
blocks.pxd): whoever changes a pack in place must go through these functions.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_INCREF
from libc.stdint cimport UINT32_MAX

from balas.structures.blocks cimport block_cost, room_for
from balas.structures.numbers cimport int64_to_string, string_to_int64


# Elements before and after they are written

cdef inline bint looks_like_number(const char *text, size_t size) noexcept nogil:
    return 0 < size <= NUMBER_TEXT_MAX and (c"0" <= text[0] <= c"9" or text[0] == c"-")


cdef void set_needle(Needle *needle, const char *text, size_t size) noexcept nogil:
    """Prepare a text for being compared with elements; it is not copied."""
    needle.text = text
    needle.size = size
    needle.is_number = looks_like_number(text, size) and string_to_int64(
        text, size, &needle.number
    )


cdef void encode_number(int64_t number, Encoded *out) noexcept nogil:
    """Encode a number in the shortest form that holds it."""
    cdef int bytes_after
    out.text = NULL
    out.text_size = 0
    if 0 <= number <= 127:
        out.head[0] = <unsigned char>number
        out.head_size = 1
    elif -4096 <= number <= 4095:
        out.head[0] = <unsigned char>(0xc0 | ((number >> 8) & 0x1f))
        out.head[1] = <unsigned char>(number & 0xff)
        out.head_size = 2
    else:
        if -(1 << 15) <= number < 1 << 15:
            out.head[0] = 0xf1
            bytes_after = 2
        elif -(1 << 23) <= number < 1 << 23:
            out.head[0] = 0xf2
            bytes_after = 3
        elif -(<int64_t>1 << 31) <= number < <int64_t>1 << 31:
            out.head[0] = 0xf3
            bytes_after = 4
        else:
            out.head[0] = 0xf4
            bytes_after = 8
        memcpy(out.head + 1, &number, 8)  # its low bytes; the others are not written
        out.head_size = <uint8_t>(1 + bytes_after)
    out.size = out.head_size + 1


cdef void encode_text(const char *text, size_t size, Encoded *out) noexcept nogil:
    """Encode a text, as a number if it is one; the text itself is not copied before it is written.

    `size` must be below 2**32.
    """
    cdef int64_t number
    cdef uint32_t stored
    if looks_like_number(text, size) and string_to_int64(text, size, &number):
        encode_number(number, out)
        return
    out.text = text
    out.text_size = size
    if size < 64:
        out.head[0] = <unsigned char>(0x80 | size)
        out.head_size = 1
    elif size < 4096:
        out.head[0] = <unsigned char>(0xe0 | size >> 8)
        out.head[1] = <unsigned char>(size & 0xff)
        out.head_size = 2
    else:
        out.head[0] = 0xf0
        stored = <uint32_t>size
        memcpy(out.head + 1, &stored, 4)
        out.head_size = 5
    size += out.head_size
    out.size = size + back_size(size)


cdef inline void write_back_length(unsigned char *where, size_t size) noexcept nogil:
    cdef size_t left = back_size(size)
    cdef unsigned char flag = 0
    while left > 0:
        left -= 1
        where[0] = <unsigned char>((size >> (7 * left) & 0x7f) | flag)
        where += 1
        flag = 0x80


cdef void write_encoded(const Encoded *encoded, unsigned char *where) noexcept nogil:
    """Write the `encoded.size` bytes of an element."""
    memcpy(where, encoded.head, encoded.head_size)
    where += encoded.head_size
    if encoded.text != NULL:
        memcpy(where, encoded.text, encoded.text_size)
        where += encoded.text_size
    write_back_length(where, encoded.head_size + encoded.text_size)


# Whole packs

cdef unsigned char *allocate(size_t size) except NULL:
    cdef unsigned char *block
    if size > UINT32_MAX:
        raise OverflowError("a listpack holds less than 4 GB")
    block = <unsigned char *>PyMem_Malloc(room_for(size))
    if block == NULL:
        raise MemoryError
    return block


cdef unsigned char *listpack_new() except NULL:
    """An empty pack. Free it with `listpack_free`."""
    cdef unsigned char *pack = allocate(LISTPACK_EMPTY)
    set_listpack_size(pack, LISTPACK_EMPTY)
    set_listpack_count(pack, 0)
    pack[LISTPACK_HEADER] = LISTPACK_END
    return pack


cdef unsigned char *listpack_copy(const unsigned char *pack) except NULL:
    """A pack of the same elements."""
    cdef size_t size = listpack_size(pack)
    cdef unsigned char *copy = allocate(size)
    memcpy(copy, pack, size)
    return copy


cdef unsigned char *listpack_load(const unsigned char *data, size_t n) except NULL:
    """A pack from bytes of unknown origin; ValueError unless they are a sound pack throughout."""
    if not listpack_valid(data, n):
        raise ValueError("corrupt listpack")
    return listpack_copy(data)


cdef void listpack_free(unsigned char *pack) noexcept:
    """Give the block back; NULL is nothing."""
    PyMem_Free(pack)


cdef size_t listpack_memory(const unsigned char *pack) noexcept nogil:
    """Bytes the pack's block takes from the allocator."""
    return block_cost(room_for(listpack_size(pack)))


cdef inline size_t checked_entry_size(const unsigned char *entry, size_t left) noexcept nogil:
    """Bytes of the element at `entry`, of which `left` bytes may be read; 0 if it is not sound."""
    cdef unsigned char[5] back
    cdef unsigned int head = entry[0]
    cdef size_t size, behind
    if head > 0xf4 or (head >= 0xe0 and left < (5 if head == 0xf0 else 2)):
        return 0
    size = encoded_size(entry)
    behind = back_size(size)
    if size + behind > left:
        return 0
    write_back_length(back, size)
    return size + behind if memcmp(back, entry + size, behind) == 0 else 0


cdef bint listpack_valid(const unsigned char *data, size_t n) noexcept nogil:
    """Whether the bytes are a sound pack: sizes, heads, back lengths, count and closing byte."""
    cdef const unsigned char *entry = data + LISTPACK_HEADER
    cdef const unsigned char *end = data + n - 1
    cdef size_t count = 0, size
    if n < LISTPACK_EMPTY or listpack_size(data) != n or end[0] != LISTPACK_END:
        return False
    while entry < end:
        size = checked_entry_size(entry, <size_t>(end - entry))
        if size == 0:
            return False
        entry += size
        count += 1
    size = listpack_header_count(data)
    return size == LISTPACK_COUNT_UNKNOWN or size == count


cdef size_t listpack_length(unsigned char *pack) noexcept nogil:
    """Elements in the pack: at once up to 65534 of them, beyond by counting."""
    cdef size_t count = listpack_header_count(pack)
    cdef unsigned char *entry
    if count != LISTPACK_COUNT_UNKNOWN:
        return count
    count = 0
    entry = listpack_first(pack)
    while not listpack_at_end(entry):
        entry = listpack_next(entry)
        count += 1
    # Once there are few enough to be told, they need not be counted again.
    set_listpack_count(pack, count)
    return count


# Places

cdef unsigned char *listpack_last(unsigned char *pack) noexcept nogil:
    """The last entry; the closing byte in an empty pack."""
    cdef unsigned char *end = pack + listpack_size(pack) - 1
    return end if end == listpack_first(pack) else listpack_previous(end)


cdef unsigned char *listpack_at(unsigned char *pack, int64_t index) noexcept nogil:
    """The entry at an index, from the end if negative, or NULL; walks from the nearer end."""
    cdef int64_t count = <int64_t>listpack_header_count(pack)
    cdef unsigned char *entry
    if count != LISTPACK_COUNT_UNKNOWN:
        if index < -count or index >= count:
            return NULL
        if index < 0:
            index += count
        if index > count // 2:
            index -= count
    if index >= 0:
        entry = listpack_first(pack)
        while index > 0 and not listpack_at_end(entry):
            entry = listpack_next(entry)
            index -= 1
        return NULL if listpack_at_end(entry) else entry
    entry = pack + listpack_size(pack) - 1
    while index < 0:
        if entry == listpack_first(pack):
            return NULL
        entry = listpack_previous(entry)
        index += 1
    return entry


cdef unsigned char *listpack_find(
    unsigned char *entry, const Needle *needle, size_t skip
) noexcept nogil:
    """The first entry from here on that equals the needle, or NULL.

    After each entry that is compared, `skip` are passed over: 1 looks at the fields of a pack of
    fields and values.
    """
    cdef Element element
    cdef size_t waiting = 0
    while not listpack_at_end(entry):
        if waiting == 0:
            listpack_read(entry, &element)
            if same_element(&element, needle):
                return entry
            waiting = skip + 1
        waiting -= 1
        entry = listpack_next(entry)
    return NULL


cdef int64_t listpack_emit(
    const unsigned char *entry, int64_t count, emit_t emit, void *context
) except -1:
    """Hand the texts of up to `count` entries from here on to `emit`; how many there were."""
    cdef int64_t emitted = 0
    cdef Element element
    cdef char[NUMBER_TEXT_MAX] text
    while emitted < count and not listpack_at_end(entry):
        listpack_read(entry, &element)
        if element.text != NULL:
            emit(context, element.text, element.size)
        else:
            emit(context, text, int64_to_string(element.number, text))
        entry += entry_size(entry)
        emitted += 1
    return emitted


# Change

cdef unsigned char *resize(unsigned char *pack, size_t old, size_t new) except NULL:
    """Fit the block of a pack to another size; the pack's own bytes are left alone."""
    cdef size_t room = room_for(new)
    cdef unsigned char *moved
    if new > UINT32_MAX:
        raise OverflowError("a listpack holds less than 4 GB")
    if room == room_for(old):
        return pack
    moved = <unsigned char *>PyMem_Realloc(pack, room)
    if moved == NULL:
        if new > old:
            raise MemoryError
        return pack  # what cannot be given back is kept
    return moved


cdef unsigned char *splice(unsigned char *pack, size_t at, size_t old, size_t new) except NULL:
    """Make the `old` bytes at `at` into `new` ones for the caller to fill; the pack's new place."""
    cdef size_t size = listpack_size(pack)
    if new > old:
        pack = resize(pack, size, size - old + new)
    move_listpack_tail(pack, at, old, new)
    if new < old:
        pack = resize(pack, size, size - old + new)
    return pack


cdef unsigned char *append_encoded(
    unsigned char *pack, const Encoded *encoded
) except NULL:
    cdef size_t size = listpack_size(pack)
    pack = resize(pack, size, size + encoded.size)
    write_encoded(encoded, pack + size - 1)
    pack[size + encoded.size - 1] = LISTPACK_END
    set_listpack_size(pack, size + encoded.size)
    change_listpack_count(pack, 1)
    return pack


cdef unsigned char *listpack_append(
    unsigned char *pack, const char *text, size_t size
) except NULL:
    """Add a text at the end; the pack's new place. OverflowError beyond 4 GB."""
    cdef Encoded encoded
    encode_text(text, size, &encoded)
    return append_encoded(pack, &encoded)


cdef unsigned char *listpack_append_number(unsigned char *pack, int64_t number) except NULL:
    """Add a number at the end; the pack's new place."""
    cdef Encoded encoded
    encode_number(number, &encoded)
    return append_encoded(pack, &encoded)


cdef unsigned char *listpack_insert(
    unsigned char *pack, unsigned char **entry, const Encoded *encoded
) except NULL:
    """Add an element before `entry`, which then points to it; the pack's new place."""
    cdef size_t at = <size_t>(entry[0] - pack)
    pack = splice(pack, at, 0, encoded.size)
    write_encoded(encoded, pack + at)
    change_listpack_count(pack, 1)
    entry[0] = pack + at
    return pack


cdef unsigned char *listpack_replace(
    unsigned char *pack, unsigned char **entry, const Encoded *encoded
) except NULL:
    """Put another element in the place of the one at `entry`; the pack's new place."""
    cdef size_t at = <size_t>(entry[0] - pack)
    cdef size_t old = entry_size(entry[0])
    if old != encoded.size:
        pack = splice(pack, at, old, encoded.size)
    write_encoded(encoded, pack + at)
    entry[0] = pack + at
    return pack


cdef unsigned char *listpack_delete(
    unsigned char *pack, unsigned char **entry, size_t count
) except NULL:
    """Remove up to `count` elements from `entry` on, which then points to what followed them."""
    cdef size_t at = <size_t>(entry[0] - pack)
    cdef unsigned char *after = entry[0]
    cdef int64_t removed = 0
    while <size_t>removed < count and not listpack_at_end(after):
        after = listpack_next(after)
        removed += 1
    pack = splice(pack, at, <size_t>(after - entry[0]), 0)
    change_listpack_count(pack, -removed)
    entry[0] = pack + at
    return pack


cdef unsigned char *listpack_merge(
    unsigned char *pack, const unsigned char *other, bint before
) except NULL:
    """Add all elements of another pack at the end or `before` the first; the pack's new place.

    `other` must not be the pack itself.
    """
    cdef size_t added = listpack_size(other) - LISTPACK_EMPTY
    cdef size_t count = listpack_header_count(pack), more = listpack_header_count(other)
    cdef size_t at = LISTPACK_HEADER if before else listpack_size(pack) - 1
    pack = splice(pack, at, 0, added)
    memcpy(pack + at, other + LISTPACK_HEADER, added)
    # A sum that cannot be told is stored as unknown, and one part unknown makes it so.
    set_listpack_count(pack, count + more)
    return pack


# For Python

cdef object element_bytes(const Element *element):
    cdef char[NUMBER_TEXT_MAX] text
    if element.text != NULL:
        return PyBytes_FromStringAndSize(element.text, element.size)
    return PyBytes_FromStringAndSize(text, int64_to_string(element.number, text))


cdef int encode_item(object item, Encoded *out) except -1:
    """Encode bytes or an int of 64 bits; the bytes must outlive what is made of them."""
    if isinstance(item, bytes):
        encode_text(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item), out)
    elif isinstance(item, int):
        encode_number(item, out)
    else:
        raise TypeError(f"an element is bytes or int, not {type(item).__name__}")
    return 0


cdef class ListPack:
    """A listpack with a Python face: `bytes`, or `int` within 64 bits, in; `bytes` out."""

    def __cinit__(self, items=()):
        self.pack = listpack_new()

    def __init__(self, items=()):
        for item in items:
            self.append(item)

    def __dealloc__(self):
        listpack_free(self.pack)

    @staticmethod
    def from_bytes(const unsigned char[::1] data not None):
        """A pack from its own bytes; ValueError unless they are a sound pack throughout."""
        cdef ListPack made = ListPack.__new__(ListPack)
        cdef unsigned char *loaded
        if data.shape[0] == 0:
            raise ValueError("corrupt listpack")
        loaded = listpack_load(&data[0], data.shape[0])
        listpack_free(made.pack)
        made.pack = loaded
        return made

    def to_bytes(self):
        """The pack as it stands in RDB files."""
        return PyBytes_FromStringAndSize(<const char *>self.pack, listpack_size(self.pack))

    def __len__(self):
        return listpack_length(self.pack)

    @property
    def size(self):
        """Bytes of the pack."""
        return listpack_size(self.pack)

    @property
    def memory(self):
        """Bytes taken from the allocator, this object not counted."""
        return listpack_memory(self.pack)

    def safe_to_add(self, size_t size):
        """Whether `size` more bytes keep the pack within 1 GB, as commands ask before they add."""
        return listpack_safe_to_add(self.pack, size)

    cdef unsigned char *at(self, int64_t index) except NULL:
        cdef unsigned char *entry = listpack_at(self.pack, index)
        if entry == NULL:
            raise IndexError("no element at this index")
        return entry

    def get(self, int64_t index):
        """The element at an index, from the end if negative, as bytes; IndexError if none."""
        cdef Element element
        listpack_read(self.at(index), &element)
        return element_bytes(&element)

    def stored(self, int64_t index):
        """The same as it is stored: an int for a number, bytes for a text."""
        cdef Element element
        listpack_read(self.at(index), &element)
        return element.number if element.text == NULL else element_bytes(&element)

    def items(self):
        """All elements as a list of bytes."""
        cdef Py_ssize_t count = listpack_length(self.pack), i
        cdef unsigned char *entry = listpack_first(self.pack)
        cdef Element element
        cdef list out = PyList_New(count)
        for i in range(count):
            listpack_read(entry, &element)
            item = element_bytes(&element)
            Py_INCREF(item)
            PyList_SET_ITEM(out, i, item)
            entry = listpack_next(entry)
        return out

    def __iter__(self):
        return iter(self.items())

    def __reversed__(self):
        cdef unsigned char *entry = self.pack + listpack_size(self.pack) - 1
        cdef Element element
        cdef list out = []
        while entry != listpack_first(self.pack):
            entry = listpack_previous(entry)
            listpack_read(entry, &element)
            out.append(element_bytes(&element))
        return iter(out)

    def equals(self, int64_t index, bytes item not None):
        """Whether the element at an index has this text."""
        cdef Needle needle
        cdef Element element
        set_needle(&needle, PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item))
        listpack_read(self.at(index), &element)
        return same_element(&element, &needle)

    def find(self, bytes item not None, int64_t start=0, size_t skip=0):
        """The index of the first such element from `start` on, or None.

        After each element that is compared, `skip` are passed over.
        """
        cdef Needle needle
        cdef unsigned char *entry
        cdef unsigned char *found
        if start < 0 or start >= <int64_t>listpack_length(self.pack):
            return None
        set_needle(&needle, PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item))
        entry = self.at(start)
        found = listpack_find(entry, &needle, skip)
        if found == NULL:
            return None
        while entry != found:
            entry = listpack_next(entry)
            start += 1
        return start

    def append(self, item):
        """Add an element at the end."""
        cdef Encoded encoded
        encode_item(item, &encoded)
        self.pack = append_encoded(self.pack, &encoded)

    def prepend(self, item):
        """Add an element before the first."""
        cdef unsigned char *entry = listpack_first(self.pack)
        cdef Encoded encoded
        encode_item(item, &encoded)
        self.pack = listpack_insert(self.pack, &entry, &encoded)

    def insert(self, int64_t index, item, bint after=False):
        """Add an element before or `after` the one at an index; IndexError if there is none."""
        cdef unsigned char *entry = self.at(index)
        cdef Encoded encoded
        encode_item(item, &encoded)
        if after:
            entry = listpack_next(entry)
        self.pack = listpack_insert(self.pack, &entry, &encoded)

    def replace(self, int64_t index, item):
        """Put another element in the place of the one at an index; IndexError if there is none."""
        cdef unsigned char *entry = self.at(index)
        cdef Encoded encoded
        encode_item(item, &encoded)
        self.pack = listpack_replace(self.pack, &entry, &encoded)

    def delete(self, int64_t index, size_t count=1):
        """Remove up to `count` elements from an index on; IndexError if there is none."""
        cdef unsigned char *entry = self.at(index)
        self.pack = listpack_delete(self.pack, &entry, count)

    def merge(self, ListPack other not None, bint before=False):
        """Add all elements of another pack, which stays as it is."""
        if other is self:
            other = self.copy()
        self.pack = listpack_merge(self.pack, other.pack, before)

    def copy(self):
        """A pack of the same elements."""
        return ListPack.from_bytes(self.to_bytes())

    def check_invariants(self):
        """Raise AssertionError unless the bytes are a sound pack that can be walked both ways."""
        assert listpack_valid(self.pack, listpack_size(self.pack)), "the bytes are no sound pack"
        assert list(reversed(self)) == self.items()[::-1], "the two directions differ"
