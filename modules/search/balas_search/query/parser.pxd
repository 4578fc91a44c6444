from balas_search.query.lexer cimport Lexeme
from balas_search.query.ranges cimport RangeParser


cdef class Parser(RangeParser):
    cdef bint drop_stop_words
    cdef int depth
