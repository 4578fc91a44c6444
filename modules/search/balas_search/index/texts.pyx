"""Distinct texts and their numbers, in little memory, out of the garbage collector's sight."""

from collections.abc import Iterator

import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from balas_search.index.keytable cimport Key, KeyTable

cdef enum:
    # So many entries are sorted by insertion before runs are merged.
    RUN = 8


cdef struct Entry:
    # The first eight bytes that not all texts share, as a number: mostly it tells what comes first.
    uint64_t prefix
    Py_ssize_t number


cdef class TextTable:
    """Texts, numbered from 0 in the order in which they came. A sequence of bytes."""

    cdef KeyTable names

    def __cinit__(self):
        self.names = KeyTable()

    def __len__(self) -> int:
        return self.names.count - 1

    def __getitem__(self, Py_ssize_t number) -> bytes:
        # A key table begins with 1, and has nothing beyond its end.
        text = self.names.key_at(number + 1)
        if text is None:
            raise IndexError("there is no text of that number")
        return text

    def __iter__(self) -> Iterator[bytes]:
        cdef Py_ssize_t number = 1
        while number < self.names.count:
            yield self.names.key_at(number)
            number += 1

    def number_of(self, bytes text not None) -> int:
        """The number of a text, the next one if it is new."""
        cdef Py_ssize_t number = self.names.find(text)
        if not number:
            number = self.names.count
            self.names.add(text)
        return number - 1

    def some(self, const int64_t[:] numbers not None) -> list[bytes]:
        """The texts of some numbers, all of which must be known."""
        cdef Py_ssize_t i
        return [self.names.key_at(numbers[i] + 1) for i in range(numbers.shape[0])]

    def order(self) -> np.ndarray:
        """The numbers of all texts in the order of these (int64)."""
        cdef Py_ssize_t count = self.names.count - 1
        cdef Entry* entries = <Entry*> malloc((count + 1) * sizeof(Entry))
        cdef Entry* merged = <Entry*> malloc((count + 1) * sizeof(Entry))
        cdef Py_ssize_t width = RUN
        cdef Py_ssize_t shared = self.shared()
        cdef Py_ssize_t i
        cdef int64_t[::1] out
        try:
            if entries == NULL or merged == NULL:
                raise MemoryError()
            for i in range(count):
                entries[i] = self.entry(i, shared)
            for i in range(0, count, RUN):
                self.insert_all(entries + i, min(RUN, count - i))
            while width < count:
                for i in range(0, count, 2 * width):
                    self.merge(entries + i, min(width, count - i), min(2 * width, count - i),
                               merged + i)
                entries, merged = merged, entries
                width *= 2
            found = np.empty(count, np.int64)
            out = found
            for i in range(count):
                out[i] = entries[i].number
            return found
        finally:
            free(entries)
            free(merged)

    cdef Py_ssize_t shared(self) noexcept:
        """How many bytes all texts begin with."""
        cdef Py_ssize_t count = self.names.count - 1
        cdef Key first, key
        cdef Py_ssize_t size, number
        if not count:
            return 0
        first = self.names.stored(1)
        size = first.size
        for number in range(count):
            key = self.names.stored(number + 1)
            size = min(size, <Py_ssize_t> key.size)
            while memcmp(first.data, key.data, size):
                size -= 1
        return size

    cdef Entry entry(self, Py_ssize_t number, Py_ssize_t shared) noexcept:
        cdef Key key = self.names.stored(number + 1)
        cdef Entry made
        cdef Py_ssize_t i
        made.number = number
        made.prefix = 0
        for i in range(shared, shared + 8):
            made.prefix = made.prefix << 8 | (key.data[i] if i < <Py_ssize_t> key.size else 0)
        return made

    cdef bint is_before(self, Entry* one, Entry* other) noexcept:
        cdef Key first, second
        cdef int found
        if one.prefix != other.prefix:
            return one.prefix < other.prefix
        first = self.names.stored(one.number + 1)
        second = self.names.stored(other.number + 1)
        found = memcmp(first.data, second.data, min(first.size, second.size))
        return found < 0 or (found == 0 and first.size < second.size)

    cdef void insert_all(self, Entry* entries, Py_ssize_t count) noexcept:
        """Sort a few entries."""
        cdef Entry moved
        cdef Py_ssize_t i, at
        for i in range(1, count):
            moved = entries[i]
            at = i
            while at and self.is_before(&moved, entries + at - 1):
                entries[at] = entries[at - 1]
                at -= 1
            entries[at] = moved

    cdef void merge(
        self, Entry* entries, Py_ssize_t middle, Py_ssize_t end, Entry* merged
    ) noexcept:
        """Merge two runs that are sorted, one behind the other."""
        cdef Py_ssize_t left = 0
        cdef Py_ssize_t right = middle
        cdef Py_ssize_t i
        for i in range(end):
            if right == end or (left < middle and not self.is_before(entries + right,
                                                                     entries + left)):
                merged[i] = entries[left]
                left += 1
            else:
                merged[i] = entries[right]
                right += 1

    def memory(self) -> int:
        """Bytes it takes."""
        return self.names.memory()
