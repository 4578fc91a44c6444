"""Texts that are read from the front, and texts that grow at the end."""

from libc.stdlib cimport realloc
from libc.string cimport memcpy

cdef struct Source:
    # What is left of a text.
    const unsigned char *at
    const unsigned char *end


cdef struct Text:
    # A text that grows.
    char *data
    size_t size
    size_t room


cdef inline bint reserve(Text *text, size_t more) noexcept:
    """Make room for so many bytes."""
    cdef size_t room = text.room
    cdef char *data
    if text.size + more <= room:
        return True
    while room < text.size + more:
        room = room * 2 if room else 256
    data = <char *> realloc(text.data, room)
    if data == NULL:
        return False
    text.data, text.room = data, room
    return True


cdef inline bint add(Text *text, const char *data, size_t size) noexcept:
    if not reserve(text, size):
        return False
    memcpy(text.data + text.size, data, size)
    text.size += size
    return True
