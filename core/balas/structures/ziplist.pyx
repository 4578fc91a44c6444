"""Ziplist: how older servers stored small collections; read here, never written.

Ten bytes of head (all bytes in four, the offset of the last entry in four, the count in two, 65535
for more than can be told), the entries, and a closing 0xff. All numbers are little-endian, but the
sizes of texts big-endian. An entry is the size of the one before it (one byte, or 0xfe and four), a
head that tells kind and size, and its content:

    00nnnnnn          text below 64 bytes     11000000, 11010000, 11100000   16, 32, 64 bits
    01nnnnnn n        text below 16 KB        11110000, 11111110             24, 8 bits
    10...... nnnn     any other text          1111xxxx  x from 1 to 13       x - 1

Whoever holds bytes of unknown origin asks `ziplist_valid` first, or makes a listpack of them.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, uint16_t
from libc.string cimport memcpy

from balas.structures.listpack cimport (
    Element,
    element_bytes,
    listpack_append,
    listpack_append_number,
    listpack_free,
    listpack_new,
)

cdef enum:
    # A size before an entry that needs four bytes begins with this one.
    LONG_SIZE = 0xfe
    COUNT_UNKNOWN = 0xffff
    TAIL_OFFSET_AT = 4
    COUNT_AT = 8


cdef inline uint32_t word_at(const unsigned char *place) noexcept nogil:
    cdef uint32_t word
    memcpy(&word, place, 4)
    return word


cdef inline size_t text_head(
    const unsigned char *head, size_t left, size_t *text_size
) noexcept nogil:
    """Bytes of the head of a text, and the size of the text; 0 if there are not enough left."""
    cdef unsigned int kind = head[0] >> 6
    if kind == 0:
        text_size[0] = head[0] & 0x3f
        return 1
    if kind == 1:
        if left < 2:
            return 0
        text_size[0] = (<size_t>(head[0] & 0x3f) << 8) | head[1]
        return 2
    if left < 5:
        return 0
    text_size[0] = (
        (<size_t>head[1] << 24) | (<size_t>head[2] << 16) | (<size_t>head[3] << 8) | head[4]
    )
    return 5


cdef inline int number_bytes(unsigned int head) noexcept nogil:
    """Bytes of a number behind its head, -1 if no number has such a head."""
    if head == 0xc0:
        return 2
    if head == 0xd0:
        return 4
    if head == 0xe0:
        return 8
    if head == 0xf0:
        return 3
    if head == 0xfe:
        return 1
    return 0 if 0xf1 <= head <= 0xfd else -1


cdef size_t checked_size(
    const unsigned char *entry, size_t left, size_t size_before
) noexcept nogil:
    """Bytes of the entry, of which `left` bytes may be read; 0 if it is not sound."""
    cdef size_t at = 1, before = entry[0], head, text_size = 0
    cdef int content
    if before == LONG_SIZE:
        if left < 5:
            return 0
        before = word_at(entry + 1)
        at = 5
    if before != size_before or at >= left:
        return 0
    if entry[at] < 0xc0:
        head = text_head(entry + at, left - at, &text_size)
        if head == 0 or text_size > left - at - head:
            return 0
        return at + head + text_size
    content = number_bytes(entry[at])
    if content < 0 or <size_t>content > left - at - 1:
        return 0
    return at + 1 + content


cdef bint ziplist_valid(const unsigned char *data, size_t n) noexcept nogil:
    """Whether the bytes are a sound ziplist: sizes, heads, count, last entry and closing byte."""
    cdef size_t at = ZIPLIST_HEADER, count = 0, size = 0, last
    cdef uint16_t told
    if n < ZIPLIST_HEADER + 1 or word_at(data) != n or data[n - 1] != ZIPLIST_END:
        return False
    last = at
    while at < n - 1:
        size = checked_size(data + at, n - 1 - at, size)
        if size == 0:
            return False
        last = at
        at += size
        count += 1
    memcpy(&told, data + COUNT_AT, 2)
    return word_at(data + TAIL_OFFSET_AT) == last and (told == COUNT_UNKNOWN or told == count)


cdef const unsigned char *ziplist_read(const unsigned char *entry, Element *out) noexcept nogil:
    """Read the entry of a sound ziplist; the one that follows, or the closing byte."""
    cdef const unsigned char *head = entry + (5 if entry[0] == LONG_SIZE else 1)
    cdef int16_t short_number
    cdef int32_t word
    cdef size_t size = 0
    out.text = NULL
    if head[0] < 0xc0:
        head += text_head(head, 5, &size)
        out.text = <const char *>head
        out.size = size
        return head + size
    if head[0] == 0xc0:
        memcpy(&short_number, head + 1, 2)
        out.number = short_number
    elif head[0] == 0xd0:
        memcpy(&word, head + 1, 4)
        out.number = word
    elif head[0] == 0xe0:
        memcpy(&out.number, head + 1, 8)
    elif head[0] == 0xf0:
        word = 0
        memcpy(<char *>&word + 1, head + 1, 3)
        out.number = word >> 8
    elif head[0] == 0xfe:
        out.number = <int8_t>head[1]
    else:
        out.number = (head[0] & 0x0f) - 1
    return head + 1 + number_bytes(head[0])


cdef unsigned char *ziplist_to_listpack(const unsigned char *data, size_t n) except NULL:
    """A new listpack of the same elements; ValueError unless the bytes are a sound ziplist."""
    cdef const unsigned char *entry = data + ZIPLIST_HEADER
    cdef unsigned char *pack
    cdef Element element
    if not ziplist_valid(data, n):
        raise ValueError("corrupt ziplist")
    pack = listpack_new()
    try:
        while entry[0] != ZIPLIST_END:
            entry = ziplist_read(entry, &element)
            if element.text != NULL:
                pack = listpack_append(pack, element.text, element.size)
            else:
                pack = listpack_append_number(pack, element.number)
    except BaseException:
        listpack_free(pack)
        raise
    return pack


def elements_of(bytes data not None):
    """The elements of a ziplist as bytes; ValueError unless it is sound."""
    cdef const unsigned char *start = data
    cdef const unsigned char *entry = start + ZIPLIST_HEADER
    cdef Element element
    cdef list found = []
    if not ziplist_valid(start, len(data)):
        raise ValueError("corrupt ziplist")
    while entry[0] != ZIPLIST_END:
        entry = ziplist_read(entry, &element)
        found.append(element_bytes(&element))
    return found
