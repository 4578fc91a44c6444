from balas_search.query.lexer cimport Lexeme


cdef class TokenReader:
    cdef readonly bytes source
    cdef readonly list tokens
    cdef readonly int dialect
    cdef readonly object parameters
    cdef Py_ssize_t at
    cdef readonly Lexeme next

    cpdef skip(self)
    cpdef Lexeme behind(self)
    cpdef Lexeme take(self, str kind)
    cpdef bint eat(self, str kind) except -1
    cpdef bytes parameter(self, bytes name)
