"""Zipmap: how the oldest servers stored small hashes; read here, never written.

A byte with the count (254: more than can be told), the fields with their values, and a closing
0xff. A field is its length and its text; a value is its length, a byte that says how many bytes
behind it are unused, its text, and those bytes. A length is one byte below 254, or 0xfe and four
little-endian bytes.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from balas.structures.listpack cimport listpack_append, listpack_free, listpack_new

cdef enum:
    ZIPMAP_END = 0xff
    LONG_LENGTH = 0xfe
    COUNT_UNKNOWN = 0xfe


# A text as it stands in the map, and where to go on behind it.
cdef struct Text:
    const char *text
    size_t size
    const unsigned char *next


cdef bint take_text(
    const unsigned char *place, const unsigned char *end, bint is_value, Text *out
) noexcept nogil:
    """Read a field, or a value with its unused bytes; False unless all of it is before the end."""
    cdef uint32_t length
    cdef size_t left = <size_t>(end - place), unused = 0
    if left < 1 or place[0] == ZIPMAP_END:
        return False
    if place[0] == LONG_LENGTH:
        if left < 5:
            return False
        memcpy(&length, place + 1, 4)
        place += 5
    else:
        length = place[0]
        place += 1
    if is_value:
        if place >= end:
            return False
        unused = place[0]
        place += 1
    if <size_t>length + unused > <size_t>(end - place):
        return False
    out.text = <const char *>place
    out.size = length
    out.next = place + length + unused
    return True


cdef bint zipmap_valid(const unsigned char *data, size_t n) noexcept nogil:
    """Whether the bytes are a sound zipmap of one field at least."""
    cdef const unsigned char *place = data + 1
    cdef const unsigned char *end = data + n - 1
    cdef Text text
    cdef size_t count = 0
    if n < 2 or end[0] != ZIPMAP_END:
        return False
    while place < end:
        if not take_text(place, end, False, &text) or not take_text(text.next, end, True, &text):
            return False
        place = text.next
        count += 1
    return count > 0 and (data[0] >= COUNT_UNKNOWN or data[0] == count)


cdef unsigned char *zipmap_to_listpack(const unsigned char *data, size_t n) except NULL:
    """A new listpack of the fields and values; ValueError unless the bytes are a sound zipmap."""
    cdef const unsigned char *place = data + 1
    cdef const unsigned char *end = data + n - 1
    cdef unsigned char *pack
    cdef Text text
    cdef bint is_value = False
    if not zipmap_valid(data, n):
        raise ValueError("corrupt zipmap")
    pack = listpack_new()
    try:
        while place < end:
            take_text(place, end, is_value, &text)
            pack = listpack_append(pack, text.text, text.size)
            place = text.next
            is_value = not is_value
    except BaseException:
        listpack_free(pack)
        raise
    return pack


def pairs_of(bytes data not None):
    """The fields of a zipmap with their values, as pairs of bytes; ValueError unless it is sound.
    """
    cdef const unsigned char *start = data
    cdef const unsigned char *place = start + 1
    cdef const unsigned char *end = start + len(data) - 1
    cdef Text field, value
    cdef list found = []
    if not zipmap_valid(start, len(data)):
        raise ValueError("corrupt zipmap")
    while place < end:
        take_text(place, end, False, &field)
        take_text(field.next, end, True, &value)
        found.append((field.text[:field.size], value.text[:value.size]))
        place = value.next
    return found
