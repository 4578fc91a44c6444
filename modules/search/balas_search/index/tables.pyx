"""Growing arrays: the table of documents, columns by document id, and pairs of id and number.

Views that are handed out show memory that moves when the table grows: use them up before anything
is added.
"""

import numpy as np

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.math cimport NAN
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc

from balas_search.index.keytable cimport KeyTable


# In a mapping of document ids: this document is gone.
GONE = 0xFFFFFFFF

cdef enum:
    UNUSED = 0xFFFFFFFF


cdef void* resized(void* block, size_t size) except NULL:
    cdef void* found = realloc(block, size)
    if found == NULL:
        raise MemoryError()
    return found


cdef view(void* data, Py_ssize_t count, dtype, Py_ssize_t width):
    if not count:
        return np.empty(0, dtype)
    return np.frombuffer(PyMemoryView_FromMemory(<char*> data, count * width, PyBUF_READ), dtype)


cdef class DocumentTable:
    """The documents of an index.

    Each gets the next id when it is put in, again each time it changes: ids only ever increase, and
    begin with 1.
    """

    def __cinit__(self):
        self.names = KeyTable()
        self.payloads = {}
        self.grow(16)

    def __dealloc__(self):
        free(self.alive_data)
        free(self.score_data)
        free(self.length_data)
        free(self.frequency_data)

    def __len__(self) -> int:
        return self.names.living

    def __contains__(self, bytes key not None) -> bool:
        return self.names.find(key) != 0

    cdef int grow(self, Py_ssize_t capacity) except -1:
        self.alive_data = <uint8_t*> resized(self.alive_data, capacity)
        self.score_data = <float*> resized(self.score_data, capacity * 4)
        self.length_data = <uint32_t*> resized(self.length_data, capacity * 4)
        self.frequency_data = <uint32_t*> resized(self.frequency_data, capacity * 4)
        self.capacity = capacity
        self.clear_row(0)
        return 0

    cdef int make_room(self) except -1:
        """See to it that there is room for the next id."""
        if self.names.count == self.capacity:
            self.grow(self.capacity + (self.capacity >> 2) + 16)
        return 0

    cdef void clear_row(self, Py_ssize_t doc) noexcept:
        self.alive_data[doc] = 0
        self.score_data[doc] = 0
        self.length_data[doc] = 0
        self.frequency_data[doc] = 0

    @property
    def last_id(self) -> int:
        """The highest id that was given."""
        return self.names.count - 1

    def id_of(self, bytes key not None) -> int:
        """The id of a key, 0 if there is no such document."""
        return self.names.find(key)

    def key_of(self, Py_ssize_t doc) -> bytes | None:
        """The key of an id, None once the document is gone."""
        return self.names.key_at(doc)

    def keys_of(self, docs not None) -> list[bytes | None]:
        """The keys of some ids (array or list), None for those that are gone."""
        cdef const uint32_t[::1] ids = np.ascontiguousarray(docs, np.uint32)
        cdef Py_ssize_t i
        return [self.names.key_at(ids[i]) for i in range(ids.shape[0])]

    def put(self, bytes key not None, double score=1.0, payload=None) -> int:
        """Give a document the next id; what was there under this key is gone."""
        cdef Py_ssize_t made = self.names.count
        cdef Py_ssize_t before
        self.everything = None
        self.make_room()
        before = self.names.add(key)
        if before:
            self.forget(before)
        self.clear_row(made)
        self.alive_data[made] = 1
        self.score_data[made] = <float> score
        if payload is not None:
            self.payloads[made] = payload
        return made

    def describe(self, Py_ssize_t doc, uint32_t length, uint32_t frequency_max) -> None:
        """Note the sum of all frequencies in a document, and the highest."""
        self.length_data[doc] = length
        self.frequency_data[doc] = frequency_max
        self.total_length += length

    def remove(self, bytes key not None) -> int:
        """Forget a document; returns the id it had, or 0."""
        cdef Py_ssize_t doc = self.names.remove(key)
        if doc:
            self.everything = None
            self.forget(doc)
            if self.successor is not None:
                self.successor.remove(key)
        return doc

    cdef int forget(self, Py_ssize_t doc) except -1:
        self.alive_data[doc] = 0
        self.total_length -= self.length_data[doc]
        if self.payloads:
            self.payloads.pop(doc, None)
        return 0

    @property
    def alive(self) -> np.ndarray:
        """For each id whether the document is there (uint8)."""
        return view(self.alive_data, self.names.count, np.uint8, 1)

    @property
    def scores(self) -> np.ndarray:
        """For each id the document's own score (float32)."""
        return view(self.score_data, self.names.count, np.float32, 4)

    @property
    def lengths(self) -> np.ndarray:
        """For each id the sum of all frequencies (uint32)."""
        return view(self.length_data, self.names.count, np.uint32, 4)

    @property
    def frequencies(self) -> np.ndarray:
        """For each id the highest frequency of a term (uint32)."""
        return view(self.frequency_data, self.names.count, np.uint32, 4)

    def all_ids(self) -> np.ndarray:
        """The ids of all documents that are there (uint32). Not to be changed."""
        if self.everything is None:
            self.everything = np.flatnonzero(self.alive.view(bool)).astype(np.uint32)
        return self.everything

    # --- new ids without gaps --------------------------------------------------------------------

    def begin_renumbering(self) -> None:
        """Begin to put the documents into a table without the ids that are unused now."""
        self.successor = DocumentTable()
        self.passed = 1
        self.unused = np.asarray(self.alive) == 0
        self.new_ids = np.full(self.names.count, GONE, np.uint32)

    def renumber_some(self, Py_ssize_t count) -> bool:
        """Pass over so many ids; whether there are any left. Documents may come and go meanwhile.

        A document that has gone since this began keeps an id, which is unused.
        """
        cdef Py_ssize_t end = min(self.passed + count, self.names.count)
        cdef const uint8_t[::1] unused = self.unused.view(np.uint8)
        cdef uint32_t[::1] new_ids
        cdef Py_ssize_t doc
        if end > self.new_ids.shape[0]:
            new_ids = self.new_ids
            self.new_ids = np.full(end + (end >> 3) + count, GONE, np.uint32)
            self.new_ids[:new_ids.shape[0]] = new_ids
        new_ids = self.new_ids
        for doc in range(self.passed, end):
            if doc >= unused.shape[0] or not unused[doc]:
                new_ids[doc] = self.successor.copy_of(self, doc)
        self.passed = end
        return end < self.names.count

    cdef uint32_t copy_of(self, DocumentTable other, Py_ssize_t doc) except 0:
        """Give a document of another table the next id."""
        cdef Py_ssize_t made = self.names.count
        cdef Py_ssize_t before
        self.make_room()
        if not other.alive_data[doc]:
            self.names.skip()
            self.clear_row(made)
            return <uint32_t> made
        before = self.names.add_from(other.names, doc)
        if before:
            self.forget(before)
        self.alive_data[made] = 1
        self.score_data[made] = other.score_data[doc]
        self.length_data[made] = other.length_data[doc]
        self.frequency_data[made] = other.frequency_data[doc]
        self.total_length += other.length_data[doc]
        if other.payloads and doc in other.payloads:
            self.payloads[made] = other.payloads[doc]
        return <uint32_t> made

    def end_renumbering(self) -> np.ndarray:
        """Take the new ids, once `renumber_some` has passed over all.

        Returns for each of the old ids (uint32) the new one; GONE for those that were unused.
        """
        cdef DocumentTable made = self.successor
        new_ids = self.new_ids[:self.names.count]
        self.names, self.payloads, self.total_length = made.names, made.payloads, made.total_length
        self.alive_data, made.alive_data = made.alive_data, self.alive_data
        self.score_data, made.score_data = made.score_data, self.score_data
        self.length_data, made.length_data = made.length_data, self.length_data
        self.frequency_data, made.frequency_data = made.frequency_data, self.frequency_data
        self.capacity = made.capacity
        self.successor = self.unused = self.new_ids = self.everything = None
        return new_ids

    def memory(self) -> int:
        """Bytes it takes."""
        made = 0 if self.successor is None else self.successor.memory()
        return self.capacity * 13 + self.names.memory() + made


