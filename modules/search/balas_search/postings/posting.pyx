"""One term's posting list: documents, frequencies, fields and positions, in four columns.

Document ids only ever increase, so a list is sorted by being appended to. Each column is as narrow
as its content allows: frequencies take no room while all are 1, field masks none while all are
equal. Positions are one stream of bytes: for each occurrence a varint of

    2 * (distance to the occurrence before, in the same document) + (1 if there is none before)

so that the stream says itself where a document begins. `skips` holds where every SKIP-th document
begins.

The arrays that are handed out are views of memory that moves when the list grows: use them up
before anything is added.
"""

from collections.abc import Iterator

import numpy as np

cimport cython
from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

cdef enum:
    SKIP = 32
    OBJECT_BYTES = 200     # about what the object, its term and its place in a dict take
    DENSE_MIN = 2048       # so many documents wanted, and no fewer than one in DENSE_SHARE, are
    DENSE_SHARE = 8        # looked up in an array of all


cdef void* resized(void* block, size_t size) except NULL:
    cdef void* found = realloc(block, size if size else 1)
    if found == NULL:
        raise MemoryError()
    return found


cdef uint64_t read_varint(const uint8_t* data, Py_ssize_t* place) noexcept nogil:
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t byte
    while True:
        byte = data[place[0]]
        place[0] += 1
        value |= <uint64_t> (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7


@cython.no_gc  # see posting.pxd
cdef class Posting:
    """The documents that hold a term."""

    def __cinit__(self, bytes term not None):
        self.term = term
        self.freq_width = 1
        self.mask_width = 1

    def __dealloc__(self):
        free(self.docs)
        free(self.freqs)
        free(self.masks)
        free(self.offsets)
        free(self.skips)

    def __len__(self) -> int:
        """The number of documents, those included that are gone but not yet collected."""
        return self.size

    # --- writing -------------------------------------------------------------------------------

    def append(self, uint32_t doc, uint32_t freq=1, int field=0, uint32_t position=0) -> int:
        """Add an occurrence, for tests: what the compiled callers do by `add`."""
        return self.add(doc, freq, field, position, True)

    def append_doc(self, uint32_t doc) -> None:
        """Add a document that holds the term, without saying where."""
        self.add(doc, 1, 0, 0, False)

    cdef uint32_t add(self, uint32_t doc, uint32_t freq, int field, uint32_t position,
                      bint keep_position) except 0:
        """Add an occurrence in `doc`, no less than any before; return the frequency there."""
        cdef uint64_t lo = (<uint64_t> 1 << field) if field < 64 else 0
        cdef uint64_t hi = (<uint64_t> 1 << (field - 64)) if field >= 64 else 0
        cdef Py_ssize_t last = self.size - 1
        cdef bint first = last < 0 or self.docs[last] != doc
        if first:
            last += 1
            if last == self.capacity:
                self.grow()
            self.docs[last] = doc
            if self.masks == NULL and last == 0:
                self.mask_lo = lo
                self.mask_hi = hi
            self.size += 1
            if keep_position and last % SKIP == 0:
                self.remember_place()
            if self.freqs != NULL or freq != 1:
                self.set_freq(last, freq)
            if self.masks != NULL or lo != self.mask_lo or hi != self.mask_hi:
                self.set_mask(last, lo, hi)
            self.last_position = 0
        else:
            freq += self.freq_of(last)
            self.set_freq(last, freq)
            self.add_mask(last, lo, hi)
        if keep_position:
            self.put_position(position - self.last_position, first)
            self.last_position = position
        return freq

    cdef int grow(self) except -1:
        cdef Py_ssize_t capacity = self.capacity + (self.capacity >> 2) + 2
        self.docs = <uint32_t*> resized(self.docs, capacity * sizeof(uint32_t))
        if self.freqs != NULL:
            self.freqs = <uint8_t*> resized(self.freqs, capacity * self.freq_width)
        if self.masks != NULL:
            self.masks = <uint8_t*> resized(self.masks, capacity * self.mask_width)
        self.capacity = capacity
        return 0

    def remember_place(self) -> None:
        """Note where the document that comes next begins in the stream of positions."""
        if self.skips_size == self.skips_capacity:
            self.skips_capacity += (self.skips_capacity >> 1) + 1
            self.skips = <uint64_t*> resized(self.skips, self.skips_capacity * sizeof(uint64_t))
        self.skips[self.skips_size] = self.offsets_size
        self.skips_size += 1

    cdef int put_position(self, uint32_t delta, bint first) except -1:
        cdef uint64_t value = (<uint64_t> delta << 1) | first
        if self.offsets_size + 6 > self.offsets_capacity:
            self.offsets_capacity += (self.offsets_capacity >> 2) + 6
            self.offsets = <uint8_t*> resized(self.offsets, self.offsets_capacity)
        while value >= 0x80:
            self.offsets[self.offsets_size] = <uint8_t> (value & 0x7F) | 0x80
            self.offsets_size += 1
            value >>= 7
        self.offsets[self.offsets_size] = <uint8_t> value
        self.offsets_size += 1
        return 0

    cdef uint32_t freq_of(self, Py_ssize_t index) noexcept nogil:
        if self.freqs == NULL:
            return 1
        if self.freq_width == 1:
            return self.freqs[index]
        return (<uint32_t*> self.freqs)[index]

    cdef int set_freq(self, Py_ssize_t index, uint32_t freq) except -1:
        """Set a frequency; the column is made, or widened, if it has to be."""
        cdef uint8_t* wide
        cdef Py_ssize_t i
        if self.freqs == NULL:
            if freq == 1:
                return 0
            self.freqs = <uint8_t*> resized(NULL, self.capacity)
            self.freq_width = 1
            memset(self.freqs, 1, self.capacity)
        if self.freq_width == 1 and freq > 0xFF:
            wide = <uint8_t*> resized(NULL, self.capacity * 4)
            for i in range(self.size):
                (<uint32_t*> wide)[i] = self.freqs[i]
            free(self.freqs)
            self.freqs = wide
            self.freq_width = 4
        if self.freq_width == 1:
            self.freqs[index] = <uint8_t> freq
        else:
            (<uint32_t*> self.freqs)[index] = freq
        return 0

    cdef int add_mask(self, Py_ssize_t index, uint64_t lo, uint64_t hi) except -1:
        cdef uint64_t old_lo = self.mask_lo
        cdef uint64_t old_hi = self.mask_hi
        if self.masks != NULL:
            old_hi = 0
            if self.mask_width == 1:
                old_lo = self.masks[index]
            elif self.mask_width == 8:
                old_lo = (<uint64_t*> self.masks)[index]
            else:
                old_lo = (<uint64_t*> self.masks)[2 * index]
                old_hi = (<uint64_t*> self.masks)[2 * index + 1]
        if (old_lo | lo) != old_lo or (old_hi | hi) != old_hi:
            self.set_mask(index, old_lo | lo, old_hi | hi)
        return 0

    cdef int set_mask(self, Py_ssize_t index, uint64_t lo, uint64_t hi) except -1:
        """Set the fields of a document; the column is made, or widened, if it has to be."""
        cdef int width = 16 if hi else 8 if lo > 0xFF else 1
        if self.masks == NULL:
            if self.mask_hi:
                width = 16
            elif self.mask_lo > 0xFF and width == 1:
                width = 8
        elif width < self.mask_width:
            width = self.mask_width
        if self.masks == NULL or width != self.mask_width:
            self.widen_masks(width)
        if width == 1:
            self.masks[index] = <uint8_t> lo
        elif width == 8:
            (<uint64_t*> self.masks)[index] = lo
        else:
            (<uint64_t*> self.masks)[2 * index] = lo
            (<uint64_t*> self.masks)[2 * index + 1] = hi
        return 0

    def widen_masks(self, int width) -> None:
        """Make the column of field masks, or make it wider."""
        cdef uint8_t* wide = <uint8_t*> resized(NULL, self.capacity * width)
        cdef Py_ssize_t i
        cdef uint64_t lo = self.mask_lo
        cdef uint64_t hi = self.mask_hi
        for i in range(self.size):
            if self.masks != NULL:
                lo = self.masks[i] if self.mask_width == 1 else (<uint64_t*> self.masks)[i]
                hi = 0
            if width == 1:
                wide[i] = <uint8_t> lo
            elif width == 8:
                (<uint64_t*> wide)[i] = lo
            else:
                (<uint64_t*> wide)[2 * i] = lo
                (<uint64_t*> wide)[2 * i + 1] = hi
        free(self.masks)
        self.masks = wide
        self.mask_width = width

    cdef bint in_fields(self, Py_ssize_t index, uint64_t lo, uint64_t hi) noexcept nogil:
        if self.masks == NULL:
            return (self.mask_lo & lo) != 0 or (self.mask_hi & hi) != 0
        if self.mask_width == 1:
            return (self.masks[index] & lo) != 0
        if self.mask_width == 8:
            return ((<uint64_t*> self.masks)[index] & lo) != 0
        return ((<uint64_t*> self.masks)[2 * index] & lo) != 0 or (
            (<uint64_t*> self.masks)[2 * index + 1] & hi
        ) != 0

    # --- reading -------------------------------------------------------------------------------

    def docs_view(self) -> np.ndarray:
        """All documents, as a view (uint32)."""
        if not self.size:
            return np.empty(0, np.uint32)
        memory = PyMemoryView_FromMemory(<char*> self.docs, self.size * 4, PyBUF_READ)
        return np.frombuffer(memory, np.uint32)

    def docs_in(self, fields: int) -> np.ndarray:
        """The documents that hold the term in one of `fields` (a mask)."""
        cdef uint64_t lo = fields & 0xFFFFFFFFFFFFFFFF
        cdef uint64_t hi = (fields >> 64) & 0xFFFFFFFFFFFFFFFF
        cdef Py_ssize_t i
        cdef Py_ssize_t count = 0
        if self.masks == NULL:
            if (self.mask_lo & lo) or (self.mask_hi & hi):
                return self.docs_view()
            return np.empty(0, np.uint32)
        found = np.empty(self.size, np.uint32)
        cdef uint32_t[::1] out = found
        with nogil:
            for i in range(self.size):
                out[count] = self.docs[i]
                count += self.in_fields(i, lo, hi)
        return found[:count]

    def freqs_at(self, const uint32_t[::1] wanted, fields: int) -> np.ndarray:
        """The frequency in each of the documents `wanted` (sorted), 0 where the term is not in
        one of `fields` (float64).
        """
        cdef uint64_t lo = fields & 0xFFFFFFFFFFFFFFFF
        cdef uint64_t hi = (fields >> 64) & 0xFFFFFFFFFFFFFFFF
        cdef Py_ssize_t n = wanted.shape[0]
        cdef Py_ssize_t i
        cdef Py_ssize_t at = 0
        cdef const uint32_t* docs = self.docs
        cdef Py_ssize_t size = self.size
        cdef uint32_t doc
        if n > DENSE_MIN and wanted[n - 1] < DENSE_SHARE * n:
            return self.freqs_by_doc(wanted, lo, hi)
        found = np.zeros(n, np.float64)
        cdef double[::1] out = found
        with nogil:
            for i in range(n):
                doc = wanted[i]
                while at < size and docs[at] < doc:
                    at += 1
                    if at + 8 < size and docs[at + 8] < doc:
                        at = self.seek(doc, at + 8)
                if at >= size:
                    break
                if docs[at] == doc and self.in_fields(at, lo, hi):
                    out[i] = self.freq_of(at)
        return found

    cdef object freqs_by_doc(self, const uint32_t[::1] wanted, uint64_t lo, uint64_t hi):
        """The same where most documents are wanted: by way of an array of all of them, for going
        through two lists side by side means guessing at every step which is behind.
        """
        cdef Py_ssize_t n = wanted.shape[0]
        cdef uint32_t last = wanted[n - 1]
        cdef Py_ssize_t i
        cdef float[::1] by_doc = np.zeros(last + 1, np.float32)
        found = np.empty(n, np.float64)
        cdef double[::1] out = found
        with nogil:
            for i in range(self.size):
                if self.docs[i] > last:
                    break
                if self.in_fields(i, lo, hi):
                    by_doc[self.docs[i]] = self.freq_of(i)
            for i in range(n):
                out[i] = by_doc[wanted[i]]
        return found

    cdef Py_ssize_t seek(self, uint32_t doc, Py_ssize_t at) noexcept nogil:
        """The first place from `at` on whose document is not less than `doc`: by galloping."""
        cdef Py_ssize_t step = 1
        cdef Py_ssize_t low
        cdef Py_ssize_t high
        cdef Py_ssize_t middle
        cdef int _step
        for _step in range(4):
            if at >= self.size or self.docs[at] >= doc:
                return at
            at += 1
        low = at
        while at + step < self.size and self.docs[at + step] < doc:
            low = at + step
            step <<= 1
        high = at + step if at + step < self.size else self.size
        while low < high:
            middle = (low + high) >> 1
            if self.docs[middle] < doc:
                low = middle + 1
            else:
                high = middle
        return low

    def positions_at(self, const uint32_t[::1] wanted, fields: int) -> tuple:
        """The positions in each of the documents `wanted` (sorted).

        Returns (starts, positions): those of wanted[i] are positions[starts[i]:starts[i + 1]],
        increasing (int64 and uint32). A document without the term in one of `fields` has none; one
        that has it there has its positions in all fields.
        """
        cdef uint64_t lo = fields & 0xFFFFFFFFFFFFFFFF
        cdef uint64_t hi = (fields >> 64) & 0xFFFFFFFFFFFFFFFF
        cdef Py_ssize_t n = wanted.shape[0]
        starts = np.zeros(n + 1, np.int64)
        if not self.offsets_size or not n:
            return starts, np.empty(0, np.uint32)
        # Each position takes a byte at least, so this many there are at most.
        found = np.empty(self.offsets_size, np.uint32)
        cdef int64_t[::1] begin = starts
        cdef uint32_t[::1] out = found
        cdef Py_ssize_t count
        with nogil:
            count = self.read_positions(&wanted[0], n, &begin[0], &out[0], lo, hi)
        return starts, found[:count]

    cdef Py_ssize_t read_positions(self, const uint32_t* wanted, Py_ssize_t n, int64_t* begin,
                                   uint32_t* out, uint64_t lo, uint64_t hi) noexcept nogil:
        # All that the loop uses is local, or the compiler would read it anew after each write.
        cdef const uint32_t* docs = self.docs
        cdef const uint8_t* offsets = self.offsets
        cdef Py_ssize_t size = self.size
        cdef Py_ssize_t end = self.offsets_size
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t count = 0
        cdef Py_ssize_t place = 0       # of the document `reached` in the stream
        cdef Py_ssize_t reached = 0
        cdef Py_ssize_t i
        cdef uint32_t doc
        cdef uint32_t position
        cdef uint64_t value
        cdef uint8_t byte
        for i in range(n):
            begin[i] = count
            doc = wanted[i]
            while at < size and docs[at] < doc:
                at += 1
                if at + 8 < size and docs[at + 8] < doc:
                    at = self.seek(doc, at + 8)
            if at >= size or docs[at] != doc or not self.in_fields(at, lo, hi):
                continue
            if at != reached:
                place = self.place_of(at, place, reached)
            reached = at + 1
            position = 0
            while True:
                byte = offsets[place]
                place += 1
                if byte < 0x80:
                    value = byte
                else:
                    place -= 1
                    value = read_varint(offsets, &place)
                position += <uint32_t> (value >> 1)
                out[count] = position
                count += 1
                if place >= end or offsets[place] & 1:
                    break
        begin[n] = count
        return count

    cdef Py_ssize_t place_of(self, Py_ssize_t index, Py_ssize_t place,
                             Py_ssize_t reached) noexcept nogil:
        """Where the positions of the index-th document begin, coming from those of `reached`."""
        cdef const uint8_t* offsets = self.offsets
        cdef Py_ssize_t end = self.offsets_size
        cdef Py_ssize_t skipped = index // SKIP * SKIP
        if skipped > reached:
            place = self.skips[index // SKIP]
            reached = skipped
        while reached < index:
            # On to the next byte that begins a varint which begins a document.
            while offsets[place] & 0x80:
                place += 1
            place += 1
            while place < end and not offsets[place] & 1:
                while offsets[place] & 0x80:
                    place += 1
                place += 1
            reached += 1
        return place

    # --- housekeeping --------------------------------------------------------------------------

    def memory(self) -> int:
        """Bytes it takes."""
        return self.held()

    cdef Py_ssize_t held(self) noexcept nogil:
        cdef Py_ssize_t total = OBJECT_BYTES + self.capacity * 4 + self.offsets_capacity
        if self.freqs != NULL:
            total += self.capacity * self.freq_width
        if self.masks != NULL:
            total += self.capacity * self.mask_width
        return total + self.skips_capacity * 8

    def offsets_bytes(self) -> int:
        """Bytes that positions take."""
        return self.offsets_size

    cpdef int renumber(self, const uint32_t[::1] new_ids) except -1:
        """Have document i be new_ids[i], for each that is here. `new_ids` must keep the order."""
        cdef uint32_t* docs = self.docs
        cdef Py_ssize_t i
        for i in range(self.size):
            docs[i] = new_ids[docs[i]]
        return 0

    def purged(self, alive_now, Py_ssize_t at_once) -> Iterator[None]:
        """Leave out documents that are gone, in steps that look at `at_once` of them each.

        `alive_now()` gives a flag for each id (uint8). Documents may come between two steps.
        """
        cdef Posting made = Posting(self.term)
        cdef Py_ssize_t i = 0
        cdef Py_ssize_t place = 0
        cdef Py_ssize_t next_place, end
        cdef const uint8_t[::1] alive = alive_now()
        made.mask_lo = self.mask_lo
        made.mask_hi = self.mask_hi
        while True:
            end = min(i + at_once, self.size)
            while i < end:
                next_place = place
                if self.offsets_size:
                    next_place = self.place_of(i + 1, place, i) if i + 1 < self.size else (
                        self.offsets_size)
                if self.docs[i] < alive.shape[0] and alive[self.docs[i]]:
                    self.copy_to(made, i, place, next_place)
                place = next_place
                i += 1
            if i == self.size:
                break
            yield
            alive = alive_now()
        self.take_over(made)

    cdef bint all_in(self, const uint8_t[::1] alive) noexcept:
        """Whether no document is gone."""
        cdef Py_ssize_t i
        for i in range(self.size):
            if self.docs[i] >= alive.shape[0] or not alive[self.docs[i]]:
                return False
        return True

    cdef void take_over(self, Posting other) noexcept:
        """Exchange all columns with those of another list."""
        self.docs, other.docs = other.docs, self.docs
        self.freqs, other.freqs = other.freqs, self.freqs
        self.masks, other.masks = other.masks, self.masks
        self.offsets, other.offsets = other.offsets, self.offsets
        self.skips, other.skips = other.skips, self.skips
        self.size, self.capacity = other.size, other.capacity
        self.freq_width, self.mask_width = other.freq_width, other.mask_width
        self.mask_lo, self.mask_hi = other.mask_lo, other.mask_hi
        self.offsets_size, self.offsets_capacity = other.offsets_size, other.offsets_capacity
        self.skips_size, self.skips_capacity = other.skips_size, other.skips_capacity
        self.last_position = 0

    cdef int copy_to(self, Posting made, Py_ssize_t i, Py_ssize_t place,
                     Py_ssize_t end) except -1:
        cdef Py_ssize_t last = made.size
        if last == made.capacity:
            made.grow()
        made.docs[last] = self.docs[i]
        made.size += 1
        if self.freqs != NULL:
            made.set_freq(last, self.freq_of(i))
        if self.masks != NULL:
            if self.mask_width == 16:
                made.set_mask(last, (<uint64_t*> self.masks)[2 * i],
                              (<uint64_t*> self.masks)[2 * i + 1])
            elif self.mask_width == 8:
                made.set_mask(last, (<uint64_t*> self.masks)[i], 0)
            else:
                made.set_mask(last, self.masks[i], 0)
        if end > place:
            if last % SKIP == 0:
                made.remember_place()
            if made.offsets_size + end - place > made.offsets_capacity:
                made.offsets_capacity = made.offsets_size + (made.offsets_size >> 2) + end - place
                made.offsets = <uint8_t*> resized(made.offsets, made.offsets_capacity)
            memcpy(made.offsets + made.offsets_size, self.offsets + place, end - place)
            made.offsets_size += end - place
        return 0
