cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef enum:
    # Of the original: a block of a posting list holds so many documents.
    BLOCK_DOCS = 100


# A stem has no stem, so there are no cycles; and a dict of objects that the garbage collector does
# not know is unknown to it, too.
@cython.final
@cython.no_gc
cdef class Posting:
    cdef readonly bytes term
    # The stem of the term in the language `stem_language`: its posting, or None if there is none.
    cdef public object stem
    cdef public object stem_language
    cdef uint32_t* docs
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef uint8_t* freqs          # NULL while all are 1
    cdef int freq_width          # bytes of each: 1 or 4
    cdef uint8_t* masks          # NULL while all are `mask_lo`, `mask_hi`
    cdef int mask_width          # bytes of each: 1, 8 or 16
    cdef uint64_t mask_lo
    cdef uint64_t mask_hi
    cdef uint8_t* offsets        # positions: see posting.pyx
    cdef Py_ssize_t offsets_size
    cdef Py_ssize_t offsets_capacity
    cdef uint64_t* skips         # where each 32nd document begins in `offsets`
    cdef Py_ssize_t skips_size
    cdef Py_ssize_t skips_capacity
    cdef uint32_t last_position
    cdef uint32_t epoch          # of its TermTable, as of when its documents were renumbered last

    cdef uint32_t add(self, uint32_t doc, uint32_t freq, int field, uint32_t position,
                      bint keep_position) except 0
    cdef uint32_t freq_of(self, Py_ssize_t index) noexcept nogil
    cdef bint in_fields(self, Py_ssize_t index, uint64_t lo, uint64_t hi) noexcept nogil
    cpdef int renumber(self, const uint32_t[::1] new_ids) except -1
    cdef void take_over(self, Posting other) noexcept
    cdef bint all_in(self, const uint8_t[::1] alive) noexcept
    cdef Py_ssize_t held(self) noexcept nogil
    cdef int grow(self) except -1
    cdef int set_freq(self, Py_ssize_t index, uint32_t freq) except -1
    cdef int set_mask(self, Py_ssize_t index, uint64_t lo, uint64_t hi) except -1
    cdef int add_mask(self, Py_ssize_t index, uint64_t lo, uint64_t hi) except -1
    cdef int put_position(self, uint32_t delta, bint first) except -1
    cdef object freqs_by_doc(self, const uint32_t[::1] wanted, uint64_t lo, uint64_t hi)
    cdef Py_ssize_t seek(self, uint32_t doc, Py_ssize_t at) noexcept nogil
    cdef Py_ssize_t place_of(self, Py_ssize_t index, Py_ssize_t place,
                             Py_ssize_t reached) noexcept nogil
    cdef Py_ssize_t read_positions(self, const uint32_t* wanted, Py_ssize_t n, int64_t* begin,
                                   uint32_t* out, uint64_t lo, uint64_t hi) noexcept nogil
    cdef int copy_to(self, Posting made, Py_ssize_t i, Py_ssize_t place,
                     Py_ssize_t end) except -1