cdef class NumberColumn:
    """A number for each document id, NaN where there is none."""

    def __dealloc__(self):
        free(self.data)

    cdef double number(self, Py_ssize_t doc) noexcept:
        return self.data[doc] if doc < self.size else NAN

    cdef int reach(self, Py_ssize_t size) except -1:
        cdef Py_ssize_t i
        if size > self.capacity:
            self.capacity = size + (size >> 1) + 16
            self.data = <double*> resized(self.data, self.capacity * 8)
        for i in range(self.size, size):
            self.data[i] = NAN
        self.size = size
        return 0

    def set(self, Py_ssize_t doc, double value) -> None:
        """Set the number of a document."""
        if doc >= self.size:
            self.reach(doc + 1)
        self.data[doc] = value

    def at(self, const uint32_t[::1] docs not None) -> np.ndarray:
        """The numbers of these documents (float64)."""
        found = np.empty(docs.shape[0])
        cdef double[::1] out = found
        cdef Py_ssize_t i
        with nogil:
            for i in range(docs.shape[0]):
                out[i] = self.data[docs[i]] if docs[i] < self.size else NAN
        return found

    def whole_at(self, const uint32_t[::1] docs not None) -> np.ndarray:
        """The same as whole numbers (int64), -1 where there is none."""
        found = np.empty(docs.shape[0], np.int64)
        cdef int64_t[::1] out = found
        cdef Py_ssize_t i
        cdef double value
        with nogil:
            for i in range(docs.shape[0]):
                value = self.data[docs[i]] if docs[i] < self.size else NAN
                out[i] = <int64_t> value if value == value else -1
        return found

    def renumber(self, const uint32_t[::1] new_ids not None) -> None:
        """Move everything to the new ids, which keep the order."""
        cdef Py_ssize_t doc
        cdef Py_ssize_t end = 1
        cdef Py_ssize_t size = min(self.size, new_ids.shape[0])
        cdef double* data = self.data
        with nogil:
            for doc in range(1, size):
                if new_ids[doc] != UNUSED:
                    end = new_ids[doc]
                    data[end] = data[doc]
                    end += 1
        self.size = min(self.size, end)

    def recode(self, const int64_t[::1] new_numbers not None) -> None:
        """Exchange each number n, which must be whole, for new_numbers[n]; where that is negative,
        there is none any more.
        """
        cdef Py_ssize_t doc
        cdef int64_t number
        with nogil:
            for doc in range(self.size):
                if self.data[doc] == self.data[doc]:
                    number = new_numbers[<Py_ssize_t> self.data[doc]]
                    self.data[doc] = <double> number if number >= 0 else NAN

    def memory(self) -> int:
        """Bytes it takes."""
        return self.capacity * 8


