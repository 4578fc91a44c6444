cdef class Lexeme:
    cdef readonly str kind
    cdef readonly bytes text
    cdef readonly Py_ssize_t at
    cdef readonly bytes near
    cdef readonly Py_ssize_t end
