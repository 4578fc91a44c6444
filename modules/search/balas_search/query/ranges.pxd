from balas_search.query.lexer cimport Lexeme
from balas_search.query.reader cimport TokenReader


cdef class RangeParser(TokenReader):
    cdef readonly object fields