cdef class Pairs:
    """Numbers with the documents that have them, in order of the ids; a document may come often."""

    cdef uint32_t* doc_data
    cdef double* value_data
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef readonly bint several

    def __dealloc__(self):
        free(self.doc_data)
        free(self.value_data)

    def __len__(self) -> int:
        return self.size

    def add(self, uint32_t doc, double value) -> None:
        """Add a number of a document, whose id is no less than any before."""
        if self.size == self.capacity:
            self.capacity = self.size + (self.size >> 1) + 8
            self.doc_data = <uint32_t*> resized(self.doc_data, self.capacity * 4)
            self.value_data = <double*> resized(self.value_data, self.capacity * 8)
        if self.size and self.doc_data[self.size - 1] == doc:
            self.several = True
        self.doc_data[self.size] = doc
        self.value_data[self.size] = value
        self.size += 1

    @property
    def docs(self) -> np.ndarray:
        """The documents (uint32)."""
        return view(self.doc_data, self.size, np.uint32, 4)

    @property
    def values(self) -> np.ndarray:
        """Their numbers (float64)."""
        return view(self.value_data, self.size, np.float64, 8)

    def at(self, const uint32_t[::1] docs not None) -> np.ndarray:
        """The first number of each of these documents (float64), NaN where there is none."""
        found = np.empty(docs.shape[0])
        cdef double[::1] out = found
        cdef Py_ssize_t place = 0
        cdef Py_ssize_t i, low, high, middle
        with nogil:
            for i in range(docs.shape[0]):
                if i and docs[i] > docs[i - 1]:
                    # In order, as they mostly are: the next is near.
                    while place < self.size and self.doc_data[place] < docs[i]:
                        place += 1
                else:
                    low, high = 0, self.size
                    while low < high:
                        middle = (low + high) >> 1
                        if self.doc_data[middle] < docs[i]:
                            low = middle + 1
                        else:
                            high = middle
                    place = low
                if place < self.size and self.doc_data[place] == docs[i]:
                    out[i] = self.value_data[place]
                else:
                    out[i] = NAN
        return found

    def between(self, double low, double high, bint with_low, bint with_high) -> np.ndarray:
        """The documents with a number in the range, by looking at all; sorted, maybe repeated."""
        cdef Py_ssize_t i
        cdef Py_ssize_t count = 0
        cdef double value
        found = np.empty(self.size + 1, np.uint32)
        cdef uint32_t[::1] out = found
        with nogil:
            if with_low and with_high:
                for i in range(self.size):
                    value = self.value_data[i]
                    out[count] = self.doc_data[i]
                    count += (value >= low) & (value <= high)
            else:
                for i in range(self.size):
                    value = self.value_data[i]
                    out[count] = self.doc_data[i]
                    count += (
                        ((value > low) | (with_low & (value == low)))
                        & ((value < high) | (with_high & (value == high)))
                    )
        return found[:count]

    def renumber(self, const uint32_t[::1] new_ids not None) -> None:
        """Move everything to the new ids, which keep the order; drop what is gone."""
        cdef Py_ssize_t i
        cdef Py_ssize_t count = 0
        cdef uint32_t made
        cdef uint32_t* docs = self.doc_data
        cdef double* values = self.value_data
        with nogil:
            for i in range(self.size):
                made = new_ids[docs[i]]
                docs[count] = made
                values[count] = values[i]
                count += made != UNUSED
        self.size = count

    def memory(self) -> int:
        """Bytes it takes."""
        return self.capacity * 12
