from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

cdef enum:
    LISTPACK_HEADER = 6          # total bytes in four bytes, count in two
    LISTPACK_EMPTY = 7           # bytes of a pack without elements
    LISTPACK_END = 0xff          # the byte that closes a pack
    LISTPACK_COUNT_UNKNOWN = 0xffff  # this many elements or more: they have to be counted
    LISTPACK_SAFE_MAX = 1 << 30  # commands let no pack grow beyond this
    NUMBER_TEXT_MAX = 20         # the longest text of an int64

# An element as it is read: `text` points into the pack, or is NULL where a number is stored.
cdef struct Element:
    const char *text
    size_t size
    int64_t number

# An element as it will be written: head, the text if it is no number, back length.
cdef struct Encoded:
    const char *text
    size_t text_size
    size_t size                  # bytes in the pack, back length included
    uint8_t head_size
    unsigned char[9] head

# What is looked for: a text, and the number that its text may be.
cdef struct Needle:
    const char *text
    size_t size
    int64_t number
    bint is_number

# Takes the text of one element; what it returns is handed on, -1 with an exception.
ctypedef int (*emit_t)(void *context, const char *text, size_t size) except -1

cdef void set_needle(Needle *needle, const char *text, size_t size) noexcept nogil
cdef void encode_text(const char *text, size_t size, Encoded *out) noexcept nogil
cdef void encode_number(int64_t number, Encoded *out) noexcept nogil
cdef void write_encoded(const Encoded *encoded, unsigned char *where) noexcept nogil

# A pack is a pointer to its first byte; an entry is a pointer into it, at its end to the closing
# byte. What changes a pack may move it: it returns the new place and sets `entry` anew.
cdef unsigned char *listpack_new() except NULL
cdef unsigned char *listpack_copy(const unsigned char *pack) except NULL
cdef unsigned char *listpack_load(const unsigned char *data, size_t n) except NULL
cdef void listpack_free(unsigned char *pack) noexcept
cdef size_t listpack_memory(const unsigned char *pack) noexcept nogil
cdef bint listpack_valid(const unsigned char *data, size_t n) noexcept nogil
cdef size_t listpack_length(unsigned char *pack) noexcept nogil

cdef unsigned char *listpack_at(unsigned char *pack, int64_t index) noexcept nogil
cdef unsigned char *listpack_last(unsigned char *pack) noexcept nogil
cdef unsigned char *listpack_find(
    unsigned char *entry, const Needle *needle, size_t skip
) noexcept nogil

cdef unsigned char *listpack_append(
    unsigned char *pack, const char *text, size_t size
) except NULL
cdef unsigned char *listpack_append_number(unsigned char *pack, int64_t number) except NULL
cdef unsigned char *listpack_insert(
    unsigned char *pack, unsigned char **entry, const Encoded *encoded
) except NULL
cdef unsigned char *listpack_replace(
    unsigned char *pack, unsigned char **entry, const Encoded *encoded
) except NULL
cdef unsigned char *listpack_delete(
    unsigned char *pack, unsigned char **entry, size_t count
) except NULL
cdef unsigned char *listpack_merge(
    unsigned char *pack, const unsigned char *other, bint before
) except NULL
cdef int64_t listpack_emit(
    const unsigned char *entry, int64_t count, emit_t emit, void *context
) except -1

cdef object element_bytes(const Element *element)
cdef int encode_item(object item, Encoded *out) except -1


cdef class ListPack:
    cdef unsigned char *pack

    cdef unsigned char *at(self, int64_t index) except NULL


cdef inline size_t listpack_size(const unsigned char *pack) noexcept nogil:
    """Bytes of the pack, header and closing byte included."""
    cdef uint32_t size
    memcpy(&size, pack, 4)
    return size


cdef inline void set_listpack_size(unsigned char *pack, size_t size) noexcept nogil:
    cdef uint32_t stored = <uint32_t>size
    memcpy(pack, &stored, 4)


cdef inline size_t listpack_header_count(const unsigned char *pack) noexcept nogil:
    """The count as stored: LISTPACK_COUNT_UNKNOWN says that it has to be found by counting."""
    cdef uint16_t count
    memcpy(&count, pack + 4, 2)
    return count


cdef inline void set_listpack_count(unsigned char *pack, size_t count) noexcept nogil:
    cdef uint16_t stored = LISTPACK_COUNT_UNKNOWN
    if count < LISTPACK_COUNT_UNKNOWN:
        stored = <uint16_t>count
    memcpy(pack + 4, &stored, 2)


