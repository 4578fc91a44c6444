"""Phrases of two words that many documents hold: both lists are read from end to end."""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from balas_search.postings.posting cimport Posting


cdef enum:
    # So many places are compared between two looks at the time; less one, to be used as a mask.
    PLACES_AT_ONCE = (1 << 20) - 1


cdef uint64_t* places_of(Posting posting, Py_ssize_t* count) except NULL:
    """All places where a term stands: document * 2**32 + position, increasing."""
    # Each takes a byte at least.
    cdef uint64_t* found = <uint64_t*> malloc(posting.offsets_size * sizeof(uint64_t) + 1)
    if found == NULL:
        raise MemoryError()
    cdef const uint8_t* offsets = posting.offsets
    cdef const uint32_t* docs = posting.docs
    cdef Py_ssize_t end = posting.offsets_size
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t doc = -1
    cdef Py_ssize_t made = 0
    cdef uint32_t position = 0
    cdef uint64_t value
    cdef int shift
    while at < end:
        value = offsets[at]
        at += 1
        if value >= 0x80:
            value &= 0x7F
            shift = 7
            while offsets[at] & 0x80:
                value |= <uint64_t> (offsets[at] & 0x7F) << shift
                shift += 7
                at += 1
            value |= <uint64_t> offsets[at] << shift
            at += 1
        # Without a branch for the first position of a document, for it cannot be predicted.
        position = position * <uint32_t> (1 - (value & 1)) + <uint32_t> (value >> 1)
        doc += value & 1
        found[made] = (<uint64_t> docs[doc] << 32) | position
        made += 1
    count[0] = made
    return found


def following(Posting one not None, Posting other not None, check_time) -> np.ndarray:
    """The documents in which `other` stands right behind `one`, or in the same place.

    Both must have positions. `check_time()` is called now and then; what it raises ends this.
    """
    cdef Py_ssize_t sizes[2]
    cdef uint64_t* first = places_of(one, &sizes[0])
    cdef uint64_t* second = NULL
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t j = 0
    cdef Py_ssize_t count = 0
    cdef int64_t apart
    cdef uint32_t doc
    cdef uint32_t last = 0
    cdef bint met
    cdef uint32_t[::1] out
    try:
        check_time()
        second = places_of(other, &sizes[1])
        found = np.empty(min(one.size, other.size) + 1, np.uint32)
        out = found
        while i < sizes[0] and j < sizes[1]:
            if (i + j) & PLACES_AT_ONCE == 0:
                check_time()
            apart = <int64_t> (second[j] - first[i])
            doc = <uint32_t> (first[i] >> 32)
            met = ((apart == 0) | (apart == 1)) & (doc != last)
            out[count] = doc
            count += met
            last = doc if met else last
            i += apart > 0
            j += apart <= 0
    finally:
        free(first)
        free(second)
    return found[:count]
