from libc.stdint cimport int64_t, uint32_t

from balas_json._cells cimport Cell, Doc

cdef enum Choice:
    KEY
    INDEX
    SLICE
    ALL
    FILTER

cdef struct Selector:
    Choice choice
    uint32_t length        # of the key
    uint32_t hashed        # of the key
    const char *key        # in a bytes object that the path holds
    int64_t start          # of a slice; also the index
    int64_t stop
    int64_t step
    bint has_start
    bint has_stop
    void *condition        # of a filter: a Condition that the path holds

cdef struct Step:
    bint deep              # the children of all descendants, not of the value alone
    uint32_t first         # of its selectors
    uint32_t count

cdef enum Operation:
    OR
    AND
    NOT
    EQ
    NE
    LT
    LE
    GT
    GE
    MATCHES
    TRUTH                  # of one term: it is there, or it is true

cdef enum Source:
    LITERAL
    CURRENT                # a path from @
    ROOT                   # a path from $
    LENGTH
    COUNT
    VALUE
    MATCH
    SEARCH

cdef class Term:
    cdef Source source
    cdef Path path         # of CURRENT and ROOT
    cdef Doc doc           # of LITERAL: a document of its own
    cdef Term first        # arguments of a function
    cdef Term second
    cdef object pattern    # of a LITERAL that was used as a regular expression

cdef class Condition:
    cdef Operation operation
    cdef Condition left
    cdef Condition right
    cdef Term one
    cdef Term other

cdef class Path:
    cdef readonly bytes text         # as it was given
    cdef readonly bytes full         # beginning with $
    cdef readonly bint legacy
    cdef Step *steps
    cdef Selector *selectors
    cdef uint32_t count
    cdef uint32_t selector_count
    cdef bint filters                # whether any selector is a FILTER
    cdef list held

    cdef int add_step(self, bint deep) except -1
    cdef Selector *add_selector(self, Choice choice) except NULL
    cdef int add_key(self, bytes key) except -1
    cdef bint selects_one(self) noexcept

cpdef Path compiled(bytes text)
