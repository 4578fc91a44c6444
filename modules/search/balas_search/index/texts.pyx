"""Distinct texts and their numbers, in little memory, out of the garbage collector's sight."""

from collections.abc import Iterator

from libc.stdint cimport int64_t

from balas_search.index.keytable cimport KeyTable


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

    def memory(self) -> int:
        """Bytes it takes."""
        return self.names.memory()