cdef inline void change_listpack_count(unsigned char *pack, int64_t by) noexcept nogil:
    """Keep the count as elements come and go; one that is unknown stays so."""
    cdef size_t count = listpack_header_count(pack)
    if count != LISTPACK_COUNT_UNKNOWN:
        set_listpack_count(pack, <size_t>(<int64_t>count + by))


cdef inline bint listpack_safe_to_add(const unsigned char *pack, size_t size) noexcept nogil:
    """Whether the pack may grow by `size` bytes, as commands ask before they add."""
    return listpack_size(pack) + size <= LISTPACK_SAFE_MAX


cdef inline unsigned char *listpack_first(unsigned char *pack) noexcept nogil:
    """The first entry; the closing byte in an empty pack."""
    return pack + LISTPACK_HEADER


cdef inline bint listpack_at_end(const unsigned char *entry) noexcept nogil:
    return entry[0] == LISTPACK_END


cdef inline size_t back_size(size_t size) noexcept nogil:
    """Bytes of the back length of an element whose head and content take `size` bytes.

    The limits are one below what seven bits a byte could tell, the first aside: so writes Redis.
    """
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    return 4 if size < 268435455 else 5


cdef inline size_t encoded_size(const unsigned char *entry) noexcept nogil:
    """Bytes of head and content of the element at `entry`, which must not be the closing byte."""
    cdef unsigned int head = entry[0]
    cdef uint32_t size
    if head < 0x80:
        return 1
    if head < 0xc0:
        return 1 + (head & 0x3f)
    if head < 0xe0:
        return 2
    if head < 0xf0:
        return 2 + ((head & 0x0f) << 8 | entry[1])
    if head == 0xf0:
        memcpy(&size, entry + 1, 4)
        return 5 + <size_t>size
    # Numbers of 16, 24, 32 and 64 bits behind the heads 0xf1 to 0xf4.
    return head - 0xee if head < 0xf4 else 9


cdef inline size_t entry_size(const unsigned char *entry) noexcept nogil:
    """Bytes of the element at `entry`, back length included."""
    cdef size_t size = encoded_size(entry)
    return size + back_size(size)


cdef inline unsigned char *listpack_next(unsigned char *entry) noexcept nogil:
    """The entry that follows, or the closing byte; `entry` must not be the closing byte."""
    return entry + entry_size(entry)


cdef inline unsigned char *listpack_previous(unsigned char *entry) noexcept nogil:
    """The entry before; `entry` must not be the first, and may be the closing byte."""
    cdef size_t size
    cdef int shift = 0
    entry -= 1
    size = entry[0] & 0x7f
    while entry[0] & 0x80:
        entry -= 1
        shift += 7
        size |= <size_t>(entry[0] & 0x7f) << shift
    return entry - size


cdef inline void listpack_read(const unsigned char *entry, Element *out) noexcept nogil:
    """Read the element at `entry`."""
    cdef unsigned int head = entry[0]
    cdef uint32_t word = 0
    out.text = NULL
    if head < 0x80:
        out.number = head
    elif head < 0xc0:
        out.text = <const char *>entry + 1
        out.size = head & 0x3f
    elif head < 0xe0:
        # Thirteen bits with a sign.
        out.number = (head & 0x1f) << 8 | entry[1]
        if out.number >= 4096:
            out.number -= 8192
    elif head < 0xf0:
        out.text = <const char *>entry + 2
        out.size = (head & 0x0f) << 8 | entry[1]
    elif head == 0xf0:
        memcpy(&word, entry + 1, 4)
        out.text = <const char *>entry + 5
        out.size = word
    elif head == 0xf4:
        memcpy(&out.number, entry + 1, 8)
    else:
        # 16, 24 or 32 bits, brought to the top of a word and back down with their sign. Four bytes
        # can always be read: a back length and the closing byte follow.
        memcpy(&word, entry + 1, 4)
        word <<= (0xf3 - head) * 8
        out.number = <int64_t>(<int>word >> ((0xf3 - head) * 8))


cdef inline void move_listpack_tail(
    unsigned char *pack, size_t at, size_t old, size_t new
) noexcept nogil:
    """Make the `old` bytes at `at` into `new` ones to be filled; the block has the room."""
    cdef size_t size = listpack_size(pack)
    memmove(pack + at + new, pack + at + old, size - at - old)
    set_listpack_size(pack, size - old + new)


cdef inline bint same_element(const Element *element, const Needle *needle) noexcept nogil:
    if element.text == NULL:
        return needle.is_number and element.number == needle.number
    return element.size == needle.size and memcmp(element.text, needle.text, needle.size) == 0
