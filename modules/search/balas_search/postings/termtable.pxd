cimport cython
from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM
from cpython.ref cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from balas_search.postings.posting cimport Posting


cdef inline uint64_t bits_of(bytes term):
    # The upper half of the hash: dicts find their places by the lower one.
    return <uint32_t> (<uint64_t> hash(term) >> 32)


@cython.final
cdef class TermTable:
    # Parts by the first `bits` bits of a hash; a part stands in as many places as it covers.
    cdef list places
    cdef list depths             # how many bits the terms of a part share, for each place
    cdef int bits
    cdef Py_ssize_t count
    cdef public Py_ssize_t posting_bytes
    cdef public Py_ssize_t position_bytes
    cdef public Py_ssize_t blocks
    cdef public Py_ssize_t entries       # documents in all postings
    # How often documents were renumbered, and how the last time: postings of an earlier epoch are
    # moved to the new ids when somebody asks for them, or by `settled`.
    cdef uint32_t epoch
    cdef const uint32_t[::1] new_ids

    cdef inline Posting find(self, bytes term):
        """The posting of a term, None if it has none."""
        cdef PyObject* part = <PyObject*> PyList_GET_ITEM(
            self.places, <Py_ssize_t> (bits_of(term) >> (32 - self.bits))
        )
        cdef PyObject* known = PyDict_GetItem(<dict> part, term)
        if known == NULL:
            return None
        if (<Posting> known).epoch != self.epoch:
            self.settle(<Posting> known)
        return <Posting> known

    cdef int settle(self, Posting posting) except -1
    cdef Posting stem_of(self, Posting posting)
    cdef int drop(self, Posting posting) except -1
    cdef int put(self, Posting posting) except -1
    cdef void count_in(self, Posting posting, int sign) noexcept
    cdef int split(self, Py_ssize_t at) except -1
    cdef Py_ssize_t span(self, Py_ssize_t at)
